"""A visit ends when its connection has been gone for a while, and what was held for it with it."""

from __future__ import annotations

import pytest

from fitting_room.ui.serving import visits as module
from fitting_room.ui.serving.visits import AFTERWARDS, MOST_UPLOADED, UPLOAD_KEPT, Visits
from tests.ui.serving.loops import in_a_loop_of_its_own


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Server:
    """Stands in for Streamlit's runtime and both of its managers of files."""

    def __init__(self) -> None:
        self.active: set[str] = set()
        self.done: list[tuple[str, ...]] = []
        self.uploaded_file_mgr = self.media_file_mgr = self

    def is_active_session(self, session_id: str) -> bool:
        return session_id in self.active

    def __getattr__(self, name: str):
        return lambda *arguments: self.done.append((name, *arguments))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def visits(clock: Clock) -> Visits:
    return Visits(clock)


@pytest.fixture
def server() -> Server:
    return Server()


def test_a_visit_that_was_left_is_forgotten(visits: Visits, clock: Clock, server: Server) -> None:
    forgotten: list[str] = []
    server.active = {"a", "b"}
    for session in "ab":
        visits.note(session, lambda s=session: forgotten.append(s))
    visits.tidy(server, 60)
    server.active = {"b"}
    visits.tidy(server, 60)
    clock.now = 59
    visits.tidy(server, 60)
    assert server.done == forgotten == []
    clock.now = 60
    visits.tidy(server, 60)
    assert forgotten == ["a"]
    assert server.done == [
        ("close_session", "a"), ("remove_session_files", "a"), ("clear_session_refs", "a"),
        ("remove_orphaned_files",),
    ]  # fmt: skip
    clock.now += AFTERWARDS
    visits.tidy(server, 60)
    assert forgotten == ["a", "a"]  # what a last run of its page has put aside
    assert list(visits.held()) == ["b"]


def test_a_connection_that_comes_back_finds_its_visit(
    visits: Visits, clock: Clock, server: Server
) -> None:
    visits.note("a", lambda: pytest.fail("forgotten"))
    visits.tidy(server, 60)
    clock.now, server.active = 50, {"a"}
    visits.tidy(server, 60)
    clock.now, server.active = 100, set()
    visits.tidy(server, 60)
    clock.now = 159
    visits.tidy(server, 60)
    assert server.done == []


def test_a_visit_holds_so_much_and_no_more(visits: Visits) -> None:
    assert visits.may_upload("a", "1", MOST_UPLOADED - 10)
    assert not visits.may_upload("a", "2", 11)
    assert visits.may_upload("a", "2", 10)
    assert visits.may_upload("a", "2", 5)  # the same file again
    assert visits.may_upload("b", "1", 11)
    visits.given_back("a", "1")
    visits.given_back("nobody", "1")
    assert visits.may_upload("a", "3", MOST_UPLOADED - 5)


def test_all_visits_hold_so_much_and_no_more(clock: Clock) -> None:
    visits = Visits(clock, most_held=100)
    assert visits.may_upload("a", "1", 60)
    assert visits.may_upload("b", "1", 40)
    assert not visits.may_upload("c", "1", 1)
    assert visits.was_refused("c", "1")
    assert not visits.was_refused("b", "1")
    assert not visits.was_refused("nobody", "1")
    assert visits.may_upload("b", "1", 30)  # the same file again
    assert visits.may_upload("c", "2", 10)
    visits.given_back("a", "1")
    assert visits.may_upload("c", "1", 60)


def test_refusals_are_not_remembered_without_end(clock: Clock) -> None:
    visits = Visits(clock, most_held=0)
    for number in range(1000):
        assert not visits.may_upload("a", str(number), 1)
    assert visits.was_refused("a", "999")
    assert not visits.was_refused("a", "0")


def test_an_upload_that_nobody_takes_is_given_back(
    visits: Visits, clock: Clock, server: Server
) -> None:
    server.active = {"a"}
    visits.may_upload("a", "1", MOST_UPLOADED)
    clock.now = UPLOAD_KEPT - 1
    visits.tidy(server, 60)
    assert server.done == []
    clock.now = UPLOAD_KEPT
    visits.tidy(server, 60)
    assert server.done == [("remove_file", "a", "1")]
    assert visits.may_upload("a", "2", MOST_UPLOADED)


def test_tidying_goes_on(visits: Visits, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise asyncio.CancelledError

    monkeypatch.setattr(module.asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        in_a_loop_of_its_own(lambda: visits.keep_tidy(server, 2))
    assert pauses == [0.5] * 3
