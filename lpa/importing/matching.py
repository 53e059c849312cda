"""Classes, samples and labels of all files, matched by name."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lpa.errors import InputError
from lpa.importing.asked import Asked
from lpa.importing.class_choice import (
    choose_classes,
    find_classes,
    is_whole,
    unknown_class,
)
from lpa.importing.label_sources import Labels, of_samples, read_labels, sorted_places
from lpa.importing.measured import find_predictions
from lpa.importing.naming import Named
from lpa.importing.reading_files import FileRows
from lpa.importing.rows import Rows
from lpa.importing.sample_choice import find_samples
from lpa.outcomes import Outcomes, Samples

__all__ = ["Candidates", "Matcher"]

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Candidates:
    """Samples that may be imported, sorted by name.

    Attributes
    ----------
    labels : Labels
        Names, splits, numbers and keys.
    label : array of int64
        The run's class of each.
    fixed : bool
        Whether they are the samples of a run that is extended.
    """

    labels: Labels
    label: Codes
    fixed: bool

    def samples(self, kept: Codes) -> Samples:
        """Return some of them as a run's table of samples."""
        labels = self.labels
        names = [labels.names[place] for place in kept]
        keys = labels.keys
        return Samples(
            sample=labels.numbers[kept],
            key=np.array([_key(name) for name in names], np.uint64) if keys is None else keys[kept],
            name=tuple(names),
            label=self.label[kept],
            split=np.array([labels.splits[place] for place in kept], dtype=np.str_),
            size=np.zeros(len(kept), dtype=np.int64),
        )


