"""Untrusted bytes or a path -> one upright RGB picture, or :class:`ImageRejected`.

Every picture that enters the system, from a visitor or from a catalogue, comes through
:func:`open_image`. The number of bytes and, from the header alone, the number of pixels are
checked before anything is decoded, and only the decoders of :data:`FORMATS` are ever tried.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import ExifTags, Image, UnidentifiedImageError

pillow_heif.register_heif_opener(thumbnails=False)

#: Pillow's names of the formats that are accepted; HEIF covers the HEIC files of phones.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF", "HEIF")
FORMATS_IN_WORDS = "JPEG, PNG, WebP, BMP, GIF, TIFF, AVIF or HEIC"

#: File name endings that are taken for pictures when a folder or an archive is listed.
SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".heic", ".heif"}
)

#: Opening never reduces a picture below this shorter side, in pixels, unless another is asked for.
#: On the way to a smaller one it is reduced to this one first.
WORKING_SIDE = 512

# What the many decoders raise on damaged input. OSError covers "truncated" and libtiff's errors.
_DECODER_ERRORS = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error,
    ZeroDivisionError, OverflowError, RuntimeError, NotImplementedError,
)  # fmt: skip


class ImageRejected(ValueError):  # noqa: N818  (the name is part of the design)
    """A picture that cannot be used.

    ``reason`` is a full sentence for the person who gave the picture: what is wrong with it and
    what to do about it. ``name`` is the picture's name where there is one.
    """

    def __init__(self, reason: str, *, name: str | None = None) -> None:
        super().__init__(f"{name}: {reason}" if name else reason)
        self.reason = reason
        self.name = name


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Bounds on what is decoded: ``max_bytes`` of the file, ``max_pixels`` of width x height, and
    ``min_side``, the least width and height in pixels."""

    max_bytes: int = 32 * 2**20
    max_pixels: int = 64_000_000
    min_side: int = 8


DEFAULT_LIMITS = ImageLimits()


def open_image(
    source: bytes | Path | str | Image.Image,
    *,
    name: str | None = None,
    limits: ImageLimits = DEFAULT_LIMITS,
    side: int = WORKING_SIDE,
) -> Image.Image:
    """Decode a picture to upright 8-bit RGB.

    ``source`` is the file's bytes, its path, or a picture that Pillow opened. EXIF orientation is
    applied; transparency is laid on white; greyscale, palette, CMYK and 16-bit pictures are
    converted; of an animation the first frame is taken. Pictures whose shorter side is at least
    twice ``side`` are reduced by whole factors, JPEG already inside its decoder, so the result's
    shorter side is below ``2 * side`` or the picture's own. What was opened to be shown and is
    opened once more for a network comes out as the file does when it is opened for it at once.

    Raises :class:`ImageRejected` when the picture cannot be read, is too large or too small, is
    of another format or is damaged.
    """
    if isinstance(source, str | Path):
        name = name or str(source)
    try:
        with _rejecting(limits):
            if isinstance(source, Image.Image):
                _check_size(source.size, limits)
                return _reduce(_to_upright_rgb(source, max(side, WORKING_SIDE)), side)
            if isinstance(source, str | Path):
                source = _read(Path(source), limits.max_bytes)
            return _reduce(_decode(source, limits, max(side, WORKING_SIDE)), side)
    except ImageRejected as rejected:
        raise ImageRejected(rejected.reason, name=name) from rejected.__cause__


def _read(path: Path, max_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(max_bytes + 1)  # one more byte tells "too large" without a stat
    except FileNotFoundError as error:
        raise ImageRejected("There is no such file.") from error
    except IsADirectoryError as error:
        raise ImageRejected("This is a folder, not a picture.") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
        why = getattr(error, "strerror", None) or error  # str(error) repeats the path
        raise ImageRejected(f"The file cannot be read ({why}).") from error


def _decode(data: bytes, limits: ImageLimits, side: int) -> Image.Image:
    if not data:
        raise ImageRejected("The file is empty. Choose another one.")
    if len(data) > limits.max_bytes:
        raise ImageRejected(
            f"The file is too large: more than {limits.max_bytes / 2**20:.3g} MB. "
            "Save the picture smaller and try again."
        )
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        _check_size(image.size, limits)
        if image.format in ("JPEG", "MPO"):
            image.draft(None, (side, side))
        return _to_upright_rgb(image, side)


@contextmanager
def _rejecting(limits: ImageLimits) -> Iterator[None]:
    """Turn whatever the decoders raise into :class:`ImageRejected`."""
    try:
        yield
    except ImageRejected:
        raise
    except UnidentifiedImageError as error:
        raise ImageRejected(
            f"This is not a picture in a format that can be read. Use {FORMATS_IN_WORDS}."
        ) from error
    except Image.DecompressionBombError as error:
        raise ImageRejected(_too_many_pixels(limits)) from error
    except MemoryError as error:
        raise ImageRejected("There is not enough memory to open the picture.") from error
    except _DECODER_ERRORS as error:
        raise ImageRejected(
            "The picture is damaged or incomplete. Export or download it again."
        ) from error


def _check_size(size: tuple[int, int], limits: ImageLimits) -> None:
    width, height = size
    if width * height > limits.max_pixels:
        raise ImageRejected(_too_many_pixels(limits, f"{width} x {height} pixels are"))
    if min(width, height) < limits.min_side:
        raise ImageRejected(
            f"The picture is too small: {width} x {height} pixels. "
            f"It needs at least {limits.min_side} on each side."
        )


def _too_many_pixels(limits: ImageLimits, subject: str = "it has") -> str:
    return (
        f"The picture is too large: {subject} more than {limits.max_pixels / 1e6:.3g} megapixels. "
        "Save it smaller and try again."
    )


def _to_upright_rgb(image: Image.Image, side: int) -> Image.Image:
    image.load()
    # Only now: Pillow turns a TIFF while it loads it, and takes the tag away.
    orientation = _orientation(image)
    image = _reduce(_to_8_bit(image), side)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("RGB")
    image.info.clear()  # EXIF and XMP would make others, and this function, turn it again
    return image if orientation is None else image.transpose(orientation)


#: EXIF orientation tag -> the transposition that sets the picture upright (EXIF 2.32, 4.6.4 A).
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _orientation(image: Image.Image) -> Image.Transpose | None:
    try:
        return _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except _DECODER_ERRORS:
        # A damaged EXIF block says nothing about the picture, which may be whole.
        return None


def _to_8_bit(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        return _stretch_to_8_bit(np.asarray(image, dtype=np.float64))
    # Before pixels are averaged, indices must become colours and a transparent colour alpha.
    if "transparency" in image.info or image.mode in ("1", "P", "PA"):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image


def _stretch_to_8_bit(values: np.ndarray) -> Image.Image:
    """32-bit and floating point pictures have no agreed white. Integers within 16 bits are read
    as 16-bit samples; anything else is stretched from its least to its greatest value."""
    finite = np.isfinite(values)
    low, high = (values[finite].min(), values[finite].max()) if finite.any() else (0.0, 0.0)
    if low >= 0 and 255 < high <= 65535:
        low, high = 0.0, 65535.0
    elif low >= 0 and 1 < high <= 255:
        low, high = 0.0, 255.0
    span = (high - low) or 1.0
    scaled = np.clip((np.where(finite, values, low) - low) / span * 255, 0, 255)
    return Image.fromarray(scaled.astype(np.uint8))


def _reduce(image: Image.Image, side: int) -> Image.Image:
    factor = min(image.size) // side
    return image.reduce(factor) if factor > 1 else image
