"""Paths as users type them: whatever they are, a question about them has an answer."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["exists", "is_file", "is_folder", "user_path"]


def user_path(text: str | os.PathLike[str]) -> Path:
    """Return a path, ``~`` for the home of a user who has one; else the sign stays as it is."""
    return Path(os.path.expanduser(text))  # noqa: PTH111 - Path.expanduser raises RuntimeError


def exists(path: Path) -> bool:
    """Tell whether there is something; nothing is called by a name that no file can have."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """Tell whether there is a file, or a link to one: no pipe, socket or device."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Tell whether there is a folder, or a link to one."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
