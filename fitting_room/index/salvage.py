"""What of a damaged index is sound, file by file: for ``fitting-room verify``, and for a build,
which repairs it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from fitting_room.index import manifest as names
from fitting_room.index.ann import ANN_ENCODER, ANN_INDEX, TRAINED_ANN_ENCODER, TRAINED_ANN_INDEX
from fitting_room.index.data import (
    CURRENT,
    check_file,
    current_version,
    open_head_vectors,
    read_parts,
)
from fitting_room.index.head import Head, HeadError
from fitting_room.index.index import Index
from fitting_room.index.manifest import (
    IndexOutdated,
    IndexUnusable,
    Manifest,
    damaged,
    read_manifest,
)

#: Without one of these nothing of an index can be used again but its head.
_NEEDED = {
    names.VECTORS, names.SCALES, names.DESCRIPTORS, names.ITEMS, names.PCA_FILE, names.NETWORK,
}  # fmt: skip
_ANN = {ANN_ENCODER, ANN_INDEX, TRAINED_ANN_ENCODER, TRAINED_ANN_INDEX}
#: The head and its network's embeddings, and with these what it makes of the items.
_LEARNED = {names.HEAD_FILE, names.HEAD_VECTORS, names.HEAD_VECTOR_SCALES, names.HEAD_NETWORK}
_OF_HEAD = _LEARNED | {names.TRAINED, names.TRAINED_SCALES}


@dataclass(frozen=True, slots=True, eq=False)
class Salvage:
    """Of the index at a place the ``manifest``, the ``index`` made of its sound files, perhaps
    without a head, a map or candidates, and its ``head``, each ``None`` where it is damaged or was
    never there; and what is wrong with each of the other files, by its name, in ``faults``."""

    manifest: Manifest | None
    index: Index | None
    head: Head | None
    faults: dict[str, str]


def salvage(folder: Path) -> Salvage:
    """Read every file of the index at ``folder`` in full. Raises :class:`IndexUnusable` where there
    is no index, and :class:`IndexOutdated`."""
    try:
        version = current_version(folder)
    except IndexUnusable:
        if not (folder / CURRENT).is_file():
            raise
        return Salvage(None, None, None, {CURRENT: "it names no version"})
    try:
        manifest = read_manifest(folder, version / names.MANIFEST)
    except IndexOutdated:
        raise
    except IndexUnusable as error:
        return Salvage(None, None, None, {names.MANIFEST: _reason(folder, error)})
    faults = _faults(folder, version, manifest)
    index = _sound_part(folder, version, manifest, faults)
    head = None if index is None else index.head
    if head is None:
        with suppress(IndexUnusable):
            head = sound_head(folder)[1]
    return Salvage(manifest, index, head, faults)


def sound_head(folder: Path) -> tuple[Manifest, Head | None]:
    """The manifest and the head, if any, of the index at ``folder``, whatever its other files are
    like. Raises :class:`IndexUnusable` where one of the two is damaged or not there."""
    version = current_version(folder)
    manifest = read_manifest(folder, version / names.MANIFEST)
    if manifest.head is None:
        return manifest, None
    path = version / names.HEAD_FILE
    check_file(folder, path, manifest.files[names.HEAD_FILE])
    try:
        return manifest, Head.load(path)
    except HeadError as error:
        raise damaged(folder, str(error)) from error


def _faults(folder: Path, version: Path, manifest: Manifest) -> dict[str, str]:
    faults = {}
    for name, entry in manifest.files.items():
        try:
            check_file(folder, version / name, entry)
        except IndexUnusable as error:
            faults[name] = _reason(folder, error)
    if not faults:
        try:  # whoever wrote it may also have written the checksums
            read_parts(folder, version, manifest)
        except IndexUnusable as error:
            faults[_named_in(str(error), manifest)] = _reason(folder, error)
    return faults


def _sound_part(
    folder: Path, version: Path, whole: Manifest, faults: dict[str, str]
) -> Index | None:
    """The index without the parts that have faults, or ``None`` where too little is left."""
    wrong, manifest = set(faults), whole
    if wrong & (_NEEDED | {names.MANIFEST}):
        return None
    gone: set[str] = set()
    if wrong & _OF_HEAD:
        gone |= _OF_HEAD | {TRAINED_ANN_ENCODER, TRAINED_ANN_INDEX}
        manifest = replace(manifest, head=None, head_network=None)
    if wrong & _ANN:
        gone |= _ANN
    if names.MAP in wrong:
        gone |= {names.MAP}
        manifest = replace(manifest, map=None)
    files = {name: entry for name, entry in whole.files.items() if name not in gone}
    try:
        data = read_parts(folder, version, replace(manifest, files=files))
        if whole.head is None or wrong & _LEARNED or not wrong & _OF_HEAD:
            return Index(data)
        # Of a head only what it makes of the items is lost.
        head = Head.load(version / names.HEAD_FILE)
        vectors = open_head_vectors(version, whole, head)
        manifest = replace(data.manifest, head=whole.head, head_network=whole.head_network)
        return Index(replace(data, manifest=manifest, head=head, head_vectors=vectors))
    except (IndexUnusable, HeadError, ValueError, OSError):
        return None


def _reason(folder: Path, error: IndexUnusable) -> str:
    """What is wrong, out of the sentence that says it."""
    text = str(error).removeprefix(f"{folder}: the index is damaged (")
    return text.removesuffix("). Build it again.")


def _named_in(text: str, manifest: Manifest) -> str:
    return next((name for name in manifest.files if name in text), names.MANIFEST)
