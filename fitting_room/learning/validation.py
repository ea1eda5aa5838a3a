"""How well an index, or a head, finds items with the labels of the query."""

from __future__ import annotations

import numpy as np

from fitting_room.index.head import Head
from fitting_room.index.index import Index
from fitting_room.index.scoring import SimilarityOptions
from fitting_room.learning.dataset import TrainingSet

#: At most so many validation items are queries, and so many training items can be found.
MAX_QUERIES, MAX_GALLERY = 4_000, 20_000
#: Results of each query: the precision is the fraction of them that have its labels.
RESULTS = 4
QUERIES_AT_ONCE = 512


class Validator:
    """Searches the training items with the pictures of the validation items as queries. ``queries``
    and ``gallery`` are rows; an item is found once, by its best picture. Precisions are of the
    first four results: by column, of the queries that have a label there, and of ``all`` the labels
    that a query has."""

    def __init__(self, index: Index, training_set: TrainingSet, seed: int) -> None:
        generator = np.random.default_rng(seed)
        self._index, self._training_set = index, training_set
        self.queries = np.sort(generator.permutation(training_set.validation)[:MAX_QUERIES])
        self.gallery = np.sort(generator.permutation(training_set.train)[:MAX_GALLERY])
        # Pictures of one item beside each other, to take the best of them.
        items = index.item_numbers(self.gallery)
        self.gallery = self.gallery[np.argsort(items, kind="stable")]
        self._starts = np.unique(np.sort(items), return_index=True)[1]
        self._count = min(RESULTS, len(self._starts))

    def untrained(self) -> dict[str, float]:
        """The precisions of the index without a head."""
        exclude = np.ones(len(self._index), bool)
        exclude[self.gallery] = False
        queries, options = self._index.features(self.queries), SimilarityOptions(trained=False)
        hits = self._index.search(queries, self._count, options=options, exclude=exclude)
        return self._precisions(np.stack([of_query.rows for of_query in hits]))

    def trained(self, head: Head) -> dict[str, float]:
        """The precisions of a head by itself."""
        import torch

        descriptors, rows = self._index.descriptors, self.gallery
        inputs, of_gallery = (self._index.embeddings_for(head, r) for r in (self.queries, rows))
        queries = head.project(inputs, descriptors[self.queries])
        labels = self._training_set.table.iloc[rows]
        gallery = head.project_items(of_gallery, descriptors[rows], labels)
        hits = []
        for start in range(0, len(queries), QUERIES_AT_ONCE):
            scores = queries[start : start + QUERIES_AT_ONCE] @ gallery.T
            if len(self._starts) < len(gallery):
                scores = np.maximum.reduceat(scores, self._starts, axis=1)
            # Several times as quick as numpy's argpartition.
            places = torch.topk(torch.from_numpy(scores), self._count, sorted=False)[1].numpy()
            hits.append(self.gallery[self._starts[places]])
        return self._precisions(np.concatenate(hits))

    def _precisions(self, hits: np.ndarray) -> dict[str, float]:
        """``hits`` are rows, ``(queries, results)``."""
        precisions = {}
        all_right = np.ones(hits.shape, bool)
        for column, codes in self._training_set.codes.items():
            expected = codes[self.queries][:, None]
            right = codes[hits] == expected
            labelled = expected[:, 0] >= 0
            all_right &= right | ~labelled[:, None]
            precisions[column] = round(float(right[labelled].mean()), 4) if labelled.any() else 0.0
        precisions["all"] = round(float(all_right.mean()), 4)
        return precisions
