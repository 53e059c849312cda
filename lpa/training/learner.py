"""Updates of one model: plain PyTorch with timm's optimizers."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import timm.optim
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lpa.errors import InputError, unknown
from lpa.plans.recipe import Recipe
from lpa.training.batch import Batch
from lpa.training.dropout import (
    dropout_steps,
    replace_dropout,
    rest_without_dropout,
    set_dropout_steps,
)
from lpa.training.weight_decay import parameter_groups

__all__ = ["Learner", "SingleLearner", "check_optimizer", "loss_of"]

# timm re-exports without saying so, which a type checker does not follow.
_optim: Any = timm.optim

TIMM_NAMES = {"sgd": "momentum", "nesterov": "sgd"}
"""What timm calls "sgd" is Nesterov's."""


def check_optimizer(name: str) -> None:
    """Refuse an optimizer that timm does not know, or cannot make here.

    Raises
    ------
    InputError
        For another name, and for one whose package is not installed.
    """
    known = {*TIMM_NAMES, *_optim.list_optimizers()}
    if name not in known:
        raise unknown("optimizer", name, known)
    try:
        _made(name, [{"params": [nn.Parameter(torch.zeros(1))]}], 0.1, 0.9)
    except Exception as error:  # each optimizer fails in its own way
        raise InputError(
            f"--optimizer {name} cannot be made ({' '.join(str(error).split())[:160]}); expected "
            "another, e.g. sgd or adamw"
        ) from error


def _made(
    name: str, groups: list[dict[str, Any]], rate: float, momentum: float
) -> torch.optim.Optimizer:
    made: torch.optim.Optimizer = _optim.create_optimizer_v2(
        groups, opt=TIMM_NAMES.get(name, name), lr=rate, momentum=momentum
    )
    return made


class Learner(Protocol):
    """Trains a group of models that take the same number of updates."""

    count: int
    pieces: int

    def step(self, batches: Sequence[Batch], rates: Sequence[float]) -> Tensor:
        """Update every model once; return the losses, [count], detached, on the device."""

    def modules(self) -> list[nn.Module]:
        """Return the modules that are evaluated, in evaluation mode."""

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps: tensors and plain values."""

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what :meth:`state` returned."""


def loss_of(logits: Tensor, batch: Batch) -> Tensor:
    """Return the mean cross-entropy of a batch: [], float32."""
    wanted = batch.labels if batch.targets is None else batch.targets
    return nn.functional.cross_entropy(logits.float(), wanted)


