"""Pictures in other colour spaces look as a browser shows them, whatever their profile says."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from fitting_room.imaging import colour_profiles
from fitting_room.imaging.colour_profiles import cicp_primaries, to_srgb
from fitting_room.imaging.decode import ImageRejected, open_image
from fitting_room.imaging.descriptors import describe
from tests.conftest import REAL_DATA
from tests.imaging.garments import shirt
from tests.imaging.pictures import close, encoded, png_chunk

CASES = REAL_DATA.parent / "cases" / "pictures"
RED = (203, 28, 40)

#: x and y of red, green, blue and white, and gamma.
SPACES = {
    "Display P3": ((0.68, 0.32, 0.265, 0.69, 0.15, 0.06), (0.3457, 0.3585), 2.2),
    "Adobe RGB": ((0.64, 0.33, 0.21, 0.71, 0.15, 0.06), (0.3457, 0.3585), 2.2),
    "ProPhoto": ((0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001), (0.3457, 0.3585), 1.8),
}


def xyz_of(x: float, y: float) -> np.ndarray:
    return np.array([x / y, 1, (1 - x - y) / y])


def primaries_of(name: str) -> np.ndarray:
    """Linear RGB of a space -> XYZ."""
    xy, white, _ = SPACES[name]
    columns = np.stack([xyz_of(*xy[i : i + 2]) for i in (0, 2, 4)], axis=1)
    if name != "ProPhoto":  # given for D65, kept in a profile for D50
        columns = BRADFORD @ columns @ np.diag(np.linalg.solve(columns, xyz_of(0.3127, 0.329)))
        return np.asarray(columns)
    return np.asarray(columns @ np.diag(np.linalg.solve(columns, xyz_of(*white))))


#: D65 -> D50 (Bradford; ICC.1:2022, annex E).
BRADFORD = np.array(
    [
        [1.0478112, 0.0228866, -0.0501270],
        [0.0295424, 0.9904844, -0.0170491],
        [-0.0092345, 0.0150436, 0.7521316],
    ]
)


def profile_of(name: str) -> bytes:
    """An ICC profile of a space: matrix and one gamma, version 2.1 (ICC.1:2001-04)."""
    gamma = SPACES[name][2]
    text = name.encode() + b"\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + b"\0" * 78,
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": xyz_tag(xyz_of(0.3457, 0.3585)),
        **{
            channel + b"XYZ": xyz_tag(column)
            for channel, column in zip((b"r", b"g", b"b"), primaries_of(name).T, strict=True)
        },
        **{
            channel + b"TRC": b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
            for channel in (b"r", b"g", b"b")
        },
    }
    place, table, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for signature, value in tags.items():
        table += signature + struct.pack(">II", place + len(body), len(value))
        body += value + b"\0" * (-len(value) % 4)
    header = bytearray(128)
    struct.pack_into(">I", header, 0, place + len(body))
    header[8:24] = b"\x02\x10\0\0mntrRGB XYZ "
    header[36:40] = b"acsp"
    struct.pack_into(">iii", header, 68, *(round(v * 65536) for v in (0.9642, 1, 0.8249)))
    return bytes(header) + table + body


def xyz_tag(values: np.ndarray) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">iii", *(round(v * 65536) for v in values))


def in_space(colour: tuple[int, int, int], name: str) -> tuple[int, int, int]:
    """The values that a colour of sRGB has in another space."""
    srgb = np.array(colour) / 255
    light = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [[0.4361, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]]
    )
    there = np.linalg.solve(primaries_of(name), to_xyz @ light)
    red, green, blue = np.rint(np.clip(there, 0, 1) ** (1 / SPACES[name][2]) * 255).astype(int)
    return int(red), int(green), int(blue)


# --- ICC --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_profile_is_applied(name: str, kind: str) -> None:
    image = Image.new("RGB", (40, 60), in_space(RED, name))
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "JPEG" else {}
    data = encoded(image, kind, icc_profile=profile_of(name), **options)
    assert close(open_image(data).getpixel((20, 30)), RED, 4)


@pytest.mark.parametrize("name", ["Display P3", "ProPhoto"])
def test_transparency_stays(name: str) -> None:
    image = Image.new("RGBA", (40, 60), (*in_space(RED, name), 255))
    image.paste((0, 0, 0, 0), (0, 0, 40, 20))
    opened = open_image(encoded(image, "PNG", icc_profile=profile_of(name)))
    assert opened.getpixel((20, 10)) == (255, 255, 255)
    assert close(opened.getpixel((20, 40)), RED, 3)


def test_a_palettes_colours_are_turned_too() -> None:
    image = Image.new("RGB", (40, 60), in_space(RED, "Adobe RGB")).convert("P", palette=1)
    data = encoded(image, "PNG", icc_profile=profile_of("Adobe RGB"))
    assert close(open_image(data).getpixel((20, 30)), RED, 6)


@pytest.mark.parametrize("side", [16, 200, 512])
def test_a_large_picture_is_turned_like_a_small_one(side: int) -> None:
    image = Image.new("RGB", (1500, 2000), in_space(RED, "ProPhoto"))
    data = encoded(image, "JPEG", icc_profile=profile_of("ProPhoto"), quality=95)
    assert close(open_image(data, side=side).getpixel((5, 5)), RED, 4)


@pytest.mark.parametrize(
    ("name", "colour"),
    [
        ("08-prophoto-red.jpg", (203, 28, 40)),
        ("10-p3-red.jpg", (200, 27, 39)),
        ("09-cmyk-profile-purple.jpg", (124, 66, 152)),
    ],
)
def test_the_pictures_that_were_sent_in(
    real_data: None, name: str, colour: tuple[int, int, int]
) -> None:
    image = open_image(CASES / name)
    assert close(image.getpixel((image.width // 2, image.height // 2)), colour, 8)


def test_a_picture_with_a_profile_is_described_as_the_same_one_in_srgb() -> None:
    plain = shirt(RED)
    other = shirt(in_space(RED, "ProPhoto"))
    data = encoded(other, "PNG", icc_profile=profile_of("ProPhoto"))
    rows = describe([plain, open_image(data)]).astype(int)
    assert np.abs(rows[0] - rows[1]).max() <= 30
    again = open_image(open_image(data))  # what was opened is not turned again
    assert close(again.getpixel((120, 160)), RED, 3)


def test_srgb_under_any_name_changes_nothing() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8))
    data = encoded(image, "PNG", icc_profile=profile)
    np.testing.assert_array_equal(np.asarray(open_image(data)), np.asarray(image))


def test_a_name_with_srgb_in_it_is_no_promise() -> None:
    profile = profile_of("ProPhoto").replace(b"ProPhoto\0", b"not sRGB\0")
    data = encoded(Image.new("RGB", (9, 9), in_space(RED, "ProPhoto")), "PNG", icc_profile=profile)
    assert close(open_image(data).getpixel((4, 4)), RED, 3)


# --- what is ignored --------------------------------------------------------------------------

GOOD = profile_of("ProPhoto")


@pytest.mark.parametrize(
    "profile",
    [
        b"x",
        GOOD[:100],
        GOOD[:200],
        GOOD.replace(b"acsp", b"xxxx"),
        GOOD.replace(b"RGB XYZ ", b"CMYKLab "),
        GOOD.replace(b"RGB XYZ ", b"GRAYXYZ "),
        GOOD + b"mpet",
        GOOD + b"\0" * colour_profiles.MAX_PROFILE_BYTES,
    ],
    ids=["a byte", "cut", "cut later", "no profile", "CMYK", "grey", "endless", "large"],
)
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_a_broken_profile_or_one_of_another_mode(profile: bytes, mode: str) -> None:
    image = Image.new(mode, (20, 20), 77 if mode == "L" else (203, 28, 40))
    data = encoded(image, "PNG", icc_profile=profile)
    assert open_image(data).getpixel((4, 4)) == ((77,) * 3 if mode == "L" else (203, 28, 40))


@given(
    st.lists(
        st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=12
    ),
    st.integers(0, 60),
)
@hypothesis_settings(max_examples=120)
def test_any_change_of_a_profile_gives_a_picture(changes: list[tuple[int, int]], cut: int) -> None:
    profile = bytearray(GOOD)
    for place, value in changes:
        profile[place] = value
    data = encoded(
        Image.new("RGB", (12, 12), RED), "PNG", icc_profile=bytes(profile[: len(profile) - cut])
    )
    image = open_image(data)
    assert (image.mode, image.size) == ("RGB", (12, 12))


@given(st.binary(max_size=300), st.sampled_from(["RGB", "L", "CMYK"]))
@hypothesis_settings(max_examples=60)
def test_anything_for_a_profile_gives_a_picture(profile: bytes, mode: str) -> None:
    image = Image.new(mode, (12, 12))
    assert to_srgb(image, profile, None).size == (12, 12)


# --- CICP -------------------------------------------------------------------------------------


def colr(primaries: int, transfer: int) -> bytes:
    return b"\0\0\0\x13colrnclx" + struct.pack(">HHHB", primaries, transfer, 6, 128)


@pytest.mark.parametrize(
    ("data", "kind", "expected"),
    [
        (colr(12, 13), "AVIF", 12),
        (b"x" * 900 + colr(9, 1), "HEIF", 9),
        (colr(12, 16), "AVIF", None),  # HDR
        (colr(12, 13)[:14], "AVIF", None),
        (colr(12, 13), "JPEG", None),
        (b"", "HEIF", None),
        (b"x" * 2**17 + colr(12, 13), "AVIF", None),
    ],
)
def test_the_primaries_that_a_file_names(data: bytes, kind: str, expected: int | None) -> None:
    assert cicp_primaries(data, kind) == expected


def test_a_png_in_display_p3() -> None:
    p3 = (185, 47, 47)
    data = encoded(Image.new("RGB", (20, 20), p3), "PNG")
    header, rest = data[:33], data[33:]
    named = open_image(header + png_chunk(b"cICP", bytes([12, 13, 0, 1])) + rest)
    assert named.getpixel((5, 5)) == pytest.approx((201, 24, 38), abs=4)
    assert zlib.crc32(data)  # the same without the chunk is taken for sRGB
    assert open_image(data).getpixel((5, 5)) == p3


def test_an_avif_in_display_p3() -> None:
    buffer = BytesIO()
    Image.new("RGB", (64, 64), (185, 47, 47)).save(buffer, "AVIF", quality=95, speed=10)
    data = buffer.getvalue()
    place = data.find(b"colrnclx")
    assert place > 0
    changed = data[: place + 8] + struct.pack(">HH", 12, 13) + data[place + 12 :]
    assert open_image(data).getpixel((9, 9)) == pytest.approx((185, 47, 47), abs=4)
    assert open_image(changed).getpixel((9, 9)) == pytest.approx((201, 24, 38), abs=6)


@pytest.mark.parametrize("primaries", [9, 11, 12])
def test_white_stays_white_and_grey_stays_grey(primaries: int) -> None:
    for value in (0, 77, 255):
        image = Image.new("RGBA", (4, 4), (value, value, value, 9))
        assert to_srgb(image, None, primaries).getpixel((1, 1)) == pytest.approx(
            (value, value, value, 9), abs=1
        )


@given(st.binary(max_size=80), st.sampled_from(["AVIF", "HEIF", "PNG"]))
@hypothesis_settings(max_examples=60)
def test_any_values_are_a_number_or_none(tail: bytes, kind: str) -> None:
    for mark in (b"colrnclx", b"\0\0\0\x04cICP"):
        found = cicp_primaries(mark + tail, kind)
        assert found is None or found >= 0


@pytest.mark.parametrize("kind", ["PNG", "AVIF"])
def test_numbers_that_name_no_primaries_change_nothing(kind: str) -> None:
    image = Image.new("RGB", (4, 4), RED)
    assert to_srgb(image, None, 200) is image
    with pytest.raises(ImageRejected):
        open_image(b"\0\0\0\x04cICP")
