"""The scan end to end, on tiny data: equal to a slow loop, and however it came to be."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from PIL import Image
from scipy.special import softmax
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, PILToTensor, Resize
from torchvision.transforms.functional import normalize

import lpa
from lpa.augmentations import build, spec_of
from lpa.datasets import Source, open_data
from lpa.experiments.preparation import prepare
from lpa.experiments.scan import _published
from lpa.outcomes import Store

AUG = {"crop": [1, 0.5, 0.2], "cutout": [0, 0.3], "color_jitter": [0, 0.5]}
REFERENCE = {"crop": 1.0, "cutout": 0.0, "color_jitter": 0.0}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.folder(tmp_path_factory.mktemp("data") / "digits", 7)  # 70 images: two shards


def scan(data: Any, out: Path, models: Any = None, **changes: Any) -> lpa.Run:
    models = models or {"a": tiny.first(), "b": tiny.second()}
    asked = {"aug": AUG, "progress": False, "workers": 2, "images": False, "device": "cpu"}
    return lpa.scan(models=models, data=data, out=out, **(asked | changes))


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> lpa.Run:
    """Two models of different views and their mean, three augmentations, two draws."""
    return scan(data, tmp_path_factory.mktemp("whole") / "run", ensemble=True, draws=2)


def exported(run: lpa.Run, folder: Path) -> bytes:
    return run.export(folder / "outcomes.parquet").read_bytes()


# ---- a slow loop -------------------------------------------------------------------------------

TRANSFORMS = {
    "a": Compose([Resize(32, InterpolationMode.BILINEAR), CenterCrop(32), PILToTensor()]),
    "b": Compose([Resize(28, InterpolationMode.BICUBIC), CenterCrop(24), PILToTensor()]),
}


AUGMENTATIONS = {name: build(spec_of(name)) for name in AUG}


def batch_of_one(model: str, file: Path, cell: Any, seed: int) -> torch.Tensor:
    """One image at one cell, in [0, 1]."""
    image = Image.open(file).convert("RGB")
    view = TRANSFORMS[model](image)[None] / 255
    if cell.value == REFERENCE[cell.axis]:
        return view
    digest = hashlib.blake2b(file.read_bytes(), digest_size=8).digest()
    keys = np.array([int.from_bytes(digest, "little")], dtype=np.uint64)
    augmentation = AUGMENTATIONS[cell.axis]
    size = tuple(view.shape[-2:])
    params = augmentation.draw(keys, cell.value, seed=seed, draw=cell.replicate, size=size)
    if cell.axis != "crop":
        return augmentation(view, params=params)
    seen = {"a": tiny.first(), "b": tiny.second()}[model].preprocessing.view
    (box,) = augmentation.boxes(params, np.array([seen.box(*image.size)]))
    cut = image.resize(size[::-1], {"a": Image.BILINEAR, "b": Image.BICUBIC}[model], box=tuple(box))
    return torch.from_numpy(np.array(cut)).permute(2, 0, 1)[None] / 255


def probabilities(
    model: str, modules: dict[str, torch.nn.Module], batch: torch.Tensor, permitted: list[int]
) -> np.ndarray:
    with torch.no_grad():
        logits = modules[model](normalize(batch, tiny.MEAN, tiny.STD))[0].double().numpy()
    forbidden = np.setdiff1d(np.arange(len(logits)), permitted)
    logits[forbidden] = -np.inf
    return softmax(logits)


def assert_equals_the_slow_loop(
    run: lpa.Run, data: Path, names: dict[str, list[str]], permitted: dict[str, list[int]],
    seed: int = 0,
) -> int:  # fmt: skip
    """Compare every cell of every image; return how many there were.

    ``names`` are the outputs' classes, ``permitted`` the outputs that may be predicted.
    """
    modules = {"a": tiny.first().module, "b": tiny.second().module}
    outcomes = run.outcomes
    found = {name: outcomes.column(name) for name in (
        "prediction", "prediction_probability", "label_rank", "label_probability")}  # fmt: skip
    compared = 0
    for row, cell in enumerate(outcomes.cells.itertuples()):
        members = ["a", "b"] if cell.model == "mean(a,b)" else [cell.model]
        for column in range(0, len(outcomes.samples), 4):
            file = outcomes.samples.name[column]
            shares: list[dict[str, float]] = []
            for member in members:
                batch = batch_of_one(member, data / file, cell, seed)
                share = probabilities(member, modules, batch, permitted[member])
                shares.append(dict(zip(names[member], share, strict=True)))
            classes = list(shares[0])
            mean = np.array([np.mean([share[name] for share in shares]) for name in classes])
            best, label = int(mean.argmax()), file.split("/")[0]
            own = mean[classes.index(label)]
            predicted = int(found["prediction"][row, column])
            assert (run.classes.names[predicted] if predicted >= 0 else "outside") == (
                classes[best] if classes[best] in run.classes.names else "outside"
            ), (cell, file)
            assert found["label_rank"][row, column] == (mean > own).sum(), (cell, file)
            for name, expected in (
                ("prediction_probability", mean[best]), ("label_probability", own)
            ):  # fmt: skip
                assert abs(found[name][row, column] - expected) < 1e-5, (cell, file, name)
            compared += 1
    return compared


def test_outcomes_equal_a_slow_loop_over_single_images(data: Path, whole: lpa.Run) -> None:
    names = {"a": list(tiny.NAMES), "b": list(tiny.NAMES)}
    permitted = {"a": list(range(10)), "b": list(range(10))}
    compared = assert_equals_the_slow_loop(whole, data, names, permitted)
    # Identity under three axes, and four values of two draws each; three models; every fourth of
    # 70 images.
    assert compared == 3 * (3 + 4 * 2) * 18
    labels = [tiny.NAMES.index(name.split("/")[0]) for name in whole.outcomes.samples.name]
    assert whole.outcomes.column("label")[0].tolist() == labels
    top = whole.outcomes.correct().mean(1)
    assert top.max() > 0.9  # The models can do something, so that being right means something.


def test_outcomes_equal_a_slow_loop_when_predictions_are_restricted(
    data: Path, tmp_path: Path
) -> None:
    """Folders of four classes; outputs of the other six may not be predicted."""
    some = tiny.folder(tmp_path / "some", 6, classes=(1, 3, 6, 8))
    run = scan(some, tmp_path / "run", ensemble=True, restrict_classes=True, seed=3)
    names = {"a": list(tiny.NAMES), "b": list(tiny.NAMES)}
    permitted = {"a": [1, 3, 6, 8], "b": [1, 3, 6, 8]}
    assert assert_equals_the_slow_loop(run, some, names, permitted, seed=3) > 0
    assert set(np.unique(run.outcomes.column("prediction"))) <= {1, 3, 6, 8}


def test_outcomes_equal_a_slow_loop_when_outputs_lie_outside_the_classes(tmp_path: Path) -> None:
    """The second model speaks of another class and lists its outputs in another order."""
    order = (7, 2, -1, 0, 9, 1, 4, 3, 8, 5, 6)
    names = ["nothing" if digit < 0 else tiny.NAMES[digit] for digit in order]
    other = tiny.model(1, 24, resize=28, interpolation="bicubic", order=order, classes=names)
    some = tiny.folder(tmp_path / "some", 5)
    run = scan(some, tmp_path / "run", {"a": tiny.first(), "b": other})
    modules = {"a": tiny.first().module, "b": other.module}
    outcomes = run.outcomes
    prediction = outcomes.column("prediction")
    outside = 0
    for row, cell in enumerate(outcomes.cells.itertuples()):
        if cell.model == "a":
            continue
        for column, file in enumerate(outcomes.samples.name):
            share = probabilities(
                "b", modules, batch_of_one("b", some / file, cell, 0), list(range(11))
            )
            best = names[int(share.argmax())]
            expected = -1 if best == "nothing" else tiny.NAMES.index(best)
            outside += expected == -1
            assert prediction[row, column] == expected
            own = share[names.index(file.split("/")[0])]
            assert outcomes.column("label_rank")[row, column] == (share > own).sum()
    assert outside > 5


# ---- what an outcome does not depend on --------------------------------------------------------


def rows_of(run: lpa.Run) -> Any:
    keys = ["model", "axis", "value", "replicate", "sample"]
    return run.outcomes.table().sort_values(keys).reset_index(drop=True)


@pytest.mark.parametrize("size", [1, 7, 64])
def test_the_batch_size_changes_nothing_but_last_bits(
    data: Path, whole: lpa.Run, tmp_path: Path, size: int
) -> None:
    run = scan(data, tmp_path / "run", ensemble=True, draws=2, batch_size=size)
    ours, theirs = rows_of(run), rows_of(whole)
    for column in ("prediction", "label_rank", "label"):
        np.testing.assert_array_equal(ours[column], theirs[column])
    for column in ("prediction_probability", "label_probability"):
        np.testing.assert_allclose(ours[column], theirs[column], atol=1e-5)


def test_the_order_of_models_and_augmentations_changes_no_bit(
    data: Path, whole: lpa.Run, tmp_path: Path
) -> None:
    models = {"b": tiny.second(), "a": tiny.first()}
    aug = dict(reversed(AUG.items()))
    run = scan(data, tmp_path / "run", models, aug=aug, draws=2)
    ours, theirs = rows_of(run), rows_of(whole)
    theirs = theirs[theirs["model"] != "mean(a,b)"].reset_index(drop=True)
    assert ours.equals(theirs)


def test_a_cell_is_the_same_whatever_else_is_computed(
    data: Path, whole: lpa.Run, tmp_path: Path
) -> None:
    run = scan(data, tmp_path / "run", {"b": tiny.second()}, aug={"cutout": [0, 0.3]}, draws=1)
    ours, theirs = rows_of(run), rows_of(whole)
    chosen = (theirs["model"] == "b") & (theirs["axis"] == "cutout") & (theirs["replicate"] == 0)
    assert ours.equals(theirs[chosen].reset_index(drop=True))


@pytest.mark.parametrize("workers", [1, 5])
def test_reading_threads_change_no_byte(
    data: Path, whole: lpa.Run, tmp_path: Path, workers: int
) -> None:
    run = scan(data, tmp_path / "run", ensemble=True, draws=2, workers=workers)
    assert exported(run, tmp_path) == exported(whole, tmp_path)


def test_parts_of_a_job_array_make_one_run(data: Path, whole: lpa.Run, tmp_path: Path) -> None:
    first = scan(data, tmp_path / "run", ensemble=True, draws=2, shard=(2, 2))
    assert len(first.outcomes.cells) == 0  # One part alone holds no whole cell.
    assert {entry.stored for entry in first.outcomes.incomplete} == {6}
    both = scan(data, tmp_path / "run", ensemble=True, draws=2, shard=(1, 2))
    assert exported(both, tmp_path) == exported(whole, tmp_path)


def test_several_devices_share_the_work_and_change_no_byte(
    data: Path, whole: lpa.Run, tmp_path: Path
) -> None:
    task = prepare(
        models={"a": tiny.first(), "b": tiny.second()}, data=data, out=tmp_path / "run", aug=AUG,
        draws=2, ensemble=True, progress=False, images=False, device="cpu",
    )  # fmt: skip
    task.devices = [torch.device("cpu"), torch.device("cpu")]
    summaries = task.run()
    assert sorted(summary.shard for summary in summaries) == [0, 1]
    assert exported(lpa.open(tmp_path / "run"), tmp_path) == exported(whole, tmp_path)


def test_another_seed_gives_other_places_and_the_same_identity(
    data: Path, whole: lpa.Run, tmp_path: Path
) -> None:
    other = rows_of(scan(data, tmp_path / "run", ensemble=True, draws=2, seed=1))
    ours = rows_of(whole)
    identity = ours["value"] == ours["axis"].map(REFERENCE)
    assert other[identity].equals(ours[identity])
    assert not other[~identity].equals(ours[~identity])


# ---- extending ---------------------------------------------------------------------------------


def test_a_run_extended_step_by_step_equals_one_computed_at_once(
    data: Path, whole: lpa.Run, tmp_path: Path
) -> None:
    a, b = {"a": tiny.first()}, {"b": tiny.second()}
    steps: list[tuple[dict[str, lpa.Model], dict[str, Any]]] = [
        (a, {"aug": {"crop": [1, 0.5]}}),
        (b, {"aug": {"crop": [1, 0.5]}}),  # model by model
        (a | b, {"aug": {"cutout": [0, 0.3]}}),  # augmentation by augmentation
        (b, {"aug": {"crop": [0.2]}}),  # value by value
        (a, {"aug": AUG}),
        (b | a, {"aug": {"color_jitter": [0.5]}, "draws": 2}),  # draw by draw
        (a | b, {"ensemble": True}),
        (a | b, {"ensemble": True, "draws": 2}),
    ]
    for models, changes in steps:
        run = scan(data, tmp_path / "run", models, **changes)
    assert exported(run, tmp_path) == exported(whole, tmp_path)
    # Nothing was computed twice: every cell of every shard stands in one unit.
    cells = [(unit.shard, cell.id) for unit in run.outcomes.units for cell in unit.cells]
    assert len(cells) == len(set(cells)) == 2 * 3 * (1 + 4 * 2)


def test_the_same_again_computes_nothing(data: Path, tmp_path: Path) -> None:
    scan(data, tmp_path / "run")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")}
    again = prepare(
        models={"a": tiny.first(), "b": tiny.second()}, data=data, out=tmp_path / "run", aug=AUG,
        progress=False, images=False,
    )  # fmt: skip
    assert again.units == []
    scan(data, tmp_path / "run")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")} == before


# ---- a dry run, and pictures -------------------------------------------------------------------


def test_an_estimate_counts_what_is_missing_and_writes_nothing(data: Path, tmp_path: Path) -> None:
    models = {"a": tiny.first(), "b": tiny.second()}
    asked = {"data": data, "out": tmp_path / "run", "aug": AUG, "progress": False}
    first = lpa.estimate(models=models, ensemble=True, draws=2, **asked)
    assert not (tmp_path / "run").exists()
    # A shard is a unit; the identity and four values of two draws; the mean needs no pass.
    assert (first.units, first.cells, first.passes) == (2, 2 * 3 * 9, 2 * 9 * 70)
    assert first.stored_bytes == 7 * 3 * 9 * 70
    assert first.seconds > 0
    assert str(first).startswith("2 units, 54 cells, 1260 forward passes, about 0.0 MB on disk, ")
    scan(data, tmp_path / "run", models, images=True)
    files = sorted((tmp_path / "run").rglob("*"))
    assert lpa.estimate(models=models, **asked).passes == 0
    left = lpa.estimate(models=models, ensemble=True, draws=2, **asked)
    # The second draws of both, and the mean, which needs both models at every condition.
    assert (left.cells, left.passes) == (2 * (9 + 2 * 4), 2 * 9 * 70)
    assert sorted((tmp_path / "run").rglob("*")) == files


def test_pictures_and_strips_are_kept_and_can_be_decoded(data: Path, tmp_path: Path) -> None:
    import io

    import pyarrow.parquet as pq

    run = scan(data, tmp_path / "run", images=True, draws=2)
    folder = tmp_path / "run" / "examples"
    pictures = pq.read_table(sorted(folder.glob("pictures-*"))).to_pylist()
    assert sorted(row["sample"] for row in pictures) == list(range(70))  # At most nine a class.
    strips = pq.read_table(sorted(folder.glob("strips-*"))).to_pylist()
    # The first image of each of ten classes; the identity and every value, in the first draw.
    assert len(strips) == 10 * (1 + 4)
    assert {row["replicate"] for row in strips} == {0}
    assert len({row["sample"] for row in strips}) == 10
    for row in pictures + strips:
        assert Image.open(io.BytesIO(row["image"])).size == (32, 32)
    identity = next(r for r in strips if r["axis"] is None)
    shown = np.array(Image.open(io.BytesIO(identity["image"])).convert("RGB"), dtype=float)
    file = data / run.outcomes.samples.name[identity["sample"]]
    seen = TRANSFORMS["a"](Image.open(file).convert("RGB")).permute(1, 2, 0).numpy()
    assert np.abs(shown - seen).mean() < 12  # WebP is lossy.


def test_data_that_must_not_leave_leave_no_picture(data: Path, tmp_path: Path) -> None:
    scan(data, tmp_path / "run", images=False)
    assert not (tmp_path / "run" / "examples").exists()


# ---- data that fail ----------------------------------------------------------------------------


class Flaky:
    """Reads a source, and fails for some of it."""

    def __init__(self, inner: Callable[[int], Any]) -> None:
        self.inner = inner
        self.fail: set[int] = set()

    def __call__(self, index: int) -> Any:
        if index in self.fail:
            raise OSError("[Errno 5] the network is gone")
        return self.inner(index)


def flaky(data: Path) -> tuple[Source, Flaky]:
    source = open_data(data)
    reader = Flaky(source.reader)
    return replace(source, reader=reader), reader


def test_data_that_cannot_be_read_fail_their_unit_which_is_tried_again(
    data: Path, whole: lpa.Run, tmp_path: Path
) -> None:
    source, reader = flaky(data)
    task = prepare(
        models={"a": tiny.first(), "b": tiny.second()}, data=source, out=tmp_path / "run", aug=AUG,
        draws=2, ensemble=True, progress=False, images=False,
    )  # fmt: skip
    reader.fail = {66}
    summaries = task.run()
    reason = "data cannot be read: [Errno 5] the network is gone"
    assert [s.failures for s in summaries] == [[], [("data", reason)]]
    with pytest.raises(lpa.InputError) as caught:
        scan(source, tmp_path / "run", ensemble=True, draws=2)
    assert str(caught.value) == (
        f"data failed in 1 of 1 units ({reason}); everything else is stored in "
        f"{tmp_path / 'run'}: mend it and run the same command again, or see `lpa show "
        f"{tmp_path / 'run'}`"
    )
    reader.fail = set()
    run = scan(source, tmp_path / "run", ensemble=True, draws=2)
    assert exported(run, tmp_path) == exported(whole, tmp_path)
    assert run.outcomes.failures == []


def test_a_source_that_cannot_be_read_from_the_start_leaves_nothing(
    data: Path, tmp_path: Path
) -> None:
    source, reader = flaky(data)
    reader.fail = {3}
    with pytest.raises(lpa.InputError) as caught:
        scan(source, tmp_path / "run")
    assert str(caught.value) == (
        f"{data} cannot be read ([Errno 5] the network is gone); expected readable files: check "
        "the path and its permissions, then run the same command again"
    )
    assert not (tmp_path / "run").exists()


def test_what_cannot_be_decoded_is_a_skip_in_every_cell(tmp_path: Path) -> None:
    folder = tiny.folder(tmp_path / "digits", 3)
    (folder / "two" / "001.png").write_bytes(b"this is no picture")
    (folder / "six" / "000.png").write_bytes(b"")
    run = scan(folder, tmp_path / "run")
    names = run.outcomes.samples.name
    assert len(names) == 28
    assert not {"two/001.png", "six/000.png"} & set(names)
    assert len(run.outcomes.declared) == 30
    skipped = {run.outcomes.declared.name[s]: reason for s, reason in run.outcomes.skips.items()}
    assert skipped == {
        "six/000.png": "the file is empty",
        "two/001.png": "not an image of a known format",
    }
    assert run.outcomes.incomplete == []
    assert set(run.outcomes.counts["n"]) == {2, 3}


def test_a_shard_of_nothing_but_rubbish_does_not_end_the_run(tmp_path: Path) -> None:
    folder = tiny.folder(tmp_path / "digits", 7)
    for file in sorted(folder.rglob("*.png"))[64:]:
        file.write_bytes(b"rubbish of " + file.name.encode())
    run = scan(folder, tmp_path / "run")
    assert len(run.outcomes.samples) == 64
    assert len(run.outcomes.cells) == 2 * (3 + 4)
    again = prepare(
        models={"a": tiny.first(), "b": tiny.second()}, data=folder, out=tmp_path / "run",
        aug=AUG, progress=False,
    )  # fmt: skip
    assert again.units == []


def test_a_file_that_changed_is_named(tmp_path: Path) -> None:
    folder = tiny.folder(tmp_path / "digits", 3)
    scan(folder, tmp_path / "run", {"a": tiny.first()})
    tiny.picture(99).save(folder / "two" / "001.png")
    with pytest.raises(lpa.InputError) as caught:
        scan(folder, tmp_path / "run", {"b": tiny.second()})
    assert str(caught.value) == (
        "two/001.png has changed since the run began; expected the same bytes: restore the file, "
        "or start a new run with --out DIR"
    )


def at_identity(run: lpa.Run, model: str) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and labels of a model at the identity."""
    cells = run.outcomes.cells
    rows = (cells["model"] == model) & (cells["axis"] == "crop") & (cells["value"] == 1)
    (row,) = np.flatnonzero(rows)
    return run.outcomes.column("prediction")[row], run.outcomes.column("label")[row]


