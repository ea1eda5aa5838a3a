"""Paints pieces of cloth so that they look round: light from the upper left, folds, seams."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass

import skia

from scripts.draw_demo_catalogue.colours import RGB, lightness, mix, tone
from scripts.draw_demo_catalogue.geometry import MIDDLE, Point, Points, oval, shape, spline
from scripts.draw_demo_catalogue.patterns import Cloth, shader
from scripts.draw_demo_catalogue.prints import fill, stroke


@dataclass(frozen=True)
class Light:
    """What shadow and light look like on a colour: white cannot get lighter, nor black darker."""

    shadow: RGB
    shadow_strength: float
    gleam_strength: float

    @staticmethod
    def on(colour: RGB) -> Light:
        light = lightness(colour)
        if light > 0.8:
            return Light(mix((92, 96, 116), colour, 0.12), 0.42, 0.9)
        if light < 0.22:
            return Light((0, 0, 4), 0.85, 0.24)
        return Light(tone(mix(colour, (30, 20, 60), 0.25), -0.72), 0.55, 0.4)


def blurred(paint: skia.Paint, blur: float) -> skia.Paint:
    if blur:
        paint.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, blur))
    return paint


class Painter:
    """Paints one garment, piece by piece from back to front, out of one cloth.

    ``dice`` decides what differs between two garments of the same cut: folds and wrinkles.
    """

    def __init__(self, canvas: skia.Canvas, cloth: Cloth, dice: random.Random) -> None:
        self.canvas = canvas
        self.cloth = cloth
        self.dice = dice

    def piece(
        self,
        path: skia.Path,
        cloth: Cloth | None = None,
        *,
        angle: float = 0.0,
        anchor: Point = (MIDDLE, 0),
        depth: float = 1.0,
        wrinkle: float = 1.0,
        shade: float = 0.0,
        edge: float = 1.0,
    ) -> None:
        """A piece of cloth. ``angle`` turns its pattern; ``depth`` says how round it is,
        ``wrinkle`` how crumpled, ``shade`` how far back in the shadow."""
        cloth = cloth or self.cloth
        light = Light.on(cloth.base)
        canvas = self.canvas
        canvas.save()
        canvas.clipPath(path, skia.ClipOp.kIntersect, True)
        paint = skia.Paint(AntiAlias=True, Shader=shader(cloth, angle, (anchor[0], anchor[1])))
        canvas.drawPath(path, paint)
        self._texture(cloth, angle, anchor)
        self._wrinkles(path, light, wrinkle * WRINKLES[cloth.feel], angle, cloth.feel)
        self._roundness(path, light, depth, cloth.feel)
        if shade:
            canvas.drawPath(path, fill(light.shadow, shade * light.shadow_strength * 1.3))
        canvas.restore()
        if edge:
            canvas.drawPath(path, stroke(light.shadow, 0.7, 0.75 * edge * light.shadow_strength))

    def _roundness(self, path: skia.Path, light: Light, depth: float, feel: str) -> None:
        """Darker towards the edges, most on the lower right; a gleam on the upper left."""
        bounds = path.computeTightBounds()
        small = min(bounds.width(), bounds.height())
        reach = min(small * 0.2, 15.0) * (1.25 if feel == "puffy" else 1.0)
        canvas, strength = self.canvas, light.shadow_strength * depth
        for offset, width, blur, share in ((0.32, 1.1, 0.62, 0.62), (0.0, 0.36, 0.24, 0.34)):
            canvas.save()
            canvas.translate(offset * reach, offset * reach * 0.5)
            paint = blurred(stroke(light.shadow, reach * width, strength * share), reach * blur)
            canvas.drawPath(path, paint)
            canvas.restore()
        gleam = light.gleam_strength * depth * GLEAM[feel]
        canvas.save()
        canvas.translate(0.75 * reach, 0.6 * reach)
        paint = blurred(stroke((255, 255, 255), reach * 0.5, gleam * 0.5), reach * 0.4)
        canvas.drawPath(path, paint)
        canvas.restore()

    def _texture(self, cloth: Cloth, angle: float, anchor: Point) -> None:
        """The fine lines of what the cloth is knitted or woven of."""
        if cloth.feel not in ("knit", "ribbed", "denim"):
            return
        dark, pale = tone(cloth.base, -0.5), tone(cloth.base, 0.5)
        gap = {"knit": 4.0, "ribbed": 5.2, "denim": 2.6}[cloth.feel]
        canvas = self.canvas
        canvas.save()
        canvas.translate(*anchor[:2])
        canvas.rotate(angle + (24 if cloth.feel == "denim" else 0))
        lines, other = skia.Path(), skia.Path()
        for step in range(-130, 131):
            for line, shift in ((lines, 0.0), (other, gap * 0.4)):
                line.moveTo(step * gap + shift, -500)
                line.lineTo(step * gap + shift, 500)
        strength = {"knit": 0.2, "ribbed": 0.34, "denim": 0.16}[cloth.feel]
        dark_line, pale_line = (
            stroke(dark, gap * 0.3, strength),
            stroke(pale, gap * 0.25, strength * 0.6),
        )
        if cloth.feel == "knit":
            for paint in (dark_line, pale_line):
                paint.setPathEffect(skia.DashPathEffect.Make([2.4, 1.4], 0))
        canvas.drawPath(lines, dark_line)
        canvas.drawPath(other, pale_line)
        canvas.restore()

    def _wrinkles(
        self, path: skia.Path, light: Light, amount: float, angle: float, feel: str
    ) -> None:
        """Soft unevenness over the whole piece, longer down the cloth than across."""
        if amount <= 0:
            return
        fine = (0.05, 0.05) if feel in ("leather", "puffy") else (0.034, 0.012)
        matrix = skia.Matrix.RotateDeg(angle + self.dice.uniform(-14, 14))
        noise = skia.PerlinNoiseShader.MakeFractalNoise(*fine, 2, self.dice.randrange(999))
        noise = noise.makeWithLocalMatrix(matrix)
        for colour, sign, strength in (
            (light.shadow, 1, light.shadow_strength * 1.7),
            ((255, 255, 255), -1, light.gleam_strength * 1.5),
        ):
            red, green, blue = (part / 255 for part in colour)
            steep = sign * strength * amount * 0.95
            table = [
                0,
                0,
                0,
                0,
                red,
                0,
                0,
                0,
                0,
                green,
                0,
                0,
                0,
                0,
                blue,
                steep,
                0,
                0,
                0,
                -steep * 0.5,
            ]
            tint = skia.ColorFilters.Matrix(table)
            self.canvas.drawPath(path, skia.Paint(Shader=noise.makeWithColorFilter(tint)))

    def fold(
        self, start: Point, end: Point, width: float, strength: float = 1.0, *, bend: float = 0.0,
        within: skia.Path | None = None, cloth: Cloth | None = None,
    ) -> None:  # fmt: skip
        """A fold: a shadow that swells and fades, with a gleam along its upper left side."""
        light = Light.on((cloth or self.cloth).base)
        along = math.hypot(end[0] - start[0], end[1] - start[1]) or 1.0
        across = ((end[1] - start[1]) / along, -(end[0] - start[0]) / along)
        canvas = self.canvas
        canvas.save()
        if within is not None:
            canvas.clipPath(within, skia.ClipOp.kIntersect, True)
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        side = 1 if across[0] + across[1] * 0.4 > 0 else -1
        for shift, colour, share in (
            (0.0, light.shadow, light.shadow_strength * 0.95),
            (-side * width * 0.75, (255, 255, 255), light.gleam_strength * 0.7),
        ):
            near = [bend + shift + part * width * 0.55 for part in (-1, 1)]
            sides = [(middle[0] + across[0] * far, middle[1] + across[1] * far, 1) for far in near]
            lens = shape([start[:2], sides[0], end[:2], sides[1]])
            canvas.drawPath(lens, blurred(fill(colour, share * strength), max(width * 0.24, 0.6)))
        canvas.restore()

    def folds(
        self, lines: Iterable[tuple[Point, Point]], width: float, strength: float = 1.0,
        *, within: skia.Path | None = None, cloth: Cloth | None = None,
    ) -> None:  # fmt: skip
        """Several folds, no two of them quite as given."""
        dice = self.dice
        for start, end in lines:
            moved = [(x + dice.uniform(-4, 4), y + dice.uniform(-6, 6)) for x, y in (start, end)]
            share = strength * dice.uniform(0.55, 1.1)
            self.fold(
                moved[0], moved[1], width * dice.uniform(0.7, 1.2), share,
                bend=dice.uniform(-4, 4), within=within, cloth=cloth,
            )  # fmt: skip

    def cast(self, path: skia.Path, within: skia.Path, blur: float = 4.0, strength: float = 0.6,
             shift: tuple[float, float] = (1.5, 3.0)) -> None:  # fmt: skip
        """The shadow that a piece throws on the one beneath it."""
        light = Light.on(self.cloth.base)
        canvas = self.canvas
        canvas.save()
        canvas.clipPath(within, skia.ClipOp.kIntersect, True)
        canvas.translate(*shift)
        canvas.drawPath(path, blurred(fill(light.shadow, strength * light.shadow_strength), blur))
        canvas.restore()

    def line(
        self, points: Points | skia.Path, width: float = 1.0, amount: float = -0.4,
        strength: float = 0.8, *, cloth: Cloth | None = None, blur: float = 0.0,
    ) -> None:  # fmt: skip
        """A line in the cloth's own colour, darker (``amount`` < 0) or lighter."""
        path = points if isinstance(points, skia.Path) else spline(points)
        base = (cloth or self.cloth).base
        if amount < 0 and lightness(base) > 0.8:
            amount *= 0.75
        paint = stroke(tone(base, amount), width, strength)
        self.canvas.drawPath(path, blurred(paint, blur))

    def seam(
        self, points: Points | skia.Path, cloth: Cloth | None = None, width: float = 0.8
    ) -> None:
        """Two pieces meet: a dark line with a soft gleam and shadow on both sides."""
        self.line(points, width * 3.4, -0.5, 0.22, cloth=cloth, blur=1.3)
        self.line(points, width, -0.6, 0.7, cloth=cloth)
        self.canvas.save()
        self.canvas.translate(-0.9, 0.7)
        self.line(points, width * 0.8, 0.5, 0.3, cloth=cloth)
        self.canvas.restore()

    def stitch(
        self, points: Points | skia.Path, colour: RGB | None = None, width: float = 0.8
    ) -> None:
        """A row of stitches."""
        path = points if isinstance(points, skia.Path) else spline(points)
        base = self.cloth.base
        colour = colour or tone(base, -0.42 if lightness(base) > 0.3 else 0.38)
        paint = stroke(colour, width, 0.75)
        paint.setPathEffect(skia.DashPathEffect.Make([2.4, 1.3], 0))
        self.canvas.drawPath(path, paint)

    def button(self, x: float, y: float, radius: float = 2.6, colour: RGB | None = None) -> None:
        """A button with four holes and a small shadow."""
        colour = colour or tone(
            self.cloth.base, -0.35 if lightness(self.cloth.base) > 0.75 else 0.55
        )
        self.canvas.drawPath(
            oval(x + 0.5, y + 0.9, radius, radius), blurred(fill((0, 0, 0), 0.45), 0.9)
        )
        self.canvas.drawPath(oval(x, y, radius, radius), fill(colour))
        self.canvas.drawPath(oval(x, y, radius, radius), stroke(tone(colour, -0.45), 0.5, 0.8))
        self.canvas.drawPath(
            oval(x, y, radius * 0.6, radius * 0.6), stroke(tone(colour, -0.3), 0.4, 0.7)
        )
        for across in (-1, 1):
            for down in (-1, 1):
                hole = oval(x + across * radius * 0.24, y + down * radius * 0.24, 0.35, 0.35)
                self.canvas.drawPath(hole, fill(tone(colour, -0.6)))

    def metal(self, path: skia.Path, colour: RGB = (196, 190, 178), width: float = 2.0) -> None:
        """A bent rod of metal: buckles, rings, handles."""
        self.canvas.save()
        self.canvas.translate(0.6, 1.0)
        self.canvas.drawPath(path, blurred(stroke((0, 0, 0), width, 0.4), 0.9))
        self.canvas.restore()
        self.canvas.drawPath(path, stroke(tone(colour, -0.5), width))
        self.canvas.drawPath(path, stroke(colour, width * 0.68))
        self.canvas.save()
        self.canvas.translate(-0.2 * width, -0.2 * width)
        self.canvas.drawPath(path, stroke((255, 255, 255), width * 0.24, 0.85))
        self.canvas.restore()

    def zipper(self, points: Points, colour: RGB = (176, 176, 178), width: float = 2.6) -> None:
        """Teeth on a dark tape, with a slider at the upper end."""
        path = spline(points)
        self.canvas.drawPath(path, stroke(tone(self.cloth.base, -0.5), width * 2.2, 0.9))
        paint = stroke(colour, width)
        paint.setStrokeCap(skia.Paint.kButt_Cap)
        paint.setPathEffect(skia.DashPathEffect.Make([0.9, 0.8], 0))
        self.canvas.drawPath(path, paint)
        x, y = points[0][:2]
        self.metal(oval(x, y + 3, 1.5, 3.2), colour, 1.4)

    def fill(self, path: skia.Path, colour: RGB, strength: float = 1.0, blur: float = 0.0) -> None:
        """Plain paint, for small parts that need no shading."""
        self.canvas.drawPath(path, blurred(fill(colour, strength), blur))

    def gleam(
        self, path: skia.Path, within: skia.Path, strength: float = 0.5, blur: float = 3.0
    ) -> None:
        """Light that shines back from leather, rubber or satin."""
        self.canvas.save()
        self.canvas.clipPath(within, skia.ClipOp.kIntersect, True)
        self.canvas.drawPath(path, blurred(fill((255, 255, 255), strength), blur))
        self.canvas.restore()


WRINKLES = {
    "plain": 1.0, "knit": 0.75, "ribbed": 0.5, "denim": 1.0, "leather": 0.5, "satin": 1.5,
            "puffy": 0.45,
}  # fmt: skip
"""How much each material crumples."""

GLEAM = {
    "plain": 0.55, "knit": 0.45, "ribbed": 0.45, "denim": 0.5, "leather": 1.3, "satin": 1.3,
            "puffy": 1.1,
}  # fmt: skip
"""How much each material shines."""
