"""Pictures of all visitors together: so much, and who has most gives first."""

from __future__ import annotations

import gc

import pytest

from fitting_room.imaging.decode import ImageRejected
from fitting_room.imaging.features import Features
from fitting_room.ui.query.kept import FULL, Kept
from fitting_room.ui.query.session import QueryPicture, Session, Upload

NOTHING: Features = None  # type: ignore[assignment]


def keep(kept: Kept, session: Session, name: str, size: int) -> None:
    picture = QueryPicture(name, bytes(size), NOTHING)
    kept.keep(session, session.pictures, name, picture, 16)


def test_who_has_most_gives_the_oldest() -> None:
    kept, many, few = Kept(100), Session(), Session()
    keep(kept, few, "mine", 20)
    for name in "abcd":
        keep(kept, many, name, 20)
    keep(kept, few, "another", 20)
    assert list(few.pictures) == ["mine", "another"]
    assert list(many.pictures) == ["b", "c", "d"]
    keep(kept, many, "e", 20)
    assert list(many.pictures) == ["c", "d", "e"]
    assert list(few.pictures) == ["mine", "another"]


def test_parts_of_pictures_go_before_pictures() -> None:
    kept, session = Kept(100), Session()
    keep(kept, session, "whole", 60)
    part = QueryPicture("part", bytes(40), NOTHING)
    kept.keep(session, session.crops, ("whole", 1), part, 16)  # type: ignore[arg-type]
    del part
    keep(kept, session, "next", 10)
    assert not session.crops
    assert list(session.pictures) == ["whole", "next"]


def test_what_nobody_can_give_is_refused() -> None:
    kept, session, other = Kept(100), Session(), Session()
    keep(kept, other, "a", 90)
    shown = other.pictures["a"]  # a part of the other's page is drawn with it
    other.forget()
    with pytest.raises(ImageRejected, match="right now"):
        keep(kept, session, "b", 20)
    assert not session.pictures
    del shown
    gc.collect()
    keep(kept, session, "b", 20)
    assert list(session.pictures) == ["b"]
    assert kept.held() == 20
    assert "Try again" in FULL


def test_a_session_that_has_gone_is_not_counted() -> None:
    kept, session = Kept(100), Session()
    keep(kept, session, "a", 90)
    del session
    gc.collect()
    assert kept.held() == 0


def test_a_picture_that_is_too_large_for_all_is_refused() -> None:
    kept, session = Kept(10), Session()
    with pytest.raises(ImageRejected):
        keep(kept, session, "a", 20)
    assert not session.pictures


def test_what_a_browser_gave_back_counts_and_goes_before_pictures() -> None:
    kept, session = Kept(100), Session()
    keep(kept, session, "shown", 40)
    for name in "ab":
        kept.keep(session, session.restored, name, Upload(name, bytes(30)), 16)
    assert kept.held() == 100
    keep(kept, session, "next", 20)
    gc.collect()
    assert list(session.restored) == ["b"]
    assert list(session.pictures) == ["shown", "next"]
