"""Small rows to be written to a database, and what is expected of them, computed in plain numpy."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from fitting_room.databases.database import NewRows
from fitting_room.databases.terms import terms_of_name, terms_of_words
from fitting_room.imaging.descriptors import DESCRIPTOR_LENGTH
from fitting_room.index.filters import AllOf, AnyOf, Filter, FirstPictures, Named, Not, OneOf, Rows
from fitting_room.index.item_store import Block
from fitting_room.index.layout import Layout
from fitting_room.index.vectors import FLOAT32

COLUMNS = ("gender", "kind", "colour", "name")
GENDERS = ("Women", "Men", None, "Women", "Girls")
KINDS = ("Shirts", "Jeans", "Dresses", "Shirts", None, "Laptop Bag", "Shirts")
COLOURS = ("Red", "Blue", "Navy Blue", None)


def layout_of(
    columns: Sequence[str] = COLUMNS,
    *,
    storage: str = FLOAT32,
    width: int = 16,
    dimension: int = 12,
    trained: int = 0,
    head_vectors: int = 0,
) -> Layout:
    return Layout(tuple(columns), width, dimension, storage, trained, head_vectors)


def unit_rows(count: int, width: int, seed: int = 0) -> np.ndarray:
    """Random directions, float32 ``(count, width)``."""
    values = np.random.default_rng(seed).normal(size=(count, width))
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def garments(count: int = 300) -> pd.DataFrame:
    """A table of so many pictures. Every tenth picture, but for the first, is one more of the item
    before it."""
    numbers = [at - (at % 10 == 0 and at > 0) for at in range(count)]
    rows = []
    for at, number in enumerate(numbers):
        colour, kind = COLOURS[number % 4], KINDS[number % 7]
        name = f"{colour or 'Plain'} running {(kind or 'thing').lower()} of cotton {number % 13}"
        rows.append(
            {
                "id": f"item-{number}", "image": f"pictures/{at}.jpg", "digest": f"{at:064x}",
                "gender": GENDERS[number % 5], "kind": kind, "colour": colour, "name": name,
            }
        )  # fmt: skip
    return pd.DataFrame(rows, dtype=object)


def new_rows(
    layout: Layout,
    table: pd.DataFrame,
    rows: Sequence[int] | None = None,
    *,
    seed: int = 0,
    codes: np.ndarray | None = None,
) -> NewRows:
    """The rows of a table, with random numbers of a ``layout``; those with the same id are pictures
    of one item. Names and ids are what is looked up."""
    numbers = np.arange(len(table)) if rows is None else np.asarray(rows, np.int64)
    firsts = pd.Series(numbers).groupby(table["id"].to_numpy()).transform("min").to_numpy(np.int64)
    n, random = len(table), np.random.default_rng(seed)

    def part(width: int, at: int) -> np.ndarray | None:
        return unit_rows(n, width, seed + at) if width else None

    block = Block(
        numbers.astype(np.int64), firsts, table.reset_index(drop=True),
        unit_rows(n, layout.dimension, seed + 1),
        random.integers(0, 256, (n, DESCRIPTOR_LENGTH), np.uint8),
        part(layout.trained, 2), part(layout.head_vectors, 3),
    )  # fmt: skip
    names = table["name"].tolist() if "name" in table else [""] * n
    terms = [terms_of_name(name or "", id_) for name, id_ in zip(names, table["id"], strict=True)]
    return NewRows(block, unit_rows(n, layout.width, seed) if codes is None else codes, terms)


def part_of(new: NewRows, places: Sequence[int] | np.ndarray) -> NewRows:
    """Some of these rows."""
    block, at = new.block, np.asarray(places, int)
    parts = (block.vectors, block.descriptors, block.trained, block.head_vectors)
    arrays = [None if values is None else values[at] for values in parts]
    table = block.table.iloc[at].reset_index(drop=True)
    part = Block(block.rows[at], block.firsts[at], table, *arrays)
    return NewRows(part, new.codes[at], [new.terms[place] for place in at])


def passes(where: Filter, new: NewRows) -> np.ndarray:  # noqa: PLR0911
    """Which rows a filter lets through, bool ``(n,)``."""
    block = new.block
    match where:
        case OneOf(column, values):
            return np.array([cell in values for cell in block.table[column]], bool)
        case Named(words, begun):
            return np.array([_named(terms_of_words(words), begun, terms) for terms in new.terms])
        case Rows(rows):
            return np.isin(block.rows, rows)
        case FirstPictures():
            return block.rows == block.firsts
        case AllOf(filters):
            return np.all([np.ones(len(block), bool), *(passes(f, new) for f in filters)], axis=0)
        case AnyOf(filters):
            return np.any([np.zeros(len(block), bool), *(passes(f, new) for f in filters)], axis=0)
        case Not(other):
            return ~passes(other, new)
    raise AssertionError(where)


def _named(wanted: Sequence[str], begun: bool, terms: Sequence[str]) -> bool:
    if not wanted:
        return False
    whole, last = (wanted[:-1], wanted[-1]) if begun else (wanted, None)
    return {*whole} <= {*terms} and (last is None or any(term.startswith(last) for term in terms))


def best(new: NewRows, code: np.ndarray, n: int, where: Filter) -> np.ndarray:
    """The rows with the greatest dot products that a filter lets through, ascending."""
    places = np.flatnonzero(passes(where, new))
    order = np.argsort(-(new.codes[places] @ code), kind="stable")[:n]
    return np.sort(new.block.rows[places[order]])


def value_counts(new: NewRows, column: str, where: Filter) -> dict[str, int]:
    """How many rows have each value."""
    cells = new.block.table[column][passes(where, new)].dropna()
    return {str(value): int(count) for value, count in cells.value_counts().items()}


def assert_same(block: Block, new: NewRows, layout: Layout) -> None:
    """That a block holds just these rows, with all their bytes."""
    order = np.argsort(new.block.rows)
    expected = part_of(new, order).block
    assert block.rows.tolist() == expected.rows.tolist()
    assert block.rows.dtype == np.int64 and block.firsts.dtype == np.int64
    assert block.firsts.tolist() == expected.firsts.tolist()
    assert set(block.table) >= {"id", "image", "digest", *layout.columns}
    for column in ("id", "image", "digest", *layout.columns):
        got, written = (_texts(one.table[column]) for one in (block, expected))
        assert got == written, column
    # Of 16 and 8 bits what was packed is read: packed anew it has the same bytes.
    assert layout.pack(block) == layout.pack(expected)


def _texts(cells: pd.Series) -> list[str | None]:
    return [None if pd.isna(cell) else cell for cell in cells]


def recall(found: np.ndarray, expected: np.ndarray) -> float:
    """Which share of some rows was found; of none all."""
    return len(np.intersect1d(found, expected)) / len(expected) if len(expected) else 1.0


def eventually(
    is_so: Callable[[], bool], seconds: float = 30.0, pause: float = 0.05, *, why: str = ""
) -> None:
    """Wait until something is so: what is written to a published version is found in seconds."""
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, why or "it is not so after all this time"
        time.sleep(pause)


def without_zeros(counts: Mapping[str, int]) -> dict[str, int]:
    return {value: count for value, count in counts.items() if count}
