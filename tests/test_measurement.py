"""The hot loop: failures are recorded and the rest is kept; small margins are repeated in fp32."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import tiny
import torch
from torch import Tensor, nn

import lpa
import lpa.measurement
from lpa.experiments.preparation import prepare
from lpa.outcomes import Store, StoredUnits


class Wrapped(nn.Module):
    """A tiny model that does something on the way, when it is told so."""

    def __init__(self, inner: nn.Module, act: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.inner = inner
        self.act = act

    def forward(self, images: Tensor) -> Tensor:
        return self.act(images, self.inner(images))


def acting(act: Callable[[Tensor, Tensor], Tensor], seed: int = 0) -> lpa.Model:
    """The act is shared with the copy that the scan makes, as functions are."""
    return tiny.model(seed, wrapped=lambda inner: Wrapped(inner, act))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.folder(tmp_path_factory.mktemp("data") / "digits", 8)  # 80 images: two shards


AUG = {"crop": [1, 0.6, 0.3], "cutout": [0, 0.3]}


def scan(data: Path, out: Path, models: dict[str, lpa.Model], **changes: Any) -> lpa.Run:
    asked = {"aug": AUG, "progress": False, "workers": 2, "images": False, "device": "cpu"}
    return lpa.scan(models=models, data=data, out=out, **(asked | changes))


def exported(run: lpa.Run, path: Path) -> bytes:
    return run.export(path / "outcomes.parquet").read_bytes()


def timings(out: Path) -> list[dict[str, Any]]:
    return [unit.timings for unit in StoredUnits(Store(out)).units]


# ---- models that fail --------------------------------------------------------------------------


def test_a_model_that_raises_is_recorded_the_others_kept_and_it_is_tried_again(
    data: Path, tmp_path: Path
) -> None:
    broken = threading.Event()

    def act(images: Tensor, logits: Tensor) -> Tensor:
        # Measured images differ from each other; the blank one at loading does not.
        if broken.is_set():
            assert float(images.std()) > 1e9, "no such image\nsecond line"
        return logits

    out = tmp_path / "run"
    models = {"good": tiny.first(), "bad": acting(act, 1)}
    run = scan(data, tmp_path / "whole", models)
    expected = exported(run, tmp_path)
    calls = 0

    def act_twice(images: Tensor, logits: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return act(images, logits)

    failing = {"good": tiny.first(), "bad": acting(act_twice, 1)}
    task = prepare(models=failing, data=data, out=out, aug=AUG, progress=False, images=False)
    broken.set()
    summaries = task.run()
    assert [s.failures for s in summaries] == [[("bad", "AssertionError: no such image")]] * 2
    stored = lpa.open(out)
    assert set(stored.outcomes.cells["model"]) == {"good"}
    assert [f["model"] for f in stored.outcomes.failures] == ["bad", "bad"]
    # Both shards' cells, the identity and three values: nothing else is missing.
    assert [len(f["cells"]) for f in stored.outcomes.failures] == [4, 4]
    assert calls == 1 + 2  # At loading, and once per unit: it is not asked again and again.
    broken.clear()
    again = scan(data, out, failing)
    assert exported(again, tmp_path) == expected
    assert again.outcomes.failures == []


def test_the_command_says_which_model_failed_and_what_to_do(data: Path, tmp_path: Path) -> None:
    def act(images: Tensor, logits: Tensor) -> Tensor:
        if len(images) > 1:
            raise KeyError("weights")
        return logits

    with pytest.raises(lpa.InputError) as caught:
        scan(data, tmp_path / "r", {"good": tiny.first(), "bad": acting(act, 1)})
    assert str(caught.value) == (
        f"bad failed in 2 of 2 units (KeyError: 'weights'); everything else is stored in "
        f"{tmp_path / 'r'}: mend it and run the same command again, or see `lpa show "
        f"{tmp_path / 'r'}`"
    )


def test_outputs_that_are_no_numbers_are_never_stored(data: Path, tmp_path: Path) -> None:
    """One image of the second shard gives NaN: the model's cell there is missing, not wrong."""
    poisoned = threading.Event()

    def act(images: Tensor, logits: Tensor) -> Tensor:
        if poisoned.is_set() and len(images) == 16:
            logits = logits.clone()
            logits[5, 3] = torch.nan
        return logits

    models = {"good": tiny.first(), "bad": acting(act, 1)}
    expected = exported(scan(data, tmp_path / "whole", models), tmp_path)
    poisoned.set()
    with pytest.raises(lpa.InputError, match="the model's outputs are NaN in 4 cells"):
        scan(data, tmp_path / "r", models, ensemble=False)
    kept = lpa.open(tmp_path / "r").outcomes
    assert set(kept.cells["model"]) == {"good"}
    assert {entry.stored for entry in kept.incomplete} == {64}
    poisoned.clear()
    assert exported(scan(data, tmp_path / "r", models), tmp_path) == expected


