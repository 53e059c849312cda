"""The pictures of a report: read from the run, into the page while they fit, else beside it."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lpa.outcomes import Outcomes, Store

__all__ = ["Picture", "PictureFiles", "class_pictures", "strips"]

PER_CLASS = 9

PICTURES = pa.schema(
    [
        pa.field("sample", pa.int64(), nullable=False),
        pa.field("image", pa.binary(), nullable=False),
    ]
)
STRIPS = pa.schema(
    [
        pa.field("sample", pa.int64(), nullable=False),
        pa.field("axis", pa.string()),
        pa.field("value", pa.float64()),
        pa.field("replicate", pa.int64(), nullable=False),
        pa.field("image", pa.binary(), nullable=False),
    ]
)
"""Columns of the files below ``examples/``; a row without a needed cell is left out."""


class Picture(NamedTuple):
    """One picture: its sample, and where the page finds it."""

    sample: int
    source: str


class PictureFiles:
    """Places pictures: as data in the page up to a budget, as files in a folder beyond it.

    Parameters
    ----------
    page : Path
        The page; the folder is called after it, ``report_files`` for ``report.html``.
    """

    def __init__(self, page: Path) -> None:
        self.folder = page.with_name(f"{page.stem}_files")
        self.count = 0
        # What an earlier report left there belongs to no page any more; other files may be kept.
        for pattern in ("picture-*.webp", "strip-*.webp"):
            for stale in self.folder.glob(pattern):
                stale.unlink()

    def place(self, name: str, image: bytes, inside: bool) -> str:
        """Return the source of a picture for the page; ``name`` is the file's, made of digits."""
        if inside:
            return "data:image/webp;base64," + base64.b64encode(image).decode("ascii")
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{name}.webp").write_bytes(image)
        self.count += 1
        return f"{self.folder.name}/{name}.webp"


def class_pictures(
    outcomes: Outcomes, files: PictureFiles, first: Sequence[int], budget: int = 1_200_000,
    run: int = 0,
) -> dict[int, list[Picture]]:  # fmt: skip
    """Return, for each class's index, up to nine of its pictures.

    Parameters
    ----------
    first : sequence of int
        Classes whose pictures go into the page before others.
    budget : int
        Bytes of pictures that go into the page.
    run : int
        Number of the run on the page, for the files' names.
    """
    label_of = _labels(outcomes)
    by_class: dict[int, list[tuple[int, bytes]]] = {}
    seen: set[int] = set()
    for row in _rows(outcomes.store, "examples/pictures-", PICTURES):
        label = label_of.get(row["sample"], -1)
        if label >= 0 and row["sample"] not in seen:
            seen.add(row["sample"])
            by_class.setdefault(label, []).append((row["sample"], row["image"]))
    result: dict[int, list[Picture]] = {}
    for label in [*(c for c in first if c in by_class), *sorted(by_class.keys() - set(first))]:
        images = sorted(by_class[label])[:PER_CLASS]
        budget -= sum(len(image) for _, image in images)
        result[label] = [
            Picture(sample, files.place(f"picture-{run}-{sample}", image, budget >= 0))
            for sample, image in images
        ]
    return result


def strips(
    outcomes: Outcomes, files: PictureFiles, axes: list[str], models: list[str],
    first: Sequence[int] = (), budget: int = 1_600_000, run: int = 0,
) -> list[dict[str, Any]]:  # fmt: skip
    """Return the augmented examples, each with what every model said of it at that draw.

    Parameters
    ----------
    axes, models : list of str
        The run's own names, whose positions the items hold.
    first, budget, run
        As in :func:`class_pictures`.

    Returns
    -------
    list of dict
        One per sample: ``label`` (class's index), ``name`` (of the file), ``items``: ``axis``
        (position in ``axes``, None for the identity), ``value``, ``replicate``, ``source`` and
        ``verdicts``: [position in ``models``, predicted class's index] pairs.
    """
    rows: dict[int, dict[tuple[Any, ...], bytes]] = {}
    for row in _rows(outcomes.store, "examples/strips-", STRIPS):
        key = (row["axis"], row["value"], row["replicate"])
        rows.setdefault(row["sample"], {}).setdefault(key, row["image"])
    label_of = _labels(outcomes)
    names = dict(zip(outcomes.samples.sample.tolist(), outcomes.samples.name, strict=True))
    wanted = sorted(sample for sample in rows if sample in label_of)
    verdicts = _verdicts(outcomes, wanted, models)
    found: dict[int, dict[str, Any]] = {}
    for sample in sorted(wanted, key=lambda sample: label_of[sample] not in first):
        items = []
        for number, (key, image) in enumerate(rows[sample].items()):
            axis, value, replicate = key
            if axis is not None and axis not in axes:
                continue
            budget -= len(image)
            items.append(
                {
                    "axis": None if axis is None else axes.index(axis),
                    "value": value,
                    "replicate": replicate,
                    "source": files.place(f"strip-{run}-{sample}-{number}", image, budget >= 0),
                    "verdicts": verdicts.get((sample, *key), []),
                }
            )
        found[sample] = {"label": label_of[sample], "name": names[sample], "items": items}
    return [found[sample] for sample in wanted]


def _verdicts(
    outcomes: Outcomes, samples: Sequence[int], models: list[str]
) -> dict[tuple[Any, ...], list[tuple[int, int]]]:
    """Return (model, prediction) pairs by (sample, axis, value, replicate)."""
    found: dict[tuple[Any, ...], list[tuple[int, int]]] = {}
    if not samples:
        return found
    columns = np.searchsorted(outcomes.samples.sample, samples)
    predictions = outcomes.column("prediction")[:, columns]
    references = {name: axis.reference for name, axis in outcomes.axes.items()}
    for row, cell in enumerate(outcomes.cells.itertuples(index=False)):
        identity = not isinstance(cell.axis, str) or cell.value == references.get(cell.axis)
        place = (None, None) if identity else (cell.axis, cell.value)
        for sample, prediction in zip(samples, predictions[row], strict=True):
            said = found.setdefault((sample, *place, cell.replicate), [])
            model = models.index(str(cell.model))
            # The identity stands under every axis of its model: once is enough.
            if prediction == prediction and not any(other == model for other, _ in said):
                said.append((model, int(prediction)))
    return found


def _labels(outcomes: Outcomes) -> dict[int, int]:
    samples = outcomes.samples
    return dict(zip(samples.sample.tolist(), samples.label.tolist(), strict=True))


def _rows(store: Store, prefix: str, columns: pa.Schema) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name in store.list("examples"):
        if name.startswith(prefix):
            try:
                table = pq.read_table(io.BytesIO(store.get(name)))
                found = table.select(columns.names).cast(columns).to_pylist()
            except (OSError, ValueError, KeyError, pa.ArrowException):
                # A picture is an illustration: a damaged one is left out, numbers stay whole.
                continue
            needed = [field.name for field in columns if not field.nullable]
            rows += [row for row in found if all(row[key] is not None for key in needed)]
    return rows
