"""Files that browsers show and decoders refuse: JPEGs cut short, PNGs with huge remarks."""

from __future__ import annotations

import struct

from PIL import Image

from fitting_room.imaging.sample_depths import strips

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
#: With it at its end the decoder takes a JPEG that was cut short, and fills in what is missing.
END_OF_JPEG = b"\xff\xd9"
#: Chunks of a PNG that say something of its pixels, beside those whose name begins with a capital.
_NEEDED = (b"tRNS", b"cICP", b"eXIf", b"acTL", b"fcTL", b"fdAT")


def without_missing(image: Image.Image) -> Image.Image:
    """A JPEG that was cut short without the rows that did not come, which the decoder leaves grey.
    A progressive one that came to its first scan is whole, only less sharp. Raises ``OSError``
    where less than half is left."""
    image.load()
    left = 0
    for top, values in strips(image, from_below=True):
        rows = values.reshape(len(values), -1)
        there = ~((rows == 127) | (rows == 128)).all(axis=1)
        if there.any():
            left = top + len(rows) - int(there[::-1].argmax())
            break
    if left * 2 < image.height:
        raise OSError("image file is truncated")
    return image if left == image.height else image.crop((0, 0, image.width, left))


def png_without_remarks(data: bytes) -> bytes:
    """A PNG without its texts and its profile, which may be packed a thousandfold and are then
    refused with the picture."""
    parts, place = [PNG], len(PNG)
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        kind, end = data[place + 4 : place + 8], place + 12 + length
        if kind[:1].isupper() or kind in _NEEDED:
            parts.append(data[place:end])
        place = end
    return b"".join(parts)
