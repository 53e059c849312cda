"""Training of a probe's heads: the passes over the features, the choice, the refit.

Every pass trains at most twelve heads at once. The passes that choose train on the features
without the part held out; then the chosen pair of each seed is trained again on all of them. A
training is a function of features, keys, recipe and seed: it can be stopped after any batch and
goes on from its state, on a CPU with the same number of threads to the same result bit for bit.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lpa.datasets.held_out import held_out
from lpa.errors import InputError
from lpa.plans.head_recipe import HeadRecipe
from lpa.probing.batches import Rows, epoch_order, parts, read
from lpa.probing.choice import Head, Score, choose
from lpa.probing.heads import HeadStack, heads_at_once
from lpa.probing.linear import Choice, TrainedHeads
from lpa.probing.standardised import standardisation
from lpa.probing.table import FeatureTable, check_table

__all__ = ["HeadTraining", "train_heads"]


@dataclass(frozen=True, eq=False)
class _Pass:
    """Heads that are trained together.

    Attributes
    ----------
    heads : sequence of Head
    rows : array of int64
        Images to train on.
    """

    heads: Sequence[Head]
    rows: Rows

    @property
    def seeds(self) -> dict[int, int]:
        """Seeds of the heads -> how many have each, neighbours; these share an order."""
        return Counter(head.seed for head in self.heads)


class HeadTraining:
    """Trains and chooses the heads of one backbone.

    Parameters
    ----------
    train : FeatureTable
        Training features. No others are ever seen: neither the choice nor anything else can look
        at those that are evaluated.
    classes : int
        Number of classes of the run.
    recipe : HeadRecipe
    keys : array of uint64, shape [N]
        The training images' keys.
    seed : int
        The run's.
    device : torch.device or str
    dtype : torch.dtype
        Of the heads.

    Raises
    ------
    InputError
        For features that cannot be trained on (see :func:`~lpa.probing.table.check_table` and
        :func:`~lpa.probing.standardised.standardisation`), or where there is something to choose
        and no class has two different images to hold one out.
    """

    def __init__(
        self,
        train: FeatureTable,
        classes: int,
        recipe: HeadRecipe,
        *,
        keys: npt.NDArray[np.uint64],
        seed: int = 0,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        check_table(train, classes, keys)
        self.train, self.classes, self.recipe = train, classes, recipe
        self.keys, self.seed, self.device, self.dtype = keys, seed, torch.device(device), dtype
        self.held_out = self._held_out()
        self._choosing = self._passes(
            [Head(one, *pair) for one in range(recipe.seeds) for pair in recipe.pairs],
            np.flatnonzero(~np.isin(np.arange(len(keys)), self.held_out)),
        )
        self.standardisation = standardisation(
            train.features, standardise=recipe.standardise, device=self.device, dtype=dtype
        )
        self._scores: list[Score] = []
        self._kept: dict[int, tuple[Tensor, Tensor]] = {}
        self._number = self._epoch = self._update = 0
        self._stack: HeadStack | None = None

    @property
    def total(self) -> int:
        """Images that go through the passes in all, each counted once a pass and epoch."""
        passes = list(self._choosing)
        if self._refits:
            heads = [Head(one, *self.recipe.pairs[0]) for one in range(self.recipe.seeds)]
            passes += self._passes(heads, np.arange(len(self.keys)))
        return self.recipe.epochs * sum(len(one.rows) for one in passes)

    def run(
        self,
        stop: Callable[[], bool] = lambda: False,
        tick: Callable[[int], object] = lambda images: None,
        after_epoch: Callable[[], object] = lambda: None,
    ) -> TrainedHeads | None:
        """Train to the end.

        Parameters
        ----------
        stop : callable
            Tells whether to stop before the next batch.
        tick : callable
            Called with the number of images of each batch.
        after_epoch : callable
            Called after each epoch of a pass: the time to save :meth:`state`.

        Returns
        -------
        TrainedHeads or None
            None when stopped; :meth:`state` then says where.

        Raises
        ------
        InputError
            Where every head of a seed, or the refit, diverged.
        """
        while (present := self._present()) is not None:
            if not self._train(present, stop, tick, after_epoch):
                return None
            self._end_pass(present)
        choices = tuple(self._choices())
        kept = [self._kept[one] for one in range(self.recipe.seeds)]
        return TrainedHeads(
            self.standardisation,
            torch.stack([weights for weights, _ in kept]),
            torch.stack([biases for _, biases in kept]),
            choices,
        )

    # ---- which heads on which images -----------------------------------------------------

    @property
    def _chooses(self) -> bool:
        return len(self.recipe.pairs) > 1

    @property
    def _refits(self) -> bool:
        return self._chooses and self.recipe.refit

    def _held_out(self) -> Rows:
        """Return the images held out; none where there is nothing to choose."""
        if not self._chooses:
            return np.zeros(0, dtype=np.int64)
        rows = np.flatnonzero(held_out(self.train.labels, self.keys, self.recipe.hold_out))
        if not len(rows):
            raise InputError(
                f"no class has two different training images, so none can be held out to choose "
                f"among {len(self.recipe.pairs)} heads; expected at least two of one class: give "
                "more images, or one --learning-rates and one --weight-decays"
            )
        return rows

    def _passes(self, heads: Sequence[Head], rows: Rows) -> list[_Pass]:
        width = self.train.features.shape[1]
        size = heads_at_once(width, self.classes, self.recipe.batch_size)
        return [_Pass(heads[start : start + size], rows) for start in range(0, len(heads), size)]

    def _choices(self) -> list[Choice]:
        """Return one a seed, once the passes that choose are over."""
        if not self._chooses:
            return [Choice(*self.recipe.pairs[0], None, {}) for _ in range(self.recipe.seeds)]
        heads = [head for one in self._choosing for head in one.heads]
        count = len(self.recipe.pairs)
        return [
            choose(heads[at : at + count], self._scores[at : at + count], len(self.held_out))
            for at in range(0, len(heads), count)
        ]

    def _present(self) -> _Pass | None:
        """Return the pass to train; None after the last."""
        if self._number < len(self._choosing):
            return self._choosing[self._number]
        if not self._refits:
            return None
        chosen = [
            Head(one, choice.learning_rate, choice.weight_decay)
            for one, choice in enumerate(self._choices())
        ]
        passes = self._passes(chosen, np.arange(len(self.keys)))
        number = self._number - len(self._choosing)
        return passes[number] if number < len(passes) else None

    # ---- one pass ------------------------------------------------------------------------

    def _train(
        self,
        present: _Pass,
        stop: Callable[[], bool],
        tick: Callable[[int], object],
        after_epoch: Callable[[], object],
    ) -> bool:
        """Train the heads of a pass from where it stands; return False when stopped."""
        if self._stack is None:
            self._stack = self._new_stack(present)
        updates = math.ceil(len(present.rows) / self.recipe.batch_size)
        first = torch.tensor([head.learning_rate for head in present.heads], dtype=torch.float64)
        while self._epoch < self.recipe.epochs:
            batches = [self._batches(present.rows, one) for one in present.seeds]
            while self._update < updates:
                if stop():
                    return False
                done = (self._epoch * updates + self._update) / (self.recipe.epochs * updates)
                rates = first * (0.5 * (1 + math.cos(math.pi * done)))
                self._stack.step(
                    [self._read(batch[self._update]) for batch in batches],
                    (rates / self.standardisation.square).to(self.device, self.dtype),
                    rates.to(self.device, self.dtype),
                )
                tick(len(batches[0][self._update]))
                self._update += 1
            self._epoch, self._update = self._epoch + 1, 0
            after_epoch()
        return True

    def _new_stack(self, present: _Pass) -> HeadStack:
        return HeadStack(
            self.train.features.shape[1],
            self.classes,
            [head.weight_decay for head in present.heads],
            self.recipe.momentum,
            list(present.seeds.values()),
            self.device,
            self.dtype,
        )

    def _batches(self, rows: Rows, head_seed: int) -> list[Rows]:
        order = epoch_order(self.keys[rows], self.seed, head_seed, self._epoch)
        return list(parts(rows[order], self.recipe.batch_size))

    def _read(self, rows: Rows) -> tuple[Tensor, Tensor]:
        features, labels = read(self.train, rows, self.device)
        return self.standardisation.apply(features), labels

    def _end_pass(self, present: _Pass) -> None:
        """Score the heads on the part held out, and keep those that may be the result."""
        assert self._stack is not None
        if self._chooses and self._number < len(self._choosing):
            self._choose_among(present.heads)
        else:
            for place, head in enumerate(present.heads):
                self._keep(place, head.seed)
                self._check_finite(head)
        self._stack = None
        self._number, self._epoch = self._number + 1, 0

    @torch.inference_mode()
    def _score(self, stack: HeadStack) -> list[Score]:
        right = torch.zeros(len(stack), dtype=torch.int64, device=self.device)
        losses = torch.zeros(len(stack), dtype=torch.float64, device=self.device)
        for rows in parts(self.held_out, self.recipe.batch_size):
            features, labels = self._read(rows)
            logits = stack.logits(features)
            right += (logits.argmax(dim=2) == labels[:, None]).sum(dim=0)
            wanted = labels[:, None, None].expand(len(rows), len(stack), 1)
            excess = logits.logsumexp(dim=2) - logits.gather(2, wanted)[:, :, 0]
            losses += excess.double().sum(dim=0)
        means = (losses / len(self.held_out)).tolist()
        return [Score(*score) for score in zip(right.tolist(), means, strict=True)]

    def _choose_among(self, heads: Sequence[Head]) -> None:
        """Score a pass; without a refit, keep its heads that are their seed's best so far."""
        assert self._stack is not None
        for place, (head, score) in enumerate(zip(heads, self._score(self._stack), strict=True)):
            # Scores are in the order of seeds and pairs, as the heads are.
            earlier = self._scores[head.seed * len(self.recipe.pairs) :]
            if not self.recipe.refit and all(score.order < other.order for other in earlier):
                self._keep(place, head.seed)
            self._scores.append(score)

    def _keep(self, place: int, seed: int) -> None:
        assert self._stack is not None
        self._kept[seed] = (
            self._stack.weights[:, place].clone(),
            self._stack.biases[place].clone(),
        )

    def _check_finite(self, head: Head) -> None:
        if not bool(self._kept[head.seed][0].isfinite().all()):
            raise InputError(
                f"the head with learning rate {head.learning_rate:g} and weight decay "
                f"{head.weight_decay:g} diverged; expected a learning rate at which it does not: "
                "give smaller --learning-rates"
            )

    # ---- where it stands -----------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps: plain values and the tensors in use, not copies.

        Save it before training goes on.
        """
        return {
            "number": self._number,
            "epoch": self._epoch,
            "update": self._update,
            "scores": [asdict(score) for score in self._scores],
            "kept": {seed: list(kept) for seed, kept in self._kept.items()},
            "stack": None if self._stack is None else self._stack.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what :meth:`state` of a training of the same features and recipe returned."""
        self._number, self._epoch, self._update = (
            state[name] for name in ("number", "epoch", "update")
        )
        self._scores = [Score(**score) for score in state["scores"]]
        self._kept = {
            seed: (weights.to(self.device), biases.to(self.device))
            for seed, (weights, biases) in state["kept"].items()
        }
        self._stack = None
        present = self._present()
        if present is not None and state["stack"] is not None:
            self._stack = self._new_stack(present)
            self._stack.restore(state["stack"])


def train_heads(
    train: FeatureTable,
    classes: int,
    recipe: HeadRecipe,
    *,
    keys: npt.NDArray[np.uint64],
    seed: int = 0,
    device: torch.device | str = "cpu",
    stop: Callable[[], bool] = lambda: False,
    tick: Callable[[int], object] = lambda images: None,
) -> TrainedHeads | None:
    """Train and choose heads in one go; parameters as :class:`HeadTraining` and its ``run``.

    Returns
    -------
    TrainedHeads or None
        None when stopped.
    """
    return HeadTraining(train, classes, recipe, keys=keys, seed=seed, device=device).run(stop, tick)
