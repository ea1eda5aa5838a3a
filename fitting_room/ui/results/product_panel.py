"""An item by itself, large and with all that the catalogue says of it; or what looks all but the
same as it.

The gallery's script opens the panel at once, with what the card has; what is said here comes after.
"""

from __future__ import annotations

from typing import Any

from fitting_room.search.searcher import Match, Searcher
from fitting_room.ui.query.session import Look
from fitting_room.ui.query.subjects import ResolvedQuery
from fitting_room.ui.results import card_actions, card_text
from fitting_room.ui.results.card_data import Card, alike, cards_of, similarity
from fitting_room.ui.shared import media, resources

#: Look-alikes that are shown at most.
MOST_ALIKE = 24


def data_of(
    searcher: Searcher, resolved: ResolvedQuery | None, look: Look
) -> dict[str, Any] | None:
    """What the gallery's panel shows; ``None`` where the item is not there any more."""
    match = card_actions.shown(searcher, resolved, look.item)
    if match is None or (look.alike and not match.others):
        return None
    return (
        _alike(searcher, resolved, match) if look.alike else _item(searcher, resolved, match, look)
    )


def _item(
    searcher: Searcher, resolved: ResolvedQuery | None, match: Match, look: Look
) -> dict[str, Any]:
    own = resolved is not None and match.id in resolved.items
    images = [match.image, *match.pictures]
    picture = look.picture if 0 <= look.picture < len(images) else 0
    large, thumbnails = resources.preview(images[picture]), resources.thumbnails(images)
    shop = card_text.shop_link(match.attributes)
    return {
        # Beside itself an item is neither more nor less like anything.
        "actions": card_actions.described(card_actions.offered(None if own else resolved)),
        "card": _card(searcher, None if own else resolved, match),
        "pictures": [
            None if thumbnail is None else media.address(thumbnail, f"panel-{place}")
            for place, thumbnail in enumerate(thumbnails)
        ],
        "shown": picture,
        "large": None if large is None else media.address(large, "panel-large"),
        "price": card_text.price(match.attributes),
        "shop": None if shop is None else {"href": shop.href, "host": shop.host},
        "details": card_text.all_attributes(match.attributes),
    }


def _alike(searcher: Searcher, resolved: ResolvedQuery | None, match: Match) -> dict[str, Any]:
    copies = set(match.copies)
    ordered = [*match.copies, *(item for item in match.others if item not in copies)]
    others = [other for item in ordered[:MOST_ALIKE] if (other := searcher.item(item))]
    words = [alike(is_copy=other.id in copies) for other in others]
    return {
        "card": _card(searcher, resolved, match),
        "cards": cards_of(others, "panel-alike", words, searcher.constant_columns),
        "more": len(match.others) - len(others),
    }


def _card(searcher: Searcher, resolved: ResolvedQuery | None, match: Match) -> Card:
    words = None
    if resolved is not None:
        likeness = searcher.likeness(
            resolved.features, [match.row], nothing_close=resolved.is_out_of_catalogue
        )
        words = [similarity(likeness[0])]
    return cards_of([match], "panel-card", words, searcher.constant_columns)[0]
