"""Untrusted bytes or a path -> one upright RGB picture, or :class:`ImageRejected`.

Every picture that enters the system, from a visitor or from a catalogue, comes through
:func:`open_image`. The number of bytes and, from the header alone, pixels and the memory that they
will take are checked before anything is decoded (:mod:`fitting_room.imaging.bounds`), only the
decoders of :data:`FORMATS` are ever tried, and all but light files of ordinary kinds are decoded in
a process of their own (:mod:`fitting_room.imaging.workers`).
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import pi_heif
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from fitting_room.imaging import bounds
from fitting_room.imaging.blank import BLANK_CONTRAST, EMPTY_PAGE, contrast, is_empty_page
from fitting_room.imaging.colour_profiles import cicp_primaries, to_srgb
from fitting_room.imaging.gate import BUSY, Busy, Gate
from fitting_room.imaging.kinds import is_ordinary_jpeg, jpeg_in_words, named
from fitting_room.imaging.repairs import (
    END_OF_JPEG,
    JPEG,
    PNG,
    png_without_remarks,
    without_missing,
)
from fitting_room.imaging.sample_depths import to_8_bit

pi_heif.register_heif_opener(thumbnails=False)

#: Pillow's names of the formats that are accepted; HEIF covers the HEIC files of phones.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF", "HEIF")
FORMATS_IN_WORDS = "JPEG, PNG, WebP, BMP, GIF, TIFF, AVIF or HEIC"

#: File name endings that are taken for pictures when a folder or an archive is listed.
SUFFIXES = frozenset(
    {
        ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".bmp", ".gif", ".tif",
        ".tiff", ".avif", ".heic", ".heif", ".hif",
    }
)  # fmt: skip
#: Those of pictures that are not read, and are named as left out.
OTHER_SUFFIXES = frozenset(
    {
        ".jxl", ".jp2", ".j2k", ".jpf", ".jpx", ".jxr", ".wdp", ".psd", ".psb", ".xcf", ".svg",
        ".svgz", ".eps", ".ai", ".pdf", ".ico", ".icns", ".tga", ".exr", ".hdr", ".pcx", ".ppm",
        ".pgm", ".dng", ".raw", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".pef",
    }
)  # fmt: skip

#: Opening never reduces a picture below this shorter side, in pixels, unless another is asked for.
#: On the way to a smaller one it is reduced to this one first.
WORKING_SIDE = 512

#: Under this key of ``Image.info`` :func:`open_image` leaves a sentence for the person who gave the
#: picture, where there is something to say of it. No file can set it: their keys are words.
NOTE = (0, 0)
_CUT_SHORT = "The file ends too early. What there is of the picture is searched with."

_BEGINS_EMPTY = "The animation begins empty. Its picture number {} is searched with."

#: Formats with animations. What others have beside a picture is no next one: depths, thumbnails.
_ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")
#: Of an animation that begins empty, so many are looked at for one that is not, up to one whose
#: values differ by so much.
MAX_FRAMES, CLEAR_CONTRAST = 24, 96

# What the many decoders raise on damaged input. OSError covers "truncated" and libtiff's errors.
_DECODER_ERRORS = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error,
    ZeroDivisionError, OverflowError, RuntimeError, NotImplementedError,
)  # fmt: skip


class ImageRejected(ValueError):  # noqa: N818  (the name is part of the design)
    """A picture that cannot be used.

    ``reason`` is a full sentence for the person who gave the picture: what is wrong with it and
    what to do about it. ``name`` is the picture's name where there is one.
    """

    def __init__(self, reason: str, *, name: str | None = None) -> None:
        super().__init__(f"{name}: {reason}" if name else reason)
        self.reason = reason
        self.name = name


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Bounds on what is decoded: ``max_bytes`` of the file, ``max_pixels`` of width x height, and
    ``min_side``, the least width and height in pixels."""

    max_bytes: int = 32 * 2**20
    max_pixels: int = 64_000_000
    min_side: int = 8


DEFAULT_LIMITS = ImageLimits()


