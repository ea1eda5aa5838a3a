"""Indexes of a few made-up items."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fitting_room.build.writer import Block, write_index
from fitting_room.imaging.descriptors import DESCRIPTOR_LENGTH
from fitting_room.imaging.features import normalise
from fitting_room.index.data import IndexData
from fitting_room.index.index import Index
from fitting_room.index.manifest import CHECKSUM, CatalogueRecord, Counts, Manifest

IDENTITY = {
    "backbone": "resnet50",
    "weights": "IMAGENET1K_V1",
    "weights_sha256": "0" * 64,
    "preprocessing": {"input_size": [224, 168]},
}


def table(count: int, **columns: Iterable[object]) -> pd.DataFrame:
    ids = [f"item-{i}" for i in range(count)]
    items = {"id": ids, "image": [f"{i}.jpg" for i in ids], "signature": "s", "digest": "d"}
    return pd.DataFrame(items | columns, dtype="str")


def manifest_of(
    count: int, dimension: int, storage: str = "float32", items: int | None = None, **changes: Any
) -> Manifest:
    """What a builder hands on to the writer, of so many pictures, and items if they are fewer."""
    manifest = Manifest(
        identity=IDENTITY,
        chosen_because="a test",
        catalogue=CatalogueRecord("/nowhere", "f", {"rows": count, "items": count}),
        counts=Counts(rows=count, items=items or count, pictures=count),
        failures=[],
        dimension=dimension,
        storage=storage,
    )
    return replace(manifest, **changes)


def manifest_values(path: Path) -> dict[str, Any]:
    """What a ``manifest.json`` says, to be changed and written again: without its checksum, which
    manifests of earlier versions do not have either."""
    values: dict[str, Any] = json.loads(path.read_text("utf-8"))
    values.pop(CHECKSUM, None)
    return values


def no_descriptors(count: int) -> np.ndarray:
    """Descriptors of pictures of which nothing is known."""
    return np.zeros((count, DESCRIPTOR_LENGTH), np.uint8)


def with_descriptors(blocks: Iterable[np.ndarray]) -> Iterator[Block]:
    for block in blocks:
        yield Block(block, no_descriptors(len(block)))


def write(
    folder: Path, vectors: np.ndarray, items: pd.DataFrame | None = None, **options: Any
) -> Index:
    items = table(len(vectors)) if items is None else items
    manifest = manifest_of(len(items), vectors.shape[1], items=items["id"].nunique())
    blocks = with_descriptors(np.array_split(vectors, 3))
    write_index(folder, blocks, items, manifest, **options)
    return Index.open(folder)


def in_memory(
    vectors: np.ndarray, items: pd.DataFrame | None = None, descriptors: np.ndarray | None = None
) -> Index:
    items = table(len(vectors)) if items is None else items
    manifest = manifest_of(len(vectors), vectors.shape[1])
    descriptors = no_descriptors(len(vectors)) if descriptors is None else descriptors
    return Index(IndexData(Path("memory"), Path("memory"), manifest, vectors, descriptors, items))


def random_rows(seed: int, count: int, dimension: int) -> np.ndarray:
    return normalise(np.random.default_rng(seed).normal(size=(count, dimension)))
