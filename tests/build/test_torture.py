"""A fault before some of the effects that builds, trainings and changes by hand have on files;
``make torture`` tries a thousand."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import PROJECT

POINTS = 50


@pytest.mark.skipif(sys.platform != "linux", reason="the faults are brought about as on Linux")
def test_whatever_goes_wrong_on_the_way_the_index_is_whole() -> None:
    """In a process of its own: what counts the effects cannot be taken away again, and a process
    with threads should not make copies of itself."""
    command = [sys.executable, "-m", "tests.build.torture", "--points", str(POINTS)]
    ran = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{POINTS} points" in ran.stdout
