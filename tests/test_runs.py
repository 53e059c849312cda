from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic import CROP, write_run
from trained_runs import write_sweep

from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.runs import Run, open_run
from lpa.statistics import STATISTICS
from lpa.statistics.accuracy import class_accuracy
from lpa.statistics.aggregates import mean_accuracy


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return open_run(write_run(tmp_path_factory.mktemp("runs") / "run", pictures=False))


def test_curves_are_the_statistics_tables(run: Run) -> None:
    pd.testing.assert_frame_equal(run.curves(), class_accuracy(run.outcomes))
    pd.testing.assert_frame_equal(run.curves(aggregate=True), mean_accuracy(run.outcomes))
    assert {"class_accuracy", "mean_accuracy"} <= set(STATISTICS)


def test_both_stacked_hold_each_number_once(run: Run) -> None:
    both = run.curves(aggregate=None)
    means, classes = run.curves(aggregate=True), run.curves()
    assert len(both) == len(means) + len(classes)
    top = both.iloc[: len(means)]
    assert set(top["aggregate"]) == {"overall", "mean of classes"}
    assert top["class"].isna().all() and top["label"].isna().all()
    np.testing.assert_array_equal(top["accuracy"], means["accuracy"])
    below = both.iloc[len(means) :]
    assert set(below["aggregate"]) == {"class"}
    np.testing.assert_array_equal(below["high"], classes["high"])
    assert below["label"].tolist() == classes["label"].tolist()


@pytest.mark.parametrize(
    ("wanted", "labels"),
    [
        ("n2", [2]), (["Barn_Spider", "paddle"], [0, 3]), ("paddle,canoe", [2, 3]),
        (["1", "3"], [1, 3]),
    ],
)  # fmt: skip
def test_classes_are_found_by_name_label_or_index(
    run: Run, wanted: str | list[str], labels: list[int]
) -> None:
    assert sorted(run.curves(wanted)["label"].unique()) == labels


