"""Synthetic runs: real run folders, written through :mod:`lpa.outcomes`, of made-up outcomes."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from lpa.axes import Axis
from lpa.classes import Classes
from lpa.outcomes import (
    Cell,
    RunRecord,
    Samples,
    Store,
    cell_id,
    content_hash,
    create_or_check,
    put_plan,
    write_unit,
)

CROP = Axis(
    "crop", "fraction of the view kept", 1.0, "down", minimum=0.0, maximum=1.0,
    grid=(1.0, 0.8, 0.6, 0.4, 0.3, 0.2, 0.08),
)  # fmt: skip
CUTOUT = Axis(
    "cutout", "fraction of the view erased", 0.0, "up", minimum=0.0, maximum=1.0,
    grid=(0.0, 0.2, 0.4, 0.6, 0.8),
)  # fmt: skip

VERSIONS = {"lpa": "0.1.0", "torch": "2.15.0", "timm": "1.0.31", "kornia": "0.9.0"}


def made_up_samples(classes: int, per_class: int | Sequence[int], split: str = "val") -> Samples:
    """Samples sorted by name, so that classes are interleaved only by their names."""
    sizes = [per_class] * classes if isinstance(per_class, int) else list(per_class)
    labels = np.repeat(np.arange(classes), sizes)
    names = [f"{label:04d}/{index:05d}.jpg" for index, label in enumerate(labels)]
    keys = [int.from_bytes(hashlib.blake2b(n.encode(), digest_size=8).digest()) for n in names]
    return Samples(
        sample=np.arange(len(names), dtype=np.int64),
        key=np.array(keys, dtype=np.uint64),
        name=np.array(names, dtype=object),
        label=labels.astype(np.int64),
        split=np.full(len(names), split, dtype=object),
        size=np.full(len(names), 1000, dtype=np.int64),
    )


def made_up_cells(
    models: Sequence[str], axes: Mapping[Axis, Sequence[float]], draws: int, seed: int = 0
) -> list[Cell]:
    """Every cell of a scan: the identity once per model, then each strength in each draw."""
    cells = []

    def add(model: str, axis: Axis | None, value: float | None, replicate: int) -> None:
        augmentation = None if axis is None else {"name": axis.name, "revision": 1}
        key = cell_id(
            model=model, augmentation=augmentation, value=value, replicate=replicate,
            seed=seed, precision="fp32", data="made up",
        )  # fmt: skip
        cells.append(Cell(model, axis.name if axis else None, value, replicate, key))

    for model in models:
        add(model, None, None, 0)
        for axis, values in axes.items():
            for value in values:
                for replicate in range(draws if value != axis.reference else 0):
                    add(model, axis, float(value), replicate)
    return cells


def made_up_outcomes(
    cells: Sequence[Cell],
    samples: Samples,
    classes: int,
    axes: Mapping[Axis, Sequence[float]],
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Columns [cells, samples] of plausible curves: every class is lost at its own strength."""
    generator = np.random.default_rng(seed)
    by_name = {axis.name: (axis, values) for axis, values in axes.items()}
    robust = generator.beta(2.5, 1.2, classes)
    base = 0.72 + 0.27 * generator.beta(3, 1.2, classes)
    luck = generator.uniform(size=len(samples))
    label = np.asarray(samples.label)
    skill = {name: 0.06 * k for k, name in enumerate(dict.fromkeys(c.model for c in cells))}
    prediction = np.empty((len(cells), len(samples)), np.int32)
    probability = np.empty(prediction.shape, np.float32)
    rank = np.empty(prediction.shape, np.int32)
    for row, cell in enumerate(cells):
        strength = 0.0
        if cell.axis is not None:
            axis, values = by_name[cell.axis]
            strongest = max(axis.strength(value) for value in values)
            strength = axis.strength(cell.value or 0.0) / (strongest or 1.0)
        keep = base - skill[cell.model] * strength
        keep = keep * (1 - strength ** (1 + 6 * robust) * (1 - 0.55 * robust))
        noise = 0.75 * luck + 0.25 * generator.uniform(size=len(samples))
        right = noise < keep[label]
        wrong = (label + 1 + generator.integers(0, 3, len(samples))) % max(classes, 2)
        wrong = np.where(wrong < classes, wrong, -1)  # of one class alone all others are outside
        prediction[row] = np.where(right, label, wrong)
        probability[row] = np.where(right, 0.9 - 0.4 * strength, 0.2)
        rank[row] = np.where(right, 0, 1 + (luck * 5).astype(int))
    return {
        "prediction": prediction,
        "prediction_probability": np.where(rank == 0, probability, 0.6).astype(np.float32),
        "label_rank": rank,
        "label_probability": probability,
    }


