"""Check everything that a training sweep needs before anything is trained."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lpa.axes import format_value
from lpa.datasets.decode import Undecodable, decode
from lpa.errors import InputError
from lpa.experiments.cell_task import CellTask
from lpa.experiments.checkpoint_preparation import check_only_evaluates, prepare_checkpoints
from lpa.experiments.devices import devices_of
from lpa.experiments.progress import Progress, say_on_standard_error
from lpa.experiments.sweep_command import asking
from lpa.experiments.sweep_data import SweepData
from lpa.experiments.sweep_work import TRAINING_SAMPLES, TrainingWork
from lpa.experiments.sweep_worker import Training
from lpa.experiments.trainings import PlannedTrainings, policy_models
from lpa.models.preprocessing import PreprocessingOverrides
from lpa.models.untrained import UntrainedModel, untrained
from lpa.outcomes import (
    RunRecord,
    Samples,
    Store,
    check_folder,
    check_record,
    read_objects,
    read_record,
)
from lpa.plans import PlannedAxis, Recipe, SweepPlan
from lpa.training.distributed import World
from lpa.training.learner import check_optimizer
from lpa.training.policies import parse_policy
from lpa.training.recipes import recipe_for
from lpa.training.regularizers import (
    build_regularizer,
    parse_regularizer,
    parse_setting,
    parse_values,
)
from lpa.training.regularizers.regularizer import Regularizer
from lpa.training.splits import TEST_SHARE, ChosenParts, Parts, choose_parts, held_out
from lpa.training.stackable import different, stack_size, stackable

__all__ = [
    "DEFAULT_DATA",
    "DEFAULT_MODEL",
    "DEFAULT_REGULARIZER",
    "check_same_models",
    "check_training",
    "prepare_sweep",
    "read_parts",
    "written",
]

DEFAULT_DATA = "digits"
DEFAULT_MODEL = "small_cnn"
DEFAULT_REGULARIZER = "random_crop"
DEFAULT_SEEDS = 5
"""With fewer seeds in an arm, decisions need the moderated t (STATISTICS 3.7)."""
HOLD_OUT = 0.1
"""Share of the training images that a policy measures on where none is asked for."""


def prepare_sweep(
    *,
    model: str | None = None,
    data: Any = None,
    regularizer: str | None = None,
    values: Any = None,
    seeds: int | None = None,
    held: Mapping[str, float] | None = None,
    policies: str | Sequence[str] | None = None,
    checkpoints: str | None = None,
    out: str | os.PathLike[str] | None = None,
    split: str | None = None,
    train_split: str | None = None,
    test_share: float = TEST_SHARE,
    per_class: int | None = None,
    limit: int | None = None,
    classes: str | os.PathLike[str] | None = None,
    recipe: Mapping[str, Any] | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    workers: int | None = None,
    shard: tuple[int, int] | None = None,
    keep: str = "last",
    stack: int | str = "auto",
    cache: str | os.PathLike[str] | None = None,
    img_size: int | None = None,
    crop_pct: float | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    interpolation: str | None = None,
    compiled: bool = False,
    retry: bool = False,
    progress: bool = True,
) -> CellTask:
    """Check all that a sweep needs, and find what is missing. See :func:`lpa.train_sweep`."""
    devices = devices_of(device)
    world = World.join(devices[0].type)
    progress = progress and world.first
    say = say_on_standard_error if progress else (lambda text: None)
    devices = world.devices(devices)
    swept = parse_regularizer(regularizer or DEFAULT_REGULARIZER)
    overrides = PreprocessingOverrides(
        img_size=img_size,
        crop_pct=crop_pct,
        mean=None if mean is None else tuple(mean),
        std=None if std is None else tuple(std),
        interpolation=interpolation,
    )
    threads = min(8, os.cpu_count() or 1) if workers is None else workers
    if checkpoints is not None:
        training: dict[str, object] = {
            "policy": _listed(policies) != ["plain"],
            "set": held,
            "train-split": train_split,
            "test-share": test_share != TEST_SHARE,
            "keep": keep != "last",
            "stack": stack != "auto",
            "compile": compiled,
        }
        training |= {name.replace("_", "-"): True for name in recipe or {}}
        check_only_evaluates(values, seeds, (name for name, given in training.items() if given))
        return prepare_checkpoints(
            checkpoints,
            model=model,
            data=data,
            swept=swept,
            out=lambda plan: default_out(plan) if out is None else out,
            split=split,
            per_class=per_class,
            limit=limit,
            classes=classes,
            seed=seed,
            precision=precision,
            workers=threads,
            shard=shard,
            cache=cache,
            devices=devices,
            overrides=overrides,
            say=say,
            progress=progress,
        )
    fixed = _held(held)
    specs = [parse_policy(text) for text in _listed(policies)]
    chosen = choose_parts(
        DEFAULT_DATA if data is None else data,
        split=split,
        train_split=train_split,
        test_share=test_share,
        per_class=per_class,
        limit=limit,
        seed=seed,
        classes_file=classes,
    )
    if data is None:
        say("data: scikit-learn's handwritten digits (give yours with --data)")
    name, _, architecture = (model or DEFAULT_MODEL).rpartition("=")
    size = _shared_size(chosen)
    made = untrained(
        architecture,
        len(chosen.classes),
        image_size=size,
        img_size=img_size,
        crop_pct=crop_pct,
        interpolation=interpolation,
        mean=mean,
        std=std,
    )
    changes = {**_given(recipe, swept, fixed), "select": "best" if keep == "best" else "last"}
    if any(spec.name in MEASURING for spec in specs) and not changes.get("hold_out"):
        changes["hold_out"] = HOLD_OUT
        say(f"{HOLD_OUT:.0%} of the training images are held out, for the policy to measure on")
    plan = SweepPlan(
        model=model or DEFAULT_MODEL,
        axis=_planned(swept, values, DEFAULT_SEEDS if seeds is None else seeds),
        data=written(data, chosen),
        held={regularizer.axis.name: value for regularizer, value in fixed},
        policies=tuple(spec.text for spec in specs),
        split=split,
        train_split=train_split,
        test_share=None if test_share == TEST_SHARE else test_share,
        classes=None if classes is None else str(classes),
        per_class=per_class,
        limit=limit,
        seed=seed,
        precision=precision,
        recipe=recipe_for(made.architecture, made.view.size, changes),
        overrides=overrides.to_dict(),
        keep=keep,  # type: ignore[arg-type]
        stack=stack,  # type: ignore[arg-type]
        shard=shard,
        workers=threads,
        compiled=compiled,
    )
    check_optimizer(plan.recipe.optimizer)
    store = Store(default_out(plan) if out is None else out)
    check_folder(store)
    present = read_record(store) if store.exists("run.json") else None
    parts = read_parts(chosen, store, plan.workers, progress)
    record = check_record(store, _record(plan, parts, present, devices), parts.test.samples)
    check_training(store, record, parts)
    say(f"model: {name or architecture} ({made.architecture}), {made.preprocessing}")
    for note in made.notes:
        say(f"       {note}")
    say_images(say, "data", chosen, parts, test_share)
    trained, measured = _held_out(parts.train.samples, plan.recipe)
    planned = PlannedTrainings(
        plan, made, name or architecture, swept, fixed, record, trained, measured,
        parts.test.samples,
    )  # fmt: skip
    models, trainings = policy_models(planned, specs)
    for facts in models.values():
        for note in facts["notes"]:
            say(f"      {note}")
    check_same_models(store, models)
    for note in _other_images(store, models):
        say(f"      {note}")
    geometric = any(
        entry.regularizer.place == "geometry" for t in trainings.values() for entry in t.active
    )
    work = TrainingWork(
        store,
        record,
        made,
        trainings,
        SweepData(parts, trained, measured, made.view, geometric, plan.workers, cache, progress),
        _stack(plan, made, trainings, devices[0]),
        plan.keep != "none",
        plan.compiled,
        devices,
        world,
    )
    asked = {**plan.to_dict(), "models": models, "command": asking(plan, store, data)}
    task = CellTask(store, record, parts.test.samples, asked, work, devices, shard, world, progress)
    task.find_missing(retry)
    return task


MEASURING = ("adaptive_strength",)
"""Policies that need images held out from training."""


def _listed(policies: str | Sequence[str] | None) -> list[str]:
    if policies is None:
        return ["plain"]
    listed = [policies] if isinstance(policies, str) else list(policies)
    for text in listed:
        if not isinstance(text, str):
            raise InputError(f"policy {text!r}: expected a text, e.g. 'adaptive_strength'")
    return listed


def _held(held: Mapping[str, float] | Sequence[str] | None) -> list[tuple[Regularizer, float]]:
    """Read what is held fixed: ``{"random_crop": .08}`` or ``["random_crop=.08"]``."""
    if isinstance(held, Mapping):
        held = [f"{name}={value}" for name, value in held.items()]
    for text in held or ():
        if not isinstance(text, str) or isinstance(held, str):
            raise InputError(f"held {held!r}: expected names to values, e.g. {{'dropout': 0.2}}")
    settings = [parse_setting(text) for text in held or ()]
    names = [spec.family for spec, _ in settings]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"--set {name} is given twice; give each regularizer once")
    return [(build_regularizer(spec), value) for spec, value in settings]


def _planned(swept: Regularizer, values: object, seeds: int) -> PlannedAxis:
    if seeds < 1:
        raise InputError(f"--seeds {seeds} is out of range; expected at least 1")
    record = {"regularizer": swept.axis.name, "revision": swept.revision}
    return PlannedAxis(swept.axis, parse_values(values, swept.axis), seeds, record)  # type: ignore[arg-type]


def written(data: object, chosen: ChosenParts) -> str:
    """Return how a run calls its data: as they were asked for, where that is a text."""
    if data is None:
        return DEFAULT_DATA
    return str(data) if isinstance(data, str | os.PathLike) else chosen.test.name


def _shared_size(chosen: ChosenParts) -> tuple[int, int] | None:
    """Return width and height of the images where a few of them, all looked at, share it."""
    sizes = set()
    for index in chosen.train_indices[:: max(1, len(chosen.train_indices) // 8)]:
        try:
            sizes.add(decode(chosen.train.read(int(index))).size)
        except Undecodable:
            continue
        except OSError as error:
            raise InputError(
                f"{chosen.train.root} cannot be read ({error}); expected readable files: check "
                "the path and its permissions, then run the same command again"
            ) from error
    return sizes.pop() if len(sizes) == 1 else None


def say_images(
    say: Callable[[str], None], what: str, chosen: ChosenParts, parts: Parts, test_share: float
) -> None:
    """Say which images are trained on and evaluated, under ``what`` they are to the experiment."""
    indent = " " * len(f"{what}: ")
    say(
        f"{what}: {chosen.test.name}, {len(parts.train)} images to train on, {len(parts.test)} to "
        f"evaluate, {len(chosen.classes)} classes"
    )
    if chosen.divided:
        say(
            f"{indent}{chosen.train_split!r} is the only split: {test_share:.0%} of each class is "
            "evaluated"
        )
    if parts.duplicates:
        say(f"{indent}{parts.duplicates} training images are evaluated ones, too: left out")


def read_parts(chosen: ChosenParts, store: Store, workers: int, progress: bool) -> Parts:
    """Read the images' keys; those that an earlier command read are not read again."""
    known: dict[str, Samples] = {}
    for name, file in (("known_test", "samples.parquet"), ("known_train", TRAINING_SAMPLES)):
        if store.exists(file):
            known[name] = Samples.from_parquet_bytes(store.get(file))
    shown = progress and chosen.total > 20_000 and not known
    with Progress(chosen.total, "files", "reading", shown) as counter:
        return chosen.read(workers, counter.tick, **known)


