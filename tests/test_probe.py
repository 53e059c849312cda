"""Probes of small networks on scikit-learn's digits, from the call to stored outcomes."""

from __future__ import annotations

import io
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import tiny
import torch
import torchvision
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import nn

import lpa
from lpa.forward import DeviceModel
from lpa.outcomes import Outcomes, read_counts
from lpa.probing import features

HEADS = {"epochs": 5, "learning_rates": [5.0], "weight_decays": [1e-3, 1e-2]}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep over two values and two seeds on the digits 0 to 4."""
    run = lpa.train_sweep(
        model="small_cnn", data="digits-0-4", values=[1, 0.3], seeds=2, limit=200,
        recipe={"epochs": 2}, device="cpu", workers=1, progress=False,
        out=tmp_path_factory.mktemp("sweep") / "source",
    )  # fmt: skip
    return Path(run.location)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def source(trained: Path, folder: Path) -> str:
    shutil.copytree(trained, folder / "source")
    return "source"


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images went through a backbone, pass by pass."""
    seen: list[int] = []
    own = DeviceModel.logits

    def counting(self: DeviceModel, images: torch.Tensor, *, exact: bool = False) -> torch.Tensor:
        seen.append(len(images))
        return own(self, images, exact=exact)

    monkeypatch.setattr(DeviceModel, "logits", counting)
    return seen


def probe(target: Any = "digits-5-9", out: str = "run", **changes: Any) -> lpa.Run:
    asked: dict[str, Any] = {
        "backbones": "source", "recipe": HEADS, "device": "cpu", "workers": 1, "progress": False,
        "cache": "cache", "out": out,
    }  # fmt: skip
    return lpa.probe(target, **(asked | changes))


def refusal(*target: Any, **changes: Any) -> str:
    with pytest.raises(lpa.InputError) as caught:
        probe(*target, **changes)
    return str(caught.value)


def exported(out: str) -> bytes:
    return lpa.open(out).export(Path(f"{out}.parquet")).read_bytes()


def places(run: lpa.Run) -> list[tuple[str, float, int]]:
    rows = run.outcomes.cells[["model", "value", "replicate"]]
    return sorted(rows.itertuples(index=False, name=None))


PLACES = [("small_cnn", value, seed) for value in (0.3, 1.0) for seed in (0, 1)]


# ---- what is stored ------------------------------------------------------------------------------


def test_outcomes_stand_at_the_backbones_places_on_the_axis_of_their_sweep(source: str) -> None:
    run = probe()
    assert places(run) == PLACES
    assert list(run.axes) == ["random_crop"] and run.axes["random_crop"].reference == 1.0
    outcomes = run.outcomes
    assert outcomes.incomplete == [] and outcomes.record.kind == "probe"
    assert outcomes.classes.names == ("5", "6", "7", "8", "9")
    table = outcomes.table()
    assert len(table) == 4 * len(outcomes.samples)
    right = table["prediction"] == table["label"]
    assert (right == (table["label_rank"] == 0)).all() and 0.5 < right.mean() < 1
    assert len({tuple(row) for row in outcomes.column("label_probability").tolist()}) == 4