def write_run(
    path: Path,
    *,
    names: Sequence[str] = ("n0", "n1", "n2", "n3"),
    titles: Sequence[str] = ("barn spider", "garden spider", "canoe", "paddle"),
    per_class: int | Sequence[int] = 12,
    models: Sequence[str] = ("first", "second"),
    axes: Mapping[Axis, Sequence[float]] | None = None,
    draws: int = 2,
    seed: int = 0,
    kind: str = "scan",
    shard_size: int = 16,
    cells_per_unit: int = 1000,
    skips: Mapping[int, str] | None = None,
    missing: Sequence[tuple[int, int]] = (),
    columns: Mapping[str, np.ndarray] | None = None,
    samples: Samples | None = None,
    photographs: Mapping[int, Image.Image] | None = None,
    pictures: bool = True,
    data: str = "made-up data",
) -> Path:
    """Write a run folder and return its path.

    ``missing`` names (shard, index of a cell) that are not stored. ``columns`` replaces the
    made-up outcomes, [cells, samples]; cells are those of :func:`made_up_cells`.
    """
    axes = axes or {CROP: CROP.grid, CUTOUT: CUTOUT.grid}
    samples = samples or made_up_samples(len(names), per_class)
    cells = made_up_cells(models, axes, draws, seed)
    columns = columns or made_up_outcomes(cells, samples, len(names), axes, seed)
    store = Store(path)
    record = RunRecord(
        kind=kind, data=data, split="val", per_class=None, limit=None,
        fingerprint=samples.fingerprint, classes=Classes(tuple(names), tuple(titles)), seed=seed,
        precision="fp32", shard_size=shard_size, reference={},
    )  # fmt: skip
    create_or_check(store, record, samples)
    put_plan(store, {
        "command": f"lpa scan --models {','.join(models)} --data made-up --draws {draws}",
        "created": "2026-01-02T03:04:05+00:00", "versions": VERSIONS, "device": "cpu",
        "axes": [
            {"axis": axis.to_dict(), "values": list(values), "draws": draws}
            for axis, values in axes.items()
        ],
        "models": {
            name: {"source": "made up", "weights": f"{name} weights", "weights_hash": "00" * 16,
                   "preprocessing": "224 px, crop .875, bicubic"}
            for name in models
        },
    })  # fmt: skip
    skips = dict(skips or {})
    for shard, first in enumerate(range(0, len(samples), shard_size)):
        members = np.arange(first, min(first + shard_size, len(samples)))
        members = members[~np.isin(members, list(skips))]
        there = [row for row in range(len(cells)) if (shard, row) not in missing]
        for start in range(0, len(there), cells_per_unit):
            rows = there[start : start + cells_per_unit]
            write_unit(
                store, shard, [cells[row] for row in rows], members.astype(np.int64),
                {name: values[np.ix_(rows, members)] for name, values in columns.items()},
                {s: reason for s, reason in skips.items() if first <= s < first + shard_size},
                {"seconds": 0.0},
            )  # fmt: skip
    if pictures:
        write_pictures(store, samples, shard_size, photographs)
        write_strips(store, samples, axes, photographs)
    return path


def picture(sample: int, photographs: Mapping[int, Image.Image] | None, size: int) -> Image.Image:
    """A photograph where there is one, else a pattern that depends on the sample."""
    if photographs and sample in photographs:
        image = photographs[sample]
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        return image.resize((size, size), box=(left, top, left + side, top + side))
    ramp = np.linspace(0, 255, size).astype(np.uint8)
    shift = (sample * 37) % 256
    pattern = np.stack([np.add.outer(ramp, ramp), np.add.outer(ramp, 255 - ramp) + shift,
                        np.full((size, size), shift)], axis=-1)  # fmt: skip
    return Image.fromarray(pattern.astype(np.uint8))


def webp(image: Image.Image) -> bytes:
    sink = io.BytesIO()
    image.save(sink, "WEBP", quality=70)
    return sink.getvalue()


def write_pictures(
    store: Store,
    samples: Samples,
    shard_size: int,
    photographs: Mapping[int, Image.Image] | None,
    per_class: int = 9,
) -> None:
    """Small pictures, at most nine a class, one object per shard."""
    label = np.asarray(samples.label)
    order = np.argsort(label, kind="stable")
    within = np.arange(len(order)) - np.searchsorted(label[order], label[order])
    chosen = np.sort(order[within < per_class])
    for shard in np.unique(chosen // shard_size):
        members = chosen[chosen // shard_size == shard]
        images = [webp(picture(int(sample), photographs, 48)) for sample in members]
        _put(
            store,
            f"examples/pictures-{shard:06d}.parquet",
            {"sample": pa.array(members, pa.int64()), "image": pa.array(images, pa.binary())},
        )


def write_strips(
    store: Store,
    samples: Samples,
    axes: Mapping[Axis, Sequence[float]],
    photographs: Mapping[int, Image.Image] | None,
    classes: int = 6,
) -> None:
    """One sample of the first classes over every value of every axis, in the first draw."""
    label = np.asarray(samples.label)
    rows: list[tuple[int, str | None, float | None, int, bytes]] = []
    for sample in [int(np.flatnonzero(label == c)[0]) for c in np.unique(label)[:classes]]:
        view = picture(sample, photographs, 128)
        rows.append((sample, None, None, 0, webp(view)))
        for axis, values in axes.items():
            for value in values:
                if value != axis.reference:
                    rows.append((sample, axis.name, value, 0, webp(altered(view, axis, value))))
    columns = list(zip(*rows, strict=True))
    kinds = {"sample": pa.int64(), "axis": pa.string(), "value": pa.float64(),
             "replicate": pa.int64(), "image": pa.binary()}  # fmt: skip
    _put(
        store,
        f"examples/strips-{content_hash([r[:4] for r in rows])}.parquet",
        {name: pa.array(columns[k], kind) for k, (name, kind) in enumerate(kinds.items())},
    )


def altered(view: Image.Image, axis: Axis, value: float) -> Image.Image:
    side = view.width
    if axis.name.startswith("crop"):
        width = side * np.sqrt(value)
        left, top = 0.3 * (side - width), 0.6 * (side - width)
        return view.resize(view.size, box=(left, top, left + width, top + width))
    width = int(side * np.sqrt(min(max(value, 0.0), 1.0)))
    left, top = int(0.3 * (side - width)), int(0.6 * (side - width))
    view = view.copy()
    view.paste((124, 116, 104), (left, top, left + width, top + width))
    return view


def _put(store: Store, name: str, columns: dict[str, pa.Array]) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    store.put(name, sink.getvalue())
