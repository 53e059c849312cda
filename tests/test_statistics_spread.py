from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic import CROP, made_up_samples, write_run

from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.statistics.hurt_helped import hurt_and_helped
from lpa.statistics.spread import COLUMNS, class_spread


def test_the_spread_equals_a_slow_loop(tmp_path: Path) -> None:
    outcomes = Outcomes(write_run(
        tmp_path / "run", per_class=[12, 7, 1, 3], draws=3, models=["m"], pictures=False,
    ))  # fmt: skip
    table = class_spread(outcomes)
    assert tuple(table.columns) == COLUMNS
    long = outcomes.table()
    for row in table.itertuples():
        part = long[(long["axis"] == row.axis) & (long["value"] == row.value)]
        accuracy, luck = [], []
        for label in (0, 1, 3):
            shares = [
                (image["prediction"] == label).mean()
                for _, image in part[part["label"] == label].groupby("sample")
            ]
            accuracy.append(np.mean(shares))
            luck.append(np.var(shares, ddof=1) / len(shares))
        raw = np.var(accuracy, ddof=1)
        assert row.spread_raw == pytest.approx(np.sqrt(raw))
        assert row.spread == pytest.approx(np.sqrt(max(0, raw - np.mean(luck))), abs=1e-6)
        assert row.best_minus_worst == pytest.approx(max(accuracy) - min(accuracy))
        assert (row.classes, row.n, row.level) == (3, 22, "image")
    assert table.attrs["notes"][0] == "m on crop: 1 classes with fewer than 2 images are left out"


def written(folder: Path, right: np.ndarray) -> Outcomes:
    """A run of one model at two values in which the images of ``right`` [2, images] are right."""
    classes, images = 40, right.shape[1] // 40
    samples = made_up_samples(classes, images)
    label = np.asarray(samples.label)
    names = [f"c{k:02d}" for k in range(classes)]
    return Outcomes(write_run(
        folder, names=names, titles=names, models=["m"], axes={CROP: (1.0, 0.5)}, draws=1,
        samples=samples, pictures=False, shard_size=4000,
        columns={"prediction": np.where(right, label, (label + 1) % 40).astype(np.int32)},
    ))  # fmt: skip


def test_the_corrected_spread_is_the_true_one_and_none_where_classes_are_alike(
    tmp_path: Path,
) -> None:
    generator = np.random.default_rng(0)
    truth = np.repeat(np.linspace(0.5, 0.9, 40), 400)
    uneven = class_spread(written(tmp_path / "uneven", generator.random((2, 16000)) < truth))
    true = np.linspace(0.5, 0.9, 40).std(ddof=1)
    assert uneven["spread"].to_numpy() == pytest.approx(true, abs=0.012)
    assert (uneven["spread_raw"] > uneven["spread"]).all()
    alike = class_spread(written(tmp_path / "alike", generator.random((2, 16000)) < 0.7))
    assert (alike["spread"] < 0.02).all() and (alike["spread_raw"] > alike["spread"] + 0.005).all()
    perfect = class_spread(written(tmp_path / "perfect", np.ones((2, 16000), dtype=bool)))
    assert (perfect[["spread", "spread_raw", "best_minus_worst"]] == 0).all(axis=None)


def test_one_class_has_no_spread(tmp_path: Path) -> None:
    outcomes = Outcomes(write_run(
        tmp_path / "run", names=["a"], titles=["a"], models=["m"], axes={CROP: (1.0, 0.5)},
        samples=made_up_samples(1, 6), pictures=False,
    ))  # fmt: skip
    table = class_spread(outcomes)
    assert len(table) == 0
    assert table.attrs["notes"] == ["m on crop: fewer than 2 classes have no spread"]


def drop_tests(direction: str, values: list[float]) -> pd.DataFrame:
    return pd.DataFrame({
        "model": "m", "value": 0.5, "direction": direction, "p": values, "p_bh": values,
        "p_holm": [min(1.0, 2 * v) for v in values], "level": "image",
    })  # fmt: skip


@pytest.mark.parametrize("words", [("hurt", "helped"), ("lower", "higher")])
def test_hurt_and_helped_are_counted_at_half_the_level(words: tuple[str, str]) -> None:
    lower, higher = [0.001, 0.02, 0.03, np.nan], [0.5, 0.012, 0.9, 0.9]
    table = pd.concat([drop_tests(words[0], lower), drop_tests(words[1], higher)])
    row = hurt_and_helped(table).iloc[0]
    assert (row["hurt_bh"], row["hurt_holm"]) == (2, 1)
    assert (row["helped_bh"], row["helped_holm"]) == (1, 1)
    assert (row["classes"], row["level"], row["significance"]) == (4, "image", 0.05)


def test_one_direction_is_not_enough() -> None:
    with pytest.raises(InputError) as caught:
        hurt_and_helped(drop_tests("hurt", [0.1]))
    assert str(caught.value) == (
        "tests of direction hurt; expected both directions, hurt and helped: test both"
    )
