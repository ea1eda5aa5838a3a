"""An evaluation for people: the figures in words, and a page of the queries that fared worst.

A page is one file that carries its pictures with it, or Markdown with a folder of small pictures
beside it. Names and labels come from catalogues and tables that anybody may have written, so
every one of them is escaped, and the page allows no scripts.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from fitting_room.catalogue.schema import NAME_COLUMNS
from fitting_room.evaluation.copy_detection import Copies
from fitting_room.evaluation.evaluate import (
    ALL,
    Evaluation,
    EvaluationError,
    QuestionError,
    precision_at_k,
    worst,
)
from fitting_room.evaluation.queries import Queries
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageRejected
from fitting_room.util.files import write_atomically

#: Queries that a page shows, and results of each at most.
CASES, RESULTS_SHOWN = 40, 24
#: Width and height that pictures are shown within, in pixels.
PICTURE_SIZE = (120, 160)
#: Letters of a name or a label that are shown.
MAX_TEXT = 120
FORMATS = (".html", ".htm", ".md")


# --- what is shown ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Label:
    """A column and a value there, and whether that is right, where it was judged."""

    column: str
    value: str | None
    right: bool | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """One answer as it is shown: ``picture`` is a small JPEG, or ``None`` where it cannot be
    read."""

    name: str
    picture: bytes | None
    similarity: float
    right: bool
    labels: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One query as it is shown, with its results, best first."""

    name: str
    picture: bytes | None
    precision: float
    labels: tuple[Label, ...]
    results: tuple[Result, ...]


def cases(
    fitting_room: FittingRoom, queries: Queries, evaluation: Evaluation, count: int = CASES
) -> Iterator[Case]:
    """The queries that fared worst, the worst first."""
    answers, main = evaluation.answers, evaluation.main
    precision = precision_at_k(answers.right[main])
    columns = [name for name in evaluation.measures if name != ALL]
    for place in worst(evaluation, count):
        item = queries.items.iloc[int(answers.query[place])]
        data = _reading(queries.store.read, fitting_room, str(item["image"]))
        yield Case(
            _name(item),
            data,
            float(precision[place]),
            tuple(Label(column, _text(item[column])) for column in columns),
            tuple(_results(fitting_room, queries, evaluation, place, columns)),
        )


def _results(
    fitting_room: FittingRoom,
    queries: Queries,
    evaluation: Evaluation,
    place: int,
    columns: Sequence[str],
) -> Iterator[Result]:
    answers = evaluation.answers
    for rank in range(min(evaluation.k, RESULTS_SHOWN)):
        row = int(answers.rows[place, rank])
        if row < 0:
            return
        item = fitting_room.index.items.iloc[row]
        labels = []
        for column in columns:
            asked = bool(answers.asked[column][place])
            shown = queries.mapping.column if queries.mapping is not None else column
            right = bool(answers.right[column][place, rank]) if asked else None
            labels.append(Label(shown, _text(item[shown]), right))
        yield Result(
            _name(item),
            _reading(fitting_room.store.read, fitting_room, str(item["image"])),
            float(answers.similarities[place, rank]),
            bool(answers.right[evaluation.main][place, rank]),
            tuple(labels),
        )


def _name(item: pd.Series) -> str:
    named = (item[column] for column in NAME_COLUMNS if column in item.index)
    return next((str(name) for name in named if not pd.isna(name)), str(item["id"]))


def _text(value: object) -> str | None:
    return None if pd.isna(value) else str(value)  # type: ignore[call-overload]


def _reading(
    read: Callable[[str, int], bytes], fitting_room: FittingRoom, image: str
) -> bytes | None:
    """The picture, small, as JPEG."""
    try:
        picture = fitting_room.open_picture(read(image, fitting_room.limits.max_bytes), image)
    except ImageRejected:
        return None
    picture.thumbnail(PICTURE_SIZE)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


# --- writing ----------------------------------------------------------------------------------


def check_report(path: Path) -> None:
    """Raise :class:`EvaluationError` where no report could be written, before hours of work."""
    if path.suffix.lower() not in FORMATS:
        raise QuestionError(f"{path}: name a report that ends in .html or .md.")
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise EvaluationError(f"{path}: a report cannot be put there. Name a file in a folder.")


