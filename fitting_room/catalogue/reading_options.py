"""What a user says about how a catalogue is to be read, where it is not found out."""

from __future__ import annotations

from dataclasses import dataclass

#: A name of a table that stands for none.
NO_TABLE = "none"


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """``table`` is the file name of the table that counts, or :data:`NO_TABLE`; ``id_column``
    names its column of ids, ``image_column`` the one that says which picture belongs to a row,
    ``name_column`` that of the items' names. What is ``None`` is found out."""

    table: str | None = None
    id_column: str | None = None
    image_column: str | None = None
    name_column: str | None = None


DEFAULT_READING = ReadingOptions()
