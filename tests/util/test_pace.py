"""The time left is said once it is steady, and not before."""

from __future__ import annotations

from itertools import pairwise

from fitting_room.util.progress import Pace, Progress


def follow(pace: Pace, seconds: list[float], total: int = 1_000, stage: str = "Embedding") -> None:
    for done, second in enumerate(seconds):
        pace.note(Progress(stage, done, total, "picture", second))


def test_a_steady_rate_gives_the_time_left_after_two_seconds() -> None:
    pace = Pace()
    follow(pace, [n / 100 for n in range(150)])
    assert pace.seconds_left is None
    follow(pace, [n / 100 for n in range(500)])
    assert pace.seconds_left is not None
    assert abs(pace.seconds_left - 5) < 0.1


def test_a_rate_that_still_grows_gives_none() -> None:
    pace = Pace()
    follow(pace, [4 * (n / 1_000) ** 0.5 for n in range(900)])  # ever faster
    assert pace.seconds_left is None


def test_a_new_stage_begins_anew_and_a_wait_is_no_rate() -> None:
    pace = Pace()
    follow(pace, [n / 100 for n in range(500)])
    pace.note(Progress("Drawing", 0, 10, "step", 0))
    assert pace.seconds_left is None
    pace.note(Progress("Drawing", 0, 10, "step", 5))
    pace.note(Progress("Drawing", 0, 0, "step", 9))
    assert pace.seconds_left is None


def test_only_the_last_seconds_count() -> None:
    pace, times, second = Pace(), [], 0.0
    for n in range(1_000):
        second += 0.01 if n < 500 else 0.04  # it slows down
        times.append(second)
    assert all(later > earlier for earlier, later in pairwise(times))
    follow(pace, times, total=2_000)
    assert pace.seconds_left is not None
    assert abs(pace.seconds_left - 1_001 * 0.04) < 1