def write_report(
    path: Path,
    fitting_room: FittingRoom,
    queries: Queries,
    evaluation: Evaluation,
    copies: Copies | None = None,
) -> None:
    """Write the figures and the worst queries to a page, whole or not at all: HTML, or Markdown
    where ``path`` ends in ``.md``, with pictures in the folder ``NAME-pictures`` beside it.

    Raises :class:`EvaluationError`, or ``CatalogueError`` when the catalogue's pictures are gone.
    """
    check_report(path)
    found = list(cases(fitting_room, queries, evaluation))
    try:
        if path.suffix.lower() == ".md":
            _write_markdown(path, found, evaluation, copies)
        else:
            write_atomically(path, as_html(found, evaluation, copies).encode("utf-8", "replace"))
    except OSError as error:
        raise EvaluationError(f"{path}: the report cannot be written ({error}).") from error


def _write_markdown(
    path: Path, found: Sequence[Case], evaluation: Evaluation, copies: Copies | None
) -> None:
    """Pictures are named by their digest and never change: an earlier page stays whole until the
    new one takes its place, and only then do the pictures go that no page shows any more."""
    folder = path.with_name(f"{path.stem}-pictures")
    folder.mkdir(exist_ok=True)
    before = {file.name for file in folder.iterdir()}
    shown: set[str] = set()

    def place(picture: bytes) -> str:
        name = hashlib.blake2b(picture, digest_size=16).hexdigest() + ".jpg"
        if name not in before and name not in shown:
            write_atomically(folder / name, picture)
        shown.add(name)
        return f"{folder.name}/{name}"

    try:
        text = as_markdown(found, evaluation, copies, place)
        write_atomically(path, text.encode("utf-8", "replace"))
    except BaseException:
        _remove(folder, shown - before)
        raise
    _remove(folder, {name for name in before - shown if re.fullmatch(r"[0-9a-f]{32}\.jpg", name)})


def _remove(folder: Path, names: set[str]) -> None:
    for name in names:
        (folder / name).unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()


def _shown(text: str) -> str:
    """Text of anybody's as one line of printable characters."""
    line = "".join(letter if letter.isprintable() else " " for letter in text).strip()
    return line if len(line) <= MAX_TEXT else line[: MAX_TEXT - 1] + "…"


# --- HTML -------------------------------------------------------------------------------------

_STYLE = """
:root { color-scheme: light dark; --ground: #fff; --text: #1c1c1e; --quiet: #5b5b62;
  --line: #c9c9cf; --right: #176639; --wrong: #a3231f; }
@media (prefers-color-scheme: dark) { :root { --ground: #17171a; --text: #ececef;
  --quiet: #a5a5ad; --line: #45454c; --right: #7fd6a1; --wrong: #ff9d97; } }
body { background: var(--ground); color: var(--text); font: 15px/1.45 system-ui, sans-serif;
  margin: 0 auto; max-width: 70rem; padding: 1.5rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 0; }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .8rem; text-align: left;
  white-space: nowrap; }
article { border-top: 1px solid var(--line); padding: 1.2rem 0; }
.row { display: flex; flex-wrap: wrap; gap: .8rem; margin: .8rem 0 0; padding: 0;
  list-style: none; }
.row > * { border: 2px solid var(--line); border-radius: .5rem; padding: .5rem; width: 10rem;
  box-sizing: border-box; }
.row > .right { border-color: var(--right); } .row > .wrong { border: 2px dashed var(--wrong); }
img, .none { background: #fff; color: #5b5b62; display: block; height: 160px; margin: 0 auto .4rem;
  max-width: 120px; object-fit: contain; }
.row ul { list-style: none; padding: 0; margin: .2rem 0 0; font-size: .85rem; }
.quiet { color: var(--quiet); font-size: .85rem; }
.verdict { font-weight: 600; } .right .verdict { color: var(--right); }
.wrong .verdict { color: var(--wrong); }
.attention { border: 2px solid var(--wrong); border-radius: .5rem; padding: .8rem; }
"""

