"""The probe: frozen backbones, one linear head each, on another data set.

Check and prepare, extract and train what is missing, read it back.
"""

from __future__ import annotations

import inspect
import shlex
import sys
import threading
from typing import Any

from lpa.engines import engine_named
from lpa.experiments.asked import check_asked
from lpa.experiments.cell_task import CellEstimate
from lpa.experiments.devices import on_devices_of
from lpa.experiments.probe_preparation import prepare_probe
from lpa.experiments.reopening import reopen
from lpa.experiments.sweep_preparation import prepare_sweep
from lpa.experiments.time_limit import stopping_after
from lpa.experiments.train_sweep import train_sweep
from lpa.outcomes.feature_error import feature_error
from lpa.runs import Run

__all__ = ["estimate_probe", "probe"]

EMBEDDED_SOURCE: dict[str, Any] = {
    "model": "small_cnn",
    "data": "digits-0-4",
    "regularizer": "random_crop",
    "values": (1.0, 0.4, 0.08),
    "seeds": 5,
}
"""The sweep whose backbones are probed where nothing is asked for: with fewer than five seeds the
run-level tests would decide nothing on five classes (STATISTICS 3.7)."""

EMBEDDED_TARGET = "digits-5-9"

SHARED = ("device", "workers", "progress", "seed")
"""Options of a probe that its embedded sweep takes, too."""


def probe(
    target: Any = None,
    *,
    max_time: float | None = None,
    stop: threading.Event | None = None,
    strict: bool = False,
    engine: str = "local",
    address: str | None = None,
    unit_time: float | None = None,
    worker_cpus: float | None = None,
    worker_gpus: float | None = None,
    **asked: Any,
) -> Run:
    """Probe frozen backbones on another data set (paper: Section 2.2, Figure 4).

    Each backbone gets one linear head on its pooled features; the outcomes of the evaluated images
    stand at the backbone's own value of the axis of its pre-training, with its training seed as
    the replicate. Several head seeds are averaged within the backbone: what is evaluated is the
    mean of their weights, itself a linear head (the objective is convex). Features are extracted
    once for each backbone, data, preprocessing and precision, into a cache that may be thrown
    away; every image is decoded once for eight backbones. The same call again computes only what
    is missing, and more backbones extend a run.

    Parameters
    ----------
    target : str, path, torch Dataset or arrays, optional
        As ``data`` of :func:`lpa.scan`; with ``data`` the name of a data set that lies there:
        ``lpa.probe("inat", data=PATH, backbones=RUN)``. Without target, data and backbones: digits
        5 to 9, probed on networks that are trained on digits 0 to 4 first, in a run of their own.
    backbones : str, Model, sequence of these, or mapping
        A run of :func:`lpa.train_sweep` (or ``run:PATH#random_crop=0.3``), models as for
        :func:`lpa.scan`, or a pattern ``"ckpt/rn50_tau{value}_seed{seed}.pth"``.
    data : str, path, torch Dataset or arrays, optional
        The target, or where it lies.
    model, regularizer : str, optional
        Of a pattern: the checkpoints' architecture, and what their values are values of.
    out : path, optional
        The run's folder; default: under ``runs/``.
    split, train_split, test_share, per_class, limit
        Which images are evaluated and trained on, as for :func:`lpa.train_sweep`.
    classes : path, optional
        Names of the target's classes, where the data have numbers only.
    recipe : mapping, optional
        Fields of :class:`~lpa.plans.head_recipe.HeadRecipe` that differ from its defaults:
        ``epochs``, ``learning_rates``, ``weight_decays``, ``seeds``, ``hold_out``, ...
    aug : str, optional
        One augmentation at one strength (``"crop=.5"``): heads are trained on random draws of it
        beside the plain view.
    views : int, optional
        How many draws; default 1.
    seed : int
        Of the order in which heads see the features, and of the draws.
    device, workers, shard
        As for :func:`lpa.scan`.
    precision : str
        Of the backbones' forward passes; heads are trained in float32.
    store : {"float16", "float32"}
        Type of the features in the cache; the error of float16 is measured and recorded.
    images_at_once : int, optional
        Images per forward pass.
    cache : path, optional
        Folder of the features; default: in the user's cache.
    img_size, crop_pct, mean, std, interpolation
        Override the backbones' own preprocessing.
    progress : bool
        Say on standard error what is done.
    max_time : float, optional
        Stop cleanly after so many seconds.
    stop : threading.Event, optional
        Set it to stop cleanly.
    strict : bool
        Refuse a run that is not complete in the end.
    engine, address, unit_time, worker_cpus, worker_gpus
        Who runs the probes, as for :func:`lpa.scan`.

    Returns
    -------
    Run
        What is stored.

    Raises
    ------
    InputError
        For input that cannot be used, and when work failed; what is finished is stored.
    Stopped
        When it was stopped; the same call goes on from there.
    """
    known = inspect.signature(probe).parameters
    options = {
        "address": address, "unit_time": unit_time,
        "worker_cpus": worker_cpus, "worker_gpus": worker_gpus,
    }  # fmt: skip
    check_asked("lpa.probe", {**asked, "max_time": max_time, "engine": engine, **options}, known)
    stop = stop or threading.Event()
    with stopping_after(max_time, stop):
        if _is_embedded(target, asked):
            target, asked = EMBEDDED_TARGET, _with_embedded(asked, stop, engine=engine, **options)
        with engine_named(engine, **options) as runs:
            task = prepare_probe(target, **on_devices_of(runs, asked))
            summaries = task.run(stop, runs)
    task.check_finished(summaries, stop)
    if strict:
        task.check_complete()
    run = reopen(task.store, task.record, strict)
    if task.progress:
        _say_features(run)
        _say_skipped(run)
    return run


