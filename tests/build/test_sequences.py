"""Some orders of changes, made by :mod:`tests.build.sequences`; ``make torture`` tries more."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import PROJECT


@pytest.mark.skipif(sys.platform != "linux", reason="kills are brought about as on Linux")
def test_any_order_of_changes_is_right() -> None:
    """In a process of its own, which makes copies of itself."""
    command = [sys.executable, "-m", "tests.build.sequences", "--examples", "20", "--steps", "4"]
    ran = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
