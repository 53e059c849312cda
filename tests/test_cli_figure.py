from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from lpa_cli.figure import FIGURES as NAMES
from lpa_cli.figure import command
from synthetic import CROP, write_run

from lpa.figures import FIGURES


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "run"
    return write_run(path, axes={CROP: (1.0, 0.5, 0.08)}, pictures=False)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(each) for each in arguments])


def test_the_help_names_every_figure() -> None:
    assert set(NAMES) == set(FIGURES)
    text = CliRunner().invoke(command, ["--help"], terminal_width=200).stdout
    assert "mean_curve|class_curves|class_heatmap|ranking|small_multiples|drift|table1" in text


@pytest.mark.browser
def test_a_figure_becomes_a_file_and_its_name_is_printed(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "fig.svg"
    result = run(folder, "class_curves", "--classes", "canoe", "--models", "first", "-o", out)
    assert (result.exit_code, result.stdout) == (0, f"{out}\n")
    text = out.read_text()
    assert "canoe" in text and "paddle" not in text
    assert "crop (fraction of the view kept)" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rankin", "-o", "fig.pdf"], "unknown figure 'rankin': did you mean 'ranking'?"),
        (["ranking", "-o", "fig.gif"], "fig.gif has the suffix '.gif'; expected a name that ends "
                                       "in .pdf, .svg or .png"),
        (["ranking", "-o", "fig.pdf", "--width", "3"], "size '3' is no length from 1in to 40in; "
                                                       "expected e.g. 3.25in, 8cm, 85mm, 234pt"),
        (["class_curves", "-o", "fig.pdf", "--axis", "crops"],
         "unknown axis 'crops': did you mean 'crop'? (of this run)"),
    ],
)  # fmt: skip
def test_bad_options_are_one_line(folder: Path, arguments: list[str], message: str) -> None:
    assert str(run(folder, *arguments).exception) == message
