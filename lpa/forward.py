"""One model on one device: a batch of views in [0, 1] -> scores -> the waist's columns."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from lpa.views import View

__all__ = [
    "SMALL_MARGIN",
    "Columns",
    "DeviceModel",
    "MeasuredModel",
    "columns",
    "mean_probability",
    "top_margin",
]

SMALL_MARGIN = 0.25
"""Samples whose two best logits are closer than this are computed again in float32 (our choice:
several times the error that half precision leaves in the logits of ImageNet models)."""

Columns = dict[str, Tensor]
"""The measured columns of one cell, each of shape [B]."""


@dataclass(frozen=True)
class MeasuredModel:
    """A model, or the mean of several, with the way from its outputs to the run's classes.

    Attributes
    ----------
    name : str
        Name in the run.
    id : str
        Hash of weights, preprocessing and output map: what its outcomes depend on.
    outputs : array of int64, shape [outputs]
        Run's class of each output; -1 for an output outside the run's classes.
    permitted : array of bool, shape [outputs]
        Outputs that may be predicted (``--restrict-classes`` masks the others).
    module : nn.Module or None
        Float32, evaluation mode, on the CPU; None for a mean of models.
    view : View or None
        What it sees; None for a mean of models.
    mean, std : tuple of float
        Normalisation of the channels in [0, 1].
    members : tuple of str
        Names of the models whose probabilities are averaged; empty for a model.
    """

    name: str
    id: str
    outputs: npt.NDArray[np.int64]
    permitted: npt.NDArray[np.bool_]
    module: nn.Module | None = None
    view: View | None = None
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    members: tuple[str, ...] = ()


class DeviceModel:
    """A model on a device.

    Parameters
    ----------
    model : MeasuredModel
        With a module.
    device : torch.device
        Where it runs.
    precision : {"fp32", "fp16", "bf16"}
        Precision of :meth:`logits`; normalisation layers and softmax stay in float32 (autocast).
    batch_size : int
        Images per forward pass; halved, and kept so, when memory runs out.
    """

    def __init__(
        self, model: MeasuredModel, device: torch.device, precision: str, batch_size: int
    ) -> None:
        assert model.module is not None
        # The channels-last layout is the faster one for convolutions on both kinds of device.
        self.module = model.module.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.device = device
        self.precision = precision
        self.batch_size = batch_size
        self.halvings = 0
        self.mean = torch.tensor(model.mean, dtype=torch.float32, device=device).view(-1, 1, 1)
        self.std = torch.tensor(model.std, dtype=torch.float32, device=device).view(-1, 1, 1)

    def logits(self, images: Tensor, *, exact: bool = False) -> Tensor:
        """Return the model's outputs.

        Parameters
        ----------
        images : Tensor, float32, shape [B, 3, height, width]
            Views in [0, 1].
        exact : bool
            Compute in float32 whatever the precision.

        Returns
        -------
        Tensor
            float32 [B, outputs], on the device.

        Raises
        ------
        RuntimeError
            What the model raises; out of memory only when a single image does not fit.
        """
        while True:
            try:
                with torch.inference_mode(), self._context(exact):
                    parts = [self._pass(chunk) for chunk in torch.split(images, self.batch_size)]
                return torch.cat(parts)
            except RuntimeError as error:
                if self.batch_size == 1 or not _out_of_memory(error):
                    raise
            self.batch_size = max(1, self.batch_size // 2)
            self.halvings += 1
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    def _pass(self, images: Tensor) -> Tensor:
        # The same operations in the same order as torchvision's and timm's normalisation.
        normalised = images.sub(self.mean).div_(self.std)
        outputs = self.module(normalised.contiguous(memory_format=torch.channels_last))
        if not isinstance(outputs, Tensor) or outputs.ndim != 2:
            raise TypeError(
                f"the model returns {_described(outputs)}; expected one tensor [batch, outputs]"
            )
        return outputs.float()

    @contextlib.contextmanager
    def _context(self, exact: bool):  # type: ignore[no-untyped-def]
        """Enter the precision; float32 means float32, without TF32's ten bits of mantissa."""
        if self.precision == "fp32" or exact:
            with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
                yield
        else:
            dtype = torch.float16 if self.precision == "fp16" else torch.bfloat16
            with torch.autocast(self.device.type, dtype=dtype):
                yield


