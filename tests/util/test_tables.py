"""Tables that lie in a file and not in memory, and keys instead of texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitting_room.util import tables
from fitting_room.util.tables import Lookup, Table, TableWriter, keys_of

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)


def frame(count: int) -> pd.DataFrame:
    numbers = range(count)
    table = pd.DataFrame(
        {"id": [str(n) for n in numbers], "name": [f"näh #{n}" for n in numbers]}, dtype="str"
    )
    table["name"] = table["name"].mask(table["id"].str.endswith("7"))
    return table


def written(blocks: list[pd.DataFrame]) -> Table:
    with TableWriter(list(blocks[0].columns)) as writer:
        for block in blocks:
            writer.append(block)
    return writer.table


@pytest.fixture(params=["mapped", "held"])
def table(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Table:
    monkeypatch.setattr(tables, "ROWS_AT_ONCE", 8)
    whole = frame(20)
    return (
        Table(whole) if request.param == "held" else written([whole[:8], whole[8:16], whole[16:]])
    )


def test_a_written_table_is_read_as_it_was(table: Table) -> None:
    assert len(table) == 20
    pd.testing.assert_frame_equal(table.frame, frame(20))


def test_blocks_are_all_rows_in_their_order_with_their_numbers(table: Table) -> None:
    blocks = list(table.blocks())
    assert [len(block) for block in blocks] == [8, 8, 4]
    pd.testing.assert_frame_equal(pd.concat(blocks), frame(20))


def test_it_is_the_same_after_its_memory_was_let_go(table: Table) -> None:
    for _ in range(2):
        table.release()
        pd.testing.assert_frame_equal(table.frame, frame(20))


def test_a_column_can_be_left_out(table: Table) -> None:
    less = table.without("id")
    assert list(less.frame.columns) == ["name"]
    less.release()
    assert less.frame["name"][3] == "näh #3"


def test_it_becomes_a_file_that_anybody_reads(table: Table, tmp_path: Path) -> None:
    table.to_parquet(tmp_path / "items.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "items.parquet"), frame(20))


def test_a_table_of_no_rows_is_one(tmp_path: Path) -> None:
    table = written([frame(0)])
    assert len(table) == 0
    assert list(table.blocks()) == []
    table.to_parquet(tmp_path / "items.parquet")
    assert list(pd.read_parquet(tmp_path / "items.parquet").columns) == ["id", "name"]


def test_a_table_left_on_an_error_is_no_table() -> None:
    writer = TableWriter(["id"])
    with pytest.raises(KeyError, match="stop"), writer:
        raise KeyError("stop")
    assert not hasattr(writer, "table")


def test_it_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    table = written([frame(50)])
    assert table.frame["id"][49] == "49"
    del table
    assert list(tmp_path.iterdir()) == []


def test_a_place_without_room_is_an_error_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(OSError, match="nowhere"), TableWriter(["id"]):
        pass


@given(st.lists(st.tuples(TEXT, TEXT), max_size=20))
def test_keys_are_equal_where_rows_are(rows: list[tuple[str, str]]) -> None:
    keys = keys_of(pd.DataFrame(rows, columns=["a", "b"], dtype=object))
    assert (keys.dtype, keys.shape) == (np.dtype("S16"), (len(rows),))
    for one, of_one in zip(rows, keys, strict=True):
        assert [of_one == other for other in keys] == [one == other for other in rows]


def test_cells_do_not_run_into_each_other() -> None:
    cells = [("a", "bc"), ("ab", "c"), ("a\0", "b"), ("a", "\0b"), ("a', 'b", "c"), ("\udc80", "")]
    keys = keys_of(pd.DataFrame(cells, columns=["a", "b"], dtype=object))
    assert len(set(keys.tolist())) == len(cells)


@given(
    st.lists(st.binary(min_size=16, max_size=16) | st.sampled_from([b"\0" * 16, b"a" * 16])),
    st.lists(st.binary(min_size=16, max_size=16)),
)
def test_keys_are_found_as_in_a_list(known: list[bytes], others: list[bytes]) -> None:
    wanted = [*known, *others, b"\0" * 16, b"a" * 15 + b"\0"]
    found = Lookup(np.array(known, "S16")).rows(np.array(wanted, "S16"))
    assert found.tolist() == [known.index(key) if key in known else -1 for key in wanted]
