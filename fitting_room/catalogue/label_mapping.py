"""Which labels of a catalogue answer a class of photographs, where the two have different words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: Column that a mapping's values are of where nobody named another.
MAPPING_COLUMN = "articleType"
MAX_MAPPING_BYTES = 2**20


class LabelMappingError(Exception):
    """A mapping, or another file of labels, that cannot be used; the text says what is wrong and
    what to do."""


@dataclass(frozen=True, slots=True)
class LabelMapping:
    """Which values of the catalogue's ``column`` answer a class, as read from ``location``."""

    location: Path
    column: str
    values: Mapping[str, frozenset[str]]


def read_mapping(path: Path, column: str = MAPPING_COLUMN) -> LabelMapping:
    """The values of ``column`` that answer each class, of a JSON file: an object of classes, each
    with a list of values. Raises :class:`LabelMappingError` when it is anything else."""
    try:
        mapping = read_lists(path, MAX_MAPPING_BYTES)
        for name, values in mapping.items():
            if not values:
                raise ValueError(f"the class {name!r:.60} has no list of values")
    except (OSError, ValueError, RecursionError) as error:
        raise LabelMappingError(
            f"{path}: the mapping cannot be read ({reason_of(error)}). Expected is JSON like "
            '{"t-shirt": ["Tshirts", "Tops"]}.'
        ) from error
    return LabelMapping(path, column, mapping)


def read_lists(path: Path, max_bytes: int) -> dict[str, frozenset[str]]:
    """What a JSON file of at most ``max_bytes`` says: an object of names, each with texts, which
    are empty where it has anything but a list of texts. Raises ``OSError``, ``ValueError`` and
    ``RecursionError``."""
    with path.open("rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ValueError(f"it is larger than {max_bytes / 2**20:.0f} MB")
    lists = json.loads(data)
    if not isinstance(lists, dict) or not lists:
        raise ValueError("it is no object of names with lists")
    return {
        name: frozenset(texts if isinstance(texts, list) and {*map(type, texts)} == {str} else ())
        for name, texts in lists.items()
    }


def reason_of(error: Exception) -> str:
    """Why a file could not be read, in a few words."""
    return getattr(error, "strerror", None) or str(error)[:200]
