"""How far the stored features of a probe are from those in float32, in words."""

from __future__ import annotations

from collections.abc import Iterable

from lpa.outcomes.units import Unit

__all__ = ["feature_error"]


def feature_error(units: Iterable[Unit]) -> str | None:
    """Write one line of a probe's units; None for units that measured none.

    The error of an image is the distance of what is stored from the float32 feature over the
    norm of this; mean and maximum over the measured images of all backbones.
    """
    found = [dict(unit.timings.get("feature_error", {})) for unit in units]
    found = [one for one in found if {"rows", "mean", "max", "stored"} <= one.keys()]
    measured = sum(one["rows"] for one in found)
    if not measured:
        return None
    stored = ", ".join(dict.fromkeys(one["stored"] for one in found))
    mean = sum(one["rows"] * one["mean"] for one in found) / measured
    most = max(one["max"] for one in found)
    backbones = "1 backbone" if len(found) == 1 else f"{len(found)} backbones"
    return (
        f"{stored}, off by {100 * mean:.2g} % on average and {100 * most:.2g} % at most (measured "
        f"on {measured:,} features of {backbones})"
    )
