"""Augmented views of the images that heads are trained on, beside the plain one."""

from __future__ import annotations

from dataclasses import dataclass

from lpa.augmentations.specs import AugmentationSpec, parse
from lpa.errors import InputError

__all__ = ["AugmentedView", "augmented_views"]


@dataclass(frozen=True)
class AugmentedView:
    """One random draw of an augmentation at a strength, in place of the plain view.

    Attributes
    ----------
    spec : AugmentationSpec
    value : float
        Strength.
    draw : int
        Number of the draw, from 0.
    seed : int
        The run's.
    """

    spec: AugmentationSpec
    value: float
    draw: int = 0
    seed: int = 0

    @property
    def record(self) -> dict[str, object]:
        """What its pixels depend on."""
        return {
            "name": self.spec.name,
            "options": dict(self.spec.options),
            "revision": self.spec.revision,
            "value": self.value,
            "draw": self.draw,
            "seed": self.seed,
        }


def augmented_views(
    asked: str | None, count: int | None, seed: int = 0
) -> tuple[AugmentedView, ...]:
    """Read what is asked for: ``crop=.5``, and how many draws of it.

    Parameters
    ----------
    asked : str or None
        One augmentation at one strength, as :func:`lpa.augmentations.specs.parse` reads it.
    count : int or None
        Draws of it; None: one where there is an augmentation.
    seed : int
        The run's.

    Returns
    -------
    tuple of AugmentedView
        Empty where nothing is asked for.

    Raises
    ------
    InputError
        As ``parse``; for several augmentations or strengths, and for draws of none.
    """
    if count is not None and count < 1:
        raise InputError(f"--views {count} is out of range; expected at least 1")
    if asked is None:
        if count is not None:
            raise InputError(
                f"--views {count} needs what is drawn; expected e.g. --aug crop=.5 beside it"
            )
        return ()
    specs = parse(asked)
    spec = specs[0]
    strengths = [value for value in spec.values or () if value != spec.axis.reference]
    if len(specs) > 1 or len(strengths) != 1:
        raise InputError(
            f"--aug {asked} is not one augmentation at one strength; expected e.g. --aug crop=.5, "
            "and --views for its random draws"
        )
    return tuple(AugmentedView(spec, strengths[0], draw, seed) for draw in range(count or 1))
