"""What is asked about: how a picture comes in, and what is known of it.

A picture is dropped, chosen in a dialog, pasted, taken with the webcam or one of the samples; an
item of the catalogue is asked about by its id. Whichever way, a picture is embedded once. What a
session keeps of it are its features and a bounded working copy to show and to crop; the upload
itself is let go.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import streamlit as st
from PIL import Image

from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageRejected, open_image
from fitting_room.imaging.features import Features
from fitting_room.index.scoring import SimilarityOptions
from fitting_room.ui.query import session
from fitting_room.ui.query.history import ITEM, MOST_SUBJECTS, PICTURE, Box, Query, Subject
from fitting_room.ui.shared import media, resources

#: Longest side of the working copy that a session keeps of a picture, and how many it keeps.
WORKING_SIZE = (1024, 1024)
MOST_PICTURES = 16
#: Cropped subjects whose features a session keeps.
MOST_CROPS = 16
#: Steps of 255 between the least and the greatest value that a blank picture may have.
BLANK_CONTRAST = 8


@dataclass(frozen=True, slots=True, eq=False)
class Arrived:
    """A picture on its way in, until it is embedded."""

    name: str
    data: bytes
    from_camera: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """What is known of a subject: its name for people, a JPEG of it, its features, and whether it
    is far from everything in the catalogue."""

    name: str
    jpeg: bytes
    features: Features
    is_out_of_catalogue: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A question and what is known of its subjects, in their order."""

    query: Query
    subjects: tuple[Kept, ...]
    negatives: tuple[Features, ...] = ()

    @property
    def features(self) -> list[Features]:
        return [subject.features for subject in self.subjects]

    @property
    def is_out_of_catalogue(self) -> bool:
        """Whether nothing in the catalogue is close to any of the subjects."""
        return all(subject.is_out_of_catalogue for subject in self.subjects)

    @property
    def plain_background(self) -> bool:
        """Whether it is a picture from a studio that is asked about, the first of several."""
        return self.subjects[0].features.plain_background

    @property
    def items(self) -> frozenset[str]:
        """Ids of the items that are asked about, which need not be answered."""
        own = [s.id for s in self.query.subjects if s.kind == ITEM]
        return frozenset([*own, *self.query.negatives])

    def alone(self, place: int) -> Asked:
        """The question for one of the subjects by itself."""
        query = replace(self.query, subjects=self.query.subjects[place : place + 1], apart=False)
        return replace(self, query=query, subjects=self.subjects[place : place + 1])


# --- pictures of the visitor's ----------------------------------------------------------------


def pictures() -> OrderedDict[str, Kept]:
    """The visitor's pictures by their names in the session, the oldest first."""
    if "pictures" not in st.session_state:
        st.session_state.pictures = OrderedDict()
    found: OrderedDict[str, Kept] = st.session_state.pictures
    return found


def arrive(arrived: Sequence[Arrived]) -> None:
    """Pictures come in; they are looked at in the run that follows."""
    session.acted()
    st.session_state.arrived = list(arrived)[:MOST_SUBJECTS]
    st.session_state.refusal = (
        [f"Only the first {MOST_SUBJECTS} pictures are asked about."]
        if len(arrived) > MOST_SUBJECTS
        else []
    )


def take_in(fitting_room: FittingRoom) -> None:
    """Look at the pictures that came in and make them the question."""
    arrived: list[Arrived] = st.session_state.pop("arrived", [])
    if not arrived:
        return
    subjects = []
    refusals: list[str] = st.session_state.get("refusal") or []
    with st.spinner(
        "Looking at your pictures …" if len(arrived) > 1 else "Looking at your picture …"
    ):
        for picture in arrived:
            try:
                subjects.append(_keep(fitting_room, picture))
            except ImageRejected as rejected:
                refusals.append(f"{plain(picture.name)}: {rejected.reason}")
    st.session_state.refusal = refusals
    if subjects:
        session.history().advance(Query(tuple(dict.fromkeys(subjects)), apart=len(subjects) > 1))
    else:
        session.history().back(-1)


