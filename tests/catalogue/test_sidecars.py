from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitting_room.catalogue import sidecars
from fitting_room.catalogue.sidecars import find_sidecars, read_sidecars
from fitting_room.catalogue.stores import FolderStore
from tests.catalogue.conftest import PICTURE


def described(
    folder: Path, files: dict[str, bytes]
) -> tuple[list[dict[str, str]], tuple[str, ...]]:
    """What the files beside the pictures 1 and 2 say of each, and the notes."""
    for name in ("1.jpg", "2.jpg"):
        (folder / name).write_bytes(PICTURE)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    pictures = ["1.jpg", "2.jpg"]
    found = find_sidecars([*pictures, *files], pictures)
    assert found is not None
    table = read_sidecars(FolderStore(folder), found.of, pictures)
    rows = table.cells.to_dict("records")
    return [{k: v for k, v in row.items() if not pd.isna(v)} for row in rows], table.notes


def test_values_of_json_and_texts_are_attributes(tmp_path: Path) -> None:
    about = {"label": "dress", "price": 19.9, "new": True, "size": None, "of": [1], "key": "0001"}
    rows, notes = described(
        tmp_path, {"1.json": json.dumps(about).encode(), "2.txt": b" a red shirt\n"}
    )
    assert rows == [{"label": "dress", "price": "19.9", "new": "true"}, {"caption": "a red shirt"}]
    assert not notes


@pytest.mark.parametrize("data", [b"{", b"[]", b"[" * 100_000, b"\xff", b"1"])
def test_what_cannot_be_read_is_noted_and_costs_no_picture(tmp_path: Path, data: bytes) -> None:
    rows, notes = described(tmp_path, {"1.json": data, "2.json": b'{"label": "x"}'})
    assert rows == [{}, {"label": "x"}]
    assert "1.json" in notes[0]


def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sidecars, "MAX_BYTES", 100)
    rows, notes = described(tmp_path, {"1.txt": b"x" * 101, "2.txt": b"x" * 100})
    assert rows == [{}, {"caption": "x" * 100}]
    assert notes


def test_a_few_texts_among_many_pictures_are_no_attributes() -> None:
    pictures = [f"{n}.jpg" for n in range(10)]
    assert find_sidecars([*pictures, "1.txt", "2.txt"], pictures) is None
    assert find_sidecars(pictures, pictures) is None


@given(
    st.dictionaries(st.text(max_size=5), st.text() | st.integers() | st.floats() | st.none()),
    st.binary(max_size=50),
)
def test_any_files_are_read_or_noted(tmp_path: Path, about: dict[str, object], text: bytes) -> None:
    rows, _ = described(tmp_path, {"1.json": json.dumps(about).encode(), "2.txt": text})
    for row in rows:
        for cell in row.values():
            cell.encode()