_OWN = [
    p for p in inspect.signature(probe).parameters.values() if p.name not in ("asked", "target")
]
probe.__signature__ = inspect.signature(prepare_probe).replace(  # type: ignore[attr-defined]
    parameters=[*inspect.signature(prepare_probe).parameters.values(), *_OWN],
    return_annotation=Run,
)


def estimate_probe(target: Any = None, **asked: Any) -> CellEstimate:
    """Return what a probe would take; the parameters are those of :func:`probe`.

    Of the embedded pair, as long as its backbones are not trained, it is what their training takes.
    """
    check_asked("lpa.estimate_probe", asked, inspect.signature(prepare_probe).parameters)
    if _is_embedded(target, asked):
        sweep = EMBEDDED_SOURCE | {name: asked[name] for name in SHARED if name in asked}
        trainings = prepare_sweep(**sweep)
        if trainings.units:
            return trainings.estimate()
        target, asked = EMBEDDED_TARGET, {**asked, "backbones": str(trainings.store)}
    return prepare_probe(target, **asked).estimate()


def _is_embedded(target: Any, asked: dict[str, Any]) -> bool:
    return target is None and asked.get("data") is None and asked.get("backbones") is None


def _with_embedded(asked: dict[str, Any], stop: threading.Event, **engine: Any) -> dict[str, Any]:
    """Train the embedded backbones where they are not there, and ask for them."""
    if asked.get("progress", True):
        print(
            "backbones: small networks trained on the digits 0 to 4 (give yours with --backbones "
            "RUN --data PATH)",
            file=sys.stderr,
        )
    options = {name: asked[name] for name in SHARED if name in asked}
    run = train_sweep(**EMBEDDED_SOURCE, **options, stop=stop, **engine)
    return {**asked, "backbones": run.location}


def _say_features(run: Run) -> None:
    error = feature_error(run.outcomes.units)
    if error is not None:
        print(f"features: {error}", file=sys.stderr)


def _say_skipped(run: Run) -> None:
    skipped = len(run.outcomes.skips)
    if skipped:
        which = (
            "image cannot be decoded and is" if skipped == 1 else "images cannot be decoded and are"
        )
        shown = f"see `lpa show {shlex.quote(run.location)}`"
        print(f"{skipped} {which} left out; {shown}", file=sys.stderr)
