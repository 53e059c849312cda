"""Checks that the plans of all experiments share."""

from __future__ import annotations

from lpa.errors import InputError

__all__ = ["PRECISIONS", "check_at_least_one", "check_precision", "check_seed", "check_shard"]

PRECISIONS = ("auto", "fp32", "fp16", "bf16")


def check_at_least_one(**numbers: int | None) -> None:
    """Refuse a number below 1, under the name of its option; None is none given."""
    for name, number in numbers.items():
        if number is not None and number < 1:
            shown = name.replace("_", "-")
            raise InputError(f"--{shown} {number} is out of range; expected at least 1")


def check_seed(seed: int) -> None:
    """Refuse a seed outside of [0, 2^63)."""
    if not 0 <= seed < 2**63:
        raise InputError(f"--seed {seed} is out of range; expected 0 to 2**63 - 1")


def check_precision(precision: str) -> None:
    """Refuse a precision that is not one of :data:`PRECISIONS`."""
    if precision not in PRECISIONS:
        raise InputError(
            f"precision {precision!r} is unknown; expected one of {', '.join(PRECISIONS)}"
        )


def check_shard(shard: tuple[int, int] | None) -> None:
    """Refuse a part i of n that is not one of 1 to n."""
    if shard is not None and not 1 <= shard[0] <= shard[1]:
        raise InputError(
            f"--shard {shard[0]}/{shard[1]} is out of range; "
            "expected i/n with i from 1 to n, e.g. 3/100"
        )
