"""Mean and standard deviation of features that are never in memory as a whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import probed
import pytest
import torch
from sklearn.preprocessing import StandardScaler

from lpa.errors import InputError
from lpa.probing import standardised
from lpa.probing.standardised import standardisation


class PartsOnly:
    """Features that refuse to be taken whole."""

    def __init__(self, features: np.ndarray, largest: int) -> None:
        self.features, self.largest, self.shape = features, largest, features.shape

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, rows: slice) -> np.ndarray:
        found = self.features[rows]
        assert len(found) <= self.largest
        return found


@pytest.mark.parametrize("kind", [np.float16, np.float32])
@pytest.mark.parametrize("at_once", [1, 17, 60, 1000])
def test_parts_of_any_size_give_what_scikit_learn_gives_of_the_whole(
    monkeypatch: pytest.MonkeyPatch, kind: type, at_once: int
) -> None:
    monkeypatch.setattr(standardised, "IMAGES_AT_ONCE", at_once)
    table = probed.clouds(60, kind=kind)
    scaler = StandardScaler().fit(table.features.astype(np.float64))
    found = standardisation(PartsOnly(table.features, at_once), dtype=torch.float64)
    assert np.allclose(found.mean.numpy(), scaler.mean_, rtol=1e-12)
    assert np.allclose(found.std.numpy(), scaler.scale_, rtol=1e-12)
    ready = found.apply(torch.from_numpy(table.features)).numpy()
    assert np.allclose(ready, scaler.transform(table.features.astype(np.float64)), atol=1e-12)
    assert found.square == pytest.approx((ready**2).sum(axis=1).mean())


def test_a_constant_feature_has_deviation_one_and_becomes_zero() -> None:
    table = probed.clouds(5000, kind=np.float16)
    table.features[:, -1] = 0.1
    found = standardisation(table.features)
    assert found.std[-1] == 1.0
    assert found.apply(torch.from_numpy(table.features))[:, -1].abs().max() < 1e-6
    assert found.square == 6.0


def test_a_large_mean_does_not_cancel_a_small_deviation() -> None:
    random = np.random.default_rng(0)
    features = (3e4 + random.normal(scale=0.01, size=(3000, 4))).astype(np.float32)
    found = standardisation(features, dtype=torch.float64)
    assert np.allclose(found.std.numpy(), features.astype(np.longdouble).std(axis=0), rtol=1e-9)


def test_features_can_be_taken_as_they_are() -> None:
    table = probed.clouds(60)
    found = standardisation(table.features, standardise=False)
    assert torch.equal(
        found.apply(torch.from_numpy(table.features)), torch.from_numpy(table.features)
    )
    assert found.square == pytest.approx(float((table.features**2).sum(axis=1).mean()), rel=1e-6)


def test_a_mapped_file_is_read_as_an_array_is(tmp_path: Path) -> None:
    table = probed.clouds(2500, kind=np.float16)
    np.save(tmp_path / "features.npy", table.features)
    mapped = standardisation(np.load(tmp_path / "features.npy", mmap_mode="r"))
    assert torch.equal(mapped.mean, standardisation(table.features).mean)
    assert torch.equal(mapped.std, standardisation(table.features).std)


@pytest.mark.parametrize(
    ("value", "written"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")]
)
def test_a_feature_that_is_no_number_is_named(value: float, written: str) -> None:
    table = probed.clouds(3000)
    table.features[2047, 3] = value
    table.features[2500, 1] = -value
    with pytest.raises(InputError) as caught:
        standardisation(table.features)
    assert str(caught.value) == (
        f"feature 3 of training image 2047 is {written}; expected finite numbers: extract the "
        "features again, with --precision fp32"
    )


def test_features_that_never_differ_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        standardisation(np.ones((50, 4), dtype=np.float32))
    assert str(caught.value) == (
        "every feature is the same in all training images; expected features that differ: is this "
        "the backbone's pooled output?"
    )
