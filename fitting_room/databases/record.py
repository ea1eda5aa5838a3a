"""What a database keeps of an index beside its rows: a small index of a sample, which has the
network's identity, the head, the reduction and the calibration, the directions of the codes, and
what was counted when the rows were written. It is one zip archive of plain files, read within
bounds like any other."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fitting_room.index import manifest as names
from fitting_room.index.codes import ENCODER_FILE, JointEncoder
from fitting_room.index.data import CURRENT, current_version
from fitting_room.index.index import Index
from fitting_room.index.manifest import Counts

STATISTICS_FILE = "statistics.json"
#: Bounds of a record: its bytes, and those that it unpacks to.
MAX_RECORD, MAX_UNPACKED = 2**28, 2**30
#: Values of a column, and words of names, that are counted: the commonest. One value more than a
#: vocabulary takes, so that it is seen where there are too many.
VALUES_KEPT, WORDS_KEPT = 5_001, 50_000


@dataclass(frozen=True, slots=True)
class Statistics:
    """What was counted of all rows: ``counts`` as in a manifest, how many rows have each of the
    commonest ``values`` of each column, in the catalogue's order, and the commonest ``words`` of
    the items' names. ``next_row`` is the number of a row that would be added."""

    counts: Counts
    next_row: int
    values: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    words: Sequence[str] = ()

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Statistics:
        """Read what :meth:`to_json` wrote. Raises ``ValueError`` for anything else."""
        try:
            values = json.loads(text)
            statistics = cls(
                Counts(**values["counts"]),
                int(values["next_row"]),
                {str(c): {str(v): int(n) for v, n in of.items()} for c, of in
                 values["values"].items()},
                [str(word) for word in values["words"]],
            )  # fmt: skip
        except (TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ValueError(f"{STATISTICS_FILE} is damaged ({error})") from error
        counts = [number for number in asdict(statistics.counts).values() if number is not None]
        if not all(type(number) is int and number >= 0 for number in counts):
            raise ValueError(f"{STATISTICS_FILE} counts what cannot be counted")
        return statistics


def make_record(sample: Index, encoder: JointEncoder, statistics: Statistics) -> bytes:
    """The record of an index whose ``sample`` is an index on disk."""
    version = current_version(sample.folder)
    files = {name: version / name for name in (*sample.manifest.files, names.MANIFEST)}
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name, path in files.items():
            file.write(path, name)
        file.writestr(CURRENT, version.name)
        file.writestr(STATISTICS_FILE, statistics.to_json())
        encoder_path = sample.folder / ENCODER_FILE
        encoder.save(encoder_path)
        file.write(encoder_path, ENCODER_FILE)
        encoder_path.unlink()
    return archive.getvalue()


def open_record(record: bytes, folder: Path) -> tuple[Index, JointEncoder, Statistics]:
    """Unpack a record into an empty ``folder`` and open what is in it. Raises ``ValueError`` where
    it is none, and ``IndexUnusable`` for a sample that is damaged."""
    if len(record) > MAX_RECORD:
        raise ValueError(f"a record has {MAX_RECORD:,} bytes at most")
    try:
        with zipfile.ZipFile(io.BytesIO(record)) as file:
            _unpack(file, folder)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise ValueError(f"the record cannot be unpacked ({error})") from error
    sample = Index.open(folder)
    learned = 0 if sample.head is None else sample.head.dimension
    encoder = JointEncoder.load(folder / ENCODER_FILE, sample.dimension, learned)
    statistics = Statistics.from_json((folder / STATISTICS_FILE).read_bytes())
    return sample, encoder, statistics


def _unpack(file: zipfile.ZipFile, folder: Path) -> None:
    known = names.FILES | {names.MANIFEST, CURRENT, STATISTICS_FILE, ENCODER_FILE}
    entries: dict[str, Any] = {entry.filename: entry for entry in file.infolist()}
    if len(entries) != len(file.infolist()) or not set(entries) <= known:
        raise ValueError("the record holds other files than an index has")
    if not {CURRENT, names.MANIFEST, STATISTICS_FILE, ENCODER_FILE} <= set(entries):
        raise ValueError("the record lacks a file")
    if sum(entry.file_size for entry in entries.values()) > MAX_UNPACKED:
        raise ValueError(f"the record would hold more than {MAX_UNPACKED:,} bytes")
    version = file.read(CURRENT).decode("ascii", "replace").strip()
    beside = {CURRENT, STATISTICS_FILE, ENCODER_FILE}
    (folder / CURRENT).write_text(version, encoding="ascii")
    place = current_version(folder)  # refuses any other name
    place.mkdir()
    for name, entry in entries.items():
        target = (folder if name in beside else place) / name
        with file.open(entry) as source, target.open("wb") as copy:
            # No more than was said, whatever comes out.
            left = entry.file_size
            while left and (piece := source.read(min(left, 2**20))):
                copy.write(piece)
                left -= len(piece)
