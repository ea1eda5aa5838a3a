"""Bytes that are no picture that can be used: refused with a reason, within limits."""

from __future__ import annotations

import tracemalloc
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fitting_room.imaging import bounds
from fitting_room.imaging.decode import ImageLimits, ImageRejected, open_image
from tests.conftest import picture_bytes
from tests.imaging.pictures import KINDS, encoded, exif, noise, png_that_claims, quarters, rejection

# --- refused --------------------------------------------------------------------------------

NOT_PICTURES = {
    "text": b"a shirt, blue, long sleeves\n" * 20,
    "ppm, which Pillow reads": b"P6 20 20 255\n" + b"\x7f" * 1200,
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
    [("PNG", {}), ("PNG", {"exif": exif(6)}), ("WEBP", {}), ("BMP", {}), ("HEIF", {})],
    ids=["PNG", "PNG with EXIF", "WebP", "BMP", "HEIC"],
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
@settings(max_examples=300)
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


@settings(max_examples=100)
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
    monkeypatch.setattr(bounds, "is_light", lambda *_: True)  # in this process, whatever the kind
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
