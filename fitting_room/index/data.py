"""An index on disk: a folder with a subfolder for each version, of which ``CURRENT`` names one.

A version's folder has ``vectors.npy``, ``descriptors.npy`` (those of the pictures),
``items.parquet``, ``map.npy`` and ``manifest.json``; where the vectors were reduced, ``pca.npz``;
where a head was trained, ``head.safetensors`` and ``trained.npy``, what it makes of the items; of a
network in 8 bits ``network.safetensors``; and in large catalogues what finds candidates.
:mod:`fitting_room.build.writer` writes it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fitting_room.imaging.descriptors import DESCRIPTOR_LENGTH
from fitting_room.index import manifest as names
from fitting_room.index.ann import ANN_INDEX, Ann
from fitting_room.index.calibration import Calibration
from fitting_room.index.head import Head
from fitting_room.index.items_file import read_images, read_items
from fitting_room.index.manifest import FileEntry, IndexUnusable, Manifest, damaged
from fitting_room.index.vectors import PCA, Matrix, mapped_array, mapped_rows
from fitting_room.index.verifier import Verifier
from fitting_room.util.files import sha256_of

CURRENT = "CURRENT"
VERSION_NAME = re.compile(r"v-[0-9a-f]{12}")
#: Arrays of rows, which are mapped: up to this many bytes they are checked in full when an index is
#: opened, like all its other files, and larger ones after the first answer.
_LARGE = {names.VECTORS, names.DESCRIPTORS, names.TRAINED, names.HEAD_VECTORS}
CHECKED_AT_ONCE = 16 * 2**20


@dataclass(frozen=True, slots=True, eq=False)
class IndexData:
    """All that an index holds; its files lie in ``version``.

    ``vectors`` is float32 ``(N, D)`` with unit rows, or stored shorter and float32 as soon as rows
    are taken out, ``descriptors`` uint8 ``(N, DESCRIPTOR_LENGTH)``, ``items`` the table of ``N``
    pictures of items, of which those of one item have the same ``id``, ``trained`` float32 ``(N,
    E)`` what ``head`` makes of them, ``map`` float32 ``(N, 2)`` their places on a map.
    ``head_vectors``, ``(N, H)``, are embeddings of the network that the head brings, where that is
    not the index's own. ``verifier`` checks what was not checked in full, where it was opened from
    disk.
    """

    folder: Path
    version: Path
    manifest: Manifest
    vectors: Matrix
    descriptors: np.ndarray
    items: pd.DataFrame
    pca: PCA | None = None
    head: Head | None = None
    trained: Matrix | None = None
    head_vectors: Matrix | None = None
    map: np.ndarray | None = None
    ann: Ann | None = None
    calibration: Calibration | None = None
    verifier: Verifier | None = None


def current_version(folder: Path) -> Path:
    """The folder with the files of the index at ``folder``, in the old format ``folder`` itself.
    Raises :class:`IndexUnusable` where there is no index."""
    try:
        with (folder / CURRENT).open("rb") as file:
            name = file.read(100).decode("ascii", "replace").strip()
    except (FileNotFoundError, NotADirectoryError) as error:
        if (folder / names.MANIFEST).is_file():
            return folder
        raise IndexUnusable(
            f"{folder}: there is no index here. Build one with: fitting-room build CATALOGUE "
            f"--index {folder}"
        ) from error
    except OSError as error:
        raise IndexUnusable(
            f"{folder}: the index cannot be read ({error.strerror}). Let it be read, or name "
            "another place."
        ) from error
    if not VERSION_NAME.fullmatch(name):
        raise damaged(folder, f"{CURRENT} names no version")
    return folder / name


def load_index_data(folder: Path) -> IndexData:
    """Open the index at ``folder``. Sizes, shapes and, but for large arrays, checksums are
    compared; arrays are mapped. Raises :class:`IndexUnusable`, whatever is wrong."""
    version = current_version(folder)
    while True:
        try:
            return _load(folder, version)
        except IndexUnusable:
            opened, version = version, current_version(folder)
            if version == opened:
                raise  # else a build replaced it just now and removed its files


def check_file(folder: Path, path: Path, entry: FileEntry, *, in_full: bool = True) -> None:
    """Raise :class:`IndexUnusable` unless a file of the index has its size and its checksum."""
    try:
        if path.stat().st_size != entry.bytes:
            raise damaged(folder, f"{path.name} has another size than it was written with")
        if in_full and sha256_of(path) != entry.sha256:
            raise damaged(folder, f"{path.name} is not what was written")
    except OSError as error:
        raise damaged(folder, f"{path.name} is missing or cannot be read") from error


def _load(folder: Path, version: Path) -> IndexData:
    manifest = names.read_manifest(folder, version / names.MANIFEST)
    later: dict[str, FileEntry] = {}
    for name, entry in manifest.files.items():
        large = name in _LARGE and entry.bytes > CHECKED_AT_ONCE
        check_file(folder, version / name, entry, in_full=not large)
        later |= {name: entry} if large else {}
    return read_parts(folder, version, manifest, Verifier(folder, version, later))


def read_parts(
    folder: Path, version: Path, manifest: Manifest, verifier: Verifier | None = None
) -> IndexData:
    """Open the files that a manifest names, whose checksums were compared before. Raises
    :class:`IndexUnusable`, whatever is wrong with them."""
    try:
        return _read_parts(folder, version, manifest, verifier)
    except Exception as error:
        # Files are read by libraries, and a damaged one ends them in any error that there is.
        raise damaged(folder, f"{error}"[:300] or type(error).__name__) from error


def _read_parts(
    folder: Path, version: Path, manifest: Manifest, verifier: Verifier | None
) -> IndexData:
    files, count, dimension = manifest.files, manifest.counts.embedded, manifest.dimension
    head = Head.load(version / names.HEAD_FILE) if names.HEAD_FILE in files else None
    pca = PCA.load(version / names.PCA_FILE) if names.PCA_FILE in files else None
    if pca is not None and pca.dimension != dimension:
        raise ValueError(f"{names.PCA_FILE} does not fit the vectors")
    if head is not None and not fits(head, manifest, pca):
        raise ValueError(f"{names.HEAD_FILE} does not fit the vectors")
    # Arrays first: their forms are compared with their sizes, which bounds all that comes after.
    vectors = mapped_rows(version / names.VECTORS, manifest.storage, (count, dimension))
    of_descriptors = np.uint8, (count, DESCRIPTOR_LENGTH)
    descriptors = mapped_array(version / names.DESCRIPTORS, *of_descriptors)
    trained, ann = open_derived(version, manifest, head)
    return IndexData(
        folder=folder,
        version=version,
        manifest=manifest,
        vectors=vectors,
        descriptors=descriptors,
        items=read_items(version / names.ITEMS, count, manifest.counts.items),
        pca=pca,
        head=head,
        trained=trained,
        head_vectors=open_head_vectors(version, manifest, head),
        map=_read_map(version / names.MAP, count) if names.MAP in files else None,
        ann=ann,
        calibration=Calibration.from_manifest(manifest.calibration),
        verifier=verifier,
    )


def images_of(folder: Path, version: Path) -> list[str]:
    """The names of the pictures in the items' table of a version. Raises :class:`IndexUnusable`
    where the table is damaged."""
    manifest, path = names.read_manifest(folder, version / names.MANIFEST), version / names.ITEMS
    check_file(folder, path, manifest.files[names.ITEMS])
    try:
        return read_images(path, manifest.counts.embedded)
    except Exception as error:  # as above
        raise damaged(folder, str(error)[:300]) from error


def fits(head: Head, manifest: Manifest, pca: PCA | None) -> bool:
    """Whether a head takes the embeddings that an index has for it: those of the network that it
    brings, or the index's own, of which a head of format 1 takes the reduced ones."""
    if manifest.head_network is not None:
        return head.takes(manifest.head_network)
    if head.network is None:
        return head.input_dimension == manifest.dimension
    whole = manifest.dimension if pca is None else len(pca.mean)
    return head.takes(manifest.identity) and head.input_dimension == whole


def open_head_vectors(version: Path, manifest: Manifest, head: Head | None) -> Matrix | None:
    """The embeddings of the network that the head brings, mapped, where it brings one."""
    if manifest.head_network is None or head is None:
        return None
    shape = (manifest.counts.embedded, head.input_dimension)
    return mapped_rows(version / names.HEAD_VECTORS, manifest.storage, shape)


def open_derived(
    version: Path, manifest: Manifest, head: Head | None
) -> tuple[Matrix | None, Ann | None]:
    """What an index's head makes of its items, mapped, and what finds candidates in it."""
    count, dimension = manifest.counts.embedded, manifest.dimension
    trained, ann, width = None, None, None if head is None else head.dimension
    if width is not None:
        trained = mapped_rows(version / names.TRAINED, manifest.storage, (count, width))
    if ANN_INDEX in manifest.files:
        ann = Ann.open(version, count=count, dimension=dimension, head_dimension=width)
    return trained, ann


def _read_map(path: Path, count: int) -> np.ndarray:
    places = mapped_array(path, np.float32, (count, 2))
    if not (np.abs(places) <= 1e3).all():  # written so that it is false of what is no number
        raise ValueError(f"{path.name} holds other things than places")
    return places
