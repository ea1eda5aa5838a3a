"""Matches to take away: as a csv, and as a contact sheet, one picture of query and matches."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from fitting_room.catalogue.schema import name_column
from fitting_room.search.searcher import Match

#: What a spreadsheet takes for the beginning of a formula (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
#: What separates cells in one country or another. The parts between keep their separators apart.
_SEPARATOR = re.compile("([,;|\t\r\n])")
_SIGNED_NUMBER = re.compile(r"[+-](\d+\.?\d*|\.\d+)", re.ASCII)
#: Names that Windows keeps for devices, whatever their ending (Microsoft, "Naming Files").
_DEVICE = re.compile("con|prn|aux|nul|(com|lpt)[0-9¹²³]")

#: Matches on a sheet at most, and in a row.
MOST_ON_SHEET, IN_A_ROW = 60, 6
#: In pixels: a picture's place, the space around everything, the lines below a picture.
PICTURE, SPACE, LINE = (180, 240), 24, 20
NAME_LINES = 2
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_GROUND, _INK, _QUIET, _RULE = "#fbf9f6", "#221d1a", "#6a605a", "#ddd5ca"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a sheet shows of an item: its picture, where it can be read, and what is written below:
    its name, and a quieter line."""

    image: Image.Image | None
    name: str
    detail: str = ""


def safe_cell(value: object) -> str:
    """A cell's text. Where a spreadsheet would take it for a formula, or what follows a separator
    in it (a comma separates cells in one country, a semicolon in another), an apostrophe makes
    plain text of it; numbers stay numbers."""
    text = str(value)
    if _SIGNED_NUMBER.fullmatch(text):
        return text
    first, *rest = _SEPARATOR.split(text)
    # Of the others every second one is a separator.
    parts = [part if place % 2 == 0 else _safe_part(part) for place, part in enumerate(rest)]
    return "'" * text.startswith(_FORMULA) + first + "".join(parts)


def _safe_part(text: str) -> str:
    is_number = _SIGNED_NUMBER.fullmatch(text.strip())
    return "'" + text if text.lstrip(' "').startswith(_FORMULA) and not is_number else text


def safe_csv(rows: Iterable[Sequence[object]]) -> str:
    """Rows as a csv whose cells spreadsheets take for plain text and numbers."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows([safe_cell(cell) for cell in row] for row in rows)
    return out.getvalue()


def matches_csv(matches: Sequence[Match], columns: Sequence[str]) -> str:
    """Ranked matches as a csv: rank, id, name, similarity, expected precision (empty where not
    measured), the ids of near-duplicates, those of them that show the same picture, then the
    catalogue's ``columns``, that of its names aside."""
    columns = [column for column in columns if column not in ("id", name_column(columns))]
    rows: list[tuple[object, ...]] = [
        ("rank", "id", "name", "similarity", "expected_precision", "alike", "copies", *columns)
    ]
    for rank, match in enumerate(matches, 1):
        precision = match.expected_precision
        measured = "" if precision is None else f"{precision:.3f}"
        others, copies = " ".join(match.others), " ".join(match.copies)
        values = (match.attributes.get(column, "") for column in columns)
        similarity = f"{match.similarity:.4f}"
        rows.append((rank, match.id, match.name, similarity, measured, others, copies, *values))
    return safe_csv(rows)


def contact_sheet(queries: Sequence[Shown], matches: Sequence[Shown], title: str) -> Image.Image:
    """One RGB picture: the query (or several) on the left, the matches in their order in rows
    beside it, with their names. At most :data:`MOST_ON_SHEET` matches are shown."""
    matches = matches[:MOST_ON_SHEET]
    cell = (PICTURE[0] + SPACE, PICTURE[1] + LINE * (NAME_LINES + 1) + SPACE + 8)
    columns = max(1, min(IN_A_ROW, len(matches)))
    rows = max(-(-len(matches) // columns), len(queries), 1)
    left = cell[0] + SPACE if queries else 0
    top = 3 * SPACE
    size = (SPACE + left + columns * cell[0], top + rows * cell[1] + SPACE)
    sheet = Image.new("RGB", size, _GROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((SPACE, SPACE), _cut(draw, title, _font(22), size[0] - 2 * SPACE), _INK, _font(22))
    for place, shown in enumerate(queries):
        _put(sheet, draw, (SPACE, top + place * cell[1]), shown, "")
    if queries:
        x = SPACE + cell[0]
        draw.line((x, top, x, size[1] - SPACE), _RULE, 2)
    for place, shown in enumerate(matches):
        row, column = divmod(place, columns)
        x, y = SPACE + left + column * cell[0], top + row * cell[1]
        _put(sheet, draw, (x, y), shown, f"{place + 1}. ")
    return sheet


def as_png(image: Image.Image) -> bytes:
    """A picture as the bytes of a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")  # optimize takes three times as long for a hundredth of the size
    return buffer.getvalue()


def file_name(text: str, ending: str) -> str:
    """A file name that every system takes, made of words that anybody may have written."""
    plain = "".join(c if c.isalnum() else "-" for c in text.lower())
    words = "-".join(filter(None, plain.split("-")))[:60].strip("-")
    if _DEVICE.fullmatch(words):
        words += "-file"
    return f"{words or 'fitting-room'}.{ending}"


def _put(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, at: tuple[int, int], shown: Shown, number: str
) -> None:
    x, y = at
    width, height = PICTURE
    draw.rectangle((x, y, x + width, y + height), "white", _RULE)
    if shown.image is not None:
        image = shown.image.convert("RGB")
        scale = min((width - 2) / image.width, (height - 2) / image.height)
        fitted = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        image = image.resize(fitted, Image.Resampling.LANCZOS)
        sheet.paste(image, (x + 1 + (width - fitted[0]) // 2, y + 1 + (height - fitted[1]) // 2))
    else:
        draw.text((x + 12, y + height // 2 - 8), "No picture", _QUIET, _font(14))
    y += height + 8
    for line in _lines(draw, number + shown.name, _font(15), width, NAME_LINES):
        draw.text((x, y), line, _INK, _font(15))
        y += LINE
    draw.text((x, y), _cut(draw, shown.detail, _font(13), width), _QUIET, _font(13))


def _lines(draw: ImageDraw.ImageDraw, text: str, font: Font, width: int, count: int) -> list[str]:
    """A text in at most ``count`` lines of ``width`` pixels; what does not fit is cut off."""
    lines = [""]
    for word in text[:300].split():
        longer = f"{lines[-1]} {word}".strip()
        if not lines[-1] or len(lines) == count or draw.textlength(longer, font) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return [_cut(draw, line, font, width) for line in lines]


def _cut(draw: ImageDraw.ImageDraw, text: str, font: Font, width: int) -> str:
    text = " ".join(text[:300].split())
    if draw.textlength(text, font) <= width:
        return text
    while text and draw.textlength(text + "…", font) > width:
        text = text[:-1]
    return text.rstrip() + "…"


def _font(size: int) -> Font:
    """Pillow's own font, which is there on every machine; it has Latin letters only."""
    return ImageFont.load_default(size)
