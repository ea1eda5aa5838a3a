"""How rows are packed for a database."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from fitting_room.imaging.descriptors import DESCRIPTOR_LENGTH
from fitting_room.imaging.features import normalise
from fitting_room.index.item_store import Block
from fitting_room.index.layout import Layout
from fitting_room.index.vectors import FLOAT16, FLOAT32, INT8, STORAGES


def block_of(rows: list[int], dimension: int, trained: int = 0, head_vectors: int = 0) -> Block:
    generator = np.random.default_rng(len(rows))
    numbers = np.array(rows, np.int64)

    def unit(width: int) -> np.ndarray:
        return normalise(generator.normal(size=(len(rows), width)).astype(np.float32))

    table = pd.DataFrame({"id": [f"item {row}" for row in rows]}, dtype=object)
    descriptors = generator.integers(0, 256, (len(rows), DESCRIPTOR_LENGTH)).astype(np.uint8)
    return Block(
        numbers, numbers // 2 * 2, table, unit(dimension), descriptors,
        unit(trained) if trained else None, unit(head_vectors) if head_vectors else None,
    )  # fmt: skip


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize(("trained", "head_vectors"), [(0, 0), (5, 0), (5, 7)])
def test_rows_come_back_in_ascending_order(storage: str, trained: int, head_vectors: int) -> None:
    layout = Layout(("colour",), 4, 6, storage, trained, head_vectors)
    block = block_of([2, 3, 9, 40], 6, trained, head_vectors)
    packed = layout.pack(block)
    assert {len(piece) for piece in packed} == {layout.bytes_per_row}
    mixed = [2, 0, 3, 1]
    back = layout.unpack(
        block.rows[mixed], block.firsts[mixed], block.table.iloc[mixed], [packed[i] for i in mixed]
    )
    assert back.rows.tolist() == block.rows.tolist()
    assert back.firsts.tolist() == block.firsts.tolist()
    assert back.table["id"].tolist() == block.table["id"].tolist()
    assert np.array_equal(back.descriptors, block.descriptors)
    tolerance = {FLOAT32: 0, FLOAT16: 1e-3, INT8: 1e-2}[storage]
    for one, other in (
        (back.vectors, block.vectors),
        (back.trained, block.trained),
        (back.head_vectors, block.head_vectors),
    ):
        assert (one is None) == (other is None)
        if one is not None:
            assert one.dtype == np.float32
            assert np.abs(one - other).max() <= tolerance
    again = layout.unpack(back.rows, back.firsts, back.table, layout.pack(back))
    assert np.allclose(again.vectors, back.vectors, atol=tolerance / 10)


def test_no_rows_are_no_rows() -> None:
    layout = Layout((), 4, 6, FLOAT32)
    empty = np.array([], np.int64)
    assert len(layout.unpack(empty, empty, pd.DataFrame({"id": []}), [])) == 0


def test_other_bytes_are_refused() -> None:
    layout = Layout((), 4, 6, FLOAT32)
    block = block_of([1], 6)
    (piece,) = layout.pack(block)
    not_a_number = piece[:-4] + np.float32(np.nan).tobytes()
    for bad in (piece[:-1], piece + b"x", b"", not_a_number):
        with pytest.raises(ValueError, match=r"other bytes|no number"):
            layout.unpack(block.rows, block.firsts, block.table, [bad])
    with pytest.raises(ValueError, match="bytes for"):
        Layout((), 4, 5, FLOAT32).pack(block)


def test_a_layout_is_read_as_it_was_written() -> None:
    layout = Layout(("Größe", "colour"), 304, 1280, INT8, 256, 768)
    assert Layout.from_json(layout.to_json()) == layout


@pytest.mark.parametrize(
    "changes",
    [
        {"storage": "int4"},
        {"dimension": -1},
        {"dimension": 10**9},
        {"width": 3.5},
        {"width": True},
        {"columns": ["a", "a"]},
        {"columns": [1]},
        {"columns": 7},
        {"columns": [str(i) for i in range(2_000)]},
        {"more": 1},
    ],
)
def test_other_layouts_are_refused(changes: dict[str, object]) -> None:
    values = json.loads(Layout(("a",), 4, 6, FLOAT32).to_json())
    with pytest.raises(ValueError, match="describes no"):
        Layout.from_json(json.dumps({**values, **changes}))


@pytest.mark.parametrize("text", ["", "[]", "7", "null", "{}", "[" * 100_000])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"describes no rows|Expecting value"):
        Layout.from_json(text)
