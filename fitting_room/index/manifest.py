"""What ``manifest.json`` says of an index: what made it, from what, and a checksum of each file.

Anybody may have written it, so every field is checked, and an error names the one that is wrong.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, NoReturn, get_args, get_origin, get_type_hints

from fitting_room.imaging import descriptors
from fitting_room.index.ann import ANN_ENCODER, ANN_INDEX, TRAINED_ANN_ENCODER, TRAINED_ANN_INDEX
from fitting_room.index.vectors import INT8, STORAGES
from fitting_room.util.aliases import with_new_keys
from fitting_room.util.identities import IN_8_BITS

FORMAT = "fitting-room-index"
FORMAT_VERSION = 4
#: The manifest's own checksum among its fields.
CHECKSUM = "checksum"
VECTORS, ITEMS, MANIFEST, PCA_FILE = "vectors.npy", "items.parquet", "manifest.json", "pca.npz"
DESCRIPTORS, HEAD_FILE, TRAINED = "descriptors.npy", "head.safetensors", "trained.npy"
#: The scales are of rows that are stored in 8 bits.
MAP, SCALES, TRAINED_SCALES = "map.npy", "scales.npy", "trained-scales.npy"
#: Embeddings of the network that the head brings, where that is not the index's own.
HEAD_VECTORS, HEAD_VECTOR_SCALES = "head-vectors.npy", "head-vectors-scales.npy"
#: The index's network and the head's, where they are in 8 bits
#: (:mod:`fitting_room.embedding.quantised`).
NETWORK, HEAD_NETWORK = "network.safetensors", "head-network.safetensors"
FILES = frozenset(
    {
        VECTORS, ITEMS, PCA_FILE, DESCRIPTORS, HEAD_FILE, TRAINED, MAP, SCALES, TRAINED_SCALES,
        HEAD_VECTORS, HEAD_VECTOR_SCALES, NETWORK, HEAD_NETWORK,
        ANN_ENCODER, ANN_INDEX, TRAINED_ANN_ENCODER, TRAINED_ANN_INDEX,
    }
)  # fmt: skip

#: Beside the versions: what an owner has decided of look-alikes, which every version keeps.
MARKS = "marks.json"

MAX_MANIFEST_BYTES = 64 * 2**20
MAX_DIMENSION = 65_536


class IndexUnusable(Exception):  # noqa: N818
    """An index that is not there, is damaged, or was made by another network; says what to do."""


class IndexOutdated(IndexUnusable):
    """An index of an older version, which saw pictures in another way, so that nothing of it can be
    compared with what is seen now. ``had_head`` says whether a head was trained for it."""

    def __init__(self, folder: Path, *, had_head: bool) -> None:
        super().__init__(
            f"{folder}: this index was built by an older version, which saw pictures in another "
            "way. Build it again, which looks at every picture anew: fitting-room build CATALOGUE "
            f"--index {folder}"
        )
        self.had_head = had_head


def damaged(folder: Path, reason: str) -> IndexUnusable:
    return IndexUnusable(f"{folder}: the index is damaged ({reason}). Build it again.")


@dataclass(frozen=True, slots=True)
class FileEntry:
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class CatalogueRecord:
    location: str
    fingerprint: str
    report: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Counts:
    """``rows`` came in; of the pictures of items ``failed`` could not be used; ``items`` are left,
    with so many ``pictures``, of which so many have a ``plain_background``. Where ``pictures`` is
    ``None``, as in older indexes, every item has one."""

    rows: int
    items: int
    repaired: int = 0
    dropped: int = 0
    failed: int = 0
    plain_background: int = 0
    pictures: int | None = None

    @property
    def embedded(self) -> int:
        """How many pictures there are: rows of an index's arrays."""
        return self.items if self.pictures is None else self.pictures


