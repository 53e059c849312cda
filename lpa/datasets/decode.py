"""Bytes or pixels -> RGB image, exactly as the models' own libraries show it.

torchvision's ``pil_loader`` and timm's ``ImageDataset`` both open the file with Pillow and call
``convert("RGB")``, nothing else: no rotation by EXIF, no colour management, the first frame.
"""

from __future__ import annotations

import functools
import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

__all__ = ["Undecodable", "decode"]


FORMATS = (
    "AVIF", "BMP", "DIB", "GIF", "ICO", "JPEG", "JPEG2000", "PCX", "PNG", "PPM", "PSD", "QOI",
    "TGA", "TIFF", "WEBP",
)  # fmt: skip
"""What is decoded. Of what else Pillow reads, EPS would start Ghostscript on the bytes of a data
set, and whether a machine has that would decide what is skipped."""


class Undecodable(Exception):  # noqa: N818 - a finding about the data, not an error
    """Bytes that are no image.

    The message is one line and the same for the same bytes on every machine. This is no error of
    the user's: the measurement records the sample as skipped.
    """


def decode(raw: bytes | npt.NDArray[np.uint8]) -> Image.Image:
    """Decode one image.

    Parameters
    ----------
    raw : bytes or array of uint8
        An encoded image, or pixels of shape [H, W], [H, W, 1] or [H, W, 3].

    Returns
    -------
    PIL.Image.Image
        Mode RGB.

    Raises
    ------
    Undecodable
        For empty, truncated or foreign bytes (:data:`FORMATS`), and for an image of more pixels
        than ``PIL.Image.MAX_IMAGE_PIXELS`` (a decompression bomb).
    """
    if isinstance(raw, np.ndarray):
        pixels = raw[:, :, 0] if raw.ndim == 3 and raw.shape[2] == 1 else raw
        return Image.fromarray(pixels).convert("RGB")
    if not raw:
        raise Undecodable("the file is empty")
    with _pillow_silenced():
        try:
            return _decode_encoded(raw)
        except (Undecodable, MemoryError):
            raise
        except UnidentifiedImageError:
            # Pillow's own text holds the address of the buffer, which differs between runs.
            raise Undecodable("not an image of a known format") from None
        except Image.DecompressionBombError:
            raise Undecodable(f"more than {2 * (Image.MAX_IMAGE_PIXELS or 0)} pixels") from None
        except Exception as error:
            # Plugins raise whatever their parsing meets: OSError, SyntaxError, struct.error, ...
            reason = " ".join(str(error).split()) or type(error).__name__
            raise Undecodable(f"cannot be decoded: {reason}") from error


@functools.cache
def _formats() -> tuple[str, ...]:
    """Return those of :data:`FORMATS` that this build of Pillow knows."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _decode_encoded(raw: bytes) -> Image.Image:
    with Image.open(io.BytesIO(raw), formats=_formats()) as image:
        limit = Image.MAX_IMAGE_PIXELS
        if limit is not None and image.width * image.height > limit:
            raise Undecodable(
                f"{image.width} x {image.height} pixels are more than the limit of {limit}"
            )
        return image.convert("RGB")


_silence_lock = threading.Lock()
_silenced: list[warnings.catch_warnings[None]] = []
_depth = 0


@contextmanager
def _pillow_silenced() -> Iterator[None]:
    """Ignore Pillow's warnings (corrupt EXIF, palette transparency) while anything is decoded.

    ``warnings.catch_warnings`` alone is not safe between threads: the last to leave would bring
    back the filters that another had set. So the first thread to come in sets the filter and the
    last to leave takes it away.
    """
    global _depth
    with _silence_lock:
        _depth += 1
        if _depth == 1:
            guard = warnings.catch_warnings()
            guard.__enter__()
            warnings.filterwarnings("ignore", module=r"PIL(\.|$)")
            _silenced.append(guard)
    try:
        yield
    finally:
        with _silence_lock:
            _depth -= 1
            if _depth == 0:
                _silenced.pop().__exit__(None, None, None)
