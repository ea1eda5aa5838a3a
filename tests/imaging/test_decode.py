"""Untrusted bytes in, an upright RGB picture out: formats, orientation, transparency, depths."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from fitting_room.imaging.decode import SUFFIXES, WORKING_SIDE, open_image
from tests.imaging.pictures import (
    BLUE,
    GREEN,
    KINDS,
    RED,
    WHITE,
    close,
    encoded,
    exif,
    looks_like_quarters,
    quarters,
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
