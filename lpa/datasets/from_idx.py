"""The idx files of MNIST and its relatives, gzipped or not; Fashion-MNIST by name.

Debian's package ``dataset-fashion-mnist`` is found by itself; torchvision's folder
(``FashionMNIST/raw``) holds the same files.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lpa.datasets.from_arrays import from_splits
from lpa.datasets.source import Source, choose_splits
from lpa.errors import InputError

__all__ = ["FASHION_CLASSES", "open_fashion_mnist", "open_path", "recognises"]

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")

FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

PREFIXES = {"train": "train", "test": "t10k"}


def recognises(path: Path) -> bool:
    """Take a folder with idx files of images."""
    return path.is_dir() and any(_file(path, split, "images-idx3") for split in PREFIXES)


def _file(folder: Path, split: str, what: str) -> Path | None:
    names = [f"{PREFIXES[split]}-{what}-ubyte{suffix}" for suffix in ("", ".gz")]
    return next((folder / name for name in names if (folder / name).is_file()), None)


def open_path(path: Path, name: str, split: str | None) -> Source:
    """Open a folder of idx files; the classes are named where the folder is Fashion-MNIST's.

    Parameters
    ----------
    path : Path
        Holds ``train-images-idx3-ubyte`` and so on, with or without ``.gz``.
    name : str
        Name of the source.
    split : str or None
        ``train`` or ``test``; see :func:`lpa.datasets.source.choose_splits`.

    Raises
    ------
    InputError
        For a missing split or a damaged file.
    """
    present = [part for part in PREFIXES if _file(path, part, "images-idx3")]
    fashion = "fashion" in f"{name} {path}".lower()
    parts = {}
    for part in choose_splits(present, split, name):
        images, labels = (_file(path, part, what) for what in ("images-idx3", "labels-idx1"))
        if images is None or labels is None:
            raise InputError(f"{path} has no labels of split {part!r}; fetch the folder again")
        pixels, targets = _read(images), _read(labels)
        if len(pixels) != len(targets):
            raise InputError(
                f"{path}: {len(pixels)} images but {len(targets)} labels in split {part!r}; fetch "
                "the folder again"
            )
        parts[part] = (pixels, targets.tolist())
    return from_splits(name, parts, FASHION_CLASSES if fashion else None, str(path))


def _read(path: Path) -> npt.NDArray[np.uint8]:
    """Read one idx file: two zero bytes, type, number of dimensions, sizes, the values."""
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
        kind, dimensions = struct.unpack(">xxBB", data[:4])
        shape = struct.unpack(f">{dimensions}I", data[4 : 4 + 4 * dimensions])
    except (OSError, EOFError, struct.error, zlib.error) as error:
        raise InputError(f"{path} is damaged ({error}); fetch it again") from error
    if kind != 8 or len(data) != 4 + 4 * dimensions + math.prod(shape):
        raise InputError(f"{path} is no idx file of bytes, or is cut short; fetch it again")
    return np.frombuffer(data, dtype=np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def open_fashion_mnist(path: Path | None, split: str | None) -> Source:
    """Open Fashion-MNIST (60,000 + 10,000 images of 28 x 28) by name.

    Parameters
    ----------
    path : Path or None
        The folder of its idx files or one that torchvision filled; None: Debian's.
    split : str or None
        ``train`` or ``test``.

    Raises
    ------
    InputError
        Where the files are not found, with the ways to get them.
    """
    folder = path or DEBIAN_FOLDER
    for place in (folder, folder / "FashionMNIST" / "raw", folder / "raw"):
        if recognises(place):
            return open_path(place, "fashion-mnist", split)
    raise InputError(
        f"fashion-mnist is not in {folder}; apt-get install dataset-fashion-mnist, or give the "
        "folder of its idx files: --data fashion-mnist=PATH"
    )
