"""What ``manifest.json`` says of an index: what made it, from what, and a checksum of each file.

Anybody may have written it, so every field is checked, and an error names the one that is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fitting_room.imaging import descriptors
from fitting_room.index.ann import ANN_ENCODER, ANN_INDEX, TRAINED_ANN_ENCODER, TRAINED_ANN_INDEX
from fitting_room.index.vectors import INT8, STORAGES

FORMAT = "fitting-room-index"
#: Format 3 had its files in the index's folder itself; its embeddings can be taken over.
FORMAT_VERSION, OLD_FORMAT_VERSION = 4, 3
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
#: What format 3 found candidates with, which is written anew.
OLD_FILES = frozenset({"sketch.npz", "neighbours.faiss", "trained-sketch.npz", "trained.faiss"})

MAX_MANIFEST_BYTES = 64 * 2**20
MAX_DIMENSION = 65_536


class IndexUnusable(Exception):  # noqa: N818
    """An index that is not there, is damaged, or was made by another network; says what to do."""


def damaged(folder: Path, reason: str) -> IndexUnusable:
    return IndexUnusable(f"{folder}: the index is damaged ({reason}). Build it again.")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file's size and its SHA-256 digest."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class CatalogueRecord:
    """Where the catalogue lay, the digest of its items, and its report as plain values."""

    location: str
    fingerprint: str
    report: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Counts:
    """``rows`` came in, of which some were ``repaired`` or ``dropped``; the pictures of ``failed``
    ones could not be used. Of the ``items`` that are left, so many have a ``plain_background``."""

    rows: int
    items: int
    repaired: int = 0
    dropped: int = 0
    failed: int = 0
    plain_background: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a builder knows of an index, and what the writer adds to it: all but the first eight.

    ``identity`` is the network's, with its weights and preprocessing. ``head``, ``calibration``,
    ``map`` and ``pca`` are records of plain values; ``head`` and ``map`` have files of their own.
    """

    identity: dict[str, Any]
    chosen_because: str
    advice: str | None = None
    catalogue: CatalogueRecord
    counts: Counts
    failures: list[dict[str, Any]]
    dimension: int
    storage: str
    build: str = ""
    created: str = ""
    pca: dict[str, Any] | None = None
    head: dict[str, Any] | None = None
    calibration: dict[str, Any] | None = None
    map: dict[str, Any] | None = None
    files: dict[str, FileEntry] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    @classmethod
    def from_json(cls, text: str | bytes) -> Manifest:
        """Read a manifest of this format or of the one before. Raises ``ValueError``, which names
        the first field that is wrong."""
        try:
            values = json.loads(text)
        except RecursionError as error:
            raise ValueError(f"{MANIFEST}: nested too deeply") from error
        if not isinstance(values, dict):
            raise ValueError(f"{MANIFEST} must be an object")
        for name, check in _FIELDS.items():
            _require(name, _value_at(values, name), check)
        counts, files = dict(values["counts"]), values["files"]
        if values["format_version"] == OLD_FORMAT_VERSION:
            counts["plain_background"] = counts.pop("studio", None)
            files = {name: entry for name, entry in files.items() if name not in OLD_FILES}
        for name in Counts.__slots__:
            _require(f"counts.{name}", counts.get(name), _POSITIVE if name == "items" else _COUNT)
        for name, check in _MAP_FIELDS.items() if values.get("map") is not None else ():
            _require(f"map.{name}", values["map"].get(name), check)
        for name, entry in files.items():
            _require("a name in files", name, _FILE_NAME)
            _require(f"files.{name}.bytes", _value_at(entry, "bytes"), _COUNT)
            _require(f"files.{name}.sha256", _value_at(entry, "sha256"), _TEXT)
        catalogue = values["catalogue"]
        manifest = cls(
            catalogue=CatalogueRecord(*(catalogue[key] for key in CatalogueRecord.__slots__)),
            counts=Counts(*(counts[key] for key in Counts.__slots__)),
            files={name: FileEntry(e["bytes"], e["sha256"]) for name, e in files.items()},
            **{name: values.get(name) for name in _PLAIN},
        )
        manifest._check_files()
        return manifest

    def _check_files(self) -> None:
        """Raise ``ValueError`` unless the files are those that the other fields promise."""
        named = set(self.files)
        for names, promised, field_name in (
            ({VECTORS, ITEMS, DESCRIPTORS}, True, "format"),
            ({HEAD_FILE, TRAINED}, self.head is not None, "head"),
            ({MAP}, self.map is not None, "map"),
            ({PCA_FILE}, self.pca is not None, "pca"),
            ({SCALES}, self.storage == INT8, "storage"),
            ({TRAINED_SCALES}, self.storage == INT8 and TRAINED in named, "storage"),
            ({ANN_ENCODER}, ANN_INDEX in named, f"files.{ANN_INDEX}"),
            ({TRAINED_ANN_INDEX}, {ANN_INDEX, TRAINED} <= named, f"files.{ANN_INDEX}"),
            ({TRAINED_ANN_ENCODER}, TRAINED_ANN_INDEX in named, f"files.{TRAINED_ANN_INDEX}"),
        ):
            if wrong := sorted(names - named if promised else names & named):
                verb = "must name" if promised else "must not name"
                raise ValueError(f"{MANIFEST}: files {verb} {wrong[0]}, as {field_name} says")

    def as_dict(self) -> dict[str, Any]:
        """As plain values, as they stand in ``manifest.json``."""
        version = {"format": FORMAT, "format_version": self.format_version}
        return {**version, "appearance": descriptors.VERSION, **asdict(self)}