# ---- are the classes matched rightly? ----------------------------------------------------------


def test_permuted_outputs_stop_the_run_and_the_suggested_file_mends_it(
    data: Path, tmp_path: Path
) -> None:
    right = scan(data, tmp_path / "right", {"m": tiny.first()})
    # The check comes with the first 64 images: nine whole classes, and one image of the tenth,
    # which says nothing.
    prediction, label = (column[:63] for column in at_identity(right, "m"))
    accuracy = 100 * (prediction == label).mean()
    speaks_of = np.array([3, 1, 4, 0, 5, 9, 2, 6, 8, 7])
    matched = 100 * (np.argsort(speaks_of)[prediction] == label).mean()
    with pytest.raises(lpa.InputError) as caught:
        scan(data, tmp_path / "wrong", {"m": tiny.permuted()})
    file = tmp_path / "wrong" / "suggested-classes-m.json"
    assert str(caught.value) == (
        f"model 'm' gets {matched:.1f} % of 63 images right, and {accuracy:.1f} % when its "
        f"classes are matched otherwise: check them; a suggestion is in {file}, to be used with "
        "--classes and another --out; if they are right, go on with --no-class-check"
    )
    assert matched < 35 < 90 < accuracy
    # The identity is stored by now, and the same call again still does not go on in silence.
    with pytest.raises(lpa.InputError, match=r"gets [0-9.]+ % of [0-9]+ images right"):
        scan(data, tmp_path / "wrong", {"m": tiny.permuted()})
    forced = scan(data, tmp_path / "wrong", {"m": tiny.permuted()}, class_check=False)
    assert not forced.outcomes.incomplete
    mended = scan(data, tmp_path / "mended", {"m": tiny.permuted()}, classes=file)
    keys = ["axis", "value", "replicate", "sample"]
    ours, theirs = (
        run.outcomes.table().sort_values(keys)["label_rank"].to_numpy() for run in (mended, right)
    )
    np.testing.assert_array_equal(ours, theirs)


