from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from lpa_cli.compare import command
from scipy import stats
from synthetic import write_run

from lpa.runs import open_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "run", per_class=30, pictures=False)


def run(*arguments: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(command, [str(each) for each in arguments])


def flips_of(folder: Path, value: float) -> tuple[list[tuple[str, int, float]], int]:
    """Names of images and changes of their shares of right draws, from the export's columns."""
    outcomes = open_run(folder).outcomes
    cells, correct = outcomes.cells, outcomes.correct()
    shares = [
        correct[((cells["model"] == model) & (cells["axis"] == "crop")
                 & (cells["value"] == value)).to_numpy()].mean(axis=0)
        for model in ("first", "second")
    ]  # fmt: skip
    change = shares[1] - shares[0]
    samples = outcomes.samples
    found = [
        (samples.name[i], int(samples.label[i]), float(change[i])) for i in change.nonzero()[0]
    ]
    return found, int((change < 0).sum())


def test_two_models_at_a_value_are_paired_by_image(folder: Path) -> None:
    found = json.loads(
        run(folder, "--models", "first,second", "--at", "crop=.3", "--format", "json").stdout
    )
    flips, lost = flips_of(folder, 0.3)
    assert len(flips) > 3
    assert {(row["name"], row["label"]) for row in found["flips"]} == {f[:2] for f in flips}
    for row in found["flips"]:
        change = next(change for name, _, change in flips if name == row["name"])
        assert row["share"] - row["old_share"] == pytest.approx(change)
        assert row["flip"] == ("lost" if change < 0 else "gained")
    overall = next(row for row in found["overall"] if row["aggregate"] == "overall")
    assert overall["difference"] == pytest.approx(sum(f[2] for f in flips) / 120)
    assert overall["lost"] == lost
    assert len(found["classes"]) == 2 * 4 and found["classes"][0]["level"] == "image"


def test_at_the_identity_single_draws_are_tested_exactly(folder: Path) -> None:
    found = json.loads(run(folder, "--models", "second,first", "--format", "json").stdout)
    for row in found["classes"]:
        assert row["method"] == "exact McNemar" and row["value"] is None
        pair = (row["lost"], row["gained"])
        changed, less = sum(pair), pair[0 if row["direction"] == "hurt" else 1]
        expected = stats.binomtest(less, changed, alternative="greater").pvalue if changed else 1.0
        assert row["p"] == pytest.approx(expected)


def test_the_table_has_three_parts_and_one_row_a_class(folder: Path) -> None:
    lines = run(folder, "--values", "crop=1,.08", "--models", "first", "--top", "3").stdout
    overall, classes, flips = lines.split("\n\n")
    assert overall.startswith("overall\nmodel first, axis crop, value 0.08, old_model first")
    assert classes.startswith("classes\n") and len(classes.splitlines()) == 3 + 3
    assert flips.splitlines()[0].startswith("flips: 3 of ")
    names = [line.split()[0] for line in classes.splitlines()[3:]]
    assert len(set(names)) == 3


def test_every_model_is_compared_at_two_values_unless_one_is_chosen(folder: Path) -> None:
    def models(*options: str) -> set[str]:
        text = run(folder, "--values", "cutout=0,.6", "--format", "csv", *options).stdout
        return {row["model"] for row in csv.DictReader(io.StringIO(text))}

    assert models() == {"first", "second"}
    assert models("--models", "second") == {"second"}


def test_one_table_can_be_chosen(folder: Path) -> None:
    text = run(folder, "--values", "cutout=0,.6", "--format", "csv", "--table", "flips").stdout
    assert "old_prediction" in text.splitlines()[0]
    rows = json.loads(
        run(folder, "--values", "cutout=0,.6", "--format", "json", "--table", "overall").stdout
    )
    assert [row["aggregate"] for row in rows] == ["overall", "mean of classes"] * 2


def test_groups_and_watched_classes(folder: Path, tmp_path: Path) -> None:
    groups = tmp_path / "groups.json"
    groups.write_text(json.dumps({"spiders": ["barn spider", "garden spider"], "boat": ["canoe"]}))
    options = [folder, "--values", "crop=1,.08", "--models", "first", "--format", "json"]
    everything = json.loads(run(*options).stdout)
    found = json.loads(run(*options, "--groups", groups).stdout)
    differences = {row["label"]: row["difference"] for row in everything["classes"]}
    by_group = {row["group"]: row for row in found["overall"] if row["group"]}
    assert by_group["spiders"]["difference"] == pytest.approx((differences[0] + differences[1]) / 2)
    own = next(row for row in everything["classes"] if row["label"] == 2)
    assert [by_group["boat"][end] for end in ("low", "high")] == [own["low"], own["high"]]
    watched = json.loads(run(*options, "--classes", "paddle").stdout)
    assert {row["label"] for row in watched["flips"] + watched["classes"]} == {3}
    assert watched["classes"][0]["m"] == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--models", "first"], "1 models to compare; expected two, the old and the new, such as "
                                "--models resnet50,mine, or two values with --values crop=1,.5"),
        (["--values", "1,.5"], "values of which axis? the run has crop, cutout; give e.g. crop=.5"),
        (["--values", "crop=1,.5,.3"], "3 values to compare; expected two, such as crop=1,.5: the "
                                       "reference and one more"),
        (["--values", "crop=one,two"],
         "values 'one,two' are no numbers; expected e.g. 1,.5 or crop=1,.5"),
        (["--values", "crop=1,.5", "--at", "crop=.3"],
         "--at crop=.3 belongs to two models; two values say where they are"),
        (["--models", "first,first"],
         "first is both the old and the new model; give two different ones"),
        (["--values", "crop=.5,.5"], "crop: both values are 0.5; give two different ones"),
        (["--models", "first,third"], "unknown model 'third': known: first, second"),
        (["--models", "first,second", "--at", "crop=.55"],
         "first was not measured at crop=0.55; it has crop=1,0.8,0.6,0.4,0.3,0.2,0.08"),
    ],
)  # fmt: skip
def test_bad_options_are_one_line(folder: Path, options: list[str], message: str) -> None:
    assert str(run(folder, *options).exception) == message
