"""Untrusted bytes in, an upright RGB picture or a reason out."""

from __future__ import annotations

import re
import struct
import tracemalloc
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageChops, ImageOps

from fitting_room.imaging.decode import (
    SUFFIXES,
    WORKING_SIDE,
    ImageLimits,
    ImageRejected,
    open_image,
)
from tests.conftest import picture_bytes

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


# --- formats --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_accepted_format_opens_as_rgb(kind: str) -> None:
    image = open_image(encoded(quarters(), kind, **KINDS[kind]))
    assert (image.mode, image.size) == ("RGB", (40, 60))
    assert looks_like_quarters(image)


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_every_suffix_that_a_listing_accepts_can_be_opened(suffix: str) -> None:
    kind = Image.registered_extensions()[suffix]
    assert open_image(encoded(quarters(), kind)).size == (40, 60)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animation_or_many_pages_the_first_is_taken(kind: str) -> None:
    others = [Image.new("RGB", (40, 60), "purple"), Image.new("RGB", (40, 60), "black")]
    data = encoded(quarters(), kind, save_all=True, append_images=others)
    with Image.open(BytesIO(data)) as check:
        assert check.n_frames == 3
    assert looks_like_quarters(open_image(data))


def test_a_phone_photograph_with_a_second_picture_inside_opens_as_the_first() -> None:
    data = encoded(quarters(), "MPO", save_all=True, append_images=[Image.new("RGB", (40, 60))])
    assert looks_like_quarters(open_image(data))


def test_a_progressive_jpeg_opens() -> None:
    assert looks_like_quarters(open_image(encoded(quarters(), "JPEG", progressive=True)))


def test_bytes_a_path_and_a_text_path_give_the_same_picture(tmp_path: Path) -> None:
    data = encoded(quarters(), "PNG")
    path = tmp_path / "a picture.png"
    path.write_bytes(data)
    from_bytes = open_image(data)
    assert open_image(path).tobytes() == open_image(str(path)).tobytes() == from_bytes.tobytes()


def test_the_contents_decide_and_not_the_ending_of_the_name(tmp_path: Path) -> None:
    path = tmp_path / "really-a-png.jpg"
    path.write_bytes(encoded(quarters(), "PNG"))
    assert looks_like_quarters(open_image(path))


# --- orientation ----------------------------------------------------------------------------

#: EXIF 2.32, 4.6.4 A: how the upright picture lies in the file, as its quarters from the left,
#: from the top. 5 to 8 lie on their side.
AS_STORED = {
    1: (RED, GREEN, BLUE, WHITE),
    2: (GREEN, RED, WHITE, BLUE),
    3: (WHITE, BLUE, GREEN, RED),
    4: (BLUE, WHITE, RED, GREEN),
    5: (RED, BLUE, GREEN, WHITE),
    6: (GREEN, WHITE, RED, BLUE),
    7: (WHITE, GREEN, BLUE, RED),
    8: (BLUE, RED, WHITE, GREEN),
}


@pytest.mark.parametrize("orientation", AS_STORED)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_a_picture_is_set_upright(kind: str, orientation: int) -> None:
    size = (40, 60) if orientation < 5 else (60, 40)
    stored = quarters(size, AS_STORED[orientation])
    image = open_image(encoded(stored, kind, exif=exif(orientation), **KINDS[kind]))
    assert image.size == (40, 60)
    assert looks_like_quarters(image)


def test_a_large_photograph_is_set_upright_and_reduced() -> None:
    stored = quarters((3000, 2000), AS_STORED[6])
    image = open_image(encoded(stored, "JPEG", exif=exif(6)))
    assert WORKING_SIDE <= image.width < 2 * WORKING_SIDE < image.height
    assert looks_like_quarters(image)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_a_picture_opened_with_pillow_is_treated_like_its_file(kind: str) -> None:
    data = encoded(quarters((60, 40), AS_STORED[6]), kind, exif=exif(6), **KINDS[kind])
    with Image.open(BytesIO(data)) as image:
        assert looks_like_quarters(open_image(image))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_that_was_set_upright_is_not_turned_again(kind: str) -> None:
    stored = quarters((60, 40), AS_STORED[6])
    image = open_image(encoded(stored, kind, exif=exif(6), **KINDS[kind]))
    assert looks_like_quarters(open_image(image))
    assert looks_like_quarters(ImageOps.exif_transpose(image))


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_changes_nothing(orientation: int) -> None:
    assert looks_like_quarters(open_image(encoded(quarters(), "JPEG", exif=exif(orientation))))


