"""JSON: an object a line, a list of objects, or an object that holds one, such as COCO's."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from fitting_room.catalogue.tables.encodings import find_encoding
from fitting_room.catalogue.tables.opening import OpenFile, opened
from fitting_room.catalogue.tables.records import MAX_LINE
from fitting_room.catalogue.tables.table import Rows, SourceTable, TableError
from fitting_room.catalogue.tables.values import RecordColumns, flattened, text_of

#: How many characters of JSON that is not written line by line are read: all of it is in memory at
#: once, as objects, which take several times the room.
MAX_DOCUMENT = 2**29
_NO_TABLE = "this JSON holds no list of objects, which would be the rows."
_BROKEN = "this JSON cannot be read ({}). Save it as JSON lines, an object a line, or as CSV."

Record = dict[str, Any]


def read_json(open_file: OpenFile) -> SourceTable:
    """A table of JSON. Raises :class:`TableError`."""
    encoding = find_encoding(open_file)
    with opened(open_file) as file:
        text = encoding.text_of(file)
        columns, unusable = RecordColumns(), defaultdict(list)
        for record in _records(text):
            if isinstance(record, str):
                unusable["no JSON object"].append(columns.rows)
                columns.add([(columns.first, text_of(record[:60]))])
            else:
                columns.add(flattened(record))
        cells, notes = columns.finish()
    if not len(cells.columns):
        raise TableError(_NO_TABLE)
    said = [encoding.note] if encoding.note else []
    return SourceTable(cells, {}, dict(unusable), (*said, *notes))


def json_columns(open_file: OpenFile) -> list[str]:
    """The names of the columns of the first row."""
    with opened(open_file) as file:
        text = find_encoding(open_file, head_only=True).text_of(file)
        first = next((record for record in _records(text) if isinstance(record, dict)), {})
        return list(dict.fromkeys(name.strip() for name, _ in flattened(first) if name.strip()))


def _records(text: TextIO) -> Iterator[Record | str]:
    """The rows: objects, and the text of lines that are none."""
    line = next((line for line in iter(lambda: text.readline(MAX_LINE), "") if line.strip()), "")
    value = _parse_line(line)
    if not isinstance(value, dict):
        yield from _of_document(_document(line, text))
        return
    following = text.readline(MAX_LINE)
    if not following.strip() and _list_in(value):
        yield from _of_document(value)
        return
    yield value
    for other in itertools.chain([following], iter(lambda: text.readline(MAX_LINE), "")):
        if other.strip():
            value = _parse_line(other)
            yield value if isinstance(value, dict) else other.strip()


def _parse(text: str) -> Any:
    # Numbers stay the text that they are.
    return json.loads(text, parse_int=str, parse_float=str, parse_constant=lambda _: None)


def _parse_line(line: str) -> Any:
    try:
        return _parse(line)
    except (ValueError, RecursionError):
        return None


def _document(start: str, text: TextIO) -> Any:
    document = start + text.read(MAX_DOCUMENT)
    if len(document) >= MAX_DOCUMENT:
        raise TableError("more than 512 MiB of JSON in one piece. Save it as JSON lines.")
    try:
        return _parse(document)
    except (ValueError, RecursionError) as error:
        raise TableError(_BROKEN.format(str(error)[:100] or "nested too deeply")) from error


def _of_document(value: Any) -> Iterator[Record | str]:
    if isinstance(value, dict):
        rows = _coco(value) if _is_coco(value) else _list_in(value)
        if rows is None:
            raise TableError(_NO_TABLE)
        yield from rows
        return
    if not isinstance(value, list) or not any(isinstance(row, dict) for row in value):
        raise TableError(_NO_TABLE)
    for row in value:
        yield row if isinstance(row, dict) else str(row)[:60]


def _list_in(value: Record) -> list[Record] | None:
    """The only list of objects in an object, or that of COCO's pictures."""
    lists = [
        rows
        for rows in value.values()
        if isinstance(rows, list) and len(rows) > 0 and all(isinstance(row, dict) for row in rows)
    ]
    if _is_coco(value):
        return _objects(value["images"])
    return lists[0] if len(lists) == 1 and "value" not in lists[0][0] else None


def _is_coco(value: Record) -> bool:
    images = _objects(value.get("images"))
    return bool(images) and all("file_name" in image for image in images)


def _objects(value: Any) -> list[Record]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _coco(value: Record) -> Iterator[Record]:
    """COCO's pictures, each with the names of its annotations' categories and attributes."""
    categories = _names(value.get("categories"))
    attributes = _names(value.get("attributes"))
    of_picture: Rows = defaultdict(list)
    annotations = _objects(value.get("annotations"))
    for number, annotation in enumerate(annotations):
        of_picture[str(annotation.get("image_id"))].append(number)
    for image in _objects(value["images"]):
        own = [annotations[number] for number in of_picture[str(image.get("id"))]]
        extra = {
            "categories": _named(categories, (each.get("category_id") for each in own)),
            "attributes": _named(attributes, _attribute_ids(own)),
        }
        yield {**image, **{name: text for name, text in extra.items() if text}}


def _names(value: Any) -> dict[str, str]:
    return {str(each.get("id")): str(each.get("name", "")) for each in _objects(value)}


def _attribute_ids(annotations: list[Record]) -> Iterator[Any]:
    for annotation in annotations:
        ids = annotation.get("attribute_ids")
        yield from ids if isinstance(ids, list) else ()


def _named(names: dict[str, str], keys: Iterable[Any]) -> str:
    return ", ".join(dict.fromkeys(filter(None, (names.get(str(key), "") for key in keys))))
