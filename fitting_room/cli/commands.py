"""What each command does; arguments come parsed (:mod:`fitting_room.cli.parser`).

A command answers its exit status and raises what :func:`fitting_room.cli.main` reports.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, fields
from functools import partial
from typing import Any, TypeVar

from tqdm import tqdm

from fitting_room.build.writer import write_head
from fitting_room.catalogue.label_mapping import MAPPING_COLUMN, read_mapping
from fitting_room.catalogue.photograph_colours import COLOUR_COLUMN, read_photograph_colours
from fitting_room.catalogue.reading_options import ReadingOptions
from fitting_room.cli.output import say, show
from fitting_room.databases.address import is_address
from fitting_room.evaluation.queries import Queries, load_queries
from fitting_room.facade import FittingRoom
from fitting_room.index.description import (
    IndexDescription,
    Validation,
    count_in_words,
    describe_index,
    learned_from,
    validation_of,
)
from fitting_room.index.edits import undone_in_words
from fitting_room.index.head import FASHION, is_trained_here
from fitting_room.index.index import Index
from fitting_room.index.scoring import SimilarityOptions
from fitting_room.learning.options import TrainingError, TrainingOptions, check_options
from fitting_room.learning.train import packaged_head, train
from fitting_room.settings import Settings
from fitting_room.util.progress import Listener, Progress

USAGE, FAILURE, INTERRUPTED = 2, 1, 130
#: Rejected pictures that are named one by one.
REJECTED_NAMED = 20
T = TypeVar("T", ReadingOptions, SimilarityOptions, TrainingOptions)


class UsageError(ValueError):
    """Arguments that do not go together."""


def build(options: argparse.Namespace, settings: Settings) -> int:
    """Embed a catalogue's pictures and write its index. Run again after a change, it embeds only
    what is new or changed; stopped at any moment, it goes on where it was."""
    fitting_room = _built(options, settings)
    description, summary = describe_index(fitting_room.index), fitting_room.summary
    if summary is None:
        raise RuntimeError("a build has a summary")
    # What a person should know goes to stderr in either form, so that it is never hidden.
    selection = fitting_room.embedder.selection
    say(f"Network: {selection.backbone.title} ({selection.weights.name}): {selection.why}.")
    say(f"It was computed by {fitting_room.embedder.engine.name}.")
    if selection.advice:
        say(f"To get the default network: {selection.advice}")
    if damage := summary.damage_in_words:
        say(damage)
    if summary.head == "dropped":
        say(
            "What was trained before does not fit this index any more and is gone. Train again "
            f"with: fitting-room train {options.catalogue} --index {options.index}"
        )
    if undone := undone_in_words(summary.added_gone, summary.gone_back):
        say(undone)
    say_rejected(summary.failures, ": see fitting-room info")
    if options.json:
        counted = {k: v for k, v in asdict(summary).items() if k != "failures"}
        show(json.dumps({**counted, "report": fitting_room.index.manifest.catalogue.report}))
    else:
        show(*_rows_in_words(description))
        if description.trained is not None:
            show(f"trained     {description.trained}")
        items = count_in_words(fitting_room.index)
        show(
            f"{items} in {fitting_room.index.place} after {summary.seconds:.1f} s: "
            f"{summary.reused:,} reused, {summary.failed:,} failed, "
            f"{summary.images_per_second:.0f} pictures/s embedded"
        )
    return 0


def _built(options: argparse.Namespace, settings: Settings) -> FittingRoom:
    """Build as the options say, here or on the machines of a Ray cluster."""
    chosen: dict[str, Any] = {
        "reading": values_of(ReadingOptions, options),
        "input_size": options.input_size,
        "head": options.head,
        "pca": options.pca,
        "storage": options.storage,
    }
    with terminal_progress() as progress:
        build_here: Callable[..., FittingRoom] = partial(
            FittingRoom.build, options.catalogue, options.index, settings=settings,
            listener=progress, **chosen,
        )  # fmt: skip
        if options.ray is None:
            return build_here()
        from fitting_room.cluster.connection import connected
        from fitting_room.cluster.databases import build_in_database
        from fitting_room.cluster.embedding import on_cluster

        with connected(options.ray):
            if not is_address(options.index):
                return build_here(elsewhere=on_cluster)
            summary = build_in_database(
                options.catalogue, options.index, settings=settings, listener=progress, **chosen
            )
        fitting_room = FittingRoom.open(options.index, settings)
        fitting_room.summary = summary
        return fitting_room


def train_head(options: argparse.Namespace, settings: Settings) -> int:
    """Learn from a catalogue's labels which items belong together, so that its index ranks by
    them. The network stays as it is, unless blocks of it are fine-tuned first."""
    if options.remove:
        return _remove_head(options)
    if options.catalogue is None:
        raise UsageError("train: name the catalogue to learn from, or --remove what was learned.")
    training = values_of(TrainingOptions, options)
    try:
        check_options(training)
    except TrainingError as error:
        raise UsageError(str(error)) from error
    with terminal_progress() as progress:
        summary = train(
            options.catalogue,
            options.index,
            training,
            reading=values_of(ReadingOptions, options),
            settings=settings,
            listener=progress,
        )
    if summary.skipped:
        say(f"{summary.skipped:,} photographs could not be used.")
    if options.json:
        show(json.dumps(asdict(summary)))
        return 0
    best = f"epoch {summary.best_epoch} of {summary.epochs} was the best"
    if summary.best_epoch == 0:
        best = f"none of {summary.epochs} epochs was better than the head that it started from"
    show(
        f"Learned from {learned_from(summary.items, summary.photographs)} in "
        f"{summary.seconds:.1f} s; {best}. {options.index} uses it from now on."
    )
    show(*_validation_in_words(validation_of(summary.validation)))
    return 0


def _remove_head(options: argparse.Namespace) -> int:
    index = Index.open(options.index)
    had_one = index.head is not None and is_trained_here(index.head)
    text = "nothing to do."
    if had_one:
        packaged = packaged_head(index)
        write_head(options.index, packaged)
        text = "what was learned here is gone."
        if packaged is not None:
            text += f" The packaged head, {FASHION}, is in use again."
    show(json.dumps({"removed": had_one}) if options.json else f"{options.index}: {text}")
    return 0


def evaluate(options: argparse.Namespace, settings: Settings) -> int:
    """Query an index with pictures whose right matches are known, and print how many of the first
    matches are right. Without --holdout, a picture is never its own match."""
    from fitting_room.evaluation import copy_detection, records, report
    from fitting_room.evaluation.evaluate import evaluate as measure

    _check_labels(options)
    if options.report:
        report.check_report(options.report)
    fitting_room, queries = FittingRoom.open(options.index, settings), _queries(options)
    shared: dict[str, Any] = {name: getattr(options, name) for name in ("k", "holdout", "seed")}
    shared |= {"where": where_of(options), "options": values_of(SimilarityOptions, options)}
    copies = None
    with terminal_progress() as progress:
        shared["listener"] = progress
        evaluation = measure(
            fitting_room,
            queries,
            columns=options.columns,
            name_weight=options.name_weight,
            **shared,
        )
        if options.copies:
            copies = copy_detection.detect_copies(fitting_room, options.copies, **shared)
    if (record := records.record_of(evaluation, fitting_room.index.identity)) is not None:
        records.keep(record, settings.cache)
    for remark in report.remarks(evaluation):
        say(remark)
    say_rejected(evaluation.rejected)
    if options.report:
        report.write_report(options.report, fitting_room, queries, evaluation, copies)
        say(f"The worst queries are in {options.report}.")
    if options.json:
        show(json.dumps({**evaluation.as_dict(), "copies": copies and copies.as_dict()}))
    else:
        show(report.as_text(evaluation, copies))
    return 0


def _check_labels(options: argparse.Namespace) -> None:
    """Raise :class:`UsageError` for options of what is right that do not go together."""
    for option, value, needed, given in (
        ("--mapping-column", options.mapping_column, "--mapping", options.mapping),
        ("--colours", options.colours, "--mapping", options.mapping),
        ("--colour-column", options.colour_column, "--colours", options.colours),
    ):
        if value and not given:
            raise UsageError(f"{option} goes with {needed} FILE.")
    if options.mapping and options.columns:
        raise UsageError("--columns and --mapping do not go together: the mapping has the column.")


def _queries(options: argparse.Namespace) -> Queries:
    mapping = colours = None
    if options.mapping:
        mapping = read_mapping(options.mapping, options.mapping_column or MAPPING_COLUMN)
    if options.colours:
        column = options.colour_column or COLOUR_COLUMN
        colours = read_photograph_colours(options.colours, column)
    return load_queries(options.queries, mapping, colours, values_of(ReadingOptions, options))


# --- arguments --------------------------------------------------------------------------------


def values_of(kind: type[T], options: argparse.Namespace) -> T:
    """A dataclass of options with the values that the command line has for its fields."""
    names = {field.name for field in fields(kind)}
    return kind(**{name: value for name, value in vars(options).items() if name in names})


def where_of(options: argparse.Namespace) -> dict[str, list[str]]:
    return {column: [v for c, v in options.where if c == column] for column, _ in options.where}


# --- output -----------------------------------------------------------------------------------


def in_words(index: IndexDescription, *, is_local: bool = True) -> Iterator[str]:
    yield index.items
    for label in ("network", "embeddings", "searched", "trained", "built", "changed"):
        if (text := getattr(index, label)) is not None:
            yield f"{label:11} {text}"
    yield from _validation_in_words(index.validation)
    yield from _rows_in_words(index)
    if index.failed:
        yield f"{index.failed:,} pictures could not be used:"
        yield from (f"  {item}: {reason}" for item, reason in index.failures)
    if index.advice:
        yield f"To get the default network: {index.advice}"
    if is_local:
        yield "All checksums are right."
    else:
        yield "The checksums of what the database keeps beside its rows are right."


def _rows_in_words(index: IndexDescription) -> Iterator[str]:
    """What became of the catalogue's rows."""
    yield f"catalogue   {index.rows:,} rows read"
    yield from (f"  {sentence}" for sentence in index.read_as)
    for outcome, count, ids in index.outcomes:
        yield f"  {count:,} {outcome}" + (f" (e.g. {', '.join(ids)})" if ids else "")
    if index.empty:
        cells = ", ".join(f"{column} {count:,}" for column, count in index.empty.items())
        yield f"  kept with an empty cell: {cells}"