def _keep(fitting_room: FittingRoom, picture: Arrived) -> Subject:
    image = open_image(picture.data, limits=fitting_room.limits)
    if picture.from_camera and _is_blank(image):
        raise ImageRejected(
            "The camera showed nothing yet. Wait until its picture is there and try again."
        )
    features = fitting_room.describe([picture.data])[0]
    name = hashlib.sha256(image.tobytes()).hexdigest()[:12]
    kept = pictures()
    kept[name] = Kept(
        picture.name,
        media.jpeg(image, WORKING_SIZE, quality=90),
        features,
        _is_out_of_catalogue(fitting_room, features),
    )
    kept.move_to_end(name)
    while len(kept) > MOST_PICTURES:
        kept.popitem(last=False)
    return Subject(PICTURE, name)


def _is_blank(image: Image.Image) -> bool:
    """Whether a picture has one colour throughout, as a camera's has that is covered or has not
    begun. A JPEG's blocks differ by a step or two."""
    extremes = cast(tuple[tuple[int, int], ...], image.getextrema())
    return all(high - low <= BLANK_CONTRAST for low, high in extremes)


def _is_out_of_catalogue(fitting_room: FittingRoom, features: Features) -> bool:
    """Whether nothing in the whole catalogue is close, however it is narrowed and ranked. The head
    is asked about photographs alone: in a drawing it sees one of the kinds it was taught."""
    options = SimilarityOptions(trained=not features.plain_background)
    return fitting_room.is_out_of_catalogue(
        fitting_room.search(features, 1, options=options), features
    )


# --- the question -----------------------------------------------------------------------------


def current(fitting_room: FittingRoom) -> Asked | None:
    """The question of the moment with what is known of it, or ``None`` at the start. Subjects that
    are not there any more are left out."""
    query = session.history().query
    found = [
        (s, kept)
        for s in query.subjects
        if (kept := known(fitting_room, s, query.crop)) is not None
    ]
    if not found:
        return None
    query = replace(query, subjects=tuple(subject for subject, _ in found))
    rows = [row for item in query.negatives if (row := fitting_room.row(item)) is not None]
    negatives = tuple(fitting_room.index.features(np.array(rows))) if rows else ()
    return Asked(query, tuple(kept for _, kept in found), negatives)


def known(fitting_room: FittingRoom, subject: Subject, crop: Box | None = None) -> Kept | None:
    """What is known of a subject, or of a part of it; ``None`` where it is not there any more or
    cannot be read."""
    whole = _item(fitting_room, subject.id) if subject.kind == ITEM else pictures().get(subject.id)
    if whole is None or crop is None:
        return whole
    crops: OrderedDict[tuple[Subject, Box], Kept] = st.session_state.setdefault(
        "crops", OrderedDict()
    )
    if (subject, crop) not in crops:
        try:
            with st.spinner("Looking at that part …"):
                crops[subject, crop] = _cropped(fitting_room, whole, crop)
        except ImageRejected as rejected:
            st.session_state.refusal = [rejected.reason]
            return whole
    crops.move_to_end((subject, crop))
    while len(crops) > MOST_CROPS:
        crops.popitem(last=False)
    return crops[subject, crop]


def name_of(fitting_room: FittingRoom, subject: Subject) -> str | None:
    """A subject's name for people, or ``None`` where it is not there any more."""
    found = fitting_room.item(subject.id) if subject.kind == ITEM else pictures().get(subject.id)
    return None if found is None else found.name


def _item(fitting_room: FittingRoom, item: str) -> Kept | None:
    row = fitting_room.row(item)
    match = fitting_room.item(item)
    if row is None or match is None:
        return None
    jpeg = resources.preview(match.image) or b""
    return Kept(match.name, jpeg, fitting_room.index.features(np.array([row]))[0])


def _cropped(fitting_room: FittingRoom, whole: Kept, box: Box) -> Kept:
    image = open_image(whole.jpeg, name=whole.name, limits=fitting_room.limits)
    part = open_image(image.crop(box.pixels(*image.size)), limits=fitting_room.limits)
    features = fitting_room.describe([part])[0]
    return Kept(
        whole.name,
        media.jpeg(part, WORKING_SIZE, quality=90),
        features,
        _is_out_of_catalogue(fitting_room, features),
    )


def plain(text: str) -> str:
    """A file's name as text and not as markup."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]<>()#+-.!|~$:" else c for c in text)


def short(name: str, most: int = 26) -> str:
    """A name that fits beside a button; a file's ending tells most."""
    half = (most - 1) // 2
    return name if len(name) <= most else f"{name[:half]}…{name[-half:]}"


def title_of(path: Path) -> str:
    return path.stem.replace("-", " ").replace("_", " ").capitalize()
