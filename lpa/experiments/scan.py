"""The scan: pretrained models, real images, augmentations over their strengths.

Check and prepare, compute what is missing, read it back.
"""

from __future__ import annotations

import inspect
import shlex
import sys
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from lpa.engines import engine_named
from lpa.errors import InputError, Stopped
from lpa.experiments.asked import check_asked
from lpa.experiments.devices import on_devices_of
from lpa.experiments.preparation import prepare
from lpa.experiments.reopening import reopen
from lpa.experiments.scan_task import Estimate, ScanTask
from lpa.experiments.time_limit import stopping_after
from lpa.measurement import Summary
from lpa.runs import Run

__all__ = ["estimate", "scan"]


def scan(
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
    """Scan pretrained models over augmentation strengths (paper: Section 3.3, Figures 5 and 6).

    The same call again computes only what is missing. Models, augmentations, values and draws
    extend a run.

    Parameters
    ----------
    models : str, sequence or mapping, optional
        ``"resnet50,vit_s,mine=resnet50@best.pth"``, or ``{"mine": lpa.Model(...)}``; default: a
        packaged EfficientNet-Lite0.
    data : str, path, torch Dataset or arrays, optional
        Default: the embedded photographs.
    aug : str, sequence of str or mapping, optional
        ``"crop,cutout=0,.5"`` or ``{"crop": [1, .5]}``; default: crop, cutout and color_jitter.
    out : path, optional
        The run's folder; default: under ``runs/``, named after data and selection.
    split : str, optional
        ``"val"``, ``"train,val"``; default: the data set's own choice.
    draws : int, optional
        Random draws per value; default 1, and 8 for the embedded photographs.
    per_class, limit : int, optional
        At most so many images of each class, and in all, chosen at random by the seed.
    seed : int
        Seed of every random number.
    classes : path, optional
        Names of the models' outputs: one a line in output order, or JSON name -> index.
    device : str
        ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
    precision : str
        ``auto`` (fp16 on CUDA with small margins repeated in fp32, else fp32), ``fp32``, ``fp16``
        or ``bf16``.
    batch_size : int, optional
        Images per forward pass; default 64 on a CPU, 256 on a GPU.
    workers : int, optional
        Threads that read and decode; default: one per core, at most 8.
    shard : (int, int), optional
        Part i of n of the work, for job arrays that share a run.
    ensemble : bool
        Add the models' mean probability as one more model.
    restrict_classes : bool
        Let models predict only classes that the data have.
    img_size, crop_pct, crop_mode, mean, std, interpolation
        Override the models' own preprocessing; timm's names.
    images : bool
        Store small pictures for the report.
    repair : bool
        Compute damaged units again.
    class_check : bool
        Stop when the confusions at the identity say that classes are matched wrongly.
    progress : bool
        Say on standard error what is done.
    max_time : float, optional
        Stop cleanly after so many seconds.
    stop : threading.Event, optional
        Set it to stop cleanly.
    strict : bool
        Refuse a run that is not complete in the end.
    engine : {"local", "ray"}
        Who runs the work: this process, or a Ray cluster.
    address : str, optional
        Of a Ray cluster, ``"auto"``, ``"ray://HOST:10001"`` or ``"HOST:6379"``; default: one is
        started on this machine for the run.
    unit_time : float, optional
        With Ray: seconds after which a worker that is still at one unit is ended and replaced.
    worker_cpus, worker_gpus : float, optional
        With Ray: processors and GPUs of each worker; default: by the models' size.

    Returns
    -------
    Run
        What is stored, with :meth:`~lpa.Run.curves` and :meth:`~lpa.Run.figure`.

    Raises
    ------
    InputError
        For input that cannot be used, and when work failed or was stopped; what is finished is
        stored.
    """
    known = inspect.signature(scan).parameters
    options = {
        "address": address, "unit_time": unit_time,
        "worker_cpus": worker_cpus, "worker_gpus": worker_gpus,
    }  # fmt: skip
    check_asked("lpa.scan", {**asked, "max_time": max_time, "engine": engine, **options}, known)
    stop = stop or threading.Event()
    with stopping_after(max_time, stop), engine_named(engine, **options) as runs:
        task = prepare(**on_devices_of(runs, asked))
        summaries = task.run(stop, runs)
    _check_finished(task, summaries, stop)
    run = reopen(task.store, task.record, strict)
    if task.progress:
        skips = run.outcomes.skips
        if skips:
            print(
                f"{len(skips)} images cannot be decoded and are left out; `lpa show "
                f"{shlex.quote(str(task.store))}` names them",
                file=sys.stderr,
            )
        for line in _published(task, run):
            print(line, file=sys.stderr, flush=True)
    return run


# The parameters of the preparation are the scan's own: help() shows them.
_OWN = [p for p in inspect.signature(scan).parameters.values() if p.name != "asked"]
scan.__signature__ = inspect.signature(prepare).replace(  # type: ignore[attr-defined]
    parameters=[*inspect.signature(prepare).parameters.values(), *_OWN], return_annotation=Run
)


def estimate(**asked: Any) -> Estimate:
    """Return what a scan would take; the parameters are those of :func:`scan`."""
    check_asked("lpa.estimate", asked, inspect.signature(prepare).parameters)
    return prepare(**asked).estimate()


def _check_finished(task: ScanTask, summaries: Sequence[Summary], stop: threading.Event) -> None:
    failures = [(s.shard, model, reason) for s in summaries for model, reason in s.failures]
    if failures:
        _, model, reason = failures[0]
        raise InputError(
            f"{model} failed in {len({entry[0] for entry in failures})} of {len(task.units)} "
            f"units ({reason}); everything else is stored in {task.store}: mend it and run the "
            f"same command again, or see `lpa show {shlex.quote(str(task.store))}`"
        )
    done = sum(summary.cells for summary in summaries)
    planned = sum(len(unit.cells) for unit in task.units)
    if stop.is_set() and done < planned:
        raise Stopped(
            f"stopped after {done} of {planned} cells, which are stored in {task.store}; "
            "the same command goes on from there"
        )


def _published(task: ScanTask, run: Run) -> list[str]:
    """Compare the identity with the published accuracy, where the data are all that it is of."""
    outcomes = run.outcomes
    whole = task.source.published and task.plan.per_class is None and task.plan.limit is None
    if not whole:
        return []
    lines = []
    correct = outcomes.correct()
    cells = outcomes.cells
    identity = np.array(
        [
            axis is None or outcomes.axes[axis].reference == value
            for axis, value in zip(cells["axis"], cells["value"], strict=True)
        ],
        dtype=bool,
    )
    for model in task.loaded:
        rows = np.flatnonzero(identity & (cells["model"] == model.name).to_numpy())
        if model.published_accuracy is None or not len(rows):
            continue
        accuracy = 100 * float(correct[rows[0]].mean())
        line = f"{model.name}: published {model.published_accuracy:.2f}, measured {accuracy:.2f}"
        if abs(accuracy - model.published_accuracy) > 0.5:
            line += "; warning: more than half a point apart: check data and preprocessing"
        lines.append(line)
    return lines
