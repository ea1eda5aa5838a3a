"""The subjects of a query: pictures that came in, items, parts of either, and their features.

A picture is decoded once and embedded once. What a session keeps of it are its features and a
bounded working copy to show and to crop; the upload itself is let go.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st
from PIL import Image

from fitting_room.imaging.decode import EMPTY_PAGE, ImageRejected, is_blank, is_empty_page
from fitting_room.imaging.features import Features
from fitting_room.index.scoring import SimilarityOptions
from fitting_room.search.searcher import Searcher
from fitting_room.ui.query import session as sessions
from fitting_room.ui.query.history import ITEM, MAX_SUBJECTS, PICTURE, Box, Query, Subject
from fitting_room.ui.query.session import QueryPicture, Upload
from fitting_room.ui.shared import media, once, resources
from fitting_room.ui.shared.text import plain

#: Width and height of the working copy that a session keeps of a picture, and how many pictures
#: and parts of pictures it keeps.
WORKING_SIZE = (1024, 1024)
MAX_PICTURES, MAX_CROPS = 16, 16


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
    """Take pictures over from a widget; the run that follows embeds them."""
    session = sessions.current()
    session.act()
    session.uploads = list(uploads)[:MAX_SUBJECTS]
    session.refusals = []
    if len(uploads) > MAX_SUBJECTS:
        session.refusals = [f"Only the first {MAX_SUBJECTS} pictures are searched with."]


def embed_uploads(searcher: Searcher) -> None:
    """Embed the pictures that came in and make them the query."""
    session = sessions.current()
    uploads, session.uploads = session.uploads, []
    if not uploads:
        return
    subjects = []
    with st.spinner(f"Looking at your picture{'s' if len(uploads) > 1 else ''} …"):
        for upload in uploads:
            try:
                subjects.append(_embed_upload(searcher, upload))
            except ImageRejected as rejected:
                session.refusals.append(f"{plain(upload.name)}: {rejected.reason}")
    if subjects:
        session.history.advance(Query(tuple(dict.fromkeys(subjects)), apart=len(subjects) > 1))
    else:
        session.history.back(-1)


def _embed_upload(searcher: Searcher, upload: Upload) -> Subject:
    image = searcher.open_picture(upload.data, to_show=True)
    if upload.from_camera and is_blank(image):
        raise ImageRejected(
            "The camera showed nothing yet. Wait until its picture is there and try again."
        )
    if is_empty_page(image):
        raise ImageRejected(f"{EMPTY_PAGE} Choose another one.")
    name = hashlib.sha256(image.tobytes()).hexdigest()[:12]
    picture = _query_picture(searcher, upload.name, image)
    once.keep(sessions.current().pictures, name, picture, MAX_PICTURES)
    return Subject(PICTURE, name)


def _query_picture(searcher: Searcher, name: str, image: Image.Image) -> QueryPicture:
    features = searcher.describe([image])[0]
    # Whether anything is close is judged in the whole catalogue, however matches are filtered and
    # ranked. The head judges photographs only: in a drawing it sees a kind that it was taught.
    options = SimilarityOptions(trained=not features.plain_background)
    out = searcher.is_out_of_catalogue(searcher.search(features, 1, options=options), features)
    jpeg = media.jpeg(image, WORKING_SIZE, quality=90)
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
    if part is None or part.identity != searcher.index.identity:
        try:
            with st.spinner("Looking at that part …"):
                image = searcher.open_picture(whole.jpeg, whole.name, to_show=True)
                cropped = image.crop(crop.pixels(*image.size))
                part = _query_picture(searcher, whole.name, cropped)
        except ImageRejected as rejected:
            session.refusals = [rejected.reason]
            return whole
    return once.keep(session.crops, (subject, crop), part, MAX_CROPS)


def _up_to_date(searcher: Searcher, name: str) -> QueryPicture | None:
    """The visitor's picture of that name, embedded again where the index was made by another
    network since."""
    pictures = sessions.current().pictures
    picture = pictures.get(name)
    if picture is None or picture.identity == searcher.index.identity:
        return picture
    with st.spinner("Looking at your picture …"):
        image = searcher.open_picture(picture.jpeg, picture.name, to_show=True)
        pictures[name] = _query_picture(searcher, picture.name, image)
    return pictures[name]


def name_of(searcher: Searcher, subject: Subject) -> str | None:
    """A subject's name for people, or ``None`` where it is not there any more."""
    if subject.kind == ITEM:
        match = searcher.item(subject.id)
        return None if match is None else match.name
    picture = sessions.current().pictures.get(subject.id)
    return None if picture is None else picture.name


def _item(searcher: Searcher, item: str) -> QueryPicture | None:
    match = searcher.item(item)
    if match is None:
        return None
    features = searcher.index.features(np.array([match.row]))[0]
    return QueryPicture(match.name, resources.preview(match.image) or b"", features)
