"""Who decodes when. Nothing here waits for the clock: threads tell each other when to go on."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import pytest
from PIL import Image

from fitting_room.imaging import decode, gate
from fitting_room.imaging.decode import ImageRejected, open_image
from fitting_room.imaging.gate import BUSY, Busy, Gate, Lane
from tests.imaging.pictures import encoded, noise, rejection

LONG = 60.0


def wait_until_waiting(lane: Lane, count: int) -> None:
    with lane._changed:
        assert lane._changed.wait_for(lambda: lane.waiting == count, LONG)


def test_no_more_than_the_places_are_inside_at_once() -> None:
    lane, most, lock = Lane(2, waiting=20, patience=LONG), [0], threading.Lock()
    inside = threading.Semaphore(0)

    def visit(_: int) -> None:
        with lane.turn():
            with lock:
                most[0] = max(most[0], lane.inside)
            inside.release()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(visit, range(20)))
    assert 1 <= most[0] <= 2
    assert (lane.inside, lane.waiting) == (0, 0)


def test_who_waits_gets_the_place_that_becomes_free() -> None:
    lane, came_in = Lane(1, waiting=1, patience=LONG), threading.Event()

    def visit() -> None:
        with lane.turn():
            came_in.set()

    with lane.turn():
        thread = threading.Thread(target=visit)
        thread.start()
        wait_until_waiting(lane, 1)
        assert not came_in.is_set()
    assert came_in.wait(LONG)
    thread.join()


def test_a_full_queue_takes_nobody() -> None:
    lane = Lane(1, waiting=1, patience=LONG)

    def visit() -> None:
        with lane.turn():
            pass

    with lane.turn():
        thread = threading.Thread(target=visit)
        thread.start()
        wait_until_waiting(lane, 1)
        with pytest.raises(Busy), lane.turn():
            pass
    thread.join()
    assert (lane.inside, lane.waiting) == (0, 0)


def test_patience_ends() -> None:
    lane = Lane(1, waiting=1, patience=0)
    with lane.turn():
        with pytest.raises(Busy), lane.turn():
            pass
        assert lane.waiting == 0
    with lane.turn():
        pass


def test_a_place_is_given_back_by_who_fails() -> None:
    lane = Lane(1, waiting=0, patience=0)
    with pytest.raises(KeyError), lane.turn():
        raise KeyError
    with lane.turn():
        pass


def one_of_each() -> Gate:
    return Gate(Lane(1, waiting=0, patience=0), Lane(1, waiting=0, patience=0))


def test_who_finds_no_place_is_told_to_try_again() -> None:
    gates = one_of_each()
    with gates.light.turn():
        assert rejection(encoded(noise(), "JPEG"), gate=gates).reason == BUSY
    assert open_image(encoded(noise(), "JPEG"), gate=gates).size == (40, 50)


def test_heavy_files_do_not_stand_in_the_way_of_ordinary_ones() -> None:
    gates, buffer = one_of_each(), BytesIO()
    Image.new("F", (60, 80)).save(buffer, "TIFF")
    with gates.heavy.turn():
        assert rejection(buffer.getvalue(), gate=gates).reason == BUSY
        for kind in ("JPEG", "PNG", "WEBP"):
            assert open_image(encoded(noise(), kind), gate=gates).size == (40, 50)
    with gates.light.turn():
        assert open_image(buffer.getvalue(), gate=gates).size == (60, 80)


def test_a_picture_that_is_decoded_already_waits_for_nobody() -> None:
    gates = one_of_each()
    with gates.light.turn(), gates.heavy.turn():
        assert open_image(noise(), gate=gates).size == (40, 50)


def test_visitors_go_through_the_gate_and_many_pictures_do_not(
    demo_fitting_room, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, gates = encoded(noise((60, 80)), "JPEG"), one_of_each()
    monkeypatch.setattr("fitting_room.search.searcher.VISITORS", gates)
    with gates.light.turn():
        with pytest.raises(ImageRejected, match="Many people"):
            demo_fitting_room.describe([data])
        ((_, outcome),) = demo_fitting_room.describe_many([data])
    assert not isinstance(outcome, ImageRejected)


def test_the_gate_of_this_process_has_places_for_both() -> None:
    assert gate.VISITORS.light.places >= 1 <= gate.VISITORS.heavy.places
    assert decode.BUSY == BUSY
