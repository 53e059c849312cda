"""A folder of photographs for the benchmarks, by synset, made of the twenty embedded ones."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from PIL import Image

from lpa.classes import imagenet

__all__ = ["photograph_folder"]


def photograph_folder(root: Path, count: int) -> Path:
    """Write ``count`` JPEG files, the photographs again and again, each slightly shifted.

    Shifting makes the bytes differ, as different photographs' do; size and content stay real.
    """
    spec = importlib.util.find_spec("foolbox")
    assert spec is not None and spec.origin is not None, "pip install '.[sample]'"
    originals = sorted((Path(spec.origin).parent / "data").glob("imagenet_*.jpg"))
    names = imagenet().names
    opened = [Image.open(path).convert("RGB") for path in originals]
    for number in range(count):
        path, image = originals[number % 20], opened[number % 20]
        folder = root / names[int(path.stem.split("_")[2])]
        folder.mkdir(parents=True, exist_ok=True)
        shift = number // 20
        moved = image.rotate(0, translate=(shift % 17, shift // 17))
        moved.save(folder / f"{number:06d}.jpg", quality=90)
    return root
