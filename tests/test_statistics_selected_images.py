"""Which images chose a policy, and which may score it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from synthetic import made_up_samples

from lpa.statistics.selected_images import choosing_half, images_record, scoring_keys

KEYS = np.random.default_rng(2).integers(0, 2**63, 20_000, dtype=np.uint64)


def one_by_one(key: int) -> bool:
    """SplitMix64 in Python's own integers."""
    whole = (1 << 64) - 1
    z = (key + 0x9E3779B97F4A7C15) & whole
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & whole
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & whole
    return bool((z ^ (z >> 31)) & 1)


def test_the_half_is_the_parity_of_splitmix64_whatever_else_is_there() -> None:
    half = choosing_half(KEYS)
    assert half[:300].tolist() == [one_by_one(int(key)) for key in KEYS[:300]]
    np.testing.assert_array_equal(choosing_half(KEYS[::-1]), half[::-1])


def test_the_half_is_half_also_of_keys_that_count_up() -> None:
    for keys in (
        KEYS,
        np.arange(20_000, dtype=np.uint64),
        np.arange(0, 40_000, 2, dtype=np.uint64),
    ):
        assert stats.binomtest(int(choosing_half(keys).sum()), 20_000).pvalue > 1e-3


def test_images_that_chose_do_not_score_and_all_others_do() -> None:
    samples = made_up_samples(3, 20)
    half = choosing_half(samples.key)
    others = np.append(samples.key, KEYS[:10])
    record = {"images": images_record(samples, half=True)}
    expected = [key not in set(samples.key[half].tolist()) for key in others.tolist()]
    assert scoring_keys(record, others).tolist() == expected
    assert record["images"]["n"] == half.sum() and record["images"]["rule"] == "half"
    whole = {"images": images_record(samples)}
    assert scoring_keys(whole, others).tolist() == [False] * 60 + [True] * 10
    assert "rule" not in whole["images"]
    assert scoring_keys({}, others).all()


def test_of_more_images_than_are_recorded_the_rule_or_the_known_ones_decide() -> None:
    samples = made_up_samples(3, 200)
    half = choosing_half(samples.key)
    record = {"images": images_record(samples, 50, half=True)}
    assert scoring_keys(record, samples.key).tolist() == (~half).tolist()
    whole = {"images": images_record(samples, 50)}
    assert not scoring_keys(whole, samples.key).any()
    largest = max(int(key, 16) for key in whole["images"]["smallest_keys"])
    strangers = np.arange(1, 41, dtype=np.uint64)
    mixed = np.append(samples.key, strangers)
    # Keys above the largest that is known could be any image's.
    expected = [False] * 600 + [True] * 40
    assert strangers.max() < largest and scoring_keys(whole, mixed).tolist() == expected
    many = np.arange(1, 121, dtype=np.uint64) + np.uint64(largest - 200)
    apart = np.append(many, [np.uint64(largest + 5)])
    assert scoring_keys(whole, apart).all() and scoring_keys(record, apart).all()


@pytest.mark.parametrize("half", [True, False])
def test_a_hundred_known_strangers_are_needed_to_take_images_for_others(half: bool) -> None:
    samples = made_up_samples(3, 200)
    record = {"images": images_record(samples, 50, half=half)}
    few = np.arange(1, 100, dtype=np.uint64)
    above = np.array([2**64 - 1, 2**64 - 2, 2**64 - 4, 2**64 - 8], dtype=np.uint64)
    found = scoring_keys(record, np.append(few, above))
    parity = [not one_by_one(int(key)) for key in np.append(few, above)]
    assert found.tolist() == (parity if half else [True] * 99 + [False] * 4)
