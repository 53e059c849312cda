"""Bytes that claim to be images: decoded, or a skip that is told in one line."""

from __future__ import annotations

import io
import struct
import zlib
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fuzz.mutations import mutated
from fuzz.watch import cases, refused_or_read
from lpa.datasets.decode import Undecodable, decode
from lpa.views import View

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    sink = io.BytesIO()
    image.save(sink, form, **options)
    return sink.getvalue()


def rotated() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(Image.fromarray(PIXELS), "JPEG", exif=exif.tobytes())


def valid() -> list[bytes]:
    image = Image.fromarray(PIXELS)
    forms = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
    frames = {"save_all": True, "append_images": [Image.fromarray(255 - PIXELS)]}
    return [
        *(encoded(image, form) for form in forms),
        *(encoded(image.convert("P"), form, transparency=3) for form in ("PNG", "GIF")),
        *(encoded(image, form, **frames) for form in ("GIF", "PNG", "WEBP", "TIFF")),
        encoded(image.convert("CMYK"), "JPEG"),
        encoded(image.convert("CMYK"), "TIFF"),
        encoded(image.convert("RGBA"), "PNG"),
        encoded(image.convert("1"), "PNG"),
        encoded(image.convert("LA"), "PNG"),
        encoded(image.convert("F"), "TIFF"),
        encoded(Image.fromarray(PIXELS[:, :, 0].astype(np.uint16) * 257), "PNG"),
        *(
            encoded(image, "TIFF", compression=each)
            for each in ("tiff_lzw", "tiff_deflate", "jpeg")
        ),
        encoded(image, "JPEG", progressive=True, subsampling=2),
        encoded(image, "JPEG2000"),
        encoded(image, "ICO"),
        encoded(image, "AVIF"),
        rotated(),
    ]


VALID = valid()

STARTS = [
    b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"BM", b"II*\0", b"MM\0*", b"P6\n", b"P5 ",
    b"RIFF\xff\xff\xff\xffWEBPVP8 ", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\0\0\1\0", b"8BPS", b"SIMPLE",
    b"\0\0\0\x0cjP  \r\n\x87\n", b"/* XPM */", b"DDS |", b"icns", b"qoif", b"\xd7\xcd\xc6\x9a",
]  # fmt: skip
"""How the formats that Pillow knows begin."""


def check(data: bytes) -> None:
    image = refused_or_read(lambda: decode(data), Undecodable)
    if image is not None:
        assert image.mode == "RGB" and min(image.size) >= 1
        assert image.width * image.height <= Image.MAX_IMAGE_PIXELS
        assert np.asarray(image).shape == (image.height, image.width, 3)


@cases(210)
@given(st.binary(max_size=200) | st.builds(bytes.__add__, st.sampled_from(STARTS), st.binary()))
def test_random_bytes_are_an_image_or_a_skip(data: bytes) -> None:
    check(data)


@cases(840)
@given(mutated(VALID))
def test_a_mutated_image_is_an_image_or_a_skip(data: bytes) -> None:
    check(data)


@cases(140)
@given(st.binary(min_size=1, max_size=40), st.sampled_from(["PNG", "JPEG", "WEBP"]))
def test_any_exif_leaves_an_image(exif: bytes, form: str) -> None:
    check(encoded(Image.fromarray(PIXELS), form, exif=b"Exif\0\0" + exif))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, body: bytes, extra: bytes = b"", color: int = 2) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, color, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra
    return start + chunk(b"IDAT", body) + chunk(b"IEND", b"")


SIDES = [0, 1, 2, 65_535, 60_000, 9_460, 2**31 - 1, 2**32 - 1]
ZEROS = zlib.compress(b"\0" * 10_000_000, 9)


@pytest.mark.parametrize(("width", "height"), list(product(SIDES, SIDES)))
def test_a_header_that_claims_too_many_pixels_is_a_skip(width: int, height: int) -> None:
    check(png(width, height, ZEROS))
    check(
        struct.pack("<2sIHHI", b"BM", 54, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, width % 2**31, height % 2**31, 1, 24, *[0] * 6)
    )
    check(f"P6 {width} {height} 255\n".encode())
    check(b"GIF89a" + struct.pack("<HH", width % 2**16, height % 2**16) + b"\0\0\0,\0\0\0\0"
          + struct.pack("<HH", width % 2**16, height % 2**16) + b"\0\2\1\0\0;")  # fmt: skip


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_text_that_unpacks_to_gigabytes_is_no_memory(kind: bytes) -> None:
    bomb = {b"zTXt": b"a\0\0", b"iTXt": b"a\0\1\0\0\0", b"iCCP": b"a\0\0"}[kind] + ZEROS * 20
    row = zlib.compress(b"\0" * 4)
    check(png(1, 1, row, extra=chunk(kind, bomb)))


@cases(28)
@given(
    st.integers(1, 3),
    st.integers(1, 400) | st.sampled_from([5_000, 65_000]),
    st.booleans(),
    st.integers(1, 40),
)
def test_thin_and_tiny_images_have_a_view(short: int, long: int, tall: bool, side: int) -> None:
    size = (short, long) if tall else (long, short)
    image = decode(encoded(Image.new("RGB", size, (3, 2, 1)), "PNG"))
    for rule in ("short_side", "keep_ratio", "exact"):
        view = View((side, side), (side, side), rule, "bicubic")
        pixels = np.asarray(view.render(image))
        assert pixels.shape == (side, side, 3)
        assert np.abs(pixels.astype(int) - [3, 2, 1]).max() <= 1 or min(size) < side
