"""Which columns of a catalogue hold numbers to sort by (a price, a year, a rating), and which.

Cells were written by people: ``1,299.00``, ``1.299,00 EUR``, ``Rs. 499``, ``€ 12,-``. A column is
read as a whole, since one cell alone does not say whether the comma in ``1,299`` is for thousands
or for decimals: what the others are written with decides, and where none does, it is for thousands.
What stands beside the numbers, a currency or a unit, is the same in all cells or missing: a price
in another currency is no number of that column.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from fitting_room.index.index import FilterError

#: The least share of a column's cells, empty ones aside, that are numbers.
LEAST_NUMBERS = 0.9
#: Different values that are looked at before a column of words is given up, and the share of
#: numbers among them below which it is; letters of a cell that may be a number.
LOOKED_AT, HOPELESS, MOST_LETTERS = 1_000, 0.5, 40
#: Columns that number things instead of measuring them, by the last word of their names.
CODES = frozenset(
    {"id", "ids", "no", "nr", "number", "code", "sku", "ean", "gtin", "upc", "isbn", "asin", "mpn",
     "barcode", "key", "index", "hash", "handle", "phone", "zip", "plu"}
)  # fmt: skip
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
#: A number, with whatever parts it, and what stands before and after it. A dot before the first
#: digit is part of the number, unless it ends a word ("Rs.499").
_CELL = (
    r"(?P<before>[^0-9+\-]{0,8}?)"
    r"(?P<number>[+-]?(?:(?<![^\W\d_])\.)?[0-9][0-9.,' ]*(?:[eE][+-]?[0-9]{1,3}(?![0-9]))?)"
    r"(?P<after>[^0-9]{0,12})"
)
#: What parts thousands beside the dot and the comma, as one sign: blanks and apostrophes.
_PARTED = "[\u00a0\u2009\u202f'\u2019]"
#: No part of a unit: what is written instead of no cents ("12,-") or between it and the number.
_NO_UNIT = r"[\s.,/'’()\-–—]+"
#: A number whose decimal sign is a dot and whose thousands, or lakhs, are parted by commas.
_SHAPE = r"[+-]?(?:[0-9]+|[0-9]{1,3}(?:[, ][0-9]{2,3})*[, ][0-9]{3})?(?:\.[0-9]*)?(?:[eE].+)?"
#: A number that shows that its decimal sign is a dot: there are other digits than three behind the
#: last one, a zero alone before it, or a comma; or there are several commas, which part thousands.
_SHOWS_DOT = r"[^.,]*\.(?:[0-9]{0,2}|[0-9]{4,})|[+-]?0?\.[0-9]*|.*,.*\.[0-9]*|[^.]*,[^.]*,[^.]*"
_COMMAS = str.maketrans(".,", ",.")


class SortError(FilterError):
    """A column cannot be sorted by: it holds no numbers."""

    def __init__(self, column: str, numeric: Iterable[str]) -> None:
        known = ", ".join(numeric)
        others = f"These do: {known}." if known else "No column of this catalogue does."
        super().__init__(f"The column {column!r} holds no numbers to sort by. {others}")


def order_of(text: str | None) -> tuple[str | None, bool]:
    """The column of an order in one word, and whether the largest come first: ``-price``."""
    return (text[1:], True) if text is not None and text[:1] == "-" else (text, False)


def numeric_columns(items: pd.DataFrame, columns: Sequence[str]) -> Mapping[str, np.ndarray]:
    """Those of some columns of a table of items that hold numbers, in their order, each with the
    numbers, float64 ``(len(items),)``, NaN where a cell has none. Columns of codes, by their names
    (:data:`CODES`), and of one number alone are none to sort by."""
    found = {c: as_numbers(items[c]) for c in columns if not is_code(c)}
    return {column: numbers for column, numbers in found.items() if numbers is not None}


def is_code(column: str) -> bool:
    """Whether a column's name says that it numbers things instead of measuring them."""
    words = _WORD.findall(column)
    return bool(words) and words[-1].casefold() in CODES


def as_numbers(cells: pd.Series) -> np.ndarray | None:
    """The numbers of a column's cells, float64 ``(len(cells),)``, NaN where there is none; or
    ``None`` where fewer than :data:`LEAST_NUMBERS` of those that are not empty are numbers, or all
    are the same one."""
    codes, values = pd.factorize(cells)
    texts = pd.Series(list(map(str, values)), dtype=object)
    if np.isfinite(_read(texts[:LOOKED_AT])).sum() < HOPELESS * min(len(texts), LOOKED_AT):
        return None
    counts = np.bincount(codes[codes >= 0], minlength=len(texts))
    numbers = _read(texts, counts)
    there = np.isfinite(numbers)
    if counts[there].sum() < LEAST_NUMBERS * counts.sum() or len(np.unique(numbers[there])) < 2:
        return None
    return np.append(numbers, np.nan)[codes]  # the last one is for -1


def _read(texts: pd.Series, counts: np.ndarray | None = None) -> np.ndarray:
    """The numbers of different texts, float64, NaN where there is none; ``counts`` says how often
    each of them occurs."""
    short = texts.str.strip().where(texts.str.len() <= MOST_LETTERS, "")
    parts = short.str.replace(_PARTED, " ", regex=True).str.extract(f"^{_CELL}$")
    numbers = parts["number"].str.strip(" ,'").str.replace(r"\.$", "", regex=True)
    if _has_decimal_commas(numbers):
        numbers = numbers.str.translate(_COMMAS)
    numbers = numbers.where(numbers.str.fullmatch(_SHAPE).fillna(False).astype(bool))
    unit = (parts["before"] + parts["after"]).str.replace(_NO_UNIT, "", regex=True).str.casefold()
    weights = pd.Series(1 if counts is None else counts, unit.index)
    named = weights[unit.notna() & (unit != "") & numbers.notna()].groupby(unit).sum()
    if len(named):
        numbers = numbers.where((unit == "") | (unit == named.idxmax()))
    read = pd.to_numeric(numbers.str.replace("[, ]", "", regex=True), errors="coerce")
    values = read.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def _has_decimal_commas(numbers: pd.Series) -> bool:
    """Whether more numbers show that their decimal sign is a comma than that it is a dot."""
    dots = numbers.str.fullmatch(_SHOWS_DOT).fillna(False)
    commas = numbers.str.translate(_COMMAS).str.fullmatch(_SHOWS_DOT).fillna(False)
    return bool(commas.sum() > dots.sum())