def test_the_suggestion_works_for_a_model_with_outputs_outside_the_classes(
    data: Path, tmp_path: Path
) -> None:
    names = ["nothing", *tiny.NAMES]
    order = (-1, 3, 1, 4, 0, 5, 9, 2, 6, 8, 7)
    wrong = tiny.model(1, 24, resize=28, order=order, classes=names)
    models = {"good": tiny.first(), "m": wrong}
    with pytest.raises(lpa.InputError, match="model 'm' gets"):
        scan(data, tmp_path / "wrong", models)
    file = tmp_path / "wrong" / "suggested-classes-m.json"
    mended = scan(data, tmp_path / "mended", {"m": wrong}, classes=file)
    assert np.equal(*at_identity(mended, "m")).mean() > 0.6


def test_a_weak_model_is_not_stopped(data: Path, tmp_path: Path) -> None:
    class Weak(torch.nn.Module):
        def __init__(self, inner: torch.nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            noise = torch.Generator().manual_seed(4)
            return 0.1 * self.inner(images) + torch.randn(len(images), 10, generator=noise)

    run = scan(data, tmp_path / "run", {"m": tiny.model(0, wrapped=Weak)})
    assert 0.1 < np.equal(*at_identity(run, "m")).mean() < 0.6


# ---- the published accuracy --------------------------------------------------------------------


@pytest.mark.parametrize(("above", "warned"), [(0.4, False), (0.6, True), (-0.6, True)])
def test_the_published_accuracy_is_compared_where_the_data_are_all_that_it_is_of(
    data: Path, whole: lpa.Run, tmp_path: Path, above: float, warned: bool
) -> None:
    task = prepare(
        models={"a": tiny.first()}, data=data, out=tmp_path / "run", aug=AUG, progress=False
    )
    accuracy = 100 * np.equal(*at_identity(whole, "a")).mean()
    task.loaded = [replace(task.loaded[0], published_accuracy=accuracy + above)]
    assert _published(task, whole) == []
    task.source = replace(task.source, published=True)
    (line,) = _published(task, whole)
    expected = f"a: published {accuracy + above:.2f}, measured {accuracy:.2f}"
    warning = "; warning: more than half a point apart: check data and preprocessing"
    assert line == expected + (warning if warned else "")


# ---- what cannot be ----------------------------------------------------------------------------


def refused(data: Any, out: Path, models: Any = None, **changes: Any) -> str:
    with pytest.raises(lpa.InputError) as caught:
        scan(data, out, models, **changes)
    return str(caught.value)


def test_a_run_of_other_data_or_seed_or_selection_is_refused_with_both_values(
    data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    scan(data, out, {"a": tiny.first()})
    tail = (
        " was asked for; models, augmentations, values and draws extend a run, this does not: give "
        "another directory with --out DIR"
    )
    model = {"a": tiny.first()}
    assert refused(data, out, model, seed=1) == f"{out} is a run with seed 0, and 1{tail}"
    assert refused(data, out, model, per_class=2) == (
        f"{out} is a run with per-class (default), and 2{tail}"
    )
    assert refused(data, out, model, limit=9) == (
        f"{out} is a run with limit (default), and 9{tail}"
    )
    assert refused(data, out, model, precision="bf16") == (
        f"{out} is a run with precision fp32, and bf16{tail}"
    )
    other = tiny.folder(tmp_path / "digits", 4)
    message = refused(other, out, model)
    # Four pictures of each of the ten classes instead of seven.
    assert message == (
        f"{out} is a run of other data: compared with its 70 files: 30 gone (first 'eight/004.png')"
        + tail.removeprefix(" was asked for")
    )


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("draws", "x", "a whole number, e.g. 8"),
        ("limit", 1.5, "a whole number, e.g. 8"),
        ("shard", "1/2", "part and number of parts, e.g. (3, 100)"),
        ("mean", 0.5, "three numbers, e.g. (0.485, 0.456, 0.406)"),
        ("img_size", "big", "pixels, e.g. 224 or (height, width)"),
        ("max_time", "3:00", "a number of seconds, e.g. 3600"),
        ("out", 3, "a path"),
    ],
)
def test_an_option_of_the_wrong_kind_is_refused_before_anything_is_loaded(
    option: str, value: Any, expected: str
) -> None:
    with pytest.raises(lpa.InputError) as caught:
        lpa.scan(models="no-such-model", **{option: value})
    assert str(caught.value) == f"lpa.scan({option}={value!r}): expected {expected}"