@pytest.mark.parametrize(
    "block",
    [
        b"Exif\0\0",
        b"Exif\0\0not a tiff header at all",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\xff" * 40,
        # the orientation as a text and not as a number
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x02\0\0\0" + b"6\0\0\0" + b"\0\0\0\0",
    ],
    ids=["empty", "garbage", "offset outside", "too many entries", "of another type"],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.filterwarnings("ignore:.*EXIF:UserWarning", "ignore:Truncated File:UserWarning")
def test_damaged_exif_does_not_refuse_the_picture(kind: str, block: bytes) -> None:
    assert looks_like_quarters(open_image(encoded(quarters(), kind, exif=block, **KINDS[kind])))


# --- transparency ---------------------------------------------------------------------------


def half_transparent(mode: str) -> Image.Image:
    """Left half opaque red (or its grey), right half transparent with black underneath."""
    image = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    image.paste((*RED, 255), (0, 0, 20, 40))
    return image.convert(mode)


def with_transparent_colour(mode: str) -> bytes:
    """The same, by naming a colour (tRNS) that stands for nothing."""
    image = half_transparent("RGBA").convert("RGB").convert(mode)
    return encoded(image, "PNG", transparency=(0, 0, 0) if mode == "RGB" else 0)


def palette_with_transparency(kind: str) -> bytes:
    image = Image.new("P", (40, 40), 1)
    image.putpalette([*RED, 0, 0, 0])
    image.paste(0, (0, 0, 20, 40))
    return encoded(image, kind, transparency=1)


@pytest.mark.parametrize(
    ("data", "opaque"),
    [
        pytest.param(encoded(half_transparent("RGBA"), "PNG"), RED, id="RGBA PNG"),
        pytest.param(encoded(half_transparent("RGBA"), "WEBP", lossless=True), RED, id="WebP"),
        pytest.param(encoded(half_transparent("RGBA"), "TIFF"), RED, id="RGBA TIFF"),
        pytest.param(encoded(half_transparent("RGBA"), "AVIF", quality=95), RED, id="AVIF"),
        pytest.param(encoded(half_transparent("RGBA"), "HEIF", quality=95), RED, id="HEIC"),
        pytest.param(encoded(half_transparent("LA"), "PNG"), (76, 76, 76), id="LA PNG"),
        pytest.param(palette_with_transparency("PNG"), RED, id="palette PNG"),
        pytest.param(palette_with_transparency("GIF"), RED, id="palette GIF"),
        pytest.param(with_transparent_colour("RGB"), RED, id="RGB PNG with tRNS"),
        pytest.param(with_transparent_colour("L"), (76, 76, 76), id="grey PNG with tRNS"),
    ],
)
def test_transparency_is_laid_on_white(data: bytes, opaque: tuple[int, int, int]) -> None:
    image = open_image(data)
    assert image.mode == "RGB"
    assert close(image.getpixel((8, 20)), opaque)
    assert close(image.getpixel((32, 20)), WHITE)


def test_half_transparency_lets_the_white_through() -> None:
    image = open_image(encoded(Image.new("RGBA", (20, 20), (0, 0, 0, 128)), "PNG"))
    assert close(image.getpixel((10, 10)), (127, 127, 127), 2)


@pytest.mark.parametrize("mode", ["RGBA", "RGB", "L", "P"])
def test_a_large_cut_out_gets_no_dark_fringe_when_it_is_reduced(mode: str) -> None:
    """Rows in turn white and transparent (black underneath) are white on white."""
    side = 2 * WORKING_SIDE
    rows = np.zeros((side, side), dtype=np.uint8)
    rows[::2] = 255
    image = Image.fromarray(rows)
    options: dict[str, object] = {"compress_level": 1}
    if mode == "RGBA":
        image = Image.merge("RGBA", [image] * 4)
    elif mode == "P":
        image = image.point(lambda value: value and 1)
        image.putpalette([0, 0, 0, 255, 255, 255])
        options["transparency"] = 0
    else:
        image = image.convert(mode)
        options["transparency"] = (0, 0, 0) if mode == "RGB" else 0
    reduced = open_image(encoded(image, "PNG", **options))
    assert reduced.size == (WORKING_SIDE, WORKING_SIDE)
    assert close(reduced.getpixel((100, 100)), WHITE, 1)


# --- depths and colour spaces ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "kind"), [("L", "PNG"), ("L", "JPEG"), ("1", "PNG"), ("1", "BMP")]
)
def test_greyscale_and_one_bit_pictures_become_grey_rgb(mode: str, kind: str) -> None:
    image = Image.new(mode, (40, 40), 0)
    image.paste(255, (20, 0, 40, 40))
    opened = open_image(encoded(image, kind))
    assert close(opened.getpixel((5, 20)), (0, 0, 0), 2)
    assert close(opened.getpixel((35, 20)), WHITE, 2)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF"])
