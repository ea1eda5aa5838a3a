"""Decoding in a process of its own: it is ended, it comes down, and the next picture is decoded."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from fitting_room.imaging import workers
from fitting_room.imaging.blank import EMPTY_PAGE
from fitting_room.imaging.decode import open_image
from fitting_room.imaging.gate import BUSY
from fitting_room.imaging.workers import Worker, WorkerEnded, Workers
from tests.imaging import offenders
from tests.imaging.pictures import KINDS, encoded, looks_like_quarters, noise, quarters, rejection

ASKED = {"limits": {"max_bytes": 2**25, "max_pixels": 64_000_000, "min_side": 8}, "side": 512}
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch):
    """One worker, which is started by the test's first picture."""
    pool = Workers(1)
    monkeypatch.setattr(workers, "WORKERS", pool)
    yield pool
    pool.close()


def idle(pool: Workers) -> Worker:
    (worker,) = pool._idle
    return worker


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_decodes_as_this_process_does(
    kind: str, few: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encoded(quarters((1100, 1300)), kind, **KINDS[kind])
    monkeypatch.setattr("fitting_room.imaging.bounds.is_light", lambda *_: False)
    apart = open_image(data)
    monkeypatch.setattr("fitting_room.imaging.bounds.is_light", lambda *_: True)
    assert looks_like_quarters(apart)
    assert apart.tobytes() == open_image(data).tobytes()


def test_a_worker_stays_for_the_next_picture_and_loads_little(few: Workers) -> None:
    data = encoded(noise(), "TIFF")
    open_image(data)
    worker = idle(few)
    open_image(data)
    assert idle(few) is worker


def test_a_note_and_a_reason_come_back(few: Workers) -> None:
    white = open_image(encoded(quarters(colours=((255, 255, 255),) * 4), "TIFF"))
    assert white.info.popitem()[1] == EMPTY_PAGE
    assert "too small" in rejection(encoded(quarters((6, 90)), "TIFF"), name="a.tif").reason
    assert "incomplete" in rejection(encoded(noise((90, 90)), "TIFF")[:9_000]).reason


def test_ordinary_pictures_start_no_worker(few: Workers) -> None:
    for kind in ("JPEG", "PNG", "WEBP"):
        open_image(encoded(noise((900, 1200)), kind))
    rejection(b"no picture at all")
    assert few._idle == []


@POSIX
def test_what_takes_too_long_is_ended_and_the_next_picture_is_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = Workers(1, seconds=0.5)
    monkeypatch.setattr(workers, "WORKERS", pool)
    assert "too long" in rejection(offenders.bmp_of_runs()).reason
    assert pool._idle == []
    assert open_image(encoded(noise(), "TIFF")).size == (40, 50)
    pool.close()


def test_the_clock_ends_it_where_the_system_does_not() -> None:
    pool = Workers(1, seconds=0, clock=0.01)  # 0 is no limit
    with pytest.raises(WorkerEnded) as ended:
        pool.ask(ASKED, offenders.bmp_of_runs())
    assert ended.value.timed_out


@POSIX
def test_a_worker_that_came_down_while_it_waited_is_replaced(few: Workers) -> None:
    data = encoded(noise(), "TIFF")
    open_image(data)
    worker = idle(few)
    os.kill(worker.process.pid, signal.SIGKILL)
    worker.process.wait()
    assert open_image(data).size == (40, 50)
    assert idle(few) is not worker


def test_a_worker_that_comes_down_takes_nothing_else_with_it(few: Workers) -> None:
    with pytest.raises(WorkerEnded) as ended:
        few.ask({"limits": "nonsense"}, b"")  # an error of its own
    assert not ended.value.timed_out
    assert open_image(encoded(noise(), "TIFF")).size == (40, 50)


def test_a_picture_that_brings_the_decoder_down_is_refused(
    few: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def come_down(*_: object) -> None:
        raise WorkerEnded(timed_out=False)

    monkeypatch.setattr(few, "ask", come_down)
    assert "damaged" in rejection(encoded(noise(), "TIFF")).reason


def test_where_no_process_can_be_started_one_tries_again(
    few: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with monkeypatch.context() as patched:
        patched.setattr("subprocess.Popen", fail)
        assert rejection(encoded(noise(), "TIFF")).reason == BUSY
    assert open_image(encoded(noise(), "TIFF")).size == (40, 50)
