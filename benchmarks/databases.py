"""How a database answers for the real catalogue: time to load it, time of a question, and how many
of the truly most similar items are among the candidates.

    python benchmarks/databases.py [ADDRESS] [--index cache/fashion] [--questions 100] [--there]

ADDRESS is that of an index in a database, such as postgresql://postgres@localhost/goods/trial; what
is there under this name is replaced, unless --there says that this benchmark has put it there. The
rows are those of the local index but for the last 441, which are the questions, with several
weights of colour, without and with filters. A question is answered by 400 candidates with all their
numbers; its best 12 by exact comparison with all rows are looked for among them.
"""

from __future__ import annotations

import statistics
import sys
import time
from argparse import Namespace
from dataclasses import replace
from typing import Any

import numpy as np
from at_hand import database as database_at
from at_hand import index as index_at
from common import PROJECT, finish, parsed, parser_of, say, table

from fitting_room.catalogue.schema import name_columns
from fitting_room.databases.address import engine_for
from fitting_room.databases.database import Database, NewRows
from fitting_room.databases.terms import terms_of_name
from fitting_room.index.codes import JointEncoder
from fitting_room.index.filters import EVERYTHING, AllOf, Filter, Named, Not, OneOf
from fitting_room.index.index import Index
from fitting_room.index.layout import OWN_COLUMNS, Layout
from fitting_room.index.local_items import LocalItems
from fitting_room.index.scoring import ScoreTerm, SimilarityOptions, best, nearest

HELD_OUT, BLOCK, SAMPLE = 441, 1_000, 20_000
CANDIDATES, RESULTS, COLOURS = 400, 12, (0.0, 0.12, 0.5, 0.95)
FILTERS: dict[str, Filter] = {
    "none": EVERYTHING,
    "Women": OneOf("gender", ("Women",)),
    "not Tshirts, Shirts": Not(OneOf("articleType", ("Tshirts", "Shirts"))),
    "Dresses, Skirts, Jeans": OneOf("articleType", ("Dresses", "Skirts", "Jeans")),
    "named running": Named(("running",)),
    "begun with sho": Named(("sho",), begun=True),
    "Girls, Red or Pink": AllOf(
        (OneOf("gender", ("Girls",)), OneOf("baseColour", ("Red", "Pink")))
    ),
}


def layout_of(index: Index, columns: list[str], width: int) -> Layout:
    return Layout(
        tuple(columns), width, index.dimension, index.manifest.storage,
        0 if index.trained is None else index.trained.shape[1],
        0 if index.head_vectors is None else index.head_vectors.shape[1],
    )  # fmt: skip


def encoder_of(items: LocalItems, count: int) -> JointEncoder:
    rows = np.random.default_rng(0).choice(count, min(SAMPLE, count), replace=False)
    return JointEncoder.learn(items.block(np.sort(rows)))


def load(address: str, index: Index, count: int, encoder: JointEncoder) -> dict[str, Any]:
    """Write the first rows of the index, and say how long that took."""
    items = LocalItems(index.data.items, index.data)
    columns = [str(c) for c in index.items.columns if c not in (*OWN_COLUMNS, "signature")]
    layout = layout_of(index, columns, encoder.width)
    engine = engine_for(address)
    writing = engine.create(address, layout, f"v{time.time_ns():x}")
    written = 0.0
    for start in range(0, count, BLOCK):
        block = items.block(np.arange(start, min(start + BLOCK, count)))
        names = block.table[[*name_columns(columns), "id"]].fillna("")
        terms = [terms_of_name(*map(str, row)) for row in names.itertuples(index=False)]
        new = NewRows(block, encoder.of_items(block), terms)
        started = time.perf_counter()
        writing.write(new)
        written += time.perf_counter() - started
    started = time.perf_counter()
    writing.publish(b"a trial")
    published = time.perf_counter() - started
    writing.close()
    return {
        "rows": count, "code": encoder.width, "bytes packed": layout.bytes_per_row,
        "write s": written, "publish s": published,
    }  # fmt: skip


def ask(
    database: Database, index: Index, encoder: JointEncoder, count: int, questions: int
) -> list[dict[str, Any]]:
    """A line for each filter and weight of colour."""
    store = LocalItems(index.data.items, index.data)
    places = np.random.default_rng(1).choice(len(index) - count, questions, replace=False)
    features = index.features(np.sort(count + places))
    lines = []
    for name, where in FILTERS.items():
        allowed = store.scan(where, count)
        allowed = allowed[allowed < count]
        for colour in COLOURS if name in ("none", "Girls, Red or Pink") else (0.12,):
            options = replace(SimilarityOptions(), colour=colour)
            seconds, recalls, fewest = [], [], CANDIDATES
            for query in features:
                terms = index.terms([query], options)
                near = nearest(terms, 0, RESULTS, allowed, np.zeros((1, len(allowed)), np.float32))
                wanted = best(terms, 0, allowed[near], RESULTS).rows
                asked = {term.of: term.queries for term in terms if isinstance(term, ScoreTerm)}
                code = encoder.of_question(asked)[0]
                started = time.perf_counter()
                found = database.candidates(code, CANDIDATES, where)
                seconds.append(time.perf_counter() - started)
                recalls.append(np.isin(wanted, found.rows).mean() if len(wanted) else 1.0)
                fewest = min(fewest, len(found))
            lines.append(
                {
                    "filter": name, "rows": len(allowed), "colour": colour,
                    "ms": 1000 * statistics.median(seconds), "ms at worst": 1000 * max(seconds),
                    "top 12 inside": float(np.mean(recalls)), "fewest": fewest,
                }
            )  # fmt: skip
            say(str(lines[-1]))
    return lines


def main() -> int:
    parser = parser_of(__doc__, index=True)
    parser.add_argument("address", nargs="?", help="a PostgreSQL is started where none is named")
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--there", action="store_true")
    arguments = parsed(parser, questions=5)
    sys.path.append(str(PROJECT))  # the server comes from the tests
    index = Index.open(index_at(arguments.index))
    with database_at(arguments.address) as address:
        return measured(index, address, arguments)


def measured(index: Index, address: str, arguments: Namespace) -> int:
    count = len(index) - HELD_OUT
    encoder = encoder_of(LocalItems(index.data.items, index.data), count)
    loading = {} if arguments.there else load(address, index, count, encoder)
    say(str(loading))
    database = engine_for(address).open(address)
    lines = ask(database, index, encoder, count, arguments.questions)
    table(lines)
    database.close()
    return finish({"loading": loading, "questions": lines}, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
