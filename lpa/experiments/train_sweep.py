"""The training sweep: one architecture over the values of a regularizer and many seeds.

Check and prepare, train what is missing, read it back.
"""

from __future__ import annotations

import inspect
import shlex
import sys
import threading
from collections.abc import Sequence
from typing import Any

from lpa.engines import engine_named
from lpa.experiments.asked import check_asked
from lpa.experiments.cell_task import CellEstimate, CellSummary, CellTask
from lpa.experiments.devices import on_devices_of
from lpa.experiments.reopening import reopen
from lpa.experiments.sweep_preparation import prepare_sweep
from lpa.experiments.time_limit import stopping_after
from lpa.runs import Run

__all__ = ["estimate_sweep", "train_sweep"]


def train_sweep(
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
    """Train one architecture over a regularizer's values (paper: Section 2.1, Figures 2, 3, 7-10).

    Every model is evaluated on every test sample. The same call again trains only what is missing;
    values, seeds, policies and axes extend a run.

    Parameters
    ----------
    model : str
        ``small_cnn`` (default), ``small_resnet``, ``small_vit``, or any architecture of
        torchvision or timm; ``NAME=ARCHITECTURE`` names it.
    data : str, path, torch Dataset or arrays
        As for :func:`lpa.scan`; default: scikit-learn's digits.
    regularizer : str
        What is swept, ``"random_crop"`` (default), ``"weight_decay"``, ``"dropout"``, ...; options
        in brackets. :func:`lpa.list_regularizers` lists them.
    values : str or sequence of float, optional
        ``"1,.5,.08"``; the reference is always trained. Default: the regularizer's grid.
    seeds : int
        Trainings at each value; default 5.
    held : mapping of str to float, optional
        Other regularizers, held fixed.
    policies : str or sequence of str, optional
        ``"plain"`` (default), ``"class_dependent=policy.json"``, ...; each is one of the run's
        models.
    checkpoints : str, optional
        Pattern of ready checkpoints, ``"ckpt/rn50_tau{value}_seed{seed}.pth"``: they are
        evaluated, and nothing is trained.
    out : path, optional
        The run's folder; default: under ``runs/``.
    split, train_split, test_share, per_class, limit
        Which images are evaluated and trained on; data with one split are divided.
    recipe : mapping, optional
        Fields of the training recipe that differ from the architecture's own: ``epochs``,
        ``batch_size``, ``optimizer``, ``learning_rate``, ...
    seed : int
        Every random number derives from it.
    device, precision, workers, shard
        As for :func:`lpa.scan`; precision is that of the training, ``auto`` bf16 on CUDA.
    keep : {"last", "best", "none"}
        Which weights are kept, to be scanned or probed by the run's name. ``best`` needs
        ``recipe={"hold_out": ...}`` and is then what is evaluated, too.
    stack : int or "auto"
        How many small models train as one batched model.
    cache : path, optional
        Folder of the cache of decoded images.
    img_size, crop_pct, mean, std, interpolation
        Override the model's own preprocessing.
    compiled : bool
        Compile the forward pass.
    retry : bool
        Try diverged trainings again.
    progress : bool
        Say on standard error what is done.
    max_time : float, optional
        Stop cleanly after so many seconds; the trainings under way are kept to go on later.
    stop : threading.Event, optional
        Set it to stop cleanly.
    strict : bool
        Refuse a run that is not complete in the end.
    engine, address, unit_time, worker_cpus, worker_gpus
        Who runs the trainings, as for :func:`lpa.scan`.

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
    known = inspect.signature(train_sweep).parameters
    options = {
        "address": address, "unit_time": unit_time,
        "worker_cpus": worker_cpus, "worker_gpus": worker_gpus,
    }  # fmt: skip
    given = {**asked, "max_time": max_time, "engine": engine, **options}
    check_asked("lpa.train_sweep", given, known)
    stop = stop or threading.Event()
    with stopping_after(max_time, stop), engine_named(engine, **options) as runs:
        task = prepare_sweep(**on_devices_of(runs, asked))
        summaries = task.run(stop, runs)
    task.check_finished(summaries, stop)
    if strict:
        task.check_complete()
    run = reopen(task.store, task.record, strict)
    if task.progress:
        _say_left_out(task, summaries, run)
    return run


_OWN = [p for p in inspect.signature(train_sweep).parameters.values() if p.name != "asked"]
train_sweep.__signature__ = inspect.signature(prepare_sweep).replace(  # type: ignore[attr-defined]
    parameters=[*inspect.signature(prepare_sweep).parameters.values(), *_OWN],
    return_annotation=Run,
)


def estimate_sweep(**asked: Any) -> CellEstimate:
    """Return what a sweep would take; the parameters are those of :func:`train_sweep`."""
    check_asked("lpa.estimate_sweep", asked, inspect.signature(prepare_sweep).parameters)
    return prepare_sweep(**asked).estimate()


def _say_left_out(task: CellTask, summaries: Sequence[CellSummary], run: Run) -> None:
    """Say what is not in the outcomes: trainings that diverged, images that cannot be decoded."""
    diverged = len(task.diverged) + sum(len(summary.failures) for summary in summaries)
    shown = f"see `lpa show {shlex.quote(str(task.store))}`"
    if diverged:
        which = "training diverged and has" if diverged == 1 else "trainings diverged and have"
        print(
            f"{diverged} {which} no outcomes; {shown}, --retry trains again what diverged",
            file=sys.stderr,
        )
    skipped = len(run.outcomes.skips)
    if skipped:
        which = (
            "image cannot be decoded and is" if skipped == 1 else "images cannot be decoded and are"
        )
        print(f"{skipped} {which} left out; {shown}", file=sys.stderr)
