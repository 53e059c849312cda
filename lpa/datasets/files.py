"""Finding image files: what counts as one, and a walk that survives loops of links."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lpa.errors import InputError

__all__ = ["IMAGE_EXTENSIONS", "FileReader", "image_files", "printable", "subfolders"]

# torchvision's IMG_EXTENSIONS; repeated here so that listing a folder does not import torch.
IMAGE_EXTENSIONS = (
    ".jpg",
    ".jpeg",
    ".png",
    ".ppm",
    ".bmp",
    ".pgm",
    ".tif",
    ".tiff",
    ".webp",
)


@dataclass(frozen=True)
class FileReader:
    """Reads the encoded bytes of the file at an index."""

    paths: list[str]

    def __call__(self, index: int) -> bytes:
        """Return the file's bytes."""
        return Path(self.paths[index]).read_bytes()


def printable(path: str) -> str:
    r"""Return a relative path with ``/`` between its parts, bytes that are no UTF-8 as ``\xff``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace").replace(os.sep, "/")


def _ignored(name: str) -> bool:
    """Tell what file managers and archives leave behind."""
    return name.startswith(".") or name == "__MACOSX"


def subfolders(folder: Path) -> list[str]:
    """Return the names of the visible sub-folders, links to folders included, sorted."""
    return sorted(
        entry.name for entry in _entries(folder) if not _ignored(entry.name) and _is_folder(entry)
    )


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield what is in a folder; one that cannot be listed is named."""
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError as error:
        raise InputError(
            f"{folder} cannot be listed ({error.strerror}); expected a folder that you may read"
        ) from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Tell a folder, or a link to one; a link to itself is neither folder nor file."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Tell a file, or a link to one: no pipe, socket or device."""
    try:
        return entry.is_file()
    except OSError:
        return False


def image_files(folder: Path, *, below: bool = True) -> Iterator[str]:
    """Yield the paths of image files relative to a folder, in no particular order.

    Parameters
    ----------
    folder : Path
        Where to look.
    below : bool
        Whether to descend into sub-folders. Links to folders are followed, each folder once, so
        that a loop of links ends.
    """
    seen: set[tuple[int, int]] = set()
    waiting = [""]
    while waiting:
        relative = waiting.pop()
        status = (folder / relative).stat()
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        for entry in _entries(folder / relative):
            path = os.path.join(relative, entry.name)  # noqa: PTH118 - a million times
            if _ignored(entry.name):
                continue
            if _is_folder(entry):
                if below:
                    waiting.append(path)
            elif entry.name.lower().endswith(IMAGE_EXTENSIONS) and _is_file(entry):
                yield path
