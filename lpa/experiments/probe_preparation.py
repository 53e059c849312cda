"""Check everything that a probe needs before anything is extracted."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lpa.datasets import DATASETS
from lpa.errors import InputError, unknown
from lpa.experiments.cell_task import CellTask, named
from lpa.experiments.devices import devices_of, precision_of
from lpa.experiments.probe_command import asking
from lpa.experiments.probe_sources import backbone_print, source_counts, source_facts
from lpa.experiments.probe_words import say_heads, say_lone, say_trained_on, written_places
from lpa.experiments.probe_work import ProbeWork
from lpa.experiments.probe_worker import ExtractionOptions, Probed
from lpa.experiments.progress import say_on_standard_error
from lpa.experiments.sweep_preparation import (
    check_same_models,
    check_training,
    read_parts,
    say_images,
    written,
)
from lpa.models.preprocessing import PreprocessingOverrides
from lpa.outcomes import (
    Cell,
    RunRecord,
    Samples,
    Store,
    StoredUnits,
    cell_id,
    check_folder,
    check_record,
    content_hash,
    foreign_unit,
    read_record,
)
from lpa.plans import HeadRecipe, ProbePlan, probed_axes
from lpa.probing.augmented import AugmentedView, augmented_views
from lpa.probing.backbones import Backbone, find_backbones
from lpa.probing.pooled import feature_interface
from lpa.training.regularizers import parse_regularizer
from lpa.training.splits import TEST_SHARE, Parts, choose_parts
from lpa.user_paths import exists, user_path

__all__ = ["prepare_probe"]


def prepare_probe(
    target: Any = None,
    *,
    backbones: Any = None,
    data: Any = None,
    model: str | None = None,
    regularizer: str | None = None,
    out: str | os.PathLike[str] | None = None,
    split: str | None = None,
    train_split: str | None = None,
    test_share: float = TEST_SHARE,
    per_class: int | None = None,
    limit: int | None = None,
    classes: str | os.PathLike[str] | None = None,
    recipe: Mapping[str, Any] | None = None,
    aug: str | None = None,
    views: int | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    store: str = "float16",
    images_at_once: int | None = None,
    workers: int | None = None,
    shard: tuple[int, int] | None = None,
    cache: str | os.PathLike[str] | None = None,
    img_size: int | None = None,
    crop_pct: float | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    interpolation: str | None = None,
    progress: bool = True,
) -> CellTask:
    """Check all that a probe needs, and find what is missing. See :func:`lpa.probe`."""
    devices = devices_of(device)
    say = say_on_standard_error if progress else (lambda text: None)
    data = target_data(target, data)
    if backbones is None or data is None:
        raise InputError(
            f"lpa probe needs {'backbones' if backbones is None else 'a target'}; expected both, "
            "e.g. lpa probe inat --data PATH --backbones runs/RUN, or neither for the embedded pair"
        )
    overrides = PreprocessingOverrides(
        img_size=img_size,
        crop_pct=crop_pct,
        mean=None if mean is None else tuple(mean),
        std=None if std is None else tuple(std),
        interpolation=interpolation,
    )
    axis = None if regularizer is None else parse_regularizer(regularizer).axis
    found = find_backbones(backbones, model=model, axis=axis, overrides=overrides)
    chosen = choose_parts(
        data,
        split=split,
        train_split=train_split,
        test_share=test_share,
        per_class=per_class,
        limit=limit,
        seed=seed,
        classes_file=classes,
    )
    plan = ProbePlan(
        backbones=_asked(backbones, found),
        axes=probed_axes([(one.name, one.axis, one.value, one.replicate) for one in found]),
        data=written(data, chosen),
        model=model,
        regularizer=regularizer,
        split=split,
        train_split=train_split,
        test_share=None if test_share == TEST_SHARE else test_share,
        classes=None if classes is None else str(classes),
        per_class=per_class,
        limit=limit,
        seed=seed,
        precision=precision,
        recipe=_recipe(recipe),
        stored=store,  # type: ignore[arg-type]
        overrides=overrides.to_dict(),
        aug=aug,
        views=views,
        shard=shard,
        images_at_once=images_at_once,
        workers=min(8, os.cpu_count() or 1) if workers is None else workers,
    )
    augmented = augmented_views(aug, views, seed)
    folder = Store(_default_out(plan, found) if out is None else out)
    check_folder(folder)
    present = read_record(folder) if folder.exists("run.json") else None
    parts = read_parts(chosen, folder, plan.workers, progress)
    _check_all_there(parts)
    sources = source_facts(found, parts.test.samples)
    record = _record(plan, parts, present, devices, sources)
    record = check_record(folder, record, parts.test.samples)
    check_training(folder, record, parts)
    say_images(say, "target", chosen, parts, test_share)
    say_lone(say, parts)
    say_trained_on(say, sources, len(parts.test))
    models = _models(plan, record, parts, found, augmented, say)
    check_same_models(folder, models, "give another --out DIR")
    probes = _probes(plan, record, models, found)
    _check_same_backbones(folder, probes, parts.test.samples)
    say_heads(say, plan.recipe, augmented)
    options = ExtractionOptions(
        record.precision, plan.stored, cache, plan.workers, plan.images_at_once, augmented
    )
    work = ProbeWork(
        folder, record, probes, parts, plan.recipe, options, source_counts(found), devices
    )
    is_text = isinstance(backbones, str) and isinstance(data, str | os.PathLike)
    asked = {
        **plan.to_dict(),
        "models": models,
        "source": sources,
        "command": asking(plan, folder, named=is_text),
    }
    task = CellTask(
        folder, record, parts.test.samples, asked, work, devices, shard, progress=progress
    )
    task.find_missing()
    return task


def target_data(target: Any, data: Any) -> Any:
    """Return the data that are probed: ``inat`` and a path together are ``inat=PATH``.

    Raises
    ------
    InputError
        For a target that is given twice.
    """
    if target is None or data is None:
        return target if data is None else data
    text = isinstance(data, str | os.PathLike)
    name, equals, _ = os.fspath(data).partition("=") if text else ("", "", "")
    if target in DATASETS and text:
        # A folder may be called as a data set is.
        if name not in DATASETS or (not equals and exists(user_path(name))):
            return f"{target}={os.fspath(data)}"
        # Two names may be one data set: inat2021 is what inat stands for.
        if name == target or (equals and DATASETS[name][1] == DATASETS[target][1]):
            return data
    elif text and name == target:
        return data
    shown = repr(os.fspath(data)) if text else f"a {type(data).__name__}"
    raise InputError(
        f"target {str(target)!r} and --data {shown} are both given; expected one target: the name "
        "of a data set with its path (lpa probe inat --data PATH), or --data alone"
    )


def _asked(backbones: Any, found: Sequence[Backbone]) -> tuple[str, ...]:
    if isinstance(backbones, str):
        return (backbones,)
    return tuple(str(one.facts["text"]) for one in found)


def _recipe(changes: Mapping[str, Any] | None) -> HeadRecipe:
    """Read the recipe; lists become tuples."""
    known = [field.name for field in fields(HeadRecipe)]
    asked: dict[str, Any] = {}
    for name, value in (changes or {}).items():
        if name not in known:
            raise unknown("field of the heads' recipe", name, known)
        asked[name] = tuple(value) if name in ("learning_rates", "weight_decays") else value
    return HeadRecipe(**asked)


def _default_out(plan: ProbePlan, found: Sequence[Backbone]) -> Path:
    """Name a run's folder after target and backbones, so that the same command finds it again."""
    first = found[0]
    source = Store(first.facts["run"]).name if "run" in first.facts else first.name
    parts = [Path(plan.data).name or "data", "probe", source]
    if plan.seed:
        parts.append(f"seed-{plan.seed}")
    return Path("runs") / re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(parts)).strip("-")


