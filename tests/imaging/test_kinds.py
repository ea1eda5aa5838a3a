"""What cannot be read is named by its kind."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image

from fitting_room.imaging.decode import open_image
from fitting_room.imaging.kinds import is_ordinary_jpeg, named
from tests.conftest import REAL_DATA
from tests.imaging.pictures import encoded, noise, rejection

CASES = REAL_DATA.parent / "cases" / "pictures"


def jpeg_header(marker: int, bits: int) -> bytes:
    """The beginning of a JPEG with a comment and a frame header."""
    comment = b"\xff\xfe" + struct.pack(">H", 6) + b"shop"
    return b"\xff\xd8" + comment + struct.pack(">BBHBHHB", 255, marker, 17, bits, 20, 20, 3)


def tiff_header(**fields: int) -> bytes:
    tags = {"bits": 258, "photometric": 262, "format": 339}
    entries = [struct.pack("<HHII", tags[name], 3, 1, value) for name, value in fields.items()]
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + b"".join(entries) + b"\0" * 12


FILES = {
    "a PDF": b"%PDF-1.7\n1 0 obj\n<</Type/Catalog>>\nendobj\n%%EOF\n",
    "a web page": b"<!DOCTYPE html><html><body>404 not found</body></html>",
    "an SVG drawing": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"></svg>',
    "a PostScript drawing": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 90 90\n",
    "an archive or a document": b"PK\x03\x04" + b"\0" * 60,
    "a Photoshop document": b"8BPS\0\1" + b"\0" * 60,
    "a JPEG XL picture": b"\xff\x0a" + b"\0" * 60,
    "a JPEG 2000 picture": b"\x00\x00\x00\x0cjP  \r\n\x87\n" + b"\0" * 60,
    "a video": b"\x00\x00\x00\x18ftypisom" + b"\0" * 60,
    "a camera's raw picture": b"\x00\x00\x00\x18ftypcrx " + b"\0" * 60,
    "an icon": b"\x00\x00\x01\x00\x01\x00" + b"\0" * 60,
    "a 12-bit JPEG": jpeg_header(0xC1, 12) + b"\0" * 60,
    "a lossless 16-bit JPEG": jpeg_header(0xC3, 16) + b"\0" * 60,
    "a 16-bit Lab TIFF": tiff_header(bits=16, photometric=8) + b"\0" * 60,
    "a 32-bit floating point TIFF": tiff_header(bits=32, photometric=2, format=3),
    "a kind of TIFF": b"MM\0*" + b"\0" * 60,
}


@pytest.mark.parametrize(("kind", "data"), FILES.items(), ids=FILES)
def test_a_file_is_named_whatever_it_is_called(tmp_path: Path, kind: str, data: bytes) -> None:
    path = tmp_path / "shirt.jpg"
    path.write_bytes(data)
    assert kind in rejection(path).reason
    assert kind in rejection(data).reason


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("18-jpeg-12-bit.jpg", "a 12-bit JPEG"),
        ("20-tiff-lab16.tif", "a 16-bit Lab TIFF"),
        ("22-tiff-float.tif", "a 32-bit floating point TIFF"),
        ("25-pdf-refusal-hidden.pdf", "a PDF document"),
    ],
)
def test_the_files_that_were_sent_in(real_data: None, name: str, kind: str) -> None:
    reason = rejection(CASES / name).reason
    assert kind in reason
    assert "JPEG or PNG" in reason


def test_a_lossless_jpeg_is_answered(real_data: None) -> None:
    assert open_image(CASES / "19-jpeg-lossless.jpg").size == (480, 640)


@pytest.mark.parametrize("mode", ["F", "I"])
def test_a_tiff_of_one_channel_in_large_numbers_is_answered(mode: str) -> None:
    data = encoded(Image.fromarray(np.full((20, 20), 9000.0)).convert(mode), "TIFF")
    assert open_image(data).size == (20, 20)


def test_a_damaged_jpeg_is_no_other_kind() -> None:
    data = encoded(noise(), "JPEG")
    assert is_ordinary_jpeg(data)
    assert is_ordinary_jpeg(encoded(noise(), "JPEG", progressive=True))
    assert not is_ordinary_jpeg(jpeg_header(0xC3, 8))
    assert not is_ordinary_jpeg(jpeg_header(0xC1, 12))
    assert "incomplete" in rejection(data[:400]).reason


def test_what_can_be_read_is_not_asked() -> None:
    buffer = BytesIO()
    noise().save(buffer, "WEBP")
    assert named(buffer.getvalue()) is None
    assert named(b"") is None


@given(
    st.sampled_from(
        [
            b"\xff\xd8\xff",
            b"\xff\xd8\xff\xc0",
            b"II*\0",
            b"MM\0*",
            b"II+\0",
            b"RIFF",
            b"\0\0\0 ftyp",
            b"",
        ]
    ),
    st.binary(max_size=80),
)
@hypothesis_settings(max_examples=300)
def test_any_bytes_have_a_sentence_or_none(beginning: bytes, rest: bytes) -> None:
    sentence = named(beginning + rest)
    assert sentence is None or (sentence.startswith("This is ") and sentence.endswith("."))
