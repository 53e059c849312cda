"""Feature extraction against bare forward passes of the same module over the same number of images.

The extraction reads, decodes, makes views, computes and stores; the bare loop feeds ready,
normalised, channels-last batches. Both alternate in one process, because these ratios are all that
a noisy machine can tell. Wall time and processor time are given apart. The verification of the
pooled feature is a fixed cost of a few images, which few images hardly dilute. With
``--backbones 8`` an image is decoded once for eight::

    python benchmarks/feature_extraction.py --model efficientnet_lite0 --images 256
    python benchmarks/feature_extraction.py --model resnet18 --images 256
    python benchmarks/feature_extraction.py --model resnet50 --images 128 --backbones 4
"""

from __future__ import annotations

import argparse
import copy
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from photographs import photograph_folder

from lpa.datasets import index_samples, open_data
from lpa.models import load, parse_models
from lpa.models.from_module import Model
from lpa.models.loaded import LoadedModel, hash_weights
from lpa.probing.features import SHARD, extract


def backbones(name: str, count: int) -> list[LoadedModel]:
    """Return models of one architecture whose weights differ in one bias."""
    if name.startswith("efficientnet"):
        loaded = load(name)
    else:
        # Speed does not depend on the weights, and these need no download.
        import torchvision

        module = torchvision.models.get_model(name, weights=None).eval()
        transforms = torchvision.models.get_model_weights(name).DEFAULT.transforms(
            resize_size=256, crop_size=224
        )
        (spec,) = parse_models({name: Model(module, transforms)})
        loaded = load(spec)
    made = []
    for number in range(count):
        module = copy.deepcopy(loaded.module)
        list(module.parameters())[-1].data[0] += number
        made.append(
            replace(
                loaded,
                name=f"{name} {number}",
                module=module,
                weights_hash=hash_weights(module),
            )
        )
    return made


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return seconds of wall time and of processor time."""
    began, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - used


def main() -> None:
    """Print times and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="efficientnet_lite0")
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--backbones", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    device = torch.device(options.device)
    work = Path(tempfile.mkdtemp())
    source = open_data(photograph_folder(work / "data", options.images))
    samples = index_samples(
        source, np.arange(len(source)), np.arange(len(source.classes)), options.workers
    )
    models = backbones(options.model, options.backbones)
    module = copy.deepcopy(models[0].module).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    batch = torch.randn(min(SHARD, options.images), 3, *models[0].view.size, device=device)
    batch = batch.contiguous(memory_format=torch.channels_last)
    passes = -(-options.images // len(batch)) * options.backbones

    def bare() -> None:
        with torch.inference_mode(), torch.autocast(device.type, enabled=device.type == "cuda"):
            for _ in range(passes):
                module(batch)
        if device.type == "cuda":
            torch.cuda.synchronize()

    bare()
    ratios = []
    for number in range(options.rounds):
        before = timed(bare)

        def extraction(folder: Path = work / f"cache{number}") -> None:
            extract(models, source, samples, device=device, cache=folder, workers=options.workers)

        extracted = timed(extraction)
        after = timed(bare)
        alone = [(one + other) / 2 for one, other in zip(before, after, strict=True)]
        ratios.append([one / other for one, other in zip(extracted, alone, strict=True)])
        print(
            f"round {number}: bare {alone[0]:.2f} s wall {alone[1]:.2f} s processor, extraction "
            f"{extracted[0]:.2f} s wall {extracted[1]:.2f} s processor, ratios "
            f"{ratios[-1][0]:.3f} and {ratios[-1][1]:.3f}",
            flush=True,
        )
    wall, processor = (statistics.median(column) for column in zip(*ratios, strict=True))
    print(
        f"{options.model}, {options.backbones} backbones, {options.images} images: median ratio "
        f"{wall:.3f} of wall time, {processor:.3f} of processor time"
    )
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
