"""What a file will cost to decode, from its header alone, and which files cost too much.

A file's size says little of that: 34 bytes of WebP may stand for 64 megapixels. What counts is the
bytes that a decoder of that kind holds at once for a pixel, measured with the files of
``tests/imaging/offenders.py`` and rounded up.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from fitting_room.imaging.kinds import frame_of_jpeg
from fitting_room.imaging.repairs import JPEG, PNG

#: The longest side in pixels, and by how many times it may be longer than the other. A long
#: screenshot of a phone is 20,000 pixels high and 20 times as high as wide.
MAX_SIDE, MAX_ASPECT = 30_000, 60
#: Bytes that decoding may hold at once beside the file and the program; more are refused. With
#: both it is below 600 MB.
MAX_DECODED = 500 * 2**20
#: What may hold more than this is decoded in a process of its own.
MAX_LIGHT = 128 * 2**20
#: A file of 32 MB that libpng wrote has some 4,000 chunks.
MAX_CHUNKS = 20_000
#: Pixels of a run-length coded bitmap for each of its bytes: 255 in two.
MAX_IN_A_RUN = 128
#: Times that a JPEG may go over its pixels, in this process; encoders do so ten times.
MAX_SCANS = 20

#: Bytes a pixel that Pillow holds in a mode, where that is not 4.
_OF_MODE = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
#: The same that decoders of a format hold beside it: whole pictures in other forms, for some.
_OF_DECODER = {"WEBP": 13, "AVIF": 8, "HEIF": 6, "TIFF": 1}
#: An animation's picture, the one before it, and what is made of both.
_OF_ANIMATION = 16
#: Indices as colours, and alpha, which colours are weighed by before they are averaged;
#: transparency laid on white, at the size at which a picture is kept.
_OF_COLOURS, _ON_WHITE = 4, 16

#: Beginnings of all the kinds that are read, but for AVIF and HEIC.
_BEGINNINGS = (JPEG, PNG, b"RIFF", b"BM", b"GIF", b"II", b"MM")

#: What is said where no header told it before.
TOO_SLOW = "Opening the picture takes too long. Save it as an ordinary JPEG or PNG and try again."
TOO_LITTLE_MEMORY = (
    "The picture takes too much memory to open. Save it as an ordinary JPEG, or smaller, and try "
    "again."
)
_TOO_DEAR = (
    "The picture takes too much memory to open: {:.0f} MB. Save it as an ordinary JPEG, or "
    "smaller, and try again."
)
_TOO_MANY_CHUNKS = (
    "The file consists of more parts than a picture has. Save it as an ordinary JPEG or PNG and "
    "try again."
)
_TOO_EMPTY = (
    "The file is far too small for the {} x {} pixels that it names. Save it as an ordinary JPEG "
    "or PNG and try again."
)


@dataclass(frozen=True, slots=True)
class Header:
    """What the beginning of a JPEG, PNG or WebP says: its ``size`` (width, height), the ``bytes_a_
    pixel`` that decoding holds, and those among them that do not get fewer when a JPEG is reduced
    inside the decoder; how often a JPEG goes over its pixels, and whether it is an animation."""

    size: tuple[int, int]
    bytes_a_pixel: float
    unreduced: float | None = None
    scans: int = 1
    is_animated: bool = False

    def cost(self, side: int, *, whole: bool = False) -> float:
        """Bytes that decoding holds at once. ``whole`` says that a JPEG is not reduced inside the
        decoder on the way to ``side``."""
        pixels = self.size[0] * self.size[1]
        if self.unreduced is None or whole:
            return pixels * (self.bytes_a_pixel + (self.unreduced or 0))
        factor: int = min(8, 1 << max(0, (min(self.size) // side).bit_length() - 1))
        return pixels * (self.unreduced + self.bytes_a_pixel / factor**2)


def header_of(data: bytes) -> Header | None:
    """The header of a JPEG, PNG or WebP; ``None`` for other kinds and where it is damaged."""
    if data.startswith(JPEG):
        return _of_jpeg(data)
    if data.startswith(PNG):
        return _of_png(data)
    return _of_webp(data) if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


def is_light(data: bytes, header: Header | None, side: int) -> bool:
    """Whether a file may be decoded in this process: an ordinary kind, of ordinary size, that takes
    no longer than its size says, or no picture at all. Everything else is decoded where it can be
    ended."""
    if header is None:
        return not data.startswith(_BEGINNINGS) and data[4:8] != b"ftyp"
    if header.is_animated or header.scans > MAX_SCANS:
        return False
    return header.cost(side) <= MAX_LIGHT


def objection_to_file(data: bytes) -> str | None:
    """A sentence on a file that is not even to be opened: a PNG of empty parts, or a bitmap that
    names more pixels than its bytes can have."""
    if data.startswith(PNG):
        count = sum(1 for _ in _chunks(data))
        return _TOO_MANY_CHUNKS if count > MAX_CHUNKS else None
    if data.startswith(b"BM") and len(data) >= 34:
        width, height, _, _, packing = struct.unpack_from("<iiHHI", data, 18)
        if packing in (1, 2) and abs(width * height) > MAX_IN_A_RUN * len(data):
            return _TOO_EMPTY.format(abs(width), abs(height))
    return None


def objection_to_size(size: tuple[int, int], max_pixels: int, min_side: int) -> str | None:
    """A sentence on a picture with too many pixels or too few."""
    width, height = size
    if width * height > max_pixels:
        return too_many_pixels(max_pixels, f"{width} x {height} pixels are")
    if min(size) < min_side:
        return (
            f"The picture is too small: {width} x {height} pixels. "
            f"It needs at least {min_side} on each side."
        )
    return None


def objection_to_shape(size: tuple[int, int]) -> str | None:
    """A sentence on a picture that is too long, or out of proportion."""
    width, height = size
    if max(size) > MAX_SIDE:
        return (
            f"The picture is too long: {width} x {height} pixels. A side may have "
            f"{MAX_SIDE:,} at most. Cut the garment out and try again."
        )
    if max(size) > MAX_ASPECT * min(size):
        return (
            f"The picture is too narrow: {width} x {height} pixels. One side may be "
            f"{MAX_ASPECT} times as long as the other at most. Cut the garment out and try again."
        )
    return None


def too_many_pixels(max_pixels: int, subject: str = "it has") -> str:
    """The sentence on a picture with more than ``max_pixels``."""
    return (
        f"The picture is too large: {subject} more than {max_pixels / 1e6:.3g} megapixels. "
        "Save it smaller and try again."
    )


def objection_to_header(header: Header, side: int, *, whole: bool = False) -> str | None:
    """A sentence on a JPEG, PNG or WebP whose decoding would hold more than :data:`MAX_DECODED`;
    ``whole`` as in :meth:`Header.cost`."""
    return _objection_to_cost(header.cost(side, whole=whole))


def objection_to_opened(image: Image.Image, side: int) -> str | None:
    """The same on a picture of another kind, which Pillow has opened and not decoded."""
    return _objection_to_cost(_cost(image, side))


def _objection_to_cost(cost: float) -> str | None:
    return _TOO_DEAR.format(cost / 2**20) if cost > MAX_DECODED else None


def _cost(image: Image.Image, side: int) -> float:
    """Bytes that decoding holds at once, for other kinds than JPEG."""
    mode, kind = image.mode, image.format or ""
    each = _OF_MODE.get(mode, 4) + _OF_DECODER.get(kind, 0)
    see_through = image.has_transparency_data
    if mode in ("1", "P", "PA") or (see_through and mode in ("L", "RGB")):
        each += _OF_COLOURS
    if see_through:
        each += _OF_COLOURS
    if kind != "WEBP" and getattr(image, "is_animated", False):
        each += _OF_ANIMATION
    if see_through and min(image.size) < 2 * side:
        each += _ON_WHITE
    return math.prod(image.size) * each


def _of_jpeg(data: bytes) -> Header | None:
    frame = frame_of_jpeg(data)
    if frame is None:
        return None
    # Zero bytes follow each 0xFF within the pixels, so that this stands before each scan only.
    scans = data.count(b"\xff\xda", frame.place)
    # What goes over the pixels more than once keeps all coefficients, of two bytes.
    unreduced = 2 * frame.components if frame.marker in _SEVERAL_SCANS or scans > 1 else 0
    return Header((frame.width, frame.height), 4, unreduced, scans)


#: Frame headers of progressive JPEGs (ITU-T T.81, B.1.1.3).
_SEVERAL_SCANS = (0xC2, 0xCA)
#: PNG's colour types (ISO/IEC 15948, 11.2.2) -> bytes a pixel in Pillow, with the colours of
#: indices; 16-bit greys have two more.
_OF_COLOUR_TYPE = {0: 1, 2: 4, 3: 5, 4: 4, 6: 4}
_SEE_THROUGH = (4, 6)
#: A PNG is not reduced below twice this side (``WORKING_SIDE`` of :mod:`decode`).
_LEAST_SIDE = 512


def _of_png(data: bytes) -> Header | None:
    if len(data) < 33 or data[12:16] != b"IHDR":
        return None
    width, height, bits, colour = struct.unpack_from(">IIBB", data, 16)
    beginning = data[33 : max(33, data.find(b"IDAT"))]
    has_clear_colour = b"tRNS" in beginning
    each = _OF_COLOUR_TYPE.get(colour, 4) + (_OF_COLOURS if bits == 1 or has_clear_colour else 0)
    if colour == 0 and bits == 16:
        each += 2
    if has_clear_colour or colour in _SEE_THROUGH:
        each += _OF_COLOURS + (_ON_WHITE if min(width, height) < 2 * _LEAST_SIDE else 0)
    return Header((width, height), each, is_animated=b"acTL" in beginning)


def _of_webp(data: bytes) -> Header | None:
    """RFC 9649, sections 2.5 to 2.7."""
    kind, head = data[12:16], data[20:30]
    if kind == b"VP8X" and len(head) == 10:
        width, height = (int.from_bytes(head[at : at + 3], "little") + 1 for at in (4, 7))
        return Header((width, height), 17, is_animated=bool(head[0] & 2))
    if kind == b"VP8L" and head[:1] == b"\x2f" and len(head) >= 5:
        (bits,) = struct.unpack_from("<I", head, 1)
        return Header(((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1), 17)
    if kind == b"VP8 " and head[3:6] == b"\x9d\x01\x2a" and len(head) == 10:
        width, height = struct.unpack_from("<HH", head, 6)
        return Header((width & 0x3FFF, height & 0x3FFF), 17)
    return None


def _chunks(data: bytes) -> Iterator[int]:
    """The places of a PNG's chunks, as far as they are counted."""
    place = len(PNG)
    for _ in range(MAX_CHUNKS + 1):
        if place + 12 > len(data):
            return
        yield place
        place += 12 + struct.unpack_from(">I", data, place)[0]
