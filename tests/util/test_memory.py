"""Large blocks go back to the system when they are freed."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

from fitting_room.util import memory

#: After a block of 20 MB was freed: whether one of 2 MB is the system's own.
CHECK = """
import ctypes, sys
class Info(ctypes.Structure):
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in names.split()]
from fitting_room.util.memory import give_back_at_once
if sys.argv[1] == "yes":
    give_back_at_once()
info = ctypes.CDLL(None).mallinfo2
info.restype = Info
block = bytearray(20 * 2**20)
del block
before = info().hblkhd
block = bytearray(2 * 2**20)
print(info().hblkhd - before >= len(block))
"""


def is_large_the_systems_own(asked: str, **environment: str) -> bool:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    run = subprocess.run(
        [sys.executable, "-c", CHECK, asked], env=clean | environment,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return run.stdout.strip() == "True"


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallinfo2"),
    reason="needs the GNU C library",
)
def test_large_blocks_are_the_systems_own() -> None:
    assert is_large_the_systems_own("yes")
    assert not is_large_the_systems_own("no")
    assert not is_large_the_systems_own("yes", MALLOC_MMAP_THRESHOLD_=str(30 * 2**20))


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: object())
    memory.give_back_at_once()
