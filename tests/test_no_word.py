"""No word to anybody: a build, a search and all modules, with name look-ups and connections
recorded, ask no other machine and write nothing into the user's home. A visit of the page is in
``tests/browser/test_serving.py``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import recording
from tests.conftest import PROJECT, SAMPLES

#: Every module of the package, and then what its libraries load of theirs.
EVERYTHING = """
import pkgutil, importlib, fitting_room
for module in pkgutil.walk_packages(fitting_room.__path__, "fitting_room."):
    if not module.name.endswith("__main__") and ".bundled" not in module.name:
        importlib.import_module(module.name)
import openvino, openvino.tools.ovc, streamlit, timm, torch, torchvision, pytorch_metric_learning
import sys
assert sys.modules["openvino_telemetry"] is None
"""


def run(folder: Path, *arguments: str, **variables: str) -> None:
    environment = recording.environment(folder, PROJECT) | variables
    command = [sys.executable, *arguments]
    ran = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert recording.said(folder) == []
    assert recording.written_at_home(folder) == []


def test_a_build_and_a_search_say_nothing(shop: Path, tmp_path: Path) -> None:
    command = ("-m", "fitting_room")
    own = {"FITTING_ROOM_CACHE": str(tmp_path / "cache"), "FITTING_ROOM_ENGINE": "openvino"}
    index = str(tmp_path / "index")
    for name in ("build", "search"):
        (tmp_path / name).mkdir()
    network = ("--backbone", "efficientnet_lite0")
    run(tmp_path / "build", *command, "build", str(shop), "--index", index, *network, **own)
    picture = str(SAMPLES / "red-dress.jpg")
    run(tmp_path / "search", *command, "search", picture, "--index", index, **own)


def test_all_modules_say_nothing(tmp_path: Path) -> None:
    run(tmp_path, "-c", EVERYTHING)


def test_the_recording_hears_what_is_said(tmp_path: Path) -> None:
    words = "import socket, contextlib\nwith contextlib.suppress(OSError):\n    "
    words += "socket.create_connection(('host.invalid', 80), 1)"
    with pytest.raises(AssertionError, match=r"host\.invalid"):
        run(tmp_path, "-c", words)


def test_who_uses_telemetry_already_keeps_it(tmp_path: Path) -> None:
    (tmp_path / "openvino_telemetry.py").write_text("")
    words = "import openvino_telemetry as theirs, sys, fitting_room\n"
    run(tmp_path, "-c", words + "assert sys.modules['openvino_telemetry'] is theirs")
