"""Writing an index, or a head into one, as a new version that takes the old one's place at once.

A version is written whole into a subfolder, and then ``CURRENT`` is replaced by a file that names
it. A reader sees the old version or the new one, and a kill at any moment leaves one of them.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

from fitting_room.build import embedding_map
from fitting_room.build.calibrate import Photograph, calibrate
from fitting_room.imaging.descriptors import DESCRIPTOR_LENGTH, PLAIN_BACKGROUND
from fitting_room.index import manifest as names
from fitting_room.index.ann import (
    ANN_INDEX,
    MISSING,
    TRAINED_ANN_ENCODER,
    TRAINED_ANN_INDEX,
    WORTHWHILE_FROM,
    Ann,
    is_available,
    write_ann,
)
from fitting_room.index.calibration import Calibration
from fitting_room.index.data import (
    CURRENT,
    VERSION_NAME,
    IndexData,
    current_version,
    open_ann,
    open_trained,
)
from fitting_room.index.head import Head
from fitting_room.index.index import Index
from fitting_room.index.manifest import FileEntry, IndexUnusable, Manifest
from fitting_room.index.scoring import ROWS_AT_ONCE
from fitting_room.index.vectors import PCA, Matrix, mapped_array, mapped_rows, new_array, new_rows
from fitting_room.util.files import link_or_copy, sha256_of, sync, write_atomically
from fitting_room.util.progress import Listener, ignore

_log = logging.getLogger(__name__)

_OF_HEAD = {
    names.HEAD_FILE,
    names.TRAINED,
    "trained-scales.npy",
    TRAINED_ANN_ENCODER,
    TRAINED_ANN_INDEX,
}


def write_index(
    folder: Path,
    blocks: Iterable[tuple[np.ndarray, np.ndarray]],
    items: pd.DataFrame,
    manifest: Manifest,
    *,
    pca: PCA | None = None,
    head: Head | None = None,
    ann: bool | None = None,
    before: Index | None = None,
    measure: Callable[[Index], Calibration | None] = calibrate,
    listener: Listener = ignore,
) -> None:
    """Write an index and put it in place of what is at ``folder``.

    ``blocks`` are float32 unit rows and the uint8 descriptors that belong to them, as many rows
    together as ``items`` has. ``manifest`` says what is known of them; the rest is added here.
    ``ann`` says whether candidates can be found, by default in large catalogues. ``before`` is the
    index that is replaced; what it learned and laid out is taken over where it fits. ``measure``
    calibrates the new index. Raises ``ValueError`` for too few rows, :class:`IndexUnusable` where
    ``folder`` holds something else.
    """
    if before is None:
        with suppress(IndexUnusable):
            before = Index.open(folder)
    with new_version(folder) as version:
        vectors, descriptors = _write_rows(version, blocks, manifest)
        items.to_parquet(version / names.ITEMS, index=False)
        if pca is not None:
            pca.save(version / names.PCA_FILE)
        plain_background = int(np.count_nonzero(descriptors[:, PLAIN_BACKGROUND]))
        manifest = replace(
            manifest,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            pca=None if pca is None else {"dimension": pca.dimension, "fitted_on": pca.fitted_on},
            counts=replace(manifest.counts, plain_background=plain_background),
        )
        learned = _learned(before, manifest, pca)
        if _wants_ann(vectors) if ann is None else ann:
            write_ann(version, vectors, descriptors, previous=learned)
        data = IndexData(folder, manifest, vectors, descriptors, items, pca, version=version)
        _finish(data, version, head, learned, before, measure, listener)


def write_head(folder: Path, head: Head | None, photographs: Sequence[Photograph] = ()) -> None:
    """Give an index a head, or take it away. Likenesses are calibrated anew, for photographs with
    the given ones. Raises :class:`IndexUnusable` when there is no sound index, another build is
    running, or the head was trained on embeddings of another dimension."""
    folder = folder.resolve()
    try:
        with build_lock(folder).acquire(timeout=0):
            old = Index.open(folder)
            old.verify()
            if head is not None and head.input_dimension != old.dimension:
                raise IndexUnusable(
                    f"{folder}: the head was trained on another index. Train again."
                )
            with new_version(folder) as version:
                for name in set(old.manifest.files) - _OF_HEAD - {names.MAP}:
                    link_or_copy((old.data.version or folder) / name, version / name)

                def measure(index: Index) -> Calibration | None:
                    return calibrate(index, photographs, old.calibration)

                data = replace(old.data, version=version, head=None, trained=None, ann=None)
                _finish(data, version, head, None, old, measure, ignore)
    except Timeout as error:
        raise IndexUnusable(
            f"{folder}: another build of this index is running. Wait for it."
        ) from error


def _finish(
    data: IndexData,
    version: Path,
    head: Head | None,
    learned: Ann | None,
    before: Index | None,
    measure: Callable[[Index], Calibration | None],
    listener: Listener,
) -> None:
    """Add the head, the map, the calibration and the manifest to a version, and make it the
    current one."""
    if head is not None:
        _write_trained(data, version, head, learned)
    manifest = replace(
        data.manifest,
        build=uuid.uuid4().hex,
        head=None if head is None else dict(head.record),
        map=None,
        calibration=None,
        files={p.name: _entry(p) for p in sorted(version.iterdir()) if p.name in names.FILES},
    )
    trained, ann = open_trained(version, manifest, head), open_ann(version, manifest, head)
    index = Index(
        replace(data, manifest=manifest, head=head, trained=trained, ann=ann, calibration=None)
    )
    drawn = embedding_map.draw(index, before, listener)
    np.save(version / names.MAP, np.asarray(drawn.positions, np.float32))
    measured = measure(index)
    manifest = replace(
        manifest,
        map=drawn.record,
        calibration=None if measured is None else measured.as_manifest(),
        files={**manifest.files, names.MAP: _entry(version / names.MAP)},
    )
    text = json.dumps(manifest.as_dict(), indent=1, ensure_ascii=False)
    (version / names.MANIFEST).write_text(text, encoding="utf-8")
    for path in version.iterdir():
        sync(path)
    _make_current(data.folder, version)


def _write_rows(
    version: Path, blocks: Iterable[tuple[np.ndarray, np.ndarray]], manifest: Manifest
) -> tuple[Matrix, np.ndarray]:
    """Write the vectors and the descriptors; returns both, mapped."""
    count, storage = manifest.counts.items, manifest.storage
    shape, shape_of_descriptors = (count, manifest.dimension), (count, DESCRIPTOR_LENGTH)
    vectors = new_rows(version / names.VECTORS, storage, shape)
    descriptors = new_array(version / names.DESCRIPTORS, np.uint8, shape_of_descriptors)
    row = 0
    for block, descriptors_of_block in blocks:
        rows = slice(row, row + len(block))
        vectors[rows], descriptors[rows] = block, descriptors_of_block
        row += len(block)
    if row != count:
        raise ValueError(f"{row} rows for {count} items")
    del vectors, descriptors  # which writes what is not written yet
    return (
        mapped_rows(version / names.VECTORS, storage, shape),
        mapped_array(version / names.DESCRIPTORS, np.uint8, shape_of_descriptors),
    )


def _write_trained(data: IndexData, version: Path, head: Head, learned: Ann | None) -> None:
    """Write a head, what it makes of the items and, beside an inverted file, one of that."""
    head.save(version / names.HEAD_FILE)
    count = len(data.items)
    trained = new_rows(version / names.TRAINED, data.manifest.storage, (count, head.dimension))
    for start in range(0, count, ROWS_AT_ONCE):
        rows = slice(start, min(start + ROWS_AT_ONCE, count))
        trained[rows] = head.project_items(
            data.vectors[rows], data.descriptors[rows], data.items.iloc[rows]
        )
    if (version / ANN_INDEX).exists():
        write_ann(version, trained, data.descriptors, trained=True, previous=learned)


def _wants_ann(vectors: Matrix) -> bool:
    """Whether a catalogue is large enough for an inverted file, and faiss is there."""
    if vectors.shape[0] * vectors.shape[1] < WORTHWHILE_FROM:
        return False
    if not is_available():
        _log.warning("%s", MISSING)
        return False
    return True


def _learned(before: Index | None, manifest: Manifest, pca: PCA | None) -> Ann | None:
    """What ``before`` learned for finding candidates, so that a catalogue that grows a little needs
    no learning: directions and centres, which say nothing of another network's embeddings, or of
    the same ones reduced otherwise."""
    if before is None or before.identity != manifest.identity:
        return None
    if pca is None or before.pca is None:
        return before.ann if pca is before.pca else None
    return before.ann if np.array_equal(pca.components, before.pca.components) else None


def _entry(path: Path) -> FileEntry:
    return FileEntry(path.stat().st_size, sha256_of(path))


# --- versions ---------------------------------------------------------------------------------


def build_lock(folder: Path) -> FileLock:
    """What a process holds while it writes the index at ``folder``."""
    return FileLock(folder.with_name(f".{folder.name}.lock"))


@contextmanager
def new_version(folder: Path) -> Iterator[Path]:
    """An empty folder for a version of the index at ``folder``, which is gone again if it was not
    finished. Raises :class:`IndexUnusable` where ``folder`` holds something else."""
    require_replaceable(folder)
    version = folder / f"v-{uuid.uuid4().hex[:12]}"
    version.mkdir(parents=True)
    try:
        yield version
    except BaseException:
        _remove(version)
        with suppress(OSError):
            folder.rmdir()  # if nothing was there before
        raise


def require_replaceable(folder: Path) -> None:
    """Raise :class:`IndexUnusable` unless an index may be written at ``folder``: nothing is there,
    or a folder of nothing but an index's files, whole or not."""
    if not folder.exists():
        return
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else {folder.name}
    # What file managers leave in any folder they show is nobody's work.
    names = {name for name in names if not name.startswith(".") and name != "Thumbs.db"}
    others = {
        name for name in names - names.FILES - names.OLD_FILES if not VERSION_NAME.fullmatch(name)
    }
    others -= {names.MANIFEST, CURRENT}
    # A manifest alone is that of some web app rather than ours.
    if others or names in ({names.MANIFEST}, {CURRENT}) or not folder.is_dir():
        named = ", ".join(sorted(others or names)[:3])
        raise IndexUnusable(
            f"{folder}: there is something else than an index ({named}). Name another place."
        )