def _validation_in_words(validation: Sequence[Validation]) -> Iterator[str]:
    if validation:
        yield "Right among the first four matches of items that were kept back:"
    width = max((len(column) for column, _, _ in validation), default=0)
    for column, before, after in validation:
        known = "" if before is None else f"  (before: {before:.3f})"
        yield f"  {column:{width}}  {after:.3f}{known}"


@contextmanager
def terminal_progress() -> Iterator[Listener]:
    """Show progress on stderr, one bar a stage."""
    bar: Any = None

    def show(progress: Progress) -> None:
        nonlocal bar
        if bar is None or bar.desc != progress.stage:
            bars.close()
            bar = tqdm(
                desc=progress.stage,
                total=progress.total or None,
                unit=progress.unit,
                unit_scale=progress.unit == "B",
                # A single step has no rate and no time left.
                bar_format="{desc} ..." if progress.total == 1 else None,
                dynamic_ncols=True,
                file=sys.stderr,
            )
            bars.callback(bar.close)
        bar.update(progress.done - bar.n)

    with ExitStack() as bars:
        yield show


def say_rejected(rejected: Sequence[tuple[str, str]], hint: str = "") -> None:
    for name, reason in rejected[:REJECTED_NAMED]:
        say(f"Skipped {name}: {reason}")
    if len(rejected) > REJECTED_NAMED:
        say(f"... and {len(rejected) - REJECTED_NAMED:,} more{hint}.")
