"""Which items of a catalogue are meant, as a small tree that any place where items live can answer:
the rows of a local index (:mod:`fitting_room.index.local_items`) or a database's own language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

#: Values wanted by column: any of a column's values, all of the columns.
Where = Mapping[str, str | Sequence[str]]


class FilterError(ValueError):
    """A filter names a column that the catalogue does not have."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """Items that have any of these values in a column. Of a picture of an item it is said as of the
    item's others."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """Items whose name or id has these words beside each other, whatever their endings; with
    ``begun`` the last word may go on."""

    words: tuple[str, ...]
    begun: bool = False


@dataclass(frozen=True, slots=True)
class Rows:
    """Just the pictures in these rows."""

    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Marked:
    """The rows that a ``mask``, bool ``(N,)``, marks: of a local index alone, whose length it
    has."""

    mask: np.ndarray


@dataclass(frozen=True, slots=True)
class FirstPictures:
    """Of every item its first picture alone, so that items are counted and not pictures."""


@dataclass(frozen=True, slots=True)
class AllOf:
    """What all of these let through; of none everything."""

    filters: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """What any of these lets through; of none nothing."""

    filters: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Not:
    """What this does not let through, also where a column has no value."""

    filter: Filter


Filter = OneOf | Named | Rows | Marked | FirstPictures | AllOf | AnyOf | Not
#: Lets everything through.
EVERYTHING = AllOf()


def both(*filters: Filter | None) -> Filter:
    """What all of some filters let through; ``None`` is no filter."""
    kept = [one for one in filters if one is not None and one != EVERYTHING]
    return kept[0] if len(kept) == 1 else AllOf(tuple(kept))


def filter_of(where: Where | None, columns: Sequence[str]) -> Filter:
    """The values wanted by column as a filter. Raises :class:`FilterError` for a column that is
    none of ``columns``."""
    wanted: list[Filter] = []
    for column, values in (where or {}).items():
        if column not in columns:
            known = ", ".join(columns)
            raise FilterError(f"The catalogue has no column {column!r}. It has: {known}.")
        some = [values] if isinstance(values, str) else values
        wanted.append(OneOf(column, tuple(dict.fromkeys(map(str, some)))))
    return both(*wanted)
