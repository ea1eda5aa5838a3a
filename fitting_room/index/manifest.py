"""An index's files on disk: what they are called, how they are checked, written and replaced.

An index is written under another name and put in place at once, so that a reader sees the old one
or the new one and nothing between.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import os
import shutil
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from fitting_room.imaging import descriptors
from fitting_room.index.ann import ANN_ENCODER, ANN_INDEX, TRAINED_ANN_ENCODER, TRAINED_ANN_INDEX
from fitting_room.index.vectors import FLOAT32, INT8, KINDS, STORAGES, Matrix, Rows

FORMAT = "fitting-room-index"
FORMAT_VERSION = 3
VECTORS, ITEMS, MANIFEST, PCA_FILE = "vectors.npy", "items.parquet", "manifest.json", "pca.npz"
DESCRIPTORS, HEAD_FILE, TRAINED = "appearances.npy", "head.safetensors", "trained.npy"
MAP = "map.npy"
#: Scales of rows that are stored in 8 bits, of the vectors and of what the head makes of them.
SCALES, TRAINED_SCALES = "scales.npy", "trained-scales.npy"
FILES = frozenset(
    {
        VECTORS, ITEMS, PCA_FILE, DESCRIPTORS, HEAD_FILE, TRAINED, MAP, SCALES, TRAINED_SCALES,
        ANN_ENCODER, ANN_INDEX, TRAINED_ANN_ENCODER, TRAINED_ANN_INDEX,
    }
)  # fmt: skip

MAX_MANIFEST_BYTES = 64 * 2**20
MAX_DIMENSION = 65_536


class IndexUnusable(Exception):  # noqa: N818
    """An index that is not there, is damaged, or was made by another network; says what to do."""


# --- reading ----------------------------------------------------------------------------------

#: What a manifest's identity says in words; the preprocessing is compared as it is.
_IDENTITY_TEXTS = ("backbone", "weights", "weights_sha256")


def damaged(folder: Path, what: str) -> IndexUnusable:
    return IndexUnusable(f"{folder}: the index is damaged ({what}). Build it again.")


def read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        with path.open("rb") as file:
            data = file.read(MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        raise IndexUnusable(
            f"{folder}: there is no index here. Build one with: fitting-room build CATALOGUE "
            f"--index {folder}"
        ) from error
    try:
        if len(data) > MAX_MANIFEST_BYTES:
            raise ValueError("manifest.json is too large")
        manifest = json.loads(data)
        if manifest["format"] != FORMAT:
            raise ValueError("manifest.json is of something else")
        version = manifest["format_version"]
        if version != FORMAT_VERSION or manifest["appearance"] != descriptors.VERSION:
            raise IndexUnusable(
                f"{folder}: the index has format {version}, this program reads "
                f"{FORMAT_VERSION}. Build it again."
            )
        files = manifest["files"]
        sound = (
            isinstance(manifest["identity"], dict)
            and all(isinstance(manifest["identity"][key], str) for key in _IDENTITY_TEXTS)
            and isinstance(manifest["catalogue"]["location"], str)
            and isinstance(manifest["catalogue"]["report"], dict)
            and isinstance(manifest["created"], str)
            and isinstance(manifest["chosen_because"], str)
            and isinstance(manifest["failures"], list)
            and isinstance(manifest["counts"]["failed"], int)
            and isinstance(manifest["counts"]["studio"], int)
            and isinstance(manifest["head"], dict | None)
            and (manifest["head"] is not None) == (HEAD_FILE in files)
            and (HEAD_FILE in files) == (TRAINED in files)
            and manifest["storage"] in STORAGES
            and (manifest["storage"] == INT8) == (SCALES in files)
            and (SCALES in files and TRAINED in files) == (TRAINED_SCALES in files)
            and (ANN_ENCODER in files) == (ANN_INDEX in files)
            and (ANN_INDEX in files and TRAINED in files) == (TRAINED_ANN_INDEX in files)
            and (TRAINED_ANN_ENCODER in files) == (TRAINED_ANN_INDEX in files)
            and _sound_map_record(manifest)
            and (manifest.get("map") is not None) == (MAP in files)
            and manifest["counts"]["items"] > 0
            and 0 < manifest["dimension"] <= MAX_DIMENSION
            and set(files) <= FILES
            and all(e["bytes"] >= 0 and isinstance(e["sha256"], str) for e in files.values())
        )
        if not sound:
            raise ValueError("manifest.json makes no sense")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise damaged(folder, str(error)) from error
    return dict(manifest)


def _sound_map_record(manifest: Mapping[str, Any]) -> bool:
    """Whether what a manifest says of its map makes sense."""
    record = manifest.get("map")
    return record is None or (
        isinstance(record, dict)
        and isinstance(record.get("basis"), str)
        and type(record.get("laid_out")) is int
        and type(record.get("changed")) is int
        and record["laid_out"] > 0
        and record["changed"] >= 0
    )


def mapped(folder: Path, name: str, kind: type[np.generic], shape: tuple[int, ...]) -> np.ndarray:
    array = np.load(folder / name, mmap_mode="r", allow_pickle=False)
    if not isinstance(array, np.ndarray):  # an archive under the name of an array
        raise ValueError(f"{name} is no array")
    if array.dtype != kind or array.shape != shape:
        raise ValueError(f"{name} holds {array.dtype} {array.shape}")
    return array


def mapped_rows(
    folder: Path, storage: str, name: str, scales: str, shape: tuple[int, int]
) -> Matrix:
    """Rows in a storage, mapped."""
    raw = mapped(folder, name, KINDS[storage], shape)
    if storage == FLOAT32:
        return raw
    return Rows(raw, mapped(folder, scales, np.float32, shape[:1]) if storage == INT8 else None)


def check_sum(folder: Path, name: str, manifest: dict[str, Any]) -> None:
    try:
        with (folder / name).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise damaged(folder, f"{name} cannot be read") from error
    if found != manifest["files"][name]["sha256"]:
        raise damaged(folder, f"{name} is not what was written")


# --- writing ----------------------------------------------------------------------------------


@contextmanager
def work_folder(folder: Path) -> Iterator[Path]:
    """A new folder beside ``folder``, on the same disk, that is gone afterwards."""
    path = folder.with_name(f".{folder.name}.new-{uuid.uuid4().hex[:8]}")
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def build_lock(folder: Path) -> FileLock:
    """What a process holds while it replaces the index at ``folder``."""
    return FileLock(folder.with_name(f".{folder.name}.lock"))


def new_array(path: Path, kind: type[np.generic], shape: tuple[int, int]) -> np.memmap[Any, Any]:
    return np.lib.format.open_memmap(path, mode="w+", dtype=kind, shape=shape)


def link(source: Path, target: Path) -> None:
    """The same file under another name: an index's files are never written to again."""
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        shutil.copyfile(source, target)