def _check_all_there(parts: Parts) -> None:
    """Refuse a class that the data name and have no image of."""
    labels = parts.train.samples.label
    empty = np.setdiff1d(np.arange(len(parts.classes)), labels)
    if len(empty):
        raise InputError(
            f"class {parts.classes.names[empty[0]]!r} of {parts.train.source.name} has no images "
            f"({len(empty)} of {len(parts.classes)} classes have none); expected at least one of "
            "each to train on: mend the data, or give them as folders"
        )


def _record(
    plan: ProbePlan,
    parts: Parts,
    present: RunRecord | None,
    devices: list[torch.device],
    sources: Mapping[str, Any],
) -> RunRecord:
    precision = plan.precision
    if precision == "auto" and present is not None:
        precision = present.precision
    return RunRecord(
        kind="probe",
        data=plan.data,
        split=plan.split,
        per_class=plan.per_class,
        limit=plan.limit,
        fingerprint=parts.test.samples.fingerprint,
        classes=parts.classes,
        seed=plan.seed,
        precision=precision_of(precision, devices),
        shard_size=len(parts.test),
        reference={
            "root": parts.test.source.root,
            "published": parts.test.source.published,
            "training": parts.train.samples.fingerprint,
            "training_images": len(parts.train),
            "train_split": plan.train_split,
            "source": dict(sources),
        },
    )


