"""How a head answers what it never saw: whole groups of a catalogue are left out of its training.

    python benchmarks/unseen.py --index cache/fashion [--by articleType] [--seed 0]

A quarter of the article types (``--by season`` or ``brand``: of those) takes no part in the
training. The catalogue's items with ``id % 10 == 0`` are the queries, the rest can be found, with
the labels that the catalogue gives them. Printed is precision@4 of the queries of the groups that
were left out, and of the others, without and with that head.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from at_hand import index as index_at
from common import finish, parsed, parser_of, table

from fitting_room.build.adaptation import adapted
from fitting_room.build.writer import write_head
from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.catalogue.schema import held_out
from fitting_room.index.head import Head
from fitting_room.index.index import Index
from fitting_room.index.scoring import SimilarityOptions
from fitting_room.learning.dataset import training_set_from
from fitting_room.learning.options import TrainingOptions
from fitting_room.learning.trainer import Trainer
from fitting_room.util.threads import sleeping_openmp

HOLDOUT, RESULTS, SHARE = 10, 4, 0.25
COLUMNS = ("articleType", "baseColour", "gender")


def main() -> int:
    parser = parser_of(__doc__, index=True)
    parser.add_argument("--catalogue", type=Path, help="where that of the index lies now")
    parser.add_argument("--by", choices=("articleType", "season", "brand"), default="articleType")
    parser.add_argument("--seed", type=int, default=0)
    options = parsed(parser)
    source = index_at(options.index)
    catalogue = options.catalogue or Path(Index.open(source).manifest.catalogue.location)
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder) / "index"
        shutil.copytree(source, index)
        rows = measure(catalogue, index, options.by, options.seed)
    table(rows)
    return finish({"by": options.by, "seed": options.seed, "rows": rows}, options.json)


def measure(catalogue: Path, folder: Path, by: str, seed: int) -> list[dict[str, object]]:
    """Train without some groups, and count right answers with and without that head."""
    with sleeping_openmp():
        import torch

    index = Index.open(folder)
    unseen = left_out(groups_of(index.items, by), seed)
    training = TrainingOptions(holdout=HOLDOUT, seed=seed)
    training_set = training_set_from(load_catalogue(catalogue), index, training)
    seen = {
        name: rows[~unseen[rows]]
        for name, rows in (("train", training_set.train), ("validation", training_set.validation))
    }
    # Labels that only left-out items have are not there to be learned.
    training_set = without_labels(replace(training_set, **seen))
    torch.manual_seed(seed)
    head = Trainer(index, training_set, options=training).run(lambda _: None)
    write_head(folder, at_home(head, index))
    index = Index.open(folder)
    queries = np.flatnonzero(held_out(index.items["id"], HOLDOUT))
    rows: list[dict[str, object]] = []
    for title, of in (
        ("left out", queries[unseen[queries]]),
        ("others", queries[~unseen[queries]]),
    ):
        for name, trained in (("plain", False), ("head", True)):
            figures = precision(index, of, queries, SimilarityOptions(trained=trained))
            rows.append({"queries": f"{len(of):,} {title}", "with": name, **figures})
    return rows


def at_home(head: Head, index: Index) -> Head:
    """The head as a build makes it at home in the catalogue, without a look at what the queries'
    labels are."""
    items = index.items[list(COLUMNS)].astype("object")
    items[held_out(index.items["id"], HOLDOUT)] = None

    def hidden_units(rows: np.ndarray) -> np.ndarray:
        return head.hidden_units(index.embeddings_for(head, rows), index.descriptors[rows])

    return adapted(head, items, hidden_units)


def groups_of(items: pd.DataFrame, by: str) -> pd.Series:
    return items["productDisplayName"].str.split().str[0] if by == "brand" else items[by]


def left_out(groups: pd.Series, seed: int) -> np.ndarray:
    """Which items are of the groups that are left out, bool ``(N,)``; small groups never are."""
    counts = groups.value_counts()
    large = sorted(counts.index[counts >= 20])
    order = np.random.default_rng(seed).permutation(len(large))
    chosen = [large[place] for place in order[: max(1, round(SHARE * len(large)))]]
    return groups.isin(chosen).to_numpy(bool)


def without_labels(training_set):  # type: ignore[no-untyped-def]
    """A training set with the labels alone that its training items have."""
    labels, codes = {}, {}
    for column, values in training_set.labels.items():
        present = np.unique(training_set.codes[column][training_set.train])
        present = present[present >= 0]
        places = np.full(len(values) + 1, -1)
        places[present] = np.arange(len(present))
        labels[column] = tuple(values[place] for place in present)
        codes[column] = places[training_set.codes[column]]
    return replace(training_set, labels=labels, codes=codes)


def precision(
    index: Index, queries: np.ndarray, held: np.ndarray, options: SimilarityOptions
) -> dict[str, float]:
    exclude = np.zeros(len(index), bool)
    exclude[held] = True
    found = index.search(index.features(queries), RESULTS, options=options, exclude=exclude)
    hits = np.stack([of_query.rows for of_query in found])
    every, figures = np.ones(hits.shape, bool), {}
    for column in COLUMNS:
        values = index.items[column].astype("object").to_numpy()
        right = values[hits] == values[queries][:, None]
        every &= right
        figures[column] = round(float(right.mean()), 3)
    return {**figures, "all": round(float(every.mean()), 3)}


if __name__ == "__main__":
    sys.exit(main())
