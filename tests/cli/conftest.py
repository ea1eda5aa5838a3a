"""What the tests of the command line share: a command that runs in this process, and a shop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fitting_room.cli import main
from fitting_room.facade import FittingRoom
from fitting_room.settings import Settings
from tests.conftest import COLOURS, picture_bytes

COMMANDS = [
    "build",
    "add",
    "remove",
    "search",
    "train",
    "evaluate",
    "info",
    "verify",
    "convert",
    "backbones",
    "fetch",
    "serve",
]
SUMMARY_KEYS = {
    "pictures",
    "report",
    "items",
    "dropped",
    "repaired",
    "failed",
    "backbone",
    "dimension",
    "seconds",
    "images_per_second",
    "reused",
    "head",
    "uses_head",
    "added_gone",
    "gone_back",
    "damaged",
}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """The packaged network, converted once for all tests."""
    monkeypatch.setenv("FITTING_ROOM_BACKBONE", "efficientnet_lite0")
    monkeypatch.setenv("FITTING_ROOM_CACHE", str(settings.cache))


class Ran:
    """A finished command."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err
        assert "Traceback" not in err

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def command(*arguments: object) -> Ran:
        capsys.readouterr()
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as wrong:  # argparse
            status = int(wrong.code or 0)
        return Ran(status, *capsys.readouterr())

    return command


def make_shop(folder: Path) -> Path:
    (folder / "images").mkdir(parents=True)
    lines = ["id,gender,baseColour,productDisplayName"]
    for number, colour in enumerate(COLOURS, 1):
        gender = "Women" if number % 2 else "Men"
        lines.append(f"{number},{gender},{colour.title()},{colour.title()} shïrt")
        (folder / "images" / f"{number}.jpg").write_bytes(picture_bytes(colour))
    (folder / "styles.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop that no test changes."""
    return make_shop(tmp_path_factory.mktemp("catalogue") / "shop")


@pytest.fixture(scope="session")
def index(catalogue: Path, settings: Settings) -> Path:
    """The index of that shop, which no test changes."""
    FittingRoom.build(catalogue, catalogue.parent / "index", settings=settings)
    return catalogue.parent / "index"
