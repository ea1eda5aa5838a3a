"""What a build did, for whoever asked for it."""

from __future__ import annotations

from dataclasses import dataclass

from fitting_room.index.head import NO_HEAD


@dataclass(frozen=True, slots=True)
class BuildSummary:
    """What a build did: the index has so many ``items``, with so many ``pictures``. ``failures``
    names the first of the ``failed`` pictures by the ids of their items, and why;
    ``reused`` embeddings came from an earlier build; the ``head`` that was trained on an earlier
    one is ``"kept"``, ``"dropped"``, since it does not fit the new embeddings or another was named,
    or there was ``"none"``. ``uses_head`` names the head in use. Of changes by hand it undid
    ``added_gone`` items that were added and are gone, and ``gone_back`` that were replaced or
    removed and are back. ``damaged`` names the files of the index before that were damaged, of
    which nothing was used."""

    items: int
    pictures: int
    dropped: int
    repaired: int
    failed: int
    backbone: str
    dimension: int
    seconds: float
    images_per_second: float
    reused: int
    head: str = "none"
    uses_head: str = NO_HEAD
    added_gone: int = 0
    gone_back: int = 0
    failures: tuple[tuple[str, str], ...] = ()
    damaged: tuple[str, ...] = ()

    @property
    def damage_in_words(self) -> str | None:
        """What was repaired, for people; ``None`` where nothing was damaged."""
        if not self.damaged:
            return None
        found = f"The index was damaged ({', '.join(self.damaged)})"
        if not self.reused:
            return f"{found} and was built anew."
        return f"{found} and was repaired: {self.reused:,} embeddings were sound and are reused."