def test_a_palette_picture_shows_its_colours_and_not_its_indices(kind: str) -> None:
    assert looks_like_quarters(open_image(encoded(quarters().quantize(8), kind)))


@pytest.mark.parametrize("mode", ["P", "1"])
def test_a_large_palette_picture_is_reduced_by_its_colours(mode: str) -> None:
    """Black and white pixels in turn are grey from afar; the mean of indices would be anything."""
    side = 2 * WORKING_SIDE
    board = (np.indices((side, side)).sum(axis=0) % 2).astype(np.uint8)
    if mode == "P":
        image = Image.fromarray(board)
        image.putpalette([0, 0, 0, 255, 255, 255])
    else:
        image = Image.fromarray(board * 255).convert("1", dither=Image.Dither.NONE)
    reduced = open_image(encoded(image, "PNG"))
    assert reduced.size == (WORKING_SIDE, WORKING_SIDE)
    assert close(reduced.getpixel((256, 256)), (127, 127, 127), 2)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_a_cmyk_picture_is_not_inverted(kind: str) -> None:
    data = encoded(quarters().convert("CMYK"), kind, **KINDS[kind])
    with Image.open(BytesIO(data)) as check:
        assert check.mode == "CMYK"
    assert looks_like_quarters(open_image(data))


def test_a_ycbcr_tiff_shows_its_colours() -> None:
    data = encoded(quarters().convert("YCbCr"), "TIFF")
    with Image.open(BytesIO(data)) as check:
        assert check.mode == "YCbCr"
    assert looks_like_quarters(open_image(data))


def bars(values: list[float], dtype: str) -> Image.Image:
    """Upright bars, 10 pixels wide, of these raw values."""
    return Image.fromarray(np.tile(np.repeat(np.array(values, dtype=dtype), 10), (20, 1)))


def bar_values(image: Image.Image) -> list[int]:
    assert image.mode == "RGB"
    row = np.asarray(image)[10]
    assert (row == row[:, :1]).all(), "grey stays grey"
    return row[5::10, 0].tolist()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_and_not_cut_off(kind: str) -> None:
    data = encoded(bars([0, 255, 256, 32768, 65535], "uint16"), kind)
    assert bar_values(open_image(data)) == pytest.approx([0, 1, 1, 128, 255], abs=1)


def test_sixteen_bit_grey_in_the_other_byte_order_is_the_same() -> None:
    image = Image.frombytes("I;16B", (20, 20), b"\x80\x00" * 400)
    assert bar_values(open_image(encoded(image, "TIFF"))) == [128, 128]


