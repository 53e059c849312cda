"""How a model is trained: everything but the data, the architecture and what is varied."""

from __future__ import annotations

import math
from dataclasses import Field, asdict, dataclass, fields
from numbers import Integral, Real
from typing import Any, Literal

from lpa.errors import InputError

__all__ = ["Recipe"]


@dataclass(frozen=True)
class Recipe:
    """One training recipe.

    The defaults suit small images on a laptop; :mod:`lpa.training.recipes` has torchvision's
    reference recipes for ImageNet.

    Attributes
    ----------
    epochs : int
        Passes over the training images.
    batch_size : int
        Images per update.
    optimizer : str
        ``sgd`` (momentum), ``nesterov``, ``adamw``, or another name of ``timm.optim``.
    learning_rate : float
        Of the first update after the warm-up.
    momentum : float
        Of SGD; Adam's have theirs by timm's default.
    weight_decay : float
        Of every parameter but those of normalisation layers (paper, Section 3.1) and those that
        the model itself exempts (timm's ``no_weight_decay``).
    schedule : {"cosine", "step", "constant"}
        How the learning rate falls, update by update (``step``: epoch by epoch).
    step_epochs, step_factor : int, float
        Of ``step``: after so many epochs, times so much.
    warmup_epochs : float
        Linear warm-up from ``warmup_factor`` times the learning rate.
    warmup_factor : float
        See there; in [0, 1].
    minimum_factor : float
        Of ``cosine``: the last learning rate, as a share of the first; in [0, 1].
    gradient_clip : float or None
        Largest norm of the gradient.
    ema : float
        Decay per update of the averaged weights, which are then what is evaluated; 0: none.
    flip : float
        Probability of a horizontal flip; 0 for data in which left and right have a meaning.
    dropout : float
        Before the classification head; timm's ``drop_rate``. In [0, 1).
    hold_out : float
        Share of the training images, chosen by their keys, that are never trained on: for the
        best epoch and for policies that measure while they train. In [0, 1).
    select : {"last", "best"}
        Which epoch's weights are evaluated; ``best`` by accuracy on the part held out, never on
        the evaluated images.
    """

    epochs: int = 30
    batch_size: int = 128
    optimizer: str = "sgd"
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    step_epochs: int = 30
    step_factor: float = 0.1
    warmup_epochs: float = 1.0
    warmup_factor: float = 0.01
    minimum_factor: float = 0.0
    gradient_clip: float | None = None
    ema: float = 0.0
    flip: float = 0.0
    dropout: float = 0.0
    hold_out: float = 0.0
    select: Literal["last", "best"] = "last"

    def __post_init__(self) -> None:
        """Check every number; raise InputError with the option's name, its value and its range."""
        for item in fields(self):
            object.__setattr__(self, item.name, _of_kind(item, getattr(self, item.name)))
        for name in ("epochs", "batch_size", "step_epochs"):
            if getattr(self, name) < 1:
                raise _out_of_range(name, getattr(self, name), "at least 1")
        for name in ("learning_rate", "step_factor"):
            if not 0 < getattr(self, name) < math.inf:
                raise _out_of_range(name, getattr(self, name), "more than 0")
        for name in ("weight_decay", "warmup_epochs"):
            if not 0 <= getattr(self, name) < math.inf:
                raise _out_of_range(name, getattr(self, name), "at least 0")
        for name in ("momentum", "ema", "dropout", "hold_out"):
            if not 0 <= getattr(self, name) < 1:
                raise _out_of_range(name, getattr(self, name), "at least 0, less than 1")
        for name in ("warmup_factor", "minimum_factor", "flip"):
            if not 0 <= getattr(self, name) <= 1:
                raise _out_of_range(name, getattr(self, name), "0 to 1")
        if self.warmup_epochs > self.epochs:
            raise InputError(
                f"--warmup-epochs {self.warmup_epochs:g} is longer than the training; expected at "
                f"most its --epochs {self.epochs}: give both"
            )
        if self.gradient_clip is not None and not self.gradient_clip > 0:
            raise _out_of_range("gradient_clip", self.gradient_clip, "more than 0")
        if self.schedule not in ("cosine", "step", "constant"):
            raise InputError(
                f"--schedule {self.schedule} is unknown; expected cosine, step or constant"
            )
        if self.select == "best" and not self.hold_out:
            raise InputError(
                "--keep best needs images that are not trained on, to choose the epoch by; "
                "expected e.g. --hold-out .1"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of all fields."""
        return tuple(item.name for item in fields(cls))


def _of_kind(item: Field[Any], value: Any) -> Any:
    """Return a value as what its field is: 20 and 20.0 must be one recipe."""
    kind: Any
    if isinstance(item.default, str):
        kind, expected = str, "a text"
    elif isinstance(item.default, int):
        kind, expected = Integral, "a whole number"
    elif value is None and item.default is None:
        return None
    else:
        kind, expected = Real, "a number"
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InputError(f"--{item.name.replace('_', '-')} {value!r}: expected {expected}")
    return value if kind is str else int(value) if kind is Integral else float(value)


def _out_of_range(name: str, value: Any, expected: str) -> InputError:
    return InputError(f"--{name.replace('_', '-')} {value} is out of range; expected {expected}")
