"""``run:PATH#random_crop=0.3#2``: which kept models of a training sweep are meant. Torch-free."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Hashable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lpa.errors import InputError
from lpa.models.kept_objects import object_facts, object_tensors
from lpa.models.kept_weights import FOLDER, WeightsFacts, read_facts, read_tensors
from lpa.user_paths import is_folder, user_path

if TYPE_CHECKING:
    import torch

    from lpa.outcomes.store import Store

__all__ = ["PREFIX", "KeptModel", "find_kept", "run_location"]

PREFIX = "run:"

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://")


@dataclass(frozen=True)
class KeptModel:
    """One file of weights.

    Attributes
    ----------
    store : Store
        Its run's.
    file : str
        The object's name in it: ``weights/<cell>.safetensors``.
    facts : WeightsFacts
        What it says about itself.
    name : str
        Readable and unique in its run: ``small_cnn random_crop=0.3 seed 2``.
    text : str
        What asks for it alone: ``run:runs/digits#random_crop=0.3#2``.
    """

    store: Store
    file: str
    facts: WeightsFacts
    name: str
    text: str

    def tensors(self) -> dict[str, torch.Tensor]:
        """Read the weights themselves.

        Raises
        ------
        InputError
            For a damaged file.
        """
        from lpa.outcomes.store import FolderStore

        if isinstance(self.store, FolderStore):
            return read_tensors(self.store.path(self.file))
        return object_tensors(self.store, self.file)


def run_location(text: str) -> str | None:
    """Return what a text says behind ``run:``, or of a run's folder; None for any other model."""
    if text.startswith(PREFIX):
        return text.removeprefix(PREFIX)
    from lpa.outcomes.store import Store

    location, _ = _split(text)
    return text if Store(location).exists("run.json") else None


def find_kept(location: str) -> list[KeptModel]:
    """List the kept models of a run that are asked for.

    Parameters
    ----------
    location : str
        ``PATH``, or ``PATH#PART...`` with parts in any order: ``AXIS=VALUE``, the number of a
        seed, the name of a model.

    Returns
    -------
    list of KeptModel
        By model, axis, value and seed.

    Raises
    ------
    InputError
        For a folder that is no run or holds no weights, for a damaged file, and for a part that
        fits none of the models (listing what would).
    """
    run, parts = _split(location)
    kept = _all(str(run))
    for part in parts:
        fitting = [model for model in kept if _fits(model.facts, part)]
        if not fitting:
            raise _nothing(str(run), part, [model.facts for model in kept])
        kept = fitting
    return kept


def _split(location: str) -> tuple[str | Path, list[str]]:
    """Split a path or an address from its parts; a ``#`` of an existing folder's name stays."""
    pieces = location.split("#")
    if _ADDRESS.match(location):
        return pieces[0].strip(), [piece.strip() for piece in pieces[1:]]
    for end in range(len(pieces), 0, -1):
        folder = user_path("#".join(pieces[:end]))
        if is_folder(folder) or end == 1:
            break
    return folder, [piece.strip() for piece in pieces[end:]]


def _all(run: str) -> list[KeptModel]:
    """Read the headers again only after a file was added: each model of a run asks for the list."""
    from lpa.outcomes.store import FolderStore, Store

    store = Store(run)
    if not isinstance(store, FolderStore):
        return _listed(run, tuple(store.list(FOLDER)))
    weights = store.root / FOLDER
    return _listed(run, weights.stat().st_mtime_ns if is_folder(weights) else 0)


@functools.lru_cache(maxsize=8)
def _listed(run: str, changed: Hashable) -> list[KeptModel]:
    from lpa.outcomes.record import read_record
    from lpa.outcomes.store import Store

    store = Store(run)
    kind = read_record(store).kind
    files = [name for name in store.list(FOLDER) if name.endswith(".safetensors")]
    if not files:
        what = "is no training sweep" if kind != "sweep" else "keeps no weights (--keep none?)"
        raise InputError(
            f"run {run!r} {what}; expected a run of lpa train-sweep with --keep last or --keep best"
        )
    with ThreadPoolExecutor(8) as pool:
        facts = list(pool.map(lambda file: _facts(store, file), files))
    kept = sorted(zip(facts, files, strict=True), key=lambda pair: _order(*pair))
    several = len({one.model for one in facts}) > 1
    return [
        KeptModel(store, file, one, one.name, _text(store.location, one, with_model=several))
        for one, file in kept
    ]


def _facts(store: Store, file: str) -> WeightsFacts:
    from lpa.outcomes.store import FolderStore

    if isinstance(store, FolderStore):
        return read_facts(store.path(file))
    return object_facts(store, file)


def _order(facts: WeightsFacts, file: str) -> tuple[str, str, float, int, str]:
    value = -math.inf if facts.value is None else facts.value
    return facts.model, facts.axis or "", value, facts.replicate, file


def _text(run: str, facts: WeightsFacts, *, with_model: bool) -> str:
    parts = [facts.model if with_model else "", facts.place, str(facts.replicate)]
    return "#".join([f"{PREFIX}{run}", *(part for part in parts if part)])


def _fits(facts: WeightsFacts, part: str) -> bool:
    if part == facts.model:
        return True
    if part.isdecimal():
        return int(part) == facts.replicate
    axis, _, value = part.rpartition("=")
    try:
        return axis == facts.axis and math.isclose(
            float(value), math.nan if facts.value is None else facts.value, rel_tol=1e-9
        )
    except ValueError:
        return False


def _nothing(run: str, part: str, kept: Sequence[WeightsFacts]) -> InputError:
    """Say which values, seeds or models there are in place of the one that was asked for."""
    if part.isdecimal():
        known = _unique(str(number) for number in sorted({one.replicate for one in kept}))
        return InputError(f"run {run!r} has no seed {part}; kept are the seeds {known}")
    if "=" in part:
        known = _unique(one.place for one in kept if one.place)
        return InputError(f"run {run!r} has no models at {part}; kept are {known}")
    known = _unique(one.model for one in kept)
    return InputError(
        f"run {run!r} has no model {part!r}; kept are {known}; expected AXIS=VALUE, the "
        "number of a seed or a model's name after each #"
    )


def _unique(texts: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(texts))
