"""What the page remembers for one visitor: a typed :class:`Session`, and how widgets show it.

A field of the session is the truth and its widget follows: Streamlit forgets the value of a widget
that is not drawn, and the address may change any of them.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st
from streamlit.navigation.page import Page

from fitting_room.imaging.features import Features
from fitting_room.search.searcher import Match
from fitting_room.ui.map.view import MapView
from fitting_room.ui.query.history import Box, History, Query, Subject

#: Where the session is kept, and the keys of widgets that show no field of it. A filter's key, as
#: its parameter in the address, ends with the column's name.
SESSION, UPLOAD, TOGETHER, FILTER = "session", "upload", "together", "filter-"

#: How many matches may be shown, and are at first.
COUNTS, DEFAULT_MATCHES = range(1, 61), 12
#: How much a variety counts against likeness, in hundredths, where nobody chose: see
#: docs/controls.md.
VARIETY = 20
#: What a visitor looks at: answers to a picture or an item, or the catalogue itself.
UPLOADED, CATALOGUE = "Search", "Browse"
#: What the camera's pictures are called, by the page's component as well.
CAMERA_PICTURE = "Camera picture"

Params = dict[str, list[str]]


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Upload:
    """A picture that was given and is not embedded yet. ``file`` is its id in Streamlit's memory,
    where it lies there."""

    name: str
    data: bytes
    file: str = ""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class QueryPicture:
    """A picture to search with: its name for people, a JPEG of it, its features, and whether
    nothing in the catalogue is close to it."""

    name: str
    jpeg: bytes
    features: Features
    is_out_of_catalogue: bool = False
    #: Of the network that made the features.
    identity: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Look:
    """What is looked at by itself: an ``item``, and which of its pictures; or with ``alike`` what
    looks all but the same as it. ``gallery`` is the key of the one whose card was clicked; of a
    link there is none."""

    item: str
    gallery: str = ""
    picture: int = 0
    alike: bool = False


@dataclass(slots=True, eq=False, weakref_slot=True)
class Session:
    """One visitor's state."""

    pages: list[Page] = field(default_factory=list)
    history: History = field(default_factory=History)
    #: The visitor's pictures by name, parts of pictures, and the last searches, newest last.
    pictures: OrderedDict[str, QueryPicture] = field(default_factory=OrderedDict)
    crops: OrderedDict[tuple[Subject, Box], QueryPicture] = field(default_factory=OrderedDict)
    searches: OrderedDict[str, tuple[int, list[Match]]] = field(default_factory=OrderedDict)
    #: Pictures of the trail, as data URIs.
    small: OrderedDict[tuple[Subject, Box | None], str] = field(default_factory=OrderedDict)

    #: What is set on the page: ``colour`` is None until a visitor moves that slider.
    source: str = UPLOADED
    find: str = ""
    #: How much words count beside a picture, in hundredths; None until a visitor moves that slider.
    text_weight: int | None = None
    n: int = DEFAULT_MATCHES
    colour: int | None = None
    trained: bool = True
    fold: bool = True
    #: How much a variety counts, in hundredths; and a column of numbers to sort good matches by,
    #: with a dash before it where the largest come first.
    variety: int = VARIETY
    only_good: bool = False
    sort: str = ""
    where: dict[str, list[str]] = field(default_factory=dict)
    filter_version: int = 0
    page: int = 1
    paged: str | None = None
    map: MapView = field(default_factory=MapView)

    #: Pictures that wait to be embedded, how many batches of them there were, and the uploader's
    #: files that were taken. ``restored`` are those that the browser gave back after this session
    #: began: working copies, embedded when they are needed.
    uploads: list[Upload] = field(default_factory=list)
    uploads_taken: int = 0
    taken: set[str] = field(default_factory=set)
    restored: OrderedDict[str, Upload] = field(default_factory=OrderedDict)
    refusals: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    cropping: Subject | None = None
    #: A card's action and item, to be carried out in this run.
    action: tuple[str, str] | None = None
    #: What is looked at by itself, and the number of the last message of a card that was answered.
    looking: Look | None = None
    answered: int = 0
    #: The query was changed from within a part of the page; all of the page is to be drawn.
    moved: bool = False
    #: The visitor did something on the page since the address was written.
    acted: bool = False
    address: Params | None = None
    #: The address by which the visitor came, where not all of it could be used, and a name that
    #: tells this session from another one of the same visitor.
    came_by: Params | None = None
    #: Whether the browser has given back what it kept of the visit.
    is_back: bool = False
    visit: str = field(default_factory=lambda: secrets.token_hex(8))
    filtering: bool = False
    #: Builds of the index whose map was asked for, and whose near-duplicates are reviewed.
    map_wanted: str = ""
    reviewed: str = ""

    def forget(self) -> None:
        """Let go of all that the visitor has shown and found. Any thread may call it, also while
        the page is drawn: it changes none of the collections that are in use there."""
        self.history = History()
        self.pictures, self.crops, self.searches = OrderedDict(), OrderedDict(), OrderedDict()
        self.uploads, self.restored, self.small = [], OrderedDict(), OrderedDict()
        self.find, self.address, self.came_by, self.looking = "", None, None, None

    def act(self) -> None:
        """Note that the visitor did something here: now the session counts, not the address."""
        self.acted = True
        self.complaints = []

    def ask(self, query: Query) -> None:
        """Make it the current query and show its matches; an empty one leads to the start."""
        self.act()
        if query:
            self.history.advance(query)
        else:
            self.history.back(-1)
        self.source = UPLOADED
        self.refusals = []

    def go_back(self, position: int) -> None:
        """Go back to a position of the trail, or with -1 to the start."""
        self.act()
        self.history.back(position)
        self.cropping = None
        self.refusals = []

    def widget(self, name: str, value: object = None, key: str = "") -> dict[str, Any]:
        """Arguments of the widget for the field of that name: it shows the field, or ``value``
        where that is given, and what is chosen with it becomes the field's value."""
        value = getattr(self, name) if value is None else value
        return widget(key or name, value, self._take, name, key or name)

    def _take(self, name: str, key: str) -> None:
        self.act()
        setattr(self, name, chosen(key))

    def filter_key(self, column: str) -> str:
        """The key of the widget that filters a column. It is a new one whenever values were chosen
        elsewhere: the browser keeps what was chosen in a closed sheet, and would bring it back."""
        return f"{FILTER}{column}-{self.filter_version}" if self.filter_version else FILTER + column

    def take_filter(self, column: str) -> None:
        """Take over what the widget of a column has chosen."""
        where = {**self.where, column: list(chosen(self.filter_key(column)) or [])}
        self.where = {column: values for column, values in where.items() if values}

    def filter_by(self, where: Mapping[str, Sequence[str]]) -> None:
        """Choose values by column, elsewhere than with the widgets."""
        chosen = {column: list(values) for column, values in where.items() if values}
        if chosen != self.where:
            self.where = chosen
            self.filter_version += 1


def current() -> Session:
    """The visitor's session."""
    session: Session = st.session_state.setdefault(SESSION, Session())
    return session


def widget(
    key: str, value: object, on_change: Callable[..., None], *args: object
) -> dict[str, Any]:
    """Arguments of a widget that shows ``value`` and calls ``on_change(*args)`` when a visitor
    chooses another. It is set only where it differs, so that a visitor is not interrupted."""
    if chosen(key) != value:
        st.session_state[key] = value
    return {"key": key, "on_change": on_change, "args": args}


def shown_later(name: str) -> dict[str, Any]:
    """Arguments of a widget in a popover, for the field of that name. The browser makes it when
    that is opened, and then knows only what the last run has told it: so every run tells it the
    value."""
    session = current()
    st.session_state[name] = getattr(session, name)
    return session.widget(name)


def chosen(key: str) -> Any:
    """What the widget of that key shows, or ``None`` where it was not drawn yet."""
    return st.session_state.get(key)
