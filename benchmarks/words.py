"""What words find in a catalogue. Held-out products are the queries: beside the picture of each,
"in" another colour; and words alone, as in "red dress".

Right among the first ten is what has the picture's type and the colour that was wished for (for
words alone: the type and the colour that they name). No ranking can reach 1 where the catalogue has
fewer such items: the best that could be is printed beside.

    python benchmarks/words.py --index cache/fashion [--queries 600]
"""

from __future__ import annotations

import statistics
import sys
import time

import numpy as np
from at_hand import index as index_at
from common import finish, parsed, parser_of, say, table

from fitting_room.catalogue.schema import held_out
from fitting_room.facade import FittingRoom

RESULTS, HELD_OUT = 10, 10
TYPE, COLOUR = "articleType", "baseColour"
WEIGHTS = (0.0, 0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 1.0)
#: Words of more than one type or colour would be asked for what the catalogue does not call so.
LEAST_OF_BOTH = 5


def main() -> int:
    parser = parser_of(__doc__, index=True)
    parser.add_argument("--queries", type=int, default=600)
    arguments = parsed(parser, queries=20)
    fitting_room = FittingRoom.open(index_at(arguments.index))
    started = time.perf_counter()
    vocabulary = fitting_room.vocabulary
    say(f"The words of {vocabulary.size:,} items: {time.perf_counter() - started:.2f} s to make")
    beside = _beside_pictures(fitting_room, arguments.queries)
    result = {"beside pictures": beside, "alone": _alone(fitting_room)}
    return finish(result, arguments.json)


def _beside_pictures(fitting_room: FittingRoom, queries: int) -> list[dict[str, float]]:
    index = fitting_room.index
    types, colours = (index.items[c].fillna("").astype(str).to_numpy() for c in (TYPE, COLOUR))
    generator = np.random.default_rng(7)
    rows = np.flatnonzero(held_out(index.items["id"], HELD_OUT))
    rows = generator.permutation(rows)[:queries]
    wished, possible = [], []
    for row in rows.tolist():
        of_type = colours[(types == types[row]) & (colours != colours[row])]
        others = np.unique(of_type[of_type != ""])
        wished.append(generator.choice(others) if len(others) else None)
        both = (types == types[row]) & (colours == wished[-1])
        if len(others):
            possible.append(min(RESULTS, int(both.sum())) / RESULTS)
    lines = []
    for weight in WEIGHTS:
        right, seconds = [], []
        for row, colour in zip(rows.tolist(), wished, strict=True):
            if colour is None:
                continue
            query = index.features(np.array([row]))[0]
            own = [str(index.items["id"].iloc[row])]
            started = time.perf_counter()
            found = fitting_room.search(
                query, RESULTS, text=f"in {colour}", text_weight=weight, without=own
            )
            seconds.append(time.perf_counter() - started)
            at = np.array([match.row for match in found])
            same, wanted = types[at] == types[row], colours[at] == colour
            right.append([(same & wanted).sum(), same.sum(), wanted.sum()])
        both, of_type, of_colour = np.sum(right, axis=0) / RESULTS / len(right)
        lines.append({"weight": weight, "type and colour": both, "type": of_type,
                      "colour": of_colour, "ms": 1e3 * statistics.median(seconds)})  # fmt: skip
    say(f"\n{len(right):,} held-out products, each with another colour of its type in words; the "
        f"best that could be: {np.mean(possible):.4f}")  # fmt: skip
    table(lines)
    return lines


def _alone(fitting_room: FittingRoom) -> list[dict[str, float]]:
    items = fitting_room.index.items
    types, colours = (items[c].fillna("").astype(str).to_numpy() for c in (TYPE, COLOUR))
    pairs = items.groupby([TYPE, COLOUR]).size()
    right, possible, seconds = [], [], []
    frequent = pairs[pairs >= LEAST_OF_BOTH]
    for (kind, colour), count in zip(frequent.index.tolist(), frequent.tolist(), strict=True):
        started = time.perf_counter()
        found = fitting_room.search(None, RESULTS, text=f"{colour} {kind}".casefold())
        seconds.append(time.perf_counter() - started)
        at = np.array([match.row for match in found], np.int64)
        right.append([((types[at] == kind) & (colours[at] == colour)).sum(),
                      (types[at] == kind).sum(), (colours[at] == colour).sum()])  # fmt: skip
        possible.append(min(RESULTS, count) / RESULTS)
    both, of_type, of_colour = np.sum(right, axis=0) / RESULTS / len(right)
    say(
        f"{len(right):,} pairs of colour and type in words alone, of which the catalogue has at "
        f"least {LEAST_OF_BOTH}; the best that could be: {np.mean(possible):.4f}"
    )
    lines = [{"pairs": len(right), "type and colour": both, "type": of_type, "colour": of_colour,
              "ms": 1e3 * statistics.median(seconds)}]  # fmt: skip
    table(lines)
    return lines


if __name__ == "__main__":
    sys.exit(main())
