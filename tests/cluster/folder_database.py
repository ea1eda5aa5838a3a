"""A database that is a folder with a file for each row: what a build writes, and nothing that
searches. Workers import this by name, and know its addresses from then on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd

from fitting_room.databases import address as addresses
from fitting_room.databases.address import DatabaseError
from fitting_room.databases.database import NewRows
from fitting_room.embedding.embedder import Embedder
from fitting_room.index.item_store import Block
from fitting_room.index.layout import Layout

addresses.ENGINES["folder"] = (__name__, "numpy", "cluster")
PUBLISHED, RECORD, LAYOUT = "PUBLISHED", "record.zip", "layout.json"


class FolderDatabase:
    def __init__(self, folder: Path) -> None:
        self.folder, self.version = folder, folder.name
        self.layout = Layout.from_json((folder / LAYOUT).read_text())

    def rows(self) -> np.ndarray:
        return np.sort([int(path.stem) for path in self.folder.glob("[0-9]*.json")])

    def block(self, rows: np.ndarray) -> Block:
        found: list[Any] = [json.loads((self.folder / f"{row}.json").read_text()) for row in rows]
        firsts = np.array([of["first"] for of in found])
        table = pd.DataFrame([of["cells"] for of in found])
        packed = [bytes.fromhex(of["packed"]) for of in found]
        return self.layout.unpack(np.asarray(rows), firsts, table, packed)

    def write(self, new: NewRows) -> None:
        block = new.block
        cells = block.table.astype(object).where(block.table.notna(), None).to_dict("records")
        packed = self.layout.pack(block)
        for place, row in enumerate(block.rows.tolist()):
            values = {
                "first": int(block.firsts[place]),
                "cells": cells[place],
                "packed": packed[place].hex(),
                "code": new.codes[place].tolist(),
                "terms": list(new.terms[place]),
            }
            (self.folder / f"{row}.json").write_text(json.dumps(values))

    def record(self) -> bytes:
        return (self.folder / RECORD).read_bytes()

    def publish(self, record: bytes) -> None:
        (self.folder / RECORD).write_bytes(record)
        (self.folder.parent / PUBLISHED).write_text(self.version)

    def close(self) -> None:
        pass


def create(address: str, layout: Layout, version: str) -> FolderDatabase:
    folder = Path(urlsplit(address).path) / version
    folder.mkdir(parents=True, exist_ok=True)
    (folder / LAYOUT).write_text(layout.to_json())
    return FolderDatabase(folder)


def open_version(address: str, version: str | None = None) -> FolderDatabase:
    folder = Path(urlsplit(address).path)
    if version is None and not (folder / PUBLISHED).exists():
        raise DatabaseError(f"{address}: nothing was published")
    return FolderDatabase(folder / (version or (folder / PUBLISHED).read_text()))


class _Engine:
    create = staticmethod(create)
    open = staticmethod(open_version)


ENGINE = _Engine()


def known_there(load: Callable[[], Embedder]) -> Embedder:
    """Load an embedder where the addresses of this module are to be known."""
    return load()
