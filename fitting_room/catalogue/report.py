"""What became of a catalogue's rows, pictures and tables, counted and named."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from fitting_room.catalogue.schema import as_windows_1252

#: Of what is counted, so many are named, each by so many characters.
NAMED, LENGTH = 10, 60


@dataclass(frozen=True, slots=True)
class CatalogueReport:
    """What became of the rows and the pictures of a catalogue.

    ``rows`` came in, ``items`` are left, with ``pictures`` in all. ``read_as`` says how the
    catalogue was read, in sentences. ``repaired``, ``merged`` and ``dropped`` count rows by
    reason: repaired ones are kept, merged ones say more of an item that a row above has.
    ``empty`` counts the items without a value in a column (they are kept: a picture is all that a
    search needs). ``unlisted`` counts the pictures without a row, ``unread`` those of kinds that
    are not read, by the ending of their names, ``passed_over`` further files and
    ``tables_not_read`` tables, both by the reason. ``examples`` names a few of each, by reason,
    ending or :data:`UNLISTED`.
    """

    rows: int
    items: int
    pictures: int = 0
    read_as: list[str] = field(default_factory=list)
    repaired: dict[str, int] = field(default_factory=dict)
    merged: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)
    empty: dict[str, int] = field(default_factory=dict)
    unlisted: int = 0
    unread: dict[str, int] = field(default_factory=dict)
    passed_over: dict[str, int] = field(default_factory=dict)
    tables_not_read: dict[str, int] = field(default_factory=dict)

    def in_words(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        more = f" with {self.pictures:,} pictures" if self.pictures > self.items else ""
        yield f"{self.rows:,} rows read, {self.items:,} items kept{more}"
        yield from (f"  {sentence}" for sentence in self.read_as)
        for verb, counts in (
            ("repaired", self.repaired), ("merged", self.merged), ("dropped", self.dropped),
        ):  # fmt: skip
            for reason, count in counts.items():
                yield f"  {verb} {count:,}: {reason}{self._named(reason)}"
        if self.empty:
            cells = ", ".join(f"{column} {count:,}" for column, count in self.empty.items())
            yield f"  kept with an empty cell: {cells}"
        if self.unlisted:
            yield f"  {self.unlisted:,} pictures without a row were left out{self._named(UNLISTED)}"
        for ending, count in self.unread.items():
            named = self._named(ending)
            yield f"  {count:,} {ending} left out: such pictures are not read{named}"
        for reason, count in self.passed_over.items():
            yield f"  {count:,} left out: {reason}{self._named(reason)}"
        for reason, count in self.tables_not_read.items():
            yield f"  {count:,} table{'s' * (count != 1)} not read: {reason}{self._named(reason)}"

    def _named(self, what: str) -> str:
        examples = self.examples.get(what)
        return f" (e.g. {', '.join(examples)})" if examples else ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


#: The key of the pictures without a row among the examples.
UNLISTED = "pictures without a row"


def name_some(of: Mapping[str, Collection[str]]) -> dict[str, list[str]]:
    """The first few of each kind, cut to a length that a line has room for."""
    return {
        what: [
            " ".join(as_windows_1252(name[:LENGTH]).split())
            for name, _ in zip(names, range(NAMED), strict=False)
        ]
        for what, names in of.items()
        if names
    }
