"""Decoding equals torchvision's and timm's; what cannot be decoded is told in one line."""

from __future__ import annotations

import io
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lpa.datasets.decode import Undecodable, decode

RANDOM = np.random.default_rng(5)
COLOR = RANDOM.integers(0, 256, (24, 31, 3), dtype=np.uint8)


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def rotated_by_exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(Image.fromarray(COLOR), "JPEG", exif=exif.tobytes())


def animated() -> bytes:
    frames = [Image.fromarray(COLOR), Image.fromarray(255 - COLOR)]
    return encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)


def palette_with_transparency() -> bytes:
    image = Image.fromarray(COLOR).convert("P")
    return encoded(image, "PNG", transparency=bytes(range(256)))


IMAGES = {
    "jpeg": encoded(Image.fromarray(COLOR), "JPEG"),
    "png": encoded(Image.fromarray(COLOR), "PNG"),
    "grayscale": encoded(Image.fromarray(COLOR[:, :, 0]), "JPEG"),
    "bilevel": encoded(Image.fromarray(COLOR).convert("1"), "PNG"),
    "cmyk": encoded(Image.fromarray(COLOR).convert("CMYK"), "JPEG"),
    "rgba": encoded(Image.fromarray(COLOR).convert("RGBA"), "PNG"),
    "gray_and_alpha": encoded(Image.fromarray(COLOR).convert("LA"), "PNG"),
    "palette": encoded(Image.fromarray(COLOR).convert("P"), "PNG"),
    "palette_with_transparency": palette_with_transparency(),
    "16_bit": encoded(Image.fromarray(COLOR[:, :, 0].astype(np.uint16) * 257), "PNG"),
    "tiff": encoded(Image.fromarray(COLOR), "TIFF"),
    "animated": animated(),
    "rotated_by_exif": rotated_by_exif(),
}


@pytest.mark.parametrize("kind", IMAGES)
def test_an_image_is_shown_as_torchvision_and_timm_show_it(kind: str, tmp_path: Path) -> None:
    from timm.data import ImageDataset
    from torchvision.datasets.folder import pil_loader

    (tmp_path / "class").mkdir()
    path = tmp_path / "class" / "image.png"
    path.write_bytes(IMAGES[kind])
    image = decode(IMAGES[kind])
    assert image.mode == "RGB"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        by_torchvision = pil_loader(path)
        by_timm = ImageDataset(str(tmp_path))[0][0]
    np.testing.assert_array_equal(np.asarray(image), np.asarray(by_torchvision))
    np.testing.assert_array_equal(np.asarray(image), np.asarray(by_timm))


def test_exif_rotation_is_not_applied() -> None:
    assert decode(IMAGES["rotated_by_exif"]).size == (31, 24)


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3)])
def test_pixels_become_rgb_unchanged(shape: tuple[int, ...]) -> None:
    array = RANDOM.integers(0, 256, shape, dtype=np.uint8)
    shown = np.asarray(decode(array))
    np.testing.assert_array_equal(shown, np.broadcast_to(array.reshape(5, 7, -1), (5, 7, 3)))


def reason(raw: bytes) -> str:
    with pytest.raises(Undecodable) as caught:
        decode(raw)
    text = str(caught.value)
    assert "\n" not in text and "0x" not in text
    return text


def test_an_empty_file_is_undecodable() -> None:
    assert reason(b"") == "the file is empty"


def test_text_is_undecodable() -> None:
    assert reason(b"<html>404</html>") == "not an image of a known format"


@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_a_truncated_image_is_undecodable(kind: str) -> None:
    whole = encoded(Image.fromarray(np.tile(COLOR, (8, 8, 1))), kind.upper())
    assert reason(whole[: len(whole) // 2]).startswith("cannot be decoded: ")


def test_a_broken_png_is_undecodable() -> None:
    whole = bytearray(IMAGES["png"])
    whole[60:90] = bytes(30)
    assert reason(bytes(whole)).startswith("cannot be decoded: ")


def test_a_decompression_bomb_is_undecodable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300)
    assert reason(IMAGES["png"]) == "more than 600 pixels"


def test_an_image_above_the_limit_that_pillow_only_warns_of_is_undecodable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 700)
    assert reason(IMAGES["png"]) == "31 x 24 pixels are more than the limit of 700"


def test_the_limit_can_be_lifted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert decode(IMAGES["png"]).size == (31, 24)


def test_warnings_of_pillow_are_silent_in_threads_and_the_filters_come_back() -> None:
    before = list(warnings.filters)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        inside = list(warnings.filters)
        with pytest.raises(UserWarning, match="Transparency"):
            Image.open(io.BytesIO(IMAGES["palette_with_transparency"])).convert("RGB")
        with ThreadPoolExecutor(8) as pool:
            raws = [IMAGES["palette_with_transparency"]] * 64
            assert {image.size for image in pool.map(decode, raws)} == {(31, 24)}
        assert list(warnings.filters) == inside
    assert list(warnings.filters) == before


def test_an_image_that_a_program_would_have_to_draw_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "started"
    program = tmp_path / "gs"
    program.write_text(f"#!/bin/sh\ntouch {told}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    raw = encoded(Image.fromarray(COLOR), "EPS")
    with pytest.raises(Undecodable, match=r"^not an image of a known format$"):
        decode(raw)
    assert not told.exists()
