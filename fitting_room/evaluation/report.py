"""An evaluation for people: the figures as text, and an HTML page of the worst queries.

The page is one file that carries its pictures with it. Names and labels come from catalogues and
tables that anybody may have written, so all of them are escaped, and the page allows no scripts.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from fitting_room.catalogue.schema import name_columns
from fitting_room.catalogue.stores import ImageStore
from fitting_room.evaluation.metrics import precision_at_k
from fitting_room.evaluation.queries import CLASS, Queries
from fitting_room.evaluation.results import (
    ALL,
    COLOUR,
    CopyDetection,
    Evaluation,
    EvaluationError,
    OptionError,
)
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageRejected
from fitting_room.index.added import is_added
from fitting_room.util.files import remove_unfinished, write_atomically

#: Queries that a page shows, and results of each at most.
CASES, RESULTS_SHOWN = 40, 24
#: Width and height that pictures are shown within, in pixels.
PICTURE_SIZE = (120, 160)
#: Letters of a name or a label that are shown.
MAX_TEXT = 120
FORMATS = (".html", ".htm")
#: Lines of a table by class that are shown to people; JSON has all.
CLASSES_SHOWN = 20


def as_text(evaluation: Evaluation, copies: CopyDetection | None = None) -> str:
    """The figures as tables for a terminal."""
    tables = figure_tables(evaluation, copies)
    lines = [*summary_lines(evaluation), "", *_aligned(tables[0])]
    for name, metrics in evaluation.metrics.items():
        if not metrics.classes:
            continue
        # Of photographs, what is right in the colour is counted by class as well.
        of_photographs = evaluation.settings["mapping"] is not None and name != CLASS
        what = f"{name} by {CLASS}" if of_photographs else f"by {shorten(name)}"
        lines += ["", f"{what}: queries, precision@{evaluation.k}"]
        lines += [
            f"  {one.queries:>8,}  {one.precision:.3f}  {shorten(value)}"
            for value, one in list(metrics.classes.items())[:CLASSES_SHOWN]
        ]
        if len(metrics.classes) > CLASSES_SHOWN:
            lines.append(f"  and {len(metrics.classes) - CLASSES_SHOWN:,} more: see --json")
    for table in tables[1:]:
        lines += ["", *_aligned(table)]
    return "\n".join(lines)


def summary_lines(evaluation: Evaluation) -> list[str]:
    """What was searched for and what was left out, a sentence a line."""
    counts = {
        "Pictures that could not be used": len(evaluation.rejected),
        "Queries without a label, which were skipped": evaluation.unlabelled,
        "Queries with the very same picture in the gallery": evaluation.identical,
        "Queries without colours, which are judged by their class alone": (
            evaluation.without_colours or 0
        ),
    }
    for name, metrics in evaluation.metrics.items():
        what = f"Queries without a right item in the gallery, by {shorten(name)}, which count as 0"
        counts[what] = metrics.without_relevant
    return [
        f"{evaluation.queries:,} queries, {evaluation.gallery:,} items to be found, "
        f"{evaluation.seconds:.1f} s. In brackets: 95 % bootstrap intervals.",
        *(f"{what}: {count:,}." for what, count in counts.items() if count),
        *([evaluation.without_words] if evaluation.without_words else []),
    ]


def figure_tables(evaluation: Evaluation, copies: CopyDetection | None) -> list[list[list[str]]]:
    """The table of the figures, that of measures that others publish, and that of copy detection if
    it was measured; the first row of each is its header."""
    k = evaluation.k
    figures = [["judged by", "queries", f"precision@{k}", f"mAP@{k}", f"one right of {k}"]]
    for name, one in evaluation.metrics.items():
        means = [str(one.precision), str(one.average_precision), str(one.hit)]
        figures.append([shorten(name), f"{one.queries:,}", *means])
    tables = [figures, *published_tables(evaluation)]
    if copies is None:
        return tables
    recalls = [[f"copies of {copies.items:,}", "found first", f"among the first {copies.k}"]]
    recalls += [[name, str(one.first), str(one.among)] for name, one in copies.changes.items()]
    return [*tables, recalls]


def published_tables(evaluation: Evaluation) -> list[list[list[str]]]:
    """The table of the measures that others publish, with further figures of them if there are
    any; none where nothing was measured."""
    if not evaluation.published:
        return []
    rows = [["as others publish", "queries", "measure", "figure", "also"]]
    for name, one in evaluation.published.items():
        also = ", ".join(f"{other} {figure}" for other, figure in one.others.items())
        rows.append([shorten(name), f"{one.queries:,}", one.metric, str(one.figure), also])
    return [rows if any(row[-1] for row in rows[1:]) else [row[:-1] for row in rows]]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def remarks(evaluation: Evaluation) -> list[str]:
    """What one must know to read the figures rightly."""
    lines = []
    if evaluation.leak:
        lines.append(
            "Attention: the index's head was trained on items that are among these queries, so the "
            "figures flatter it. Train it with --holdout N and evaluate with the same N."
        )
    if (sources := evaluation.settings["head_sources"]) and not evaluation.settings["holdout"]:
        lines.append(
            f"The index's head was trained elsewhere, on {', '.join(sources)}. If any of those are "
            "among these queries, the figures flatter it: use --holdout 10, which it kept back."
        )
    photographs = evaluation.settings["trained_on_photographs"]
    if photographs and evaluation.settings["mapping"] is not None:
        lines.append(
            f"The index's head was trained on {photographs:,} photographs. If any of "
            "them are among these queries, the figures flatter it."
        )
    return lines


def shorten(text: str) -> str:
    """Text from anywhere as one line of printable characters, not too many of them."""
    line = "".join(letter if letter.isprintable() else " " for letter in text).strip()
    return line if len(line) <= MAX_TEXT else line[: MAX_TEXT - 1] + "…"


def check_report(path: Path) -> None:
    """Raise :class:`EvaluationError` where no report could be written, before hours of work."""
    if path.suffix.lower() not in FORMATS:
        raise OptionError(
            f"{path}: a report is an HTML page. Give it a name that ends in {' or '.join(FORMATS)}."
        )
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise EvaluationError(f"{path}: a report cannot be put there. Name a file in a folder.")


def write_report(
    path: Path,
    fitting_room: FittingRoom,
    queries: Queries,
    evaluation: Evaluation,
    copies: CopyDetection | None = None,
) -> None:
    """Write the figures and the worst queries to an HTML page, whole or not at all.

    Raises :class:`EvaluationError`, or ``CatalogueError`` when the catalogue's pictures are gone.
    """
    check_report(path)
    loader = PackageLoader("fitting_room.evaluation", ".")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page = environment.get_template("report.html.jinja").render(
        remarks=remarks(evaluation),
        summary=summary_lines(evaluation),
        tables=figure_tables(evaluation, copies),
        sources={name: one.source for name, one in evaluation.published.items()},
        cases=list(cases(fitting_room, queries, evaluation)),
        shorten=shorten,
    )
    remove_unfinished(path)
    try:
        write_atomically(path, page.encode("utf-8", "replace"))
    except OSError as error:
        raise EvaluationError(f"{path}: the report cannot be written ({error}).") from error


def cases(
    fitting_room: FittingRoom, queries: Queries, evaluation: Evaluation, count: int = CASES
) -> Iterator[dict[str, Any]]:
    """The queries with the lowest precision, the worst first, and their results, best first."""
    answers, columns = evaluation.answers, _columns(queries, evaluation)
    precision = precision_at_k(answers.right[evaluation.primary])
    for place in evaluation.worst(count):
        number = int(answers.query[place])
        query = queries.items.iloc[number]
        results = []
        for rank, row in enumerate(answers.rows[place, :RESULTS_SHOWN].tolist()):
            if row < 0:
                break
            item = fitting_room.index.items.iloc[row]
            labels = []
            for name, column in columns.items():
                judged = answers.labelled[name][place]
                right = bool(answers.right[name][place, rank]) if judged else None
                labels.append(_label(column, item[column], right))
            card = _card(fitting_room, fitting_room.store, item, labels)
            card["similarity"] = float(answers.similarities[place, rank])
            card["right"] = bool(answers.right[evaluation.primary][place, rank])
            results.append(card)
        labels = [_label(name, _expected(queries, number, name)) for name in columns]
        card = _card(fitting_room, queries.store, query, labels, queries.text(number))
        yield {"query": card, "precision": float(precision[place]), "results": results}


def _columns(queries: Queries, evaluation: Evaluation) -> dict[str, str]:
    """Of each of the metrics that has one, the gallery's column that is judged."""
    if queries.mapping is None:
        return {name: name for name in evaluation.metrics if name != ALL}
    colour = {} if queries.colours is None else {COLOUR: queries.colours.column}
    return {CLASS: queries.mapping.column, **colour}


