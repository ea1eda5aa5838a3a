"""Filters in PostgreSQL's language, and texts as it keeps them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd
from psycopg import sql

from fitting_room.databases.terms import terms_of_words
from fitting_room.index.filters import (
    AllOf,
    AnyOf,
    Filter,
    FilterError,
    FirstPictures,
    Named,
    Not,
    OneOf,
    Rows,
)
from fitting_room.index.layout import OWN_COLUMNS

#: A part of a query, and its values.
Condition = tuple[sql.Composable, list[Any]]
#: So many values of a column are looked up in an index; more are compared with each row's.
FEW_VALUES = 32
EVERYTHING, NOTHING = sql.SQL("true"), sql.SQL("false")


def condition(where: Filter, columns: Mapping[str, str]) -> Condition:
    """What a filter is in SQL, never null. ``columns`` are the keys of the catalogue's columns in
    ``cells``. Raises :class:`FilterError` for a column that is none."""
    text, values = EVERYTHING, list[Any]()
    match where:
        case OneOf(column, wanted):
            return _one_of(column, list(map(stored_text, wanted)), columns)
        case Named(words, begun):
            terms = list(map(lexeme, terms_of_words(words)))
            query = " & ".join(terms) + (":*" if begun else "")
            return (sql.SQL("terms @@ %s::tsquery"), [query]) if terms else (NOTHING, [])
        case Rows(rows):
            text, values = sql.SQL('"row" = ANY(%s::bigint[])'), [list(rows)]
        case FirstPictures():
            text = sql.SQL('"row" = first')
        case Not(part):
            negated, values = condition(part, columns)
            return sql.SQL("NOT ({})").format(negated), values
        case AllOf(parts) if parts:
            return _joined(" AND ", [condition(part, columns) for part in parts])
        case AnyOf(parts):
            return _joined(" OR ", [(NOTHING, []), *(condition(part, columns) for part in parts)])
        case AllOf():
            pass
        case _:
            raise FilterError(f"A database cannot look for {type(where).__name__}.")
    return text, values


def cell(column: str, columns: Mapping[str, str]) -> Condition:
    """What a column says of a row, or null."""
    if column in OWN_COLUMNS:
        return sql.Identifier(column), []
    if column not in columns:
        raise FilterError(f"The catalogue has no column {column!r}.")
    return sql.SQL("cells ->> %s::text"), [columns[column]]


def _joined(by: Any, parts: list[Condition]) -> Condition:
    text = sql.SQL("({})").format(sql.SQL(by).join(text for text, _ in parts))
    return text, [value for _, values in parts for value in values]


def _one_of(column: str, values: list[str], columns: Mapping[str, str]) -> Condition:
    of_row, key = cell(column, columns)
    if key and len(values) <= FEW_VALUES:
        cells = [json.dumps({key[0]: value}) for value in values]
        return sql.SQL("cells @> ANY(%s::jsonb[])"), [cells]
    if column == "id":  # never null, and there is an index
        return sql.SQL("id = ANY(%s::text[])"), [values]
    return sql.SQL("({} = ANY(%s::text[])) IS TRUE").format(of_row), [*key, values]


def lexeme(term: str) -> str:
    """A term as it stands in a tsvector and a tsquery."""
    return "'" + stored_text(term).replace("\\", "\\\\").replace("'", "''") + "'"


def stored_text(text: str) -> str:
    """A text without NULs, which PostgreSQL cannot keep: two letters of nobody's stand for one."""
    return text.replace("\ue000", "\ue000\ue001").replace("\0", "\ue000\ue002")


def read_text(text: str | None) -> str | None:
    """What :func:`stored_text` was made of."""
    if not text or "\ue000" not in text:
        return text
    return text.replace("\ue000\ue002", "\0").replace("\ue000\ue001", "\ue000")


def stored_texts(cells: pd.Series[Any]) -> list[str | None]:
    """The cells of a column as they are kept."""
    missing = cells.isna().tolist()
    return [
        None if is_missing else stored_text(str(value))
        for value, is_missing in zip(cells.tolist(), missing, strict=True)
    ]
