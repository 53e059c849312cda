"""Twenty real ImageNet photographs: a demonstration that needs no download and no login.

They come with the package ``foolbox``, one file each, with the class index in the name.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from lpa.classes import imagenet
from lpa.datasets.files import FileReader
from lpa.datasets.source import BARE_SPLIT, Entry, Source, assemble, choose_splits
from lpa.errors import InputError

__all__ = ["open_sample"]

PHOTOGRAPH = re.compile(r"imagenet_\d+_(\d+)\.jpg")


def open_sample(path: Path | None, split: str | None) -> Source:
    """Open the sample: 20 photographs of 19 classes, one class with two.

    Raises
    ------
    InputError
        Where the package is not installed, or for a split: there is only ``all``.
    """
    # Found, not imported: importing foolbox needs git.
    found = importlib.util.find_spec("foolbox")
    places = list(found.submodule_search_locations or []) if found else []
    files = [file for place in places for file in sorted(Path(place, "data").glob("imagenet_*"))]
    photographs = [(file, match) for file in files if (match := PHOTOGRAPH.fullmatch(file.name))]
    if not photographs:
        raise InputError(
            "data set 'imagenet-sample' comes with the package foolbox, which is not installed; "
            'pip install "lpa[sample]", or give your own images: --data PATH'
        )
    choose_splits([BARE_SPLIT], split, "imagenet-sample")
    present = sorted({int(match.group(1)) for _, match in photographs})
    where = {label: index for index, label in enumerate(present)}
    entries = [
        Entry(file.name, where[int(match.group(1))], BARE_SPLIT, str(file))
        for file, match in photographs
    ]
    return assemble(
        "imagenet-sample", imagenet().subset(present), entries, "the package foolbox", FileReader
    )
