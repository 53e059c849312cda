"""A sweep on Fashion-MNIST, as Debian's ``dataset-fashion-mnist`` installs it."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny  # noqa: F401 - one thread
from click.testing import CliRunner
from lpa_cli import main

import lpa

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


@pytest.mark.slow
@pytest.mark.skipif(not DEBIAN.is_dir(), reason="needs Debian's dataset-fashion-mnist")
def test_a_sweep_of_real_images_learns_and_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def said(*words: str) -> str:
        result = CliRunner(env={"COLUMNS": "250"}).invoke(main, list(words))
        assert result.exit_code == 0, result.output
        return result.stdout

    said(
        "train-sweep", "--data", "fashion-mnist", "--split", "test", "--values", "1,.25", "--seeds",
        "2", "--limit", "5000", "--epochs", "3", "--batch-size", "64", "--device", "cpu", "-o",
        "run", "--keep", "last",
    )  # fmt: skip
    run = lpa.open("run")
    assert len(run.outcomes.cells) == 4
    assert run.outcomes.incomplete == []
    table = run.outcomes.table()
    assert len(table) == 4 * 10_000
    assert table.groupby("label").size().tolist() == [4_000] * 10
    right = (table["prediction"] == table["label"]).groupby(table["value"]).mean()
    # Measured .77 without and .72 with crops; one of ten is right by luck.
    assert right[1.0] > 0.7
    assert right[0.25] > 0.6
    assert Path("run/report.html").stat().st_size > 100_000
    for words in (["test", "run"], ["rank", "run"], ["curves", "run", "--mean"]):
        assert "small_cnn" in said(*words)
    # What was trained, read back by the run's name, predicts the same.
    scan = lpa.scan(
        models="run:run#random_crop=1#0", data="fashion-mnist", split="test", limit=500,
        aug={"crop": [1, 0.5]}, out="scan", device="cpu", progress=False, images=False, draws=1,
    ).outcomes  # fmt: skip
    identity = scan.table().query("axis == 'crop' and value == 1").set_index("sample")
    whole = table.query("value == 1 and replicate == 0").set_index("sample")
    assert len(identity) == 500
    assert (identity["prediction"] == whole["prediction"].loc[identity.index]).all()
