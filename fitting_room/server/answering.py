"""The searches of the API, as its threads compute them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import numpy as np

from fitting_room.facade import FittingRoom
from fitting_room.imaging.blank import EMPTY_PAGE, is_empty_page
from fitting_room.imaging.decode import ImageRejected
from fitting_room.imaging.features import Features
from fitting_room.search import answers
from fitting_room.search.answers import Answer
from fitting_room.search.fulfilment import judged
from fitting_room.search.numbers import order_of
from fitting_room.search.searcher import Match as Found
from fitting_room.search.wishes import Understood
from fitting_room.server.models import Item, Likeness, Match, Part, Parts, Result
from fitting_room.server.problems import Problem
from fitting_room.server.requests import File, Question
from fitting_room.server.service import Service


def search(
    service: Service, files: Sequence[File], question: Question, *, root: str, since: float
) -> Result:
    """Matches of pictures, which together are one query, of words, or of both. ``root`` is the
    address that the API's own begin with, ``since`` when the request was there. Raises
    ``ImageRejected``, ``FilterError``, ``IndexUnusable`` or ``Problem``."""
    figures = service.figures
    figures.stages.labels("queue").observe(time.perf_counter() - since)
    fitting_room = service.fitting_room()
    if question.where:
        fitting_room.index.filter(question.where)  # before anything is computed
    sort_by, _ = order_of(question.sort)
    if sort_by is not None:
        fitting_room.numbers(sort_by)
    negatives = _negatives(fitting_room, question.less)
    if not files:
        return _by_words(service, fitting_room, question, root)
    with figures.stage("decode"):
        images = [fitting_room.open_picture(file.data, file.name) for file in files]
    for image, file in zip(images, files, strict=True):
        if is_empty_page(image):
            raise ImageRejected(f"{EMPTY_PAGE} Choose another one.", name=file.name)
    with figures.stage("network"):
        queries = fitting_room.describe(images)
    with figures.stage("search"):
        matches = _matches(fitting_room, queries, question, negatives, ())
        answer = answers.answer(fitting_room, queries, matches)
    notes = [query.note for query in queries if query.note]
    return _result(fitting_room, answer, root, notes, question.text)


def _by_words(service: Service, fitting_room: FittingRoom, question: Question, root: str) -> Result:
    """Matches of words alone, of which only the share that they fulfil is known."""
    with service.figures.stage("search"):
        matches = _matches(fitting_room, None, question, (), ())
        words = fitting_room.understand(question.text or "")
        rows = np.array([match.row for match in matches], np.int64)
        answer = Answer(matches, judged(fitting_room.fulfilment(words), rows))
    return _result(fitting_room, answer, root, [], question.text)


def similar(service: Service, item: str, question: Question, *, root: str) -> Result:
    """Matches of an item of the catalogue, without itself. Raises as :func:`search` does."""
    fitting_room = service.fitting_room()
    row = row_of(fitting_room, item)
    negatives = _negatives(fitting_room, question.less)
    with service.figures.stage("search"):
        queries = fitting_room.index.features(np.array([row]))
        matches = _matches(fitting_room, queries, question, negatives, [item])
        likeness = fitting_room.likeness(queries, [match.row for match in matches])
    return _result(fitting_room, Answer(matches, likeness), root, [])


def parts(service: Service, file: File) -> Parts:
    """The parts of a picture. Raises ``ImageRejected`` or ``IndexUnusable``."""
    fitting_room = service.fitting_room()
    with service.figures.stage("decode"):
        image = fitting_room.open_picture(file.data, file.name)
    with service.figures.stage("network"):
        found = fitting_room.parts(image)
    return Parts(parts=[Part(box=p.box, kind=p.kind, evidence=p.evidence) for p in found])


def row_of(fitting_room: FittingRoom, item: str) -> int:
    """The row of an item's first picture. Raises ``Problem``."""
    row = fitting_room.row(item)
    if row is None:
        raise Problem("no-such-item", f"The catalogue has no item {item[:100]!r}.")
    return row


def item_of(fitting_room: FittingRoom, item: str, root: str) -> Item:
    """An item as the API tells it. Raises ``Problem``."""
    found = fitting_room.item(item)
    if found is None:
        raise Problem("no-such-item", f"The catalogue has no item {item[:100]!r}.")
    return Item(**_fields_of(fitting_room, found, root))


def _negatives(fitting_room: FittingRoom, ids: Sequence[str]) -> list[Features]:
    rows = [row_of(fitting_room, item) for item in ids]
    return fitting_room.index.features(np.array(rows)) if rows else []


def _matches(
    fitting_room: FittingRoom,
    queries: Sequence[Features] | None,
    question: Question,
    negatives: Sequence[Features],
    without: Sequence[str],
) -> list[Found]:
    sort_by, descending = order_of(question.sort)
    return fitting_room.search(
        queries,
        question.n,
        question.where,
        options=question.options,
        fold=question.fold,
        negatives=negatives,
        without=[*without, *question.less],
        diversity=question.diversity,
        only_good=question.only_good,
        sort_by=sort_by,
        descending=descending,
        text=question.text,
        text_weight=question.text_weight,
    )


def _result(
    fitting_room: FittingRoom, answer: Answer, root: str, notes: list[str], text: str | None = None
) -> Result:
    understood = Understood() if text is None else fitting_room.understand(text)
    matches = [
        Match(
            **_fields_of(fitting_room, found, root),
            similarity=found.similarity,
            likeness=Likeness(
                text=likeness.text,
                amount=likeness.amount,
                measured=bool(likeness.measured),
                same_colours=bool(likeness.same_colours),
            ),
            expected_precision=found.expected_precision,
            same_picture=found.same_picture,
            others=list(found.others),
            copies=list(found.copies),
        )
        for found, likeness in zip(answer.matches, answer.likeness, strict=True)
    ]
    return Result(
        matches=matches,
        message=answer.message,
        out_of_catalogue=answer.is_out_of_catalogue,
        garment_seen=answer.garment_seen,
        notes=notes,
        **understood.as_dict(),
    )


def _fields_of(fitting_room: FittingRoom, found: Found, root: str) -> dict[str, Any]:
    rows = fitting_room.index.rows_of_item(found.row).tolist()
    address = f"{root}/v1/items/{quote(found.id, safe='')}/picture"
    own = rows.index(found.row)
    others = [number for number in range(len(rows)) if number != own][: len(found.pictures)]
    return {
        "id": found.id,
        "name": found.name,
        "attributes": found.attributes,
        "picture": _numbered(address, own),
        "pictures": [_numbered(address, number) for number in others],
    }


def _numbered(address: str, number: int) -> str:
    return f"{address}?number={number}" if number else address
