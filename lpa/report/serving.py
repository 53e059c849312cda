"""Showing a report on this machine alone: a server on the loopback address."""

from __future__ import annotations

import errno
import re
import tempfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from lpa.errors import InputError

__all__ = ["ReportServer"]

PICTURE = re.compile(r"/report_files/([a-z]+[-0-9]+\.webp)")
NAMES = {"127.0.0.1", "localhost"}


class ReportServer:
    """Serves one report, and nothing else, to browsers on this machine.

    The port is taken before the page is made, so that a port in use is said at once. The page lies
    in a temporary folder until :meth:`close`; the run's folder is only read.

    Parameters
    ----------
    write : callable
        Writes the page to the path that it is given.
    port : int
        0 for any free one.

    Raises
    ------
    InputError
        For a port that cannot be had.
    """

    def __init__(self, write: Callable[[Path], object], port: int) -> None:
        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
        except (OSError, OverflowError) as error:
            taken = getattr(error, "errno", None) == errno.EADDRINUSE
            reason = "is in use" if taken else "cannot be had"
            raise InputError(
                f"port {port} {reason}; expected a free one from 1024 to 65535: give another with "
                "--port, or --port 0 for any"
            ) from error
        self._server.daemon_threads = True
        self._folder = tempfile.TemporaryDirectory(prefix="lpa-view-")
        try:
            write(Path(self._folder.name) / "report.html")
        except BaseException:
            self.close()
            raise
        self._server.folder = Path(self._folder.name)  # type: ignore[attr-defined]

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.server_address[1])

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"http://127.0.0.1:{self.port}/"

    def serve(self) -> None:
        """Answer browsers until interrupted or :meth:`stop` is called from another thread."""
        try:
            self._server.serve_forever()
        finally:
            self.close()

    def stop(self) -> None:
        """End :meth:`serve`."""
        self._server.shutdown()

    def close(self) -> None:
        """Give the port back and delete the page."""
        self._server.server_close()
        self._folder.cleanup()


class _Handler(BaseHTTPRequestHandler):
    """Answers for the page and its pictures."""

    def do_GET(self) -> None:
        """Send the page or a picture."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Send the headers alone."""
        self._answer(body=False)

    def log_message(self, format: str, *arguments: object) -> None:
        """Keep standard error for what matters."""

    def _answer(self, body: bool) -> None:
        # A page elsewhere may resolve its own name to this machine: it is told nothing.
        host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        if host not in NAMES:
            self.send_error(403)
            return
        folder: Path = self.server.folder  # type: ignore[attr-defined]
        path = self.path.partition("?")[0]
        picture = PICTURE.fullmatch(path)
        if path in ("/", "/report.html"):
            found, kind = folder / "report.html", "text/html; charset=utf-8"
        elif picture:
            found, kind = folder / "report_files" / picture[1], "image/webp"
        else:
            self.send_error(404)
            return
        if not found.is_file():
            self.send_error(404)
            return
        content = found.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if body:
            self.wfile.write(content)
