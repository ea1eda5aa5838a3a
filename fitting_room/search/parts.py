"""Where a picture shows several garments: the part of it that each is in.

Nothing was taught where in a picture a garment is. What there is, is how surely the head takes a
picture for a thing of some kind, its evidence: the cosine with the nearest of the kinds that it was
taught. Of a picture with a shirt beside a skirt it is low, and of its halves high. So a picture is
cut in two where that raises the evidence most, across and along, at a few places first and then
beside the best of them; and what is left is cut again. On a plain background the cuts go through
the gaps between things, and parts are as large as what is in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image

from fitting_room.imaging.descriptors import COLOURS, DESCRIPTOR_LENGTH, cut_out, describe
from fitting_room.imaging.features import Features
from fitting_room.imaging.trimming import Box, content_box
from fitting_room.index.scoring import unit_bytes
from fitting_room.search.likeness import SAME_KIND, beliefs_of, kinds_of
from fitting_room.search.searcher import Searcher

#: An axis, 0 to cut into left and right and 1 to cut into upper and lower, and a share of a window.
Place = tuple[int, float]

#: What has this much evidence is one garment: only gaps are looked for. Where other pictures are
#: cut first; and how far beside the best of these places again, where it has this gain.
SURE, PROMISING = 0.65, 0.22
FIRST: tuple[Place, ...] = tuple((axis, share) for axis in (0, 1) for share in (0.3, 0.5, 0.7))
BESIDE = 0.1
#: The gain of a cut is the mean evidence of its parts less this share of that of the whole; what it
#: is at least; and the least evidence of a part: what has less is a floor or a wall. Chosen on
#: photographs and products that the figures in docs/relevance.md do not count.
OF_WHOLE, LEAST_GAIN, LEAST_EVIDENCE = 0.5, 0.29, 0.38
#: The same of parts with plain background between them, which says much by itself.
LEAST_GAIN_APART, LEAST_EVIDENCE_APART = 0.15, 0.35
#: What hangs together on a plain background is two garments only where the colours of the parts
#: have a lower cosine: the hips of trousers alone are taken for a skirt.
SAME_COLOURS = 0.85
#: Gaps that a picture is cut at, the widest; parts of a picture at most; and the least share of its
#: width and height that a part has.
MOST_GAPS, MOST_PARTS, LEAST_SIDE = 4, 4, 0.06
#: How much background is left around what is in a part, as a share of it.
MARGIN = 0.05


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a picture that shows a garment of its own. ``box`` is left, top, right and bottom
    as shares of the picture's width and height, 0 to 1; ``kind`` what the head takes the garment
    for, and ``evidence`` how surely, a cosine."""

    box: tuple[float, float, float, float]
    kind: str
    evidence: float

    def cut_from(self, image: Image.Image) -> Image.Image:
        """The part as a picture of its own, of the picture that it is a part of in any size."""
        width, height = image.size
        left, top, right, bottom = self.box
        pixels = round(left * width), round(top * height), round(right * width)
        return image.crop((*pixels, round(bottom * height)))


def parts_of(searcher: Searcher, image: Image.Image) -> list[Part]:
    """The parts of an upright RGB picture that show garments of different kinds, from the top left
    on; none where it shows one, or where the index has no head that was taught kinds."""
    if kinds_of(searcher.index) is None:
        return []
    content = content_box(image)
    look = _Look(searcher, image.crop(content))
    whole = look.things.around((0, 0, *look.image.size))
    done: list[Box] = []
    waiting = [] if whole is None else [whole]
    while waiting:
        window = waiting.pop(0)
        cut = _best_cut(look, window) if len(done) + len(waiting) + 2 <= MOST_PARTS else None
        if cut is None:
            done.append(window)
        else:
            waiting = [*cut.parts, *waiting]
    if len(done) < 2:
        return []
    return [_part(look.see([window])[0], window, content, image.size) for window in done]


def _part(seen: _Seen, window: Box, content: Box, size: tuple[int, int]) -> Part:
    """What was seen in a window of a picture's content, as a part of the picture."""
    left, top, right, bottom = (
        (edge + content[place % 2]) / size[place % 2] for place, edge in enumerate(window)
    )
    return Part((left, top, right, bottom), seen.kind, seen.evidence)


@dataclass(frozen=True, slots=True)
class _Cut:
    """A window cut in two at a ``place``; ``gain`` is how much the evidence speaks for it."""

    gain: float
    place: Place
    parts: tuple[Box, Box]


def _best_cut(look: _Look, window: Box) -> _Cut | None:
    """How a window is best cut in two different garments; ``None`` where it shows one."""
    apart = _cuts(look, window, look.things.gaps(window), LEAST_EVIDENCE_APART)
    if apart and (best := max(apart, key=_gain)).gain >= LEAST_GAIN_APART:
        return best
    if look.see([window])[0].evidence >= SURE:
        return None
    tried = _cuts(look, window, FIRST, LEAST_EVIDENCE)
    if not tried or (best := max(tried, key=_gain)).gain < PROMISING:
        return None
    axis, share = best.place
    beside = [(axis, share - BESIDE), (axis, share + BESIDE)]
    best = max([best, *_cuts(look, window, beside, LEAST_EVIDENCE)], key=_gain)
    if best.gain < LEAST_GAIN or (look.things.is_plain and look.of_same_colours(*best.parts)):
        return None
    return best


def _gain(cut: _Cut) -> float:
    return cut.gain


