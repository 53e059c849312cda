"""``lpa regularizers``."""

import json
from importlib.metadata import entry_points

from click.testing import CliRunner

import lpa


def run(*arguments):
    (command,) = entry_points(group="console_scripts", name="lpa")
    return CliRunner().invoke(command.load(), ["regularizers", *arguments])


def test_each_regularizer_has_a_line_with_its_unit_reference_and_grid():
    done = run()
    assert done.exit_code == 0
    head, *lines = done.stdout.splitlines()
    assert head.split()[:4] == ["name", "unit", "reference", "minimum"]
    assert [line.split()[0] for line in lines] == [
        "random_crop", "weight_decay", "dropout", "color_jitter", "cutout", "label_smoothing",
        "mixup", "cutmix",
    ]  # fmt: skip
    assert "1,0.8,0.6,0.4,0.2,0.08" in lines[0]
    assert lines[0].endswith(
        "frame: view or image (default view); aspect: a number from 1 to 100 (default 1)"
    )


def test_json_holds_what_python_lists():
    done = run("cut*", "--format", "json")
    listed = [row for row in lpa.list_regularizers() if row["name"] in ("cutout", "cutmix")]
    assert json.loads(done.stdout) == listed


def test_a_pattern_that_fits_nothing_is_bad_input():
    done = run("crop")
    assert done.exit_code == 1
    assert done.stderr == (
        "Error: no regularizer fits 'crop'; expected a part of a name with wildcards, "
        "e.g. '*crop*'\n"
    )
