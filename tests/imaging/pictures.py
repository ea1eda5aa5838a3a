"""Pictures that the tests of decoding make and recognise."""

from __future__ import annotations

import re
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

import tests.imaging.heif  # noqa: F401
from fitting_room.imaging.decode import ImageRejected, open_image

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)

#: Every accepted kind of file, with the options that make it quick and exact enough to compare.
KINDS = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "PNG": {},
    "WEBP": {"quality": 95},
    "BMP": {},
    "GIF": {},
    "TIFF": {},
    "AVIF": {"quality": 95, "speed": 10},
    "HEIF": {"quality": 95},
}


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def quarters(
    size: tuple[int, int] = (40, 60),
    colours: tuple[tuple[int, int, int], ...] = (RED, GREEN, BLUE, WHITE),
) -> Image.Image:
    """A picture that looks different from all sides: its quarters, from the left, from the top."""
    (width, height), middle = size, (size[0] // 2, size[1] // 2)
    image = Image.new("RGB", size)
    image.paste(colours[0], (0, 0, *middle))
    image.paste(colours[1], (middle[0], 0, width, middle[1]))
    image.paste(colours[2], (0, middle[1], middle[0], height))
    image.paste(colours[3], (*middle, width, height))
    return image


def noise(size: tuple[int, int] = (40, 50), mode: str = "RGB") -> Image.Image:
    values = np.random.default_rng(7).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(values).convert(mode)


def close(pixel: object, expected: tuple[int, int, int], tolerance: int = 12) -> bool:
    return bool(np.abs(np.subtract(pixel, expected)).max() <= tolerance)  # type: ignore[arg-type]


def looks_like_quarters(image: Image.Image) -> bool:
    width, height = image.size
    left, right, top, bottom = width // 8, width - width // 8, height // 8, height - height // 8
    spots = [(left, top), (right, top), (left, bottom), (right, bottom)]
    return all(
        close(image.getpixel(spot), colour)
        for spot, colour in zip(spots, (RED, GREEN, BLUE, WHITE), strict=True)
    )


def rejection(source: bytes | Path | str, **options: object) -> ImageRejected:
    """The rejection of a source, after a check that its reason is fit to be shown."""
    with pytest.raises(ImageRejected) as caught:
        open_image(source, **options)  # type: ignore[arg-type]
    reason = caught.value.reason
    assert re.fullmatch(r"[A-Z].*\.", reason), reason
    assert len(reason) < 200, reason
    for internal in ("Traceback", "Error", "PIL", "0x", "<_io", "BytesIO", "/tmp", "[Errno"):
        assert internal not in reason, reason
    return caught.value


def exif(orientation: int) -> bytes:
    block = Image.Exif()
    block[ExifTags.Base.Orientation] = orientation
    return block.tobytes()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG of some 70 bytes whose header promises any number of pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            png_chunk(b"IHDR", header),
            png_chunk(b"IDAT", zlib.compress(b"\0" * 64)),
            png_chunk(b"IEND", b""),
        ]
    )
