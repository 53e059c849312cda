"""``lpa view``: the report served on the loopback address, and ``lpa report`` of several runs."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from click.testing import CliRunner
from synthetic import write_run

import lpa
from lpa.report.serving import ReportServer

COMMAND = (
    "from importlib.metadata import entry_points\n"
    "entry_points(group='console_scripts')['lpa'].load()()"
)


def main() -> object:
    (command,) = entry_points(group="console_scripts", name="lpa")
    return command.load()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture
def server(run: Path) -> Iterator[ReportServer]:
    found = lpa.open(run).view(port=0)
    thread = threading.Thread(target=found.serve)
    thread.start()
    yield found
    found.stop()
    thread.join(10)


def answer(
    server: ReportServer, path: str, host: str | None = None, method: str = "GET"
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request(method, path, headers={"Host": host or f"127.0.0.1:{server.port}"})
    response = connection.getresponse()
    found = response.status, dict(response.getheaders()), response.read()
    connection.close()
    return found


def test_the_page_is_served_and_nothing_is_left_in_the_run(server: ReportServer, run: Path) -> None:
    status, headers, body = answer(server, "/")
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    assert body.startswith(b"<!DOCTYPE html>")
    assert not (run / "report.html").exists()
    assert server.address == f"http://127.0.0.1:{server.port}/"
    status, headers, body = answer(server, "/report.html", method="HEAD")
    assert status == 200 and int(headers["Content-Length"]) > 4_000_000 and body == b""


def test_pictures_beside_the_page_are_served(run: Path) -> None:
    def write(page: Path) -> None:
        page.write_text("page")
        folder = page.with_name("report_files")
        folder.mkdir()
        (folder / "picture-0-7.webp").write_bytes(b"RIFF")
        (page.parent / "secret.webp").write_bytes(b"no")

    server = ReportServer(write, 0)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        assert answer(server, "/report_files/picture-0-7.webp")[2] == b"RIFF"
        for path in ("/report_files/../secret.webp", "/report_files/%2e%2e/secret.webp",
                     "/secret.webp", "/report_files/", "/../../etc/passwd",
                     "/report_files/picture-0-8.webp"):  # fmt: skip
            assert answer(server, path)[0] == 404
    finally:
        server.stop()
        thread.join(10)


def test_a_stranger_who_names_this_machine_otherwise_is_refused(server: ReportServer) -> None:
    assert answer(server, "/", "evil.example")[0] == 403
    assert answer(server, "/", "127.0.0.1.evil.example:80")[0] == 403
    assert answer(server, "/", "localhost:9999")[0] == 200


def test_only_the_loopback_address_is_listened_on(server: ReportServer) -> None:
    assert server._server.server_address[0] == "127.0.0.1"


def test_a_port_in_use_is_one_clear_line(run: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = CliRunner().invoke(main(), ["view", str(run), "--port", str(port)])
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: port {port} is in use; expected a free one from 1024 to 65535: give another with "
        "--port, or --port 0 for any\n"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_takes_the_page_away(
    run: Path, tmp_path: Path, number: signal.Signals
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "view", str(run), "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={"TMPDIR": str(tmp_path), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"},
        # A shell's background job ignores Ctrl-C, and what it starts inherits that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert address.startswith("http://127.0.0.1:") and address.endswith("/")
    assert [path.name[:9] for path in tmp_path.iterdir()] == ["lpa-view-"]
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert errors.splitlines()[-1] == "ended"
    assert list(tmp_path.iterdir()) == []


def test_several_runs_become_one_page(run: Path, tmp_path: Path) -> None:
    other = write_run(tmp_path / "other", models=("third",), pictures=False)
    out = tmp_path / "page.html"
    result = CliRunner().invoke(main(), ["report", str(run), str(other), "-o", str(out)])
    assert (result.exit_code, result.stdout) == (0, f"{out}\n")
    text = out.read_text()
    assert "first · run" in text and "third · other" in text


def test_the_page_of_several_runs_lies_where_the_command_was_called(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write_run(tmp_path / "other", models=("third",), pictures=False)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main(), ["report", str(run), str(other)])
    assert (result.exit_code, result.stdout) == (0, "report-of-runs.html\n")
    assert (tmp_path / "report-of-runs.html").exists()


def test_a_folder_that_is_no_run_beside_one_is_named(run: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(main(), ["report", str(run), str(tmp_path)])
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: {tmp_path} is no run: there is no run.json in it; expected the folder that "
        "`lpa scan`, `train-sweep`, `probe` or `import` named at its end\n"
    )
