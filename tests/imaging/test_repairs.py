"""JPEGs that were cut short, animations that begin empty, and other files that browsers show."""

from __future__ import annotations

import zlib
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from fitting_room.imaging import decode
from fitting_room.imaging.blank import EMPTY_PAGE, is_blank, is_empty_page
from fitting_room.imaging.decode import ImageLimits, ImageRejected, note_of, open_image
from fitting_room.imaging.descriptors import COLOURS, describe
from tests.conftest import REAL_DATA
from tests.imaging.garments import shirt
from tests.imaging.pictures import close, encoded, exif, noise, png_chunk, rejection

CASES = REAL_DATA.parent / "cases" / "pictures"
CUT_SHORT = "The file ends too early. What there is of the picture is searched with."
GROUND = (200, 120, 60)


# --- JPEGs that were cut short ----------------------------------------------------------------


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("progressive", [True, False])
@pytest.mark.parametrize("missing", [1, 2, 3, 10])
def test_the_end_may_be_missing(mode: str, progressive: bool, missing: int) -> None:
    image = noise((90, 120), mode)
    data = encoded(image, "JPEG", progressive=progressive, quality=95)
    opened = open_image(data[:-missing])
    assert opened.size[0] == 90
    assert note_of(opened) == CUT_SHORT
    assert note_of(open_image(opened)) == CUT_SHORT  # it is opened again for the network
    whole = np.asarray(open_image(data)).astype(int)[:100]
    assert np.abs(np.asarray(opened)[:100] - whole).max() <= 24 or progressive


def test_the_picture_that_was_sent_in(real_data: None) -> None:
    image = open_image(CASES / "12-no-eoi.jpg")
    assert image.size == (480, 640)
    assert note_of(image) == CUT_SHORT


