"""Random numbers that are a function of what they are for, not of what was drawn before.

A number depends on the seed, the sample's key, the augmentation's family and the draw, and on
nothing else: neither on the strength (so draws are nested along it) nor on batch, order, device or
on what else is computed. The function is Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel
random numbers: as easy as 1, 2, 3", SC 2011), a counter-based generator that passes BigCrush.
"""

from __future__ import annotations

import functools
import hashlib

import numpy as np
import numpy.typing as npt

__all__ = ["integers", "philox", "uniforms"]

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_WORD = np.uint64(32)


def philox(
    counter: npt.NDArray[np.uint64], key: tuple[int, int], rounds: int = 10
) -> npt.NDArray[np.uint64]:
    """Encrypt counters with Philox4x32.

    Parameters
    ----------
    counter : array of uint64, shape [4, ...]
        Four 32-bit words each.
    key : (int, int)
        Two 32-bit words.
    rounds : int
        10 is the published generator.

    Returns
    -------
    array of uint64, shape [4, ...]
        Four random 32-bit words each.
    """
    first, second, third, fourth = counter
    for index in range(rounds):
        low_key, high_key = (
            np.uint64((word + index * step) & 0xFFFFFFFF)
            for word, step in zip(key, _WEYL, strict=True)
        )
        # Both factors are below 2^32, so the product fits into 64 bits.
        left, right = _MULTIPLIERS[0] * first, _MULTIPLIERS[1] * third
        first, second, third, fourth = (
            (right >> _WORD) ^ second ^ low_key,
            right & _LOW,
            (left >> _WORD) ^ fourth ^ high_key,
            left & _LOW,
        )
    return np.stack([first, second, third, fourth])


@functools.lru_cache(maxsize=1024)
def _cipher_key(family: str, seed: int) -> tuple[int, int]:
    """Hash family and seed to the cipher's key, so that related seeds give unrelated numbers."""
    digest = hashlib.blake2b(f"{family}\0{seed}".encode(), digest_size=8).digest()
    return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")


def integers(
    keys: npt.NDArray[np.uint64], family: str, count: int, seed: int = 0, draw: int = 0
) -> npt.NDArray[np.uint64]:
    """Return random 64-bit integers, one row a sample.

    Parameters
    ----------
    keys : array of uint64, shape [B]
        The samples' keys.
    family : str
        The augmentation's family.
    count : int
        How many numbers each sample gets. The first ones do not change with it.
    seed, draw : int
        The run's seed (any integer) and the draw (0 to 2^32 - 1).

    Returns
    -------
    array of uint64, shape [B, count]
    """
    keys = np.asarray(keys, dtype=np.uint64)
    blocks = (count + 1) // 2
    counter = np.empty((4, len(keys), blocks), dtype=np.uint64)
    counter[0] = (keys & _LOW)[:, None]
    counter[1] = (keys >> _WORD)[:, None]
    counter[2] = np.uint64(draw)
    counter[3] = np.arange(blocks, dtype=np.uint64)
    words = philox(counter, _cipher_key(family, seed))
    pairs = np.stack([words[0] << _WORD | words[1], words[2] << _WORD | words[3]], axis=-1)
    return pairs.reshape(len(keys), 2 * blocks)[:, :count]


def uniforms(
    keys: npt.NDArray[np.uint64], family: str, count: int, seed: int = 0, draw: int = 0
) -> npt.NDArray[np.float64]:
    """Return random numbers in [0, 1), multiples of 2^-53; parameters as :func:`integers`.

    Returns
    -------
    array of float64, shape [B, count]
    """
    random = integers(keys, family, count, seed, draw)
    return (random >> np.uint64(11)).astype(np.float64) * 2.0**-53
