"""Serve S3 until told otherwise: ``stop``, ``start`` and ``begun`` on standard input."""

from __future__ import annotations

import sys

import fsspec
from object_stores import serving


def main() -> None:
    """Print the address, then answer each line with one."""
    with serving() as server:
        print(server.address, flush=True)
        for line in sys.stdin:
            word = line.strip()
            answer = "done"
            if word == "stop":
                server.stop()
            elif word == "start":
                server.start()
            elif word == "begun":
                files = fsspec.filesystem("s3", use_listings_cache=False, skip_instance_cache=True)
                answer = "yes" if files.exists("bucket/run/run.json") else "no"
            print(answer, flush=True)


if __name__ == "__main__":
    main()