#: No scripts, no connections: nothing but what the page brings with it.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def as_html(found: Sequence[Case], evaluation: Evaluation, copies: Copies | None) -> str:
    """The page in one piece."""
    figures = "".join(_html_row(cells) for cells in figure_rows(evaluation)[1:])
    recalls = "".join(_html_row(cells) for cells in recall_rows(copies)[1:])
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Fitting Room: evaluation</title>\n<style>{_STYLE}</style>\n</head>\n<body>",
        "<h1>How good the answers are</h1>",
        *(f'<p class="attention">{_html(remark, most=None)}</p>' for remark in remarks(evaluation)),
        "".join(f"<p>{_html(line, most=None)}</p>" for line in summary_lines(evaluation)),
        f"<table>{_html_row(figure_rows(evaluation)[0], 'th')}{figures}</table>",
    ]
    if copies is not None:
        parts.append(f"<table>{_html_row(recall_rows(copies)[0], 'th')}{recalls}</table>")
    parts.append(f"<p>{_html(worst_line(found), most=None)}</p>")
    parts += [_html_case(number, case) for number, case in enumerate(found, 1)]
    return "\n".join([*parts, "</body>\n</html>\n"])


def _html_row(cells: Sequence[str], tag: str = "td") -> str:
    return "<tr>" + "".join(f"<{tag}>{_html(cell)}</{tag}>" for cell in cells) + "</tr>"


def _html_case(number: int, case: Case) -> str:
    results = "".join(_html_result(rank, result) for rank, result in enumerate(case.results, 1))
    return (
        f'<article>\n<h2>{number}. {_html(case.name)}</h2>\n<ol class="row">\n'
        f"<li>{_html_picture(case.picture, 'Query: ' + case.name)}"
        f'<span class="verdict">Query</span><br>{case.precision:.0%} right'
        f"{_html_labels(case.labels)}</li>\n{results}</ol>\n</article>"
    )


def _html_result(rank: int, result: Result) -> str:
    return (
        f'<li class="{"right" if result.right else "wrong"}">'
        f"{_html_picture(result.picture, f'Result {rank}: {result.name}')}"
        f'<span class="verdict">{_verdict(result.right)}</span> {result.similarity:.3f}<br>'
        f'<span class="quiet">{_html(result.name)}</span>{_html_labels(result.labels)}</li>\n'
    )


def _html_picture(picture: bytes | None, name: str) -> str:
    if picture is None:
        return '<span class="none">The picture cannot be shown.</span>'
    data = base64.b64encode(picture).decode("ascii")
    return f'<img src="data:image/jpeg;base64,{data}" alt="{_html(name)}">'


def _html_labels(labels: Sequence[Label]) -> str:
    lines = (f"<li>{_html(_label(label))}</li>" for label in labels)
    return f"<ul>{''.join(lines)}</ul>"


def _html(text: str, most: int | None = MAX_TEXT) -> str:
    return html.escape(_shown(text) if most is not None else text, quote=True)


def _verdict(right: bool) -> str:
    return "✓ right" if right else "✗ wrong"


def _label(label: Label) -> str:
    value = "(none)" if label.value is None else label.value
    mark = {None: "", True: "✓ ", False: "✗ "}[label.right]
    return f"{mark}{label.column}: {value}"


# --- Markdown ---------------------------------------------------------------------------------


def as_markdown(
    found: Sequence[Case],
    evaluation: Evaluation,
    copies: Copies | None,
    place: Callable[[bytes], str],
) -> str:
    """The page as Markdown. ``place`` puts a picture somewhere and answers its address."""
    lines = ["# How good the answers are", ""]
    for remark in remarks(evaluation):
        lines += [f"**{_markdown(remark, most=None)}**", ""]
    for line in summary_lines(evaluation):
        lines += [_markdown(line, most=None), ""]
    lines += _markdown_table(figure_rows(evaluation))
    if copies is not None:
        lines += _markdown_table(recall_rows(copies))
    lines += [_markdown(worst_line(found), most=None), ""]
    for number, case in enumerate(found, 1):
        lines += [f"## {number}. {_markdown(case.name)}", ""]
        cells = ["| | picture | likeness | name | labels |", "|" + " --- |" * 5]
        cells.append(
            _markdown_row(
                f"query, {case.precision:.0%} right",
                _markdown_picture(case.picture, case.name, place),
                "",
                _markdown(case.name),
                _markdown_labels(case.labels),
            )
        )
        for result in case.results:
            cells.append(
                _markdown_row(
                    _verdict(result.right),
                    _markdown_picture(result.picture, result.name, place),
                    f"{result.similarity:.3f}",
                    _markdown(result.name),
                    _markdown_labels(result.labels),
                )
            )
        lines += [*cells, ""]
    return "\n".join(lines)


def _markdown_table(rows: Sequence[Sequence[str]]) -> list[str]:
    cells = [_markdown_row(*(_markdown(cell) for cell in row)) for row in rows]
    return [cells[0], "|" + " --- |" * len(rows[0]), *cells[1:], ""]


