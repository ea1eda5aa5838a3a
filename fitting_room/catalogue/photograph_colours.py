"""Which colours of a catalogue are acceptable for each photograph: nobody sells a photograph, so no
table says what colour it has, and in its light there is often more than one right word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from fitting_room.catalogue.label_mapping import LabelMappingError, read_lists, reason_of
from fitting_room.catalogue.stores import ImageStore, is_container_name, is_picture_name

#: Column that the words are of where nobody named another.
COLOUR_COLUMN = "baseColour"
MAX_COLOURS_BYTES = 4 * 2**20
#: Words of a photograph: where more are right, none is wrong.
MOST_WORDS = 6
#: Parts of a photograph's name; every ending of a name is kept in memory.
MOST_PARTS = 16


@dataclass(frozen=True, slots=True)
class PhotographColours:
    """Which values of the catalogue's ``column`` are acceptable for each photograph, by its name,
    folders included, as read from ``location``."""

    location: Path
    column: str
    words: Mapping[str, frozenset[str]]

    def of(self, store: ImageStore, names: Sequence[str]) -> list[frozenset[str]]:
        """The words of each picture of ``store``, empty where nothing is said of it.

        Photographs are copied about, and people name the folder above them or the one above that.
        So it is the name here that shares most folders, from its end, with the picture's place: the
        whole of it, or at least as many as the picture has below ``store``. Raises
        :class:`LabelMappingError` where two that share as many have different words."""
        endings: dict[str, frozenset[str] | None] = {}
        for name, words in self.words.items():
            for ending in _endings(name):
                # None: what names with this ending say is not the same.
                endings[ending] = words if endings.get(ending, words) == words else None
        return [self._words(store, name, endings) for name in names]

    def _words(
        self, store: ImageStore, name: str, endings: Mapping[str, frozenset[str] | None]
    ) -> frozenset[str]:
        name = _below_archives(name)
        place = "/".join([*PurePath(store.location).parts[-MOST_PARTS:], name])
        for ending in _endings(place):
            if ending in self.words:
                return self.words[ending]
            # Less than the picture's name says too little: many folders have a 1.jpg.
            if len(ending) >= len(name) and ending in endings:
                if (words := endings[ending]) is not None:
                    return words
                raise LabelMappingError(
                    f"{self.location}: the picture {name!r:.100} may be one of several photographs "
                    "with different colours. Give its folders the names that they have there."
                )
        return frozenset()


def _below_archives(name: str) -> str:
    """A picture's name in the innermost archive that it lies in."""
    parts = name.split("/")
    archives = [place for place, part in enumerate(parts[:-1], 1) if is_container_name(part)]
    return "/".join(parts[max(archives, default=0) :])


def _endings(name: str) -> Iterator[str]:
    """A path and what is left of it without its first folder, its first two ..., longest first."""
    parts = name.split("/")
    return ("/".join(parts[start:]) for start in range(len(parts)))


def read_photograph_colours(path: Path, column: str = COLOUR_COLUMN) -> PhotographColours:
    """The values of ``column`` that are acceptable for each photograph, of a JSON file: an object
    of pictures' names, each with a list of one to six values. Raises :class:`LabelMappingError`
    when it is anything else."""
    try:
        colours = read_lists(path, MAX_COLOURS_BYTES)
        for name, words in colours.items():
            if not is_picture_name(name) or name.count("/") >= MOST_PARTS:
                raise ValueError(f"{name!r:.100} is no picture's name")
            if not 1 <= len(words) <= MOST_WORDS:
                raise ValueError(f"{name!r:.100} has no list of one to {MOST_WORDS} words")
    except (OSError, ValueError, RecursionError) as error:
        raise LabelMappingError(
            f"{path}: the colours of photographs cannot be read ({reason_of(error)}). Expected is "
            'JSON like {"dress/1.jpg": ["Navy Blue", "Blue"]}.'
        ) from error
    return PhotographColours(path, column, colours)
