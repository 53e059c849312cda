"""Counter-based random numbers."""

import numpy as np
import pytest
from scipy import stats

from lpa.augmentations.randomness import integers, philox, uniforms

KEYS = np.random.default_rng(0).integers(0, 2**63, 20_000, dtype=np.uint64)


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        # The known answers that the authors of Random123 publish for philox4x32-10.
        ([0] * 4, [0] * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_the_cipher_gives_the_published_answers(counter, key, expected):
    words = philox(np.array(counter, dtype=np.uint64)[:, None], (key[0], key[1]))[:, 0]
    assert " ".join(f"{int(word):08x}" for word in words) == expected


def test_numbers_do_not_depend_on_batch_order_or_count():
    whole = uniforms(KEYS[:50], "crop", 3, seed=7, draw=2)
    order = np.random.default_rng(1).permutation(50)
    assert np.array_equal(uniforms(KEYS[:50][order], "crop", 3, 7, 2), whole[order])
    assert np.array_equal(uniforms(KEYS[3:4], "crop", 5, 7, 2)[:, :3], whole[3:4])


def test_seed_family_draw_and_key_each_change_every_number():
    reference = uniforms(KEYS[:100], "crop", 2, seed=0, draw=0)
    for other in (
        uniforms(KEYS[:100], "crop", 2, seed=1, draw=0),
        uniforms(KEYS[:100], "cutout", 2, seed=0, draw=0),
        uniforms(KEYS[:100], "crop", 2, seed=0, draw=1),
        uniforms(KEYS[:100] + np.uint64(1), "crop", 2, seed=0, draw=0),
        uniforms(KEYS[:100] ^ np.uint64(1 << 63), "crop", 2, seed=0, draw=0),
    ):
        assert (other != reference).all()


def test_numbers_are_uniform_in_every_column():
    numbers = uniforms(KEYS, "crop", 4)
    assert numbers.min() >= 0.0
    assert numbers.max() < 1.0
    for column in numbers.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-3


def test_consecutive_keys_draws_and_seeds_give_uniform_numbers_too():
    small = np.arange(5_000, dtype=np.uint64)
    by_draw = np.concatenate([uniforms(small[:5], "crop", 1, draw=draw) for draw in range(1_000)])
    by_seed = np.concatenate([uniforms(small[:5], "crop", 1, seed=seed) for seed in range(1_000)])
    for numbers in (uniforms(small, "crop", 1), by_draw, by_seed):
        assert stats.kstest(numbers[:, 0], "uniform").pvalue > 1e-3


def test_columns_draws_and_families_are_independent():
    numbers = np.concatenate(
        [uniforms(KEYS, "crop", 2), uniforms(KEYS, "crop", 1, draw=1), uniforms(KEYS, "cutout", 1)],
        axis=1,
    )
    counts = [4, 4]
    for first in range(4):
        for second in range(first):
            table = np.histogram2d(
                numbers[:, first], numbers[:, second], bins=counts, range=[[0, 1], [0, 1]]
            )[0]
            assert stats.chi2_contingency(table).pvalue > 1e-3


def test_integers_fill_all_64_bits():
    bits = np.unpackbits(integers(KEYS, "crop", 1).view(np.uint8).reshape(-1, 8), axis=1)
    # A share of 20,000 fair coins is within 0.02 of a half but for one in 10^8.
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 0.02