@pytest.mark.parametrize("cut", [0.65, 0.8, 0.95])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_what_did_not_come_is_cut_off_and_not_grey(cut: float, orientation: int) -> None:
    image = Image.fromarray(np.asarray(noise((160, 240))) // 2 + np.uint8(100))
    data = encoded(image, "JPEG", exif=exif(orientation))
    opened = open_image(data[: int(len(data) * cut)])
    assert note_of(opened) == CUT_SHORT
    long, short = max(opened.size), min(opened.size)
    assert short == 160
    assert 0.5 * 240 <= long <= 240
    rows = np.asarray(opened).reshape(opened.height, -1)
    assert not ((rows == 128).all(axis=1)).any()


def test_a_picture_that_is_plain_below_is_not_taken_for_missing() -> None:
    image = Image.new("RGB", (160, 240), "white")
    image.paste((200, 30, 40), (30, 10, 130, 100))
    assert open_image(encoded(image, "JPEG")[:-2]).size == (160, 240)


@pytest.mark.parametrize("progressive", [True, False])
def test_the_garment_keeps_its_colour(progressive: bool) -> None:
    image = shirt("purple", GROUND)
    data = encoded(image, "JPEG", progressive=progressive)
    rows = describe([image, open_image(data[: int(len(data) * 0.85)])]).astype(float)[:, COLOURS]
    assert rows[0] @ rows[1] / np.linalg.norm(rows[0]) / np.linalg.norm(rows[1]) > 0.9


@pytest.mark.parametrize("cut", [0.02, 0.1, 0.3, 0.4])
def test_of_less_than_half_nothing_is_made(cut: float) -> None:
    data = encoded(noise((100, 120)), "JPEG")
    assert "incomplete" in rejection(data[: int(len(data) * cut)]).reason


@given(st.floats(0, 1), st.booleans())
@hypothesis_settings(max_examples=60)
def test_a_jpeg_cut_anywhere_is_answered_or_refused(cut: float, progressive: bool) -> None:
    data = encoded(shirt("teal", GROUND, (60, 80)), "JPEG", progressive=progressive)
    try:
        image = open_image(data[: int(len(data) * cut)])
    except ImageRejected as rejected:
        assert rejected.reason.endswith(".")
    else:
        assert image.width == 60
        assert image.height >= 40


def test_a_whole_picture_has_no_note() -> None:
    for kind in ("JPEG", "PNG", "WEBP", "GIF"):
        assert note_of(open_image(encoded(noise(), kind))) is None


def test_no_file_can_speak_to_people() -> None:
    remark = PngImagePlugin.PngInfo()
    remark.add_text("note", "Pay at evil.example.")
    assert note_of(open_image(encoded(noise(), "PNG", pnginfo=remark))) is None


# --- animations -------------------------------------------------------------------------------


def animated(frames: list[Image.Image], kind: str) -> bytes:
    options = {"lossless": True} if kind == "WEBP" else {}
    return encoded(
        frames[0], kind, save_all=True, append_images=frames[1:], duration=50, disposal=2, **options
    )


def empty(colour: str | tuple[int, int, int, int] = "white") -> Image.Image:
    return Image.new("RGBA", (60, 80), colour)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
@pytest.mark.parametrize("colour", ["white", "black", (0, 0, 0, 0)])
def test_the_first_frame_that_shows_something_is_taken(
    kind: str, colour: str | tuple[int, int, int, int]
) -> None:
    frames = [empty(colour), empty(colour), shirt("crimson", size=(60, 80)).convert("RGBA")]
    frames[1].putpixel((3, 3), (250, 250, 250, 255))  # else a writer makes one frame of two
    if colour == "black":
        frames[1].putpixel((3, 3), (5, 5, 5, 255))
    image = open_image(animated(frames, kind))
    assert close(image.getpixel((30, 40)), (220, 20, 60), 12)
    assert str(note_of(image)).startswith("The animation begins empty.")


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_of_one_that_fades_in_a_clear_frame_is_taken(kind: str) -> None:
    white, whole = Image.new("RGB", (60, 80), "white"), shirt("navy", size=(60, 80))
    frames = [Image.blend(white, whole, share) for share in (0, 0.06, 0.2, 0.6, 1)]
    image = open_image(animated(frames, kind))
    assert min(image.getpixel((30, 40))[:2]) < 160  # type: ignore[index]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_a_first_frame_that_shows_something_is_taken_without_a_word(kind: str) -> None:
    frames = [shirt("crimson", size=(60, 80)), Image.new("RGB", (60, 80), "navy")]
    image = open_image(animated(frames, kind))
    assert close(image.getpixel((30, 40)), (220, 20, 60), 12)
    assert note_of(image) is None


def test_an_animation_without_anything_is_its_first_frame() -> None:
    frames = [Image.new("RGB", (60, 80), (210 + n, 210, 210)) for n in range(3)]
    image = open_image(animated(frames, "GIF"))
    assert is_blank(image)
    assert note_of(image) is None


def test_no_more_frames_are_looked_at_than_one_picture_may_have_pixels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []
    contrast = decode.contrast
    monkeypatch.setattr(decode, "contrast", lambda image: seen.append(1) or contrast(image))
    frames = [Image.new("RGB", (60, 80), (255, 255, 255 - n % 2)) for n in range(60)]
    data = animated(frames, "WEBP")
    open_image(data)
    assert len(seen) <= decode.MAX_FRAMES
    seen.clear()
    open_image(data, limits=ImageLimits(max_pixels=3 * 60 * 80))
    assert len(seen) <= 3


def test_an_animation_that_breaks_off_is_searched_by_what_came() -> None:
    data = animated([empty(), shirt("crimson", size=(60, 80)).convert("RGBA")] * 3, "GIF")
    image = open_image(data[: len(data) * 2 // 3])
    assert close(image.getpixel((30, 40)), (220, 20, 60), 12)


@pytest.mark.parametrize("name", ["14-gif-first-white.gif", "15-webp-first-empty.webp"])
def test_the_animations_that_were_sent_in(real_data: None, name: str) -> None:
    image = open_image(CASES / name)
    assert not is_blank(image)
    assert "begins empty" in str(note_of(image))


def test_an_empty_page_is_known(real_data: None) -> None:
    assert is_empty_page(open_image(CASES / "17-blank-white.png"))
    assert not is_empty_page(shirt((240, 240, 240)))
    assert not is_empty_page(Image.new("RGB", (9, 9), "black"))
    page = Image.new("RGB", (90, 90), "white")
    assert is_empty_page(page)
    page.putpixel((3, 80), (255, 255, 200))  # and white in the middle
    assert not is_empty_page(page)


# --- others -----------------------------------------------------------------------------------


def test_what_xmp_says_of_the_orientation_does_not_count(real_data: None) -> None:
    assert open_image(CASES / "23-xmp-stale.jpg").size == (480, 640)
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    data = encoded(noise((40, 60)), "JPEG", xmp=xmp)
    assert open_image(data).size == (40, 60)
    with Image.open(BytesIO(data)) as own:
        assert open_image(own).size == (40, 60)
        assert own.info["xmp"] == xmp  # it stays its owner's
    assert open_image(encoded(noise((40, 60)), "JPEG", xmp=xmp, exif=exif(8))).size == (60, 40)


def test_a_transparent_shade_of_16_bit_grey_is_white() -> None:
    values = np.full((40, 40), 9_000, np.uint16)
    values[10:30, 10:30] = 40_000
    data = encoded(Image.fromarray(values), "PNG")
    header, rest = data[:33], data[33:]
    image = open_image(header + png_chunk(b"tRNS", (9_000).to_bytes(2, "big")) + rest)
    assert image.getpixel((3, 3)) == (255, 255, 255)
    assert image.getpixel((20, 20)) == (156, 156, 156)


@pytest.mark.parametrize("kind", [b"iCCP", b"zTXt"])
def test_a_remark_that_unpacks_to_very_much_does_not_cost_the_picture(kind: bytes) -> None:
    packed = b"name\0\0" + zlib.compress(b"\0" * 2**24, 9)
    data = encoded(noise(), "PNG")
    image = open_image(data[:33] + png_chunk(kind, packed) + data[33:])
    np.testing.assert_array_equal(np.asarray(image), np.asarray(noise()))


def test_of_an_empty_page_it_is_said(real_data: None) -> None:
    assert note_of(open_image(CASES / "17-blank-white.png")) == EMPTY_PAGE
    assert note_of(open_image(Image.new("RGB", (60, 80), "white"))) == EMPTY_PAGE