def test_a_large_sixteen_bit_picture_is_reduced_like_any_other() -> None:
    image = Image.fromarray(np.full((1100, 1100), 40_000, dtype=np.uint16))
    opened = open_image(encoded(image, "PNG", compress_level=1))
    assert opened.size == (550, 550)
    assert close(opened.getpixel((9, 9)), (156, 156, 156), 1)


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([0, 32768, 65535], "int32", [0, 128, 255]),
        ([0, 128, 255], "int32", [0, 128, 255]),
        ([0, 500_000, 1_000_000], "int32", [0, 127, 255]),
        ([-100, 0, 100], "int32", [0, 127, 255]),
        ([0.0, 0.5, 1.0], "float32", [0, 127, 255]),
        ([-3e38, 0.0, 3e38], "float32", [0, 127, 255]),
        ([0.0, 1.0, float("nan")], "float32", [0, 255, 0]),
        ([0.0, 1.0, float("inf"), float("-inf")], "float32", [0, 255, 0, 0]),
        ([float("nan")] * 3, "float32", [0, 0, 0]),
        ([7.0, 7.0, 7.0], "float32", [7, 7, 7]),
    ],
)
def test_deep_tiffs_map_to_the_whole_range(
    values: list[float], dtype: str, expected: list[int]
) -> None:
    opened = open_image(encoded(bars(values, dtype), "TIFF"))
    assert bar_values(opened) == pytest.approx(expected, abs=1)


# --- size -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "size"),
    [*((kind, (400, 533)) for kind in KINDS), ("JPEG", (1537, 1100)), ("PNG", (1030, 2100))],
)
def test_a_picture_opened_to_be_shown_is_the_same_to_a_network_as_its_file(
    kind: str, size: tuple[int, int]
) -> None:
    image = noise((64, 64)).resize(size)
    exif = image.getexif()
    exif[ExifTags.Base.Orientation] = 6
    data = encoded(image, kind, exif=exif, **({"quality": 80} if "quality" in KINDS[kind] else {}))
    for side in (80, 198):
        at_once = open_image(data, side=side)
        assert max(at_once.size) < max(size)
        assert (
            ImageChops.difference(open_image(open_image(data), side=side), at_once).getbbox()
            is None
        )


