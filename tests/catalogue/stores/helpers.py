"""What the tests of stores share: files in folders and archives, and real catalogues' cases."""

from __future__ import annotations

import io
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

from fitting_room.catalogue.stores import ImageStore
from tests.conftest import PROJECT, picture_bytes

MB = 2**20
PICTURE = picture_bytes()
SECRET = picture_bytes("black")
CASES = PROJECT.parent / "shared" / "cases" / "catalogues"


def fill(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def zipped(path: Path, files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def names_in(store: ImageStore) -> list[str]:
    return [name for name, _ in store.listing().pictures()]


def link(path: Path, to: Path | str) -> None:
    try:
        path.symlink_to(to, target_is_directory=(path.parent / to).is_dir())
    except OSError:
        pytest.skip("this system lets no links be made")


def case(name: str) -> Path:
    """A catalogue as people have it."""
    if not CASES.is_dir():
        pytest.skip(f"the cases are not at {CASES}")
    return CASES / name


def linked_case(name: str, to: Path) -> Path:
    """A copy of such a catalogue with the links that it should have."""
    copy = Path(shutil.copytree(case(name), to / name))
    for line in (copy / "LINKS.txt").read_text("utf-8").splitlines():
        path, target = line.split(" -> ")
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        link(copy / path, target)
    return copy
