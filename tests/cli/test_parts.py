"""`fitting-room search --part`: parts are listed, and one is searched with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fitting_room.facade import FittingRoom
from tests.conftest import SAMPLES


@pytest.fixture
def outfit(tmp_path: Path) -> Path:
    picture = Image.new("RGB", (700, 600), "white")
    for left, name in ((10, "red-dress.jpg"), (390, "brown-handbag.jpg")):
        picture.paste(Image.open(SAMPLES / name).convert("RGB").resize((300, 400)), (left, 100))
    picture.save(tmp_path / "outfit.png")
    return tmp_path / "outfit.png"


def test_parts_are_listed_and_searched_with(
    run: Any, outfit: Path, demo_fitting_room: FittingRoom
) -> None:
    index = demo_fitting_room.index.folder
    listed = run("search", outfit, "--index", index, "--part", "list", "--json")
    (line,) = listed.lines
    kinds = [part["kind"] for part in line["parts"]]
    assert sorted(kinds) == ["Dresses", "Handbags"]
    assert all(len(part["box"]) == 4 for part in line["parts"])
    words = run("search", outfit, "--index", index, "--part", "list")
    assert [row.split()[:2] for row in words.out.splitlines()[1:]] == [
        [str(number), f"{kind}:"] for number, kind in enumerate(kinds, 1)
    ]
    number = kinds.index("Handbags") + 1
    ran = run("search", outfit, "--index", index, "--part", number, "-n", 4, "--json")
    found = [demo_fitting_room.item(match["id"]) for match in ran.lines[0]["matches"]]
    types = [match.attributes["articleType"] for match in found if match is not None]
    assert types.count("Handbags") >= 3


def test_a_part_that_is_not_there_is_said(
    run: Any, outfit: Path, demo_fitting_room: FittingRoom
) -> None:
    index = demo_fitting_room.index.folder
    ran = run("search", outfit, "--index", index, "--part", 3)
    assert ran.status == 1
    assert "There is no part 3: this picture shows 2 parts." in ran.err
    shirt = SAMPLES / "blue-tshirt.jpg"
    assert "one garment" in run("search", shirt, "--index", index, "--part", 1).err
    assert "one garment" in run("search", shirt, "--index", index, "--part", "list").out
    assert run("search", shirt, "--index", index, "--part", 0).status == 2


def test_a_file_that_is_no_picture_is_said(
    run: Any, tmp_path: Path, demo_fitting_room: FittingRoom
) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    index = demo_fitting_room.index.folder
    for choice in ("list", "1"):
        ran = run("search", tmp_path / "text.jpg", "--index", index, "--part", choice)
        assert ran.status == 1
        assert "text.jpg" in ran.err
