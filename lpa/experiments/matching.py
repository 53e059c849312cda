"""Match the data's classes and the models' outputs with the run's classes, by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from lpa.classes import Classes, imagenet
from lpa.errors import InputError
from lpa.forward import MeasuredModel
from lpa.models.loaded import LoadedModel
from lpa.outcomes import content_hash

__all__ = ["data_labels", "measured", "measured_mean", "run_classes"]


def run_classes(first: LoadedModel, present: Classes | None = None) -> Classes:
    """Choose the classes of a run.

    ImageNet's 1,000 where the first model's outputs cover them (whatever their order, and also
    for 1,001 or 21,841 outputs), else the first model's own. A run that exists keeps its own.

    Parameters
    ----------
    first : LoadedModel
        The first model of the scan.
    present : Classes or None
        The classes of the run that is extended.

    Returns
    -------
    Classes
        What labels and predictions index.
    """
    known = imagenet()
    if present is not None:
        if present.names == known.names:
            return known
        # The record of a run holds no aliases, by which the data's folders may have been found.
        same = present.names == first.classes.names
        return replace(present, aliases=first.classes.aliases) if same else present
    covered = np.unique(known.find(first.classes.names, by_index=False))
    return known if (covered >= 0).sum() == len(known) else first.classes


def data_labels(data: Classes, run: Classes, model: str) -> npt.NDArray[np.int64]:
    """Find each of the data's classes among the run's.

    Returns
    -------
    array of int64, shape [classes of the data]

    Raises
    ------
    InputError
        When a class of the data is none of the run's, or two are the same one.
    """
    found = run.find(data.names)
    lost = np.flatnonzero(found < 0)
    if len(lost):
        found[lost] = run.find([data.labels[index] for index in lost], by_index=False)
        lost = np.flatnonzero(found < 0)
    if len(lost):
        named = ", ".join(repr(data.names[index]) for index in lost[:3])
        more = ", ..." if len(lost) > 3 else ""
        raise InputError(
            f"{len(lost)} of the data's {len(data)} classes are no classes of model {model!r} "
            f"({named}{more}); expected folders named by class, synset or index, e.g. "
            f"{run.names[0]!r}: rename them, or name the model's outputs with --classes FILE"
        )
    unique, counts = np.unique(found, return_counts=True)
    if (counts > 1).any():
        twice = int(unique[counts > 1][0])
        names = [data.names[index] for index in np.flatnonzero(found == twice)]
        raise InputError(
            f"the data's classes {names[0]!r} and {names[1]!r} are both {run.labels[twice]!r}; "
            "expected one folder a class: join or rename them"
        )
    return found


def measured(
    model: LoadedModel, run: Classes, present: npt.NDArray[np.int64], restrict: bool
) -> MeasuredModel:
    """Map a model's outputs to the run's classes.

    Parameters
    ----------
    model : LoadedModel
        With named outputs.
    run : Classes
        The run's classes.
    present : array of int64
        Classes that have samples.
    restrict : bool
        Let the model predict only classes that have samples (``--restrict-classes``).

    Returns
    -------
    MeasuredModel

    Raises
    ------
    InputError
        When a class that has samples is not among the outputs, or two outputs are one class.
    """
    outputs = run.find(model.classes.names, by_index=False)
    inside = outputs[outputs >= 0]
    missing = np.setdiff1d(present, inside)
    if len(missing):
        named = ", ".join(repr(run.labels[index]) for index in missing[:3])
        raise InputError(
            f"model {model.name!r} has no output for {len(missing)} of the {len(present)} classes "
            f"of the data ({named}{', ...' if len(missing) > 3 else ''}); expected every class: "
            "name its outputs with --classes FILE, or scan it in a run of its own with --out DIR"
        )
    unique, counts = np.unique(inside, return_counts=True)
    if (counts > 1).any():
        twice = run.labels[int(unique[counts > 1][0])]
        raise InputError(
            f"two outputs of model {model.name!r} are the class {twice!r}; expected one each: "
            "name its outputs with --classes FILE"
        )
    permitted = np.isin(outputs, present) if restrict else np.ones(len(outputs), dtype=bool)
    identity = content_hash(
        {
            "weights": model.weights_hash,
            "view": model.view.to_dict(),
            "mean": list(model.mean),
            "std": list(model.std),
            "outputs": outputs.tolist(),
            "permitted": None if permitted.all() else np.flatnonzero(permitted).tolist(),
        }
    )
    return MeasuredModel(
        model.name,
        identity,
        outputs,
        permitted,
        model.module,
        model.view,
        tuple(model.mean),
        tuple(model.std),
    )


def measured_mean(members: Sequence[MeasuredModel], classes: int) -> MeasuredModel:
    """Make the mean-probability ensemble of models as one more model, ``mean(a,b)``."""
    return MeasuredModel(
        "mean(" + ",".join(member.name for member in members) + ")",
        content_hash({"mean": [member.id for member in members]}),
        np.arange(classes, dtype=np.int64),
        np.ones(classes, dtype=bool),
        members=tuple(member.name for member in members),
    )