def _out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _described(outputs: object) -> str:
    if isinstance(outputs, Tensor):
        return f"a tensor of shape {list(outputs.shape)}"
    return f"a {type(outputs).__name__}"


def columns(scores: Tensor, labels: Tensor, model: MeasuredModel) -> Columns:
    """Turn scores into the waist's columns.

    Parameters
    ----------
    scores : Tensor, float32, shape [B, outputs]
        Logits, or logarithms of probabilities.
    labels : Tensor, int64, shape [B]
        Run's class of each image.
    model : MeasuredModel
        Whose outputs these are.

    Returns
    -------
    dict of str to Tensor [B]
        ``prediction`` (int32, run's class, -1 outside), ``prediction_probability`` (float32),
        ``label_rank`` (int32; the number of outputs before the label's, ties by position, so
        that 0 is the same as a correct prediction), ``label_probability`` (float32), and
        ``margin`` (float32, see :func:`top_margin`).
    """
    device = scores.device
    outputs = torch.from_numpy(model.outputs).to(device)
    permitted = torch.from_numpy(model.permitted).to(device)
    scores = scores.masked_fill(~permitted, -torch.inf)
    probabilities = scores.softmax(dim=1)
    best = scores.argmax(dim=1)
    # Where each image's label stands among the outputs: exactly one output has its class.
    label_output = (outputs == labels[:, None]).to(torch.int8).argmax(dim=1)
    own = scores.gather(1, label_output[:, None])
    positions = torch.arange(scores.shape[1], device=device)
    before = (scores > own) | ((scores == own) & (positions < label_output[:, None]))
    return {
        "prediction": outputs[best].to(torch.int32),
        "prediction_probability": probabilities.gather(1, best[:, None])[:, 0],
        "label_rank": before.sum(dim=1).to(torch.int32),
        "label_probability": probabilities.gather(1, label_output[:, None])[:, 0],
        "margin": top_margin(scores),
    }


def top_margin(scores: Tensor) -> Tensor:
    """Return the best score minus the second best: [B]; NaN where scores are NaN or overflow.

    Minus infinity is the score of an output that must not be predicted.
    """
    if scores.shape[1] < 2:
        margin = torch.full_like(scores[:, 0], torch.inf)
    else:
        first, second = scores.topk(2, dim=1).values.unbind(1)
        margin = first - second
    wrong = (scores.isnan() | scores.isposinf()).any(dim=1)
    return torch.where(wrong, torch.nan, margin)


def mean_probability(
    logits: Mapping[str, Tensor], members: Sequence[MeasuredModel], classes: int
) -> Tensor:
    """Average the members' probabilities over the run's classes.

    Returns
    -------
    Tensor
        float32 [B, classes], logarithms, so that a softmax gives the mean probability back
        (divided by its mass on the run's classes, which is 1 unless outputs lie outside them).
    """
    total: Tensor | None = None
    for member in members:
        scores = logits[member.name]
        permitted = torch.from_numpy(member.permitted & (member.outputs >= 0)).to(scores.device)
        kept = torch.from_numpy(member.outputs[member.permitted & (member.outputs >= 0)])
        allowed = torch.from_numpy(member.permitted).to(scores.device)
        share = scores.masked_fill(~allowed, -torch.inf).softmax(dim=1)[:, permitted]
        placed = scores.new_zeros(scores.shape[0], classes)
        placed[:, kept.to(scores.device)] = share
        total = placed if total is None else total + placed
    assert total is not None
    return (total / len(members)).log()
