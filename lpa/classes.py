"""Classes and how they are matched: by name, never by position.

A model's outputs have names, the folders of a data set have names, and a run has classes: the
three meet here. torchvision sorts ``class10`` before ``class2`` and timm does not; a class that is
missing from a folder shifts all that follow: positions say nothing.
"""

from __future__ import annotations

import csv
import functools
import importlib.resources
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lpa.errors import InputError

__all__ = ["Classes", "imagenet"]


def _folded(name: str) -> str:
    """Fold case, underscores, hyphens and white space, in which spellings of one name differ."""
    return re.sub(r"[\s_\-]+", " ", name).strip().casefold()


@dataclass(frozen=True)
class Classes:
    """Named classes in a fixed order: a model's outputs, a data set's folders, a run's classes.

    Attributes
    ----------
    names : tuple of str
        The identifying name of each class (synset, folder name, label). Unique.
    labels : tuple of str
        What people read, one per name; equal to ``names`` where nothing better is known.
    aliases : tuple of tuple of str
        Further names of each class by which it may be found; may be empty.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...] = ()
    aliases: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        """Fill in labels; raise :class:`~lpa.errors.InputError` for a name that stands twice."""
        object.__setattr__(self, "names", tuple(str(name) for name in self.names))
        object.__setattr__(self, "labels", tuple(str(label) for label in self.labels or self.names))
        if len(self.labels) != len(self.names):
            raise InputError(f"{len(self.names)} class names but {len(self.labels)} labels")
        twice = [name for name, count in Counter(self.names).items() if count > 1]
        if twice:
            raise InputError(
                f"class name {twice[0]!r} stands {self.names.count(twice[0])} times; "
                "class names must be unique, since classes are matched by name"
            )

    def __len__(self) -> int:
        """Return the number of classes."""
        return len(self.names)

    def find(self, wanted: Sequence[str], *, by_index: bool = True) -> npt.NDArray[np.int64]:
        """Find names among these classes.

        Tried in this order for each name: the exact name; the exact label ("Cardigan" is a dog and
        "cardigan" a garment); name or label with case, underscores and hyphens folded; an alias
        folded likewise (each only where it fits one class). Where none of the names was found and
        all are whole numbers below the number of classes, they are indices (ImageNetV2 names its
        folders "0" to "999").

        Parameters
        ----------
        wanted : sequence of str
            Names to look for.
        by_index : bool
            Whether whole numbers may be taken as indices.

        Returns
        -------
        array of int64, shape [len(wanted)]
            Index of the class, or -1 where there is none.
        """
        times = Counter(self.labels)
        exact = {each: i for i, each in enumerate(self.labels) if times[each] == 1}
        exact |= {name: index for index, name in enumerate(self.names)}
        titles: dict[str, set[int]] = {}
        aliases: dict[str, set[int]] = {}
        for index, (name, label) in enumerate(zip(self.names, self.labels, strict=True)):
            for title in (name, label):
                titles.setdefault(_folded(title), set()).add(index)
            for alias in self.aliases[index] if self.aliases else ():
                aliases.setdefault(_folded(alias), set()).add(index)
        found = np.full(len(wanted), -1, dtype=np.int64)
        for position, name in enumerate(wanted):
            if name in exact:
                found[position] = exact[name]
                continue
            candidates = titles.get(_folded(name)) or aliases.get(_folded(name), set())
            if len(candidates) == 1:
                found[position] = next(iter(candidates))
        if by_index and len(wanted) and (found < 0).all():
            indices = [int(name) if name.isascii() and name.isdigit() else -1 for name in wanted]
            if all(0 <= index < len(self) for index in indices):
                found[:] = indices
        return found

    def subset(self, indices: Sequence[int]) -> Classes:
        """Return the classes at the given indices, in that order."""
        return Classes(
            tuple(self.names[index] for index in indices),
            tuple(self.labels[index] for index in indices),
            tuple(self.aliases[index] for index in indices) if self.aliases else (),
        )


@functools.cache
def imagenet() -> Classes:
    """Return the 1,000 ImageNet classes: synsets as names, torchvision's categories as labels.

    WordNet's lemmas are aliases. The order is the standard one (sorted by synset).
    """
    text = importlib.resources.files("lpa_assets").joinpath("imagenet_classes.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    return Classes(
        tuple(row["synset"] for row in rows),
        tuple(row["label"] for row in rows),
        tuple((row["lemmas"], *row["lemmas"].split(", ")) for row in rows),
    )