def _record(
    plan: SweepPlan, parts: Parts, present: RunRecord | None, devices: list[torch.device]
) -> RunRecord:
    return RunRecord(
        kind="sweep",
        data=plan.data,
        split=plan.split,
        per_class=plan.per_class,
        limit=plan.limit,
        fingerprint=parts.test.samples.fingerprint,
        classes=parts.classes,
        seed=plan.seed,
        precision=_precision(plan, present, devices[0]),
        shard_size=len(parts.test),
        reference={
            "root": parts.test.source.root,
            "published": parts.test.source.published,
            "training": parts.train.samples.fingerprint,
            "training_images": len(parts.train),
            "train_split": plan.train_split,
        },
    )


def _precision(plan: SweepPlan, present: RunRecord | None, device: torch.device) -> str:
    """Resolve ``auto``: bf16 on CUDA, whose range needs no scaling of the loss, else fp32."""
    found = plan.precision
    if found == "auto" and present is not None:
        found = present.precision
    if found == "auto":
        found = "bf16" if device.type == "cuda" else "fp32"
    if found == "fp16" and device.type == "cpu":
        raise InputError("precision 'fp16' is not for a CPU; expected fp32 or bf16")
    return found


def check_training(store: Store, record: RunRecord, parts: Parts) -> None:
    """Refuse to extend a run with other training images.

    Raises
    ------
    InputError
        With the number and the fingerprint of both.
    """
    there, asked = record.reference.get("training"), parts.train.samples.fingerprint
    if there != asked:
        raise InputError(
            f"{store} is a run trained on {record.reference.get('training_images')} images "
            f"(fingerprint {str(there)[:12]}...), and {len(parts.train)} ({asked[:12]}...) were "
            "asked for; values, seeds, policies and axes extend a run, this does not: give "
            "another directory with --out DIR"
        )


