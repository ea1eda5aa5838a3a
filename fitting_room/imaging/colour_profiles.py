"""Pictures in other colour spaces -> sRGB, as a browser shows them.

A profile (ICC.1:2022) that cannot be read or does not belong to the picture's mode is ignored, as
browsers do: the picture is then taken for sRGB, or for the decoder's own idea of CMYK.
"""

from __future__ import annotations

import io
import struct
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

#: Larger profiles are ignored: those of presses have up to some 3 MB.
MAX_PROFILE_BYTES = 4 * 2**20

#: A profile that changes no value of a channel by more is sRGB under some name.
SAME_AS_SRGB = 2
#: What a profile may have any number of, each computed for each pixel (ICC.1:2022, 10.16). Browsers
#: do not read it either.
_UNBOUNDED = (b"mpet",)

#: ICC signature of a profile's colour space -> modes that it describes, without their alpha.
_MODES = {"RGB ": "RGB", "CMYK": "CMYK", "GRAY": "L", "Lab ": "LAB"}

#: CICP colour primaries (ITU-T H.273, table 2) -> x and y of red, green, blue and white.
_PRIMARIES = {
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290),  # BT.2020
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351),  # DCI-P3
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290),  # Display P3
}
_OF_SRGB = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
#: CICP transfer characteristics that are near enough to sRGB's; those of HDR (16, 18) are not.
_LIKE_SRGB = {1, 2, 6, 13, 14, 15}

#: What stands before the CICP values, and their form: a box of ISO/IEC 23008-12 in AVIF and HEIC, a
#: chunk of PNG. They are looked for in so many bytes from the beginning.
_CICP = {
    "AVIF": (b"colrnclx", ">HH"),
    "HEIF": (b"colrnclx", ">HH"),
    "PNG": (b"\x00\x00\x00\x04cICP", ">BB"),
}
_HEADER_BYTES = 2**16


def to_srgb(image: Image.Image, profile: bytes | None, primaries: int | None) -> Image.Image:
    """A picture of mode RGB, L, CMYK, LAB or one of these with alpha, in sRGB. ``profile`` is its
    ICC profile, ``primaries`` the number of its CICP colour primaries, which count where there is
    no profile."""
    if profile:
        return _by_profile(image, profile)
    if primaries in _PRIMARIES and image.mode in ("RGB", "RGBA"):
        return _by_primaries(image, primaries)
    return image


def cicp_primaries(data: bytes, kind: str | None) -> int | None:
    """The number of the colour primaries that a file of a ``kind``, Pillow's name of its format,
    has in its CICP values, if its transfer is like sRGB's."""
    if kind not in _CICP:
        return None
    mark, form = _CICP[kind]
    header = data[:_HEADER_BYTES]
    place = header.find(mark)
    if place < 0 or len(header) < place + len(mark) + struct.calcsize(form):
        return None
    primaries, transfer = struct.unpack_from(form, header, place + len(mark))
    return primaries if transfer in _LIKE_SRGB else None


def _by_profile(image: Image.Image, profile: bytes) -> Image.Image:
    if len(profile) > MAX_PROFILE_BYTES:
        return image
    has_alpha = image.mode in ("RGBA", "LA")
    colours = image.convert(image.mode[:-1]) if has_alpha else image
    transform = _transform(profile, colours.mode)
    if transform is None:
        return image
    try:
        converted = ImageCms.applyTransform(colours, transform)
    except (ImageCms.PyCMSError, ValueError):
        return image
    if converted is None:
        return image
    if has_alpha:
        converted.putalpha(image.getchannel("A"))
    return converted


@lru_cache(maxsize=8)  # each holds its profile
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """What turns a mode into sRGB, or ``None`` where nothing does or nothing needs to."""
    if any(kind in profile for kind in _UNBOUNDED):
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if _MODES.get(source.profile.xcolor_space) != mode:
            return None
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
        if mode != "RGB":
            return transform
        sample = _sample()
        found = np.asarray(ImageCms.applyTransform(sample, transform), np.int16)
        return transform if np.abs(found - np.asarray(sample)).max() > SAME_AS_SRGB else None
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


@lru_cache(maxsize=1)
def _sample() -> Image.Image:
    """Colours all over RGB."""
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    return Image.fromarray(np.stack(np.meshgrid(steps, steps, steps), -1).reshape(27, 27, 3))


def _by_primaries(image: Image.Image, primaries: int) -> Image.Image:
    values = np.asarray(image)
    linear = _to_linear()[values[..., :3]] @ _matrix(primaries).T
    encoded = np.clip(_encoded(np.clip(linear, 0, 1)) * 255 + 0.5, 0, 255).astype(np.uint8)
    result = Image.fromarray(np.concatenate([encoded, values[..., 3:]], axis=-1))
    result.info = dict(image.info)
    return result


@lru_cache(maxsize=1)
def _to_linear() -> np.ndarray:
    """Light for each of the 256 values, float32 (IEC 61966-2-1)."""
    values = np.arange(256) / 255
    light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return light.astype(np.float32)


def _encoded(light: np.ndarray) -> np.ndarray:
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


@lru_cache(maxsize=4)
def _matrix(primaries: int) -> np.ndarray:
    """Linear RGB of some primaries -> linear sRGB, float32 ``(3, 3)``."""
    to_xyz = _to_xyz(_PRIMARIES[primaries])
    white, own = to_xyz.sum(axis=1), _to_xyz(_OF_SRGB)
    # White stays white: scaled by channel (von Kries), which is 1 for all with D65.
    matrix = np.linalg.solve(own, np.diag(own.sum(axis=1) / white) @ to_xyz)
    return matrix.astype(np.float32)


def _to_xyz(chromaticities: tuple[float, ...]) -> np.ndarray:
    points = np.array(chromaticities).reshape(4, 2)
    xyz = np.column_stack([points, 1 - points.sum(axis=1)]) / points[:, 1:]
    return np.asarray(xyz[:3].T * np.linalg.solve(xyz[:3].T, xyz[3]))
