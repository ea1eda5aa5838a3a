"""Rows of an index in a database, made of pictures by what a small index of the same catalogue, its
seed, knows: the reduction, the head and its labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from fitting_room.catalogue.schema import RESERVED_COLUMNS
from fitting_room.imaging.features import Features
from fitting_room.index.index import Index
from fitting_room.index.item_store import Block


class RowMaker:
    """Makes rows as the index ``seed`` would hold them."""

    def __init__(self, seed: Index) -> None:
        self.seed = seed

    def block(
        self,
        rows: np.ndarray,
        firsts: np.ndarray,
        table: pd.DataFrame,
        digests: Sequence[str],
        features: Sequence[Features],
    ) -> Block:
        """The rows of ``n`` pictures, one or more: their numbers and those of the first picture of
        each one's item, int64 ``(n,)``, what the catalogue says of them, the digests of the files,
        and the features of the network that made the seed, before its reduction."""
        vectors = np.concatenate([of.embeddings[:1] for of in features])
        of_head = [of.head_embeddings[:1] for of in features if of.head_embeddings is not None]
        head_vectors = np.concatenate(of_head) if of_head else None
        descriptors = np.stack([of.descriptors for of in features])
        if self.seed.pca is not None:
            vectors = self.seed.pca(vectors)
        columns = [column for column in table.columns if column not in RESERVED_COLUMNS]
        items = table[["id", "image", *columns]].reset_index(drop=True)
        items.insert(2, "digest", pd.Series(list(digests), dtype="str"))
        trained = self._trained(vectors, descriptors, head_vectors, items)
        return Block(rows, firsts, items, vectors, descriptors, trained, head_vectors)

    def _trained(
        self,
        vectors: np.ndarray,
        descriptors: np.ndarray,
        head_vectors: np.ndarray | None,
        items: pd.DataFrame,
    ) -> np.ndarray | None:
        """What the seed's head makes of some rows, drawn towards their labels."""
        head, data = self.seed.head, self.seed.data
        if head is None:
            return None
        these = Index(replace(data, vectors=vectors, head_vectors=head_vectors, items=items))
        return head.project_items(these.embeddings_for(head, slice(None)), descriptors, items)
