"""Augmentations that training shares with the scan: each sample may have its own strength."""

import numpy as np
import pytest

from lpa.augmentations import build, parse

KEYS = np.random.default_rng(5).integers(0, 2**63, 40, dtype=np.uint64)
STRENGTHS = np.random.default_rng(6).choice([1.0, 0.8, 0.5, 0.2, 0.05], 40)


@pytest.mark.parametrize(
    "name",
    ["crop", "crop(aspect=4/3)", "crop(place=centre)", "cutout", "cutout(fill=0)", "color_jitter"],
)
def test_a_sample_at_its_own_strength_gets_what_a_scan_at_that_strength_gives_it(name):
    module = build(parse(name)[0])
    own = module.draw(KEYS, STRENGTHS, seed=2, draw=7)
    for alpha in np.unique(STRENGTHS):
        rows = alpha == STRENGTHS
        scanned = module.draw(KEYS[rows], float(alpha), seed=2, draw=7)
        assert own.keys() == scanned.keys()
        for parameter, values in scanned.items():
            assert own[parameter].dtype == values.dtype
            assert own[parameter][rows].numpy() == pytest.approx(values.numpy(), abs=1e-15)