def open_image(
    source: bytes | Path | str | Image.Image,
    *,
    name: str | None = None,
    limits: ImageLimits = DEFAULT_LIMITS,
    side: int = WORKING_SIDE,
    gate: Gate | None = None,
) -> Image.Image:
    """Decode a picture to upright 8-bit RGB.

    ``source`` is the file's bytes, its path, or a picture that Pillow opened. EXIF orientation is
    applied; transparency is laid on white; greyscale, palette, CMYK and 16-bit pictures are
    converted, and colours of another space are turned into sRGB. Of an animation the first frame
    that shows something is taken, and of a JPEG that was cut short what there is: see
    :func:`note_of`. Pictures whose shorter side is at least twice ``side`` are reduced by whole
    factors, JPEG already inside its decoder, so the result's shorter side is below ``2 * side`` or
    the picture's own. What was opened to be shown and is opened once more for a network comes out
    as the file does when it is opened for it at once.

    What takes much memory, or may take long, is decoded in a process of its own and given up after
    some seconds. With a ``gate``, decoding waits for its turn.

    Raises :class:`ImageRejected` when the picture cannot be read, is too large or too small, is
    of another format or is damaged, takes too long, or when too many wait at the gate.
    """
    if isinstance(source, str | Path):
        name = name or str(source)
    try:
        with rejecting(limits):
            if isinstance(source, Image.Image):
                _check_size(source.size, limits)
                image = _to_upright_rgb(source, max(side, WORKING_SIDE))
            else:
                data = (
                    source if isinstance(source, bytes) else _read(Path(source), limits.max_bytes)
                )
                image = _decode(data, limits, max(side, WORKING_SIDE), gate)
            if is_empty_page(image):
                image.info[NOTE] = EMPTY_PAGE
            reduced = _reduce(image, side)
            return reduced.copy() if isinstance(reduced, ImageFile.ImageFile) else reduced
    except ImageRejected as rejected:
        raise ImageRejected(rejected.reason, name=name) from rejected.__cause__


