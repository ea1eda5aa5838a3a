"""How a delimited text is written: its delimiter, how it quotes, and where its header is."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, replace

from fitting_room.catalogue.schema import NAME_COLUMNS, as_windows_1252
from fitting_room.catalogue.tables.records import Format, careful_records, lines_of
from fitting_room.catalogue.tables.table import TableError, is_id_name

#: How many characters of a file, and rows of these, tell how it is written.
HEAD_CHARACTERS = 2**20
SAMPLE_ROWS = 200
MAX_TITLE_LINES = 30
DELIMITERS = ",;\t|"
_HINT = re.compile(r'"?sep=([^\w\s"]|\t)"?[ \t,;]*(\r\n|\n|\r)', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file is written. ``header`` has a cell for each column, ``lines`` is how many lines
    come before the first row, ``fit`` is which share of the rows of the sample, 0 to 1, has the
    header's width; ``rows`` is how many rows there are in the sample, ``titles`` how many come
    before the header."""

    form: Format
    header: list[str]
    lines: int
    fit: float
    rows: int
    titles: int
    notes: list[str]

    @property
    def quality(self) -> float:
        """How likely this is how the file is written, to compare with others."""
        trust = 0.9 if self.titles else 1.0  # lines before the header are the exception
        return trust * (self.fit + 0.01) * (1 - 1 / len(self.header))


def find_dialect(head: str, is_whole: bool) -> Dialect:
    """How a file is written that begins with ``head``; ``is_whole`` says that nothing follows.

    Raises :class:`TableError` when there is no header.
    """
    hint = _HINT.match(head)
    if hint:
        head = head[hint.end() :]
    delimiters = hint[1] if hint else DELIMITERS
    found = [_try(head, is_whole, form) for form in _formats(head, delimiters)]
    dialects = [dialect for dialect in found if dialect is not None]
    if not dialects:
        raise TableError("the file is empty. The first line must name the columns.")
    best = max(dialects, key=lambda dialect: dialect.quality)  # of equal ones the first
    return replace(best, lines=best.lines + 1) if hint else best


def _formats(head: str, delimiters: str) -> list[Format]:
    formats = []
    for delimiter in delimiters:
        if delimiter not in head and delimiter != delimiters[0]:
            continue
        formats.append(Format(delimiter))
        if f'{delimiter} "' in head:
            formats.append(Format(delimiter, spaces=True))
        if '\\"' in head:
            formats.append(Format(delimiter, backslash=True))
    return formats


def _try(head: str, is_whole: bool, form: Format) -> Dialect | None:
    """How the file looks when it is written in this format."""
    rows: list[tuple[list[str], int]] = []  # cells, and the lines up to their end
    lines = lines_of(io.StringIO(head, newline=""))
    for cells, repair, done in careful_records(lines, form, lookahead=16 * HEAD_CHARACTERS):
        if repair and not is_whole and len(rows) > 1:
            break  # perhaps only because the sample ends here
        if any(cell.strip() for cell in cells):
            rows.append((form.cells(cells), done))
        if len(rows) > SAMPLE_ROWS:
            break
    if not rows:
        return None
    if not is_whole and len(rows) > 2:
        rows.pop()  # the sample may end inside it
    return _describe(rows, form)


def _describe(rows: list[tuple[list[str], int]], form: Format) -> Dialect:
    first = header_row([cells for cells, _ in rows])
    cells, lines = rows[first]
    width = max(len(_trimmed(row, 1)) for row, _ in rows[first:])
    cells = cells[: max(len(_trimmed(cells, 1)), min(width, len(cells)))]
    below = [_trimmed(row, len(cells)) for row, _ in rows[first + 1 :]]
    notes = []
    if first:
        titles = "; ".join(" ".join("".join(row).split())[:60] for row, _ in rows[:first])
        number = "line is a title" if first == 1 else f"{first} lines are a title"
        notes.append(f"the first {number} and not read: {as_windows_1252(titles)}")
    header = cells
    if _has_row_names(cells, below):
        header = ["", *cells]
        notes.append("the rows have one cell more than the header: the first is taken for its name")
    fitting: float = sum(len(row) == len(header) for row in below)
    if header[-1].strip().lower() in _NAMES:  # which may hold commas that nobody quoted
        fitting += sum(len(row) > len(header) for row in below) * 0.8
    fit = fitting / len(below) if below else 1.0
    return Dialect(form, header, lines, fit, len(below), first, notes)


_NAMES = frozenset(name.lower() for name in NAME_COLUMNS)


def _trimmed(row: list[str], width: int) -> list[str]:
    """A row without the empty cells that it has more than the header."""
    while len(row) > width and not row[-1].strip():
        row = row[:-1]
    return row


def _filled(row: list[str]) -> int:
    return sum(bool(cell.strip()) for cell in row)


def header_row(rows: list[list[str]]) -> int:
    """Which row is the header: the first, unless one soon after it has the width of those below
    and names an id or a name, or all before that have one cell each."""
    if any(map(_is_known, rows[0])):
        return 0
    for number, row in enumerate(rows[: MAX_TITLE_LINES + 1]):
        if _filled(row) < 2 or (_filled(rows[0]) > 1 and not any(map(_is_known, row))):
            continue
        below = rows[number + 1 :]
        alike = sum(len(other) == len(row) for other in below)
        is_wider = _filled(row) > _filled(rows[0])
        return number if alike and 2 * alike >= len(below) and is_wider else 0
    return 0


def _is_known(cell: str) -> bool:
    """Whether a cell is what columns of ids and names are called."""
    return cell.strip().lower() in _NAMES or is_id_name(cell.strip())


def _has_row_names(header: list[str], below: list[list[str]]) -> bool:
    """Whether each row has a name or number before its cells, as R writes them. A name column
    that stands last may hold a comma in each row; then the first cells must be row numbers."""
    if len(below) < 2 or any(len(row) != len(header) + 1 for row in below):
        return False
    if [row[0].strip() for row in below[:2]] in (["1", "2"], ["0", "1"]):
        return not any(row[-1].startswith(" ") for row in below)
    return not _is_known(header[-1]) and not _is_known(header[0])
