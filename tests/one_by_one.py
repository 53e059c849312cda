"""A plain training loop, one model after another with ``torch.optim``: what stacks must equal."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from lpa.plans.recipe import Recipe
from lpa.training.batch import Batch

__all__ = ["make_optimizer", "train"]

NORMALISING = (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm)


def make_optimizer(module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Make torch's optimizer; normalisation layers and what a model exempts do not decay."""
    kept = [
        parameter
        for layer in module.modules()
        if isinstance(layer, NORMALISING)
        for parameter in layer.parameters()
    ]
    if hasattr(module, "no_weight_decay"):
        kept += [module.get_parameter(name) for name in module.no_weight_decay()]
    others = [p for p in module.parameters() if all(p is not one for one in kept)]
    groups = [{"params": others, "weight_decay": recipe.weight_decay}]
    if kept:
        groups.append({"params": kept, "weight_decay": 0.0})
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.learning_rate)
    nesterov = recipe.optimizer == "nesterov"
    return torch.optim.SGD(
        groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=nesterov
    )


def train(
    module: nn.Module,
    recipe: Recipe,
    batches: Sequence[Batch],
    rate: Callable[[int], float],
    *,
    mean: Sequence[float],
    std: Sequence[float],
    dtype: torch.dtype = torch.float64,
) -> tuple[nn.Module, list[float]]:
    """Train a copy of a model; return it (averaged, where the recipe says so) and its losses."""
    module = copy.deepcopy(module).to(dtype).train()
    centre, spread = (torch.tensor(v, dtype=dtype).view(3, 1, 1) for v in (mean, std))
    optimizer = make_optimizer(module, recipe)
    averaged: dict[str, Tensor] = {}
    losses = []
    for number, batch in enumerate(batches):
        optimizer.param_groups[0]["lr"] = optimizer.param_groups[-1]["lr"] = rate(number)
        optimizer.zero_grad()
        wanted = batch.labels if batch.targets is None else batch.targets.to(dtype)
        logits = module((batch.images.to(dtype) - centre) / spread)
        loss = nn.functional.cross_entropy(logits, wanted)
        loss.backward()
        if recipe.gradient_clip is not None:
            nn.utils.clip_grad_norm_(module.parameters(), recipe.gradient_clip)
        optimizer.step()
        losses.append(loss.item())
        if not recipe.ema:
            continue
        for name, tensor in module.state_dict().items():
            if name not in averaged or not tensor.is_floating_point():
                averaged[name] = tensor.clone()
            else:
                averaged[name] = averaged[name] * recipe.ema + tensor * (1 - recipe.ema)
    module.load_state_dict(averaged if recipe.ema else module.state_dict())
    return module.eval(), losses