def test_classes_are_read_from_a_file(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "watch.txt"
    file.write_text("canoe\n\n barn spider \n")
    assert sorted(run.curves(str(file))["label"].unique()) == [0, 2]
    file.write_text("\n")
    with pytest.raises(InputError, match="names no class; expected names with commas between"):
        run.curves(str(file))
    file.write_bytes("\ufeffcanoe\n".encode())
    assert run.curves(str(file))["label"].unique().tolist() == [2]
    file.write_bytes(b"canoe\xff\n")
    with pytest.raises(InputError) as caught:
        run.curves(str(file))
    assert str(caught.value) == (
        f"{file} cannot be read (it is no text in UTF-8); expected a file with one class a line"
    )


def test_a_file_of_classes_that_is_not_there_is_no_unknown_class(run: Run, tmp_path: Path) -> None:
    for file in ("nofile.txt", str(tmp_path / "a, b.CSV")):
        with pytest.raises(InputError) as caught:
            run.curves(file)
        assert str(caught.value) == (
            f"{file} does not exist; expected a file with one class a line, or classes of this run "
            "with commas between"
        )
    with pytest.raises(InputError, match=r"^unknown class 'n/a'"):
        run.curves("n/a")


def test_an_unknown_class_is_answered_with_the_nearest(run: Run) -> None:
    with pytest.raises(InputError) as caught:
        run.curves("garden spyder")
    assert str(caught.value) == (
        "unknown class 'garden spyder': did you mean 'garden spider' or 'barn spider'? "
        "(of this run)"
    )


def test_the_label_of_several_classes_is_answered_with_their_names(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", titles=("crane", "crane", "canoe", "paddle, oar"),
                       pictures=False)  # fmt: skip
    run = open_run(folder)
    with pytest.raises(InputError) as caught:
        run.curves(["Crane"])
    assert str(caught.value) == (
        "class 'Crane' is the label of 2 classes: give one of the names n0, n1"
    )
    assert run.curves("paddle, oar")["label"].unique().tolist() == [3]


def test_models_and_axes_are_chosen_by_name(run: Run) -> None:
    table = run.curves(models="second", axes=["cutout"])
    assert set(table["model"]) == {"second"} and set(table["axis"]) == {"cutout"}
    with pytest.raises(InputError) as caught:
        run.curves(models="third")
    assert str(caught.value) == "unknown model 'third': known: first, second (of this run)"
    with pytest.raises(InputError, match="unknown axis 'crops': did you mean 'crop'"):
        run.curves(axes=["crops"])


def test_commas_in_brackets_belong_to_the_name(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", models=["a", "mean(a,b)"], pictures=False)
    assert set(open_run(folder).curves(models="mean(a,b)")["model"]) == {"mean(a,b)"}
    assert set(open_run(folder).curves(models="a, mean(a,b)")["model"]) == {"a", "mean(a,b)"}


def test_a_mean_of_some_classes_and_a_confidence_out_of_range_are_refused(run: Run) -> None:
    with pytest.raises(InputError) as caught:
        run.curves("n0", True)
    assert str(caught.value) == (
        "a mean over all classes cannot be limited to some: give classes or the mean"
    )
    with pytest.raises(InputError) as caught:
        run.curves(confidence=95)
    assert str(caught.value) == "confidence 95 is out of range; expected e.g. 0.95"


def test_groups_curves_are_their_classes_means(run: Run) -> None:
    groups = {"spiders": ["barn spider", "n1"], "boats": ["canoe", "paddle"]}
    table, classes = run.curves(groups=groups, axes="cutout"), run.curves(axes="cutout")
    assert table["group"].unique().tolist() == ["spiders", "boats"]
    assert set(table["level"]) == {"image"} and set(table["classes"]) == {2}
    members = {"spiders": [0, 1], "boats": [2, 3]}
    for row in table.itertuples():
        mine = classes[(classes["model"] == row.model) & (classes["value"] == row.value)
                       & classes["label"].isin(members[row.group])]  # fmt: skip
        assert row.accuracy == pytest.approx(mine["accuracy"].mean())
        # Classes are fixed: images vary within them alone, which two classes halve.
        assert row.low <= row.accuracy <= row.high
        assert row.n == mine["n"].sum()
    watched = run.curves("canoe", groups=groups, axes="cutout")
    assert watched["group"].unique().tolist() == ["boats"] and set(watched["n"]) == {12}


def test_groups_curves_of_a_sweep_have_both_levels(tmp_path: Path) -> None:
    path = write_sweep(tmp_path / "sweep", {1.0: [0.9, 0.8, 0.7], 0.5: [0.5, 0.6, 0.7]})
    table = open_run(path).curves(groups={"c000": "a", "c001": "a", "c002": "b"})
    assert table.groupby("group")["level"].unique().map(list).to_dict() == {
        "a": ["image", "run"], "b": ["image", "run"],
    }  # fmt: skip
    only = open_run(path).curves(groups={"c000": "a"}, level="run")
    assert set(only["level"]) == {"run"} and set(only["draws"]) == {6}


def test_a_mean_over_all_classes_has_no_groups(run: Run) -> None:
    with pytest.raises(InputError) as caught:
        run.curves(aggregate=True, groups={"n0": "a"})
    assert str(caught.value) == "a mean over all classes has no groups: give groups or the mean"


def test_a_figure_takes_classes_axis_and_models(run: Run) -> None:
    figure = run.figure("class_curves", classes=["canoe"], axis="cutout", models="first")
    names = [trace.name for trace in figure.data if trace.mode == "lines+markers"]
    assert names == ["canoe"]
    assert figure.layout.xaxis.title.text == "cutout (fraction of the view erased)"
    with pytest.raises(InputError) as caught:
        run.figure("class_curve")
    assert str(caught.value) == (
        "unknown figure 'class_curve': did you mean 'class_curves' or 'mean_curve' or "
        "'class_heatmap'?"
    )


def test_a_run_of_the_identity_alone_has_no_figure(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", axes={CROP: (1.0,)}, pictures=False)
    with pytest.raises(InputError) as caught:
        open_run(folder).figure("mean_curve")
    assert str(caught.value) == (
        f"{folder} has no axis to draw: only the identity was measured; run the scan with --aug"
    )


def test_a_run_shows_what_it_holds(run: Run) -> None:
    assert list(run.models) == ["first", "second"]
    assert list(run.axes) == ["crop", "cutout"]
    assert run.classes.labels[0] == "barn spider"
    assert isinstance(run.outcomes, Outcomes)


def test_reading_loads_neither_torch_nor_plotly(run: Run) -> None:
    code = (
        "import sys\n"
        "class Blocked:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name.split('.')[0] in ('torch', 'plotly', 'jinja2', 'timm'):\n"
        "            raise AssertionError(name)\n"
        "sys.meta_path.insert(0, Blocked())\n"
        "from lpa.runs import open_run\n"
        f"run = open_run({str(run.path)!r})\n"
        "assert len(run.curves(aggregate=None)) > 0\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