@pytest.mark.parametrize("size", [(2000, 3000), (4100, 1100), (1024, 1024), (1535, 1535)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_large_picture_is_reduced_and_keeps_its_shape(kind: str, size: tuple[int, int]) -> None:
    options = {"compress_level": 1} if kind == "PNG" else {}
    image = open_image(encoded(quarters(size), kind, **options))
    assert WORKING_SIDE <= min(image.size) < 2 * WORKING_SIDE
    assert image.width / image.height == pytest.approx(size[0] / size[1], rel=0.01)
    assert looks_like_quarters(image)


@pytest.mark.parametrize("size", [(8, 8), (60, 80), (512, 700), (1023, 1500), (511, 4000)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_picture_below_twice_the_working_side_keeps_every_pixel(
    kind: str, size: tuple[int, int]
) -> None:
    assert open_image(picture_bytes(size=size, kind=kind)).size == size


# --- refused --------------------------------------------------------------------------------

NOT_PICTURES = {
    "text": b"a shirt, blue, long sleeves\n" * 20,
    "html": b"<!DOCTYPE html><html><body>404 not found</body></html>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="90" height="90"></svg>',
    "pdf": b"%PDF-1.7\n1 0 obj\n<</Type/Catalog>>\nendobj\n%%EOF\n",
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 90 90\nshowpage\n",
    "ppm, which Pillow reads": b"P6 20 20 255\n" + b"\x7f" * 1200,
    "zip": b"PK\x03\x04" + b"\0" * 60,
    "one byte": b"\xff",
    "zeros": b"\0" * 4096,
}


@pytest.mark.parametrize("data", NOT_PICTURES.values(), ids=NOT_PICTURES)
def test_what_is_no_picture_is_refused_and_the_formats_are_named(
    tmp_path: Path, data: bytes
) -> None:
    path = tmp_path / "shirt.jpg"
    path.write_bytes(data)
    assert "HEIC" in rejection(path).reason
    assert "HEIC" in rejection(data).reason


def test_an_empty_file_is_refused_as_empty() -> None:
    assert "empty" in rejection(b"").reason


CUTS = (0.3, 0.5, 0.8, 0.95)


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("PNG", {"exif": exif(6)}),
        ("WEBP", {}),
        ("BMP", {}),
        ("HEIF", {}),
    ],
    ids=["JPEG", "progressive JPEG", "PNG", "PNG with EXIF", "WebP", "BMP", "HEIC"],
)
def test_a_download_that_broke_off_is_refused_as_incomplete(
    kind: str, options: dict[str, object], cut: float
) -> None:
    data = encoded(noise((100, 120)), kind, **options)
    assert "incomplete" in rejection(data[: int(len(data) * cut)]).reason


@pytest.mark.parametrize("cut", [0.0, 0.01, *CUTS])
@pytest.mark.parametrize("kind", ["GIF", "TIFF", "AVIF"])
def test_no_part_of_a_file_passes_for_the_whole(kind: str, cut: float) -> None:
    data = encoded(noise((100, 120)), kind)
    rejection(data[: int(len(data) * cut)])


def _seeds() -> list[bytes]:
    picture = noise()
    return [
        encoded(picture, "JPEG", exif=exif(6)),
        encoded(picture, "JPEG", progressive=True),
        encoded(picture.convert("CMYK"), "JPEG"),
        encoded(picture, "PNG", exif=exif(3)),
        encoded(picture.convert("P"), "PNG", transparency=3),
        encoded(picture, "WEBP", exif=exif(8)),
        encoded(picture, "BMP"),
        encoded(picture, "GIF", save_all=True, append_images=[picture.rotate(180)]),
        encoded(picture, "TIFF"),
        encoded(picture.convert("F"), "TIFF", compression="tiff_deflate"),
        encoded(picture, "AVIF", speed=10),
        encoded(picture, "HEIF"),
    ]


SEEDS = _seeds()


def opens_or_is_refused(data: bytes) -> None:
    """Anything but these two outcomes passes through and fails the test."""
    try:
        image = open_image(data, limits=ImageLimits(max_pixels=1_000_000))
    except ImageRejected as rejected:
        assert rejected.reason.endswith(".")
    else:
        assert image.mode == "RGB"
        assert min(image.size) >= 8


# Most positions near the start: headers are where a changed byte does something interesting.
POSITIONS = st.integers(0, 60) | st.integers(0, 400) | st.integers(0, 10_000)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@settings(max_examples=300, deadline=None)
@given(
    seed=st.sampled_from(SEEDS),
    edits=st.lists(st.tuples(POSITIONS, st.integers(0, 255)), min_size=1, max_size=8),
    gap=st.tuples(POSITIONS, st.integers(0, 8)),
    kept=st.just(1.0) | st.floats(0, 1),
)
def test_whatever_is_wrong_with_a_file_it_opens_or_is_refused(
    seed: bytes, edits: list[tuple[int, int]], gap: tuple[int, int], kept: float
) -> None:
    data = bytearray(seed)
    for position, value in edits:
        data[position % len(data)] = value
    del data[gap[0] : gap[0] + gap[1]]
    opens_or_is_refused(bytes(data[: int(len(data) * kept)]))


@settings(max_examples=100, deadline=None)
@given(
    start=st.sampled_from([b"", *(seed[:32] for seed in SEEDS), b"II*\0", b"MM\0*"]),
    rest=st.binary(max_size=300),
)
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
def test_arbitrary_bytes_open_or_are_refused(start: bytes, rest: bytes) -> None:
    opens_or_is_refused(start + rest)


# --- limits ---------------------------------------------------------------------------------


def test_a_decompression_bomb_is_refused_by_its_header() -> None:
    bomb = png_that_claims(60_000, 60_000)
    assert len(bomb) < 200
    assert "too large" in rejection(bomb).reason


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("size", [(8_001, 8_000), (10_000, 10_000), (64_000_001, 1)])
def test_more_pixels_than_the_limit_are_refused_however_few_bytes(size: tuple[int, int]) -> None:
    reason = rejection(png_that_claims(*size)).reason
    assert "64 megapixels" in reason
    assert f"{size[0]} x {size[1]}" in reason


def test_the_pixel_limit_is_exact() -> None:
    data = picture_bytes(size=(200, 100), kind="PNG")
    assert open_image(data, limits=ImageLimits(max_pixels=20_000)).size == (200, 100)
    assert "too large" in rejection(data, limits=ImageLimits(max_pixels=19_999)).reason


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_are_counted_before_any_is_decoded(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encoded(quarters((400, 300)), kind)
    with Image.open(BytesIO(data)) as image:
        opener = type(image)

    def decode(*_: object, **__: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(opener, "load", decode)
    with pytest.raises(AssertionError, match="decoded"):
        open_image(data)  # the trap works
    assert "too large" in rejection(data, limits=ImageLimits(max_pixels=100_000)).reason
    assert "too small" in rejection(data, limits=ImageLimits(min_side=301)).reason


@pytest.mark.parametrize("size", [(7, 100), (100, 7), (1, 1)])
def test_a_picture_too_small_to_show_anything_is_refused(size: tuple[int, int]) -> None:
    reason = rejection(picture_bytes(size=size)).reason
    assert "too small" in reason
    assert f"{size[0]} x {size[1]}" in reason


def test_the_byte_limit_is_exact_for_bytes_and_for_a_path(tmp_path: Path) -> None:
    data = picture_bytes(kind="BMP")
    path = tmp_path / "shirt.bmp"
    path.write_bytes(data)
    for source in (data, path):
        assert open_image(source, limits=ImageLimits(max_bytes=len(data))).size == (60, 80)
        tight = ImageLimits(max_bytes=len(data) - 1)
        assert "too large" in rejection(source, limits=tight).reason


def test_of_a_huge_file_no_more_than_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.jpg"
    with path.open("wb") as file:
        file.truncate(200 * 2**20)
    tracemalloc.start()
    try:
        rejection(path, limits=ImageLimits(max_bytes=2**20))
        assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    finally:
        tracemalloc.stop()


def test_a_limit_below_one_is_not_told_as_none() -> None:
    data = picture_bytes(size=(700, 600), kind="BMP")
    assert " 0 MB" not in rejection(data, limits=ImageLimits(max_bytes=2**18)).reason
    assert " 0 megap" not in rejection(data, limits=ImageLimits(max_pixels=300_000)).reason


# --- paths and names ------------------------------------------------------------------------


def test_a_missing_file_is_told() -> None:
    assert "no such file" in rejection("/nowhere/at/all.jpg").reason


def test_a_folder_is_told_apart_from_a_picture(tmp_path: Path) -> None:
    assert "folder" in rejection(tmp_path).reason


@pytest.mark.parametrize("path", ["shirt\0.jpg", "x" * 5000 + ".jpg"], ids=["NUL", "too long"])
def test_a_path_that_cannot_be_is_refused(path: str) -> None:
    rejection(path)


def test_a_path_through_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shirt.jpg").write_bytes(picture_bytes())
    rejection(tmp_path / "shirt.jpg" / "sleeve.jpg")


def test_the_name_of_an_upload_is_carried_by_its_rejection() -> None:
    rejected = rejection(b"nonsense", name="holiday.jpg")
    assert rejected.name == "holiday.jpg"
    assert str(rejected) == f"holiday.jpg: {rejected.reason}"


def test_bytes_without_a_name_are_rejected_without_one() -> None:
    rejected = rejection(b"nonsense")
    assert rejected.name is None
    assert str(rejected) == rejected.reason


def test_a_path_is_its_own_name_unless_another_is_given(tmp_path: Path) -> None:
    path = tmp_path / "gone.jpg"
    assert rejection(path).name == str(path)
    assert rejection(path, name="your picture").name == "your picture"
