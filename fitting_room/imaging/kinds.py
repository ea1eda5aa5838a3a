"""What kind of file it is that cannot be read, in words, and what to do about it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

_SAVE = "Save it as an ordinary JPEG or PNG and try again."
_STILL = "This is a video, not a picture. Take a still from it."

#: Beginnings of files that are no pictures, or of kinds that are not read.
_BEGINNINGS = (
    (b"%PDF", "This is a PDF document, not a picture. Save the picture in it as JPEG or PNG."),
    (b"8BPS", f"This is a Photoshop document. {_SAVE}"),
    (b"gimp xcf", f"This is a GIMP document. {_SAVE}"),
    (b"\xff\x0a", f"This is a JPEG XL picture, which is not read here. {_SAVE}"),
    (b"\x00\x00\x00\x0cJXL ", f"This is a JPEG XL picture, which is not read here. {_SAVE}"),
    (b"\x00\x00\x00\x0cjP  ", f"This is a JPEG 2000 picture, which is not read here. {_SAVE}"),
    (b"\xff\x4f\xff\x51", f"This is a JPEG 2000 picture, which is not read here. {_SAVE}"),
    (b"II\xbc\x01", f"This is a JPEG XR picture, which is not read here. {_SAVE}"),
    (b"\x00\x00\x01\x00", f"This is an icon, which is not read here. {_SAVE}"),
    (b"%!PS", f"This is a PostScript drawing, which is not read here. {_SAVE}"),
    (b"FUJIFILMCCD-RAW", f"This is a camera's raw picture, which is not read here. {_SAVE}"),
    (b"\x1aE\xdf\xa3", _STILL),
    (b"PK\x03\x04", "This is an archive or a document, not a picture. Take the picture out of it."),
)
_TIFFS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_VIDEOS = (b"isom", b"iso2", b"mp41", b"mp42", b"qt  ", b"M4V ", b"avc1", b"3gp4", b"3gp5")

#: Frame headers of a JPEG (ITU-T T.81, B.1.1.3) that decoders read: baseline, extended, progressive
#: and the last two with arithmetic coding.
_ORDINARY_FRAMES = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)
#: Fields of a TIFF, and what they say where it cannot be read (TIFF 6.0).
_PHOTOMETRIC, _SAMPLE_FORMAT, _BITS = 262, 339, 258
_COLOURS = {8: "Lab", 9: "Lab", 10: "Lab", 32803: "raw", 34892: "raw", 32844: "LogLuv"}
_FORMATS = {2: "signed", 3: "floating point", 5: "complex", 6: "complex"}
#: Fields of a TIFF that are looked at.
_MOST_FIELDS = 512


class FrameHeader(NamedTuple):
    """Where a JPEG's frame header is, its marker, the bits of a sample, and the size in pixels."""

    place: int
    marker: int
    bits: int
    width: int
    height: int
    components: int


def named(data: bytes) -> str | None:
    """A sentence on a file that no decoder takes, or ``None`` where its kind is not known."""
    for beginning, sentence in _BEGINNINGS:
        if data.startswith(beginning):
            return sentence
    if data.startswith(b"\xff\xd8\xff"):
        return jpeg_in_words(data)
    if data.startswith(_TIFFS):
        return f"This is {_kind_of_tiff(data)} that cannot be read here. {_SAVE}"
    return _in_a_container(data) or _in_letters(data[:1024].lower())


def _in_a_container(data: bytes) -> str | None:
    """The same of a file in boxes (ISO/IEC 14496-12) or in chunks (RIFF)."""
    container, brand = data[4:8], data[8:12]
    if (container == b"ftyp" and brand in _VIDEOS) or (data[:4], brand) == (b"RIFF", b"AVI "):
        return _STILL
    if container != b"ftyp":
        return None
    if brand == b"crx ":
        return f"This is a camera's raw picture, which is not read here. {_SAVE}"
    return f"This is a kind of AVIF or HEIC that cannot be read here. {_SAVE}"


def _in_letters(beginning: bytes) -> str | None:
    """The same of a file that begins with text."""
    if b"<svg" in beginning:
        return f"This is an SVG drawing, which is not read here. {_SAVE}"
    if b"<html" in beginning or beginning.lstrip().startswith(b"<!doctype html"):
        return "This is a web page, not a picture. Open it and save the picture in it."
    return None


def is_ordinary_jpeg(data: bytes) -> bool:
    """Whether a JPEG is of a kind that decoders read, as far as its header says."""
    frame = frame_of_jpeg(data)
    return frame is None or (frame.marker in _ORDINARY_FRAMES and frame.bits == 8)


def jpeg_in_words(data: bytes) -> str:
    """A sentence on a JPEG that no decoder takes."""
    frame = frame_of_jpeg(data)
    lossless = "lossless" if frame is not None and frame.marker & 3 == 3 else ""
    depth = f"{frame.bits}-bit" if frame is not None and frame.bits != 8 else ""
    words = " ".join(filter(None, [lossless, depth]))
    kind = f"a {words} JPEG" if words else "a kind of JPEG"
    return f"This is {kind} that cannot be read here. {_SAVE}"


def frame_of_jpeg(data: bytes) -> FrameHeader | None:
    """A JPEG's frame header (ITU-T T.81, B.2.2), or ``None`` where it is not found."""
    place = 2
    while place + 10 <= len(data) and data[place] == 0xFF:
        marker, length = data[place + 1], struct.unpack_from(">H", data, place + 2)[0]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            bits, height, width, components = struct.unpack_from(">BHHB", data, place + 4)
            return FrameHeader(place, marker, bits, width, height, components)
        place += 2 + max(length, 2)
    return None


def _kind_of_tiff(data: bytes) -> str:
    fields = dict(_fields_of_tiff(data))
    bits = fields.get(_BITS, 8)
    words = [
        f"{bits}-bit" if bits not in (1, 8) else "",
        _FORMATS.get(fields.get(_SAMPLE_FORMAT, 1), ""),
        _COLOURS.get(fields.get(_PHOTOMETRIC, 2), ""),
    ]
    kind = " ".join(filter(None, words))
    article = "an" if kind.startswith(("8", "11", "18")) else "a"
    return f"{article} {kind} TIFF" if kind else "a kind of TIFF"


def _fields_of_tiff(data: bytes) -> Iterator[tuple[int, int]]:
    """The fields of a TIFF's first directory, each with the first of its values, as far as they are
    short or long numbers (TIFF 6.0, section 2). Of a BigTIFF there are none."""
    order = "<" if data[:2] == b"II" else ">"
    if data[2:4] not in (b"*\x00", b"\x00*") or len(data) < 8:
        return
    (place,) = struct.unpack_from(order + "I", data, 4)
    if place + 2 > len(data):
        return
    count = min(struct.unpack_from(order + "H", data, place)[0], _MOST_FIELDS)
    for entry in range(place + 2, min(place + 2 + 12 * count, len(data) - 11), 12):
        tag, kind, values = struct.unpack_from(order + "HHI", data, entry)
        if kind not in (3, 4):
            continue
        size, form = (2, "H") if kind == 3 else (4, "I")
        at = entry + 8
        if values * size > 4:
            (at,) = struct.unpack_from(order + "I", data, entry + 8)
        if at + size <= len(data):
            yield tag, struct.unpack_from(order + form, data, at)[0]