def _read(path: Path, max_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(max_bytes + 1)  # one more byte tells "too large" without a stat
    except FileNotFoundError as error:
        raise ImageRejected("There is no such file.") from error
    except IsADirectoryError as error:
        raise ImageRejected("This is a folder, not a picture.") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
        why = getattr(error, "strerror", None) or error  # str(error) repeats the path
        raise ImageRejected(f"The file cannot be read ({why}).") from error


def _decode(data: bytes, limits: ImageLimits, side: int, gate: Gate | None) -> Image.Image:
    if not data:
        raise ImageRejected("The file is empty. Choose another one.")
    if len(data) > limits.max_bytes:
        raise ImageRejected(
            f"The file is too large: more than {limits.max_bytes / 2**20:.3g} MB. "
            "Save the picture smaller and try again."
        )
    _reject_if(bounds.objection_to_file(data))
    header = bounds.header_of(data)
    if header is not None:
        _check_size(header.size, limits)
        _reject_if(bounds.objection_to_shape(header.size))
        _reject_if(bounds.objection_to_header(header, side))
    if bounds.is_light(data, header, side):
        with suppress(_Heavy), gate.light.turn() if gate else nullcontext():
            return decode_here(data, limits, side)
    with gate.heavy.turn() if gate else nullcontext():
        return _decode_apart(data, limits, side)


def _decode_apart(data: bytes, limits: ImageLimits, side: int) -> Image.Image:
    """Decode a file in a process that is ended when it takes too long."""
    from fitting_room.imaging import workers

    try:
        said, pixels = workers.WORKERS.ask({"limits": asdict(limits), "side": side}, data)
    except workers.WorkerEnded as ended:
        if ended.timed_out:
            raise ImageRejected(bounds.TOO_SLOW) from ended
        raise OSError("the decoder came down") from ended
    except OSError as error:  # no process can be started
        raise Busy from error
    _reject_if(said.get("reason"))
    image = Image.frombytes("RGB", said["size"], pixels)
    if said["note"]:
        image.info[NOTE] = said["note"]
    return image


class _Heavy(Exception):  # noqa: N818  (no error: it is decoded elsewhere)
    """What looked light is not, and has to be decoded in a process of its own."""


def decode_here(
    data: bytes, limits: ImageLimits, side: int, *, may_be_heavy: bool = False
) -> Image.Image:
    """Decode a file in this process. Raises whatever decoders raise."""
    try:
        return _decode_whole(data, limits, side)
    except OSError as error:
        if not data.startswith(JPEG):
            raise
        header = bounds.header_of(data)
        if header is not None:  # decoded once more, and not reduced inside the decoder
            _reject_if(bounds.objection_to_header(header, side, whole=True))
            if not may_be_heavy and header.cost(side, whole=True) > bounds.MAX_LIGHT:
                raise _Heavy from error
        return _decode_jpeg_again(data, limits, side, error)
    except ValueError as error:
        if not data.startswith(PNG) or isinstance(error, ImageRejected):
            raise
        return _decode_whole(png_without_remarks(data), limits, side)


def _decode_jpeg_again(data: bytes, limits: ImageLimits, side: int, error: OSError) -> Image.Image:
    """A JPEG that could not be decoded: browsers show one that was cut short, and some that cannot
    be reduced inside the decoder, such as lossless ones."""
    is_cut_short = "truncated" in str(error)
    try:
        image = _decode_whole(data + END_OF_JPEG, limits, side, again=True)
    except OSError:
        if is_cut_short or is_ordinary_jpeg(data):
            raise
        raise ImageRejected(jpeg_in_words(data)) from error
    if is_cut_short:
        image.info[NOTE] = _CUT_SHORT
    return image


def _decode_whole(
    data: bytes, limits: ImageLimits, side: int, *, again: bool = False
) -> Image.Image:
    """Decode a file, a JPEG ``again`` after that has failed. Raises whatever decoders raise."""
    try:
        opened = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        if (sentence := named(data)) is None:
            raise
        raise ImageRejected(sentence) from error
    with opened as image:
        _check_size(image.size, limits)
        _reject_if(bounds.objection_to_shape(image.size))
        if bounds.header_of(data) is None:
            _reject_if(bounds.objection_to_opened(image, side))
        if not again and image.format in ("JPEG", "MPO"):
            image.draft(None, (side, side))
        note = _show_something(image, limits, side)
        part = without_missing(image) if again else image
        primaries, own = cicp_primaries(data, image.format), image.format == "JPEG"
        return _to_upright_rgb(part, side, primaries, note, own=own)


def _show_something(image: Image.Image, limits: ImageLimits, side: int) -> str | None:
    """Of an animation that begins with next to nothing, go to the first picture that shows
    something, as much as half of what any of them shows; returns a note where that is not the
    first. Looks at :data:`MAX_FRAMES` at most, and at as many pixels as one picture may have."""
    if image.format not in _ANIMATED or not getattr(image, "is_animated", False):
        return None
    shown: list[int] = []
    with suppress(*_DECODER_ERRORS):  # it ends, or is damaged further on
        for frame in range(max(1, min(MAX_FRAMES, limits.max_pixels // math.prod(image.size)))):
            image.seek(frame)
            shown.append(contrast(_on_white(_reduce(to_8_bit(image), side))))
            if shown[-1] >= CLEAR_CONTRAST:
                break
    most = max(shown, default=0)
    enough = (n for n, found in enumerate(shown) if 2 * found >= most > BLANK_CONTRAST)
    frame = next(enough, 0)
    image.seek(frame)
    return _BEGINS_EMPTY.format(frame + 1) if frame else None


def note_of(image: Image.Image) -> str | None:
    """What :func:`open_image` has to say of a picture to the person who gave it, if anything."""
    note = image.info.get(NOTE)
    return note if isinstance(note, str) else None


@contextmanager
def rejecting(limits: ImageLimits) -> Iterator[None]:
    """Turn whatever the decoders raise into :class:`ImageRejected`."""
    try:
        yield
    except ImageRejected:
        raise
    except UnidentifiedImageError as error:
        raise ImageRejected(
            f"This is not a picture in a format that can be read. Use {FORMATS_IN_WORDS}."
        ) from error
    except Busy as busy:
        raise ImageRejected(BUSY) from busy
    except Image.DecompressionBombError as error:
        raise ImageRejected(bounds.too_many_pixels(limits.max_pixels)) from error
    except MemoryError as error:
        raise ImageRejected(bounds.TOO_LITTLE_MEMORY) from error
    except _DECODER_ERRORS as error:
        raise ImageRejected(
            "The picture is damaged or incomplete. Export or download it again."
        ) from error


def _check_size(size: tuple[int, int], limits: ImageLimits) -> None:
    _reject_if(bounds.objection_to_size(size, limits.max_pixels, limits.min_side))


def _reject_if(objection: str | None) -> None:
    if objection is not None:
        raise ImageRejected(objection)


def _to_upright_rgb(
    image: Image.Image,
    side: int,
    primaries: int | None = None,
    note: str | None = None,
    *,
    own: bool = False,
) -> Image.Image:
    """``own`` says that the picture is nobody else's, and may be the result itself."""
    image.load()
    profile, note = image.info.get("icc_profile"), note or note_of(image)
    # Only now: Pillow turns a TIFF while it loads it, and takes the tag away.
    orientation = _orientation(image)
    image = to_srgb(_reduce(to_8_bit(image), side), profile, primaries)
    image = image if own and image.mode == "RGB" else _on_white(image)
    image.info.clear()  # EXIF and XMP would make others, and this function, turn it again
    if note:
        image.info[NOTE] = note
    return image if orientation is None else image.transpose(orientation)


def _on_white(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


#: EXIF orientation tag -> the transposition that sets the picture upright (EXIF 2.32, 4.6.4 A).
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


_XMP = ("xmp", "XML:com.adobe.xmp")


def _orientation(image: Image.Image) -> Image.Transpose | None:
    # What XMP says may be stale, and browsers follow EXIF alone, which Pillow completes by it.
    xmp = {key: image.info.pop(key) for key in _XMP if key in image.info}
    try:
        return _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except _DECODER_ERRORS:
        # A damaged EXIF block says nothing about the picture, which may be whole.
        return None
    finally:
        image.info.update(xmp)  # the picture may be somebody's own


def _reduce(image: Image.Image, side: int) -> Image.Image:
    factor = min(image.size) // side
    return image.reduce(factor) if factor > 1 else image
