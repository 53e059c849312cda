"""Which classes of a run have images, and what was chosen that has none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lpa.errors import InputError
from lpa.outcomes import Outcomes

__all__ = ["present_labels", "with_images"]

NAMED = 5
"""So many classes are named in one line."""


def present_labels(outcomes: Outcomes, split: str | None = None) -> npt.NDArray[np.int64]:
    """Return the indices of the classes that have images.

    Parameters
    ----------
    outcomes : Outcomes
        The run.
    split : str, optional
        In this split; a split that the run does not have is left to the statistics to refuse.
    """
    if outcomes.counts_only:
        names = outcomes.counts["class"].unique().tolist()
        return np.unique(outcomes.classes.find(names, by_index=False))
    samples = outcomes.samples
    here = np.asarray(samples.split, dtype=object) == split
    return np.unique(samples.label[here] if here.any() else samples.label)


def with_images(
    outcomes: Outcomes, labels: Sequence[int], notes: list[str], split: str | None = None
) -> list[int]:
    """Return the chosen classes that have images, and note the others.

    Parameters
    ----------
    outcomes : Outcomes
        The run.
    labels : sequence of int
        Indices of the chosen classes.
    notes : list of str
        A line is appended where some have no images.
    split : str, optional
        Only images of this split.

    Raises
    ------
    InputError
        Where none has images.
    """
    present = present_labels(outcomes, split)
    kept = [label for label in labels if label in present]
    if len(kept) == len(labels):
        return kept
    names = outcomes.classes.names
    lacking = _named([names[label] for label in labels if label not in kept])
    if not kept:
        raise InputError(
            f"none of the chosen classes has images in {outcomes.store}: {lacking}; "
            f"{len(present)} of its {len(names)} classes have some"
            + (f", such as {names[present[0]]!r}" if len(present) else "")
        )
    notes.append(
        f"classes: {len(labels) - len(kept)} of {len(labels)} chosen classes have no images in "
        f"{outcomes.store} and are left out: {lacking}"
    )
    return kept


def _named(names: Sequence[str]) -> str:
    text = ", ".join(map(repr, names[:NAMED]))
    return text + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
