"""What the page shows of items: a card for each, as plain values."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from urllib.parse import urlencode

from fitting_room.index.calibration import LOOKS_THE_SAME, SAME_PICTURE
from fitting_room.search.likeness import MOST_OF_OTHER_KIND, MOST_OF_OTHER_SHAPE, Likeness
from fitting_room.search.searcher import Match
from fitting_room.ui.query import address
from fitting_room.ui.query.history import query_of_items
from fitting_room.ui.results import card_text
from fitting_room.ui.shared import media, resources
from fitting_room.ui.shared.text import percent

#: Other pictures of its item that a card can show, one of the first cards and a later one: each is
#: reduced before the page is drawn.
PICTURES_ON_CARD, FIRST_CARDS, PICTURES_LATER = 6, 12, 2
#: Likeness from which on a match is so good that there is nothing to add.
VERY = 0.7

Card = dict[str, Any]


def cards_of(
    matches: Sequence[Match],
    place: str,
    similarities: Sequence[dict[str, Any]] | None = None,
    constant: Collection[str] = (),
) -> list[Card]:
    """What the page shows of matches; ``place`` is a name of the gallery's own on the page, and
    ``constant`` names the columns that say the same of all items."""
    named = [
        (match.image, *match.pictures[: PICTURES_ON_CARD if i < FIRST_CARDS else PICTURES_LATER])
        for i, match in enumerate(matches)
    ]
    thumbnails = iter(resources.thumbnails([image for images in named for image in images]))
    return [
        _card(
            match,
            f"{place}-{i}",
            [next(thumbnails) for _ in named[i]],
            " · ".join(card_text.attributes(match.attributes, constant)),
            similarities[i] if similarities else None,
        )
        for i, match in enumerate(matches)
    ]


def _card(
    match: Match,
    place: str,
    thumbnails: Sequence[bytes | None],
    text: str,
    similarity: dict[str, Any] | None,
) -> Card:
    """``thumbnails`` are of the item's best picture and of others; one that cannot be read is
    ``None``."""
    best, *others = (
        None if thumbnail is None else media.address(thumbnail, f"card-{place}-{number}")
        for number, thumbnail in enumerate(thumbnails)
    )
    return {
        "id": match.id,
        "name": match.name,
        "src": best,
        "pictures": [source for source in others if source is not None],
        "href": link_to(match.id),
        "text": text,
        "others": _others(match),
        "similarity": similarity,
    }


def link_to(item: str) -> str:
    """The address, from the page's own, of an item by itself, before what looks like it."""
    params = {**address.params_of(query_of_items([item])), address.LOOK: [item]}
    return "./?" + urlencode(params, doseq=True)


def _others(match: Match) -> dict[str, str] | None:
    """What was folded into an item: the very picture told from what looks alike."""
    copies, alike = len(match.copies), len(match.others) - len(match.copies)
    parts = [f"+{copies:,} {'copy' if copies == 1 else 'copies'}"] if copies else []
    parts += [f"+{alike:,} alike"] if alike else []
    return {"text": ", ".join(parts), "title": match.others_in_words} if parts else None


def alike(*, is_copy: bool) -> dict[str, Any]:
    """What was folded into an item, for its own card beside that."""
    text, title = LOOKS_THE_SAME, "Another picture that looks all but the same"
    if is_copy:
        text = SAME_PICTURE
        title = "The same file, or the same picture in another size or compression"
    return {"amount": 1.0, "text": text, "title": title}


def similarity(likeness: Likeness, *, by_colour: bool = False) -> dict[str, Any]:
    """How alike an item is, for its card: a word of the one scale, and why it can be said. Where
    matches are ranked ``by_colour``, a card also says that the colours are the same."""
    text = likeness.text
    if by_colour and likeness.same_colours and likeness.amount < VERY:
        text += ", same colours"
    if likeness.measured:
        title = f"Of items this similar, {percent(likeness.amount)} were of the same kind"
    elif likeness.amount == 1:
        title = "Hardly to be told from what you search with"
    elif likeness.amount in (MOST_OF_OTHER_KIND, MOST_OF_OTHER_SHAPE):
        title = "It seems to be another kind of thing"
    else:
        title = "Beside how alike the items of this catalogue are to each other"
    return {"amount": likeness.amount, "text": text, "title": title}
