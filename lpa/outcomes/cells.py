"""Cells and their ids: what was asked for, independent of who computes it and how."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Cell", "CellColumns", "WorkUnit", "cell_id", "content_hash"]


def content_hash(record: Any, size: int = 16) -> str:
    """Return a hexadecimal blake2b digest of plain JSON values, the same on every machine."""
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=size).hexdigest()


@dataclass(frozen=True)
class Cell:
    """One cell: this model at this value of this axis in this replicate.

    Attributes
    ----------
    model : str
        The model's name in the run.
    axis : str or None
        Canonical name of the axis; None for the identity, which is stored once per model.
    value : float or None
        The value on the axis; None for the identity.
    replicate : int
        Random draw (scan) or training seed (sweep, probe), counted from 0.
    id : str
        See :func:`cell_id`.
    """

    model: str
    axis: str | None
    value: float | None
    replicate: int
    id: str


@dataclass(frozen=True)
class WorkUnit:
    """A shard and the cells that are still missing there: what an engine is given.

    Attributes
    ----------
    shard : int
        Number of the shard.
    cells : tuple of Cell
        In the order of the plan.
    """

    shard: int
    cells: tuple[Cell, ...]


def cell_id(
    *,
    model: str,
    augmentation: dict[str, Any] | None,
    value: float | None,
    replicate: int,
    seed: int,
    precision: str,
    data: str,
) -> str:
    """Hash everything that an outcome depends on, and nothing else.

    Parameters
    ----------
    model : str
        Hash of weights, preprocessing and output map.
    augmentation : dict or None
        Canonical name, options and integer revision; None for the identity.
    value : float or None
        Value on the axis.
    replicate : int
        Draw or training seed.
    seed : int
        Seed of the run; the identity does not depend on it.
    precision : str
        Precision of the forward pass.
    data : str
        Fingerprint of the samples.

    Returns
    -------
    str
        32 hexadecimal digits. Device, engine, batch size and versions are left out on purpose.
    """
    return content_hash(
        {
            "model": model,
            "augmentation": augmentation,
            "value": value,
            "replicate": replicate,
            "seed": None if augmentation is None else seed,
            "precision": precision,
            "data": data,
        }
    )


class CellColumns:
    """Cells as plain JSON columns, which parse faster than a list of records."""

    FIELDS = ("model", "axis", "value", "replicate", "id")

    @classmethod
    def dump(cls, cells: Iterable[Cell]) -> dict[str, list[Any]]:
        """Return one list per field."""
        rows = list(cells)
        return {field: [getattr(cell, field) for cell in rows] for field in cls.FIELDS}

    @classmethod
    def load(cls, columns: dict[str, Sequence[Any]]) -> list[Cell]:
        """Read what :meth:`dump` wrote."""
        return [Cell(*row) for row in zip(*(columns[field] for field in cls.FIELDS), strict=True)]
