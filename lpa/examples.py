"""Pictures for the report: small views of each class and strips of augmented examples.

They are stored with the run, so that a report needs neither the data nor torch.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from torch import Tensor

from lpa.outcomes import Samples, Store
from lpa.streams import Shard
from lpa.views import View

__all__ = ["ExamplePlan", "Strips", "choose_examples", "write_pictures"]

PICTURES_PER_CLASS = 9
STRIPS = 24


@dataclass(frozen=True)
class ExamplePlan:
    """Which samples are kept as pictures.

    Attributes
    ----------
    pictures : frozenset of int
        Samples of which a small view is stored: the first nine of each class.
    strips : frozenset of int
        Samples whose augmented views are stored (draw 0): the first image of at most 24 classes,
        spread evenly.
    picture_pixels, strip_pixels : int
        Longer side in pixels.
    """

    pictures: frozenset[int]
    strips: frozenset[int]
    picture_pixels: int
    strip_pixels: int = 128


def choose_examples(samples: Samples) -> ExamplePlan:
    """Choose the pictures of a run: 48 pixels where there are many, 128 where there are few."""
    pictures: list[int] = []
    first: list[int] = []
    for label in np.unique(samples.label):
        of_class = samples.sample[samples.label == label]
        pictures.extend(of_class[:PICTURES_PER_CLASS].tolist())
        first.append(int(of_class[0]))
    spread = np.unique(np.linspace(0, len(first) - 1, min(STRIPS, len(first))).round().astype(int))
    strips = frozenset(first[index] for index in spread)
    return ExamplePlan(frozenset(pictures), strips, 128 if len(pictures) <= 500 else 48)


def write_pictures(store: Store, shard: Shard, view: View, plan: ExamplePlan) -> None:
    """Store the small views of a shard's chosen samples, once."""
    name = f"examples/pictures-{shard.number:06d}.parquet"
    chosen = [i for i, s in enumerate(shard.samples.sample) if int(s) in plan.pictures]
    if not chosen or store.exists(name):
        return
    rows: dict[str, list[Any]] = {
        "sample": [int(shard.samples.sample[index]) for index in chosen],
        "image": [_webp(view.render(shard.images[index]), plan.picture_pixels) for index in chosen],
    }
    store.put(name, _parquet(rows, {"sample": pa.int64(), "image": pa.binary()}))


@dataclass
class Strips:
    """Collects the augmented examples of a unit's part and stores them together.

    Attributes
    ----------
    plan : ExamplePlan
        Which samples.
    rows : list of tuple
        sample, axis, value, replicate, image; axis and value are None for the identity.
    """

    plan: ExamplePlan
    rows: list[tuple[int, str | None, float | None, int, bytes]] = field(default_factory=list)

    def add(
        self, shard: Shard, images: Tensor, axis: str | None, value: float | None, draw: int
    ) -> None:
        """Keep the chosen samples of a batch: float [B, 3, height, width] in [0, 1]."""
        for index in self.chosen(shard.samples.sample.tolist()):
            pixels = images[index].mul(255).round().clamp(0, 255).byte().permute(1, 2, 0)
            picture = _webp(pixels.cpu().numpy(), self.plan.strip_pixels)
            self.rows.append((int(shard.samples.sample[index]), axis, value, draw, picture))

    def chosen(self, samples: Iterable[int]) -> list[int]:
        """Return the positions of the chosen samples."""
        return [index for index, sample in enumerate(samples) if sample in self.plan.strips]

    def flush(self, store: Store, unit: str) -> None:
        """Store what was collected beside the unit of that name."""
        if not self.rows:
            return
        names = ("sample", "axis", "value", "replicate", "image")
        kinds = (pa.int64(), pa.string(), pa.float64(), pa.int64(), pa.binary())
        columns = dict(zip(names, map(list, zip(*self.rows, strict=True)), strict=True))
        stem = unit.removeprefix("units/").removesuffix(".parquet")
        data = _parquet(columns, dict(zip(names, kinds, strict=True)))
        store.put(f"examples/strips-{stem}.parquet", data)
        self.rows.clear()


def _webp(pixels: np.ndarray[Any, np.dtype[np.uint8]], longest: int) -> bytes:
    image = Image.fromarray(pixels)
    scale = min(1.0, longest / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    sink = io.BytesIO()
    image.resize(size, Image.Resampling.LANCZOS).save(sink, "WEBP", quality=80, method=4)
    return sink.getvalue()


def _parquet(columns: dict[str, list[Any]], kinds: dict[str, pa.DataType]) -> bytes:
    table = pa.table({name: pa.array(columns[name], kind) for name, kind in kinds.items()})
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()
