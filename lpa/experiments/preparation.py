"""Check everything that a scan needs before anything is computed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lpa.augmentations import AugmentationSpec, build, from_mapping, parse
from lpa.augmentations.augmentation import Augmentation
from lpa.classes import Classes
from lpa.datasets import Source, open_data
from lpa.datasets.selection import index_samples, select
from lpa.errors import InputError
from lpa.experiments.devices import devices_of, precision_of, shard_size_of
from lpa.experiments.matching import data_labels, measured, measured_mean, run_classes
from lpa.experiments.progress import Progress, say_on_standard_error
from lpa.experiments.scan_task import ScanTask
from lpa.forward import MeasuredModel
from lpa.models import PreprocessingOverrides, load, parse_models
from lpa.outcomes import (
    RunRecord,
    Samples,
    Store,
    StoredUnits,
    check_folder,
    check_record,
    read_objects,
    read_record,
)
from lpa.plans import PlannedAxis, ScanPlan, SweepPlan

__all__ = [
    "DEFAULT_AUGMENTATIONS",
    "DEFAULT_DATA",
    "DEFAULT_MODEL",
    "declared_samples",
    "prepare",
]

DEFAULT_DATA = "imagenet-sample"
DEFAULT_MODEL = "efficientnet_lite0"
DEFAULT_AUGMENTATIONS = "crop,cutout,color_jitter"
SAMPLE_DRAWS = 8
"""Draws for the embedded photographs, where a class has one image and the draws are its curve."""


def prepare(
    *,
    models: Any = None,
    data: Any = None,
    aug: Any = None,
    out: str | os.PathLike[str] | None = None,
    split: str | None = None,
    draws: int | None = None,
    per_class: int | None = None,
    limit: int | None = None,
    seed: int = 0,
    classes: str | os.PathLike[str] | None = None,
    device: str = "auto",
    precision: str = "auto",
    batch_size: int | None = None,
    workers: int | None = None,
    shard: tuple[int, int] | None = None,
    ensemble: bool = False,
    restrict_classes: bool = False,
    img_size: int | tuple[int, int] | None = None,
    crop_pct: float | None = None,
    crop_mode: str | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    interpolation: str | None = None,
    images: bool = True,
    repair: bool = False,
    class_check: bool = True,
    progress: bool = True,
) -> ScanTask:
    """Check everything that a scan needs, and find out what is missing. See :func:`lpa.scan`."""
    say = say_on_standard_error if progress else (lambda text: None)
    specs = _augmentations(aug)
    devices = devices_of(device)
    asked = parse_models(DEFAULT_MODEL if models is None else models)
    modules = {spec.name: build(spec) for spec in specs}
    for module in modules.values():
        module.check_identity()
    source = open_data(DEFAULT_DATA if data is None else data, split)
    if data is None:
        say(
            f"data: the embedded sample, {len(source)} ImageNet photographs "
            "(give yours with --data)"
        )
    if draws is None:
        draws = SAMPLE_DRAWS if source.name == DEFAULT_DATA else 1
    overrides = PreprocessingOverrides(
        img_size=img_size,
        crop_pct=crop_pct,
        crop_mode=crop_mode,
        mean=None if mean is None else tuple(mean),
        std=None if std is None else tuple(std),
        interpolation=interpolation,
    )
    plan = ScanPlan(
        models=tuple(_written(spec.name, spec.text) for spec in asked),
        axes=tuple(_planned(spec, modules[spec.name], draws) for spec in specs),
        data=str(data) if isinstance(data, str | os.PathLike) else source.name,
        split=split,
        per_class=per_class,
        limit=limit,
        seed=seed,
        precision=precision,
        ensemble=ensemble,
        restrict_classes=restrict_classes,
        classes=None if classes is None else os.fspath(classes),
        overrides=overrides.to_dict(),
        images=images,
        shard=shard,
        batch_size=batch_size,
        workers=min(8, os.cpu_count() or 1) if workers is None else workers,
    )
    store = Store(default_out(plan) if out is None else out)
    check_folder(store)
    present = read_record(store) if store.exists("run.json") else None
    loaded = [load(spec, overrides=overrides, classes_file=classes) for spec in asked]
    for model in loaded:
        say(f"model: {model.name} ({model.weights}), {model.preprocessing}")
        for text in model.notes:
            say(f"       {text}")
    run = run_classes(loaded[0], present.classes if present else None)
    label_of = data_labels(source.classes, run, loaded[0].name)
    spelled = (*source.classes.names, *source.classes.labels)
    if (run.find(spelled, by_index=False) < 0).all():
        first = source.classes.names[0]
        say(f"data: the class names are taken as indices: {first!r} is {run.labels[label_of[0]]!r}")
    samples = declared_samples(source, plan, label_of, store, progress)
    _say_classes(say, samples, run, source)
    record = check_record(
        store,
        RunRecord(
            kind="scan",
            data=plan.data,
            split=plan.split,
            per_class=plan.per_class,
            limit=plan.limit,
            fingerprint=samples.fingerprint,
            classes=run,
            seed=plan.seed,
            precision=_precision(plan, present, devices),
            shard_size=shard_size_of(devices),
            reference={"root": source.root, "published": source.published},
        ),
        samples,
    )
    here = np.unique(samples.label)
    measured_models = [measured(model, run, here, restrict_classes) for model in loaded]
    if ensemble:
        measured_models.append(measured_mean(measured_models, len(run)))
    _check_same_models(store, measured_models)
    task = ScanTask(
        plan,
        store,
        record,
        source,
        samples,
        loaded,
        measured_models,
        modules,
        devices,
        class_check=class_check,
        progress=progress,
        data_is_text=data is None or isinstance(data, str | os.PathLike),
    )
    stored = StoredUnits(store)
    task.damaged = _damaged(stored, repair)
    task.units = task.missing(stored.present(without=task.damaged))
    return task


def _augmentations(aug: Any) -> list[AugmentationSpec]:
    if aug is None:
        return parse(DEFAULT_AUGMENTATIONS)
    if isinstance(aug, str):
        return parse(aug)
    if isinstance(aug, Mapping):
        return from_mapping(aug)
    if isinstance(aug, list | tuple) and all(isinstance(part, str) for part in aug):
        return parse(",".join(aug))
    raise InputError(
        f"aug={aug!r}: expected names and values, e.g. 'crop,cutout=0,.5' or {{'crop': [1, .5]}}"
    )


def _planned(spec: AugmentationSpec, module: Augmentation, draws: int) -> PlannedAxis:
    record = {"name": spec.name, "options": dict(spec.options), "revision": spec.revision}
    # A strength at which two draws give the same parameters needs only one.
    keys = np.arange(1, 17, dtype=np.uint64)
    strongest = spec.strengths[-1]
    first, second = (module.draw(keys, strongest, draw=draw) for draw in (0, 1))
    fixed = all(torch.equal(first[name], second[name]) for name in first)
    return PlannedAxis(spec.axis, spec.strengths, 1 if fixed else draws, record)


def _precision(plan: ScanPlan, present: RunRecord | None, devices: list[torch.device]) -> str:
    """Resolve ``auto``; a run that exists keeps its own."""
    if plan.precision == "auto" and present is not None:
        if present.precision == "fp16" and devices[0].type == "cpu":
            raise InputError(
                "the run has precision fp16, which is not for a CPU; expected a GPU: go on with "
                "--device cuda, or begin another run with --out DIR"
            )
        return present.precision
    return precision_of(plan.precision, devices)


def declared_samples(
    source: Source,
    plan: ScanPlan | SweepPlan,
    label_of: npt.NDArray[np.int64],
    store: Store,
    progress: bool,
) -> Samples:
    """Return the declared samples; the run's own where they are the same by name and label.

    Every byte is read once to get the keys. When a run is extended the names decide, and each
    file's key is checked when it is read again.
    """
    chosen = select(source, per_class=plan.per_class, limit=plan.limit, seed=plan.seed)
    if store.exists("run.json") and store.exists("samples.parquet"):
        stored = Samples.from_parquet_bytes(store.get("samples.parquet"))
        if (
            np.array_equal(stored.sample, chosen)
            and stored.name == tuple(source.names[index] for index in chosen)
            and np.array_equal(stored.label, label_of[source.labels[chosen]])
            and stored.split.tolist() == [source.splits[index] for index in chosen]
        ):
            return stored
    with Progress(len(chosen), "files", "reading", progress and len(chosen) > 500) as counter:
        try:
            return index_samples(source, chosen, label_of, plan.workers, counter.tick)
        except OSError as error:
            raise InputError(
                f"{source.root} cannot be read ({error}); expected readable files: check the path "
                "and its permissions, then run the same command again"
            ) from error


def _say_classes(
    say: Callable[[str], None], samples: Samples, run: Classes, source: Source
) -> None:
    present = len(np.unique(samples.label))
    say(f"data: {source.name}, {len(samples)} images of {present} classes")
    if present < len(run):
        say(f"      {len(run) - present} of the run's {len(run)} classes have no images")


def _check_same_models(store: Store, models: Iterable[MeasuredModel]) -> None:
    """Refuse a model that has the name of another one in the run, or is one of another name."""
    known = {
        name: facts["id"]
        for plan in read_objects(store, "plans")
        for name, facts in plan.get("models", {}).items()
    }
    for model in models:
        if known.setdefault(model.name, model.id) != model.id:
            raise InputError(
                f"model {model.name!r} is in {store} with other weights, preprocessing or "
                f"classes; expected the same: give it another name (new={model.name}) or another "
                "--out DIR"
            )
        # Their outcomes would be the same cells, which have one name.
        same = [name for name, key in known.items() if key == model.id and name != model.name]
        if same:
            raise InputError(
                f"model {model.name!r} has the weights, preprocessing and classes of {same[0]!r}; "
                f"expected different models in one run: leave {model.name!r} out, or give another "
                "--out DIR"
            )


def _damaged(stored: StoredUnits, repair: bool) -> list[str]:
    """Return the damaged units, which are refused unless they are to be computed again."""
    if repair:
        # Every page is read, since damage inside of a file does not show in what it says of itself.
        return sorted({*stored.damaged, *stored.damaged_inside()})
    if stored.damaged:
        raise InputError(
            f"{stored.store}/{stored.damaged[0]} is damaged ({len(stored.damaged)} in all): run "
            "the same command with --repair to compute it again"
        )
    return []


def default_out(plan: ScanPlan) -> Path:
    """Name a run's folder after what defines it, so that the same command finds it again."""
    parts = [Path(plan.data).name or "data"]
    if plan.split:
        parts.append(plan.split)
    if plan.per_class:
        parts.append(f"{plan.per_class}-per-class")
    if plan.limit:
        parts.append(f"limit-{plan.limit}")
    if plan.seed:
        parts.append(f"seed-{plan.seed}")
    if plan.precision != "auto":
        parts.append(plan.precision)
    return Path("runs") / re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(parts))


def _written(name: str, text: str) -> str:
    return text if name == text else f"{name}={text}"
