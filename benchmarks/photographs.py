"""How well photographs are answered after a training with other photographs: cross-validation.

    python benchmarks/photographs.py --index cache/fashion [--folds 5] [--per-class N] [--json]

All photographs of the data set, `train/` and `validation/` alike, are dealt into folds, each class
evenly. For each fold a copy of the index is trained with the photographs of the other folds, and
evaluated with those of the fold: each photograph is a query once, of a head that never saw it.
Items with id % 10 == 0 take no part in the trainings, as in docs/relevance.md, and all items are in
the gallery. Printed is how many of the first four results are right in kind, in colour and in both,
of all photographs together, and by class. A head that the index has already is not used.

The intervals speak of other photographs and not of other trainings: each fold is trained once.
Another ``--seed`` trains otherwise and deals other folds.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from at_hand import index as index_at
from at_hand import mapping, photograph_colours, photographs
from common import finish, parsed, parser_of, say, table

from fitting_room import FittingRoom, Settings
from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.catalogue.label_mapping import read_mapping
from fitting_room.catalogue.photograph_colours import read_photograph_colours
from fitting_room.evaluation.evaluate import RESULTS, evaluate
from fitting_room.evaluation.metrics import bootstrap_figures, precision_at_k
from fitting_room.evaluation.queries import CLASS, Queries, load_queries
from fitting_room.evaluation.results import BOTH, COLOUR
from fitting_room.index.head import NO_HEAD
from fitting_room.index.index import Index
from fitting_room.learning.options import TrainingOptions
from fitting_room.learning.train import train

HOLDOUT = 10
#: What is judged, and what it is called here, where the class of a photograph is a column too.
MEASURES = {CLASS: "kind", COLOUR: "colour", BOTH: "both"}


def main() -> int:
    options = arguments()
    mapping, colours = read_mapping(options.mapping), read_photograph_colours(options.colours)
    settings = Settings.from_environment()
    precisions = []
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        work = Path(folder)
        every = unpacked(options.photographs, work / "all", options.per_class, options.seed)
        folds = dealt(every[CLASS], options.folds, options.seed)
        for number in range(options.folds):
            learned = linked(every["image"][folds != number], work, f"{number}-learned")
            asked = linked(every["image"][folds == number], work, f"{number}-asked")
            index = work / f"{number}-index"
            shutil.copytree(options.index, index)
            train(options.catalogue, index, training_options(learned, options), settings=settings)
            queries = load_queries(asked, mapping, colours)
            precisions.append(
                precision_of(FittingRoom.open(index, settings), queries).assign(fold=number + 1)
            )
            shutil.rmtree(index)
            say(f"fold {number + 1} of {options.folds}:")
            table(means(precisions[-1], "fold"))
    together = pd.concat(precisions, ignore_index=True)
    return report(together, len(every), options)


def arguments() -> argparse.Namespace:
    parser = parser_of(__doc__, index=True)
    parser.add_argument("--catalogue", type=Path, help="where that of the index lies now")
    parser.add_argument("--photographs", type=Path, help="class folders")
    parser.add_argument("--mapping", type=Path)
    parser.add_argument("--colours", type=Path, help="that are right for each photograph")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--per-class", type=int, help="so many photographs of each class, to try")
    parser.add_argument("--epochs", type=int, default=TrainingOptions().epochs)
    parser.add_argument("--seed", type=int, default=0, help="of folds, trainings and intervals")
    parser.add_argument("--work", type=Path, help="a folder with room for a copy of the index")
    options = parsed(parser, folds=2, per_class=4, epochs=1)
    if options.folds < 2:
        parser.error("--folds: two at least, one to learn from and one to ask.")
    options.index = index_at(options.index)
    if options.catalogue is None:
        options.catalogue = Path(Index.open(options.index).manifest.catalogue.location)
    options.photographs = options.photographs or photographs()
    options.mapping = options.mapping or mapping()
    options.colours = options.colours or photograph_colours()
    return options


def training_options(photographs: Path, options: argparse.Namespace) -> TrainingOptions:
    """What each fold is trained with. What else a training shall know goes here, a line each."""
    return TrainingOptions(
        holdout=HOLDOUT,
        photographs=photographs,
        mapping=options.mapping,
        colours=options.colours,
        head=NO_HEAD,  # the packaged one has seen photographs of all folds
        epochs=options.epochs,
        seed=options.seed,
    )


def unpacked(source: Path, folder: Path, per_class: int | None, seed: int) -> pd.DataFrame:
    """The photographs of class folders or a zip of them, written to ``folder`` under their names:
    the columns ``image`` and ``class``, a row each. Of each class at most ``per_class``."""
    catalogue, limits = load_catalogue(source), Settings.from_environment().limits
    items = catalogue.items[["image", CLASS]].sample(frac=1, random_state=seed)
    if per_class is not None:
        items = items.groupby(CLASS).head(per_class)
    for name in items["image"]:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(catalogue.store.read(name, limits.max_bytes))
    return items.reset_index(drop=True)


def dealt(classes: pd.Series, folds: int, seed: int) -> np.ndarray:
    """The fold of each photograph, int64 ``(P,)``: of each class, and of all, each fold has as many
    as another or one more."""
    order = np.random.default_rng(seed).permutation(len(classes))
    order = order[np.argsort(classes.to_numpy()[order], kind="stable")]
    fold = np.empty(len(classes), np.int64)
    fold[order] = np.arange(len(classes)) % folds
    return fold


def linked(names: pd.Series, work: Path, name: str) -> Path:
    """A folder with these photographs under the names that they have in ``all``, by which their
    colours are found. Hard links: a catalogue follows no others out of its folder."""
    for image in names:
        path = work / name / image
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(work / "all" / image, path)
    return work / name


def precision_of(fitting_room: FittingRoom, queries: Queries) -> pd.DataFrame:
    """Precision of each photograph by what is judged, missing where it lacks the label, and its
    class. Photographs that cannot be used are not there."""
    answers = evaluate(fitting_room, queries).answers
    precision = {
        called: np.where(answers.labelled[name], precision_at_k(answers.right[name]), np.nan)
        for name, called in MEASURES.items()
    }
    classes = queries.items[CLASS].iloc[answers.query].to_numpy()
    return pd.DataFrame({CLASS: classes, **precision})


def means(precision: pd.DataFrame, by: str) -> list[dict[str, Any]]:
    """Rows of a table: the mean precision of the photographs that have one value of a column."""
    rows = []
    for value, some in precision.groupby(by):
        figures = {name: some[name].dropna() for name in MEASURES.values()}
        known = {name: float(one.mean()) if len(one) else None for name, one in figures.items()}
        rows.append({by: value, "photographs": len(some), **known})
    return rows


def report(precision: pd.DataFrame, photographs: int, options: argparse.Namespace) -> int:
    rows = []
    for called in MEASURES.values():
        values = precision[called].dropna().to_numpy()
        (figure,) = bootstrap_figures(values[None], options.seed)
        counts = {"judged by": called, "photographs": len(values)}
        rows.append(counts | {f"p@{RESULTS}": figure.value, "low": figure.low, "high": figure.high})
    by_fold, by_class = means(precision, "fold"), means(precision, CLASS)
    say(f"{options.folds} folds, seed {options.seed}, holdout {HOLDOUT}; 95 % bootstrap intervals:")
    table(rows)
    say(f"precision@{RESULTS} by fold and by class:")
    table(by_fold)
    table(by_class)
    if len(precision) < photographs:
        say(f"{photographs - len(precision):,} photographs could not be used.")
    settings = {name: str(value) for name, value in vars(options).items() if name != "json"}
    result = {"settings": settings, "together": rows, "by_fold": by_fold, "by_class": by_class}
    return finish(result, options.json)


if __name__ == "__main__":
    sys.exit(main())