def read_manifest(folder: Path, path: Path) -> Manifest:
    """The manifest at ``path`` of the index at ``folder``. Raises :class:`IndexUnusable`."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_MANIFEST_BYTES + 1)
        if len(data) > MAX_MANIFEST_BYTES:
            raise ValueError(f"{MANIFEST} is too large")
        return Manifest.from_json(data)
    except (OSError, ValueError) as error:
        raise damaged(folder, str(error)) from error


# --- checks -----------------------------------------------------------------------------------

_Check = tuple[Callable[[Any], bool], str]
_TEXT: _Check = (lambda value: isinstance(value, str), "text")
_OBJECT: _Check = (lambda value: isinstance(value, dict), "an object")
_RECORD: _Check = (lambda value: isinstance(value, dict | None), "an object or null")
_COUNT: _Check = (lambda value: type(value) is int and value >= 0, "a whole number from 0 on")
_FILE_NAME: _Check = (lambda value: value in FILES, "that of one of an index's files")
_POSITIVE: _Check = (lambda value: type(value) is int and value > 0, "a positive whole number")

#: Each field, what it must be, and the same in words. Of identities the preprocessing is compared
#: as it is.
_FIELDS: Mapping[str, _Check] = {
    "format": (lambda value: value == FORMAT, repr(FORMAT)),
    "format_version": (
        lambda value: type(value) is int and value in (OLD_FORMAT_VERSION, FORMAT_VERSION),
        f"{FORMAT_VERSION}, which is what this program reads",
    ),
    "appearance": (
        lambda value: value == descriptors.VERSION,
        f"{descriptors.VERSION}, as the descriptors that this program computes",
    ),
    "build": _TEXT,
    "created": _TEXT,
    "identity.backbone": _TEXT,
    "identity.weights": _TEXT,
    "identity.weights_sha256": _TEXT,
    "chosen_because": _TEXT,
    "advice": (lambda value: isinstance(value, str | None), "text or null"),
    "catalogue.location": _TEXT,
    "catalogue.fingerprint": _TEXT,
    "catalogue.report": _OBJECT,
    "counts": _OBJECT,
    "failures": (
        lambda value: isinstance(value, list) and all(isinstance(one, dict) for one in value),
        "a list of objects",
    ),
    "dimension": (
        lambda value: type(value) is int and 0 < value <= MAX_DIMENSION,
        f"a whole number from 1 to {MAX_DIMENSION}",
    ),
    "storage": (
        lambda value: isinstance(value, str) and value in STORAGES,
        " or ".join(map(repr, STORAGES)),
    ),
    "pca": _RECORD,
    "head": _RECORD,
    "calibration": _RECORD,
    "map": _RECORD,
    "files": _OBJECT,
}  # fmt: skip
_MAP_FIELDS: Mapping[str, _Check] = {"basis": _TEXT, "laid_out": _POSITIVE, "changed": _COUNT}
_PLAIN = (
    "identity", "chosen_because", "advice", "failures", "dimension", "storage", "build", "created",
    "pca", "head", "calibration", "map", "format_version",
)  # fmt: skip


def _value_at(values: Any, name: str) -> Any:
    """What stands at a dotted name, or ``None``."""
    for key in name.split("."):
        values = values.get(key) if isinstance(values, dict) else None
    return values


def _require(name: str, value: Any, check: _Check) -> None:
    is_right, expected = check
    if not is_right(value):
        raise ValueError(f"{MANIFEST}: {name} must be {expected}, and is {value!r:.60}")
