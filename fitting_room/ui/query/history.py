"""What a visitor asks, and the queries that led there: plain values without Streamlit.

A :class:`Query` is all that a view's subject consists of; whatever a page shows is computed from
one, so that a link, the browser's back button and the trail bring back the same view.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

#: Bounds on what one visitor may keep and what a link may ask for: queries in a history, subjects
#: and negatives of a query.
MAX_QUERIES, MAX_SUBJECTS, MAX_NEGATIVES = 24, 8, 12
#: Letters of the words of a query.
MAX_LETTERS = 100
#: A crop is given in thousandths of the picture's width and height; a side has at least this many.
MIN_SIDE = 50

ITEM, PICTURE = "item", "picture"


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a picture: its edges in thousandths of the picture's width and height. Raises
    ``ValueError`` where they are no part of a picture."""

    left: int
    top: int
    right: int
    bottom: int

    def __post_init__(self) -> None:
        inside = 0 <= self.left < self.right <= 1000 and 0 <= self.top < self.bottom <= 1000
        if not inside or min(self.right - self.left, self.bottom - self.top) < MIN_SIDE:
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
    """An item of the catalogue or a picture of the visitor's. ``id`` is the item's, or the
    picture's name in the session."""

    kind: str
    id: str


@dataclass(frozen=True, slots=True)
class Query:
    """What to search with. ``subjects`` are combined into one search, or with ``apart`` searched
    one by one; ``negatives`` are ids of items that results should be unlike; ``crop`` is the part
    of a single subject that is searched with; ``words`` are weighed against the subjects."""

    subjects: tuple[Subject, ...] = ()
    negatives: tuple[str, ...] = ()
    apart: bool = False
    crop: Box | None = None
    words: str = ""

    def __bool__(self) -> bool:
        return bool(self.subjects)

    def without(self, subject: Subject) -> Query:
        """The query without one of its subjects."""
        left = tuple(other for other in self.subjects if other != subject)
        negatives = self.negatives if left else ()
        words = self.words if left else ""
        return Query(left, negatives, apart=self.apart and len(left) > 1, words=words)

    def with_negative(self, item: str) -> Query:
        """The query with one more negative, the oldest dropped where there are too many."""
        negatives = [*(other for other in self.negatives if other != item), item]
        return replace(self, negatives=tuple(negatives[-MAX_NEGATIVES:]))


def query_of_items(ids: Iterable[str]) -> Query:
    """The query with items of the catalogue."""
    return Query(tuple(Subject(ITEM, item) for item in dict.fromkeys(ids)))


@dataclass(slots=True)
class History:
    """The queries so far and the position among them, -1 at the start; queries after it are those
    the visitor came back from."""

    queries: list[Query] = field(default_factory=list)
    position: int = -1

    @property
    def query(self) -> Query:
        """The current query; an empty one at the start."""
        return self.queries[self.position] if self.position >= 0 else Query()

    @property
    def trail(self) -> list[Query]:
        """The queries that led here, the current one last."""
        return self.queries[: self.position + 1]

    @property
    def start(self) -> int:
        """Where the current trail begins: the last query that shares no subject with what was
        asked before, when it is with pictures that came in; or 0."""
        for place in range(self.position, 0, -1):
            subjects, before = self.queries[place].subjects, self.queries[place - 1].subjects
            is_new = all(subject.kind == PICTURE for subject in subjects)
            if is_new and not set(subjects) & set(before):
                return place
        return 0

    def go(self, query: Query) -> None:
        """Go to a query by an address. One that is known, right before or right after this one
        (the browser's buttons) or else last, is gone back to; an empty one leads to the start."""
        if query == self.query:
            return
        if not query:
            self.position = -1
            return
        if self.query and query == replace(self.query, words=query.words):
            self.reword(query.words)
            return
        beside = [p for p in (self.position - 1, self.position + 1) if 0 <= p < len(self.queries)]
        for position in (*beside, *range(len(self.queries) - 1, -1, -1)):
            if self.queries[position] == query:
                self.position = position
                return
        self.advance(query)

    def advance(self, query: Query) -> None:
        """Go on to a new query; those that the visitor came back from are forgotten."""
        if query != self.query:
            self.queries = [*self.trail, query][-MAX_QUERIES:]
            self.position = len(self.queries) - 1

    def reword(self, words: str) -> None:
        """Change the words of the current query. That is no step of the trail: a search finds while
        one types."""
        if self.query:
            self.queries[self.position] = replace(self.query, words=words[:MAX_LETTERS])

    def back(self, position: int) -> None:
        """Go back to a position of the trail, or with -1 to the start."""
        self.position = max(-1, min(position, len(self.queries) - 1))
