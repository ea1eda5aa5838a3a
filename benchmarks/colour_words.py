"""What the words for colours cost: type and colour both right among the first ten results.

    python benchmarks/colour_words.py --index cache/fashion [--plain] [--colour W]

The catalogue's items with ``id % 10 == 0`` are the queries and the rest can be found, as in
`fitting-room evaluate CATALOGUE --index INDEX --holdout 10`, but with the features that the index
holds. Printed is precision@10 by the catalogue's own words; then as nivitsm2011/catalogiq measures
(configs/colour_map.yaml, docs/data_card.md): types with fewer than 100 items left out, the 46 words
for colours merged into 15, what looks all but the same as a query not among its results; and which
words stand for which among results of the right type, the commonest first.
"""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np
from at_hand import index as index_at
from common import finish, parsed, parser_of, table

from fitting_room.catalogue.schema import held_out
from fitting_room.index.index import Index
from fitting_room.index.scoring import SimilarityOptions

HOLDOUT, RESULTS, AT_ONCE, CONFUSIONS = 10, 10, 256, 12
#: Results that are looked at, so that ten are left without twins.
LOOKED_AT = 20
#: Items of a type that catalogiq keeps, at least.
LEAST_ITEMS = 100
#: catalogiq's families of colours: which words go with which; others but these are "Other".
FAMILIES = {
    "Black": "Charcoal",
    "White": "Off White",
    "Grey": "Grey Melange, Silver, Steel",
    "Blue": "Navy Blue, Turquoise Blue, Teal",
    "Green": "Olive, Sea Green, Lime Green, Fluorescent Green",
    "Red": "Maroon, Burgundy, Rust",
    "Pink": "Magenta, Rose, Peach",
    "Purple": "Lavender, Mauve",
    "Orange": "",
    "Yellow": "Mustard",
    "Brown": "Coffee Brown, Mushroom Brown, Tan, Taupe, Copper, Bronze",
    "Beige": "Cream, Khaki, Skin, Nude",
    "Gold": "",
    "Multi": "",
}


def main() -> int:
    parser = parser_of(__doc__, index=True)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--colour", type=float)
    options = parsed(parser)
    similarity = SimilarityOptions(trained=not options.plain, colour=options.colour)
    rows, confusions = measure(Index.open(index_at(options.index)), similarity)
    table(rows)
    table(confusions)
    return finish({"rows": rows, "confusions": confusions}, options.json)


def measure(
    index: Index, options: SimilarityOptions
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Precision@10 by the catalogue's words and by merged ones, and the confusions."""
    held = held_out(index.items["id"], HOLDOUT)
    types, colours = (index.items[c].astype("object") for c in ("articleType", "baseColour"))
    queries = np.flatnonzero(held & (types.notna() & colours.notna()).to_numpy(bool))
    results, twins = search(index, queries, held, options)
    family_of = {word: name for name, words in FAMILIES.items() for word in words.split(", ")}
    merged = colours.map(lambda word: family_of.get(word, word if word in FAMILIES else "Other"))
    common = types.map(types.value_counts()).fillna(0).to_numpy() >= LEAST_ITEMS
    kept = common[queries]
    named = ("every type", np.ones(len(queries), bool)), (f"{LEAST_ITEMS} items or more", kept)
    rows: list[dict[str, object]] = []
    for title, of in ((f"{colours.nunique()} words", colours), ("15 families", merged)):
        for types_named, some in named:
            if not some.any():  # a small catalogue has no type of so many
                continue
            for twins_named, out in (("may be found", np.zeros_like(twins)), ("left out", twins)):
                # A type that is left out is not there to be found either.
                gone = out if types_named == "every type" else out | ~common[results]
                right = [column.to_numpy() for column in (types, of)]
                both = np.logical_and.reduce(
                    [values[results] == values[queries][:, None] for values in right]
                )
                value = first_ten(both, gone)[some].mean()
                rows.append(
                    {
                        "colours": title,
                        "types": types_named,
                        "twins": twins_named,
                        "queries": int(some.sum()),
                        "precision@10": round(float(value), 3),
                    }
                )
    return rows, confusions(types.to_numpy(), colours.to_numpy(), queries, results[:, :RESULTS])


def search(
    index: Index, queries: np.ndarray, held: np.ndarray, options: SimilarityOptions
) -> tuple[np.ndarray, np.ndarray]:
    """The first results of each query, int64 ``(Q, LOOKED_AT)``, and which look all but the same as
    it, bool ``(Q, LOOKED_AT)``."""
    results = np.empty((len(queries), LOOKED_AT), np.int64)
    twins = np.empty(results.shape, bool)
    for start in range(0, len(queries), AT_ONCE):
        block = slice(start, start + AT_ONCE)
        features = index.features(queries[block])
        found = index.search(features, LOOKED_AT, options=options, exclude=held)
        for place, (of_query, hits) in enumerate(zip(features, found, strict=True), start):
            results[place] = hits.rows
            twins[place] = index.look_the_same(of_query, hits.rows)
    return results, twins


def first_ten(right: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """The share of right ones among the first ten results that are not ``gone``, float ``(Q,)``."""
    counts = ~gone & (np.cumsum(~gone, axis=1) <= RESULTS)
    return np.asarray((right & counts).sum(axis=1) / RESULTS)


def confusions(
    types: np.ndarray, colours: np.ndarray, queries: np.ndarray, results: np.ndarray
) -> list[dict[str, object]]:
    """Pairs of words, of a query and of a result of its type that is called otherwise."""
    alike = types[results] == types[queries][:, None]
    wrong = alike & (colours[results] != colours[queries][:, None])
    pairs = Counter(
        " / ".join(sorted((str(colours[query]), str(colours[result]))))
        for query, of_query, out in zip(queries, results, wrong, strict=True)
        for result in of_query[out]
    )
    share = {"of the results": round(float(wrong.mean()), 3)}
    rows: list[dict[str, object]] = [{"right type, another colour": "all", **share}]
    for pair, count in pairs.most_common(CONFUSIONS):
        rows.append(
            {"right type, another colour": pair, "of the results": round(count / wrong.size, 4)}
        )
    return rows


if __name__ == "__main__":
    sys.exit(main())
