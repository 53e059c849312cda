"""Whole scan against bare forward passes of the same model over the same number of images.

The scan reads, decodes, makes crop, cutout and colour jitter at several strengths, and stores. The
bare loop feeds ready, normalised, channels-last batches. Both alternate in one process, because
these ratios are all that a noisy machine can tell::

    python benchmarks/scan_overhead.py --model efficientnet_lite0 --images 64 --rounds 3
    python benchmarks/scan_overhead.py --model resnet50 --images 64 --rounds 2
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from photographs import photograph_folder

import lpa

AUGMENTATIONS = {"crop": [1, 0.5, 0.2], "cutout": [0, 0.3, 0.6], "color_jitter": [0, 0.4, 0.8]}
PASSES_PER_IMAGE = 7


def model_of(name: str) -> tuple[Any, torch.nn.Module, int]:
    """Return what to scan, the bare module and its input size."""
    if name == "resnet50":
        # Speed does not depend on the weights, and these need no download.
        from torchvision.models import ResNet50_Weights, resnet50

        module = resnet50(weights=None).eval()
        weights = ResNet50_Weights.IMAGENET1K_V1
        from lpa.classes import imagenet

        asked = {"resnet50": lpa.Model(module, weights.transforms(), list(imagenet().names))}
        return asked, module, 224
    from lpa.models import load

    loaded = load(name)
    return name, loaded.module, loaded.view.size[0]


def bare(module: torch.nn.Module, batch: torch.Tensor, passes: int) -> float:
    """Return the seconds of so many forward passes of a batch."""
    began = time.perf_counter()
    with torch.inference_mode():
        for _ in range(passes):
            module(batch)
    return time.perf_counter() - began


def main() -> None:
    """Print both times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="efficientnet_lite0")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--without-pictures",
        action="store_true",
        help="leave out the report's pictures, a fixed cost that few images hardly dilute",
    )
    options = parser.parse_args()
    asked, module, size = model_of(options.model)
    module = module.to(memory_format=torch.channels_last)
    work = Path(tempfile.mkdtemp())
    data = photograph_folder(work / "data", options.images)
    batch = torch.randn(min(64, options.images), 3, size, size)
    batch = batch.contiguous(memory_format=torch.channels_last)
    passes = PASSES_PER_IMAGE * options.images // len(batch)
    bare(module, batch, 1)
    ratios = []
    for number in range(options.rounds):
        alone = bare(module, batch, passes)
        # Preparing (reading weights, hashing files, checking) is timed as well, and named apart.
        from lpa.experiments.preparation import prepare

        began = time.perf_counter()
        task = prepare(
            models=asked,
            data=data,
            aug=AUGMENTATIONS,
            out=work / f"run{number}",
            images=not options.without_pictures,
            progress=False,
        )
        ready = time.perf_counter()
        task.run()
        scanned = time.perf_counter() - ready
        again = bare(module, batch, passes)
        ratios.append(scanned / ((alone + again) / 2))
        print(
            f"round {number}: bare {alone:.2f} s and {again:.2f} s, scan {scanned:.2f} s "
            f"(prepared in {ready - began:.2f} s), ratio {ratios[-1]:.3f}",
            flush=True,
        )
    print(
        f"{options.model}: median ratio {statistics.median(ratios):.3f} over {len(ratios)} rounds"
    )
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
