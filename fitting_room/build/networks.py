"""The networks in 8 bits that an index carries in its folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fitting_room.embedding.embedder import Embedder
from fitting_room.index import manifest as names
from fitting_room.index.index import Index
from fitting_room.index.manifest import Manifest
from fitting_room.util.files import link_or_copy
from fitting_room.util.identities import IN_8_BITS


def files_of(embedder: Embedder) -> dict[str, Path]:
    """The files of the networks in 8 bits that an index made by these carries, by name."""
    found = {}
    for name, one in ((names.NETWORK, embedder), (names.HEAD_NETWORK, embedder.of_head)):
        file = None if one is None else one.selection.quantised
        if file is not None and file.path is not None:
            found[name] = file.path
    return found


def carried(index: Index, name: str) -> Path | None:
    """Where an index has the file of that name, if it carries one."""
    return index.data.version / name if name in index.manifest.files else None


def carry(
    version: Path, manifest: Manifest, networks: Mapping[str, Path] | None, before: Index | None
) -> None:
    """Put the networks in 8 bits of a manifest into a version."""
    for name, identity in (
        (names.NETWORK, manifest.identity),
        (names.HEAD_NETWORK, manifest.head_network or {}),
    ):
        if IN_8_BITS not in identity:
            continue
        if networks is not None:
            link_or_copy(networks[name], version / name)
        elif before is not None:
            link_or_copy(before.data.version / name, version / name)