def _expected(queries: Queries, row: int, name: str) -> Any:
    if name == COLOUR and queries.colours is not None:
        return ", ".join(sorted(queries.words[row])) or None
    return queries.items[name].iat[row]


def _label(name: str, value: Any, right: bool | None = None) -> str:
    mark = {None: "", True: "✓ ", False: "✗ "}[right]
    return f"{mark}{name}: {'(none)' if pd.isna(value) else value}"


def _card(
    fitting_room: FittingRoom,
    store: ImageStore,
    item: pd.Series,
    labels: Sequence[str],
    words: str = "",
) -> dict[str, Any]:
    """A name, labels, and the picture as a small JPEG in base64 or ``None``, or the words of a
    query that has no picture."""
    names = [item[column] for column in (*name_columns(item.index), "id")]
    name = next(str(name) for name in names if not pd.isna(name))
    card = {"name": name, "labels": labels, "words": words, "picture": None}
    if words:
        return card
    image = str(item["image"])
    try:
        if is_added(image):  # by hand: the catalogue does not have it
            data = fitting_room.picture(image)
        else:
            data = store.read(image, fitting_room.limits.max_bytes)
        picture = fitting_room.open_picture(data, image)
    except ImageRejected:
        return card
    picture.thumbnail(PICTURE_SIZE)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return {**card, "picture": base64.b64encode(buffer.getvalue()).decode("ascii")}
