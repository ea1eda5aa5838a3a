"""A catalogue to look at while its index is built: its table is there, its features are not yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import pandas as pd

from fitting_room.catalogue.catalogue import Catalogue
from fitting_room.catalogue.schema import name_columns
from fitting_room.search import facets
from fitting_room.search.facets import Facet


class EarlyCatalogue:
    """The items of a catalogue, each once, listed as the page lists them later."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.pictures = len(catalogue)
        self.attributes = catalogue.attributes
        self.items = catalogue.items[~catalogue.items["id"].duplicated()]

    def __len__(self) -> int:
        """How many items there are."""
        return len(self.items)

    @cached_property
    def facets(self) -> list[Facet]:
        """The columns that a visitor may filter by."""
        return facets.facets_of(self.items, self.attributes)

    def listing(self, words: Sequence[str], where: Mapping[str, Sequence[str]]) -> pd.DataFrame:
        """The items that have all of these words in their name or id and pass the filters, in the
        order of the page: with words the catalogue's, else mixed, always in the same way."""
        mask = np.ones(len(self), bool)
        for facet in self.facets:
            if where.get(facet.column):
                mask &= facet.mask(where[facet.column])
        for word in words:
            mask &= self._names.str.contains(word.casefold(), regex=False).to_numpy(bool)
        places = np.flatnonzero(mask)
        if not words:
            places = np.random.default_rng(self.pictures).permutation(places)
        return self.items.iloc[places]

    @cached_property
    def _names(self) -> pd.Series[str]:
        columns = ["id", *name_columns(self.attributes)]
        texts = self.items[columns].astype("string").fillna("")
        return texts.agg(" ".join, axis=1).str.casefold()
