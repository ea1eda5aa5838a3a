"""A match: an item of the catalogue with all that a search says of it."""

from __future__ import annotations

from dataclasses import dataclass

from fitting_room.catalogue.schema import name_columns
from fitting_room.util.aliases import old_attribute

#: Other pictures of an item that a match names at most.
MOST_PICTURES = 20


@dataclass(frozen=True, slots=True)
class Match:
    """An item of the catalogue, the ``row`` of its best picture in the index, and the similarity of
    that to the query, -1 to 1.

    ``path`` is the picture's place on disk, ``image`` its name within the catalogue, or among the
    pictures that were added to the index by hand; ``pictures`` are the names of the item's other
    pictures (:data:`MOST_PICTURES` at most), ``attributes`` the catalogue's columns that have a
    value for the item, in their order.
    ``expected_precision`` is how often items of this similarity were of the query's kind, 0 to 1,
    as measured on the catalogue itself (:mod:`fitting_room.index.calibration`), or ``None`` where
    it was not measured. ``others`` are the ids of the near-duplicates folded into this item, and
    ``copies`` those of them that show the very same picture; the rest are look-alikes.
    ``same_picture`` says that the picture is the query's own.
    """

    id: str
    row: int
    similarity: float
    path: str
    image: str
    attributes: dict[str, str]
    expected_precision: float | None = None
    others: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()
    same_picture: bool = False
    copies: tuple[str, ...] = ()

    worth = old_attribute("worth", "expected_precision")

    @property
    def name(self) -> str:
        """The item's name for people, or its id where the catalogue has no names."""
        return next((self.attributes[c] for c in name_columns(self.attributes)), self.id)

    @property
    def others_in_words(self) -> str:
        """What was folded into the item: "2 of the same picture, 3 look-alikes", or nothing."""
        copies = len(self.copies)
        alike = len(self.others) - copies
        words = [f"{copies:,} of the same picture"] if copies else []
        if alike:
            words.append(f"{alike:,} look-alike{'' if alike == 1 else 's'}")
        return ", ".join(words)