def test_the_outcomes_are_those_of_logistic_regression_on_the_backbones_features(
    source: str,
) -> None:
    run = probe(store="float32", recipe={"epochs": 400, "learning_rates": [25.0],
                                         "weight_decays": [1e-2]})  # fmt: skip
    (kept,) = lpa.models.kept_models.find_kept("source#random_crop=0.3#1")
    module = lpa.models.load(lpa.models.parse_models("run:source#random_crop=0.3#1")[0]).module
    seen: list[torch.Tensor] = []
    module.head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    grey, labels = tiny.digits()
    own = np.flatnonzero(labels >= 5)
    pixels = torch.from_numpy(grey[own]).float()[:, None].expand(-1, 3, -1, -1) / 255
    with torch.no_grad():
        module.eval()((pixels - 0.5) / 0.5)
    vectors = seen[0].numpy()
    evaluated = run.outcomes.samples.sample
    others = np.setdiff1d(np.arange(len(own)), evaluated)
    scaler = StandardScaler().fit(vectors[others])
    theirs = LogisticRegression(C=1 / (1e-2 * len(others)), max_iter=5000, tol=1e-8)
    theirs.fit(scaler.transform(vectors[others]), labels[own][others] - 5)
    expected = theirs.predict_proba(scaler.transform(vectors[evaluated]))
    cells = run.outcomes.cells
    (row,) = np.flatnonzero((cells["value"] == 0.3) & (cells["replicate"] == 1))
    chosen = expected[np.arange(len(evaluated)), run.outcomes.samples.label]
    found = run.outcomes.column("label_probability")[row]
    np.testing.assert_allclose(found, chosen, atol=0.02)
    agree = (run.outcomes.column("prediction")[row] == expected.argmax(axis=1)).mean()
    assert agree > 0.99 and kept.facts.value == 0.3


def test_the_source_is_stored_beside_the_target(source: str) -> None:
    run = probe()
    counts = read_counts(run.outcomes.store, "source")
    sweep = Outcomes("source").counts
    keys = ["model", "axis", "value", "replicate", "class"]
    theirs = sweep.sort_values(keys, ignore_index=True)
    pd.testing.assert_frame_equal(
        counts.sort_values(keys, ignore_index=True), theirs, check_dtype=False
    )
    (facts,) = run.outcomes.record.reference["source"]["runs"]
    assert facts["name"] == "source" and facts["data"] == "digits-0-4" and facts["classes"] == 5


