"""Synthetic sweeps: run folders whose reference has training runs of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from synthetic import VERSIONS, made_up_samples

from lpa.axes import Axis
from lpa.classes import Classes
from lpa.outcomes import (
    Cell,
    RunRecord,
    Store,
    cell_id,
    create_or_check,
    put_plan,
    write_unit,
)

TAU = Axis(
    "random_crop", "lower bound of the area", 1.0, "down", minimum=0.0, maximum=1.0, monotone=False
)


def write_sweep(
    path: Path,
    accuracies: Mapping[float, Sequence[float]],
    runs: int = 6,
    per_class: int = 20,
    seed: int = 0,
    titles: Sequence[str] = (),
) -> Path:
    """Write a sweep over TAU with given expected accuracies of each class at each value."""
    return write_policies(path, {"rn50": accuracies}, None, runs, per_class, seed, titles)


def write_policies(
    path: Path,
    models: Mapping[str, Mapping[float, Sequence[float]]],
    facts: Mapping[str, Mapping[str, object]] | None = None,
    runs: int = 6,
    per_class: int | Sequence[int] = 20,
    seed: int = 0,
    titles: Sequence[str] = (),
    axis: Axis = TAU,
    split: Sequence[str] | None = None,
) -> Path:
    """Write a sweep of several models, each with its accuracies and ``policy`` facts.

    ``split`` names that of every sample.
    """
    classes = len(next(iter(next(iter(models.values())).values())))
    samples = made_up_samples(classes, per_class)
    if split is not None:
        samples = dataclasses.replace(samples, split=np.array(split, dtype=object))
    names = tuple(f"c{index:03d}" for index in range(classes))
    generator = np.random.default_rng(seed)
    cells, rows = [], []
    for model, accuracies in models.items():
        for value, wanted in accuracies.items():
            for replicate in range(runs):
                key = cell_id(
                    model=model, augmentation={"name": axis.name, "revision": 1}, value=value,
                    replicate=replicate, seed=seed, precision="fp32", data="made up",
                )  # fmt: skip
                cells.append(Cell(model, axis.name, float(value), replicate, key))
                right = generator.uniform(size=len(samples)) < np.asarray(wanted)[samples.label]
                rows.append(np.where(right, samples.label, (samples.label + 1) % classes))
    store = Store(path)
    record = RunRecord(
        kind="sweep", data="made-up data", split="val", per_class=None, limit=None,
        fingerprint=samples.fingerprint, classes=Classes(names, tuple(titles)), seed=seed,
        precision="fp32", shard_size=len(samples), reference={},
    )  # fmt: skip
    create_or_check(store, record, samples)
    policies = {model: {"policy": dict(each)} for model, each in (facts or {}).items()}
    known = {model: {"source": "made up", **policies.get(model, {})} for model in models}
    values = list(next(iter(models.values())))
    put_plan(store, {
        "command": "lpa train-sweep", "created": "2026-01-02T03:04:05+00:00",
        "versions": VERSIONS, "device": "cpu", "models": known,
        "axes": [{"axis": axis.to_dict(), "values": values, "draws": runs}],
    })  # fmt: skip
    columns = {"prediction": np.stack(rows).astype(np.int32)}
    write_unit(store, 0, cells, samples.sample, columns, {}, {"seconds": 0.0})
    return path
