"""`fitting-room convert`: the networks of an index, for a machine without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fitting_room.settings import Settings


def test_the_networks_of_an_index_are_converted_and_named(
    run: Any, index: Path, settings: Settings
) -> None:
    ran = run("convert", "--index", index, "--json")
    assert ran.status == 0
    ((line),) = ran.lines
    (folder,) = map(Path, line["networks"])
    assert folder.parent == settings.engines_folder
    assert {"network.json", "model.xml", "model.bin"} <= {p.name for p in folder.iterdir()}
    assert str(folder) in run("convert", "--index", index).out


def test_a_place_that_cannot_be_written_is_an_error(
    run: Any, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("FITTING_ROOM_CACHE", str(tmp_path / "file"))
    ran = run("convert", "--index", index)
    assert ran.status == 1
    assert "could not be kept" in ran.err


def test_no_index_is_an_error(run: Any, tmp_path: Path) -> None:
    assert run("convert", "--index", tmp_path / "nowhere").status == 1
