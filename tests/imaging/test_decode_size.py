"""How large a picture comes out of decoding."""

from __future__ import annotations

import pytest
from PIL import ExifTags, ImageChops

from fitting_room.imaging.decode import WORKING_SIDE, open_image
from tests.conftest import picture_bytes
from tests.imaging.pictures import KINDS, encoded, looks_like_quarters, noise, quarters

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
