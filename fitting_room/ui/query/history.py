"""A visitor's way through the catalogue: what is asked about, and the steps that led there.

Plain values without Streamlit. A :class:`Step` is all that a question consists of; whatever a page
shows is computed from one, so that a link, the browser's back button and the trail of steps bring
back the same view.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

#: Steps that a trail keeps, pictures and items that are asked about at once, and items that are
#: wanted less. Bounds what one visitor may keep and what a link may ask for.
MOST_STEPS, MOST_SUBJECTS, MOST_NEGATIVES = 24, 8, 12
#: A crop is given in thousandths of the picture's width and height; a side has at least this many.
LEAST_SIDE = 50

ITEM, PICTURE = "item", "picture"


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a picture: its edges in thousandths of the picture's width and height."""

    left: int
    top: int
    right: int
    bottom: int

    def __post_init__(self) -> None:
        whole = 0 <= self.left < self.right <= 1000 and 0 <= self.top < self.bottom <= 1000
        if not whole or min(self.right - self.left, self.bottom - self.top) < LEAST_SIDE:
            raise ValueError("no part of a picture")

    @classmethod
    def parse(cls, text: str) -> Box:
        """Read ``left,top,right,bottom``. Raises ``ValueError``."""
        edges = text.split(",")
        if len(edges) != 4 or not all(len(e) <= 4 and e.isascii() and e.isdigit() for e in edges):
            raise ValueError("no part of a picture")
        return cls(*map(int, edges))

    def __str__(self) -> str:
        return f"{self.left},{self.top},{self.right},{self.bottom}"

    def pixels(self, width: int, height: int) -> tuple[int, int, int, int]:
        """The box in pixels of a picture of that size, at least one each way."""
        left, top = self.left * width // 1000, self.top * height // 1000
        right, bottom = -(-self.right * width // 1000), -(-self.bottom * height // 1000)
        return left, top, max(right, left + 1), max(bottom, top + 1)


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing that is asked about: an item of the catalogue or a picture of the visitor's.
    ``id`` is the item's, or the picture's name in the session."""

    kind: str
    id: str


@dataclass(frozen=True, slots=True)
class Query:
    """A question. ``subjects`` are asked about as one, or with ``apart`` each for itself; ``less``
    are ids of items that the answer should be unlike; ``crop`` is the part that counts where a
    single subject is asked about."""

    subjects: tuple[Subject, ...] = ()
    negatives: tuple[str, ...] = ()
    apart: bool = False
    crop: Box | None = None

    def __bool__(self) -> bool:
        return bool(self.subjects)

    def without(self, subject: Subject) -> Query:
        """The question without one of its subjects."""
        left = tuple(other for other in self.subjects if other != subject)
        return replace(self, subjects=left, crop=None, negatives=self.negatives if left else ())

    def less_like(self, item: str) -> Query:
        """The question with one more item that the answer should be unlike."""
        negatives = [*(other for other in self.negatives if other != item), item]
        return replace(self, negatives=tuple(negatives[-MOST_NEGATIVES:]))


def of_items(ids: Iterable[str]) -> Query:
    """The question for items of the catalogue."""
    return Query(tuple(Subject(ITEM, item) for item in dict.fromkeys(ids)))


@dataclass(slots=True)
class History:
    """The steps so far and the place among them; steps after it are those one came back from."""

    steps: list[Query] = field(default_factory=list)
    place: int = -1

    @property
    def query(self) -> Query:
        """The question of the moment; an empty one at the start."""
        return self.steps[self.place] if self.place >= 0 else Query()

    @property
    def trail(self) -> list[Query]:
        """The steps that led here, this one last."""
        return self.steps[: self.place + 1]

    def go(self, query: Query) -> None:
        """Take a step. One that was taken before, right before or right after this one (the
        browser's buttons) or else last, is gone back to; an empty one leads to the start."""
        if query == self.query:
            return
        if not query:
            self.place = -1
            return
        near = [p for p in (self.place - 1, self.place + 1) if 0 <= p < len(self.steps)]
        for place in (*near, *range(len(self.steps) - 1, -1, -1)):
            if self.steps[place] == query:
                self.place = place
                return
        self.advance(query)

    def advance(self, query: Query) -> None:
        """Take a new step from here; the ones that one came back from are forgotten."""
        if query == self.query:
            return
        self.steps = [*self.trail, query][-MOST_STEPS:]
        self.place = len(self.steps) - 1

    def back(self, place: int) -> None:
        """Go back to a place of the trail, or with -1 to the start."""
        self.place = max(-1, min(place, len(self.steps) - 1))
