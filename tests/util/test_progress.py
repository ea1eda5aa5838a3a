"""How far a task has come, in numbers that a progress bar can be drawn from."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitting_room.util.progress import Progress, Stage, ignore


def progress(done: int, total: int, seconds: float = 10.0) -> Progress:
    return Progress("embedding", done, total, "pictures", seconds)


@pytest.mark.parametrize(
    ("done", "total", "fraction"),
    [(0, 100, 0.0), (25, 100, 0.25), (100, 100, 1.0), (120, 100, 1.0), (7, 0, 0.0), (0, 0, 0.0)],
)
def test_the_fraction_is_what_is_done_of_all(done: int, total: int, fraction: float) -> None:
    assert progress(done, total).fraction == fraction


def test_the_rate_counts_units_per_second() -> None:
    assert progress(50, 100, seconds=20).rate == 2.5


def test_the_rate_at_the_very_start_is_none() -> None:
    assert progress(0, 100, seconds=0).rate == 0.0
    assert progress(5, 100, seconds=0).rate == 0.0


def test_the_time_left_goes_on_at_the_rate_so_far() -> None:
    assert progress(25, 100, seconds=10).seconds_left == pytest.approx(30)
    assert progress(100, 100).seconds_left == 0


@pytest.mark.parametrize(
    ("done", "total", "seconds"), [(0, 100, 10), (5, 0, 10), (5, 100, 0), (0, 0, 0)]
)
def test_the_time_left_is_not_guessed(done: int, total: int, seconds: float) -> None:
    assert progress(done, total, seconds).seconds_left is None


@given(
    done=st.integers(0, 10**9),
    total=st.integers(0, 10**9),
    seconds=st.floats(0, 1e9, allow_nan=False),
)
def test_a_bar_can_be_drawn_at_any_moment(done: int, total: int, seconds: float) -> None:
    moment = progress(done, total, seconds)
    assert 0.0 <= moment.fraction <= 1.0
    assert moment.rate >= 0.0
    assert moment.seconds_left is None or moment.seconds_left >= 0.0


def test_a_stage_reports_its_start_and_each_step() -> None:
    reports: list[Progress] = []
    stage = Stage("reading", 10, "files", reports.append)
    stage.advance()
    stage.advance(4)
    assert [(p.stage, p.done, p.total, p.unit) for p in reports] == [
        ("reading", 0, 10, "files"),
        ("reading", 1, 10, "files"),
        ("reading", 5, 10, "files"),
    ]
    assert stage.done == 5


def test_a_stage_that_goes_on_starts_where_the_last_one_stopped() -> None:
    reports: list[Progress] = []
    Stage("reading", 10, "files", reports.append, done=6).advance()
    assert [p.done for p in reports] == [6, 7]


def test_a_stage_counts_its_own_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 104.0])
    monkeypatch.setattr(
        "fitting_room.util.progress.time", SimpleNamespace(perf_counter=lambda: next(clock))
    )
    reports: list[Progress] = []
    Stage("reading", 10, "files", reports.append, started=100.0).advance(2)
    assert [(p.seconds, p.rate, p.seconds_left) for p in reports] == [(0, 0, None), (4, 0.5, 16)]


def test_a_listener_that_stops_the_task_is_heard() -> None:
    """Ctrl-C and a page that is closed come out of the listener."""

    def stop(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Stage("reading", 10, "files", stop)


def test_nobody_need_listen() -> None:
    stage = Stage("reading", 10, "files", ignore)
    stage.advance(10)
    assert stage.done == 10
