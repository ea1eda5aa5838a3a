"""Any one table file -> its rows as text, :class:`SourceTable`."""

from fitting_room.catalogue.tables.forms import what_it_is
from fitting_room.catalogue.tables.reading import (
    TABLE_SUFFIXES,
    columns_of,
    is_table_name,
    read_table,
)
from fitting_room.catalogue.tables.table import Rows, SourceTable, TableError

__all__ = [
    "TABLE_SUFFIXES",
    "Rows",
    "SourceTable",
    "TableError",
    "columns_of",
    "is_table_name",
    "read_table",
    "what_it_is",
]