def _held_out(train: Samples, recipe: Recipe) -> tuple[Samples, Samples | None]:
    apart = held_out(train, recipe.hold_out)
    if not apart.any():
        return train, None
    return train.take(np.flatnonzero(~apart)), train.take(np.flatnonzero(apart))


def check_same_models(
    store: Store,
    models: Mapping[str, Mapping[str, Any]],
    way_out: str = "give it another name (--model new={spec}) or another --out DIR",
) -> None:
    """Refuse a model that has the name of another one in the run.

    Parameters
    ----------
    store : Store
        The run's folder.
    models : mapping
        Name -> what is known of it; ``id`` is the hash of what its outcomes depend on.
    way_out : str
        What to do instead.

    Raises
    ------
    InputError
        With the parts of the recipe that differ.
    """
    for plan in read_objects(store, "plans"):
        for name, facts in plan.get("models", {}).items():
            if name in models and models[name]["id"] != facts["id"]:
                raise InputError(
                    f"model {name!r} is in {store} with {_difference(facts, models[name])} was "
                    f"asked for; expected the same: {way_out.format(spec=facts['spec'])}"
                )


def _other_images(store: Store, models: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Say which models of the run were trained on other images: some hold images out."""
    own, facts = next(iter(models.items()))
    there: dict[str, Mapping[str, Any]] = {}
    for plan in read_objects(store, "plans"):
        there |= plan.get("models", {})
    return [
        f"{name} in {store} was trained with --hold-out {other['recipe']['hold_out']:g}, {own} is "
        f"with {facts['recipe']['hold_out']:g}: a comparison of both holds that difference, too"
        for name, other in there.items()
        if name not in models and other.get("training", facts["training"]) != facts["training"]
    ]


def _difference(there: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """Say what differs between two records of a model, with both values."""
    for name in ("architecture", "preprocessing"):
        if there.get(name) != asked.get(name):
            return f"{name} {there.get(name)}, and {asked.get(name)}"
    if there.get("held") != asked.get("held"):
        return f"{_held_fixed(there)}, and {_held_fixed(asked)}"
    mine, other = there.get("recipe", {}), asked.get("recipe", {})
    for name in other:
        if mine.get(name) != other[name]:
            option = f"--{name.replace('_', '-')}"
            return f"{option} {_shown(mine.get(name))}, and {_shown(other[name])}"
    if there.get("policy") != asked.get("policy"):
        return "a policy made from something else, and what its source holds now"
    return "other trainings, and the present ones"


def _shown(value: Any) -> str:
    return ",".join(map(format_value, value)) if isinstance(value, list) else str(value)


def _held_fixed(facts: Mapping[str, Any]) -> str:
    held = [f"--set {each['name']}={format_value(each['value'])}" for each in facts.get("held", ())]
    return " ".join(held) or "no --set"


def _given(
    recipe: Mapping[str, Any] | None,
    swept: Regularizer,
    fixed: Sequence[tuple[Regularizer, float]],
) -> dict[str, Any]:
    """Return what is asked of the recipe; what a regularizer sets is left to it.

    Raises
    ------
    InputError
        For a field that a regularizer sets, too.
    """
    given = {name: value for name, value in (recipe or {}).items() if value is not None}
    for regularizer in (swept, *(regularizer for regularizer, _ in fixed)):
        name = regularizer.axis.name
        if name in given:
            why = f"where {name} is swept" if regularizer is swept else f"beside --set {name}"
            raise InputError(
                f"--{name.replace('_', '-')} {given[name]} has no effect {why}; leave it out"
            )
        if name in Recipe.names():
            given[name] = regularizer.axis.reference
    return given


def _stack(
    plan: SweepPlan, model: UntrainedModel, trainings: Mapping[str, Training], device: torch.device
) -> int:
    """Return how many models train as one.

    Raises
    ------
    InputError
        For a number that is asked for and models that cannot be stacked.
    """
    recipes = [training.recipe for training in trainings.values()]
    rates = [recipe.dropout for recipe in recipes]
    module = model.build(max(rates))
    count = stack_size(plan.stack, module, device)
    if count == 1:
        return 1
    # A layer's own setting of dropout cannot be stacked; a buffer can.
    wrong = stackable(module, recipes, model.view.size) or different(
        [model.build(min(rates)), module]
    )
    if wrong is None:
        return min(count, len(recipes))
    if plan.stack == "auto":
        return 1
    raise wrong


def default_out(plan: SweepPlan) -> Path:
    """Name a run's folder after data, model and axis, so that the same command finds it again."""
    parts = [Path(plan.data).name or "data", plan.model, plan.axis.axis.name]
    if plan.seed:
        parts.append(f"seed-{plan.seed}")
    return Path("runs") / re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(parts)).strip("-")
