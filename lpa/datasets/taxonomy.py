"""The taxonomy of iNaturalist's classes, read off their names: groups for ``--groups``.

A class of 2021 is called as its folder, ``00000_Animalia_..._Lumbricus_terrestris``, one of 2017 to
2019 as its two folders, ``Aves/1234``. Nothing but names is needed, so a run's classes are enough,
wherever they come from.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence

__all__ = ["LEVELS", "groups_csv", "is_species_folder", "species", "taxonomy"]

LEVELS = ("kingdom", "phylum", "class", "order", "family", "genus")
"""Levels that the names of 2021 spell out, from coarse to fine (torchvision's words)."""

SUPERCATEGORY = "supercategory"
"""The annotations' coarse groups (Birds, Insects, Plants, ...); of 2017-2019 the upper folder."""

_FOLDER = re.compile(r"\d{5}(?:_[^_/]+){7}")

# iNaturalist's iconic taxa; the annotations of 2021 have these eleven. The first level that has an
# entry decides, so that a beetle is an insect and a worm an animal.
_SUPERCATEGORIES: tuple[tuple[str, dict[str, str]], ...] = (
    (
        "class",
        {
            "Actinopterygii": "Ray-finned Fishes",
            "Amphibia": "Amphibians",
            "Arachnida": "Arachnids",
            "Aves": "Birds",
            "Insecta": "Insects",
            "Mammalia": "Mammals",
            "Reptilia": "Reptiles",
        },
    ),
    ("phylum", {"Mollusca": "Mollusks"}),
    ("kingdom", {"Fungi": "Fungi", "Plantae": "Plants"}),
)


def is_species_folder(name: str) -> bool:
    """Tell whether a folder is called as a class of iNaturalist 2021."""
    return _FOLDER.fullmatch(name) is not None


def species(name: str) -> str:
    """Return what people call a class: ``Lumbricus terrestris`` (genus and epithet).

    Classes of 2018 and 2019 have numbers, which say nothing without what stands before them.
    """
    if is_species_folder(name):
        return " ".join(name.split("_")[6:])
    last = name.rpartition("/")[2]
    return name if last.isdigit() else last


def taxonomy(names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Group classes by every level that their names tell.

    Parameters
    ----------
    names : sequence of str
        Names of classes.

    Returns
    -------
    dict of str to dict of str to str
        Level -> name of the class -> its group: ``supercategory``, ``kingdom``, ... ``genus`` for
        2021, ``supercategory`` alone for ``Aves/1234``, nothing where a name is neither. A taxon
        whose name stands at two places of the tree (Oenanthe is a bird and a plant) is written
        with what lies above it, so that no two taxa become one group.
    """
    if names and all(map(is_species_folder, names)):
        return _of_2021(names)
    if names and all(re.fullmatch(r"[^/]+/[^/]+", name) for name in names):
        return {SUPERCATEGORY: {name: name.partition("/")[0] for name in names}}
    return {}


def groups_csv(groups: Mapping[str, str]) -> bytes:
    """Return one level as what ``--groups`` reads: CSV with the columns class and group."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["class", "group"])
    writer.writerows(groups.items())
    return text.getvalue().encode()


def _of_2021(names: Sequence[str]) -> dict[str, dict[str, str]]:
    lines = {name: tuple(name.split("_")[1:7]) for name in names}
    result = {SUPERCATEGORY: {name: _supercategory(line) for name, line in lines.items()}}
    for depth, level in enumerate(LEVELS, 1):
        taxa: dict[str, set[tuple[str, ...]]] = {}
        for line in lines.values():
            taxa.setdefault(line[depth - 1], set()).add(line[:depth])
        result[level] = {
            name: line[depth - 1]
            if len(taxa[line[depth - 1]]) == 1
            else f"{line[depth - 1]} ({', '.join(line[: depth - 1])})"
            for name, line in lines.items()
        }
    return result


def _supercategory(line: tuple[str, ...]) -> str:
    taxon = dict(zip(LEVELS, line, strict=True))
    for level, known in _SUPERCATEGORIES:
        if taxon[level] in known:
            return known[taxon[level]]
    return taxon["kingdom"]
