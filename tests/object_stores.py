"""A local S3 server for tests, which can be stopped and started again."""

from __future__ import annotations

import logging
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import fsspec
import pytest
from moto.server import ThreadedMotoServer

BUCKET = "bucket"


class Server:
    """Moto's S3 on one port of this machine; stopping it keeps its objects."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.server: ThreadedMotoServer | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.server = ThreadedMotoServer("127.0.0.1", self.port, verbose=False)
        self.server.start()

    def stop(self) -> None:
        if self.server is not None:
            self.server.stop()
        self.server = None


@contextmanager
def serving() -> Iterator[Server]:
    """Serve S3 with one empty bucket, and point this process and its children to it."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = Server()
    server.start()
    # Its objects live as long as the process.
    urllib.request.urlopen(f"{server.address}/moto-api/reset", data=b"").close()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": server.address,
            "AWS_MAX_ATTEMPTS": "1",
        }.items():
            patch.setenv(name, value)
        patch.delenv("AWS_PROFILE", raising=False)
        # File systems are kept by fsspec, with the address of an earlier server.
        fsspec.get_filesystem_class("s3").clear_instance_cache()
        fsspec.filesystem("s3").mkdir(BUCKET)
        try:
            yield server
        finally:
            fsspec.get_filesystem_class("s3").clear_instance_cache()
            server.stop()
