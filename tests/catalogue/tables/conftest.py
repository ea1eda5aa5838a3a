"""Tables from bytes, and what is true of every table."""

from __future__ import annotations

import io

import pandas as pd

from fitting_room.catalogue.schema import MAX_COLUMNS
from fitting_room.catalogue.tables import SourceTable, columns_of, read_table

Cells = list[dict[str, str | None]]


def read(data: str | bytes, name: str = "styles.csv") -> SourceTable:
    content = data if isinstance(data, bytes) else data.encode()
    table = read_table(lambda: io.BytesIO(content), name)
    check_invariants(table)
    return table


def header_of(data: str | bytes, name: str = "styles.csv") -> list[str]:
    content = data if isinstance(data, bytes) else data.encode()
    return columns_of(lambda: io.BytesIO(content), name)


def cells(table: SourceTable) -> Cells:
    """The rows as dictionaries, with ``None`` for what is missing."""
    return [
        {str(c): None if pd.isna(cell) else str(cell) for c, cell in row.items()}
        for row in table.cells.to_dict("records")
    ]


def counts(rows: dict[str, list[int]]) -> dict[str, int]:
    return {reason: len(numbers) for reason, numbers in rows.items()}


def check_invariants(table: SourceTable) -> None:
    """What is true of every table that is read, however bad its file."""
    frame = table.cells
    assert 0 < len(frame.columns) <= MAX_COLUMNS
    assert frame.columns.is_unique
    assert frame.index.equals(pd.RangeIndex(len(frame)))
    for name in frame.columns:
        assert isinstance(name, str)
        assert name == name.strip() != ""
        assert frame[name].dtype == "str"
        said = frame[name].dropna()
        said.str.encode("utf-8")  # nothing that cannot be written to a file
        assert not (said == "").any()
        assert (said.str.strip() == said).all()
    for rows in (table.repaired, table.unusable):
        for reason, numbers in rows.items():
            assert reason and numbers
            assert all(0 <= number < len(frame) for number in numbers)
    " ".join(table.notes).encode()
