"""A policy as a record for training sweeps, with the fingerprints of what it was chosen on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lpa.errors import InputError, unknown
from lpa.json_text import read_json
from lpa.outcomes import Outcomes, content_hash
from lpa.outcomes.plain_records import check_policy
from lpa.statistics.policy import class_states, policy
from lpa.statistics.predictions import chosen_splits
from lpa.statistics.selected_images import KEYS, images_record, recorded_keys

__all__ = ["SELECTED", "policy_record", "read_policy", "share_selected"]

FORMAT = 1

SELECTED = "selected on these images"
"""What is written beside a policy's scores on its own images, which carry no p-value."""


def policy_record(
    outcomes: Outcomes,
    axis: str | None = None,
    model: str | None = None,
    drop: float = 0.10,
    confidence: float = 0.95,
    split: str | None = None,
    level: str | None = None,
    family: Literal["one", "all"] = "one",
) -> dict[str, Any]:
    """Return the policy of one model and axis as plain JSON values.

    Rule and promise are those of :func:`~lpa.statistics.policy.policy`.

    Parameters
    ----------
    outcomes : Outcomes
        The run.
    axis, model, split : str, optional
        Which; may be left out where the run has one.
    drop, confidence, level, family
        As in ``policy``.

    Returns
    -------
    dict
        ``kind`` ("policy"), ``format``, ``model``, ``axis`` (its record), ``split``, ``drop``,
        ``confidence``, ``family``, ``level``, ``values`` (beside the reference, weak to strong),
        ``classes`` (name -> ``range`` [reference, last safe value] or null, ``states`` by value,
        ``n``), ``images`` (``fingerprint``, ``n``, ``smallest_keys``: the 4,096 smallest of the
        images' keys, hexadecimal) and ``runs`` (``kind``, ``data``, ``fingerprint`` of the cells
        that it rests on).

    Raises
    ------
    InputError
        Where the run has several axes, models or splits and none is named, where the named one is
        not there, or where the curve has no losses.
    """
    names = list(dict.fromkeys(outcomes.cells["model"]))
    if not names:
        raise InputError(f"{outcomes.store} holds no complete cell to choose a policy from")
    model = _the("model", model, [str(name) for name in names])
    axes = outcomes.cells.loc[outcomes.cells["model"] == model, "axis"].dropna()
    axis = _the("axis", axis, [str(name) for name in dict.fromkeys(axes)])
    split = _the("split", split, chosen_splits(outcomes, None))
    arguments = (outcomes, drop, confidence, split, level, family, axis)
    ranges, states = policy(*arguments), class_states(*arguments)
    notes = ranges.attrs["notes"]
    ranges, states = (table[table["model"] == model] for table in (ranges, states))
    if ranges.empty:
        own = [note for note in notes if note.startswith(f"{model} on ")]
        raise InputError((own or notes or [f"{outcomes.store} holds nothing to choose from"])[0])
    by_class = states.groupby("class", sort=False)["state"].apply(list)
    classes = {
        row["class"]: {
            "range": None if row["state"] == "undefined" else [row["reference"], row["safe_to"]],
            "states": by_class[row["class"]],
            "n": int(row["n"]),
        }
        for row in ranges.to_dict("records")
    }
    return {
        "kind": "policy",
        "format": FORMAT,
        "model": model,
        "axis": outcomes.axes[axis].to_dict(),
        "split": split,
        "drop": drop,
        "confidence": confidence,
        "family": family,
        "level": str(ranges["level"].iloc[0]),
        "values": [float(value) for value in dict.fromkeys(states["value"])],
        "classes": classes,
        "images": _images(outcomes, split),
        "runs": [_run(outcomes, model, axis)],
    }


def read_policy(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a policy's record.

    Raises
    ------
    InputError
        For a file that is none, or one of another version.
    """
    way_out = "expected the JSON that `lpa policy` wrote"
    try:
        record = read_json(Path(path).read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); {way_out}") from error
    except ValueError as error:
        raise InputError(f"{path} is no JSON ({error}); {way_out}") from error
    if not isinstance(record, dict) or record.get("kind") != "policy":
        raise InputError(f"{path} is no policy; {way_out}")
    if record.get("format") != FORMAT:
        raise InputError(
            f"{path} has format {record.get('format')!r}; this version of lpa reads format "
            f"{FORMAT}: write it again with `lpa policy`"
        )
    try:
        check_policy(record)
    except (ValueError, TypeError, KeyError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise InputError(f"{path} is no whole policy ({reason}); {way_out}") from error
    return record


def share_selected(record: dict[str, Any], outcomes: Outcomes, split: str | None = None) -> float:
    """Return which share of a run's images a policy was chosen on.

    Scores of the policy on those images regress to the mean: above 0, they are marked
    :data:`SELECTED` and carry no p-value.

    Parameters
    ----------
    record : dict
        The policy.
    outcomes : Outcomes
        The run on which it is scored.
    split : str, optional
        Of the run; by default all of it.

    Returns
    -------
    float
        In [0, 1]; exact for policies of up to 4,096 images, estimated from the smallest keys
        otherwise. NaN where the run has too few images to tell.
    """
    splits = chosen_splits(outcomes, split)
    keys = outcomes.samples.key[np.isin(outcomes.samples.split, splits)]
    recorded = recorded_keys(record["images"])
    if len(recorded) < record["images"]["n"]:
        keys = keys[keys <= recorded.max()]
    return float(np.isin(keys, recorded).mean()) if len(keys) else float("nan")


def _the(kind: str, asked: str | None, known: list[str]) -> str:
    if asked is not None:
        if asked not in known:
            raise unknown(kind, asked, known)
        return asked
    if len(known) != 1:
        raise InputError(
            f"a policy is of one {kind}, and the run has {len(known)} ({', '.join(known)}); "
            f"give --{kind} NAME"
        )
    return known[0]


def _images(outcomes: Outcomes, split: str) -> dict[str, Any]:
    samples = outcomes.samples.take(np.flatnonzero(outcomes.samples.split == split))
    return images_record(samples, KEYS)


def _run(outcomes: Outcomes, model: str, axis: str) -> dict[str, Any]:
    cells = [
        entry.cell.id
        for entry in outcomes.coverage
        if entry.complete and entry.cell.model == model and entry.cell.axis in (None, axis)
    ]
    record = outcomes.record
    return {"kind": record.kind, "data": record.data, "fingerprint": content_hash(sorted(cells))}