class SingleLearner:
    """One model with its optimizer.

    Parameters
    ----------
    module : nn.Module
        In training mode; it is trained in place.
    recipe : Recipe
    mean, std : sequence of float
        Normalisation of the channels in [0, 1].
    device : torch.device
    precision : {"fp32", "bf16", "fp16"}
        Of the forward pass (autocast); fp16 scales the loss.
    seed : int
        The training's seed: of the dropout masks.
    compiled : bool
        Compile the forward pass (``torch.compile``).
    wrap : callable
        Wraps the module of the forward pass (DistributedDataParallel).
    """

    count = 1

    def __init__(
        self,
        module: nn.Module,
        recipe: Recipe,
        mean: Sequence[float],
        std: Sequence[float],
        device: torch.device,
        precision: str = "fp32",
        seed: int = 0,
        compiled: bool = False,
        wrap: Callable[[nn.Module], nn.Module] = lambda module: module,
    ) -> None:
        self.module = replace_dropout(module, seed).to(
            device=device, memory_format=torch.channels_last
        )  # type: ignore[call-overload]
        rest_without_dropout(self.module)
        self.module.train()
        self.recipe, self.device, self.precision = recipe, device, precision
        self.mean = torch.tensor(mean, dtype=torch.float32, device=device).view(-1, 1, 1)
        self.std = torch.tensor(std, dtype=torch.float32, device=device).view(-1, 1, 1)
        self.optimizer = _made(
            recipe.optimizer,
            parameter_groups(self.module, recipe.weight_decay),
            recipe.learning_rate,
            recipe.momentum,
        )
        self.averaged: AveragedModel | None = None
        if recipe.ema:
            average = get_ema_multi_avg_fn(recipe.ema)  # type: ignore[no-untyped-call]
            self.averaged = AveragedModel(self.module, multi_avg_fn=average, use_buffers=True)
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
        self.updates = 0
        self.pieces = 1
        wrapped = wrap(self.module)
        self.shared = wrapped is not self.module
        self._forward: Any = torch.compile(wrapped) if compiled else wrapped

    def step(self, batches: Sequence[Batch], rates: Sequence[float]) -> Tensor:
        """Update the model once.

        Out of memory, the batch is taken in halves whose gradients are added up, from then on
        (:attr:`pieces`); batch normalisation then sees the halves.

        Raises
        ------
        torch.OutOfMemoryError
            When a single image does not fit, and where processes share the batch: gradients are
            averaged after each pass, and one of them cannot take two passes alone.
        """
        (batch,) = batches
        for group in self.optimizer.param_groups:
            group["lr"] = rates[0]
        while True:
            try:
                loss = self._gradients(batch)
                break
            except torch.OutOfMemoryError:
                if self.pieces >= len(batch.labels) or self.shared:
                    raise
                self.pieces *= 2
                torch.cuda.empty_cache()
        if self.recipe.gradient_clip is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.module.parameters(), self.recipe.gradient_clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.averaged is not None:
            self._average(self.averaged)
        self.updates += 1
        return loss.view(1)

    @torch.no_grad()
    def _average(self, averaged: AveragedModel) -> None:
        averaged.update_parameters(self.module)
        # torch averages whole numbers as well and cuts off the rest: 11 and 11 give 10.
        for average, own in zip(averaged.module.buffers(), self.module.buffers(), strict=True):
            if not average.is_floating_point():
                average.copy_(own)

    def _gradients(self, batch: Batch) -> Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self.device)
        for piece in _cut(batch, self.pieces):
            share = len(piece.labels) / len(batch.labels)
            with self._context():
                images = piece.images.sub(self.mean).div_(self.std)
                logits = self._forward(images.contiguous(memory_format=torch.channels_last))
            loss = loss_of(logits, piece) * share if share < 1 else loss_of(logits, piece)
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        return total

    def _context(self) -> contextlib.AbstractContextManager[Any]:
        if self.precision == "fp32":
            return contextlib.nullcontext()
        dtype = torch.float16 if self.precision == "fp16" else torch.bfloat16
        return torch.autocast(self.device.type, dtype=dtype)

    def modules(self) -> list[nn.Module]:
        """Return the averaged model where there is one, else the model; a copy."""
        source = self.module if self.averaged is None else self.averaged.module
        return [copy.deepcopy(source).eval().requires_grad_(False)]

    def state(self) -> dict[str, Any]:
        """Return model, optimizer, average, scaler and the number of updates."""
        return {
            "model": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "averaged": None if self.averaged is None else self.averaged.state_dict(),
            "scaler": self.scaler.state_dict(),
            "updates": self.updates,
            "pieces": self.pieces,
            "dropout": dropout_steps(self.module),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what :meth:`state` returned."""
        self.module.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.averaged is not None:
            self.averaged.load_state_dict(state["averaged"])
        self.scaler.load_state_dict(state["scaler"])
        self.updates, self.pieces = state["updates"], state["pieces"]
        set_dropout_steps(self.module, state["dropout"])


def _cut(batch: Batch, pieces: int) -> list[Batch]:
    """Cut a batch into nearly equal pieces."""
    if pieces == 1:
        return [batch]
    images = batch.images.tensor_split(pieces)
    labels = batch.labels.tensor_split(pieces)
    targets = [None] * pieces if batch.targets is None else batch.targets.tensor_split(pieces)
    return [
        Batch(batch.rows[:0], image, label, target)
        for image, label, target in zip(images, labels, targets, strict=True)
        if len(label)
    ]
