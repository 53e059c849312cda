"""New labels: how they are read and matched, and scores under them against a slow loop."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint
from synthetic import CROP, made_up_samples, write_run

from lpa.classes import imagenet
from lpa.errors import InputError
from lpa.outcomes import Outcomes, Samples
from lpa.statistics.means import mean_interval, mean_test
from lpa.statistics.new_labels import label_table, read_new_labels
from lpa.statistics.relabelling import ACCURACY, LOSS, relabelled_accuracy, relabelled_loss

ANY = "expected a JSON object of file name -> label or list of labels, or ReaL's list of 50,000"


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    folder = tmp_path_factory.mktemp("runs") / "run"
    return Outcomes(write_run(folder, per_class=[20, 9, 1, 12], draws=2, pictures=False))


def some_labels(outcomes: Outcomes, seed: int = 0) -> dict[str, list[int | str]]:
    """None, one or two labels for each image, as indices or names."""
    generator = np.random.default_rng(seed)
    labels: dict[str, list[int | str]] = {}
    for name in outcomes.samples.name:
        chosen = generator.choice(4, generator.integers(0, 3), replace=False).tolist()
        labels[name] = [f"n{c}" if generator.uniform() < 0.5 else int(c) for c in chosen]
    return labels


def allowed(entry: list[int | str]) -> set[int]:
    return {int(str(label).removeprefix("n")) for label in entry}


@pytest.mark.parametrize("value", [None, 0.2])
def test_losses_under_both_labels_equal_a_slow_loop(
    outcomes: Outcomes, value: float | None
) -> None:
    labels = some_labels(outcomes)
    table = relabelled_loss(outcomes, labels, value)
    assert tuple(table.columns) == LOSS
    long = outcomes.table()
    for row in table[(table["model"] == "second") & (table["axis"] == "crop")].itertuples():
        here = long[(long["model"] == "second") & (long["axis"] == "crop")
                    & (long["label"] == row.label)]  # fmt: skip
        losses, without = [], 0
        for sample, image in here.groupby("sample"):
            right_new = allowed(labels[outcomes.samples.name[sample]])
            if not right_new:
                without += 1
                continue
            pair = []
            for right in ({row.label}, right_new):
                share = {
                    v: part["prediction"].isin(right).mean() for v, part in image.groupby("value")
                }
                lost = {v: share[1.0] - share[v] for v in sorted(share, reverse=True)}
                area = np.trapezoid(list(lost.values()), x=[1 - v for v in lost]) / 0.92
                pair.append(area if value is None else lost[value])
            losses.append(pair)
        old, new = np.array(losses).T
        half = (old - new) / 2
        assert (row.n, row.n_without) == (len(old), without)
        assert (row.loss, row.new_loss) == pytest.approx((old.mean(), new.mean()))
        assert row.difference == pytest.approx(2 * half.mean())
        low, high = mean_interval(half.sum(), (half**2).sum(), len(half))
        assert (row.low, row.high) == pytest.approx((2 * low, 2 * high), nan_ok=True)
        p = float(mean_test(half.sum(), (half**2).sum(), len(half)))
        assert row.p == pytest.approx(p, nan_ok=True)


def test_accuracies_under_both_labels_are_of_the_same_images(outcomes: Outcomes) -> None:
    labels = some_labels(outcomes, 1)
    table = relabelled_accuracy(outcomes, labels)
    assert tuple(table.columns) == ACCURACY
    part = table[(table["model"] == "first") & (table["axis"] == "crop") & (table["value"] == 1)]
    identity = outcomes.cells.query("model == 'first' and axis == 'crop' and value == 1").index[0]
    prediction = outcomes.column("prediction")[identity]
    for row in part.itertuples():
        right_new = [allowed(labels[name]) for name in outcomes.samples.name]
        kept = [i for i, own in enumerate(outcomes.samples.label) if own == row.label
                and right_new[i]]  # fmt: skip
        hits = sum(prediction[i] in right_new[i] for i in kept)
        assert row.n == len(kept) and row.new_accuracy == pytest.approx(hits / len(kept))
        own = sum(prediction[i] == row.label for i in kept)
        assert row.accuracy == pytest.approx(own / len(kept))
        if len(kept) > 1:
            expected = proportion_confint(hits, len(kept), method="wilson")
            assert (row.new_low, row.new_high) == pytest.approx(expected)


def test_the_same_labels_leave_no_difference(outcomes: Outcomes) -> None:
    samples = outcomes.samples
    labels = {n: [int(c)] for n, c in zip(samples.name, samples.label, strict=True)}
    table = relabelled_loss(outcomes, labels)
    np.testing.assert_allclose(table["difference"], 0.0, atol=1e-12)
    assert (table["n_without"] == 0).all() and (table["p"].dropna() >= 0.5).all()


def test_a_value_that_a_model_lacks_is_noted(outcomes: Outcomes) -> None:
    samples = outcomes.samples
    labels = {n: [int(c)] for n, c in zip(samples.name, samples.label, strict=True)}
    table = relabelled_loss(outcomes, labels, 0.3)
    assert table["axis"].unique().tolist() == ["crop"]
    assert table.attrs["notes"][0] == (
        "first on cutout: nothing measured at 0.3 beside the reference"
    )


def test_files_are_matched_whole_without_folders_and_without_suffix(outcomes: Outcomes) -> None:
    labels = {"0000/00000.jpg": [1], "00001.jpg": [2], "00002.png": [3], "00003": [0, "canoe"]}
    table = label_table(outcomes, labels)
    assert table[:5].tolist() == [[1, -2], [2, -2], [3, -2], [0, 2], [-2, -2]]


def imagenet_run(folder: Path) -> Outcomes:
    """Two ImageNet classes in another order than ImageNet's, named by synset."""
    whole = made_up_samples(2, 2)
    names = tuple(f"ILSVRC2012_val_{k:08d}.JPEG" for k in (3, 1, 4, 2))
    samples = Samples(whole.sample, whole.key, names, whole.label, whole.split, whole.size)
    synsets = [imagenet().names[index] for index in (281, 5)]
    return Outcomes(write_run(
        folder, names=synsets, titles=synsets, samples=samples, models=["m"],
        axes={CROP: (1.0, 0.5)}, pictures=False,
    ))  # fmt: skip


