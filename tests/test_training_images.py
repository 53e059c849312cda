"""Images that are held ready for training: views and crops against Pillow."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from PIL import Image

from lpa.augmentations.resample import crop_resize
from lpa.datasets import open_data
from lpa.datasets.selection import index_samples
from lpa.errors import InputError
from lpa.training.image_loading import LoadedImages, load_images
from lpa.training.image_memory import Ragged, Stack, free_memory
from lpa.training.images import TrainingImages
from lpa.views import RESAMPLING, View

VIEW = View((24, 20), (30, 28), "keep_ratio", "bicubic")
SQUARE = View((32, 32), (36, 36), "short_side", "bilinear")
CPU = torch.device("cpu")


def loaded(data: Any, view: View, **options: Any) -> LoadedImages:
    source = open_data(data)
    samples = index_samples(source, np.arange(len(source)), np.arange(len(source.classes)))
    return load_images(source, samples, view, workers=2, **options)


def pictures(images: TrainingImages, folder: Path) -> list[Image.Image]:
    return [Image.open(folder / name).convert("RGB") for name in images.samples.name]


def layout(image: np.ndarray) -> np.ndarray:
    return np.moveaxis(np.array(image), -1, 0)


def view_by_pillow(image: Image.Image, view: View) -> np.ndarray:
    """Resize, then crop in the middle."""
    width, height = view.resized(*image.size)
    left, top = round((width - view.size[1]) / 2), round((height - view.size[0]) / 2)
    resized = image.resize((width, height), RESAMPLING[view.interpolation])
    return layout(resized.crop((left, top, left + view.size[1], top + view.size[0])))


def by_pillow(image: Image.Image, box: np.ndarray, view: View) -> np.ndarray:
    size, resample = view.size[::-1], RESAMPLING[view.interpolation]
    return layout(image.resize(size, resample, box=tuple(box.tolist())))


def smaller(boxes: np.ndarray, seed: int = 0) -> np.ndarray:
    """Boxes inside of boxes, of 8 to 80 per cent of the area."""
    random = np.random.default_rng(seed)
    share = np.sqrt(random.uniform(0.08, 0.8, (len(boxes), 1)))
    extent = boxes[:, 2:] - boxes[:, :2]
    corner = boxes[:, :2] + random.random((len(boxes), 2)) * (1 - share) * extent
    return np.concatenate([corner, corner + share * extent], axis=1)


def assert_within_a_level(measured: torch.Tensor, expected: list[np.ndarray]) -> None:
    assert measured.dtype == torch.uint8
    assert measured.is_contiguous()
    difference = np.abs(measured.numpy().astype(int) - np.stack(expected))
    assert difference.max() <= 1


@pytest.mark.parametrize("view", [VIEW, SQUARE])
def test_views_are_those_of_pillow_bit_for_bit(tmp_path: Path, view: View) -> None:
    images = loaded(tiny.folder(tmp_path / "data", 2), view).images
    rows = np.array([13, 2, 2, 19])
    originals = pictures(images, tmp_path / "data")
    expected = np.stack([view_by_pillow(originals[row], view) for row in rows])
    measured = images.views(rows)
    assert measured.is_contiguous()
    assert np.array_equal(measured.numpy(), expected)


@pytest.mark.parametrize("view", [VIEW, SQUARE])
def test_crops_are_those_of_pillow_and_whole_boxes_are_the_view(tmp_path: Path, view: View) -> None:
    images = loaded(tiny.folder(tmp_path / "data", 2), view).images
    originals = pictures(images, tmp_path / "data")
    rows = np.array([13, 2, 7, 19])
    boxes = images.view_boxes[rows].copy()
    boxes[1:3] = smaller(boxes[1:3])
    measured = images.crops(rows, boxes)
    assert_within_a_level(
        measured[1:3],
        [by_pillow(originals[row], box, view) for row, box in zip([2, 7], boxes[1:3], strict=True)],
    )
    for place, row in ((0, 13), (3, 19)):
        assert np.array_equal(measured[place].numpy(), view_by_pillow(originals[row], view))
    assert torch.equal(images.crops(rows, images.view_boxes[rows]), images.views(rows))
    assert images.sizes.tolist() == [list(original.size) for original in originals]


def test_digits_are_kept_once_and_in_one_channel() -> None:
    images = loaded("digits", View((8, 8), (8, 8))).images
    grey, labels = tiny.digits()
    # Rounded half up in the source, half to even in the module of this test.
    rows = np.arange(0, 1797, 30)
    measured = images.views(rows)
    assert measured.shape == (60, 3, 8, 8)
    assert np.abs(measured.numpy().astype(int) - grey[rows][:, None]).max() <= 1
    assert np.array_equal(images.labels, labels)
    assert images._originals is images._views
    assert images._views.shape == (8, 8, 1)
    boxes = smaller(images.view_boxes[rows])
    expected = [
        by_pillow(Image.fromarray(view.permute(1, 2, 0).numpy()), box, images.view)
        for view, box in zip(measured, boxes, strict=True)
    ]
    assert_within_a_level(images.crops(rows, boxes), expected)


@pytest.mark.parametrize("interpolation", ["bicubic", "nearest", "lanczos"])
def test_small_images_of_one_size_are_enlarged_to_the_view(interpolation: str) -> None:
    view = View((32, 32), (36, 36), "short_side", interpolation)
    images = loaded("digits", view).images
    grey = images._originals
    assert isinstance(grey, Stack)
    rows = np.arange(5, 1797, 100)
    originals = [Image.fromarray(grey.image(int(row)).numpy()) for row in rows]
    expected = np.stack([view_by_pillow(original, view) for original in originals])
    assert np.array_equal(images.views(rows).numpy(), expected)
    boxes = smaller(images.view_boxes[rows])
    crops = [by_pillow(image, box, view) for image, box in zip(originals, boxes, strict=True)]
    assert_within_a_level(images.crops(rows, boxes), crops)


def test_a_crop_does_not_depend_on_what_else_is_in_the_batch() -> None:
    images = loaded("digits", View((16, 16), (16, 16), interpolation="bicubic")).images
    rows = np.arange(64)
    boxes = smaller(images.view_boxes[rows])
    together = images.crops(rows, boxes)
    alone = [images.crops(rows[[row]], boxes[[row]])[0] for row in rows]
    assert torch.equal(together, torch.stack(alone))
    assert torch.equal(images.crops(rows[::-1].copy(), boxes[::-1].copy()), together.flip(0))


def test_a_part_shares_memory_and_shows_the_same(tmp_path: Path) -> None:
    images = loaded(tiny.folder(tmp_path / "data", 2), SQUARE).images
    mask = np.zeros(20, dtype=bool)
    mask[[3, 8, 17]] = True
    part = images.take(mask).take([2, 0])
    assert len(part) == 2
    assert part._views.levels is images._views.levels
    assert part.keys.tolist() == images.keys[[17, 3]].tolist()
    assert part.labels.tolist() == [images.labels[17], images.labels[3]]
    assert part.sizes.tolist() == images.sizes[[17, 3]].tolist()
    rows, boxes = np.array([0, 1]), smaller(images.view_boxes[[17, 3]])
    assert torch.equal(part.crops(rows, boxes), images.crops(np.array([17, 3]), boxes))
    boxes[0] = part.view_boxes[0]
    assert torch.equal(part.crops(rows, boxes), images.crops(np.array([17, 3]), boxes))
    assert torch.equal(part.views(rows), images.views(np.array([17, 3])))


def test_files_that_are_no_images_are_left_out_and_told(tmp_path: Path) -> None:
    data = tiny.folder(tmp_path / "data", 2)
    (data / "five" / "000.png").write_bytes(b"")
    (data / "six" / "001.png").write_bytes(b"no image")
    ticks: list[int] = []
    for cache in (None, tmp_path / "cache"):
        found = loaded(data, SQUARE, progress=ticks.append, cache=cache)
        broken = [row for row in range(20) if row not in found.positions]
        names = [open_data(data).names[row] for row in broken]
        assert names == ["five/000.png", "six/001.png"]
        assert found.skips == {
            broken[0]: "the file is empty",
            broken[1]: "not an image of a known format",
        }
        assert len(found.images) == 18
        assert found.images.samples.sample.tolist() == found.positions.tolist()
        last = Image.open(data / found.images.samples.name[17]).convert("RGB")
        assert np.array_equal(
            found.images.views(np.array([17]))[0].numpy(), view_by_pillow(last, SQUARE)
        )
    assert sum(ticks) == 40


@pytest.mark.parametrize("cached", [False, True])
def test_a_part_without_a_single_image_is_refused(tmp_path: Path, cached: bool) -> None:
    data = tiny.folder(tmp_path / "data", 1, classes=[0, 1])
    for file in data.rglob("*.png"):
        file.write_bytes(b"")
    folder = tmp_path / "cache" if cached else None
    with pytest.raises(InputError) as caught:
        loaded(data, SQUARE, cache=folder)
    assert str(caught.value) == (
        "none of 2 images of data can be decoded (one/000.png: the file is empty); expected image "
        "files: check the path"
    )
    assert folder is None or list(folder.iterdir()) == []


def test_a_file_that_changed_or_went_is_named(tmp_path: Path) -> None:
    data = tiny.folder(tmp_path / "data", 1)
    source = open_data(data)
    samples = index_samples(source, np.arange(10), np.arange(10))
    shutil.copy(data / "two" / "000.png", data / "one" / "000.png")
    with pytest.raises(InputError) as caught:
        load_images(source, samples, SQUARE)
    assert str(caught.value) == (
        "one/000.png has changed since the run began; expected the same bytes: restore the file, "
        "or start a new run with --out DIR"
    )
    (data / "one" / "000.png").unlink()
    with pytest.raises(InputError) as caught:
        load_images(source, samples, SQUARE)
    assert str(caught.value).startswith(f"one/000.png of {data} cannot be read ([Errno 2]")


def test_without_originals_only_views_are_kept(tmp_path: Path) -> None:
    images = loaded(tiny.folder(tmp_path / "data", 2), SQUARE, originals=False).images
    rows = np.arange(4)
    assert images._originals is None
    assert torch.equal(images.crops(rows, images.view_boxes[rows]), images.views(rows))
    with pytest.raises(ValueError, match="loaded without originals"):
        images.crops(rows, smaller(images.view_boxes[rows]))


def large(folder: Path) -> Path:
    """Two photographs of a landscape and a portrait, beyond 512 pixels, and a small one."""
    random = np.random.default_rng(0)
    for name, size in (("a/wide", (1200, 700)), ("a/tall", (600, 1001)), ("b/small", (300, 280))):
        coarse = random.integers(0, 256, (size[1] // 20, size[0] // 20, 3), dtype=np.uint8)
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(coarse).resize(size, Image.BICUBIC).save(path)
    return folder


@pytest.mark.parametrize("cached", [False, True])
def test_large_images_are_reduced_to_512_and_boxes_refer_to_that(
    tmp_path: Path, cached: bool
) -> None:
    data = large(tmp_path / "data")
    view = View((96, 96), (110, 110), "short_side", "bicubic")
    images = loaded(data, view, cache=tmp_path / "cache" if cached else None).images
    assert images.samples.name == ("a/tall.png", "a/wide.png", "b/small.png")
    # 1001 * 512 / 600 = 854.2; 1200 * 512 / 700 = 877.7
    assert images.sizes.tolist() == [[512, 854], [878, 512], [300, 280]]
    originals = pictures(images, data)
    rows = np.arange(3)
    # Views come from the full image.
    expected = np.stack([view_by_pillow(original, view) for original in originals])
    assert np.array_equal(images.views(rows).numpy(), expected)
    for row, original in enumerate(originals):
        scale = images.sizes[row] / np.array(original.size)
        box = np.array(view.box(*original.size)) * np.tile(scale, 2)
        assert images.view_boxes[row] == pytest.approx(box, rel=1e-12)
        assert (images.view_boxes[row, 2:] <= images.sizes[row]).all()
    boxes = smaller(images.view_boxes)
    stored = [
        original.resize(tuple(size), Image.BICUBIC) if min(original.size) > 512 else original
        for original, size in zip(originals, images.sizes.tolist(), strict=True)
    ]
    crops = [by_pillow(image, box, view) for image, box in zip(stored, boxes, strict=True)]
    assert_within_a_level(images.crops(rows, boxes), crops)


def test_views_larger_than_512_are_no_originals(tmp_path: Path) -> None:
    (tmp_path / "data" / "a").mkdir(parents=True)
    pixels = np.random.default_rng(1).integers(0, 256, (600, 600, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "data" / "a" / "0.png")
    images = loaded(tmp_path / "data", View((600, 600), (600, 600))).images
    assert images.sizes.tolist() == [[512, 512]]
    assert images.view_boxes.tolist() == [[0, 0, 512, 512]]
    assert np.array_equal(images.views(np.array([0]))[0].numpy(), layout(pixels))
    stored = Image.fromarray(pixels).resize((512, 512), Image.BICUBIC)
    boxes = smaller(images.view_boxes)
    assert_within_a_level(
        images.crops(np.array([0]), boxes), [by_pillow(stored, boxes[0], images.view)]
    )


@pytest.mark.parametrize(
    ("data", "view"),
    [
        ("digits", View((8, 8), (8, 8))),
        ("digits", View((20, 20), (24, 24), interpolation="bicubic")),
        ("folder", SQUARE),
        ("one size", View((40, 40), (48, 48))),
        ("one size", View((50, 50), (50, 50))),
    ],
)
def test_a_file_gives_the_pixels_that_memory_gives_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: str, view: View
) -> None:
    place: Any = data
    if data != "digits":
        place = tiny.folder(tmp_path / "data", 2)
    if data == "one size":
        for file in place.rglob("*.png"):
            Image.open(file).resize((50, 50)).save(file)
    resident = loaded(place, view).images
    monkeypatch.setattr("lpa.training.image_loading.free_memory", lambda device: 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    mapped = loaded(place, view).images
    assert (resident.held, mapped.held) == ("device", "file")
    files = sorted((tmp_path / "lpa" / "pixels").iterdir())
    assert {file.suffix for file in files} == {".pixels"}
    rows = np.arange(0, len(resident), 7)
    boxes = smaller(resident.view_boxes[rows])
    boxes[0] = resident.view_boxes[0]
    assert np.array_equal(mapped.view_boxes, resident.view_boxes)
    assert torch.equal(mapped.views(rows), resident.views(rows))
    assert torch.equal(mapped.crops(rows, boxes), resident.crops(rows, boxes))
    assert not isinstance(mapped._views.levels, torch.Tensor)
    # A given folder is used where memory suffices too, and what is there is taken from it.
    monkeypatch.undo()
    again = loaded(place, view, cache=tmp_path / "lpa" / "pixels").images
    assert again.held == "device"
    assert sorted((tmp_path / "lpa" / "pixels").iterdir()) == files
    assert torch.equal(again.crops(rows, boxes), resident.crops(rows, boxes))


def test_only_views_are_written_where_only_views_are_asked_for(tmp_path: Path) -> None:
    data = tiny.folder(tmp_path / "data", 1)
    loaded(data, SQUARE, cache=tmp_path / "cache", originals=False)
    assert len(list((tmp_path / "cache").iterdir())) == 1
    loaded(data, SQUARE, cache=tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 2
    # Another view needs no second copy of the originals.
    loaded(data, VIEW, cache=tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 3


def test_what_a_gpu_gets_from_memory_are_the_originals(tmp_path: Path) -> None:
    images = loaded(tiny.folder(tmp_path / "data", 2), SQUARE).images
    ragged = images._originals
    assert isinstance(ragged, Ragged)
    rows = np.array([4, 0, 11])
    boxes = smaller(images.view_boxes[rows])
    expected = [
        by_pillow(pictures(images, tmp_path / "data")[row], box, SQUARE)
        for row, box in zip(rows, boxes, strict=True)
    ]
    on_host = Ragged(np.asarray(ragged.levels), ragged.starts, ragged.sizes, CPU)
    for originals in (ragged, on_host):
        object.__setattr__(images, "_originals", originals)
        tensors = images._tensors(rows)
        assert [tuple(each.shape[:0:-1]) for each in tensors] == list(
            map(tuple, images.sizes[rows].tolist())
        )
        crops = crop_resize(tensors, boxes, SQUARE.size, SQUARE.interpolation)
        assert_within_a_level(crops, expected)


@pytest.mark.sample
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_photographs_are_cropped_as_pillow_does(tmp_path: Path, interpolation: str) -> None:
    view = View((112, 112), (128, 128), "short_side", interpolation)
    source = open_data("imagenet-sample")
    samples = index_samples(source, np.arange(6), np.arange(len(source.classes)))
    resident = load_images(source, samples, view, workers=2).images
    mapped = load_images(source, samples, view, cache=tmp_path).images
    rows = np.arange(6)
    boxes = smaller(resident.view_boxes)
    boxes[3] = resident.view_boxes[3]
    crops = resident.crops(rows, boxes)
    files = [Image.open(source.reader.paths[row]).convert("RGB") for row in rows]
    expected = [by_pillow(file, box, view) for file, box in zip(files, boxes, strict=True)]
    expected[3] = view_by_pillow(files[3], view)
    assert_within_a_level(crops, expected)
    assert torch.equal(mapped.crops(rows, boxes), crops)
    assert torch.equal(mapped.views(rows), resident.views(rows))


def test_free_memory_is_a_number_of_bytes() -> None:
    assert 10**6 < free_memory(CPU) < 10**14


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("data", ["digits", "folder"])
def test_a_gpu_shows_what_a_cpu_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: str
) -> None:
    place = data if data == "digits" else tiny.folder(tmp_path / "data", 2)
    here = loaded(place, SQUARE).images
    rows = np.arange(0, len(here), 5)
    boxes = smaller(here.view_boxes[rows])
    boxes[0] = here.view_boxes[0]
    for held in ("device", "memory", "file"):
        free = {"device": (10**12, 10**12), "memory": (0, 10**12), "file": (0, 0)}[held]
        monkeypatch.setattr(
            "lpa.training.image_loading.free_memory",
            lambda device, free=free: free[device.type == "cpu"],
        )
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        there = loaded(place, SQUARE, device="cuda").images
        assert there.held == held
        assert torch.equal(there.views(rows).cpu(), here.views(rows))
        measured = there.crops(rows, boxes)
        assert measured.device.type == "cuda"
        difference = (measured.cpu().int() - here.crops(rows, boxes).int()).abs()
        assert difference.max() <= 1
        assert (difference > 0).float().mean() <= 2e-3
