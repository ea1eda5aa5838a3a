"""Writing an index, or a head into one, as a new version that takes the old one's place at once.

A version is written whole into a subfolder before ``CURRENT`` names it, so that a reader sees the
old version or the new one, and a kill at any moment leaves one of them.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from filelock import Timeout

from fitting_room.build import embedding_map
from fitting_room.build.adaptation import adapted
from fitting_room.build.calibrate import Photograph, calibrate
from fitting_room.build.networks import carry
from fitting_room.build.place import locked, resolved
from fitting_room.imaging.descriptors import DESCRIPTOR_LENGTH, PLAIN_BACKGROUND
from fitting_room.index import manifest as names
from fitting_room.index.added import ADDED, remove_unused
from fitting_room.index.ann import (
    ANN_INDEX,
    TRAINED_ANN_ENCODER,
    TRAINED_ANN_INDEX,
    WORTHWHILE_FROM,
    Ann,
    write_ann,
)
from fitting_room.index.calibration import Calibration
from fitting_room.index.data import (
    CURRENT,
    VERSION_NAME,
    IndexData,
    current_version,
    fits,
    images_of,
    open_derived,
    open_head_vectors,
)
from fitting_room.index.head import Head
from fitting_room.index.index import Index
from fitting_room.index.inverted_file import MISSING, is_available
from fitting_room.index.manifest import FileEntry, IndexUnusable, Manifest
from fitting_room.index.scoring import ROWS_AT_ONCE
from fitting_room.index.vectors import PCA, Matrix, mapped_array, mapped_rows, new_array, release
from fitting_room.util.aliases import OLD_FILES
from fitting_room.util.files import (
    beside,
    link_or_copy,
    naming,
    sha256_of,
    sync,
    sync_folder,
    write_atomically,
)
from fitting_room.util.identities import plain_network
from fitting_room.util.progress import Listener, ignore

_log = logging.getLogger(__name__)

_OF_HEAD = {
    names.HEAD_FILE, names.TRAINED, names.TRAINED_SCALES, TRAINED_ANN_ENCODER, TRAINED_ANN_INDEX,
}  # fmt: skip
_OF_HEAD_NETWORK = {names.HEAD_VECTORS, names.HEAD_VECTOR_SCALES, names.HEAD_NETWORK}


class Block(NamedTuple):
    """Of some items the embeddings, float32 unit rows ``(n, D)``, the descriptors, uint8 ``(n,
    DESCRIPTOR_LENGTH)``, and where the head brings a network, what that makes of them."""

    vectors: np.ndarray
    descriptors: np.ndarray
    head_vectors: np.ndarray | None = None


def write_index(
    folder: Path,
    blocks: Iterable[Block],
    items: pd.DataFrame,
    manifest: Manifest,
    *,
    pca: PCA | None = None,
    head: Head | None = None,
    ann: bool | None = None,
    networks: Mapping[str, Path] | None = None,
    before: Index | None = None,
    kept: np.ndarray | None = None,
    measure: Callable[[Index], Calibration | None] = calibrate,
    listener: Listener = ignore,
) -> None:
    """Write an index and put it in place of what is at ``folder``. ``blocks`` are its items in
    their order, with the rows of the network that ``head`` brings if ``manifest`` names one;
    ``ann`` says whether to make what finds candidates, by default in large catalogues; ``networks``
    are the files of those in 8 bits by name, by default those of ``before``. What
    ``before``, the index that is replaced, learned and laid out is taken over where it fits;
    ``measure`` calibrates the new one. Where the first items are rows of ``before`` as they are,
    with the same head, ``kept`` are those rows, int64 ``(n,)``, and nothing is computed of them
    again. Raises ``ValueError`` for too few rows, :class:`IndexUnusable` where something else is
    there."""
    if before is None:
        with suppress(IndexUnusable):
            before = Index.open(folder)
    with new_version(folder) as version:
        vectors, descriptors, head_vectors = _write_rows(version, blocks, manifest, head)
        items.to_parquet(version / names.ITEMS, index=False)
        carry(version, manifest, networks, before)
        if pca is not None:
            pca.save(version / names.PCA_FILE)
        plain = int(np.count_nonzero(descriptors[:, PLAIN_BACKGROUND]))
        manifest = replace(
            manifest,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            pca=None if pca is None else {"dimension": pca.dimension, "fitted_on": pca.fitted_on},
            counts=replace(manifest.counts, plain_background=plain),
        )
        learned = _learned(before, manifest, pca)
        if _wants_ann(vectors) if ann is None else ann:
            write_ann(version, vectors, descriptors, previous=learned)
        data = IndexData(
            folder, version, manifest, vectors, descriptors, items, pca, head_vectors=head_vectors
        )
        _finish(data, head, learned, before, measure, listener, kept)


def write_head(folder: Path, head: Head | None, photographs: Sequence[Photograph] = ()) -> None:
    """Give an index a head, or take it away, and calibrate it anew, for photographs with the given
    ones. Raises :class:`IndexUnusable` when there is no sound index, another build is running, or
    the head takes embeddings that the index does not have."""
    folder = resolved(folder)
    try:
        Index.open(folder)  # a lock is left beside what is no index otherwise
        with locked(folder):
            remove_leftovers(folder)
            old = Index.open(folder)
            old.verify()
            manifest, left_out = old.manifest, _OF_HEAD | {names.MAP}
            if head is None or head.network in (None, plain_network(old.identity)):
                manifest = replace(manifest, head_network=None)
                left_out |= _OF_HEAD_NETWORK
            if head is not None and not fits(head, manifest, old.pca):
                raise IndexUnusable(
                    f"{folder}: the head takes embeddings that this index does not have. Build it "
                    "with that head: fitting-room build CATALOGUE --head FILE"
                )
            with new_version(folder) as version:
                for name in set(old.manifest.files) - left_out:
                    link_or_copy(old.data.version / name, version / name)
                measure = partial(calibrate, photographs=photographs, previous=old.calibration)
                data = replace(old.data, version=version, manifest=manifest, head=head)
                data = replace(data, head_vectors=open_head_vectors(version, manifest, head))
                _finish(data, head, None, old, measure, ignore)
    except Timeout as error:
        raise IndexUnusable(
            f"{folder}: another build of this index is running. Wait for it."
        ) from error


def _finish(
    data: IndexData,
    head: Head | None,
    learned: Ann | None,
    before: Index | None,
    measure: Callable[[Index], Calibration | None],
    listener: Listener,
    kept: np.ndarray | None = None,
) -> None:
    """Add head, map, calibration and manifest to a version, and make it the current one."""
    version = data.version
    if head is not None:
        head = _write_adapted(data, head, 0 if kept is None else len(kept))
        data = replace(data, head=head)
        known = None if before is None or kept is None else before.trained
        _write_trained(data, head, learned, known, np.arange(0) if kept is None else kept)
    manifest = replace(
        data.manifest,
        build=uuid.uuid4().hex,
        head=None if head is None else dict(head.record),
        files={p.name: _entry(p) for p in sorted(version.iterdir()) if p.name in names.FILES},
    )
    trained, ann = open_derived(version, manifest, head)
    data = replace(data, manifest=manifest, trained=trained, ann=ann)
    checksums = {name: entry.sha256 for name, entry in manifest.files.items()}
    basis = embedding_map.basis_of(manifest.identity, checksums)
    if kept is not None and before is not None and before.manifest.map is not None:
        basis = before.manifest.map["basis"]  # of what is kept, which a new label moves nowhere
    rows = data.vectors if trained is None else trained
    drawn = embedding_map.draw(rows, data.items.get("digest"), basis, before, listener, kept)
    np.save(version / names.MAP, np.asarray(drawn.positions, np.float32))
    calibration = measure(Index(data))
    manifest = replace(
        manifest,
        map=drawn.record,
        calibration=None if calibration is None else calibration.as_manifest(),
        files={**manifest.files, names.MAP: _entry(version / names.MAP)},
    )
    (version / names.MANIFEST).write_text(manifest.as_text(), encoding="utf-8")
    _make_current(data.folder, version)


def _write_rows(
    version: Path, blocks: Iterable[Block], manifest: Manifest, head: Head | None
) -> tuple[Matrix, np.ndarray, Matrix | None]:
    """Write the vectors, the descriptors, and the vectors of the network that the head brings;
    returns them, mapped."""
    count, storage = manifest.counts.embedded, manifest.storage
    of_vectors = version / names.VECTORS, storage, (count, manifest.dimension)
    of_descriptors = version / names.DESCRIPTORS, np.uint8, (count, DESCRIPTOR_LENGTH)
    vectors, descriptors = mapped_rows(*of_vectors, new_array), new_array(*of_descriptors)
    head_vectors: Any = None
    if manifest.head_network is not None and head is not None:
        shape = (count, head.input_dimension)
        head_vectors = mapped_rows(version / names.HEAD_VECTORS, storage, shape, new_array)
    row = 0
    for block in blocks:
        rows = slice(row, row + len(block.vectors))
        vectors[rows], descriptors[rows] = block.vectors, block.descriptors
        if head_vectors is not None and block.head_vectors is not None:
            head_vectors[rows] = block.head_vectors
        row += len(block.vectors)
        release(vectors, descriptors, head_vectors)
    if row != count:
        raise ValueError(f"{row} rows for {count} pictures")
    del vectors, descriptors, head_vectors  # which writes what is not written yet
    of_head_network = open_head_vectors(version, manifest, head)
    return mapped_rows(*of_vectors), mapped_array(*of_descriptors), of_head_network


def _write_adapted(data: IndexData, head: Head, first: int) -> Head:
    """Write a head that knows the labels of the items from the ``first`` one on; returns it as
    queries will find it."""
    index, path = Index(data), data.version / names.HEAD_FILE

    def hidden_units(rows: np.ndarray) -> np.ndarray:
        rows = first + rows
        return head.hidden_units(index.embeddings_for(head, rows), data.descriptors[rows])

    items = data.items.iloc[first:]
    adapted(head, items, hidden_units, projected_before=first > 0).save(path)
    return Head.load(path)


def _write_trained(
    data: IndexData, head: Head, learned: Ann | None, known: Matrix | None, kept: np.ndarray
) -> None:
    """Write what a head makes of the items, with an inverted file if they have one. Of the first
    ones it is ``known``, in the rows ``kept``."""
    version, count = data.version, len(data.items)
    index = Index(data)
    shape = (count, head.dimension)
    trained = mapped_rows(version / names.TRAINED, data.manifest.storage, shape, new_array)
    first = 0
    if known is not None:
        first = len(kept)
        for start in range(0, first, ROWS_AT_ONCE):
            rows = slice(start, min(start + ROWS_AT_ONCE, first))
            trained[rows] = known[kept[rows]]
            release(trained, known)
    for start in range(first, count, ROWS_AT_ONCE):
        rows = slice(start, min(start + ROWS_AT_ONCE, count))
        trained[rows] = head.project_items(
            index.embeddings_for(head, rows), data.descriptors[rows], data.items.iloc[rows]
        )
        release(trained, data.vectors, data.descriptors, data.head_vectors)
    if (version / ANN_INDEX).exists():
        write_ann(version, trained, data.descriptors, trained=True, previous=learned)


def _wants_ann(vectors: Matrix) -> bool:
    """Whether a catalogue is large enough for an inverted file, and faiss is there."""
    is_large = vectors.shape[0] * vectors.shape[1] >= WORTHWHILE_FROM
    if is_large and not is_available():
        _log.warning("%s", MISSING)
    return is_large and is_available()


def _learned(before: Index | None, manifest: Manifest, pca: PCA | None) -> Ann | None:
    """What ``before`` learned for finding candidates, unless that was about the embeddings of
    another network, or ones reduced otherwise."""
    if before is None or before.identity != manifest.identity:
        return None
    if pca is None or before.pca is None:
        return before.ann if pca is before.pca else None
    return before.ann if np.array_equal(pca.components, before.pca.components) else None


def _entry(path: Path) -> FileEntry:
    return FileEntry(path.stat().st_size, sha256_of(path))


# --- versions ---------------------------------------------------------------------------------


@contextmanager
def new_version(folder: Path) -> Iterator[Path]:
    """An empty folder for a version of the index at ``folder``, gone again if it is not finished.
    Raises :class:`IndexUnusable` where ``folder`` holds something else."""
    require_replaceable(folder)
    version = folder / f"v-{uuid.uuid4().hex[:12]}"
    try:
        version.mkdir(parents=True)
        with naming(version):
            yield version
    except BaseException:
        if _is_current(version):
            raise  # only what it replaces is not yet removed
        with suppress(OSError):
            _remove_files(version)
            version.rmdir()
        with suppress(OSError):
            folder.rmdir()  # if nothing was there before
        raise


def _is_current(version: Path) -> bool:
    try:
        return current_version(version.parent) == version
    except IndexUnusable:
        return False


def require_replaceable(folder: Path) -> None:
    """Raise :class:`IndexUnusable` where something else than an index, whole or not, is there."""
    if not folder.exists():
        return
    present = {path.name for path in folder.iterdir()} if folder.is_dir() else {folder.name}
    # What file managers leave in any folder they show is nobody's work.
    present = {name for name in present if not name.startswith(".") and name != "Thumbs.db"}
    others = present - names.FILES - OLD_FILES - {names.MANIFEST, CURRENT}
    others = {name for name in others if name != ADDED or not (folder / name).is_dir()}
    others -= {names.MARKS}
    others = {name for name in others if not VERSION_NAME.fullmatch(name)}
    # A manifest alone is that of some web app rather than ours, and anybody may add things.
    versions = present - {ADDED, names.MARKS}
    alone = versions in ({names.MANIFEST}, {CURRENT}) or (present and not versions)
    if others or alone or not folder.is_dir():
        named = ", ".join(sorted(others or present)[:3])
        raise IndexUnusable(
            f"{folder}: there is something else than an index ({named}). Name another place."
        )


def _make_current(folder: Path, version: Path) -> None:
    try:
        for path in version.iterdir():
            sync(path)
        sync_folder(version)
        sync_folder(folder)  # the version itself, before it is named
        write_atomically(folder / CURRENT, version.name + "\n")
        sync_folder(folder)  # its name, before the version before goes
    except PermissionError as error:
        raise IndexUnusable(
            f"{folder}: the new index could not be put in place ({error}). "
            "Close the programs that have it open and build again."
        ) from error
    remove_leftovers(folder)


def remove_leftovers(folder: Path) -> None:
    """Remove what is not the current version of an index, such as earlier ones and what a killed
    build left. Files that a reader has open stay readable; where the system does not let them go,
    the next build removes them. Only for who holds the lock."""
    try:
        current = current_version(folder)
    except IndexUnusable:
        return
    if current != folder:
        _remove_files(folder)
    for path in folder.iterdir():
        if VERSION_NAME.fullmatch(path.name) and path != current:
            _remove_files(path)
            with suppress(OSError):
                path.rmdir()
    with suppress(IndexUnusable):  # of a damaged table all of them stay
        remove_unused(folder, images_of(folder, current))


def _remove_files(folder: Path) -> None:
    """Remove an index's files from a folder, and those that were not finished; what somebody else
    has put into it stays."""
    for path in folder.iterdir():
        unfinished = path.name.startswith(".") and ".new-" in path.name
        if path.name.startswith(beside(Path(names.MARKS), "new-").name):
            continue  # somebody may be marking now
        if unfinished or path.name in names.FILES | OLD_FILES | {names.MANIFEST}:
            with suppress(OSError):
                path.unlink()
