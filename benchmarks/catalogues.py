"""What it takes to build an index of catalogues in other forms: time and memory.

    python benchmarks/catalogues.py [--pictures 20000] [--rows 200000] [--json]

Pictures are those of the catalogue, 60 x 80. Three catalogues are made of them: an export of
Shopify's form (rows of one handle follow each other, the first with a description in HTML and a
picture) beside its pictures, Parquet files with the bytes of the pictures as Hugging Face writes
them, and a tar as WebDataset has them. Each is read, and built with EfficientNet-Lite0,
in a process of its own; memory is that process's greatest.
"""

from __future__ import annotations

import csv
import io
import json
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from at_hand import catalogue_pictures
from common import finish, parsed, parser_of, say, table

from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.facade import FittingRoom
from fitting_room.settings import Settings

#: Pictures in one Parquet file, and in one of its row groups.
IN_FILE, IN_GROUP = 5_000, 500


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--rows", type=int, default=200_000, help="of the export")
    parser.add_argument("--work", type=Path, help="a folder with room for it, some 20 KB a picture")
    parser.add_argument("--build", nargs=2, metavar=("CATALOGUE", "INDEX"), help="(own)")
    options = parsed(parser, pictures=200, rows=1_000)
    if options.build:
        print(json.dumps(measure(*options.build)))
        return 0
    rows = []
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        for name, make in (("Shopify", shopify), ("Parquet", parquet), ("tar", tar)):
            say(f"{name} is made ...")
            place = make(Path(folder) / name, pictures(options.pictures), options.rows)
            say(f"{name} is built ...")
            command = [sys.executable, __file__, "--build", str(place), f"{folder}/{name}-index"]
            ran = subprocess.run(command, check=True, capture_output=True, text=True)
            rows.append({"form": name, **json.loads(ran.stdout)})
    table(rows)
    return finish({"catalogues": rows}, options.json)


def pictures(count: int) -> Iterator[tuple[str, bytes]]:
    """Ids and bytes of so many different pictures."""
    for number, (name, data) in enumerate(catalogue_pictures(count)):
        yield f"{Path(name).stem}-{number}", data + number.to_bytes(8, "little")


def shopify(folder: Path, source: Iterator[tuple[str, bytes]], rows: int) -> Path:
    (folder / "images").mkdir(parents=True)
    handles = []
    for item, data in source:
        (folder / "images" / f"{item}.jpg").write_bytes(data)
        handles.append(item)
    body = "<ul>\n" + "".join(f'<li>Line {n} of the ""text""</li>\n' for n in range(8)) + "</ul>"
    with (folder / "products_export.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["Handle", "Title", "Body (HTML)", "Vendor", "Type", "Option1 Value", "Image Src"]
        )
        for item in handles:
            address = f"https://cdn.shopify.com/s/files/1/0001/products/{item}.jpg?v=1599"
            writer.writerow(
                [f"shirt-{item}", f"Shirt {item}", body, "Acme", "Shirts", "S", address]
            )
            for variant in range(1, rows // len(handles)):
                writer.writerow([f"shirt-{item}", "", "", "", "", f"S{variant}", ""])
    return folder


def parquet(folder: Path, source: Iterator[tuple[str, bytes]], _: int) -> Path:
    folder.mkdir()
    rows = [
        {"image": {"bytes": data, "path": f"{item}.jpg"}, "id": item, "title": f"Shirt {item}"}
        for item, data in source
    ]
    for number, start in enumerate(range(0, len(rows), IN_FILE)):
        part = pd.DataFrame(rows[start : start + IN_FILE])
        part.to_parquet(folder / f"train-{number:05}.parquet", row_group_size=IN_GROUP)
    return folder


def tar(folder: Path, source: Iterator[tuple[str, bytes]], _: int) -> Path:
    folder.mkdir()
    with tarfile.open(folder / "00000.tar", "w") as archive:
        for item, data in source:
            about = json.dumps({"title": f"Shirt {item}"}).encode()
            for ending, contents in (("jpg", data), ("json", about)):
                info = tarfile.TarInfo(f"{item}.{ending}")
                info.size = len(contents)
                archive.addfile(info, io.BytesIO(contents))
    return folder / "00000.tar"


def measure(catalogue: str, index: str) -> dict[str, Any]:
    started = time.perf_counter()
    loaded = load_catalogue(catalogue)
    read = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    report = loaded.report
    del loaded
    started = time.perf_counter()
    settings = Settings(backbone="efficientnet_lite0")
    FittingRoom.build(catalogue, index, settings=settings)
    return {
        "rows": report.rows,
        "items": report.items,
        "pictures": report.pictures,
        "read_s": round(read, 2),
        "read_gb": round(memory, 2),
        "build_s": round(time.perf_counter() - started, 1),
        "build_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }


if __name__ == "__main__":
    sys.exit(main())
