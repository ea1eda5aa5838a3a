"""Writing an index, or a head into one, and putting it in place as a whole."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from filelock import Timeout

from fitting_room.build import embedding_map
from fitting_room.imaging.descriptors import DESCRIPTOR_LENGTH, PLAIN_BACKGROUND
from fitting_room.imaging.descriptors import VERSION as DESCRIPTORS_VERSION
from fitting_room.index import calibration
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
from fitting_room.index.head import Head
from fitting_room.index.index import Index
from fitting_room.index.manifest import (
    DESCRIPTORS,
    FILES,
    FORMAT,
    FORMAT_VERSION,
    HEAD_FILE,
    ITEMS,
    MAP,
    PCA_FILE,
    SCALES,
    TRAINED,
    TRAINED_SCALES,
    VECTORS,
    IndexUnusable,
    build_lock,
    file_entry,
    link,
    mapped,
    mapped_rows,
    new_array,
    put_in_place,
    sync,
    work_folder,
    write_manifest,
)
from fitting_room.index.reduction import PCA
from fitting_room.index.scoring import ROWS_AT_ONCE
from fitting_room.index.vectors import FLOAT32, INT8, KINDS, Matrix, RowsWriter, release, stored
from fitting_room.util.progress import Listener, ignore
from fitting_room.util.tables import Table

_log = logging.getLogger(__name__)


def write_index(
    folder: Path,
    *,
    blocks: Iterator[tuple[np.ndarray, np.ndarray]],
    items: Table,
    dimension: int,
    pca: PCA | None,
    head: Head | None,
    manifest: Mapping[str, Any],
    calibrated: calibration.Calibration | None = None,
    previous: calibration.Calibration | None = None,
    storage: str = FLOAT32,
    near: bool | None = None,
    before: Index | None = None,
    listener: Listener = ignore,
) -> None:
    """Write an index and put it in place of ``folder`` as a whole.

    ``blocks`` are float32 unit rows and the uint8 appearances that belong to them, as many rows
    together as ``items`` has. ``manifest`` carries ``identity``, ``catalogue`` and ``counts``; the
    rest is added here. What a likeness is worth is measured unless ``calibrated`` tells it;
    ``previous`` tells what cannot be measured again. ``before`` is the index that is replaced, by
    whoever has opened it; what it learned and laid out is taken over where it fits.
    """
    if before is None:
        before = _opened(folder)
    with work_folder(folder) as new:
        plain_background = 0
        with (
            _Writer(new, VECTORS, SCALES, storage, (len(items), dimension)) as vectors,
            RowsWriter(new / DESCRIPTORS, np.uint8, len(items), DESCRIPTOR_LENGTH) as descriptors,
        ):
            for block, looks in blocks:
                vectors.append(block)
                descriptors.append(looks)
                plain_background += int(np.count_nonzero(looks[:, PLAIN_BACKGROUND]))
        items.to_parquet(new / ITEMS)
        if pca is not None:
            np.savez(
                new / PCA_FILE, mean=pca.mean, components=pca.components, fitted_on=pca.fitted_on
            )
        full = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "appearance": DESCRIPTORS_VERSION,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "dimension": dimension,
            "storage": storage,
            "pca": None if pca is None else {"dimension": dimension, "fitted_on": pca.fitted_on},
            **manifest,
            "counts": {**manifest["counts"], "studio": plain_background},
        }
        rows = mapped_rows(new, storage, VECTORS, SCALES, (len(items), dimension))
        looks = mapped(new, DESCRIPTORS, np.uint8, (len(items), DESCRIPTOR_LENGTH))
        if near is None:
            near = len(items) * dimension >= WORTHWHILE_FROM
            if near and not is_available():
                _log.warning("%s", MISSING)
                near = False
        known = _learned(before, full, pca)
        if near:
            write_ann(new, rows, looks, previous=known)
        if head is not None:
            _write_trained(new, head, rows, looks, items, storage, known)
        _complete(new, folder, full, items, before, head, calibrated, (), previous, listener)


def write_head(
    folder: Path, head: Head | None, photographs: Sequence[calibration.Photograph] = ()
) -> None:
    """Give an index a head, or take it away, and put the index in place as a whole. What a
    likeness is worth is measured anew, for photographs with the given ones. Raises
    :class:`IndexUnusable` when there is no sound index, another build is running, or the head was
    trained on embeddings of another dimension."""
    folder = folder.resolve()
    try:
        with build_lock(folder).acquire(timeout=0), work_folder(folder) as new:
            old = Index.open(folder)
            old.verify()
            if head is not None and head.input_dimension != old.dimension:
                raise IndexUnusable(
                    f"{folder}: the head was trained on another index. Train again."
                )
            items = Table(old.items)
            of_head = {
                HEAD_FILE, TRAINED, TRAINED_SCALES, TRAINED_ANN_ENCODER, TRAINED_ANN_INDEX, MAP,
            }  # fmt: skip
            for name in set(old.manifest["files"]) - of_head:
                link(old.folder / name, new / name)
            if head is not None:
                storage = old.manifest["storage"]
                _write_trained(new, head, old.vectors, old.descriptors, items, storage, None)
            _complete(
                new, folder, old.manifest, items, old, head, None, photographs, old.calibration
            )
    except Timeout as error:
        raise IndexUnusable(
            f"{folder}: another build of this index is running. Wait for it."
        ) from error


class _Writer:
    """Writes rows in a storage, and their scales where it has some."""

    def __init__(
        self, new: Path, name: str, scales: str, storage: str, shape: tuple[int, int]
    ) -> None:
        self._storage = storage
        self._rows = RowsWriter(new / name, KINDS[storage], *shape)
        self._scales = (
            RowsWriter(new / scales, np.float32, shape[0], None) if storage == INT8 else None
        )

    def __enter__(self) -> _Writer:
        self._stack = ExitStack()
        self._stack.enter_context(self._rows)
        if self._scales is not None:
            self._stack.enter_context(self._scales)
        return self

    def append(self, rows: np.ndarray) -> None:
        values, scales = stored(np.asarray(rows, np.float32), self._storage)
        self._rows.append(values)
        if self._scales is not None and scales is not None:
            self._scales.append(scales)

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, start + ROWS_AT_ONCE) for start in range(0, count, ROWS_AT_ONCE))


def _opened(folder: Path) -> Index | None:
    try:
        return Index.open(folder, items=False)
    except IndexUnusable:
        return None


def _learned(before: Index | None, manifest: Mapping[str, Any], pca: PCA | None) -> Ann | None:
    """What ``before`` learned for finding candidates, so that a catalogue that grows a little needs
    no learning: directions and centres, which say nothing of another network's embeddings, or of
    the same ones reduced otherwise."""
    if before is None or before.identity != manifest["identity"]:
        return None
    if pca is None or before.pca is None:
        return before.ann if pca is before.pca else None
    same = np.array_equal(pca.components, before.pca.components)
    return before.ann if same else None


def _write_trained(
    new: Path,
    head: Head,
    vectors: Matrix,
    descriptors: np.ndarray,
    items: Table,
    storage: str,
    previous: Ann | None,
) -> None:
    head.save(new / HEAD_FILE)
    shape = (len(items), head.dimension)
    with _Writer(new, TRAINED, TRAINED_SCALES, storage, shape) as trained:
        for block in _blocks(len(items)):
            trained.append(
                head.project_items(vectors[block], descriptors[block], items.frame.iloc[block])
            )
            release(vectors, descriptors)
            items.release()
    if (new / ANN_INDEX).exists():
        projected = mapped_rows(new, storage, TRAINED, TRAINED_SCALES, shape)
        write_ann(new, projected, descriptors, trained=True, previous=previous)


def _complete(
    new: Path,
    folder: Path,
    manifest: Mapping[str, Any],
    items: Table,
    before: Index | None,
    head: Head | None,
    calibrated: calibration.Calibration | None,
    photographs: Sequence[calibration.Photograph] = (),
    previous: calibration.Calibration | None = None,
    listener: Listener = ignore,
) -> None:
    """Add the map and the manifest to an index's files in ``new``, put in place of ``folder``."""
    full = {
        **manifest,
        "build": uuid.uuid4().hex,
        "head": None if head is None else dict(head.record),
        "calibration": None if calibrated is None else calibrated.as_manifest(),
        "files": {
            path.name: file_entry(path) for path in sorted(new.iterdir()) if path.name in FILES
        },
    }
    full["map"] = None  # an earlier index's manifest may be what this one began as
    write_manifest(new, full)
    _write_map(new, full, items, before, listener)
    if calibrated is None:
        items.release()
        measured = calibration.calibrate(Index._open(new, items.frame), photographs, previous)
        full["calibration"] = None if measured is None else measured.as_manifest()
        write_manifest(new, full)
    for path in new.iterdir():
        sync(path)
    put_in_place(new, folder)


def _write_map(
    new: Path, manifest: dict[str, Any], items: Table, before: Index | None, listener: Listener
) -> None:
    """Draw the map of the index in ``new`` and add it to its files and its manifest. ``before``,
    which it will replace, tells where things were."""
    items.release()
    checksums = {name: entry["sha256"] for name, entry in manifest["files"].items()}
    basis = embedding_map.basis_of(manifest["identity"], checksums)
    index = Index._open(new, items.frame)
    rows = index.vectors if index.trained is None else index.trained
    drawn = embedding_map.draw(rows, items.frame.get("digest"), basis, before, listener)
    places = new_array(new / MAP, np.float32, drawn.positions.shape)
    places[:] = drawn.positions
    places.flush()
    manifest["map"] = drawn.record
    manifest["files"][MAP] = file_entry(new / MAP)
    write_manifest(new, manifest)
