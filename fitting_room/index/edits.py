"""What was changed by hand in an index since its catalogue was read, and what a build makes of it.

A build has the last word: it makes the index what the catalogue says, and says so.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from fitting_room.index.added import added_rows
from fitting_room.index.manifest import Edits, Manifest

#: The most ids of items that are gone that a manifest names; all are counted.
MAX_GONE_NAMED = 1_000


def edits_between(before: Manifest, old: pd.DataFrame, new: pd.DataFrame) -> Edits | None:
    """The edits of an index that had the items ``old`` and has ``new``, with those of ``before``;
    ``None`` where nothing is left of them all."""
    earlier = before.edits or Edits(0, 0, 0, [])
    of_catalogue = set(new["id"][~added_rows(new)])
    went = [item for item in dict.fromkeys(old["id"][~added_rows(old)]) if item not in of_catalogue]
    gone = [*earlier.gone, *went][:MAX_GONE_NAMED]
    added = set(new["id"][added_rows(new)])
    replaced = len(added.intersection(gone))
    removed = max(0, earlier.replaced + earlier.removed + len(went) - replaced)
    edits = Edits(len(added) - replaced, replaced, removed, gone)
    return edits if edits.added or edits.replaced or edits.removed else None


def edits_in_words(edits: Edits | None) -> str | None:
    """What was changed by hand, for people; ``None`` where nothing was."""
    if edits is None:
        return None
    counts = (edits.added, "added"), (edits.replaced, "replaced"), (edits.removed, "removed")
    parts = ", ".join(f"{count:,} {verb}" for count, verb in counts if count)
    return f"by hand since: {parts}" if parts else None


def undone(edits: Edits | None, old: pd.DataFrame, built: Iterable[str]) -> tuple[int, int]:
    """Of an index with ``edits`` and the items ``old``, how many items that were added are not
    among the ids that were ``built`` from the catalogue, and how many of the catalogue's that were
    replaced or removed are."""
    if edits is None:
        return 0, 0
    ids = set(built)
    added = set(old["id"][added_rows(old)])
    return len(added - ids), len(ids.intersection(edits.gone))


def undone_in_words(added: int, gone: int) -> str | None:
    """What a build undid of the changes by hand, for people; ``None`` where it was nothing."""
    parts = []
    if added:
        verb = (
            "item that was added by hand is" if added == 1 else "items that were added by hand are"
        )
        parts.append(f"{added:,} {verb} gone")
    if gone:
        verb = (
            "that was replaced or removed is" if gone == 1 else "that were replaced or removed are"
        )
        parts.append(f"{gone:,} {verb} as before")
    if not parts:
        return None
    return f"{', '.join(parts)}: a build makes the index what the catalogue says."
