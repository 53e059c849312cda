"""How a probe's linear heads are trained and chosen: everything but the features."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from lpa.errors import InputError

__all__ = ["HeadRecipe"]


@dataclass(frozen=True)
class HeadRecipe:
    """The recipe of a linear head: SGD with momentum on the cross-entropy.

    Every pair of a learning rate and a weight decay is tried, for every seed, and the best on a
    part of the *training* features is taken. The defaults come within half a point of
    scikit-learn's ``LogisticRegression`` on digits (the tests show it).

    Attributes
    ----------
    epochs : int
        Passes over the training features.
    batch_size : int
        Images per update.
    learning_rates : tuple of float
        For features of mean squared norm 1: the weights' rate is divided by the mean squared norm
        of the features (which is their number once they are standardised), the bias's is not. So
        one list serves 64 features and 2,048. Each falls to 0 as a cosine.
    weight_decays : tuple of float
        Factor of ``|W|^2 / 2`` beside the *mean* cross-entropy, of standardised features;
        scikit-learn's ``C`` is ``1 / (images * weight_decay)``. The bias does not decay.
    momentum : float
        In [0, 1).
    seeds : int
        Heads a backbone. They differ in the order of the images alone: the problem is convex and
        starts at zero, so seeds show how far SGD is from the optimum, and little else. They are
        averaged within the backbone.
    hold_out : float
        Share of each class of the training features by which the pair is chosen; in (0, 1).
        Without use where there is one pair. A fifth rather than a tenth: of 1,200 digits a tenth
        chose so loosely that accuracies were up to 0.8 points from ``LogisticRegression``'s; with
        ``refit`` it costs no images.
    refit : bool
        Train the chosen pair again on all training features, as users expect of a probe, for the
        cost of one more head; else the head that was chosen is kept, which never saw the part.
    standardise : bool
        Bring every feature to mean 0 and standard deviation 1 over the training features.
    """

    epochs: int = 100
    batch_size: int = 256
    learning_rates: tuple[float, ...] = (1.0, 5.0, 25.0, 100.0)
    weight_decays: tuple[float, ...] = (1e-6, 1e-4, 1e-2)
    momentum: float = 0.9
    seeds: int = 1
    hold_out: float = 0.2
    refit: bool = True
    standardise: bool = True

    def __post_init__(self) -> None:
        """Check every number; raise InputError with the option's name, its value and its range."""
        for name in ("epochs", "batch_size", "seeds"):
            if getattr(self, name) < 1:
                raise _out_of_range(name, getattr(self, name), "at least 1")
        _check_list("learning_rates", self.learning_rates, zero=False)
        _check_list("weight_decays", self.weight_decays, zero=True)
        if not 0 <= self.momentum < 1:
            raise _out_of_range("momentum", self.momentum, "at least 0, less than 1")
        if not 0 < self.hold_out < 1:
            raise _out_of_range("hold_out", self.hold_out, "more than 0, less than 1")

    @property
    def pairs(self) -> tuple[tuple[float, float], ...]:
        """All pairs of (learning rate, weight decay), in the order in which they are tried."""
        return tuple((rate, decay) for rate in self.learning_rates for decay in self.weight_decays)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        fields = asdict(self)
        return {name: list(v) if isinstance(v, tuple) else v for name, v in fields.items()}


def _check_list(name: str, values: tuple[float, ...], *, zero: bool) -> None:
    expected = "finite numbers, at least 0" if zero else "finite numbers, more than 0"
    if not values:
        raise InputError(f"{_option(name)} is empty; expected {expected}")
    for value in values:
        if not (math.isfinite(value) and (value > 0 or (zero and value == 0))):
            raise _out_of_range(name, value, expected)
    if len(set(values)) < len(values):
        raise InputError(
            f"{_option(name)} {','.join(f'{value:g}' for value in values)} names one value twice; "
            "expected each once"
        )


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _out_of_range(name: str, value: Any, expected: str) -> InputError:
    return InputError(f"{_option(name)} {value} is out of range; expected {expected}")
