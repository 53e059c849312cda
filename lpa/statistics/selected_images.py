"""Which images chose a policy, and which are left to score it (STATISTICS 3.14)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lpa.outcomes import Samples

__all__ = ["KEYS", "choosing_half", "images_record", "recorded_keys", "scoring_keys"]

KEYS = 4096
"""Keys of images in a record: the smallest ones, which are a random part of them."""

HALF = "half"
"""Rule of a policy that was chosen on one half of its images, see :func:`choosing_half`."""

DISJOINT = 100
"""So many known keys without one that chose: with 95 % confidence less than 3 % did."""

Keys = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]


def choosing_half(keys: Keys) -> Flags:
    """Return which images are in the half to choose on; the others are to be scored.

    The parity of a hash of the key, so that an image is on the same side in every run.

    Parameters
    ----------
    keys : array of uint64, shape [images]

    References
    ----------
    The hash is SplitMix64's finaliser: Steele, Lea and Flood 2014, OOPSLA.
    """
    mixed = np.asarray(keys, dtype=np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    return np.asarray(mixed % np.uint64(2) == 1)


def images_record(samples: Samples, count: int = KEYS, *, half: bool = False) -> dict[str, Any]:
    """Return which images chose a policy, as plain JSON values.

    Parameters
    ----------
    samples : Samples
        The images of the run from which it was chosen.
    count : int
        Most keys that are recorded.
    half : bool
        Whether only :func:`choosing_half` of them was looked at.

    Returns
    -------
    dict
        ``fingerprint`` (of all the samples), ``n``, ``smallest_keys`` (hexadecimal, of those that
        chose) and with ``half`` the ``rule``.
    """
    keys = samples.key[choosing_half(samples.key)] if half else samples.key
    record: dict[str, Any] = {
        "fingerprint": samples.fingerprint,
        "n": len(keys),
        "smallest_keys": [f"{int(key):016x}" for key in np.sort(keys)[:count]],
    }
    return record | ({"rule": HALF} if half else {})


def scoring_keys(record: Mapping[str, Any], keys: Keys) -> Flags:
    """Return which images did not choose a policy, and so may score it.

    Parameters
    ----------
    record : mapping
        The policy: of :func:`~lpa.statistics.policy_record.policy_record`, or
        ``Policy.record()`` of a training. Without ``images`` no image chose it.
    keys : array of uint64, shape [images]
        Of the images that are to be scored.

    Returns
    -------
    array of bool, shape [images]
        Exact for up to 4,096 images that chose. For more only the smallest keys are known: a
        policy chosen on a half is scored on the other half, any other on the images whose keys are
        known not to have chosen. Where 100 known keys did not choose, all images are taken to be
        others.
    """
    images = record.get("images")
    if not images:
        return np.ones(len(keys), dtype=bool)
    recorded = recorded_keys(images)
    chose = np.isin(keys, recorded)
    if len(recorded) == images["n"]:
        return np.asarray(~chose)
    known = keys <= recorded.max()
    if not chose.any() and known.sum() >= DISJOINT:
        return np.ones(len(keys), dtype=bool)
    return ~choosing_half(keys) if images.get("rule") == HALF else np.asarray(known & ~chose)


def recorded_keys(images: Mapping[str, Any]) -> Keys:
    """Return the keys in a record of images, ascending: all that chose, or the smallest ones."""
    return np.array([int(key, 16) for key in images["smallest_keys"]], dtype=np.uint64)
