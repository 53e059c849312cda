from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from synthetic import (
    CROP,
    CUTOUT,
    made_up_cells,
    made_up_outcomes,
    made_up_samples,
    write_run,
)
from trained_runs import write_sweep

from lpa.errors import InputError
from lpa.importing.results import import_results
from lpa.outcomes import Outcomes, Samples, Store, put_failure
from lpa.report import omissions, write_report
from lpa.report.packing import pack
from lpa.report.pictures import PictureFiles, class_pictures, strips
from lpa.report.sources import Sources
from lpa.report.wording import points
from lpa.runs import open_run
from lpa.statistics.accuracy import class_accuracy
from lpa.statistics.aggregates import mean_accuracy

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "run"
    titles = (HOSTILE, "</script><b>", "=cmd()", "barn spider")
    skips = {7: "<u>cut</u>"}
    return write_run(path, titles=titles, models=("first", "a<b"), data="<i>data</i>", skips=skips)


@pytest.fixture(scope="module")
def page(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = write_report(Outcomes(folder), tmp_path_factory.mktemp("pages") / "report.html")
    return path.read_text(encoding="utf-8")


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def embedded(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert found
    return json.loads(found[1])


def unpacked(text: str) -> np.ndarray:
    steps = np.frombuffer(base64.b64decode(text), dtype="<u2").astype(float)
    return np.where(steps == 65535, np.nan, steps / 65534)


def unpacked_whole(text: str) -> list[int]:
    steps = np.frombuffer(base64.b64decode(text), dtype="<u2").astype(int)
    return np.where(steps == 65535, -1, steps).tolist()


def unpacked_floats(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype="<f4").astype(float)


def test_packed_numbers_come_back_within_half_a_step() -> None:
    numbers = np.array([0.0, 1.0, 0.5, np.nan, 1 / 3])
    np.testing.assert_allclose(unpacked(pack(numbers)), numbers, atol=0.5 / 65534)


def test_the_page_holds_the_numbers_of_the_statistics(folder: Path, page: str) -> None:
    data = embedded(page)
    table = class_accuracy(Outcomes(folder))
    assert len(data["curves"]) == 4
    for curve in data["curves"]:
        model, axis = data["models"][curve["model"]], data["axes"][curve["axis"]]["name"]
        rows = table[(table["model"] == model) & (table["axis"] == axis)]
        assert curve["values"] == list(rows["value"].unique())
        np.testing.assert_allclose(unpacked(curve["accuracy"]), rows["accuracy"], atol=1e-5)
        limits = np.concatenate([rows["low"], rows["high"]])
        np.testing.assert_allclose(unpacked(curve["intervals"]), limits, atol=1e-5)
    means = mean_accuracy(Outcomes(folder))
    for curve in data["means"]:
        model, axis = data["models"][curve["model"]], data["axes"][curve["axis"]]["name"]
        rows = means[(means["model"] == model) & (means["axis"] == axis)
                     & (means["aggregate"] == curve["aggregate"])]  # fmt: skip
        for name in ("accuracy", "low", "high"):
            np.testing.assert_allclose(curve[name], rows[name], atol=1e-6)


def test_key_numbers_are_printed_with_their_intervals(folder: Path, page: str) -> None:
    means = mean_accuracy(Outcomes(folder))
    overall = means[(means["aggregate"] == "overall") & (means["value"].isin([0.08, 0.8]))]
    for row in overall[overall["axis"].eq("crop") & overall["value"].eq(0.08)].itertuples():
        assert f'<span class="number">{100 * row.accuracy:.1f}</span>' in page
        assert f"{100 * row.low:.1f} to {100 * row.high:.1f}" in page


def test_names_are_text_wherever_they_stand(page: str) -> None:
    parser = Elements()
    parser.feed(page)
    tags = [tag for tag, _ in parser.tags]
    assert tags.count("script") == 3
    assert not {"u"} & set(tags)
    text = "".join(parser.texts)
    assert "<i>data</i>" in text and "<u>cut</u>" in text and "a<b" in text
    titles = [entry["title"] for entry in embedded(page)["classes"]]
    assert titles == [HOSTILE, "</script><b>", "=cmd()", "barn spider"]


def test_the_page_refers_to_nothing_outside_itself(page: str) -> None:
    parser = Elements()
    parser.feed(page)
    for tag, attributes in parser.tags:
        for name in ("src", "href", "action", "data", "poster"):
            assert (attributes.get(name) or "data:").startswith("data:"), (tag, attributes)
    policy = next(a["content"] for t, a in parser.tags if a.get("http-equiv"))
    assert policy is not None and policy.startswith("default-src 'none';") and "http" not in policy


def test_every_script_of_the_assets_is_in_the_page(page: str) -> None:
    files = sorted((Path(__file__).parents[1] / "assets").glob("report_*.js"))
    assert len(files) > 10
    assert [file.name for file in files if page.count(file.read_text("utf-8")) != 1] == []


def test_verdicts_are_the_outcomes_of_that_draw(folder: Path, tmp_path: Path) -> None:
    outcomes = Outcomes(folder)
    found = strips(outcomes, PictureFiles(tmp_path / "p.html"), ["crop", "cutout"],
                   ["first", "a<b"])  # fmt: skip
    long = outcomes.table()
    assert len(found) == 4
    for strip in found:
        assert len(strip["items"]) == 1 + 6 + 4
        sample = outcomes.samples.sample[list(outcomes.samples.name).index(strip["name"])]
        for item in strip["items"]:
            axis = "crop" if item["axis"] in (0, None) else "cutout"
            value = 1.0 if item["axis"] is None else item["value"]
            rows = long[
                (long["sample"] == sample) & (long["axis"] == axis)
                & (long["value"] == value) & (long["replicate"] == item["replicate"])
            ].set_index("model")  # fmt: skip
            assert sorted(item["verdicts"]) == [
                (0, rows.loc["first", "prediction"]), (1, rows.loc["a<b", "prediction"]),
            ]  # fmt: skip


def test_pictures_beyond_the_budget_lie_beside_the_page(folder: Path, tmp_path: Path) -> None:
    whole = class_pictures(Outcomes(folder), PictureFiles(tmp_path / "whole.html"), [])
    assert not (tmp_path / "whole_files").exists()
    size = sum(len(base64.b64decode(each.source.partition(",")[2])) for each in whole[2])
    files = PictureFiles(tmp_path / "page.html")
    sources = class_pictures(Outcomes(folder), files, [2], budget=size)
    inside = [label for label, found in sources.items() if found[0].source.startswith("data:")]
    assert inside == [2] and sources[2] == whole[2]
    assert files.count == 8 + 9 + 9
    for label, found in sources.items():
        assert len(found) == (8 if label == 0 else 9)
        for _, source in found:
            if label not in inside:
                assert source.startswith("page_files/")
                assert (tmp_path / source).read_bytes()[8:12] == b"WEBP"
    (tmp_path / "page_files" / "mine.txt").write_text("")
    PictureFiles(tmp_path / "page.html")
    assert [file.name for file in (tmp_path / "page_files").iterdir()] == ["mine.txt"]


def test_a_skipped_image_is_not_shown(folder: Path, tmp_path: Path) -> None:
    sources = class_pictures(Outcomes(folder), PictureFiles(tmp_path / "p.html"), [])
    assert len(sources[0]) == 8


def test_the_same_run_gives_the_same_page_without_torch_and_from_another_place(
    folder: Path, tmp_path: Path
) -> None:
    write_report(Outcomes(folder), tmp_path / "here.html")
    shutil.copytree(folder, tmp_path / "copy")
    code = (
        "import sys\n"
        "class Blocked:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name.split('.')[0] in ('torch', 'torchvision', 'timm', 'kornia', 'datasets'):\n"
        "            raise AssertionError(name)\n"
        "sys.meta_path.insert(0, Blocked())\n"
        "from lpa.runs import open_run\n"
        f"open_run({str(tmp_path / 'copy')!r}).report({str(tmp_path / 'there.html')!r})\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (tmp_path / "there.html").read_bytes() == (tmp_path / "here.html").read_bytes()


def test_one_photograph_a_class_is_said_and_has_no_intervals(tmp_path: Path) -> None:
    outcomes = Outcomes(write_run(tmp_path / "run", per_class=1))
    assert omissions(outcomes) == [
        "Every class has one photograph: each curve describes that photograph, over its random "
        "draws. It says nothing of the class, so there are no intervals and no ranking."
    ]
    page = write_report(outcomes, tmp_path / "p.html").read_text()
    assert "each curve describes that photograph" in page
    assert "One photograph a class." in page
    assert all(curve["intervals"] is None for curve in embedded(page)["curves"])


def test_what_is_left_out_is_stated(tmp_path: Path) -> None:
    samples = made_up_samples(4, [12, 5, 1, 0])
    folder = write_run(tmp_path / "run", samples=samples, skips={3: "truncated"},
                       missing=[(0, 12)], pictures=False)  # fmt: skip
    put_failure(Store(folder), 0, "third", "third: weights are missing", ["unknown"])
    assert omissions(Outcomes(folder)) == [
        "1 image could not be decoded and is in no number; the first is 0000/00003.jpg "
        "(truncated).",
        "1 cell of 42 is unfinished and left out; the first is first at crop 0.08, draw 1, with "
        "2 of 17 images.",
        "Failed: third: weights are missing.",
        "1 of 3 classes have one photograph: each curve describes that photograph, over its random "
        "draws. It says nothing of the class, so there are no intervals and no ranking.",
        "1 class has fewer than 10 images: shown with wide intervals, never ranked.",
        "1 of 4 classes have no image in the data; models may still predict them.",
        "first on crop has 1 to 2 draws of a value: images weigh equally, however many they have.",
    ]


def test_models_measured_at_fewer_values_are_named(tmp_path: Path) -> None:
    # Cells of the second model at cutout 0.6 and 0.8 were never stored.
    missing = [(shard, row) for shard in range(3) for row in (38, 39, 40, 41)]
    folder = write_run(tmp_path / "run", missing=missing, pictures=False)
    outcomes = Outcomes(folder)
    assert omissions(outcomes) == [
        "4 cells of 40 planned were never begun; the first is second at cutout 0.6, draw 0.",
        "second was measured at 3 of 5 values of cutout.",
    ]
    assert "not measured" in write_report(outcomes, tmp_path / "p.html").read_text()


def test_an_axis_and_a_model_without_a_complete_cell_are_named(tmp_path: Path) -> None:
    outcomes = without(tmp_path / "run", [*cells_of(axis="cutout"), *cells_of(model="second")])
    assert omissions(outcomes) == [
        "cutout was planned and has no complete cell: it is left out.",
        "second was planned and has no complete cell: it is left out.",
    ]
    text = visible(write_report(outcomes, tmp_path / "p.html").read_text())
    assert "cutout was planned and has no complete cell: it is left out." in text
    assert "Which classes pay for crop?" in text


def counts(path: Path, **options: object) -> Outcomes:
    """Import counts of six trainings at three values, and open them."""
    rows = [
        ("rn50", "crop", value, seed, name, right + seed % 3 - losing * (value < 1), 50)
        for value in (1.0, 0.5, 0.08) for seed in range(6)
        for name, right, losing in (("cat", 40, 0), ("dog", 42, 10))
    ]  # fmt: skip
    columns = ["model", "axis", "value", "replicate", "class", "correct", "n"]
    pd.DataFrame(rows, columns=columns).to_csv(path.with_suffix(".csv"), index=False)
    import_results(str(path.with_suffix(".csv")), str(path), **options)
    return Outcomes(path)


def test_imported_counts_have_curves_over_training_runs_and_table_1(tmp_path: Path) -> None:
    page = write_report(counts(tmp_path / "counts"), tmp_path / "p.html").read_text()
    data, text = embedded(page), visible(page)
    assert data["levels"] == ["run"] and data["ranks"] == [] and data["findings"] == []
    (curve,) = data["curves"]
    # Seeds 0 to 5 add 0, 1, 2, 0, 1, 2 right ones: one on average.
    np.testing.assert_allclose(
        unpacked(curve["accuracy"]), [0.82, 0.86, 0.82, 0.66, 0.82, 0.66], atol=1e-4
    )
    assert curve["draws"] == [6, 6, 6]
    assert [row[6] for row in data["tables"]["table-1"]["rows"]]
    assert "Counts by training run and class were imported." in text
    assert "100 images of 2 classes" in text and "6 training runs of each value" in text
    assert not re.search(r"\b(nan|NaN|inf|None|undefined)\b", text)


def test_imported_trainings_are_read_as_trainings(tmp_path: Path) -> None:
    # An import says by itself that its replicates are trainings.
    outcomes = counts(tmp_path / "counts")
    assert outcomes.record.kind == "import"
    source = Sources([outcomes]).runs[0]
    assert source.trained and source.level == "run"


def test_counts_stand_beside_a_scan(tmp_path: Path) -> None:
    scan = write_run(tmp_path / "scan", axes={CROP: CROP.grid}, pictures=False, per_class=20)
    runs = [Outcomes(scan), counts(tmp_path / "counts")]
    data = embedded(write_report(runs, tmp_path / "p.html").read_text())
    assert data["models"] == ["first · scan", "second · scan", "rn50 · counts"]
    assert [entry["n"] for entry in data["classes"]] == [[20, 0]] * 4 + [[0, 50]] * 2
    assert {record["run"] for record in data["ranks"]} == {0}


def test_a_page_needs_no_pictures(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", pictures=False)
    data = embedded(write_report(Outcomes(folder), tmp_path / "p.html").read_text())
    assert data["strips"] == [] and data["pictures"] == [{}] and data["flips"] == []


def test_a_damaged_picture_does_not_keep_the_numbers_back(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    for file in (folder / "examples").iterdir():
        file.write_bytes(file.read_bytes()[:50])
    data = embedded(write_report(Outcomes(folder), tmp_path / "p.html").read_text())
    assert data["pictures"] == [{}] and len(data["curves"]) == 4


def test_both_splits_have_curves(tmp_path: Path) -> None:
    whole = made_up_samples(4, 10)
    split = np.where(np.arange(40) % 2 == 0, "train", "val")
    samples = Samples(whole.sample, whole.key, whole.name, whole.label, split, whole.size)
    folder = write_run(tmp_path / "run", samples=samples)
    data = embedded(write_report(Outcomes(folder), tmp_path / "p.html").read_text())
    assert data["splits"] == ["train", "val"]
    assert len(data["curves"]) == 8


def test_a_sweep_is_reported_at_the_level_of_runs(tmp_path: Path) -> None:
    outcomes = Outcomes(write_run(tmp_path / "run", kind="sweep", draws=3, pictures=False))
    page = write_report(outcomes, tmp_path / "p.html").read_text()
    assert "speak of the level <b>run</b>" in page
    data = embedded(page)
    assert data["levels"] == ["image", "run"] and data["runs"][0]["level"] == "run"
    assert sorted(curve["level"] for curve in data["curves"]) == ["image"] * 4 + ["run"] * 4
    assert "1 to 3 training runs of a value" in page


def test_a_run_with_nothing_to_show_says_so(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", axes={CROP: (1.0, 0.5)}, pictures=False)
    for unit in (folder / "units").iterdir():
        unit.unlink()
    with pytest.raises(InputError) as caught:
        write_report(Outcomes(folder), tmp_path / "p.html")
    assert str(caught.value) == (
        f"{folder} has no complete cell to report; run the same command again to go on"
    )
    alone = write_run(tmp_path / "alone", axes={CUTOUT: (0.0,)}, pictures=False)
    with pytest.raises(InputError) as caught:
        write_report(Outcomes(alone), tmp_path / "p.html")
    assert str(caught.value) == (
        f"{alone} has no axis to report: only the identity was measured; run the scan with --aug"
    )
    assert not (tmp_path / "p.html").exists()


def test_a_page_that_cannot_be_written_is_one_clear_line(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError) as caught:
        write_report(Outcomes(folder), tmp_path / "file" / "page.html")
    message = str(caught.value)
    assert message.startswith("cannot write ") and "\n" not in message


def test_a_folder_is_no_page_and_the_pages_folder_is_made(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    run = open_run(folder)
    for path in ("..", ".", str(tmp_path)):
        with pytest.raises(InputError) as caught:
            run.report(path)
        assert str(caught.value) == (
            f"{path} is a directory; expected the page's file, e.g. {Path(path) / 'report.html'}"
        )
    assert list(tmp_path.iterdir()) == [tmp_path / "here"] and not list(Path().iterdir())
    assert run.report("new/deeper/page.html").read_text().startswith("<!DOCTYPE html>")
    with pytest.raises(InputError) as caught:
        run.report("/proc/lpa/page.html")
    assert str(caught.value).startswith("cannot write ") and "\n" not in str(caught.value)


def visible(page: str) -> str:
    """Return the text of the page without its scripts and styles."""
    bare = re.sub(r"<(script|style).*?</\1>", "", page, flags=re.S)
    parser = Elements()
    parser.feed(bare)
    return re.sub(r"\s+", " ", "".join(parser.texts))


def cells_of(**chosen: Any) -> list[int]:
    """Return the numbers of the cells of a default run that have the given facts."""
    axes = {CROP: CROP.grid, CUTOUT: CUTOUT.grid}
    cells = made_up_cells(("first", "second"), axes, 2)
    return [
        row
        for row, cell in enumerate(cells)
        if all(getattr(cell, name) == value for name, value in chosen.items())
    ]


def without(path: Path, rows: list[int]) -> Outcomes:
    missing = [(shard, row) for shard in range(8) for row in rows]
    return Outcomes(write_run(path, per_class=20, missing=missing, pictures=False))


def test_the_findings_stand_in_the_page_and_in_its_data(tmp_path: Path) -> None:
    names = [f"n{k}" for k in range(12)]
    outcomes = Outcomes(
        write_run(tmp_path / "run", names=names, titles=[f"<u>{n}" for n in names], per_class=50)
    )
    page = write_report(outcomes, tmp_path / "p.html").read_text()
    data, text = embedded(page), visible(page)
    assert data["findings"]
    for finding in data["findings"]:
        numbers = finding["numbers"]
        assert f"{numbers['title']}: {points(-numbers['loss'])} points at" in text
        assert 0 < numbers["low"] <= numbers["loss"] <= numbers["high"]
        assert finding["markdown"].startswith("- **&lt;u&gt;")
    assert data["first"] == [finding["class"] for finding in data["findings"][:3]]


def test_a_run_without_reference_has_curves_and_says_that_it_has_no_losses(
    tmp_path: Path,
) -> None:
    outcomes = without(tmp_path / "run", cells_of(axis=None))
    page = write_report(outcomes, tmp_path / "p.html").read_text()
    data = embedded(page)
    assert len(data["curves"]) == 4 and data["ranks"] == [] and data["findings"] == []
    text = visible(page)
    assert "first on crop: nothing measured at the reference 1; no losses are given." in text
    assert "No augmentation has both its reference and another value" in text


def test_one_class_alone_has_its_curves_and_no_agreement(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", names=("a",), titles=("alone",), per_class=30)
    page = write_report(Outcomes(folder), tmp_path / "p.html").read_text()
    assert "Agreement takes 3 classes of 4 images or more." in visible(page)
    assert len(embedded(page)["curves"]) == 4


def test_missing_probabilities_change_no_number(tmp_path: Path) -> None:
    samples = made_up_samples(4, 12)
    axes = {CROP: CROP.grid, CUTOUT: CUTOUT.grid}
    cells = made_up_cells(("first", "second"), axes, 2)
    columns = made_up_outcomes(cells, samples, 4, axes)
    empty = {
        name: np.full_like(values, np.nan) if "probability" in name else values
        for name, values in columns.items()
    }
    pages = [
        embedded(
            write_report(
                Outcomes(write_run(tmp_path / name, samples=samples, columns=each)),
                tmp_path / f"{name}.html",
            ).read_text()
        )
        for name, each in (("whole", columns), ("empty", empty))
    ]
    assert pages[0] == pages[1]


def test_unequal_draws_and_a_ragged_model_are_stated(tmp_path: Path) -> None:
    rows = cells_of(model="first", axis="crop", value=0.4, replicate=1)
    text = visible(write_report(without(tmp_path / "a", rows), tmp_path / "p.html").read_text())
    assert "first on crop has 1 to 2 draws of a value: images weigh equally" in text
    rows = [
        row
        for value in (0.8, 0.6, 0.4, 0.3, 0.2)
        for row in cells_of(model="second", axis="crop", value=value)
    ]
    page = write_report(without(tmp_path / "b", rows), tmp_path / "q.html").read_text()
    assert "second was measured at 2 of 7 values of crop." in visible(page)
    # What both models have in common is the strongest value, where the average is no longer fine.
    assert "at crop 0.08, where it has lost more than 10 points already" in visible(page)
    assert "second on crop: no other model has the values 1,0.08" in visible(page)


def test_runs_that_share_no_class_stand_side_by_side(tmp_path: Path) -> None:
    first = write_run(tmp_path / "a", names=("a", "b"), titles=("a", "b"), per_class=20)
    second = write_run(tmp_path / "b", names=("c", "d"), titles=("c", "d"), models=("third",))
    page = write_report([Outcomes(first), Outcomes(second)], tmp_path / "p.html").read_text()
    data = embedded(page)
    assert "a and b share no class (classes are matched by name)" in visible(page)
    assert data["models"] == ["first · a", "second · a", "third · b"]
    assert [entry["n"] for entry in data["classes"]] == [[20, 0], [20, 0], [0, 12], [0, 12]]
    for curve in data["curves"]:
        accuracy = unpacked(curve["accuracy"]).reshape(-1, 4)
        mine = [0, 1] if curve["run"] == 0 else [2, 3]
        assert np.isfinite(accuracy[:, mine]).all()
        assert np.isnan(np.delete(accuracy, mine, axis=1)).all()


def test_where_findings_are_read_names_the_run_only_where_runs_differ(tmp_path: Path) -> None:
    falls = {1.0: [0.9] * 4, 0.5: [0.3, 0.9, 0.9, 0.9], 0.3: [0.1, 0.1, 0.9, 0.9]}
    runs = [
        Outcomes(write_sweep(tmp_path / name, falls, runs=3, per_class=40, seed=seed))
        for seed, name in enumerate(("a", "b"))
    ]
    alike = visible(write_report(runs[:2], tmp_path / "p.html").read_text())
    assert "At random_crop 0.5, where the average has lost more than 10 points already" in alike
    scan = Outcomes(write_run(tmp_path / "scan", axes={CROP: (1.0, 0.3)}, pictures=False))
    mixed = visible(write_report([runs[0], scan], tmp_path / "q.html").read_text())
    assert "At random_crop 0.5, crop 0.3, where the average has lost" in mixed


def test_no_text_of_a_page_shows_a_number_that_is_none(tmp_path: Path) -> None:
    for kind, sizes in (("scan", [40, 9, 1, 0]), ("sweep", 20), ("scan", 1)):
        samples = made_up_samples(4, sizes)
        folder = write_run(tmp_path / f"{kind}{sizes}", samples=samples, kind=kind)
        text = visible(write_report(Outcomes(folder), tmp_path / "p.html").read_text())
        assert not re.search(r"\b(nan|NaN|inf|None|undefined)\b", text)
