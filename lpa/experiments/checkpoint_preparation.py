"""Check everything that a sweep over ready checkpoints needs before anything is evaluated."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch

from lpa.axes import format_value
from lpa.datasets import open_data
from lpa.errors import InputError
from lpa.experiments.cell_task import CellTask
from lpa.experiments.checkpoint_work import CheckpointLoader, CheckpointWork, file_print
from lpa.experiments.devices import precision_of, shard_size_of
from lpa.experiments.matching import data_labels, measured, run_classes
from lpa.experiments.preparation import declared_samples
from lpa.experiments.sweep_command import asking
from lpa.models.checkpoint_pattern import ReadyCheckpoint, find_checkpoints
from lpa.models.loaded import LoadedModel
from lpa.models.preprocessing import PreprocessingOverrides
from lpa.outcomes import (
    Cell,
    RunRecord,
    Store,
    cell_id,
    check_folder,
    check_record,
    content_hash,
    read_record,
)
from lpa.plans import PlannedAxis, SweepPlan
from lpa.training.regularizers.regularizer import Regularizer

__all__ = ["check_only_evaluates", "prepare_checkpoints"]


def check_only_evaluates(values: object, seeds: object, training: Iterable[str]) -> None:
    """Refuse what would have no effect on ready checkpoints.

    Parameters
    ----------
    values, seeds : object
        As asked for; None where they were not.
    training : iterable of str
        Names of the options of a training that were given, without dashes before them.

    Raises
    ------
    InputError
        With the first option that has no effect.
    """
    for name, given in (("values", values), ("seeds", seeds)):
        if given is not None:
            raise InputError(f"--from takes the {name} from the files' names; leave --{name} out")
    for name in training:
        raise InputError(
            f"--from evaluates ready checkpoints and trains nothing; leave --{name} out"
        )


def prepare_checkpoints(
    pattern: str,
    *,
    model: str | None,
    data: Any,
    swept: Regularizer,
    out: Callable[[SweepPlan], Any],
    split: str | None,
    per_class: int | None,
    limit: int | None,
    classes: str | os.PathLike[str] | None,
    seed: int,
    precision: str,
    workers: int,
    shard: tuple[int, int] | None,
    cache: str | os.PathLike[str] | None,
    devices: list[torch.device],
    overrides: PreprocessingOverrides,
    say: Callable[[str], None],
    progress: bool,
) -> CellTask:
    """Check everything, and find which checkpoints are not evaluated yet."""
    if model is None or data is None:
        raise InputError(
            f"--from {pattern!r} needs the checkpoints' architecture and the images to evaluate; "
            "expected e.g. --model resnet50 --data imagenet=PATH"
        )
    ready = find_checkpoints(pattern, swept.axis)
    name, _, architecture = model.rpartition("=")
    loader = CheckpointLoader(name or architecture, architecture, overrides, classes)
    first = loader(ready[0].path)
    source = open_data(data, split)
    plan = SweepPlan(
        model=model,
        axis=_planned(swept, ready),
        data=str(data) if isinstance(data, str | os.PathLike) else source.name,
        split=split,
        classes=None if classes is None else str(classes),
        per_class=per_class,
        limit=limit,
        seed=seed,
        precision=precision,
        overrides=overrides.to_dict(),
        checkpoints=pattern,
        keep="none",
        shard=shard,
        workers=workers,
    )
    store = Store(out(plan))
    check_folder(store)
    present = read_record(store) if store.exists("run.json") else None
    run = run_classes(first, present.classes if present else None)
    label_of = data_labels(source.classes, run, first.name)
    samples = declared_samples(source, plan, label_of, store, progress)
    record = check_record(
        store,
        RunRecord(
            kind="sweep",
            data=plan.data,
            split=split,
            per_class=per_class,
            limit=limit,
            fingerprint=samples.fingerprint,
            classes=run,
            seed=seed,
            precision=present.precision if present else precision_of(precision, devices),
            shard_size=len(samples),
            reference={"root": source.root, "published": source.published, "checkpoints": pattern},
        ),
        samples,
    )
    _say_found(say, ready, swept, first)
    facts = _facts(plan, first, record, ready, np.unique(samples.label))
    work = CheckpointWork(
        store,
        record,
        _cells(plan, facts["id"], record, ready, loader.name),
        loader,
        first.view,
        source,
        devices,
        workers,
        shard_size_of(devices),
        cache,
    )
    asked = {**plan.to_dict(), "models": {loader.name: facts}, "command": asking(plan, store, data)}
    task = CellTask(store, record, samples, asked, work, devices, shard, progress=progress)
    task.find_missing()
    return task


def _planned(swept: Regularizer, ready: list[ReadyCheckpoint]) -> PlannedAxis:
    values = list(dict.fromkeys(checkpoint.value for checkpoint in ready))
    most = 1 + max(checkpoint.replicate for checkpoint in ready)
    record = {"regularizer": swept.axis.name, "revision": 0}
    return PlannedAxis(swept.axis, tuple(values), most, record)


def _say_found(
    say: Callable[[str], None], ready: list[ReadyCheckpoint], swept: Regularizer, first: LoadedModel
) -> None:
    values = list(dict.fromkeys(checkpoint.value for checkpoint in ready))
    say(f"checkpoints: {len(ready)} files, {len(values)} values of {swept.axis.name}")
    say(f"model: {first.name} ({first.weights}), {first.preprocessing}")
    if swept.axis.reference not in values:
        say(
            f"      none at the reference {format_value(swept.axis.reference)}: curves can be "
            "shown, losses and tests need it (or name another value with lpa test --values)"
        )


def _facts(
    plan: SweepPlan,
    first: LoadedModel,
    record: RunRecord,
    ready: list[ReadyCheckpoint],
    present: Any,
) -> dict[str, Any]:
    model = measured(first, record.classes, present, restrict=False)
    depends = {
        "architecture": plan.model,
        "view": first.view.to_dict(),
        "mean": list(first.mean),
        "std": list(first.std),
        "outputs": model.outputs.tolist(),
        "held": [],
    }
    return {
        "id": content_hash(depends),
        "source": "checkpoints",
        "spec": plan.model,
        "architecture": plan.model,
        "weights": plan.checkpoints,
        "preprocessing": first.preprocessing,
        "files": [[str(each.path), each.value, each.seed, each.replicate] for each in ready],
        "policy": {"name": "plain", "source": "", "record": {}, "selected_on": []},
        "notes": list(first.notes),
        "members": [],
    }


def _cells(
    plan: SweepPlan, model: str, record: RunRecord, ready: list[ReadyCheckpoint], name: str
) -> dict[Cell, ReadyCheckpoint]:
    """Return the cells; a file is known by its content, wherever it lies."""
    found = {}
    for each in ready:
        key = cell_id(
            model=content_hash([model, file_print(each.path)]),
            augmentation=dict(plan.axis.augmentation),
            value=each.value,
            replicate=each.replicate,
            seed=plan.seed,
            precision=record.precision,
            data=record.fingerprint,
        )
        found[Cell(name, plan.axis.axis.name, each.value, each.replicate, key)] = each
    return found
