"""Garments that the tests of grounds and frames draw."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, int, int] | str
Box = tuple[int, int, int, int]

#: A T-shirt, as shares of width and height.
SHIRT = (
    (0.3, 0.12), (0.7, 0.12), (0.92, 0.35), (0.8, 0.45), (0.72, 0.36), (0.72, 0.88), (0.28, 0.88),
    (0.28, 0.36), (0.2, 0.45), (0.08, 0.35),
)  # fmt: skip


def garment(
    colour: Colour,
    background: Colour = "white",
    box: Box = (15, 20, 45, 60),
    size: tuple[int, int] = (60, 80),
) -> Image.Image:
    """A rectangle of cloth on a background."""
    image = Image.new("RGB", size, background)
    ImageDraw.Draw(image).rectangle(box, fill=colour)
    return image


def shirt(
    colour: Colour, background: Colour = "white", size: tuple[int, int] = (240, 320)
) -> Image.Image:
    """A T-shirt on a background."""
    image = Image.new("RGB", size, background)
    ImageDraw.Draw(image).polygon([(x * size[0], y * size[1]) for x, y in SHIRT], fill=colour)
    return image


def lit(image: Image.Image, background: tuple[int, int, int], loss: float = 0.25) -> Image.Image:
    """A picture whose background gets darker to the right and below, by ``loss`` in all."""
    pixels = np.array(image)
    down, across = np.mgrid[0 : image.height, 0 : image.width]
    light = 1 - loss * (down / image.height + across / image.width) / 2
    ground = np.rint(np.array(background) * light[..., None]).astype(np.uint8)
    mask = (pixels == background).all(axis=2)
    pixels[mask] = ground[mask]
    return Image.fromarray(pixels)


def saved(image: Image.Image, quality: int = 75) -> Image.Image:
    """A picture that was saved as JPEG."""
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def framed(
    image: Image.Image, widths: int | tuple[int, int, int, int], colour: Colour
) -> Image.Image:
    """A picture with bands to the left, above, to the right and below."""
    left, top, right, bottom = (widths,) * 4 if isinstance(widths, int) else widths
    whole = Image.new("RGB", (image.width + left + right, image.height + top + bottom), colour)
    whole.paste(image, (left, top))
    return whole


def screenshot(image: Image.Image, bars: Colour = "black", ink: Colour = "white") -> Image.Image:
    """A picture between a phone's status bar and its navigation bar."""
    whole = framed(image, (0, 16, 0, 26), bars)
    draw, right, low = ImageDraw.Draw(whole), whole.width, whole.height - 13
    draw.text((8, 2), "9:41", ink, font_size=11)
    draw.rectangle((right - 28, 4, right - 10, 11), outline=ink)
    draw.rectangle((right - 44, 4, right - 36, 11), fill=ink)
    draw.ellipse((right // 2 - 5, low - 5, right // 2 + 5, low + 5), outline=ink)
    draw.rectangle((right // 5, low - 4, right // 5 + 8, low + 4), outline=ink)
    return whole


def street(colour: Colour, seed: int = 0) -> Image.Image:
    """A garment in front of clutter of many colours."""
    generator = np.random.default_rng(seed)
    clutter = generator.integers(0, 255, (10, 8, 3), dtype=np.uint8)
    image = Image.fromarray(clutter).resize((240, 320), Image.Resampling.NEAREST)
    ImageDraw.Draw(image).rectangle((60, 60, 180, 260), fill=colour)
    return image


def dotted(colour: Colour, dots: Colour, step: int = 24, radius: int = 5) -> Image.Image:
    """Cloth with dots that fills the picture."""
    image = Image.new("RGB", (240, 320), colour)
    draw = ImageDraw.Draw(image)
    for row, y in enumerate(range(0, 340, step)):
        for x in range(-step if row % 2 else -step // 2, 260, step):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=dots)
    return image


def striped(colours: tuple[Colour, ...], width: int, *, upright: bool = False) -> Image.Image:
    """Cloth with stripes that fills the picture."""
    image = Image.new("RGB", (320, 240) if upright else (240, 320))
    draw = ImageDraw.Draw(image)
    for number, y in enumerate(range(0, image.height, width)):
        draw.rectangle((0, y, 320, y + width - 1), fill=colours[number % len(colours)])
    return image.transpose(Image.Transpose.ROTATE_90) if upright else image
