"""A page whose index turns out to be damaged says so and stops using it."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fitting_room.build.writer import write_head
from fitting_room.facade import FittingRoom
from fitting_room.index import data
from fitting_room.index.data import current_version
from fitting_room.index.manifest import IndexUnusable
from fitting_room.index.salvage import salvage
from fitting_room.index.verifier import Verifier
from fitting_room.settings import Settings
from tests.conftest import SAMPLES
from tests.ui.app.conftest import NewPage, cards, upload


def errors(page: AppTest) -> str:
    return " ".join(error.value for error in page.error)


def test_damage_that_is_found_later_is_said_until_there_is_a_sound_version(
    new_page: NewPage,
    demo_fitting_room: FittingRoom,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = Path(shutil.copytree(demo_fitting_room.index.folder, tmp_path / "index"))
    path = current_version(folder) / "vectors.npy"
    whole = path.read_bytes()
    monkeypatch.setattr(data, "CHECKED_AT_ONCE", 0)
    content = bytearray(whole)
    content[-4] ^= 1  # the last bit of a number: the first answer is as it was
    path.write_bytes(content)
    shown, read, verifiers = threading.Event(), Verifier._digest, []

    def digest(self: Verifier, path: Path) -> str:
        verifiers.append(self)
        assert shown.wait(60)  # the first answer is on the page
        return read(self, path)

    monkeypatch.setattr(Verifier, "_digest", digest)
    page = new_page(index=folder)
    upload(page, (SAMPLES / "red-dress.jpg").read_bytes())
    assert not page.exception
    assert cards(page)
    shown.set()
    with pytest.raises(IndexUnusable, match=r"vectors\.npy"):
        verifiers[0].wait()
    page.run()
    assert not page.exception
    assert "vectors.npy is not what was written). Build it again." in errors(page)
    assert not cards(page)
    path.write_bytes(whole)
    write_head(folder, None)  # a newer, sound version
    page.run()
    assert not page.exception
    assert errors(page) == ""
    assert cards(page)


def test_a_damaged_catalogue_is_built_again_from_the_page(
    new_page: NewPage,
    with_copies: Path,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "index"
    FittingRoom.build(with_copies, folder, settings=settings)
    damaged = current_version(folder) / "vectors.npy"
    content = bytearray(damaged.read_bytes())
    content[-4] ^= 1
    damaged.write_bytes(content)
    monkeypatch.setattr(data, "CHECKED_AT_ONCE", 0)
    verifiers: list[Verifier] = []
    read = Verifier._digest

    def digest(self: Verifier, path: Path) -> str:
        verifiers.append(self)
        return read(self, path)

    monkeypatch.setattr(Verifier, "_digest", digest)
    page = new_page(catalogue=with_copies, index=folder)
    upload(page, (with_copies / "images" / "10724.webp").read_bytes(), kind="image/webp")
    with pytest.raises(IndexUnusable, match=r"vectors\.npy"):
        verifiers[0].wait()
    page.run()
    assert "vectors.npy is not what was written). Build it again." in errors(page)
    assert not cards(page)
    (again,) = (button for button in page.button if button.label == "Build it again")
    again.click().run()
    assert not page.exception
    assert errors(page) == ""
    assert len(cards(page)) > 1
    assert current_version(folder) != damaged.parent
    upload(page, (with_copies / "images" / "10724.webp").read_bytes(), kind="image/webp")
    assert not page.exception
    assert {"10724", "70", "80", "90"} & {card["id"] for card in cards(page)}
    assert "Build it again" not in [button.label for button in page.button]
    assert salvage(folder).faults == {}
