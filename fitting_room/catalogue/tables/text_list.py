"""Lists as the DeepFashion data has them: a count, the names of the columns, and rows of cells
between blanks."""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import islice

from fitting_room.catalogue.schema import as_windows_1252
from fitting_room.catalogue.tables.encodings import find_encoding
from fitting_room.catalogue.tables.opening import OpenFile, opened
from fitting_room.catalogue.tables.records import lines_of
from fitting_room.catalogue.tables.table import (
    Columns,
    Rows,
    SourceTable,
    TableError,
    check_header,
    in_blocks,
)

_COUNT = re.compile(r"\s*[0-9]{1,9}\s*")
_WIDE_GAP = re.compile(r"\t+|\s{2,}")


def is_text_list(head: str) -> bool:
    """Whether a text that begins like this may be such a list: its first line is a whole number
    and the second one names columns without any delimiter."""
    lines = head.split("\n", 2)
    return len(lines) > 2 and bool(_COUNT.fullmatch(lines[0])) and not set(lines[1]) & set(",;|")


def read_text_list(open_file: OpenFile) -> SourceTable | None:
    """The table, ``None`` where it turns out not to be such a list: in the end the rows are not as
    many as the first line says."""
    unusable: Rows = defaultdict(list)
    encoding = find_encoding(open_file)
    with opened(open_file) as file:
        lines = map(as_windows_1252, lines_of(encoding.text_of(file)))
        first, header = next(lines, ""), next(lines, "").split()
        if not _COUNT.fullmatch(first) or not header:  # read by its encoding it is something else
            return None
        count = int(first)
        columns = Columns(check_header(header))
        while some := list(islice(lines, in_blocks(len(header)))):
            rows: list[list[str]] = []
            for line in some:
                if not (cells := line.split()):
                    continue
                if len(cells) != len(header):
                    cells = _WIDE_GAP.split(line.strip())
                if len(cells) != len(header):
                    problem = "too few columns" if len(cells) < len(header) else "too many columns"
                    unusable[problem].append(columns.rows + len(rows))
                    cells = [*cells, *cells[:1] * len(header)][: len(header)]
                rows.append(cells)
            columns.add(rows)
            if columns.rows > count:
                return None
    if columns.rows != count:
        return None
    cells_of_all, notes = columns.finish()
    return SourceTable(cells_of_all, {}, dict(unusable), tuple(notes))


def text_list_columns(open_file: OpenFile) -> list[str]:
    """The names of the columns, from the second line."""
    with opened(open_file) as file:
        lines = file.read(2**16).decode("utf-8", "replace").split("\n", 2)
    if len(lines) < 3:
        raise TableError("this text is no table.")
    return check_header(lines[1].split())
