"""A file that was saved is there until the browser has come for it, and not for long."""

from __future__ import annotations

import pytest
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage

from fitting_room.ui.serving.saved import KEPT, LOOK, Saved


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def files() -> MediaFileManager:
    return MediaFileManager(MemoryMediaFileStorage("/media"))


def is_there(files: MediaFileManager, address: str) -> bool:
    return files.read_file(address.rpartition("/")[2].partition(".")[0]) is not None


def save(saved: Saved, files: MediaFileManager, data: bytes) -> str:
    """The address of a file that is made as Streamlit makes it when its button is used."""

    def made() -> bytes:
        saved.keep(files, data, "image/png", "sheet.png")
        return data

    return files.execute_deferred(files.add_deferred(made, "image/png", "1", "sheet.png"))


def test_a_saved_file_outlives_pages_and_then_goes(files: MediaFileManager) -> None:
    clock = Clock()
    saved = Saved(clock)
    shown = files.add(b"a picture", "image/jpeg", "2")
    address = save(saved, files, b"a contact sheet")
    while clock.now < KEPT:
        for _ in range(5):  # after each page that is drawn, whoever's
            files.remove_orphaned_files()
        saved.tidy(files)
        assert is_there(files, address)
        clock.now += 1
    for clock.now in (KEPT, KEPT + LOOK, KEPT + 2 * LOOK):
        saved.tidy(files)
    assert not is_there(files, address)
    assert is_there(files, shown)


def test_a_file_that_is_saved_again_stays_again(files: MediaFileManager) -> None:
    clock = Clock()
    saved = Saved(clock)
    save(saved, files, b"a contact sheet")
    clock.now = KEPT - 1
    address = save(saved, files, b"a contact sheet")
    clock.now = 2 * KEPT - 2
    for _ in range(3):
        saved.tidy(files)
        files.remove_orphaned_files()
    assert is_there(files, address)


def test_places_are_used_again(files: MediaFileManager) -> None:
    clock = Clock()
    saved = Saved(clock)
    for number in range(100):
        save(saved, files, str(number).encode())
        clock.now += KEPT
        saved.tidy(files)
    assert len(saved._taken) + len(saved._free) == 1