def test_a_mean_of_models_waits_for_all_its_members(data: Path, tmp_path: Path) -> None:
    broken = threading.Event()

    def act(images: Tensor, logits: Tensor) -> Tensor:
        if broken.is_set() and len(images) > 1:
            raise RuntimeError("broken")
        return logits

    models = {"a": tiny.first(), "b": acting(act, 1)}
    expected = exported(scan(data, tmp_path / "whole", models, ensemble=True), tmp_path)
    broken.set()
    with pytest.raises(lpa.InputError, match="b failed in 2 of 2 units"):
        scan(data, tmp_path / "r", models, ensemble=True)
    kept = lpa.open(tmp_path / "r").outcomes
    assert set(kept.cells["model"]) == {"a"}
    assert {len(failure["cells"]) for failure in kept.failures} == {8}
    broken.clear()
    assert exported(scan(data, tmp_path / "r", models, ensemble=True), tmp_path) == expected


# ---- memory ------------------------------------------------------------------------------------


def test_running_out_of_memory_halves_the_batch_and_is_recorded(data: Path, tmp_path: Path) -> None:
    def act(images: Tensor, logits: Tensor) -> Tensor:
        if len(images) > 20:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")
        return logits

    whole = scan(data, tmp_path / "whole", {"m": tiny.first()}).outcomes
    halved = scan(data, tmp_path / "r", {"m": acting(act)}).outcomes
    np.testing.assert_array_equal(halved.column("prediction"), whole.column("prediction"))
    np.testing.assert_allclose(
        halved.column("label_probability"), whole.column("label_probability"), atol=1e-5
    )
    assert [t["batch_size_after_out_of_memory"] for t in timings(tmp_path / "r")] == [{"m": 16}] * 2
    assert "batch_size_after_out_of_memory" not in timings(tmp_path / "whole")[0]


# ---- half precision ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def halves(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same scan in both precisions, with a mean of two models of different views."""
    root = tmp_path_factory.mktemp("precision")
    models = {"a": tiny.first(), "b": tiny.second()}
    for precision in ("fp32", "bf16"):
        scan(data, root / precision, models, ensemble=True, precision=precision)
    return {precision: root / precision for precision in ("fp32", "bf16")}


def test_rows_of_small_margin_are_those_of_fp32(halves: dict[str, Path]) -> None:
    fine, coarse = (lpa.open(halves[name]).outcomes for name in ("fp32", "bf16"))
    differs = np.abs(fine.column("label_probability") - coarse.column("label_probability")) > 1e-5
    assert differs.any()  # Half precision is at work.
    share = 1 - differs.mean()
    repeated = sum(t["repeated_in_fp32"] for t in timings(halves["bf16"]))
    stored = sum(len(u.cells) * len(u.samples) for u in StoredUnits(Store(halves["bf16"])).units)
    assert 0.02 < repeated / stored < 0.9
    assert share >= repeated / stored
    assert sum(t["repeated_in_fp32"] for t in timings(halves["fp32"])) == 0
    # The margin is that of log-probabilities too; well below the limit, every row is fp32's.
    first = fine.column("prediction_probability")
    # Where the label is second, its probability is; the other rows are left out.
    is_second = fine.column("label_rank") == 1
    second = np.where(is_second, fine.column("label_probability"), 1e-9)
    small = np.log(first / second) < lpa.measurement.SMALL_MARGIN - 0.15
    assert small.sum() > 10
    for name in ("prediction", "label_rank"):
        np.testing.assert_array_equal(fine.column(name)[small], coarse.column(name)[small])
    for name in ("prediction_probability", "label_probability"):
        np.testing.assert_allclose(fine.column(name)[small], coarse.column(name)[small], atol=1e-5)


