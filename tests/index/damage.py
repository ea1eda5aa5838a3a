"""Indexes of every kind, damaged in every way: what comes of opening and searching them.

    python -m tests.index.damage [--each 300] [--forged]

prints how many mutations of which file had which outcome. With ``--forged`` the manifest is made to
agree with the damaged file, as somebody who means harm would do.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fitting_room.build.writer import Block, write_index
from fitting_room.imaging.descriptors import DESCRIPTOR_LENGTH, PLAIN_BACKGROUND
from fitting_room.imaging.features import Features
from fitting_room.index import ann
from fitting_room.index.data import CURRENT, current_version
from fitting_room.index.description import describe_index
from fitting_room.index.index import Index
from fitting_room.index.manifest import MANIFEST, IndexUnusable
from fitting_room.index.scoring import SimilarityOptions
from fitting_room.index.vectors import PCA
from fitting_room.util.files import sha256_of
from tests.index.made import IDENTITY, manifest_of, random_rows, table
from tests.index.test_scoring import a_head

ITEMS, DIMENSION, RESULTS = 120, 12, 5
HEAD_NETWORK = IDENTITY | {"backbone": "xception"}

#: What a damaged index may do, and what it may not.
SAME, REFUSED, WRONG = "same answers", "refused", "WRONG ANSWERS"


def descriptors_of(seed: int, count: int) -> np.ndarray:
    rows = np.random.default_rng(seed).integers(1, 255, (count, DESCRIPTOR_LENGTH), np.uint8)
    rows[:, PLAIN_BACKGROUND] = 255
    return rows


def make(folder: Path, kind: str) -> Path:
    """An index: ``float32``, ``float16``, ``int8``, ``pca``, ``head``, ``network``, ``ann`` or
    ``several``."""
    count = 1_000 if kind == "ann" else ITEMS
    rows, descriptors = random_rows(1, count, DIMENSION), descriptors_of(2, count)
    kinds = ["Shirt", "Dress", "Cap"] * (count // 3 + 1)
    items = table(count, articleType=kinds[:count])
    if kind == "several":
        items["id"] = [f"item-{i // 2}" for i in range(count)]
    storage = kind if kind in ("float16", "int8") else "float32"
    head, pca, of_head, network = None, None, None, None
    if kind == "pca":
        pca = PCA.fit(rows, 6)
        rows = pca(rows)
    if kind in ("head", "ann", "int8"):
        head = replace(a_head(DIMENSION), network=IDENTITY, record={"name": "test"})
    if kind == "network":
        network, of_head = HEAD_NETWORK, random_rows(3, count, DIMENSION)
        head = replace(a_head(DIMENSION), network=network, record={"name": "test"})
    manifest = manifest_of(count, rows.shape[1], storage, items["id"].nunique())
    manifest = replace(manifest, head_network=network)
    blocks = [Block(rows, descriptors, of_head)]
    write_index(folder, blocks, items, manifest, pca=pca, head=head, ann=kind == "ann")
    return folder


KINDS = ("float32", "float16", "int8", "pca", "head", "network", "ann", "several")


def answers(folder: Path) -> Any:
    """What a user sees of an index: opened, described and searched in every way."""
    index = Index.open(folder)
    rows = random_rows(9, 3, DIMENSION)
    of_head = random_rows(8, 3, DIMENSION)
    queries = [
        Features(row[None], of_one, other[None])
        for row, of_one, other in zip(rows, descriptors_of(7, 3), of_head, strict=True)
    ]
    seen: list[Any] = [describe_index(index), index.items.to_dict("list")]
    for options in (SimilarityOptions(), SimilarityOptions(trained=False, colour=0.5)):
        for where in (None, {"articleType": "Cap"}):
            for hits in index.search(queries, RESULTS, where, options=options):
                seen.append((hits.rows.tolist(), hits.similarities.tolist()))
                seen.append(index.expected_precision(float(hits.similarities[0]), options))
    (hits,) = index.search(index.features(np.array([5])), RESULTS)
    seen.append((hits.rows.tolist(), hits.similarities.tolist(), index.near_duplicates(hits)))
    seen.append(None if index.map is None else np.asarray(index.map).tolist())
    return seen


# --- damage -----------------------------------------------------------------------------------


def mutations(data: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """The bytes of a file, damaged at random."""
    changed = bytearray(data)
    # Half of the time near an end, where headers and footers are.
    place = chance.randrange(len(data))
    if chance.random() < 0.5:
        place = chance.choice([1, -1]) * chance.randrange(1, min(200, len(data)))
    match chance.randrange(8):
        case 0 | 1:
            changed[place] ^= 1 << chance.randrange(8)
        case 2 | 3:
            changed[place] = chance.randrange(256)
        case 4:
            for _ in range(chance.randrange(2, 20)):
                changed[chance.randrange(len(data))] = chance.randrange(256)
        case 5:
            changed = changed[: chance.randrange(len(data))]
        case 6:
            changed += chance.randbytes(chance.randrange(1, 300))
        case 7:
            changed = bytearray(chance.choice(others))
    return bytes(changed)


def forge(version: Path, name: str) -> None:
    """Make the manifest agree with a file that was changed."""
    values = json.loads((version / MANIFEST).read_text("utf-8"))
    values.pop("checksum", None)
    path = version / name
    if name in values["files"]:
        values["files"][name] = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
    (version / MANIFEST).write_text(json.dumps(values), "utf-8")


def outcome(folder: Path, expected: Any, run: Callable[[Path], Any] = answers) -> str:
    """What came of a damaged index, in a word."""
    try:
        return SAME if repr(run(folder)) == repr(expected) else WRONG
    except IndexUnusable:
        return REFUSED
    except Exception as error:
        return f"TRACEBACK {type(error).__name__}"


def outcomes(folder: Path, each: int, seed: int = 0, *, forged: bool = False) -> Iterator[Any]:
    """``(file, outcome)`` of so many mutations of each file of an index."""
    ann.FEW_ITEMS = 0  # candidates also in small indexes
    expected, version = answers(folder), current_version(folder)
    paths = [folder / CURRENT, *sorted(version.iterdir())]
    whole = {path: path.read_bytes() for path in paths}
    manifest = whole[version / MANIFEST]
    for path in paths:
        chance = random.Random(f"{seed}{path.name}")
        for _ in range(each):
            data = mutations(whole[path], list(whole.values()), chance)
            if data == whole[path]:
                continue
            path.write_bytes(data)
            if forged and path.name not in (MANIFEST, CURRENT):
                forge(version, path.name)
            yield path.name, outcome(folder, expected)
            (version / MANIFEST).write_bytes(manifest)
            path.write_bytes(whole[path])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--each", type=int, default=300, help="mutations of each file")
    parser.add_argument("--forged", action="store_true", help="with checksums that agree")
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    options = parser.parse_args()
    counts: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as work:
        for kind in options.kinds:
            folder = make(Path(work) / kind, kind)
            counts += _in_a_process(folder, options.each, options.forged)
            shutil.rmtree(folder)
    for (name, what), count in sorted(counts.items()):
        print(f"{name:30} {what:30} {count:7,}")
    total = Counter[str]()
    for (_, what), count in counts.items():
        total[what] += count
    for what, count in total.most_common():
        print(f"{'all':30} {what:30} {count:7,}")
    return int(any(what not in (SAME, REFUSED) for what in total))


def _in_a_process(folder: Path, each: int, forged: bool) -> Counter[tuple[str, str]]:
    """The outcomes, which a process that is killed by one of them wrote down before."""
    log = folder.with_suffix(".log")
    child = os.fork()
    if child == 0:
        with log.open("w", buffering=1) as file:
            for name, what in outcomes(folder, each, forged=forged):
                file.write(f"{name}\t{what}\n")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    counts = Counter(tuple(line.split("\t")) for line in log.read_text().splitlines())
    if status:
        counts[(folder.name, f"KILLED by signal {status & 127}")] += 1
    return counts  # type: ignore[return-value]


if __name__ == "__main__":
    sys.exit(main())
