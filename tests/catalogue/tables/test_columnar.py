"""Parquet, Arrow and Feather files, as data sets come in."""

from __future__ import annotations

import datetime
import io
import json
import random
from collections.abc import Callable
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import feather

from fitting_room.catalogue.tables import TableError, columnar
from tests.catalogue.tables.conftest import cells, header_of, read


def as_parquet(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=2)
    return file.getvalue()


def as_arrow_file(table: pa.Table) -> bytes:
    file = io.BytesIO()
    with pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    return file.getvalue()


def as_arrow_stream(table: pa.Table) -> bytes:
    file = io.BytesIO()
    with pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    return file.getvalue()


def as_feather(table: pa.Table) -> bytes:
    file = io.BytesIO()
    feather.write_feather(table, file)
    return file.getvalue()


Form = Callable[[pa.Table], bytes]
FORMS = [as_parquet, as_arrow_file, as_arrow_stream, as_feather]
TABLE = pa.table(
    {
        "id": ["0108775015", "NA", "3"],
        "name": ["shirt", None, "NA"],
        "whole": [1163, None, 3],
        "lost": [1163.0, None, 3.0],
        "price": [19.9, 5.0, float("nan")],
        "small": pa.array([19.9, 0.1, None], pa.float32()),
        "exact": [Decimal("19.90"), None, Decimal("1.00")],
        "new": [True, False, None],
        "day": [datetime.date(2024, 1, 31), None, None],
        "at": [datetime.datetime(2024, 1, 31), datetime.datetime(2024, 1, 31, 12, 30), None],
        "zone": pa.array([datetime.datetime(2024, 1, 31)] * 3, pa.timestamp("ns", "UTC")),
        "tags": [["red", "long"], [], None],
        "size": pa.array([{"w": 1, "h": None}, None, {"w": 3, "h": 2.5}]),
        "kind": pa.array(["a", "b", None]).dictionary_encode(),
        "image": pa.array([{"bytes": b"\xff\xd8", "path": "1.jpg"}] * 3),
        "raw": [b"1", b"2", b"3"],
        "vector": [[0.5, 0.25]] * 3,
    }
)


@pytest.mark.parametrize("form", FORMS)
def test_values_of_all_types_become_text(form: Form) -> None:
    table = read(form(TABLE), "train.parquet")
    first, second, third = cells(table)
    assert first == {
        "id": "0108775015", "name": "shirt", "whole": "1163", "lost": "1163", "price": "19.9",
        "small": "19.9", "exact": "19.90", "new": "true", "day": "2024-01-31", "at": "2024-01-31",
        "zone": "2024-01-31", "tags": "red, long", "size.w": "1", "size.h": None, "kind": "a",
    }  # fmt: skip
    assert second == dict.fromkeys(first) | {
        "id": "NA", "price": "5", "small": "0.1", "new": "false", "at": "2024-01-31T12:30:00",
        "zone": "2024-01-31", "kind": "b",
    }  # fmt: skip
    assert third["name"] is third["price"] is None
    assert table.notes == ("pictures, other bytes and vectors left out: `image`, `raw`, `vector`",)
    assert header_of(form(TABLE))[:3] == ["id", "name", "whole"]


def test_pictures_are_not_even_read() -> None:
    pictures = [random.Random(row).randbytes(10_000) for row in range(20)]
    images = pa.array([{"bytes": picture, "path": "a.jpg"} for picture in pictures])
    data = bytearray(as_parquet(pa.table({"image": images, "id": range(20)})))
    for picture in pictures:
        found = data.find(picture[:50])
        data[found : found + 9_000] = b"\xff" * 9_000
    assert read(bytes(data)).cells["id"].tolist() == [str(row) for row in range(20)]


def test_the_index_that_pandas_writes_is_left_out() -> None:
    frame = pd.DataFrame({"id": ["a", "b", "c"]}, index=[5, 7, 9])
    file = io.BytesIO()
    frame.to_parquet(file)
    assert read(file.getvalue()).cells.columns.tolist() == ["id"]


def test_class_labels_of_hugging_face_are_read_by_name() -> None:
    features = {"label": {"_type": "ClassLabel", "names": ["dress", "shirt"]}, "id": {}}
    meta = {"huggingface": json.dumps({"info": {"features": features}})}
    table = pa.table({"label": [1, 0, -1, 7], "id": [1, 2, 3, 4]}).replace_schema_metadata(meta)
    assert read(as_parquet(table)).cells["label"].fillna("").tolist() == ["shirt", "dress", "", ""]


@pytest.mark.parametrize("form", FORMS)
def test_a_table_without_rows(form: Form) -> None:
    table = read(form(TABLE.slice(0, 0)))
    assert len(table.cells) == 0
    assert "name" in table.cells.columns


def test_a_table_of_pictures_alone_is_refused() -> None:
    with pytest.raises(TableError, match="no column of it holds text"):
        read(as_parquet(TABLE.select(["image"])))


def test_a_column_name_that_occurs_twice_is_refused() -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["id", "id"])
    with pytest.raises(TableError, match="`id` occurs twice"):
        read(as_parquet(table))


def test_of_many_columns_the_first_with_anything_in_them_are_kept() -> None:
    table = pa.table({f"c{i}": ["", None if i % 2 else str(i)] for i in range(1000)})
    assert read(as_parquet(table)).cells.columns.tolist() == [f"c{i}" for i in range(0, 400, 2)]


def test_text_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columnar, "MAX_TEXT", 2**20)
    table = pa.table({"id": range(10_000), "name": ["long " * 1000] * 10_000})
    file = io.BytesIO()
    pq.write_table(table, file)
    assert len(file.getvalue()) < 2**18
    with pytest.raises(TableError, match="its text takes more"):
        read(file.getvalue())


def test_too_many_rows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columnar, "MAX_ROWS", 2)
    for form in FORMS:
        with pytest.raises(TableError, match="more than 2 rows"):
            read(form(TABLE))


def test_text_that_is_no_utf_8_is_called_damage() -> None:
    text = pa.StringArray.from_buffers(1, *pa.array([b"\xff"]).buffers()[1:])
    with pytest.raises(TableError, match="damaged"):
        read(as_arrow_file(pa.table({"id": text})))


@pytest.mark.parametrize("name", ["a.parquet", "a.feather", "a.xlsx"])
def test_an_ending_that_is_not_kept_is_named(name: str) -> None:
    with pytest.raises(TableError, match="its name ends in"):
        read("id,name\n1,shirt\n", name)


@settings(max_examples=150)
@given(form=st.sampled_from(FORMS), data=st.data())
def test_damaged_files_give_a_table_or_are_refused(form: Form, data: st.DataObject) -> None:
    content = bytearray(form(TABLE))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)) | st.just(len(content)))
    for use in (read, header_of):
        try:
            use(bytes(content[:cut]), "a.parquet")
        except TableError as error:
            str(error).encode()
