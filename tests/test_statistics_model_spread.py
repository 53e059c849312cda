"""Differences of models class by class against a slow loop over pairs."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests
from synthetic import CROP, write_run

from lpa.outcomes import Outcomes
from lpa.statistics.agreement import compared_models
from lpa.statistics.means import mean_interval, mean_test
from lpa.statistics.model_spread import COLUMNS, model_spread


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    folder = tmp_path_factory.mktemp("runs") / "run"
    return Outcomes(write_run(
        folder, per_class=[20, 30, 1, 2], models=["a", "b", "c"], draws=2, pictures=False
    ))  # fmt: skip


def test_the_largest_paired_difference_equals_a_slow_loop(outcomes: Outcomes) -> None:
    table = model_spread(outcomes)
    assert tuple(table.columns) == COLUMNS and len(table) == 2 * 4
    labels = outcomes.samples.label
    for compared in compared_models(outcomes, None, []):
        for label in range(4):
            row = table[(table["axis"] == compared.each.axis.name) & (table["label"] == label)]
            row = row.iloc[0]
            images = {
                m: loss[labels == label]
                for m, loss in zip(compared.models, compared.loss, strict=True)
            }
            mean = {m: d.mean() for m, d in images.items()}
            assert row["range"] == pytest.approx(max(mean.values()) - min(mean.values()))
            assert row["difference"] == pytest.approx(row["range"])
            assert mean[row["most_model"]] == pytest.approx(row["most"])
            d = (images[row["model"]] - images[row["other"]]) / 2
            assert d.sum() >= 0
            low, high = mean_interval(d.sum(), (d**2).sum(), len(d), 1 - 0.05 / 3)
            assert row["low"] == pytest.approx(2 * float(low), nan_ok=True)
            assert row["high"] == pytest.approx(2 * float(high), nan_ok=True)
            each = []
            for a, b in itertools.combinations(images, 2):
                for side in (images[a] - images[b], images[b] - images[a]):
                    half = side / 2
                    each.append(float(mean_test(half.sum(), (half**2).sum(), len(half))))
            assert row["p"] == pytest.approx(float(np.minimum(1, 6 * np.min(each))), nan_ok=True)


def test_a_class_of_one_image_is_dropped_before_correcting(outcomes: Outcomes) -> None:
    table = model_spread(outcomes)
    crop = table[table["axis"] == "crop"].set_index("label")
    assert np.isnan(crop.loc[2, "p_holm"]) and crop["m"].eq(3).all()
    assert crop["untestable"].eq(1).all()
    expected = multipletests(crop["p"].dropna(), method="holm")[1]
    np.testing.assert_allclose(crop["p_holm"].dropna(), expected)
    assert model_spread(outcomes, family="all")["m"].eq(6).all()


def test_a_model_without_company_is_noted(tmp_path: Path) -> None:
    outcomes = Outcomes(write_run(tmp_path / "run", models=["a"], axes={CROP: (1.0, 0.5)},
                                  pictures=False))  # fmt: skip
    table = model_spread(outcomes)
    assert table.empty and tuple(table.columns) == COLUMNS
    assert table.attrs["notes"] == ["a on crop: no other model has the values 1,0.5"]