def _markdown_row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _markdown_picture(picture: bytes | None, name: str, place: Callable[[bytes], str]) -> str:
    if picture is None:
        return "cannot be shown"
    # The folder is named like the page, whose name may hold anything.
    address = quote(place(picture))
    return f"![{_markdown(name)}]({address})"


def _markdown_labels(labels: Sequence[Label]) -> str:
    return "<br>".join(_markdown(_label(label)) for label in labels)


def _markdown(text: str, most: int | None = MAX_TEXT) -> str:
    """Text in which nothing means anything to Markdown, or to the HTML that it may hold."""
    text = html.escape(_shown(text) if most is not None else text, quote=False)
    # A colon before // would make an address a link by itself.
    return re.sub(r"([\\`*_{}\[\]#|~$]|:(?=//))", r"\\\1", text)


# --- figures in words -------------------------------------------------------------------------

#: Lines of a table by class that are shown to people; JSON has all.
CLASSES_SHOWN = 20


def in_words(evaluation: Evaluation, copies: Copies | None = None) -> str:
    """The figures as tables for a terminal."""
    lines = [*summary_lines(evaluation), "", *_aligned(figure_rows(evaluation))]
    for name, measure in evaluation.measures.items():
        if not measure.classes:
            continue
        lines += ["", f"by {_shown(name)}: queries, precision@{evaluation.k}"]
        lines += [
            f"  {one.queries:>8,}  {one.precision:.3f}  {_shown(one.value)}"
            for one in measure.classes[:CLASSES_SHOWN]
        ]
        if len(measure.classes) > CLASSES_SHOWN:
            lines.append(f"  and {len(measure.classes) - CLASSES_SHOWN:,} more: see --json")
    if copies is not None:
        lines += ["", *_aligned(recall_rows(copies))]
    return "\n".join(lines)


def summary_lines(evaluation: Evaluation) -> list[str]:
    """What was asked and what was left out, a sentence a line."""
    lines = [
        f"{evaluation.queries:,} queries, {evaluation.gallery:,} items to be found, "
        f"{evaluation.seconds:.1f} s. In brackets: 95 % bootstrap intervals."
    ]
    for count, what in (
        (len(evaluation.rejected), "Pictures that could not be used"),
        (evaluation.unlabelled, "Queries without a label, which were not asked"),
        (evaluation.identical, "Queries with the very same picture in the gallery"),
    ):
        if count:
            lines.append(f"{what}: {count:,}.")
    lines += [
        f"Queries without a right answer in the gallery, by {_shown(name)}, which count as 0: "
        f"{measure.without_relevant:,}."
        for name, measure in evaluation.measures.items()
        if measure.without_relevant
    ]
    return lines


def figure_rows(evaluation: Evaluation) -> list[tuple[str, ...]]:
    """A table of the figures, its header first."""
    k = evaluation.k
    header = ("judged by", "queries", f"precision@{k}", f"mAP@{k}", f"one right of {k}")
    rows = [
        (
            _shown(name),
            f"{measure.queries:,}",
            str(measure.precision),
            str(measure.average_precision),
            str(measure.hit),
        )
        for name, measure in evaluation.measures.items()
    ]
    return [header, *rows]


def recall_rows(copies: Copies | None) -> list[tuple[str, ...]]:
    """A table of the copies that found their original, its header first."""
    if copies is None:
        return [()]
    header = (f"copies of {copies.items:,}", "found first", f"among the first {copies.k}")
    rows = [(n, str(recall.first), str(recall.among)) for n, recall in copies.changes.items()]
    return [header, *rows]


def worst_line(found: Sequence[Case]) -> str:
    """What the page shows below its figures."""
    if not found:
        return "Every result is right."
    return (
        f"The {len(found)} worst queries, the worst first. Of each result: its likeness, its name, "
        "and which of its labels are right (✓) and wrong (✗)."
    )


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def remarks(evaluation: Evaluation) -> list[str]:
    """What must be known to read the figures rightly."""
    said = []
    if evaluation.leak:
        said.append(
            "Attention: the index's head was trained on items that were asked about here, so these "
            "figures flatter it. Train it with --holdout N and evaluate with the same N."
        )
    if evaluation.photographs and evaluation.settings["mapping"] is not None:
        said.append(
            f"The index's head was trained on {evaluation.photographs:,} photographs. If any of "
            "them are among these queries, the figures flatter it."
        )
    return said
