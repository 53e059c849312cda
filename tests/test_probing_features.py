"""Features are extracted once, whatever kills the extraction, and are those of the model."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from probed_features import Counted, backbone, data
from torch import nn

from lpa.augmentations import build, parse
from lpa.datasets.source import Source
from lpa.errors import InputError
from lpa.models.loaded import LoadedModel
from lpa.outcomes import Samples
from lpa.probing import features
from lpa.probing.augmented import AugmentedView
from lpa.probing.feature_files import FeatureFile
from lpa.probing.features import extract


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "SHARD", 8)


@pytest.fixture
def images(tmp_path: Path) -> tuple[Source, Samples]:
    return data(tmp_path / "data")


def expected_of(model: LoadedModel, source: Source, samples: Samples) -> np.ndarray:
    """One image after the other, by Pillow and the layers themselves, in double precision."""
    network: Any = model.module.cpu().double()
    rows = []
    for index in samples.sample:
        image = Image.open(f"{source.root}/{source.names[index]}").convert("RGB")
        with torch.no_grad():
            pixels = model.prepare(image).double()[None]
            rows.append(network.convolution(pixels).relu())
    network.float()
    pooled = [nn.functional.adaptive_avg_pool2d(row, 8).flatten(1) for row in rows]
    return torch.cat(pooled).numpy()


def only(found: list[list[FeatureFile]] | None) -> FeatureFile:
    assert found is not None
    ((file,),) = found
    return file


def test_features_are_those_of_each_image_alone(
    images: tuple[Source, Samples], tmp_path: Path
) -> None:
    source, samples = images
    file = only(extract([backbone()], source, samples, cache=tmp_path / "cache"))
    expected = expected_of(backbone(), source, samples)
    assert file.features.shape == (50, 384) and file.features.dtype == np.float16
    np.testing.assert_allclose(file.features, expected, rtol=2**-10, atol=1e-5)
    table = file.table(samples)
    assert table.labels.tolist() == [row // 5 for row in range(50)]
    assert table.keys.tolist() == samples.key.tolist()
    assert file.skips == {} and not file.features.flags.writeable


def test_the_error_of_half_precision_is_measured_and_full_precision_has_none(
    images: tuple[Source, Samples], tmp_path: Path
) -> None:
    half = only(extract([backbone()], *images, cache=tmp_path))
    full = only(extract([backbone()], *images, cache=tmp_path, stored="float32"))
    assert full.features.dtype == np.float32
    assert full.error == {"rows": 8, "mean": 0.0, "max": 0.0}
    # The first rows of one shard in sixteen: here of the first alone.
    exact = full.features[:8].astype(float)
    distance = np.sqrt(((half.features[:8].astype(float) - exact) ** 2).sum(1))
    relative = distance / np.sqrt((exact**2).sum(1))
    assert half.error["rows"] == 8
    assert half.error["mean"] == pytest.approx(relative.mean())
    assert half.error["max"] == pytest.approx(relative.max())
    assert 0 < half.error["max"] < 2**-11


def test_a_second_call_reads_no_image(images: tuple[Source, Samples], tmp_path: Path) -> None:
    source, samples = images
    first = only(extract([backbone()], source, samples, cache=tmp_path))
    counted: Any = Counted(source)
    ticks: list[int] = []
    again = only(extract([backbone()], counted, samples, cache=tmp_path, progress=ticks.append))
    assert (counted.reads, ticks) == (0, [])
    assert again.path == first.path


def test_an_image_is_decoded_once_for_all_backbones_and_alone_each_gets_the_same_bytes(
    images: tuple[Source, Samples], tmp_path: Path
) -> None:
    source, samples = images
    counted: Any = Counted(source)
    models = [backbone(0), backbone(1), backbone(0, 24)]
    ticks: list[int] = []
    together = extract(models, counted, samples, cache=tmp_path / "a", progress=ticks.append)
    assert counted.reads == 50 and sum(ticks) == 150
    assert together is not None
    for seed, side, found in zip((0, 1, 0), (16, 16, 24), together, strict=True):
        alone = only(extract([backbone(seed, side)], source, samples, cache=tmp_path / "b"))
        assert alone.path.name == found[0].path.name
        assert alone.path.read_bytes() == found[0].path.read_bytes()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("killed_at", [0, 17, 41])
def test_a_kill_loses_a_shard_and_changes_no_byte(
    images: tuple[Source, Samples], tmp_path: Path, killed_at: int
) -> None:
    source, samples = images
    script = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import probed_features; "
        f"probed_features.main({source.root!r}, {str(tmp_path / 'cache')!r}, {killed_at})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert not list((tmp_path / "cache").glob("*.features"))
    counted: Any = Counted(source)
    models = [backbone(0), backbone(1)]
    assert extract(models, counted, samples, cache=tmp_path / "cache", workers=1) is not None
    # The next shard is read ahead, so the kill may come while the one before is computed.
    assert 50 - killed_at <= counted.reads <= min(50, 50 - killed_at + 16)
    assert extract(models, source, samples, cache=tmp_path / "whole", workers=1) is not None
    assert contents(tmp_path / "cache") == contents(tmp_path / "whole")


def test_what_is_stopped_goes_on_where_it_was(
    images: tuple[Source, Samples], tmp_path: Path
) -> None:
    source, samples = images
    asked = iter([False, False, True])
    found = extract([backbone()], source, samples, cache=tmp_path, stop=lambda: next(asked))
    assert found is None
    ticks: list[int] = []
    only(extract([backbone()], source, samples, cache=tmp_path, progress=ticks.append))
    assert ticks == [8, 8, 8, 8, 2]
    assert [path.suffix for path in tmp_path.iterdir() if path.is_file()] == [".features"]


def test_a_backbone_that_comes_later_catches_up(
    images: tuple[Source, Samples], tmp_path: Path
) -> None:
    asked = iter([False] * 4 + [True])
    assert extract([backbone(0)], *images, cache=tmp_path, stop=lambda: next(asked)) is None
    ticks: list[int] = []
    models = [backbone(0), backbone(1)]
    assert extract(models, *images, cache=tmp_path, progress=ticks.append) is not None
    assert sum(ticks) == 50 + 18


def test_images_that_cannot_be_decoded_have_no_row(tmp_path: Path) -> None:
    source, _ = data(tmp_path / "data")
    (Path(source.root) / source.names[9]).write_bytes(b"")
    (Path(source.root) / source.names[49]).write_bytes(b"no image")
    source, samples = data(tmp_path / "data")
    file = only(extract([backbone()], source, samples, cache=tmp_path / "cache"))
    assert file.skips == {9: "the file is empty", 49: "not an image of a known format"}
    left = [row for row in range(50) if row not in (9, 49)]
    assert file.positions.tolist() == left
    table = file.table(samples)
    assert table.labels.tolist() == [row // 5 for row in left]
    expected = expected_of(backbone(), source, samples.take(left))
    np.testing.assert_allclose(file.features, expected, rtol=2**-10, atol=1e-5)


def test_nothing_but_undecodable_files_is_refused(tmp_path: Path) -> None:
    source, _ = data(tmp_path / "data")
    for name in source.names:
        (Path(source.root) / name).write_bytes(b"")
    source, samples = data(tmp_path / "data")
    with pytest.raises(InputError) as caught:
        extract([backbone()], source, samples, cache=tmp_path / "cache")
    assert str(caught.value) == (
        "none of 50 images can be decoded (number 0: the file is empty); expected image files: "
        "check the path"
    )


def test_draws_of_an_augmentation_are_the_augmentations_own(
    images: tuple[Source, Samples], tmp_path: Path
) -> None:
    source, samples = images
    (spec,) = parse("color_jitter=0,.4")
    views = [None, AugmentedView(spec, 0.4, 0, 3), AugmentedView(spec, 0.4, 1, 3)]
    model = backbone()
    found = extract([model], source, samples, views=views, cache=tmp_path / "cache")
    assert found is not None
    plain, *drawn = found[0]
    assert len({file.path for file in found[0]}) == 3
    network: Any = backbone().module
    module = build(spec)
    mean, std = (torch.tensor(one).view(1, 3, 1, 1) for one in (model.mean, model.std))
    for draw, file in enumerate(drawn):
        assert not np.allclose(file.features, plain.features, atol=1e-2)
        for row in (0, 13, 49):
            image = Image.open(f"{source.root}/{source.names[row]}").convert("RGB")
            pixels = torch.from_numpy(model.view.render(image)).permute(2, 0, 1)[None] / 255
            key = samples.key[row : row + 1]
            params = module.draw(key, 0.4, seed=3, draw=draw, size=model.view.size)
            with torch.no_grad():
                changed = (module(pixels, params=params) - mean) / std
                expected = network.features(changed)[0].numpy()
            np.testing.assert_allclose(file.features[row], expected, rtol=2e-3, atol=2e-4)


class Loud(nn.Module):
    """Features that no float16 holds, or that are no numbers."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor
        self.head = nn.Linear(3, 10)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        pooled = batch.mean((2, 3))
        return self.head(pooled if len(batch) < 3 else pooled * self.factor)