def _make_current(folder: Path, version: Path) -> None:
    try:
        write_atomically(folder / CURRENT, version.name + "\n")
    except OSError as error:
        raise IndexUnusable(
            f"{folder}: the new index could not be put in place ({error}). "
            "Close the programs that have it open and build again."
        ) from error
    remove_leftovers(folder)


def remove_leftovers(folder: Path) -> None:
    """Remove what is not the current version of an index: earlier ones, of this format or the one
    before, and what a killed build left. Files that a reader has open stay readable; where the
    system does not let them go, the next build does. Only for who holds the lock."""
    try:
        current = current_version(folder)
    except IndexUnusable:
        return
    for path in folder.iterdir():
        is_version = VERSION_NAME.fullmatch(path.name) is not None
        if is_version and path != current:
            _remove(path)
        elif current != folder and not is_version and _is_ours(path):
            with suppress(OSError):
                path.unlink()


def _remove(version: Path) -> None:
    """Remove a version's folder; what somebody else has put into it stays."""
    for path in version.iterdir():
        if _is_ours(path):
            with suppress(OSError):
                path.unlink()
    with suppress(OSError):
        version.rmdir()


def _is_ours(path: Path) -> bool:
    unfinished = path.name.startswith(".") and ".new-" in path.name
    return path.name in names.FILES | names.OLD_FILES | {names.MANIFEST} or unfinished
