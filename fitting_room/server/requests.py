"""What requests to the API are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath, PureWindowsPath

from fastapi import UploadFile
from pydantic import TypeAdapter, ValidationError

from fitting_room.index.scoring import SimilarityOptions
from fitting_room.search.fulfilment import TEXT_WEIGHT
from fitting_room.server.problems import Problem

#: Pictures of one request, ids in it, and matches of its answer, at most.
MOST_PICTURES, MOST_IDS, MOST_MATCHES = 8, 32, 200
USUAL_MATCHES = 12
#: Letters of words and ids, and of a file's name that is told again.
LONGEST_TEXT, LONGEST_NAME = 200, 80


#: Filters: any of a column's values, all of the columns.
Where = dict[str, str | list[str]]
_WHERE, _ATTRIBUTES = TypeAdapter(Where), TypeAdapter(dict[str, str])


@dataclass(frozen=True, slots=True)
class File:
    """A picture that was sent."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Question:
    """How a search ranks and what it leaves out."""

    n: int = USUAL_MATCHES
    where: Where | None = None
    colour: float | None = None
    less: Sequence[str] = ()
    diversity: float = 0.0
    only_good: bool = False
    fold: bool = False
    sort: str | None = None
    text: str | None = None
    text_weight: float = TEXT_WEIGHT

    @property
    def options(self) -> SimilarityOptions:
        return SimilarityOptions(colour=self.colour)


@dataclass(frozen=True, slots=True)
class Addition:
    """An item to add: its pictures, what is said of it, and whether it may replace one."""

    item: str
    files: Sequence[File]
    attributes: dict[str, str] = field(default_factory=dict)
    replace: bool = False


def where_of(text: str | None) -> Where | None:
    """Filters that were sent as JSON. Raises ``Problem``."""
    try:
        return None if text is None else _WHERE.validate_json(text)
    except ValidationError as error:
        raise Problem(
            "invalid-request",
            'where is no JSON object of values by column, as in {"gender": ["Women", "Girls"]}.',
        ) from error


def attributes_of(text: str | None) -> dict[str, str]:
    """What is said of an item, sent as JSON. Raises ``Problem``."""
    try:
        return {} if text is None else _ATTRIBUTES.validate_json(text)
    except ValidationError as error:
        raise Problem(
            "invalid-request",
            'attributes is no JSON object of texts by column, as in {"gender": "Women"}.',
        ) from error


async def files_of(uploads: Sequence[UploadFile], *, text: str | None = None) -> list[File]:
    """The pictures of a form, of which there may be none beside a ``text``. Raises ``Problem`` for
    too many and for none."""
    if not uploads and text is None:
        raise Problem("invalid-request", "There is no picture. Send one as the field picture.")
    if len(uploads) > MOST_PICTURES:
        raise Problem(
            "invalid-request", f"{len(uploads):,} pictures: {MOST_PICTURES} at most in one request."
        )
    return [File(_name_of(upload), await upload.read()) for upload in uploads]


def _name_of(upload: UploadFile) -> str:
    """A file's name without folders and without what is not printed."""
    name = PurePosixPath(PureWindowsPath(upload.filename or "picture").name).name
    return "".join(c for c in name if c.isprintable())[:LONGEST_NAME] or "picture"