@dataclass(frozen=True, slots=True)
class Edits:
    """How many items were ``added``, ``replaced`` and ``removed`` by hand since the catalogue was
    read. ``gone`` has the first ids of the catalogue's own items that were replaced or removed."""

    added: int
    replaced: int
    removed: int
    gone: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a builder knows of an index, and from ``build`` on what the writer adds. ``identity`` is
    the network's; ``pca``, ``head``, ``calibration`` and ``map`` are plain values. Where the head
    brings a network of its own, ``head_network`` is that one's identity. ``edits`` says what was
    changed by hand since the catalogue was read (:mod:`fitting_room.index.edits`)."""

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
    head_network: dict[str, Any] | None = None
    calibration: dict[str, Any] | None = None
    map: dict[str, Any] | None = None
    edits: Edits | None = None
    files: dict[str, FileEntry] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    @classmethod
    def from_json(cls, text: str | bytes) -> Manifest:
        """Read a manifest of this format. Raises ``ValueError``, which names the first field that
        is wrong."""
        return cls._of(_read(dict, json.loads(text), "it"))

    @classmethod
    def _of(cls, values: dict[str, Any]) -> Manifest:
        for name, allowed in (
            ("format", (FORMAT,)),
            ("format_version", (FORMAT_VERSION,)),
            ("descriptors", (descriptors.VERSION,)),
            ("storage", STORAGES),
        ):
            if values.get(name) not in allowed or isinstance(values[name], bool):
                _refuse(name, " or ".join(map(repr, allowed)), values.get(name))
        manifest: Manifest = _read(cls, values, "")
        manifest._check()
        return manifest

    def _check(self) -> None:
        """Raise ``ValueError`` unless the fields make sense together."""
        if not 0 < self.dimension <= MAX_DIMENSION:
            _refuse("dimension", f"a whole number from 1 to {MAX_DIMENSION}", self.dimension)
        for key in ("backbone", "weights", "weights_sha256"):  # the preprocessing is compared as is
            _read(str, self.identity.get(key), f"identity.{key}")
        for network in (self.identity, self.head_network or {}):
            if IN_8_BITS in network:
                _read(str, network[IN_8_BITS], f"a network's {IN_8_BITS}")
        if self.head_network is not None and self.head is None:
            _refuse("head_network", "null where there is no head", self.head_network)
        for failure in self.failures:
            _read(dict, failure, "each of failures")
        for item in () if self.edits is None else self.edits.gone:
            _read(str, item, "each of edits.gone")
        for key, kind in {"basis": str, "laid_out": int, "changed": int}.items():
            if self.map is not None:
                _read(kind, self.map.get(key), f"map.{key}")
        laid_out = None if self.map is None else self.map["laid_out"]
        for name, count in (("counts.items", self.counts.items), ("map.laid_out", laid_out)):
            if count == 0:
                _refuse(name, "a positive whole number", 0)
        if self.counts.embedded < self.counts.items:
            _refuse("counts.pictures", "no less than counts.items", self.counts.pictures)
        self._check_files()

    def _check_files(self) -> None:
        """Raise ``ValueError`` unless the names of the files go with the other fields."""
        if other := sorted(set(self.files) - FILES):
            _refuse("a name in files", "that of one of an index's files", other[0])
        named = set(self.files)
        for names, promised, field_name in (
            ({VECTORS, ITEMS, DESCRIPTORS}, True, "format"),
            ({HEAD_FILE, TRAINED}, self.head is not None, "head"),
            ({HEAD_VECTORS}, self.head_network is not None, "head_network"),
            ({NETWORK}, IN_8_BITS in self.identity, f"identity.{IN_8_BITS}"),
            ({HEAD_NETWORK}, IN_8_BITS in (self.head_network or {}), "head_network"),
            ({MAP}, self.map is not None, "map"),
            ({PCA_FILE}, self.pca is not None, "pca"),
            ({SCALES}, self.storage == INT8, "storage"),
            ({TRAINED_SCALES}, self.storage == INT8 and TRAINED in named, "storage"),
            ({HEAD_VECTOR_SCALES}, self.storage == INT8 and HEAD_VECTORS in named, "storage"),
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
        return {**version, "descriptors": descriptors.VERSION, **asdict(self)}

    def as_text(self) -> str:
        """The text of ``manifest.json``: :meth:`as_dict` and a checksum of it all."""
        values = self.as_dict()
        checksum = checksum_of(json.loads(json.dumps(values)))
        return json.dumps({**values, CHECKSUM: checksum}, indent=1, ensure_ascii=False)


def checksum_of(values: dict[str, Any]) -> str:
    """The SHA-256 digest, in hexadecimal, of what a manifest says beside its checksum."""
    others = {key: value for key, value in values.items() if key != CHECKSUM}
    return hashlib.sha256(json.dumps(others, sort_keys=True).encode()).hexdigest()


def read_manifest(folder: Path, path: Path) -> Manifest:
    """The manifest at ``path`` of the index at ``folder``. Raises :class:`IndexUnusable`, of which
    :class:`IndexOutdated` where an older version wrote it."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_MANIFEST_BYTES + 1)
        if len(data) > MAX_MANIFEST_BYTES:
            raise ValueError(f"{MANIFEST} is too large")
        values = _read(dict, json.loads(data), "it")
        # Manifests of earlier versions have none.
        if CHECKSUM in values and values[CHECKSUM] != checksum_of(values):
            raise ValueError(f"{MANIFEST} is not what was written")
        if _is_outdated(values):
            raise IndexOutdated(folder, had_head=values.get("head") is not None)
        if _is_newer(values):
            raise IndexUnusable(
                f"{folder}: this index was built by a newer version of the program. Update the "
                "program, or build the index again, which makes one that this version reads."
            )
        return Manifest._of(values)
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(folder, str(error)) from error


def _is_outdated(values: dict[str, Any]) -> bool:
    """Whether an older version wrote a manifest, perhaps with other keys."""
    version = with_new_keys(values).get("descriptors")
    known = type(version) is int and 0 < version < descriptors.VERSION
    return values.get("format") == FORMAT and known


def _is_newer(values: dict[str, Any]) -> bool:
    """Whether a newer version of the program wrote a manifest."""
    versions = (
        (values.get("format_version"), FORMAT_VERSION),
        (values.get("descriptors"), descriptors.VERSION),
    )
    newer = any(type(version) is int and version > own for version, own in versions)
    return values.get("format") == FORMAT and newer


_WORDS = {str: "text", int: "a whole number from 0 on", dict: "an object", list: "a list"}


def _read(kind: Any, value: Any, name: str) -> Any:
    """``value`` as a field of that type, which may be a dataclass. Raises ``ValueError``, which
    names the field, where it is of another."""
    if is_dataclass(kind):
        values, prefix = _read(dict, value, name), f"{name}." if name else ""
        hints = get_type_hints(kind)
        return kind(**{n: _read(hints[n], values.get(n), prefix + n) for n in hints})  # type: ignore[operator]
    optional = isinstance(kind, UnionType)
    if optional and value is None:
        return None
    kind = get_args(kind)[0] if optional else kind
    if is_dataclass(kind):
        return _read(kind, value, name)
    plain = get_origin(kind) or kind
    if not isinstance(value, plain) or type(value) is bool or (plain is int and value < 0):
        _refuse(name, _WORDS[plain] + (" or null" if optional else ""), value)
    if get_args(kind)[1:] == (FileEntry,):
        return {key: _read(FileEntry, entry, f"{name}.{key}") for key, entry in value.items()}
    return value


def _refuse(name: str, expected: str, value: Any) -> NoReturn:
    raise ValueError(f"{MANIFEST}: {name} must be {expected}, and is {value!r:.60}")
