"""The subjects of a query: pictures that came in, items, parts of either, and their features.

A picture is decoded once and embedded once. What a session keeps of it are its features and a
bounded working copy to show and to crop; the upload itself is let go.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from fitting_room.imaging.blank import EMPTY_PAGE, is_blank, is_empty_page
from fitting_room.imaging.decode import SUFFIXES, ImageRejected
from fitting_room.imaging.features import Features
from fitting_room.imaging.thumbnails import as_jpeg
from fitting_room.search import answers
from fitting_room.search.searcher import Searcher
from fitting_room.settings import Settings
from fitting_room.ui.query import kept
from fitting_room.ui.query import session as sessions
from fitting_room.ui.query.history import ITEM, MAX_SUBJECTS, PICTURE, Box, Query, Subject
from fitting_room.ui.query.session import CAMERA_PICTURE, UPLOADED, QueryPicture, Upload
from fitting_room.ui.serving import server
from fitting_room.ui.shared import resources
from fitting_room.ui.shared.text import plain, title_of

#: Width and height of the working copy that a session keeps of a picture, and how many pictures
#: and parts of pictures it keeps.
WORKING_SIZE = (1024, 1024)
MAX_PICTURES, MAX_CROPS = 16, 16
#: How the names of samples begin, which no digest does; and how many are offered.
SAMPLE, MAX_SAMPLES = "sample-", 8


@dataclass(frozen=True, slots=True, eq=False)
class ResolvedQuery:
    """A query with what is known of its subjects, in their order, and of its negatives."""

    query: Query
    pictures: tuple[QueryPicture, ...]
    negatives: tuple[Features, ...] = ()

    @property
    def features(self) -> list[Features]:
        return [picture.features for picture in self.pictures]

    @property
    def is_out_of_catalogue(self) -> bool:
        """Whether nothing in the catalogue is close to any of the subjects."""
        return all(picture.is_out_of_catalogue for picture in self.pictures)

    @property
    def plain_background(self) -> bool:
        """Whether the first picture has a plain background."""
        return self.pictures[0].features.plain_background

    @property
    def items(self) -> frozenset[str]:
        """Ids of the items in the query, which are left out of its matches."""
        own = [s.id for s in self.query.subjects if s.kind == ITEM]
        return frozenset([*own, *self.query.negatives])

    def alone(self, place: int) -> ResolvedQuery:
        """The query with one of its subjects only."""
        query = replace(self.query, subjects=self.query.subjects[place : place + 1], apart=False)
        return replace(self, query=query, pictures=self.pictures[place : place + 1])


# --- pictures that come in --------------------------------------------------------------------


def receive(uploads: Sequence[Upload]) -> None:
    """Take pictures over; they wait in the session until they are embedded, so that none is lost
    where the visitor does something else meanwhile."""
    session = sessions.current()
    session.act()
    session.refusals = []
    waiting = [*session.uploads, *uploads]
    session.uploads = waiting[:MAX_SUBJECTS]
    session.uploads_taken += 1
    if len(waiting) > MAX_SUBJECTS:
        session.refusals = [f"Only the first {MAX_SUBJECTS} pictures are searched with."]


def embed_uploads(searcher: Searcher) -> None:
    """Embed the pictures that came in and make them the query. What was shown before stays where
    none of them can be used."""
    session = sessions.current()
    subjects = []
    for upload in session.uploads:
        try:
            subjects.append(_embed_upload(searcher, upload))
        except ImageRejected as rejected:
            session.refusals.append(f"{plain(upload.name)}: {rejected.reason}")
        finally:
            server.give_back([upload.file] if upload.file else [])
    if subjects:
        session.source = UPLOADED
        unique = tuple(dict.fromkeys(subjects))  # the same picture twice is one
        session.history.advance(Query(unique, apart=len(unique) > 1))
    session.uploads = []


def _embed_upload(searcher: Searcher, upload: Upload) -> Subject:
    image = searcher.open_picture(upload.data, to_show=True)
    if upload.name == CAMERA_PICTURE and is_blank(image):
        raise ImageRejected(
            "The camera showed nothing yet. Wait until its picture is there and try again."
        )
    if is_empty_page(image):
        raise ImageRejected(f"{EMPTY_PAGE} Choose another one.")
    name = hashlib.sha256(image.tobytes()).hexdigest()[:12]
    picture = _query_picture(searcher, upload.name, image)
    session = sessions.current()
    kept.KEPT.keep(session, session.pictures, name, picture, MAX_PICTURES)
    return Subject(PICTURE, name)


def _query_picture(searcher: Searcher, name: str, image: Image.Image) -> QueryPicture:
    features = searcher.describe([image])[0]
    out = answers.is_out_of_catalogue(searcher, features)
    jpeg = as_jpeg(image, WORKING_SIZE, quality=90)
    return QueryPicture(name, jpeg, features, out, searcher.index.identity)


# --- the query --------------------------------------------------------------------------------


def resolve(searcher: Searcher) -> ResolvedQuery | None:
    """The current query with what is known of it, or ``None`` at the start. Subjects that are not
    there any more are left out."""
    query = sessions.current().history.query
    pictures = {s: p for s in query.subjects if (p := find(searcher, s, query.crop)) is not None}
    if not pictures:
        return None
    rows = [row for item in query.negatives if (row := searcher.row(item)) is not None]
    negatives = tuple(searcher.index.features(np.array(rows))) if rows else ()
    return ResolvedQuery(
        replace(query, subjects=tuple(pictures)), tuple(pictures.values()), negatives
    )


def find(searcher: Searcher, subject: Subject, crop: Box | None = None) -> QueryPicture | None:
    """The picture of a subject, or of a part of it; ``None`` where it is not there any more."""
    session = sessions.current()
    if subject.kind == ITEM:
        whole = _item(searcher, subject.id)
    else:
        whole = _up_to_date(searcher, subject.id)
    if whole is None or crop is None:
        return whole
    part = session.crops.get((subject, crop))
    try:
        if part is None or part.identity != searcher.index.identity:
            image = searcher.open_picture(whole.jpeg, whole.name, to_show=True)
            cropped = image.crop(crop.pixels(*image.size))
            part = _query_picture(searcher, whole.name, cropped)
        return kept.KEPT.keep(session, session.crops, (subject, crop), part, MAX_CROPS)
    except ImageRejected as rejected:
        session.refusals = [rejected.reason]
        return whole


def _up_to_date(searcher: Searcher, name: str) -> QueryPicture | None:
    """The visitor's picture of that name, embedded where that is still to do: it is a sample, the
    browser gave it back, or the index was made by another network since."""
    session = sessions.current()
    picture = session.pictures.get(name)
    if picture is not None and picture.identity == searcher.index.identity:
        return picture
    waiting = _unembedded(name, picture)
    if waiting is None:
        return None
    try:
        image = searcher.open_picture(waiting.data, waiting.name, to_show=True)
        picture = _query_picture(searcher, waiting.name, image)
        kept.KEPT.keep(session, session.pictures, name, picture, MAX_PICTURES)
    except ImageRejected as rejected:
        session.refusals = [f"{plain(waiting.name)}: {rejected.reason}"]
        return None
    session.restored.pop(name, None)
    return picture


def _unembedded(name: str, picture: QueryPicture | None) -> Upload | None:
    """A picture of the visitor's as bytes, or ``None`` where it is not there."""
    if picture is not None:
        return Upload(picture.name, picture.jpeg)
    if name in (restored := sessions.current().restored):
        return restored[name]
    path = samples().get(name)
    try:
        return None if path is None else Upload(title_of(path), path.read_bytes())
    except OSError as error:
        sessions.current().refusals = [f"The sample cannot be read ({error.strerror})."]
        return None


