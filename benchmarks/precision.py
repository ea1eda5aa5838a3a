"""What fewer bits cost and save: precision@4, agreement with 32 bits, and time, in one run.

    python benchmarks/precision.py [--backbone efficientnet_lite0] [--every 8] [--json]

The same items are indexed once in each numeric precision that this machine computes in hardware,
and each index is searched by the protocol of docs/relevance.md: items with id % 10 == 0 are
queries, the others the gallery; where too few ids are multiples of ten, each item searches all the
others. The catalogue is one item in ``--every`` of the real one where it lies beside the project,
else the bundled demo; the output says which. A shortcut in arithmetic is accepted while "all" falls
by at most 0.005.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import CATALOGUE, PROJECT, finish, in_turn, parsed, parser_of, say, table, used

from fitting_room import FittingRoom, Settings, SimilarityOptions, open_image
from fitting_room.embedding.backbones import select
from fitting_room.embedding.engine import EngineError, make_engine
from fitting_room.evaluation.copy_detection import detect_copies
from fitting_room.evaluation.evaluate import evaluate
from fitting_room.evaluation.queries import load_queries
from fitting_room.imaging.preprocess import prepare

COLUMNS = ("articleType", "baseColour", "gender")
#: What a search does before anybody trains a head: the figure that a visitor sees first.
UNTRAINED = SimilarityOptions(trained=False)
FEWEST_QUERIES = 50
#: Items whose changed copies are looked for.
COPIES_OF = 250


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--every", type=int, default=8, help="one item in so many of the real one")
    parser.add_argument("--rounds", type=int, default=5)
    options = parsed(parser, every=100, rounds=1)
    settings = replace(Settings.from_environment(), backbone=options.backbone)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        catalogue = some_of(CATALOGUE, options.every, work) if CATALOGUE.exists() else None
        source = catalogue or PROJECT / "data" / "demo"
        opened = {
            precision: FittingRoom.build(
                source, work / precision, settings=replace(settings, precision=precision)
            )
            for precision in precisions(options.backbone)
        }
        rows = [
            measured(name, fitting_room, opened["f32"], source)
            for name, fitting_room in opened.items()
        ]
        for row, time in zip(rows, times(opened, source, options.rounds), strict=True):
            row["ms a picture"] = time
    label = f"one in {options.every} of {CATALOGUE.name}" if catalogue else "the bundled demo"
    used["catalogue"] = label
    say(f"{options.backbone}, {len(opened['f32'].index):,} items: {label}")
    table(rows)
    if len(rows) == 1:
        say("Nothing to compare: this processor computes in 32 bits, and nncf is not here.")
    return finish({"catalogue": label, "precisions": rows}, options.json)


def precisions(backbone: str) -> list[str]:
    """32 bits, 16 bits where ``auto`` takes them on this machine, and 8 where they can be made."""
    usual = make_engine(select(backbone)).name.rsplit(" ", 1)[-1]
    if find_spec("fitting_room.embedding.quantised") is None:  # an earlier checkout
        return list(dict.fromkeys(("f32", usual)))
    from fitting_room.embedding import quantised

    if why := quantised.lacks_nncf():
        say(f"8 bits are left out: {why}")
    return list(dict.fromkeys(("f32", usual, *([] if why else [quantised.INT8]))))


def some_of(catalogue: Path, every: int, work: Path) -> Path:
    """A catalogue of one item in ``every``: rows of the table, and a copy of the archive, as links
    out of a catalogue are not followed."""
    folder = work / "catalogue"
    folder.mkdir()
    header, *lines = (catalogue / "styles.csv").read_text("utf-8").splitlines()
    # Tens decide, so that ids of every last digit stay and each tenth item is a query.
    kept = [line for line in lines if int(line.split(",", 1)[0]) // 10 % every == 0]
    (folder / "styles.csv").write_text("\n".join([header, *kept]) + "\n", "utf-8")
    shutil.copy(catalogue / "images.zip", folder / "images.zip")
    return folder


def measured(
    name: str, fitting_room: FittingRoom, exact: FittingRoom, source: Path
) -> dict[str, Any]:
    """Precision@4 of an index without and with the packaged head, how often a changed copy of a
    picture finds its original first, and how far it agrees with the one in 32 bits."""
    ids = pd.to_numeric(fitting_room.index.items["id"], errors="coerce")
    holdout = 10 if (ids % 10 == 0).sum() >= FEWEST_QUERIES else None
    figures = {}
    for label, options in (("", UNTRAINED), (" head", SimilarityOptions())):
        result = evaluate(
            fitting_room, load_queries(source), k=4, columns=COLUMNS, holdout=holdout,
            options=options,
        ).as_dict()  # fmt: skip
        for column, measure in result["metrics"].items():
            figures[f"p@4 {column}{label}"] = measure["precision"]["value"]
    vectors, reference = (
        np.asarray(one.index.vectors, np.float32) for one in (fitting_room, exact)
    )
    cosines = (vectors * reference).sum(axis=1)
    best, wanted = top_10(vectors), top_10(reference)
    same = [len(np.intersect1d(a, b)) / len(b) for a, b in zip(best, wanted, strict=True)]
    return {
        "precision": name,
        **figures,
        "copies first": copies_found(fitting_room),
        "mean cosine": float(cosines.mean()),
        "least cosine": float(cosines.min()),
        "same top 10": float(np.mean(same)),
    }


def copies_found(fitting_room: FittingRoom) -> float:
    """The share of items whose changed copies (docs/relevance.md) find them first."""
    found = detect_copies(fitting_room, COPIES_OF)
    return float(np.mean([recall.first.value for recall in found.changes.values()]))


def top_10(vectors: np.ndarray) -> np.ndarray:
    """The ten nearest other rows of up to 1,000 rows, int64 ``(Q, 10)``."""
    step = max(1, len(vectors) // 1_000)
    scores = vectors[::step] @ vectors.T
    scores[np.arange(len(scores)), np.arange(0, len(vectors), step)] = -1
    return np.argpartition(-scores, 10, axis=1)[:, :10]


def times(opened: dict[str, FittingRoom], source: Path, rounds: int) -> list[float]:
    """Median milliseconds a picture in the network, taken in turn."""
    first = next(iter(opened.values()))
    names = first.index.items["image"].iloc[:64]
    images = [open_image(first.picture(str(name))) for name in names]
    size = first.embedder.selection.backbone.input_size
    batch = np.stack([prepare(image, size) for image in images])
    runs = {name: partial(one.embedder.engine, batch) for name, one in opened.items()}
    seconds = in_turn(runs, rounds)
    return [float(np.median(seconds[name])) * 1_000 / len(batch) for name in opened]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EngineError as error:
        sys.exit(str(error))
