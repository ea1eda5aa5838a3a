"""No file costs more than its like: what offends is refused by its header, or ended."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest
from PIL import Image

from benchmarks.offenders import CHILD
from fitting_room.imaging import bounds
from fitting_room.imaging.bounds import header_of
from fitting_room.imaging.decode import open_image
from tests.imaging import offenders
from tests.imaging.pictures import encoded, noise, png_chunk, rejection

#: Bytes of memory that decoding an accepted file may take, in megabytes, and seconds of the
#: processor, generously: a machine may be half as fast as ours.
MOST_MEGABYTES, MOST_SECONDS = 600, 8


def cost_of(data: bytes, tmp_path) -> dict[str, object]:
    """What opening costs in a process of its own."""
    path = tmp_path / "picture"
    path.write_bytes(data)
    run = subprocess.run(
        [sys.executable, "-c", CHILD, str(path)], capture_output=True, text=True, check=True
    )
    return dict(json.loads(run.stdout))


#: Those that are made in a second; ``benchmarks/offenders.py`` has all.
QUICK = [
    offenders.bmp_padded, offenders.png_of_unknown_chunks, offenders.png_with_a_transparent_colour,
    offenders.png_of_16_bit, offenders.webp_of_34_bytes, offenders.gif, offenders.tiff_of_floats,
    offenders.jpeg_of_many_scans, offenders.jpeg_of_a_phone_cut_short,
]  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="no resource usage")
@pytest.mark.parametrize("make", QUICK, ids=lambda make: make.__name__)
def test_an_offender_stays_within_memory_and_time(make: Callable[[], bytes], tmp_path) -> None:
    cost = cost_of(make(), tmp_path)
    assert cost["megabytes"] < MOST_MEGABYTES
    assert cost["seconds"] < MOST_SECONDS


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (offenders.bmp_of_line_ends, "far too small"),
        (offenders.png_of_empty_chunks, "more parts"),
        (offenders.png_of_unknown_chunks, "more parts"),
        (offenders.png_strip, "too long"),
        (offenders.webp_as_large_as_can_be, "16383 x 16383"),
        (offenders.webp_of_34_bytes, "too much memory"),
        (offenders.gif, "too much memory"),
        (offenders.png_with_a_transparent_colour, "too much memory"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_sentence_names_what_is_wrong(make: Callable[[], bytes], word: str) -> None:
    assert word in rejection(make()).reason


def test_a_small_webp_of_34_bytes_is_a_picture() -> None:
    data = offenders.webp_of_34_bytes(40, 60)
    assert len(data) == 34
    assert open_image(data).size == (40, 60)


# --- what people have -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "size", [(1080, 20_000), (16_000, 4_000), (8, 480), (4_032, 3_024), (500, 30_000)]
)
def test_ordinary_proportions_are_kept(size: tuple[int, int]) -> None:
    assert bounds.objection_to_shape(size) is None
    assert bounds.objection_to_size(size, 64_000_000, 8) is None


@pytest.mark.parametrize(
    ("size", "word"), [((8, 481), "narrow"), ((30_001, 900), "long"), ((900, 30_001), "long")]
)
def test_extreme_proportions_are_refused(size: tuple[int, int], word: str) -> None:
    reason = bounds.objection_to_shape(size)
    assert reason is not None
    assert f"too {word}" in reason


def test_a_drawing_may_have_any_proportions_once_it_is_decoded() -> None:
    assert open_image(Image.new("RGB", (8, 900))).size == (8, 900)
    assert "narrow" in rejection(encoded(Image.new("RGB", (8, 900)), "PNG")).reason


def test_a_phones_picture_is_light_and_large_ones_are_not() -> None:
    light = encoded(offenders.phone(4_032, 3_024), "JPEG")
    assert bounds.is_light(light, header_of(light), 512)
    with_thumbnail = light[:2] + b"\xff\xe1\x00\x08\xff\xda\xff\xda\xff\xda" + light[2:]
    assert header_of(with_thumbnail) == header_of(light)
    assert open_image(offenders.jpeg_of_a_phone_cut_short()).width > 512


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("WEBP", {}),
        ("WEBP", {"lossless": True}), ("WEBP", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"}),
    ],
)  # fmt: skip
def test_headers_say_the_size(kind: str, options: dict[str, object]) -> None:
    header = header_of(encoded(noise((45, 67)), kind, **options))
    assert header is not None
    assert header.size == (45, 67)
    assert not header.is_animated


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_animations_are_not_light(kind: str) -> None:
    data = encoded(noise(), kind, save_all=True, append_images=[noise().rotate(180)])
    assert not bounds.is_light(data, header_of(data), 512)


def test_a_header_that_is_damaged_says_nothing() -> None:
    for data in (
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"RIFF\0\0\0\0WEBPVP8X",
        b"RIFF\0\0\0\0WEBPxxxx",
    ):
        assert header_of(data) is None
        assert not bounds.is_light(data, None, 512)
    assert bounds.is_light(b"text", None, 512)


def test_as_many_chunks_as_a_large_png_has_are_read() -> None:
    data = encoded(noise(), "PNG")
    many = data[:33] + png_chunk(b"tEXt", b"a\0b") * 5_000 + data[33:]
    assert open_image(many).tobytes() == open_image(data).tobytes()


def test_a_bitmap_in_runs_is_read() -> None:
    """Half the bytes that it might do with."""
    rows = (b"\x28\x01" + b"\x00\x00") * 50
    assert open_image(offenders.bmp((40, 50), 8, 1, rows)).size == (40, 50)
