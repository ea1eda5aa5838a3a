"""Files that cost far more than they weigh, made from nothing: name -> bytes.

Each is made when it is asked for. ``EVERY`` has them all; what became of them with and without
bounds is in docs/reliability.md, and ``python benchmarks/offenders.py`` measures it.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Callable
from io import BytesIO

import numpy as np
from PIL import Image

import tests.imaging.heif  # noqa: F401
from tests.imaging.pictures import png_chunk

warnings.simplefilter("ignore", Image.DecompressionBombWarning)
Image.MAX_IMAGE_PIXELS = None

PNG = b"\x89PNG\r\n\x1a\n"
#: The longest sides within 64 megapixels.
SQUARE = (8_000, 8_000)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def flat(mode: str, size: tuple[int, int] = SQUARE) -> Image.Image:
    """A picture of one value, but for a corner: it is not taken for an empty page."""
    image = Image.new(mode, size)
    image.paste(1 if mode in ("1", "F", "I", "L", "P", "I;16") else "white", (0, 0, 9, 9))
    return image


# --- BMP --------------------------------------------------------------------------------------


def bmp(size: tuple[int, int], bits: int, packing: int, body: bytes, colours: int = 2) -> bytes:
    palette = b"".join(bytes((n * 40 % 256, n * 90 % 256, n, 0)) for n in range(colours))
    start = 54 + len(palette)
    info = struct.pack(
        "<IiiHHIIiiII", 40, *size, 1, bits, packing, len(body), 2835, 2835, colours, 0
    )
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + info + palette + body


def bmp_of_line_ends() -> bytes:
    """Each end of a line is two bytes and fills a line of 60,000 pixels, byte by byte."""
    return bmp((60_000, 1_060), 8, 1, b"\x01\x01\x00\x00" * 1_060)


def bmp_within_the_sides() -> bytes:
    return bmp((8_000, 8_000), 8, 1, b"\x01\x01\x00\x00" * 8_000)


def bmp_padded() -> bytes:
    """The same with as many bytes as its pixels may ask for."""
    return bmp((8_000, 8_000), 8, 1, b"\x01\x01\x00\x00" * 8_000 + b"\0\1" * 500_000)


def bmp_of_runs() -> bytes:
    """8 million runs of no length past the end of a line."""
    return bmp((2_000, 2_000), 8, 1, b"\xff\x01" * 8_000_000)


def bmp_of_two_colours() -> bytes:
    return bmp((8_000, 8_000), 1, 0, b"\x55" * (8_000 * 1_000))


# --- PNG --------------------------------------------------------------------------------------


def png(size: tuple[int, int], bits: int, colour: int, rows: bytes, before: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", *size, bits, colour, 0, 0, 0)
    parts = [PNG, png_chunk(b"IHDR", header), before]
    return b"".join([*parts, png_chunk(b"IDAT", rows), png_chunk(b"IEND", b"")])


def zeros(count: int) -> bytes:
    packer, block = zlib.compressobj(9), bytes(2**20)
    packed = [packer.compress(block[: min(2**20, count - at)]) for at in range(0, count, 2**20)]
    return b"".join([*packed, packer.flush()])


def png_of_empty_chunks() -> bytes:
    """24 MB of pixel data in pieces of no bytes."""
    empty = png_chunk(b"IDAT", b"") * 2_000_000
    return png((64, 64), 8, 2, zlib.compress(bytes(64 * 193)), before=empty)


def png_of_remarks() -> bytes:
    return png(
        (64, 64), 8, 2, zlib.compress(bytes(64 * 193)), png_chunk(b"tEXt", b"a\0b") * 400_000
    )


def png_of_packed_remarks() -> bytes:
    packed = png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(900_000)))
    return png((64, 64), 8, 2, zlib.compress(bytes(64 * 193)), packed * 20_000)


def png_of_unknown_chunks() -> bytes:
    odd = png_chunk(b"abCd", b"") * 2_000_000
    return png((64, 64), 8, 2, zlib.compress(bytes(64 * 193)), odd)


def png_with_a_transparent_colour() -> bytes:
    see = png_chunk(b"tRNS", struct.pack(">HHH", 1, 2, 3))
    return png(SQUARE, 8, 2, zeros(8_000 * 24_001), see)


def png_of_16_bit() -> bytes:
    return png(SQUARE, 16, 0, zeros(8_000 * 16_001))


def png_of_16_bit_colours() -> bytes:
    return png(SQUARE, 16, 6, zeros(8_000 * 64_001))


def png_strip() -> bytes:
    return png((60_000, 1_000), 8, 6, zeros(1_000 * 240_001))


def png_of_two_colours() -> bytes:
    return png((8_000, 8_000), 1, 0, zeros(8_000 * 1_001))


def apng() -> bytes:
    frames = [Image.new("RGBA", (4_000, 4_000), (n, 0, 0, 9)) for n in range(4)]
    return encoded(frames[0], "PNG", save_all=True, append_images=frames[1:], disposal=1)


# --- WebP, AVIF, HEIC -------------------------------------------------------------------------


def webp_of_34_bytes(width: int = 8_000, height: int = 8_000) -> bytes:
    """Lossless, of one colour: five codes of one symbol each."""
    bits = (width - 1) | (height - 1) << 14
    stream = b"\x2f" + struct.pack("<I", bits) + b"\x88\x88\x08" + bytes(6)
    chunk = b"VP8L" + struct.pack("<I", len(stream)) + stream
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk


def webp_as_large_as_can_be() -> bytes:
    return webp_of_34_bytes(16_383, 16_383)


def webp_animation() -> bytes:
    frames = [Image.new("RGB", (3_000, 3_000), (n, n, n)) for n in range(12)]
    return encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], quality=1, method=0)


def avif() -> bytes:
    return encoded(flat("RGB"), "AVIF", speed=10, quality=30, subsampling="4:4:4")


def heic() -> bytes:
    return encoded(flat("RGB"), "HEIF", quality=20, chroma=444)


def heic_of_48_megapixels() -> bytes:
    return encoded(phone(8_064, 6_048), "HEIF", quality=50)


# --- GIF --------------------------------------------------------------------------------------


def gif() -> bytes:
    return encoded(flat("P"), "GIF", transparency=0)


def gif_of_many_frames() -> bytes:
    """A canvas of 7.8 megapixels and one pixel a frame, none of which shows anything."""
    screen = b"GIF89a" + struct.pack("<HHBBB", 2_800, 2_800, 0x80, 0, 0) + bytes((5, 5, 5, 9, 9, 9))
    frame = b"\x21\xf9\x04\x09\0\0\1\0" + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0)
    return screen + (frame + b"\x02\x02\x44\x01\x00") * 500_000 + b"\x3b"


# --- TIFF -------------------------------------------------------------------------------------


def tiff_of_floats() -> bytes:
    return encoded(flat("F"), "TIFF", compression="tiff_deflate")


def tiff_of_integers() -> bytes:
    return encoded(flat("I"), "TIFF", compression="tiff_lzw")


def tiff_of_fax() -> bytes:
    return encoded(flat("1"), "TIFF", compression="group4")


def tiff_of_cmyk() -> bytes:
    return encoded(Image.new("CMYK", SQUARE), "TIFF", compression="tiff_adobe_deflate")


def tiff(size: tuple[int, int], tags: dict[int, int], body: bytes) -> bytes:
    """A file of one piece, whose fields are numbers."""
    every = {
        256: size[0], 257: size[1], 258: 8, 259: 8, 262: 1, 277: 1, 339: 1, 317: 1, 284: 1, **tags,
    }  # fmt: skip
    start = 8 + 2 + 12 * len(every) + 4
    places = {273: start, 324: start, 279: len(body), 325: len(body)}
    entries = b"".join(
        struct.pack("<HHII", tag, 4, 1, places.get(tag, value))
        for tag, value in sorted(every.items())
    )
    return b"II*\0" + struct.pack("<IH", 8, len(every)) + entries + bytes(4) + body


def tiff_of_one_huge_tile() -> bytes:
    """100 x 100 pixels in a tile of 24,000 x 24,000."""
    body = zeros(24_000 * 24_000)
    return tiff((100, 100), {322: 24_000, 323: 24_000, 324: 0, 325: 0}, body)


def tiff_of_many_fields() -> bytes:
    """A directory of 65,535 fields, each of which points at a long list."""
    long_list = bytes(2 * 2**20)
    entries = b"".join(struct.pack("<HHII", n, 3, 2**20, 8) for n in range(300, 60_000))
    head = b"II*\0" + struct.pack("<I", 8 + len(long_list))
    return head + long_list + struct.pack("<H", 59_700) + entries + bytes(4)


# --- JPEG -------------------------------------------------------------------------------------


def phone(width: int, height: int) -> Image.Image:
    """Something like a photograph: soft shapes and some grain."""
    rng = np.random.default_rng(3)
    soft = Image.fromarray(rng.integers(0, 255, (40, 30, 3), dtype=np.uint8)).resize(
        (width // 4, height // 4), Image.Resampling.BICUBIC
    )
    grain = rng.integers(-6, 7, (*soft.size[::-1], 1))
    values = np.clip(np.asarray(soft, np.int16) + grain, 0, 255).astype(np.uint8)
    return Image.fromarray(values).resize((width, height), Image.Resampling.BILINEAR)


def jpeg_of_a_phone() -> bytes:
    return encoded(phone(8_160, 6_120), "JPEG", quality=85)


def jpeg_progressive() -> bytes:
    return encoded(phone(*SQUARE), "JPEG", quality=80, progressive=True, subsampling=0)


def jpeg_cut_short() -> bytes:
    data = encoded(phone(*SQUARE), "JPEG", quality=80, progressive=True, subsampling=0)
    return data[: len(data) * 9 // 10]


def jpeg_of_a_phone_cut_short() -> bytes:
    data = jpeg_of_a_phone()
    return data[: len(data) * 9 // 10]


def jpeg_of_many_scans() -> bytes:
    """A progressive JPEG whose last scan, of next to nothing, comes 3,000 times more."""
    data = encoded(Image.new("L", SQUARE, 90), "JPEG", quality=50, progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * 3_000 + data[-2:]


def jpeg_of_cmyk() -> bytes:
    return encoded(Image.new("CMYK", SQUARE), "JPEG", quality=50, progressive=True)


def jpeg_strip() -> bytes:
    return encoded(Image.new("RGB", (65_000, 980), "teal"), "JPEG", progressive=True)


#: Of these, ordinary ones that people have.
ORDINARY = (jpeg_of_a_phone, jpeg_of_a_phone_cut_short, heic_of_48_megapixels)
EVERY: dict[str, Callable[[], bytes]] = {
    make.__name__.replace("_", " "): make
    for make in (
        bmp_of_line_ends, bmp_within_the_sides, bmp_padded, bmp_of_runs, bmp_of_two_colours,
        png_of_empty_chunks, png_of_remarks, png_of_packed_remarks, png_of_unknown_chunks,
        png_with_a_transparent_colour, png_of_16_bit, png_of_16_bit_colours, png_strip,
        png_of_two_colours, apng, webp_of_34_bytes, webp_as_large_as_can_be, webp_animation, avif,
        heic, gif, gif_of_many_frames, tiff_of_floats, tiff_of_integers, tiff_of_fax, tiff_of_cmyk,
        tiff_of_one_huge_tile, tiff_of_many_fields, jpeg_progressive, jpeg_cut_short,
        jpeg_of_many_scans, jpeg_of_cmyk, jpeg_strip, *ORDINARY,
    )
}  # fmt: skip