def _key(name: str) -> int:
    """Return a 64-bit blake2b of the name; the image itself is not there."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")


class Matcher:
    """Matches the names in files with classes and samples.

    Parameters
    ----------
    asked : Asked
        What was asked for.
    read : sequence of FileRows
        All files.
    run : Outcomes or None
        The run that is extended.
    notes : list of str
        What was assumed is appended.

    Attributes
    ----------
    classes : Classes
        The run's classes.

    Raises
    ------
    InputError
        Without labels, and for classes that are not the run's, or that nothing names.
    """

    def __init__(
        self, asked: Asked, read: Sequence[FileRows], run: Outcomes | None, notes: list[str]
    ) -> None:
        self.asked, self.read, self.run, self.notes = asked, read, run, notes
        self.source = None if asked.labels is None else read_labels(asked.labels, asked.split)
        if run is None and self.source is None:
            _require_labels(read)
        self.pairs = _pairs(read)
        self._used = _predicted_texts(read)
        named = [*(self.source.label.texts if self.source else _labels_of_files(read))]
        present = run.classes if run else self.source.classes if self.source else None
        self.classes = choose_classes(
            present, asked.classes, named, self._all_used(), self.pairs, notes
        )
        self._check_pairs()

    def _all_used(self) -> list[str]:
        """Return the texts of predictions; outputs are the indices up to their number."""
        widths = [file.rows.width() for file in self.read if file.rows.layout.outputs]
        return [*self._used, *(str(index) for index in range(max(widths, default=0)))]

    def _check_pairs(self) -> None:
        for index, name in self.pairs.items():
            found = int(self.classes.find([name], by_index=False)[0])
            if found != index:
                there = self.classes.names[index] if index < len(self.classes) else "nothing"
                raise InputError(
                    f"class {name!r} has index {index} in the files, where the run has {there!r}; "
                    "expected the run's own indices: import into another directory with --out DIR"
                )

    # ---- classes of rows -----------------------------------------------------------------

    def predictions(self, rows: Rows) -> Codes | None:
        """Return the predicted classes of a file, [rows, k]; None for a file of all outputs."""
        if rows.prediction is None:
            return None
        best, how = find_predictions(rows, self.classes, self._used, indices=bool(self.pairs))
        line = f"{rows.column('prediction')!r} was understood as {how}"
        if line not in self.notes:
            self.notes.append(line)
        return best

    def labels_of_rows(self, rows: Rows) -> Codes | None:
        """Return the true classes that a file's own columns say; None where there are none."""
        target = _label_column(rows)
        if target is None:
            return None
        named = rows.named[target]
        texts = _labels_of_files(self.read)
        index = dict(zip(texts, find_classes(self.classes, texts).tolist(), strict=True))
        for text in named.texts:
            if index[text] < 0:
                where = rows.where(named.first_row(text), target)
                raise unknown_class(text, self.classes, where)
        return np.array([index[text] for text in named.texts], dtype=np.int64)[named.codes]

    # ---- samples -------------------------------------------------------------------------

    def candidates(self) -> Candidates:
        """Return the samples that may be imported, with their labels.

        Raises
        ------
        InputError
            For labels that differ between files or from the run's.
        """
        if self.run is not None:
            mine = of_samples(self.run.declared, self.classes, str(self.run.store))
            label = np.asarray(self.run.declared.label)
            if self.source is not None:
                self._compare_labels(mine, label, self.source)
            return Candidates(mine, label, True)
        if self.source is not None:
            return Candidates(self.source, self._label_indices(self.source), False)
        return self._of_files()

    def _label_indices(self, source: Labels) -> Codes:
        texts = list(source.label.texts)
        found = find_classes(self.classes, texts)
        used = np.unique(source.label.codes)
        for place in used:
            if found[place] < 0:
                raise unknown_class(texts[place], self.classes, f"labels {source.source}")
        return found[source.label.codes]

    def _compare_labels(self, mine: Labels, label: Codes, source: Labels) -> None:
        theirs = self._label_indices(source)
        found, _ = find_samples(mine.names, source.names, source.numbers)
        lost = np.flatnonzero(found < 0)
        if len(lost):
            raise InputError(
                f"labels {source.source} lack {len(lost):,} of the run's {len(label):,} samples, "
                f"first {mine.names[lost[0]]!r}; leave --labels out, or give another directory "
                "with --out DIR"
            )
        different = np.flatnonzero(theirs[found] != label)
        if len(different):
            self._refuse_label(mine.names, label, theirs[found], int(different[0]), source.source)

    def _refuse_label(
        self, names: Sequence[str], label: Codes, other: Codes, place: int, source: str
    ) -> None:
        count = int((label != other).sum())
        raise InputError(
            f"sample {names[place]!r} is {self.classes.labels[label[place]]!r} in the run and "
            f"{self.classes.labels[other[place]]!r} in {source} ({count:,} labels differ); a run "
            "keeps its labels: give another directory with --out DIR"
        )

    def _of_files(self) -> Candidates:
        """Gather samples and labels from the files' own columns."""
        label: dict[str, int] = {}
        split: dict[str, str] = {}
        for file in self.read:
            rows = file.rows
            truth = self.labels_of_rows(rows)
            assert truth is not None
            sample = rows.named["sample"]
            first = np.zeros(len(sample.texts), dtype=np.int64)
            first[sample.codes[::-1]] = np.arange(len(rows))[::-1]
            wrong = truth != truth[first][sample.codes]
            if wrong.any():
                self._refuse_two_labels(rows, truth, int(np.argmax(wrong)), int(
                    truth[first[sample.codes[int(np.argmax(wrong))]]]))  # fmt: skip
            there = np.unique(sample.codes)
            for code in there.tolist():
                text, row = sample.texts[code], int(first[code])
                known = label.setdefault(text, int(truth[row]))
                if known != truth[row]:
                    self._refuse_two_labels(rows, truth, row, known)
                split.setdefault(text, _split_of(rows, row) or self.asked.split or "all")
        names = list(label)
        names = [names[place] for place in sorted_places(names)]
        numbers = np.arange(len(names))
        if all(name.isascii() and name.isdigit() and str(int(name)) == name for name in names):
            numbers = np.array([int(name) for name in names], dtype=np.int64)
        found = np.array([label[name] for name in names], dtype=np.int64)
        labels = Labels(
            names, Named(self.classes.names, found), [split[name] for name in names], numbers, None,
            "the files",
        )  # fmt: skip
        return Candidates(labels, found, False)

    def _refuse_two_labels(self, rows: Rows, truth: Codes, row: int, other: int) -> None:
        sample = rows.named["sample"]
        target = _label_column(rows)
        assert target is not None
        raise InputError(
            f"{rows.where(row, target)}: sample {sample.texts[sample.codes[row]]!r} is "
            f"{self.classes.labels[int(truth[row])]!r} here and {self.classes.labels[other]!r} "
            "before; expected one label per sample"
        )

    def sample_of_rows(self, rows: Rows, candidates: Candidates) -> Codes:
        """Return the candidate of each row, -1 for one that is left out.

        Raises
        ------
        InputError
            For a sample that is none of the candidates, and for labels that are not the run's.
        """
        sample = rows.named["sample"]
        labels = candidates.labels
        found, how = find_samples(sample.texts, labels.names, labels.numbers)
        lost = [text for text, place in zip(sample.texts, found, strict=True) if place < 0]
        if lost:
            self._unknown_samples(rows, lost, labels)
        if how and f"samples were {how}" not in self.notes:
            self.notes.append(f"samples were {how}")
        places = found[sample.codes]
        if candidates.fixed or self.source is not None:
            self._check_own_labels(rows, places, candidates)
        return places

    def _unknown_samples(self, rows: Rows, lost: Sequence[str], labels: Labels) -> None:
        row = rows.named["sample"].first_row(lost[0])
        text = (
            f"{rows.where(row, 'sample')}: {lost[0]!r} is no sample of {labels.source} (e.g. "
            f"{labels.names[0]!r}), as are {len(lost):,} of {len(rows.named['sample'].texts):,} "
            "names"
        )
        if self.asked.samples != "common" or len(lost) == len(rows.named["sample"].texts):
            raise InputError(f"{text}; name them alike, or leave them out with --samples common")
        self.notes.append(f"{text}: left out")

    def _check_own_labels(self, rows: Rows, places: Codes, candidates: Candidates) -> None:
        target = _label_column(rows)
        if target is None:
            return
        if self.source is not None:
            line = f"column {rows.column(target)!r} is not read: --labels says the labels"
            if line not in self.notes:
                self.notes.append(line)
            return
        truth = self.labels_of_rows(rows)
        assert truth is not None
        wrong = (places >= 0) & (truth != candidates.label[places])
        if wrong.any():
            row = int(np.argmax(wrong))
            other = np.where(wrong, truth, candidates.label[places])
            self._refuse_label(
                [candidates.labels.names[place] for place in places],
                candidates.label[places], other, row, rows.where(row, target),
            )  # fmt: skip


