"""The lock files go with pyproject.toml, and the check sees where they do not."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from scripts import lock
from tests.conftest import PROJECT


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """pyproject.toml and the lock files, to be changed."""
    for name in ("pyproject.toml", *lock.EXTRAS):
        shutil.copy(PROJECT / name, tmp_path / name)
    return tmp_path


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert re.search(old, text)
    path.write_text(re.sub(old, new, text, count=1), "utf-8")


def test_the_lock_files_go_with_pyproject() -> None:
    assert list(lock.problems(PROJECT)) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"pillow>=11.3"', '"pillow<11.3"', r"pillow [\d.]+ is not <11\.3"),
        ('"tqdm>=4.66", *', "", "tqdm is no longer in pyproject.toml"),
        ('"tqdm>=4.66"', '"tqdm>=4.66", "left-pad>=1"', "left-pad of pyproject.toml is missing"),
        ('"torch==2.14.1"', '"torch==2.14.0"', "torch 2.14.1 is not ==2.14.0"),
        ('"hatchling>=1.26", "editables', '"hatchling>=99", "editables', "hatchling [^ ]+ is not"),
        ("; sys_platform != 'win32' or platform_machine != 'ARM64'", "", "0 versions for win32"),
    ],
)
def test_another_pyproject_is_told(copy: Path, old: str, new: str, problem: str) -> None:
    change(copy / "pyproject.toml", old, new)
    assert any(re.search(problem, told) for told in lock.problems(copy)), list(lock.problems(copy))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (r"(\ntimm==\S+ \\)(\n    --hash=sha256:\w+ ?\\?)+", r"\1", "timm has no digest"),
        (r"\ntimm==[\d.]+", r"\ntimm>=1.0", "timm is not pinned"),
        (r"\ntimm==[\d.]+", r"\ntimm==2.0", "timm 2.0 is not"),
        (r"\ntqdm==", "\n--index-url https://example.org\ntqdm==", "it names a place"),
        (r"\ntqdm==", "\ntqdm @ file:///tmp/tqdm.whl\ntqdm==", "it names a place"),
        (r"\ntqdm==", "\n???\ntqdm==", "a line that is no requirement"),
        (r"\nsix==[\d.]+", r"\nsix==1.0", "six 1.0 is not what requirements-dev.lock has"),
    ],
)
def test_another_lock_file_is_told(copy: Path, old: str, new: str, problem: str) -> None:
    change(copy / lock.RUN, old, new)
    assert any(problem in told for told in lock.problems(copy)), list(lock.problems(copy))


def test_a_lock_file_that_is_not_there_is_told(copy: Path) -> None:
    (copy / lock.DEV).unlink()
    assert f"{lock.DEV}: it is not there." in list(lock.problems(copy))
