"""The register of augmentations: axis, class, options and revision of each, without torch.

A new augmentation is a file in this package and a line in :data:`AUGMENTATIONS` (with options also
one in :data:`OPTIONS`); the contract tests then pick it up by themselves. The default grids are our
choice: from the identity to a strength at which most classes of an ImageNet model are lost, denser
where the curves bend.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from lpa.axes import Axis, format_value
from lpa.errors import InputError

__all__ = ["AUGMENTATIONS", "OPTIONS", "REVISIONS", "Option"]

AUGMENTATIONS: dict[str, tuple[Axis, str]] = {
    "crop": (
        Axis(
            "crop",
            "fraction of the view kept",
            reference=1.0,
            stronger="down",
            minimum=0.001,
            maximum=1.0,
            grid=(1.0, 0.8, 0.6, 0.4, 0.3, 0.2, 0.08),
        ),
        "lpa.augmentations.crop:Crop",
    ),
    "cutout": (
        Axis(
            "cutout",
            "fraction of the view erased",
            reference=0.0,
            minimum=0.0,
            maximum=1.0,
            grid=(0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9),
        ),
        "lpa.augmentations.cutout:Cutout",
    ),
    "color_jitter": (
        Axis(
            "color_jitter",
            "jitter strength s",
            reference=0.0,
            minimum=0.0,
            maximum=1.0,
            grid=(0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
        ),
        "lpa.augmentations.color_jitter:ColorJitter",
    ),
    # A photograph turned upside down may be easier than one on its side, so nothing is isotonic.
    "rotation": (
        Axis(
            "rotation",
            "degrees",
            reference=0.0,
            minimum=0.0,
            maximum=180.0,
            monotone=False,
            grid=(0.0, 10.0, 20.0, 30.0, 45.0, 60.0, 90.0),
        ),
        "lpa.augmentations.rotation:Rotation",
    ),
    "blur": (
        Axis(
            "blur",
            "sigma in pixels of a 224-pixel view",
            reference=0.0,
            minimum=0.0,
            maximum=32.0,
            grid=(0.0, 0.5, 1.0, 2.0, 4.0, 8.0),
        ),
        "lpa.augmentations.blur:Blur",
    ),
    "grayscale": (
        Axis(
            "grayscale",
            "weight of the luma",
            reference=0.0,
            minimum=0.0,
            maximum=1.0,
            grid=(0.0, 0.25, 0.5, 0.75, 1.0),
        ),
        "lpa.augmentations.grayscale:Grayscale",
    ),
}

# Raised by hand whenever the same parameters would give other pixels than before: it enters the
# identity of every stored cell. A family that is not named here is at revision 1.
REVISIONS: dict[str, int] = {}


@dataclass(frozen=True)
class Option:
    """One option of an augmentation: a word out of a few, a number in a range, or either.

    Attributes
    ----------
    default : str
        Canonical text of the default.
    choices : tuple of str
        Words that are permitted.
    minimum, maximum : float or None
        Inclusive range of permitted numbers; None: no numbers.
    """

    default: str
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None

    def expected(self) -> str:
        """Say what is permitted: ``mean or a number from 0 to 1``."""
        if self.minimum is None:
            return " or ".join(self.choices)
        largest = math.inf if self.maximum is None else self.maximum
        number = f"a number from {format_value(self.minimum)}" + (
            f" to {format_value(largest)}" if math.isfinite(largest) else " up"
        )
        return " or ".join((*self.choices, number))

    def canonical(self, name: str, text: str) -> str:
        """Return the one spelling of a value: a word, or the shortest fraction or decimal.

        Raises
        ------
        InputError
            For a value that is not permitted; ``name`` says whose option it is.
        """
        if text in self.choices:
            return text
        wrong = InputError(f"{name}={text}: expected {self.expected()}")
        if self.minimum is None:
            raise wrong
        try:
            number = Fraction(text)
        except (ValueError, ZeroDivisionError):
            raise wrong from None
        if not self.minimum <= number <= (math.inf if self.maximum is None else self.maximum):
            raise wrong
        decimal = format_value(float(number))
        return decimal if Fraction(decimal) == number else str(number)

    def value(self, text: str) -> str | float:
        """Return what the augmentation's class takes for a canonical text: a word or a number."""
        return text if text in self.choices else float(Fraction(text))


_PLACE = Option("random", ("random", "centre"))
_FILL = Option("mean", ("mean",), 0.0, 1.0)

OPTIONS: dict[str, dict[str, Option]] = {
    "crop": {
        "place": _PLACE,
        "aspect": Option("1", (), 1.0, 100.0),
        "resample": Option("pil", ("pil", "kornia")),
    },
    "cutout": {"place": _PLACE, "fill": _FILL},
    "rotation": {"fill": _FILL},
}