def write_manifest(new: Path, manifest: Mapping[str, Any]) -> None:
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    (new / MANIFEST).write_text(text, encoding="utf-8")


def file_entry(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}


def sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def require_replaceable(folder: Path) -> None:
    """Raise :class:`IndexUnusable` unless an index may be put at ``folder``: nothing is there, or
    a folder of nothing but an index's files, whole or not."""
    if not folder.exists():
        return
    files = {path.name for path in folder.iterdir()} if folder.is_dir() else {folder.name}
    # What file managers leave in any folder they show is nobody's work.
    files = {name for name in files if not name.startswith(".") and name != "Thumbs.db"}
    others = files - FILES - {MANIFEST}
    # A manifest alone is that of some web app rather than ours.
    if others or files == {MANIFEST} or not folder.is_dir():
        named = ", ".join(sorted(others or files)[:3])
        raise IndexUnusable(
            f"{folder}: there is something else than an index ({named}). Name another place."
        )


def put_in_place(new: Path, folder: Path) -> None:
    """Give ``new`` the name ``folder``; what had it before is left under the name ``new``."""
    require_replaceable(folder)
    try:
        if folder.exists():
            if not _exchange(new, folder):
                folder.rename(previous_place(folder))
                new.rename(folder)
                restore(folder)
        else:
            new.rename(folder)
    except OSError as error:
        raise IndexUnusable(
            f"{folder}: the new index could not be put in place ({error}). "
            "Close the programs that have it open and build again."
        ) from error


def previous_place(folder: Path) -> Path:
    """Where an index stands for the moment between two renames, and after a kill just then."""
    return folder.with_name(f".{folder.name}.previous")


def restore(folder: Path) -> None:
    """Clear up after a replacement by two renames: an index that was only moved aside gets its
    name back, one that was replaced goes. Only for who holds the lock of the build."""
    if previous_place(folder).exists():
        if folder.exists():
            shutil.rmtree(previous_place(folder), ignore_errors=True)
        else:
            previous_place(folder).rename(folder)


def _exchange(first: Path, second: Path) -> bool:
    """Swap two names in one step, where the system can: no moment without an index, and a kill
    at any point leaves a whole one. Python's ``os`` has no call for it."""
    if sys.platform == "win32":
        return False
    library = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(first), os.fsencode(second)
    if sys.platform.startswith("linux") and hasattr(library, "renameat2"):
        at_cwd, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE: renameat2(2)
        done = library.renameat2(at_cwd, names[0], at_cwd, names[1], exchange)
    elif sys.platform == "darwin" and hasattr(library, "renamex_np"):
        done = library.renamex_np(*names, 2)  # RENAME_SWAP
    else:
        return False
    if done == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):  # a file system that cannot
        return False
    raise OSError(number, os.strerror(number))
