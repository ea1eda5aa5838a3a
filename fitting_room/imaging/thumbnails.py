"""Small pictures to show."""

from __future__ import annotations

from io import BytesIO

from PIL import Image


def as_jpeg(image: Image.Image, size: tuple[int, int], quality: int = 86) -> bytes:
    """A picture, reduced to fit ``size``, as a JPEG."""
    reduced = image.copy()
    reduced.thumbnail(size, Image.Resampling.LANCZOS)
    buffer = BytesIO()
    reduced.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
