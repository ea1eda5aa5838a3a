"""With the core alone installed, an index that was built elsewhere is served: torch and all that
comes with the extras is kept from being imported, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fitting_room.facade import FittingRoom
from fitting_room.settings import Settings
from scripts.try_core import HEAVY
from tests.conftest import PROJECT, SAMPLES

#: Run by Python at its start, in the processes that these start as well.
BLOCKER = f"""
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {(*HEAVY, "joblib")!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocker())
"""


@pytest.fixture
def environment(tmp_path: Path, settings: Settings) -> dict[str, str]:
    (tmp_path / "blocker").mkdir()
    (tmp_path / "blocker" / "sitecustomize.py").write_text(BLOCKER, "utf-8")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "blocker"), str(PROJECT)]),
        "FITTING_ROOM_CACHE": str(settings.cache),
    }


def ran(environment: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip


def test_all_but_making_a_network_goes_without_torch(
    environment: dict[str, str], demo_fitting_room: FittingRoom
) -> None:
    demo_fitting_room.embedder  # noqa: B018 - which has been converted then
    script = PROJECT / "scripts" / "try_core.py"
    done = ran(environment, script, demo_fitting_room.index.folder, "--without-server")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing of torch was there" in done.stdout


def test_serving_imports_nothing_that_comes_with_an_extra(
    environment: dict[str, str], demo_fitting_room: FittingRoom
) -> None:
    """Also where it is installed: nobody waits for it."""
    environment["PYTHONPATH"] = str(PROJECT)
    code = (
        "import sys, fitting_room.ui.page, fitting_room.cli; "
        f"room = fitting_room.facade.FittingRoom.open({str(demo_fitting_room.index.folder)!r}); "
        f"room.search({str(SAMPLES / 'red-dress.jpg')!r}); "
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = ran(environment, "-c", code)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["build", "data/demo", "--backbone", "resnet50"], "fitting-room[build]"),
        (["build", "data/demo", "--weights", "V2"], "fitting-room[build]"),
        (["train", "data/demo"], "fitting-room[build,train]"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_what_needs_an_extra_says_which(
    environment: dict[str, str], tmp_path: Path, arguments: list[str], extra: str
) -> None:
    done = ran(environment, "-m", "fitting_room", *arguments, "--index", tmp_path / "index")
    assert done.returncode == 1
    assert f"pip install '{extra}'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "index").exists()