def bytes_of(searcher: Searcher, subject: Subject, crop: Box | None = None) -> bytes | None:
    """What is there of a subject to be shown, of a part of it where that was looked at."""
    session = sessions.current()
    if crop is not None and (part := session.crops.get((subject, crop))) is not None:
        return part.jpeg
    if subject.kind == ITEM:
        match = searcher.item(subject.id)
        return None if match is None else resources.preview(match.image)
    waiting = _unembedded(subject.id, session.pictures.get(subject.id))
    return None if waiting is None else waiting.data


def has_picture(name: str) -> bool:
    """Whether a visitor's picture of that name, or a sample, can be searched with."""
    session = sessions.current()
    return name in session.pictures or name in session.restored or name in samples()


def samples() -> dict[str, Path]:
    """The pictures to try by their names in an address, which anybody may open."""
    folder = Settings.from_environment().samples
    paths = sorted(p for p in folder.glob("*") if p.suffix.lower() in SUFFIXES)[:MAX_SAMPLES]
    return {f"{SAMPLE}{path.stem}": path for path in paths}


def query_of_picture(name: str) -> Query:
    """The query with a visitor's picture or a sample."""
    return Query((Subject(PICTURE, name),))


def name_of(searcher: Searcher, subject: Subject) -> str | None:
    """A subject's name for people, or ``None`` where it is not there any more."""
    if subject.kind == ITEM:
        match = searcher.item(subject.id)
        return None if match is None else match.name
    session = sessions.current()
    if (picture := session.pictures.get(subject.id)) is not None:
        return picture.name
    waiting = _unembedded(subject.id, None)
    return None if waiting is None else waiting.name


def _item(searcher: Searcher, item: str) -> QueryPicture | None:
    match = searcher.item(item)
    if match is None:
        return None
    features = searcher.index.features(np.array([match.row]))[0]
    return QueryPicture(match.name, resources.preview(match.image) or b"", features)