def _cuts(look: _Look, window: Box, places: Sequence[Place], evidence: float) -> list[_Cut]:
    """A window cut at some places, as far as that makes two parts with that much ``evidence`` of
    different kinds."""
    pairs: list[tuple[Place, tuple[Box, Box]]] = []
    for axis, share in places:
        edge = round(window[axis] + share * (window[axis + 2] - window[axis]))
        one = look.things.around(_with_edge(window, axis + 2, edge))
        other = look.things.around(_with_edge(window, axis, edge))
        if one is not None and other is not None:
            pairs.append(((axis, share), (one, other)))
    whole, *halves = look.see([window, *(half for _, pair in pairs for half in pair)])
    result = []
    for (place, pair), first, second in zip(pairs, halves[::2], halves[1::2], strict=True):
        same = float(first.beliefs @ second.beliefs) >= SAME_KIND
        if not same and min(first.evidence, second.evidence) >= evidence:
            gain = (first.evidence + second.evidence) / 2 - OF_WHOLE * whole.evidence
            result.append(_Cut(gain, place, pair))
    return result


def _with_edge(window: Box, place: int, edge: int) -> Box:
    edges = list(window)
    edges[place] = edge
    return edges[0], edges[1], edges[2], edges[3]


class _Things:
    """Where in a picture there is something on a plain background; everywhere in a photograph."""

    def __init__(self, image: Image.Image) -> None:
        self._size = image.size
        cut = cut_out(image)
        self.is_plain = cut is not None
        self._there = np.ones((1, 1), bool) if cut is None else cut
        height, width = self._there.shape
        self._scale = image.width / width, image.height / height

    def around(self, window: Box) -> Box | None:
        """A window as large as what is in it and :data:`MARGIN`; ``None`` where there is nothing
        of any size."""
        there, starts = self._inside(window)
        if not there.any():
            return None
        edges = []
        for axis in (0, 1):
            full = np.flatnonzero(there.any(axis=axis))
            first, last = full[0] + starts[axis], full[-1] + 1 + starts[axis]
            margin = MARGIN * (last - first)
            low, high = ((first - margin), (last + margin))
            edge = (
                max(window[axis], int(low * self._scale[axis])),
                min(window[axis + 2], int(np.ceil(high * self._scale[axis]))),
            )
            if edge[1] - edge[0] < max(1, LEAST_SIDE * self._size[axis]):
                return None
            edges.append(edge)
        (left, right), (top, bottom) = edges
        return left, top, right, bottom

    def gaps(self, window: Box) -> list[Place]:
        """The middles of the widest gaps in a window, with background from side to side."""
        there, _ = self._inside(window)
        widths: dict[Place, float] = {}
        for axis in (0, 1):
            count = there.shape[1 - axis]
            for before, after in pairwise(np.flatnonzero(there.any(axis=axis)).tolist()):
                if after - before > 1:
                    width = (after - before - 1) * self._scale[axis]
                    widths[axis, (before + 1 + after) / 2 / count] = width
        return sorted(widths, key=lambda place: -widths[place])[:MOST_GAPS]

    def _inside(self, window: Box) -> tuple[np.ndarray, tuple[int, int]]:
        """Where in a window there is something, and the column and row at which that begins."""
        left, top = (int(window[axis] / self._scale[axis]) for axis in (0, 1))
        right, bottom = (int(np.ceil(window[axis + 2] / self._scale[axis])) for axis in (0, 1))
        return self._there[top:bottom, left:right], (left, top)


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What the head sees in a window of a picture."""

    kind: str
    evidence: float
    beliefs: np.ndarray


class _Look:
    """A picture without its frames, and what the head sees in windows of it, each looked at once.
    Windows are in pixels."""

    def __init__(self, searcher: Searcher, image: Image.Image) -> None:
        self.image = image
        self.things = _Things(image)
        self._searcher = searcher
        self._seen: dict[Box, _Seen] = {}

    def see(self, windows: Iterable[Box]) -> list[_Seen]:
        """What the head sees in windows."""
        windows = list(windows)
        if new := [window for window in dict.fromkeys(windows) if window not in self._seen]:
            self._seen |= zip(new, self._judge(new), strict=True)
        return [self._seen[window] for window in windows]

    def of_same_colours(self, one: Box, other: Box) -> bool:
        """Whether two windows have the same colours."""
        described = describe([self.image.crop(window) for window in (one, other)])
        first, second = unit_bytes(described[:, COLOURS])
        return float(first @ second) >= SAME_COLOURS

    def _judge(self, windows: Sequence[Box]) -> list[_Seen]:
        known = kinds_of(self._searcher.index)
        projected = self._searcher.index.projected(self._features(windows))
        if known is None or projected is None:
            raise ValueError("the index has no head that was taught kinds")
        labels, kinds = known
        cosines = projected @ kinds.T
        return [
            _Seen(labels[row.argmax()], float(row.max()), beliefs)
            for row, beliefs in zip(cosines, beliefs_of(cosines), strict=True)
        ]

    def _features(self, windows: Sequence[Box]) -> list[Features]:
        images = [self.image.crop(window) for window in windows]
        embedder = self._searcher.embedder
        embeddings = embedder.embed(images)
        # A piece of a garment has another silhouette than a garment: the head goes without.
        unknown = np.zeros(DESCRIPTOR_LENGTH, np.uint8)
        if embedder.of_head is None:
            return [Features(row[None], unknown) for row in embeddings]
        pairs = zip(embeddings, embedder.of_head.embed(images), strict=True)
        return [Features(row[None], unknown, of_head[None]) for row, of_head in pairs]
