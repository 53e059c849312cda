"""Which images a sweep trains on, which it holds out, and which it evaluates.

The evaluated images are those that ``lpa scan`` would measure: the validation split, else the test
split. Data with one split only are divided, by the names of the images and nothing else. No image
is both trained on and evaluated: what has the same bytes as an evaluated one is left out of the
training.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lpa.classes import Classes
from lpa.datasets import open_data
from lpa.datasets.held_out import held_out as held_out_by_key
from lpa.datasets.selection import select
from lpa.datasets.source import MissingSplit, Source, choose_splits
from lpa.errors import InputError
from lpa.outcomes import Samples
from lpa.training.sample_tables import sample_table

__all__ = ["TEST_SHARE", "ChosenParts", "Part", "Parts", "choose_parts", "held_out"]

TEST_SHARE = 0.25
"""Share of each class that is evaluated where the data have one split only."""

Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Part:
    """Images with the source that reads them.

    Attributes
    ----------
    source : Source
        ``samples.sample`` are indices into it.
    samples : Samples
        Labels are the run's classes.
    """

    source: Source
    samples: Samples

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.samples)


@dataclass(frozen=True, eq=False)
class Parts:
    """What :meth:`ChosenParts.read` returns.

    Attributes
    ----------
    classes : Classes
        The run's classes: the data's own.
    train : Part
        What may be trained on; :func:`held_out` takes the part held out from it.
    test : Part
        What is evaluated.
    duplicates : int
        Training images that were left out because an evaluated one has the same bytes.
    """

    classes: Classes
    train: Part
    test: Part
    duplicates: int


@dataclass(frozen=True, eq=False)
class ChosenParts:
    """Which images of which source, by their names alone; nothing has been read yet.

    Attributes
    ----------
    classes : Classes
        The run's classes.
    train, test : Source
        May be one and the same.
    train_indices, test_indices : array of int64
        Indices into these, ascending.
    train_split, test_split : str
        How messages call them.
    divided : bool
        Whether the data have one split, which was divided.
    """

    classes: Classes
    train: Source
    test: Source
    train_indices: Integers
    test_indices: Integers
    train_split: str
    test_split: str
    divided: bool

    @property
    def total(self) -> int:
        """Number of images that :meth:`read` goes through."""
        return len(self.train_indices) + len(self.test_indices)

    def read(
        self,
        workers: int = 4,
        progress: Callable[[int], object] | None = None,
        *,
        known_train: Samples | None = None,
        known_test: Samples | None = None,
    ) -> Parts:
        """Read every image once for its key, and leave duplicates out of the training.

        Parameters
        ----------
        workers : int
            Threads that read.
        progress : callable or None
            Called with the number of images done since the last call.
        known_train, known_test : Samples or None
            Tables of an earlier run: images that stand there under the same number, name and
            split are not read again (that their bytes are the same is checked when they are
            decoded).

        Raises
        ------
        InputError
            Where a file cannot be read, or a class has nothing left to train on.
        """
        test = sample_table(
            self.test, self.test_indices, self.classes, known_test, workers, progress
        )
        train = sample_table(
            self.train, self.train_indices, self.classes, known_train, workers, progress
        )
        twice = np.isin(train.key, test.key)
        left = train.take(np.flatnonzero(~twice))
        gone = np.setdiff1d(train.label, left.label)
        if len(gone):
            raise InputError(
                f"all images of class {self.classes.names[gone[0]]!r} to train on are among the "
                f"evaluated ones of {self.test.name} too; expected other images: give another "
                "--train-split"
            )
        return Parts(self.classes, Part(self.train, left), Part(self.test, test), int(twice.sum()))


def choose_parts(
    data: Any,
    *,
    split: str | None = None,
    train_split: str | None = None,
    test_share: float = TEST_SHARE,
    per_class: int | None = None,
    limit: int | None = None,
    seed: int = 0,
    classes_file: str | os.PathLike[str] | None = None,
) -> ChosenParts:
    """Choose the images to train on and those to evaluate.

    Parameters
    ----------
    data, split, classes_file
        See :func:`lpa.datasets.open_data`; ``split`` is the one to evaluate.
    train_split : str or None
        The one to train on; None: ``train``, or the rest of the data's only split.
    test_share : float
        Share of each class that is evaluated where the data have one split only, more than 0 and
        less than 1: the images with the lowest blake2b of their names, the same for every seed.
    per_class, limit, seed
        See :func:`lpa.datasets.selection.select`; of the training images. All others are evaluated.

    Raises
    ------
    InputError
        For one class only, classes that one part has and the other has not, a split to train on
        that is missing or is the evaluated one, or a number out of its range.
    """
    if not 0 < test_share < 1:
        raise InputError(
            f"--test-share {test_share:g} is out of range; expected more than 0, less than 1"
        )
    evaluated = _opened(data, split, classes_file)
    trained = _training(data, train_split, evaluated, split, classes_file)
    if trained is None:
        test, train = _divided(evaluated, test_share)
    else:
        test, train = evaluated, trained
    train = _with(train, _selected(train, per_class, limit, seed))
    _check_classes(test, train)
    return ChosenParts(
        classes=test.source.classes,
        train=train.source,
        test=test.source,
        train_indices=train.indices,
        test_indices=test.indices,
        train_split=train.split,
        test_split=test.split,
        divided=trained is None,
    )


@dataclass(frozen=True, eq=False)
class _Chosen:
    """Some images of a source."""

    source: Source
    indices: Integers

    @property
    def splits(self) -> list[str]:
        return list(dict.fromkeys(self.source.splits[index] for index in self.indices))

    @property
    def split(self) -> str:
        return ",".join(self.splits)

    @property
    def labels(self) -> Integers:
        return self.source.labels[self.indices]


def _with(chosen: _Chosen, indices: Integers) -> _Chosen:
    """Return other images of the same source."""
    return replace(chosen, indices=indices)


def _opened(data: Any, split: str | None, classes_file: Any) -> _Chosen:
    """Open some splits; of a source that is open already, choose them."""
    if not isinstance(data, Source):
        source = open_data(data, split, classes_file=classes_file)
        return _Chosen(source, np.arange(len(source), dtype=np.int64))
    source = open_data(data, None, classes_file=classes_file)
    wanted = set(choose_splits(dict.fromkeys(source.splits), split, source.name))
    return _Chosen(source, np.flatnonzero([part in wanted for part in source.splits]))


def _training(
    data: Any, train_split: str | None, test: _Chosen, split: str | None, classes_file: Any
) -> _Chosen | None:
    """Open the split to train on; None where the data have one split, which is to be divided."""
    name = test.source.name
    try:
        train = _opened(data, train_split or "train", classes_file)
    except MissingSplit as missing:
        if train_split is None and len(missing.present) == 1:
            return None
        raise InputError(
            f"{name} has no split {train_split or 'train'!r} to train on; it has: "
            f"{', '.join(missing.present)}: choose one with --train-split"
        ) from missing
    both = [part for part in train.splits if part in test.splits]
    if not both:
        return train
    if split is None and train_split is None and test.splits == train.splits:
        return None
    raise InputError(
        f"split {both[0]!r} of {name} would be both trained on and evaluated; expected two "
        "different ones: choose them with --train-split and --split"
    )


def _divided(whole: _Chosen, share: float) -> tuple[_Chosen, _Chosen]:
    """Divide each class: the lowest blake2b of the names are evaluated, the rest trains."""
    names = whole.source.names
    digests = np.array(
        [
            hashlib.blake2b(f"evaluated:{names[index]}".encode(), digest_size=16).hexdigest()
            for index in whole.indices
        ]
    )
    evaluated = np.zeros(len(whole.indices), dtype=bool)
    for label in np.unique(whole.labels):
        own = np.flatnonzero(whole.labels == label)
        if len(own) < 2:
            raise InputError(
                f"class {whole.source.classes.names[label]!r} of {whole.source.name} has one "
                "image, and the data have one split; expected at least 2 images a class, one to "
                "train on and one to evaluate: give data with splits, or more images"
            )
        evaluated[own[np.argsort(digests[own])[: _portion(len(own), share)]]] = True
    return (
        _with(whole, whole.indices[evaluated]),
        _with(whole, whole.indices[~evaluated]),
    )


def _portion(count: int, share: float) -> int:
    """Return a share of at least 2 things in whole things: neither none of them nor all."""
    return min(max(int(count * share + 0.5), 1), count - 1)


def _selected(train: _Chosen, per_class: int | None, limit: int | None, seed: int) -> Integers:
    """Apply --per-class and --limit to the images to train on."""
    part = replace(
        train.source,
        names=[train.source.names[index] for index in train.indices],
        labels=train.labels,
        splits=[train.source.splits[index] for index in train.indices],
    )
    return train.indices[select(part, per_class=per_class, limit=limit, seed=seed)]


def _check_classes(test: _Chosen, train: _Chosen) -> None:
    """Refuse a single class, and classes that only one part has; they are matched by name."""
    evaluated, trained = (
        {part.source.classes.names[label] for label in np.unique(part.labels)}
        for part in (test, train)
    )
    name = test.source.name
    for missing, here, there in (
        (sorted(evaluated - trained), test, train),
        (sorted(trained - evaluated), train, test),
    ):
        if missing:
            where = (
                f"of split {here.split!r} has no images in split {there.split!r} of {name}"
                if here.split != there.split
                else f"of {name} has no images to train on"
            )
            more = f" ({len(missing)} such classes)" if len(missing) > 1 else ""
            raise InputError(
                f"class {missing[0]!r} {where}{more}; expected the same classes in both "
                "parts: mend the data, choose another --train-split, or raise --limit"
            )
    if len(evaluated) < 2:
        raise InputError(
            f"{name} has one class, {evaluated.pop()!r}; expected at least two to tell apart"
        )


def held_out(samples: Samples, share: float) -> Mask:
    """Choose the images to hold out from training, class by class, by their keys.

    Parameters
    ----------
    samples : Samples
        The images to train on.
    share : float
        Share of each class, in [0, 1); 0: none. At least one image of a class that has two or
        more, and never all of them.

    Returns
    -------
    array of bool, shape [images]
        See :func:`lpa.datasets.held_out.held_out`: copies of one image stand on the same side,
        unless a class has nothing else to be trained on.
    """
    return held_out_by_key(samples.label, samples.key, share)
