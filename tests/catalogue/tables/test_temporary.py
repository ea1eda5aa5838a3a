"""A table that must be unpacked where there is no room for temporary files."""

from __future__ import annotations

import errno
import gzip
import io
import os
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fitting_room.catalogue.catalogue import CatalogueError, load_catalogue
from fitting_room.catalogue.tables import TableError, read_table


@pytest.fixture
def packed() -> bytes:
    plain = io.BytesIO()
    pd.DataFrame({"id": ["1"], "name": ["coat"]}).to_parquet(plain)
    return gzip.compress(plain.getvalue())


class Full(io.BytesIO):
    def write(self, _: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def denied() -> None:
    raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")


@pytest.mark.parametrize("make", [Full, denied])
def test_no_room_for_temporary_files_is_not_called_damage(
    packed: bytes, monkeypatch: pytest.MonkeyPatch, make: Any
) -> None:
    table = read_table(lambda: io.BytesIO(packed), "items.parquet.gz")
    assert table.cells["name"].tolist() == ["coat"]
    monkeypatch.setattr(tempfile, "TemporaryFile", make)
    with pytest.raises(TableError, match=r"temporary files.*\(No .*\)\. Make room in .*TMPDIR"):
        read_table(lambda: io.BytesIO(packed), "items.parquet.gz")


def test_where_there_is_no_folder_for_temporary_files_at_all(
    packed: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", denied)
    monkeypatch.setattr(tempfile, "gettempdir", denied)
    with pytest.raises(TableError, match=r"Make room in it, or name another folder with TMPDIR"):
        read_table(lambda: io.BytesIO(packed), "items.parquet.gz")


def test_a_catalogue_says_so(
    packed: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "items.parquet.gz").write_bytes(packed)
    monkeypatch.setattr(tempfile, "TemporaryFile", Full)
    with pytest.raises(CatalogueError, match="folder for temporary files"):
        load_catalogue(tmp_path / "items.parquet.gz")