def test_predictions_of_both_precisions_agree_but_for_ties(halves: dict[str, Path]) -> None:
    fine, coarse = (lpa.open(halves[name]).outcomes for name in ("fp32", "bf16"))
    assert (fine.column("prediction") == coarse.column("prediction")).mean() > 0.999


def test_half_precision_does_not_depend_on_when_cells_were_stored(
    data: Path, halves: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that are repeated are gathered over cells; how many are there must not matter."""
    monkeypatch.setattr(lpa.measurement, "FLUSH_SECONDS", -1.0)
    models = {"a": tiny.first(), "b": tiny.second()}
    run = scan(data, tmp_path / "r", models, ensemble=True, precision="bf16")
    assert len(Store(tmp_path / "r").list("units")) == 8
    assert exported(run, tmp_path) == exported(lpa.open(halves["bf16"]), tmp_path)


# ---- stopping ----------------------------------------------------------------------------------


def test_a_stop_keeps_what_is_finished_and_the_same_call_goes_on(
    data: Path, tmp_path: Path
) -> None:
    stop, armed = threading.Event(), threading.Event()
    passes = 0

    def act(images: Tensor, logits: Tensor) -> Tensor:
        nonlocal passes
        passes += len(images) > 1
        if armed.is_set() and passes == 3:
            stop.set()
        return logits

    models = {"m": acting(act)}
    expected = exported(scan(data, tmp_path / "whole", models), tmp_path)
    passes = 0
    armed.set()
    with pytest.raises(lpa.InputError) as caught:
        scan(data, tmp_path / "r", models, stop=stop)
    assert str(caught.value) == (
        f"stopped after 3 of 8 cells, which are stored in {tmp_path / 'r'}; the same command goes "
        "on from there"
    )
    armed.clear()
    passes = 0
    assert exported(scan(data, tmp_path / "r", models), tmp_path) == expected
    assert passes == 5


def test_no_time_is_no_work_and_nothing_is_lost(data: Path, tmp_path: Path) -> None:
    models = {"m": tiny.first()}
    with pytest.raises(lpa.InputError, match="stopped after 0 of 8 cells"):
        scan(data, tmp_path / "r", models, max_time=0.0)
    assert len(scan(data, tmp_path / "r", models).outcomes.cells) == 5


def test_a_unit_is_one_file_and_its_cells_are_stored_in_parts_when_it_takes_long(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = {"m": tiny.first()}
    at_once = scan(data, tmp_path / "one", models)
    monkeypatch.setattr(lpa.measurement, "FLUSH_SECONDS", -1.0)
    in_parts = scan(data, tmp_path / "parts", models)
    assert len(Store(tmp_path / "one").list("units")) == 2
    assert len(Store(tmp_path / "parts").list("units")) == 8
    assert exported(at_once, tmp_path) == exported(in_parts, tmp_path)


def test_every_stored_unit_is_readable_parquet_by_others(data: Path, tmp_path: Path) -> None:
    scan(data, tmp_path / "r", {"m": tiny.first()})
    for name in Store(tmp_path / "r").list("units"):
        table = pq.read_table(tmp_path / "r" / name)
        assert table.column_names[:3] == ["cell", "sample", "prediction"]
        assert table.num_rows in (4 * 64, 4 * 16)