def test_an_option_that_there_is_not_is_answered_with_the_nearest() -> None:
    with pytest.raises(lpa.InputError) as caught:
        lpa.scan(modles="resnet50")
    assert str(caught.value) == (
        "unknown option of lpa.scan 'modles': did you mean 'models' or 'crop_mode' or 'images'?"
    )
    with pytest.raises(lpa.InputError) as caught:
        lpa.estimate(max_time=3)
    assert str(caught.value).startswith("unknown option of lpa.estimate 'max_time'")


@pytest.mark.parametrize("aug", [3, ["crop", 3]])
def test_augmentations_of_another_kind_are_refused(aug: Any) -> None:
    with pytest.raises(lpa.InputError) as caught:
        lpa.scan(aug=aug)
    assert str(caught.value) == (
        f"aug={aug!r}: expected names and values, e.g. 'crop,cutout=0,.5' or {{'crop': [1, .5]}}"
    )


def test_a_name_of_the_run_with_other_weights_is_refused(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    scan(data, out, {"a": tiny.first()})
    assert refused(data, out, {"a": tiny.second()}) == (
        f"model 'a' is in {out} with other weights, preprocessing or classes; expected the same: "
        "give it another name (new=a) or another --out DIR"
    )


def test_one_model_under_two_names_is_refused(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    text = (
        "model 'b' has the weights, preprocessing and classes of 'a'; expected different models "
        "in one run: leave 'b' out, or give another --out DIR"
    )
    assert refused(data, out, {"a": tiny.first(), "b": tiny.first()}) == text
    assert not out.exists()
    scan(data, out, {"a": tiny.first()})
    assert refused(data, out, {"b": tiny.first()}) == text


def test_a_foreign_folder_is_refused_before_anything_is_read(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "photos"
    out.mkdir()
    (out / "holiday.txt").write_text("sun")
    source, reader = flaky(data)
    reader.fail = {0}
    assert refused(source, out) == (
        f"{out} holds other files (holiday.txt) and no run; expected an empty or new directory, "
        "or a run: give another with --out DIR"
    )
    assert [path.name for path in out.iterdir()] == ["holiday.txt"]


def test_what_a_kill_leaves_of_a_beginning_run_is_not_foreign(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    out.mkdir()
    (out / ".put-half").write_bytes(b"PAR")
    (out / "samples.parquet").write_bytes(b"of another selection")
    assert len(scan(data, out).outcomes.samples) == 70


def test_a_model_without_an_output_for_a_class_leaves_no_run_behind(
    data: Path, tmp_path: Path
) -> None:
    few = tiny.model(0, order=range(9), classes=tiny.NAMES[:9])
    message = refused(data, tmp_path / "run", {"a": tiny.first(), "few": few})
    assert message == (
        "model 'few' has no output for 1 of the 10 classes of the data ('nine'); expected every "
        "class: name its outputs with --classes FILE, or scan it in a run of its own with --out "
        "DIR"
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"draws": 0}, "draws 0 is out of range; expected at least 1"),
        ({"workers": 0}, "--workers 0 is out of range; expected at least 1"),
        ({"batch_size": 0}, "--batch-size 0 is out of range; expected at least 1"),
        ({"shard": (3, 2)}, "--shard 3/2 is out of range; expected i/n with i from 1 to n, e.g. "
         "3/100"),
        ({"precision": "fp16"}, "precision 'fp16' is not for a CPU; expected fp32, or --device "
         "cuda"),
        ({"models": {"a": 3}}, "model 'a' is 3; expected a name, or lpa.Model(module, "
         "preprocessing, classes)"),
    ],
)  # fmt: skip
def test_options_that_cannot_be_are_refused(
    data: Path, tmp_path: Path, changes: dict[str, Any], text: str
) -> None:
    assert refused(data, tmp_path / "run", **changes) == text
    assert not (tmp_path / "run").exists()


# ---- damage ------------------------------------------------------------------------------------


def unit_files(out: Path) -> list[Path]:
    return sorted((out / "units").iterdir())


def test_a_cut_off_unit_is_named_and_computed_again_on_request(
    data: Path, whole: lpa.Run, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    scan(data, out, ensemble=True, draws=2)
    first = unit_files(out)[0]
    first.write_bytes(first.read_bytes()[:-100])
    assert refused(data, out, ensemble=True, draws=2) == (
        f"{out}/units/{first.name} is damaged (1 in all): run the same command with --repair to "
        "compute it again"
    )
    asked = {"models": {"a": tiny.first(), "b": tiny.second()}, "data": data, "out": out,
             "aug": AUG, "progress": False}  # fmt: skip
    estimate = lpa.estimate(**asked, ensemble=True, draws=2, repair=True)
    assert (estimate.units, estimate.cells) == (1, 27)
    assert first.exists()  # An estimate removes nothing.
    run = scan(data, out, ensemble=True, draws=2, repair=True)
    assert exported(run, tmp_path) == exported(whole, tmp_path)


def test_damage_inside_of_a_page_is_found_and_repaired(
    data: Path, whole: lpa.Run, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    scan(data, out, ensemble=True, draws=2)
    first = unit_files(out)[0]
    content = bytearray(first.read_bytes())
    content[len(content) // 3] ^= 0xFF  # Within the pages, which come before the footer.
    first.write_bytes(bytes(content))
    with pytest.raises(lpa.InputError) as caught:
        exported(lpa.open(out), tmp_path)
    assert str(caught.value) == (
        f"{out}/units/{first.name} is damaged: run the same scan with --repair to compute it "
        "again, or delete the file"
    )
    run = scan(data, out, ensemble=True, draws=2, repair=True)
    assert exported(run, tmp_path) == exported(whole, tmp_path)


def test_a_full_disk_is_one_clear_line_and_what_was_finished_is_kept(
    data: Path, whole: lpa.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno
    import os

    out = tmp_path / "run"
    real, written = os.fsync, 0

    def full(handle: int) -> None:
        nonlocal written
        written += 1
        if written > 4:  # Samples, record, plan and the first unit fit; the second does not.
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    assert refused(data, out, ensemble=True, draws=2) == (
        f"no space left on the disk of {out}: what was finished is kept; free some space and run "
        "the same command again"
    )
    monkeypatch.undo()
    assert len(unit_files(out)) == 1
    assert not list(out.rglob(".put-*"))
    assert Store(out).exists("run.json")
    run = scan(data, out, ensemble=True, draws=2)
    assert exported(run, tmp_path) == exported(whole, tmp_path)
    assert len(unit_files(out)) == 2