def test_evaluated_images_that_the_backbones_were_trained_on_are_counted_and_said(
    source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = probe("digits", progress=True)
    trained = set(pq.read_table("source/training-samples.parquet")["key"].to_pylist())
    evaluated = run.outcomes.samples.key.tolist()
    seen = sum(key in trained for key in evaluated)
    assert 0 < seen < len(evaluated)
    assert (
        f"        {seen} of {len(evaluated)} evaluated images are among those that the backbones "
        "of source were trained on: this is no other data set\n"
    ) in capsys.readouterr().err
    assert (
        f"<li>{seen} evaluated images of {len(evaluated)} are among those that the backbones of "
        "source were trained on: what is said of them does not speak of new images.</li>"
    ) in run.report().read_text()
    probe("digits-5-9", out="other", progress=True)
    assert "trained on: this is no other" not in capsys.readouterr().err
    (facts,) = lpa.open("other").outcomes.record.reference["source"]["runs"]
    assert facts["trained_on"] == 0


def test_everything_that_reads_a_run_reads_a_probe(source: str) -> None:
    run = probe()
    curves = run.curves()
    assert set(curves["level"]) == {"image", "run"} and set(curves["title"]) == set("56789")
    assert len(run.rank()) == 5 and set(run.rank()["level"]) == {"both"}
    assert set(run.policy()["class"]) == set("56789")
    assert len(run.export(Path("x.csv")).read_text().splitlines()) == 1 + 4 * len(
        run.outcomes.samples
    )
    overview = str(lpa.overview("run"))
    assert "kind: probe" in overview and "random_crop" in overview


# ---- what is computed ----------------------------------------------------------------------------


def test_the_same_call_again_computes_nothing(source: str, passes: list[int]) -> None:
    probe()
    assert passes
    before = exported("run")
    del passes[:]
    probe()
    assert passes == [] and exported("run") == before
    assert len(list(Path("run/units").iterdir())) == 4


def test_another_recipe_of_heads_extracts_nothing_again(source: str, passes: list[int]) -> None:
    probe()
    # Every image once through every backbone, and a few of them again for nothing: precision is
    # full, so that the error is measured on what was computed.
    assert sum(passes) == 4 * 896
    del passes[:]
    other = probe(out="other", recipe={**HEADS, "epochs": 7})
    assert passes == []
    assert places(other) == PLACES and exported("other") != exported("run")


def test_more_backbones_extend_a_run_and_extract_only_their_own(
    source: str, passes: list[int]
) -> None:
    probe(backbones="source#random_crop=1")
    assert sum(passes) == 2 * 896
    del passes[:]
    assert places(probe()) == PLACES
    assert sum(passes) == 2 * 896
    whole = probe(out="whole")
    assert exported("run") == exported("whole") and places(whole) == PLACES
    counts = read_counts(lpa.open("run").outcomes.store, "source")
    assert set(counts["value"]) == {0.3, 1.0}


def test_head_seeds_are_averaged_within_the_backbone(source: str) -> None:
    short = {**HEADS, "epochs": 1, "weight_decays": [1e-2]}
    alone = probe(recipe=short)
    many = probe(out="many", recipe={**short, "seeds": 3})
    assert places(many) == places(alone) == PLACES
    assert exported("many") != exported("run")


def test_augmented_views_are_trained_on_and_never_evaluated(source: str, passes: list[int]) -> None:
    plain = probe()
    del passes[:]
    run = probe(out="views", aug="crop=.4", views=2)
    train = 896 - len(run.outcomes.samples)
    assert sum(passes) == 4 * 2 * train  # the plain views are in the cache
    assert len(run.outcomes.samples) == len(plain.outcomes.samples)
    assert exported("views") != exported("run")
    assert refusal(out="views", aug="crop=.4") == (
        "model 'small_cnn' is in views with --views 2, and 1 was asked for; expected the same: "
        "give another --out DIR"
    )


def test_pretrained_models_are_probed_without_an_axis(folder: Path) -> None:
    run = probe(backbones={"mine": tiny.model(0, 8), "other": tiny.model(1, 8)})
    assert run.axes == {} and set(run.outcomes.cells["model"]) == {"mine", "other"}
    assert set(run.curves()["title"]) == set("56789")
    (command,) = {plan["command"] for plan in run.outcomes.plans}
    assert command.startswith("lpa.probe(backbones=..., data=..., ")


def checkpoints(folder: Path, seed: int = 0) -> dict[str, Any]:
    """Write files of a sweep that somebody else has trained; return what asks for them."""
    for value, number in (("1", 0), ("1", 1), ("0.3", 0), ("0.3", 1)):
        torch.manual_seed(100 * seed + int(float(value) * 10) + number)
        module = torchvision.models.resnet18(weights=None)
        torch.save(module.state_dict(), folder / f"net_tau{value}_seed{number}.pth")
    return {
        "backbones": "net_tau{value}_seed{seed}.pth", "model": "resnet18",
        "regularizer": "random_crop", "img_size": 32, "crop_pct": 1.0,
    }  # fmt: skip


def test_checkpoints_by_pattern_are_probed_at_their_values_and_known_by_their_bytes(
    folder: Path,
) -> None:
    target = tree(folder, train={"a": 6, "b": 6}, val={"a": 3, "b": 3})
    run = probe(target, **checkpoints(folder))
    assert places(run) == [("resnet18", value, seed) for value in (0.3, 1.0) for seed in (0, 1)]
    (plan,) = run.outcomes.plans
    assert plan["source"] == {
        "runs": [],
        "others": [f"resnet18@net_tau{value}_seed{seed}.pth" for value in ("1", "0.3")
                   for seed in (0, 1)],
    }  # fmt: skip
    assert refusal(target, **checkpoints(folder, 1)) == (
        "resnet18 random_crop=0.3 seed 0 is in run with other weights than "
        "resnet18@net_tau0.3_seed0.pth has now; expected the same backbones: give another --out DIR"
    )


# ---- stops and parts -----------------------------------------------------------------------------


def test_shards_of_one_folder_are_the_whole(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lpa.experiments.probe_work.TOGETHER", 2)
    probe(shard=(2, 2))
    assert len(lpa.open("run").outcomes.cells) == 2
    assert places(probe(shard=(1, 2))) == PLACES
    probe(out="whole")
    assert exported("run") == exported("whole")


class StopAfter(threading.Event):
    """Set when it has been looked at so often."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    def is_set(self) -> bool:
        self.looks -= 1
        return self.looks < 0


def test_stopped_anywhere_the_same_call_goes_on_to_the_same_outcomes(
    source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "SHARD", 50)
    probe(out="whole")
    shutil.rmtree("cache")
    stops = 0
    for looks in (3, 9, 25, 60, 90, 130):
        try:
            probe(stop=StopAfter(looks))
        except lpa.errors.Stopped as stopped:
            stops += 1
            assert str(stopped).endswith(
                "of 4 probes, which are stored in run, with the state of those under way; the same "
                "command goes on from there"
            ) or str(stopped).startswith("stopped after 0 of ")
    assert stops >= 3
    assert places(probe()) == PLACES
    assert exported("run") == exported("whole")
    assert not list(Path("run").glob("checkpoints/*"))


# ---- what fails ----------------------------------------------------------------------------------


class Headless(nn.Module):
    """Logits that are no linear function of a pooled feature."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3)).repeat(1, 2).square()


def test_a_backbone_without_a_feature_interface_is_refused_before_anything_is_computed() -> None:
    model = lpa.Model(Headless(), tiny.preprocessing(8), [str(digit) for digit in range(6)])
    assert refusal(backbones={"mine": model}) == (
        "backbone 'mine' (Headless) has no feature interface: its logits are not the output of a "
        "linear layer; expected a classifier that ends in nn.Linear, or timm's forward_features "
        "and forward_head"
    )
    assert not Path("run").exists()


def tree(folder: Path, **splits: dict[str, int]) -> str:
    """Write folders of random images: split -> class -> number."""
    random = np.random.default_rng(0)
    for split, classes in splits.items():
        for name, count in classes.items():
            (folder / "tree" / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 255, (8, 8, 3)).astype(np.uint8)
                image = Image.fromarray(pixels)
                image.save(folder / "tree" / split / name / f"{split}{number}.png")
    return "tree"


@pytest.mark.parametrize(
    ("train", "val", "text"),
    [
        (
            {"a": 3, "b": 3},
            {"a": 2, "b": 2, "c": 2},
            "class 'c' of split 'val' has no images in split 'train' of tree; expected the same "
            "classes in both parts: mend the data, choose another --train-split, or raise --limit",
        ),
        (
            {"a": 3, "b": 3, "c": 3},
            {"a": 2, "b": 2},
            "class 'c' of split 'train' has no images in split 'val' of tree; expected the same "
            "classes in both parts: mend the data, choose another --train-split, or raise --limit",
        ),
        (
            {"a": 3},
            {"a": 2},
            "tree has one class, 'a'; expected at least two to tell apart",
        ),
    ],
)
def test_classes_that_one_part_lacks_are_named(
    source: str, folder: Path, train: dict[str, int], val: dict[str, int], text: str
) -> None:
    assert refusal(tree(folder, train=train, val=val)) == text
    assert not Path("run").exists() and not Path("cache").exists()


def test_a_class_with_one_image_is_probed_where_both_parts_have_one_and_said(
    source: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tree(folder, train={"a": 9, "b": 1}, val={"a": 3, "b": 2})
    run = probe(target, progress=True)
    assert "        1 class has one image to train on, first 'b'\n" in capsys.readouterr().err
    assert np.bincount(run.outcomes.samples.label).tolist() == [3, 2]


def test_a_class_with_one_image_cannot_be_divided(source: str, folder: Path) -> None:
    assert refusal(tree(folder, all={"a": 9, "b": 1}) + "/all") == (
        "class 'b' of all has one image, and the data have one split; expected at least 2 images a "
        "class, one to train on and one to evaluate: give data with splits, or more images"
    )


def test_a_missing_split_is_told_with_those_there_are(source: str, folder: Path) -> None:
    target = tree(folder, train={"a": 9, "b": 9}, val={"a": 3, "b": 2})
    assert refusal(target, train_split="train_mini") == (
        "tree has no split 'train_mini' to train on; it has: train, val: choose one with "
        "--train-split"
    )
    assert refusal(target, split="test") == ("tree has no split 'test'; it has: train, val")


def feature_files() -> list[Path]:
    return sorted(Path("cache").glob("*.features"))


def test_features_of_other_weights_are_refused_by_their_hash(source: str) -> None:
    probe(backbones="source#random_crop=1")
    first, second, *_ = sorted(feature_files(), key=lambda path: path.stat().st_size)
    shutil.copy(second, first)
    message = refusal(backbones="source#random_crop=1", out="other", recipe={"epochs": 2})
    assert message.startswith("2 of 2 probes failed, first small_cnn random_crop=1 seed ") or (
        message.startswith("1 of 2 probes failed, first small_cnn random_crop=1 seed ")
    )
    assert "holds features with weights " in message or "with fingerprint " in message
    assert "they were made of something else; delete it and run the same command again" in message


def test_a_truncated_feature_file_is_refused_and_the_others_are_used(source: str) -> None:
    probe(backbones="source#random_crop=1")
    victim = feature_files()[0]
    size = victim.stat().st_size
    with victim.open("r+b") as file:
        file.truncate(size - 7)
    message = refusal(backbones="source#random_crop=1", out="other")
    assert message.startswith("1 of 2 probes failed, first small_cnn random_crop=1 seed ")
    assert message.endswith(
        f" ({victim} has {size - 7:,} bytes, expected {size:,}: it was cut short or changed; "
        "delete it and run the same command again); everything else is stored in other: mend it "
        "and run the same command again"
    )
    assert len(lpa.open("other").outcomes.cells) == 1
    victim.unlink()
    assert len(probe(backbones="source#random_crop=1", out="other").outcomes.cells) == 2


def test_other_data_in_one_run_are_refused(source: str) -> None:
    probe()
    assert refusal("digits-0-4") == (
        "run is a run of other data: compared with its 225 files: 27 new (first '00026'), 26 gone "
        "(first '00001'), 150 in another class or split (first '00030'); models, augmentations, "
        "values and draws extend a run, this does not: give another directory with --out DIR"
    )


def test_a_sweep_that_kept_no_weights_says_how_to_keep_them(source: str) -> None:
    shutil.rmtree("source/weights")
    assert refusal() == (
        "run 'source' keeps no weights (--keep none?); expected a run of lpa train-sweep with "
        "--keep last or --keep best"
    )


def test_an_unfinished_sweep_is_probed_as_far_as_it_is(source: str) -> None:
    for file in sorted(Path("source/weights").iterdir())[:1]:
        file.unlink()
    run = probe()
    assert len(run.outcomes.cells) == 3 and run.outcomes.incomplete == []


def test_a_target_that_is_none_is_named(source: str) -> None:
    assert refusal("inatt", data="tree") == (
        "target 'inatt' and --data 'tree' are both given; expected one target: the name of a data "
        "set with its path (lpa probe inat --data PATH), or --data alone"
    )
    assert refusal("inat2021").startswith("inat2021 needs the folder that holds it; write ")
    assert refusal(None) == (
        "lpa probe needs a target; expected both, e.g. lpa probe inat --data PATH --backbones "
        "runs/RUN, or neither for the embedded pair"
    )
    assert refusal("digits-5-9", backbones=None) == (
        "lpa probe needs backbones; expected both, e.g. lpa probe inat --data PATH --backbones "
        "runs/RUN, or neither for the embedded pair"
    )


def test_images_that_cannot_be_decoded_are_left_out_and_said(
    source: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tree(folder, train={"a": 9, "b": 9}, val={"a": 3, "b": 3})
    (folder / "tree/val/a/val1.png").write_bytes(b"")
    (folder / "tree/train/b/train4.png").write_bytes(b"no picture")
    run = probe(target, progress=True)
    assert np.bincount(run.outcomes.samples.label).tolist() == [2, 3]
    assert "1 image cannot be decoded and is left out; see `lpa show run`" in (
        capsys.readouterr().err
    )


# ---- iNaturalist ---------------------------------------------------------------------------------

SPECIES = (
    "00000_Animalia_Chordata_Aves_Passeriformes_Corvidae_Corvus_corax",
    "00001_Animalia_Chordata_Aves_Passeriformes_Corvidae_Corvus_corone",
    "00002_Plantae_Tracheophyta_Magnoliopsida_Fagales_Fagaceae_Quercus_robur",
    "00003_Plantae_Tracheophyta_Magnoliopsida_Fagales_Betulaceae_Betula_pendula",
)


@pytest.mark.parametrize("asked", [("inat", "tree"), (None, "inat2021=tree"), (None, "tree")])
def test_inaturalist_is_probed_and_rolls_up_to_every_level(
    source: str, folder: Path, asked: tuple[str | None, str]
) -> None:
    tree(folder, train_mini=dict.fromkeys(SPECIES, 6), val=dict.fromkeys(SPECIES, 4))
    target, data = asked
    run = probe(target, data=data, train_split="train_mini")
    assert run.outcomes.classes.labels == (
        "Corvus corax", "Corvus corone", "Quercus robur", "Betula pendula",
    )  # fmt: skip
    levels = {path.stem for path in Path("run/taxonomy").iterdir()}
    assert levels == {"supercategory", "kingdom", "phylum", "class", "order", "family", "genus"}
    cells = run.outcomes.cells
    right = run.outcomes.column("prediction") == run.outcomes.samples.label
    for level, members in (
        ("genus", {"Corvus": [0, 1], "Quercus": [2], "Betula": [3]}),
        ("family", {"Corvidae": [0, 1], "Fagaceae": [2], "Betulaceae": [3]}),
        ("supercategory", {"Birds": [0, 1], "Plants": [2, 3]}),
    ):
        table = run.curves(groups=f"run/taxonomy/{level}.csv")
        assert set(table["group"]) == set(members)
        for row in table[table["level"] == "run"].to_dict("records"):
            mine = np.isin(run.outcomes.samples.label, members[row["group"]])
            here = right[(cells["value"] == row["value"]).to_numpy()][:, mine]
            # Classes have four images each, so the mean of classes is the mean of images.
            assert row["accuracy"] == pytest.approx(here.mean())


def test_a_folder_may_be_called_as_the_data_set_is(source: str, folder: Path) -> None:
    tree(folder, train=dict.fromkeys(SPECIES, 4), val=dict.fromkeys(SPECIES, 3))
    (folder / "tree").rename("inat")
    asked = "source#random_crop=1#0"
    first = probe("inat", data="inat", backbones=asked)
    assert len(first.outcomes.samples) == 12
    assert first.outcomes.record.data == "inat=inat"
    assert probe(
        "inat", data="inat2021=inat", backbones=asked, out="other"
    ).outcomes.record.data == ("inat2021=inat")


def test_the_taxonomys_files_are_what_people_can_read(source: str, folder: Path) -> None:
    tree(folder, train=dict.fromkeys(SPECIES, 6), val=dict.fromkeys(SPECIES, 4))
    probe("inat", data="tree")
    table = pd.read_csv(io.BytesIO(Path("run/taxonomy/genus.csv").read_bytes()))
    assert table["class"].tolist() == list(SPECIES)
    assert table["group"].tolist() == ["Corvus", "Corvus", "Quercus", "Betula"]
    assert pq.read_table("run/samples.parquet").num_rows == 16
