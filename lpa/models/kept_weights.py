"""Weights that a training sweep keeps: one safetensors file a model, with what loading it needs.

The facts lie as JSON in the file's header, so that listing a run's models reads no tensor and
imports no torch. The same model and facts give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lpa.axes import format_value
from lpa.classes import Classes
from lpa.errors import InputError
from lpa.json_text import read_json
from lpa.models.preprocessing import Preprocessing, Triple, triple
from lpa.models.sealed_facts import check_tensors, opened, sealed
from lpa.views import View

if TYPE_CHECKING:
    import torch

__all__ = ["FOLDER", "KEY", "WeightsFacts", "encode", "read_facts", "read_tensors"]

FOLDER = "weights"
"""Where a run's store keeps them, each as ``<cell id>.safetensors``."""

KEY = "lpa"
"""Of the facts in a file's metadata."""

_FORMAT = 1


@dataclass(frozen=True)
class WeightsFacts:
    """What a file of weights says about itself.

    Attributes
    ----------
    architecture : str
        As :attr:`lpa.models.untrained.UntrainedModel.architecture`.
    classes : Classes
        Names and labels of the outputs.
    view : View
        What the model sees of an image; its size is the architecture's input size.
    mean, std : tuple of three floats
        Normalisation of RGB values in [0, 1].
    dropout : float
        Rate that it was trained with.
    model : str
        Name in its run.
    axis : str or None
        Canonical name of what was varied.
    value : float or None
        Value on the axis.
    replicate : int
        Number of the training seed, from 0.
    fingerprint : str
        Of the run's data.
    """

    architecture: str
    classes: Classes
    view: View
    mean: Triple
    std: Triple
    dropout: float
    model: str
    axis: str | None
    value: float | None
    replicate: int
    fingerprint: str

    @property
    def preprocessing(self) -> Preprocessing:
        """View and normalisation in one."""
        return Preprocessing(self.view, self.mean, self.std)

    @property
    def name(self) -> str:
        """Readable and unique in its run: ``small_cnn random_crop=0.3 seed 2``."""
        place = [] if self.axis is None or self.value is None else [self.place]
        return " ".join([self.model, *place, f"seed {self.replicate}"])

    @property
    def place(self) -> str:
        """Axis and value as people type them: ``random_crop=0.3``; empty without an axis."""
        if self.axis is None or self.value is None:
            return ""
        return f"{self.axis}={format_value(self.value)}"

    def to_text(self) -> str:
        """Return JSON with sorted keys."""
        record = {name: getattr(self, name) for name in self.__dataclass_fields__}
        record["classes"] = {
            "names": list(self.classes.names),
            "labels": list(self.classes.labels),
        }
        record["view"] = self.view.to_dict()
        return json.dumps({"format": _FORMAT, **record}, sort_keys=True, ensure_ascii=True)

    @classmethod
    def from_text(cls, text: str) -> WeightsFacts:
        """Read what :meth:`to_text` wrote; raise ValueError, KeyError or TypeError for others."""
        record: dict[str, Any] = read_json(text)
        if not isinstance(record, dict) or record.pop("format") != _FORMAT:
            raise ValueError("another version of lpa wrote it")
        classes = record.pop("classes")
        for name in ("architecture", "model", "fingerprint"):
            if not isinstance(record[name], str):
                raise TypeError(f"{name} is no text")
        on_axis = isinstance(record["axis"], str) and _is_number(record["value"])
        if not on_axis and (record["axis"] is not None or record["value"] is not None):
            raise TypeError("axis and value are no place")
        if not isinstance(record["replicate"], int) or not _is_number(record["dropout"]):
            raise TypeError("replicate or dropout is no number")
        return cls(
            classes=Classes(tuple(classes["names"]), tuple(classes["labels"])),
            view=View.from_dict(record.pop("view")),
            mean=triple(record.pop("mean"), "mean"),
            std=triple(record.pop("std"), "std"),
            **record,
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) < 1e300


def encode(state: Mapping[str, torch.Tensor], facts: WeightsFacts) -> bytes:
    """Return the file of a model's ``state_dict()``; tensors of any device and layout."""
    from safetensors.torch import save

    # Copied: safetensors refuses views and shared memory, of which stacked models consist.
    tensors = {
        name: tensor.detach().cpu().contiguous().clone() for name, tensor in sorted(state.items())
    }
    return bytes(save(tensors, metadata={KEY: sealed(facts.to_text(), tensors)}))


def read_facts(path: Path) -> WeightsFacts:
    """Read what a file says about itself, without torch.

    Raises
    ------
    InputError
        For a file that is damaged or was not written by a training sweep.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return WeightsFacts.from_text(opened((file.metadata() or {})[KEY]))
    except (
        SafetensorError, OSError, OverflowError, ValueError, KeyError, TypeError, InputError
    ) as error:  # fmt: skip
        raise _damaged(path, error) from error


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Read the weights themselves.

    Raises
    ------
    InputError
        For a damaged file.
    """
    from safetensors import safe_open

    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            check_tensors(file.metadata()[KEY], tensors)
        return tensors
    except Exception as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> InputError:
    reason = (str(error).strip().splitlines() or [""])[0][:120]
    return InputError(
        f"weights {str(path)!r} are damaged or were not kept by lpa train-sweep "
        f"({type(error).__name__}: {reason}); expected an unchanged file: copy it again, or delete "
        "it to leave this model out"
    )
