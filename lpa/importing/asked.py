"""What an import was asked for: checked when made, and written as a command."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lpa.axes import format_value
from lpa.errors import InputError
from lpa.importing.axis_choice import OwnAxis
from lpa.importing.columns import check_targets, parse_map
from lpa.importing.places import Given

__all__ = ["Asked"]


@dataclass(frozen=True)
class Asked:
    """One invocation; see :func:`lpa.import_results` for the fields.

    Raises
    ------
    InputError
        For a word that is none of the permitted ones, and for options that contradict each other.
    """

    files: Sequence[str]
    out: str
    given: Given = field(default_factory=Given)
    columns: Mapping[str, str] = field(default_factory=dict)
    labels: str | None = None
    classes: str | None = None
    split: str | None = None
    own: OwnAxis = field(default_factory=OwnAxis)
    replicates: str | None = None
    paired_replicates: bool | None = None
    samples: str = "all"
    by_row: bool = False

    def __post_init__(self) -> None:
        """Check the words."""
        check_targets(self.columns)
        if not self.files:
            raise InputError(
                "no file to import; expected e.g. 'preds/crop{value}_s{replicate}.csv'"
            )
        for option, said, words in (
            ("--replicates", self.replicates, ("draws", "trainings")),
            ("--samples", self.samples, ("all", "common")),
            ("--stronger", self.own.stronger, ("up", "down")),
            ("--scale", self.own.scale, ("linear", "log")),
        ):
            if said is not None and said not in words:
                raise InputError(f"{option} {said!r}: expected {words[0]} or {words[1]}")
        if self.paired_replicates and self.replicates == "draws":
            raise InputError(
                "--paired-replicates is about training seeds, and --replicates draws says that "
                "nothing was trained; leave one of them out"
            )
        if self.own.said() and self.given.axis is None:
            raise InputError(
                f"--{next(iter(self.own.said()))} describes an axis, and none is named; "
                "give --axis NAME"
            )

    @property
    def command(self) -> str:
        """The command that asks for the same again."""
        words = ["lpa", "import", *self.files]
        options: list[tuple[str, Any]] = [
            ("--model", self.given.model),
            ("--axis", self.given.axis),
            ("--value", self.given.value),
            ("--replicate", self.given.replicate),
            ("--map", ",".join(f"{key}={value}" for key, value in self.columns.items()) or None),
            ("--labels", self.labels),
            ("--classes", self.classes),
            ("--split", self.split),
            *((f"--{name}", value) for name, value in self.own.said().items()),
            ("--replicates", self.replicates),
            ("--samples", None if self.samples == "all" else self.samples),
        ]
        for option, value in options:
            if value is not None:
                words += [option, format_value(value) if isinstance(value, float) else str(value)]
        if self.paired_replicates:
            words.append("--paired-replicates")
        if self.by_row:
            words.append("--by-row")
        return shlex.join([*words, "--out", self.out])


def text_of(path: str | os.PathLike[str] | None) -> str | None:
    """Return a path as text."""
    return None if path is None else os.fspath(path)


def columns_of(columns: Mapping[str, str] | str | Sequence[str] | None) -> dict[str, str]:
    """Return a mapping of columns from its text or as it is."""
    if columns is None:
        return {}
    if isinstance(columns, Mapping):
        return dict(columns)
    return parse_map([columns] if isinstance(columns, str) else columns)