def _models(
    plan: ProbePlan,
    record: RunRecord,
    parts: Parts,
    found: Sequence[Backbone],
    augmented: Sequence[AugmentedView],
    say: Callable[[str], None],
) -> dict[str, dict[str, Any]]:
    """Return what is known of each of the run's models, after loading one backbone of each.

    Raises
    ------
    InputError
        For a backbone that cannot be loaded or has no pooled feature.
    """
    models: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(one.name for one in found):
        own = [one for one in found if one.name == name]
        loaded = own[0].load()
        interface = feature_interface(loaded.module, loaded.view.size, name=name)
        depends = {
            "stored": plan.stored,
            "overrides": dict(plan.overrides),
            "recipe": plan.recipe.to_dict(),
            "augmented": [one.record for one in augmented],
            "training": parts.train.samples.fingerprint,
            "classes": list(record.classes.names),
        }
        models[name] = {
            "id": content_hash(depends),
            "source": own[0].facts["source"],
            "spec": str(own[0].facts["text"]),
            "architecture": own[0].facts.get("architecture", name),
            "weights": loaded.weights if len(own) == 1 else f"{len(own)} backbones, frozen",
            "preprocessing": loaded.preprocessing,
            "features": interface.description,
            "recipe": {
                **plan.recipe.to_dict(),
                "store": plan.stored,
                "aug": plan.aug or "none",
                "views": len(augmented),
            },
            "training": parts.train.samples.fingerprint,
            "notes": list(loaded.notes),
            "members": [],
        }
        where = written_places(own)
        say(f"backbones: {name}, {where}; {interface.description}, {loaded.preprocessing}")
    return models


def _probes(
    plan: ProbePlan,
    record: RunRecord,
    models: Mapping[str, Mapping[str, Any]],
    found: Sequence[Backbone],
) -> dict[str, Probed]:
    """Return the probes by the ids of their cells."""
    probes = {}
    for one in found:
        axis = None if one.axis is None else one.axis.name
        key = cell_id(
            model=content_hash([models[one.name]["id"], backbone_print(one), record.seed]),
            augmentation=None if axis is None else {"axis": axis},
            value=one.value,
            replicate=one.replicate,
            seed=record.seed,
            precision=record.precision,
            data=record.fingerprint,
        )
        cell = Cell(one.name, axis, None if axis is None else one.value, one.replicate, key)
        probes[key] = Probed(cell, one)
    return probes


def _check_same_backbones(store: Store, probes: Mapping[str, Probed], samples: Samples) -> None:
    """Refuse other weights at a place of the run that has outcomes already."""
    asked = {
        (p.cell.model, p.cell.axis, p.cell.value, p.cell.replicate): p for p in probes.values()
    }
    for unit in StoredUnits(store).units:
        # A unit of the backbones' own run has the same models at the same places.
        if not np.isin(unit.samples, samples.sample).all():
            raise foreign_unit(store, unit)
        for cell in unit.cells:
            other = asked.get((cell.model, cell.axis, cell.value, cell.replicate))
            if other is not None and other.cell.id != cell.id:
                raise InputError(
                    f"{named(cell)} is in {store} with other weights than "
                    f"{other.backbone.spec.text} has now; expected the same backbones: give "
                    "another --out DIR"
                )