def _label_column(rows: Rows) -> str | None:
    """Return the column of true labels: names come before indices."""
    return next((target for target in ("class", "label") if target in rows.named), None)


def _require_labels(read: Sequence[FileRows]) -> None:
    for file in read:
        if _label_column(file.rows) is None:
            if "sample" in file.rows.named:
                way = "--labels FOLDER or a CSV of sample,label, or --map label=COLUMN"
            else:
                way = "--map label=COLUMN, or name the samples too: --map sample=COLUMN --labels"
            raise InputError(
                f"{file.rows.table.path} has no column of labels; give the true labels with {way}"
            )


def _split_of(rows: Rows, row: int) -> str | None:
    column = rows.named.get("split")
    code = -1 if column is None else int(column.codes[row])
    return None if column is None or code < 0 else column.texts[code]


def _predicted_texts(read: Sequence[FileRows]) -> list[str]:
    """Return the distinct predictions of all files, which are to be understood alike."""
    columns = [file.rows.prediction for file in read if file.rows.prediction is not None]
    return list(dict.fromkeys(text for column in columns for text in column.texts))


def _labels_of_files(read: Sequence[FileRows]) -> list[str]:
    columns = [
        file.rows.named[target] for file in read if (target := _label_column(file.rows)) is not None
    ]
    return list(dict.fromkeys(text for column in columns for text in column.texts))


def _pairs(read: Sequence[FileRows]) -> dict[int, str]:
    """Return index -> name of the classes whose labels the files say both ways."""
    pairs: dict[int, str] = {}
    for file in read:
        rows = file.rows
        if not {"class", "label"} <= set(rows.named) or not is_whole(rows.named["label"].texts):
            continue
        names, numbers = rows.named["class"], rows.named["label"]
        keys = numbers.codes * len(names.texts) + names.codes
        for key, row in zip(*np.unique(keys, return_index=True), strict=True):
            number, name = divmod(int(key), len(names.texts))
            index, text = int(numbers.texts[number]), names.texts[name]
            if pairs.setdefault(index, text) != text:
                raise InputError(
                    f"{rows.where(int(row), 'class')}: index {index} is {text!r} here and "
                    f"{pairs[index]!r} before; expected one name per index"
                )
    return pairs
