"""How building an index grows with its catalogue: time, memory, disk, and one item more.

    python benchmarks/build.py [--items 100000 300000 1000000] [--json]

Catalogues are made of one's rows and pictures over and over, each picture different in a
few bytes at its end, so that none is taken for another. Networks are left out, which would take
hours and no memory that the first pictures do not take: a stand-in answers each picture with a
vector between two of the index, with a little noise, and the descriptors of one of them.
All else is what `fitting-room build` does: reading, digests, the checkpoint, writing, the inverted
file, the map, calibration. Each build runs in a process of its own; memory is that process's
greatest, mapped files included.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from at_hand import catalogue, catalogue_pictures
from at_hand import index as index_at
from common import finish, parsed, parser_of, say, table

from fitting_room.build.builder import build_index
from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.embedding.embedder import Embedder
from fitting_room.imaging.decode import DEFAULT_LIMITS
from fitting_room.imaging.features import Features, normalise
from fitting_room.index.index import Index

#: Items of the real catalogue that vectors are made from.
SEEDS = 10_000


def main() -> int:
    parser = parser_of(__doc__, index=True)
    parser.add_argument("--items", type=int, nargs="+", default=[100_000, 300_000, 1_000_000])
    parser.add_argument("--work", type=Path, help="a folder with room for it, some 20 KB an item")
    parser.add_argument("--storage", default="float32")
    parser.add_argument("--build", nargs=2, type=Path, metavar=("CATALOGUE", "INDEX"), help="(own)")
    options = parsed(parser, items=[2_000])
    if options.build:
        print(json.dumps(build(*options.build, options.index, options.storage)))
        return 0
    rows = []
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        work = Path(folder)
        options.index = index_at(options.index)
        for count in options.items:
            catalogue, index = work / f"catalogue-{count}", work / f"index-{count}"
            say(f"{count:,}: making the catalogue")
            make(catalogue, count)
            first = in_a_process(catalogue, index, options)
            size = sum(path.stat().st_size for path in index.rglob("*") if path.is_file())
            make(catalogue, count + 1)
            again = in_a_process(catalogue, index, options)
            rows.append(
                {
                    "items": first["items"],
                    "seconds": first["seconds"],
                    "items a second": first["items"] / first["seconds"],
                    "peak GB": first["peak"] / 1e9,
                    "of it not files": first["anonymous"] / 1e9,
                    "index GB": size / 1e9,
                    "one more: seconds": again["seconds"],
                    "one more: peak GB": again["peak"] / 1e9,
                    "search ms": again["search"] * 1e3,
                }
            )
            table(rows[-1:])
            shutil.rmtree(catalogue)
            shutil.rmtree(index)
    table(rows)
    return finish({"builds": rows}, options.json)


def make(folder: Path, count: int) -> None:
    """A catalogue of ``count`` items; what of it is there already stays."""
    rows = pd.read_csv(catalogue() / "styles.csv", on_bad_lines="skip", dtype=str)
    data = [data for _, data in catalogue_pictures(min(count, SEEDS))]
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        path = images / f"{number}.jpg"
        if not path.exists():
            path.write_bytes(data[number % len(data)] + number.to_bytes(8, "little"))
    more = rows.iloc[np.arange(count) % len(rows)].copy()
    more["id"] = np.arange(count).astype(str)
    more.to_csv(folder / "styles.csv", index=False)


def in_a_process(catalogue: Path, index: Path, options: Any) -> dict[str, Any]:
    command = [sys.executable, __file__, "--index", options.index, "--storage", options.storage]
    done = subprocess.run(
        [*command, "--build", catalogue, index], check=True, stdout=subprocess.PIPE, text=True
    )
    outcome: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return outcome


class StandIn(Embedder):
    """Answers pictures without opening them."""

    def __init__(self, real: Embedder, index: Index) -> None:
        super().__init__(real.selection, real.engine)
        self._vectors = np.array(index.vectors[:SEEDS])
        self._descriptors = np.array(index.descriptors[:SEEDS])
        self._number = 0

    def open(self, picture: Any, **_: Any) -> Any:  # type: ignore[override]
        return picture

    def stream(
        self, sources: Iterable[Any], load: Callable[[Any], Any], **_: Any
    ) -> Iterator[tuple[Any, Any]]:
        for source in sources:
            if load(source) is None:
                yield source, None
                continue
            generator = np.random.default_rng(self._number)
            self._number += 1
            one, other = generator.integers(len(self._vectors), size=2)
            row = 0.8 * self._vectors[one] + 0.2 * self._vectors[other]
            row += generator.standard_normal(len(row), np.float32) * np.float32(0.004)
            yield source, Features(normalise(row[None]), np.asarray(self._descriptors[one]))


def build(catalogue: Path, index: Path, real: Path, storage: str) -> dict[str, Any]:
    embedder = StandIn(Embedder.load("efficientnet_lite0"), Index.open(real))
    started = time.perf_counter()
    summary = build_index(
        load_catalogue(catalogue), embedder, index, storage=storage, limits=DEFAULT_LIMITS
    )
    seconds = time.perf_counter() - started
    usage = peak()
    opened = Index.open(index)
    rows = np.random.default_rng(0).choice(len(opened), 30, replace=False)
    times = []
    for query in opened.features(rows):
        started = time.perf_counter()
        opened.search([query], 12)
        times.append(time.perf_counter() - started)
    return {
        "items": summary.items,
        "seconds": seconds,
        "search": float(np.median(times[5:])),
        **usage,
    }


def peak() -> dict[str, int]:
    """The process's greatest resident memory, and how much is its own now, in bytes."""
    greatest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    status = Path("/proc/self/status")
    own = 0
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        own = int(lines["RssAnon"].split()[0]) * 1024
    return {"peak": greatest * (1 if sys.platform == "darwin" else 1024), "anonymous": own}


if __name__ == "__main__":
    sys.exit(main())
