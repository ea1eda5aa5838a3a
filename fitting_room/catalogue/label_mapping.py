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
    """A mapping that cannot be read; the text says what is wrong and what to do."""


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
        with path.open("rb") as file:
            data = file.read(MAX_MAPPING_BYTES + 1)
        if len(data) > MAX_MAPPING_BYTES:
            raise ValueError(f"it is larger than {MAX_MAPPING_BYTES / 2**20:.0f} MB")
        mapping = json.loads(data)
        if not isinstance(mapping, dict) or not mapping:
            raise ValueError("it is no object of classes")
        for name, values in mapping.items():
            if not values or not isinstance(values, list) or {*map(type, values)} != {str}:
                raise ValueError(f"the class {name!r:.60} has no list of values")
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or str(error)[:200]
        raise LabelMappingError(
            f"{path}: the mapping cannot be read ({reason}). Expected is JSON like "
            '{"t-shirt": ["Tshirts", "Tops"]}.'
        ) from error
    return LabelMapping(path, column, {n: frozenset(values) for n, values in mapping.items()})