@pytest.mark.parametrize(
    ("factor", "text"),
    [
        (
            float("nan"),
            "backbone 'tiny0' gives features that are no numbers for eight/000.png; expected "
            "finite ones: check its weights",
        ),
        (
            1e6,
            "backbone 'tiny0' gives features up to {most:.3g}; expected at most 65504, which "
            "float16 holds: store them as float32 (--store float32)",
        ),
    ],
)
def test_features_that_cannot_be_stored_are_refused(
    images: tuple[Source, Samples], tmp_path: Path, factor: float, text: str
) -> None:
    source, samples = images

    def loud() -> LoadedModel:
        return backbone(wrapped=lambda inner: Loud(factor))

    with pytest.raises(InputError) as caught:
        extract([loud()], source, samples, cache=tmp_path)
    pixels = torch.stack(
        [
            loud().prepare(Image.open(f"{source.root}/{source.names[row]}").convert("RGB"))
            for row in range(8)
        ]
    )
    most = float(pixels.mean((2, 3)).abs().max()) * 1e6
    assert str(caught.value) == text.format(most=most)
    if factor == 1e6:
        file = only(extract([loud()], source, samples, cache=tmp_path, stored="float32"))
        assert float(np.abs(file.features).max()) > 65504


def test_a_changed_file_is_refused(images: tuple[Source, Samples], tmp_path: Path) -> None:
    source, samples = images
    Image.new("RGB", (5, 5)).save(Path(source.root) / source.names[20])
    with pytest.raises(InputError, match=r"^one/000\.png has changed since the run began"):
        extract([backbone()], source, samples, cache=tmp_path / "cache")


def test_a_missing_file_is_told_and_what_was_done_is_kept(
    images: tuple[Source, Samples], tmp_path: Path
) -> None:
    source, samples = images
    path = Path(source.root) / source.names[20]
    kept = path.read_bytes()
    path.unlink()
    with pytest.raises(InputError, match="expected readable files: what is done is kept, run the"):
        extract([backbone()], source, samples, cache=tmp_path / "cache")
    path.write_bytes(kept)
    ticks: list[int] = []
    only(extract([backbone()], source, samples, cache=tmp_path / "cache", progress=ticks.append))
    assert sum(ticks) == 50 - 16
