"""How true the words on the cards are: of the matches that were called so, how many are of the
query's kind. Items of an index are the queries, each as if it were new; their matches are ranked by
the usual similarity, by colours alone, and drawn at random. They are called by what was measured,
and as where nothing was measured.

    python benchmarks/likeness.py --index cache/demo-... [--column articleType] [--queries 200]
"""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np
from at_hand import index as index_at
from common import finish, parsed, parser_of, say

from fitting_room.index.calibration import LIKENESS, LOOKS_THE_SAME, NOT_ALIKE, SAME_PICTURE
from fitting_room.index.index import Index
from fitting_room.index.scoring import SimilarityOptions
from fitting_room.search.likeness import likeness, scale_of

WORDS = (SAME_PICTURE, LOOKS_THE_SAME, *LIKENESS.values(), NOT_ALIKE)
RESULTS = 12


def main() -> int:
    parser = parser_of(__doc__, index=True)
    parser.add_argument("--column", default="articleType")
    parser.add_argument("--queries", type=int, default=200)
    arguments = parsed(parser, queries=20)
    index = Index.open(index_at(arguments.index))
    lines: list[dict[str, object]] = []
    kinds = index.items[arguments.column].astype(str).to_numpy()
    generator = np.random.default_rng(7)
    rows = generator.choice(len(index), min(arguments.queries, len(index)), replace=False)
    scale = scale_of(index)
    for measured in (True, False):
        if not measured:
            index.calibration = None
        by = "what was measured" if measured else "how alike the items are to each other"
        say(f"by {by}")
        for title, options in (
            ("usual", SimilarityOptions()),
            ("colours", SimilarityOptions(colour=1.0)),
            ("random", None),
        ):
            total, right = Counter[str](), Counter[str]()
            for row, query in zip(rows.tolist(), index.features(rows), strict=True):
                if options is None:
                    found = generator.choice(len(index), RESULTS, replace=False)
                else:
                    found = index.search([query], RESULTS + 1, options=options)[0].rows
                found = found[index.item_numbers(found) != index.item_numbers(np.array([row]))]
                for match, words in zip(
                    found.tolist(), likeness(index, [query], found, lambda: scale), strict=True
                ):
                    total[words.text] += 1
                    right[words.text] += kinds[match] == kinds[row]
            shown = "; ".join(
                f"{word} {right[word] / total[word]:.3f} of {total[word]:,}"
                for word in WORDS
                if total[word]
            )
            say(f"  {title}: {shown}")
            counts = {word: {"of": total[word], "right": right[word]} for word in total}
            lines.append({"by": by, "ranked by": title, "words": counts})
    return finish({"likeness": lines}, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