def test_whole_numbers_are_imagenets_where_the_classes_are(tmp_path: Path) -> None:
    outcomes = imagenet_run(tmp_path / "run")
    stems = [f"ILSVRC2012_val_{k:08d}" for k in range(1, 5)]
    table = label_table(outcomes, dict(zip(stems, [[5], [281, 5], [], [7]], strict=True)))
    # In the order of the run: files 3, 1, 4 and 2; class 7 is not in the run.
    assert table.tolist() == [[-2, -2], [1, -2], [-2, -2], [0, 1]]


def test_real_labels_come_from_the_users_own_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "imagenet_x"
    (package / "annotations").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    lists = [[5], [281, 5], [], [7]] + [[0]] * 49_996
    (package / "annotations" / "imagenet_real_labels.jsonl").write_text(json.dumps(lists))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    labels = read_new_labels("real")
    assert labels["ILSVRC2012_val_00000002"] == [281, 5] and len(labels) == 50_000
    assert "imagenet_x" not in sys.modules
    outcomes = imagenet_run(tmp_path / "run")
    assert relabelled_accuracy(outcomes, "real")["n"].unique().tolist() == [1]


def test_a_missing_installation_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError) as caught:
        read_new_labels("real")
    assert str(caught.value) == (
        "the ReaL labels are read from your own installation of imagenet-x, which is not there: "
        "`pip install imagenet-x` (CC-BY-NC), or give a JSON file"
    )


def test_a_json_object_may_hold_single_labels_and_names(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_text('{"a.jpg": 3, "b.jpg": ["canoe", 1], "c.jpg": []}')
    assert read_new_labels(path) == {"a.jpg": [3], "b.jpg": ["canoe", 1], "c.jpg": []}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "{path} is no JSON (Expecting property name enclosed in double quotes: line 1 "
              "column 2 (char 1)); " + ANY),
        ("[[1], [2]]", "{path} holds a list of 2; " + ANY),
        ("3", "{path} holds neither an object nor a list; " + ANY),
        ('{"a.jpg": [1.5]}', "{path}: a.jpg has the label 1.5; " + ANY),
        ('{"a.jpg": true}', "{path}: a.jpg has the label True; " + ANY),
    ],
)  # fmt: skip
def test_other_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "labels.json"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_new_labels(path)
    assert str(caught.value) == message.format(path=path)


def test_labels_that_fit_no_image_or_class_are_refused(outcomes: Outcomes, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_new_labels(tmp_path / "none.json")
    assert str(caught.value) == (
        f"{tmp_path / 'none.json'} cannot be read (No such file or directory); {ANY}"
    )
    with pytest.raises(InputError) as caught:
        label_table(outcomes, {"other.jpg": [1]})
    assert str(caught.value) == (
        f"none of the 42 images of {outcomes.store} has a new label; images are matched by file "
        "name, such as 'other.jpg', and the run has '0000/00000.jpg'"
    )
    with pytest.raises(InputError) as caught:
        label_table(outcomes, {"00000.jpg": [9]})
    assert str(caught.value) == (
        "new label 9 is no index of 4 classes; expected 0 to 3, or names of classes"
    )
