"""Train the packaged head, ``fashion.safetensors``, from public data and the drawn demo catalogue.

    python scripts/train_fashion_head.py [--data ../shared/data] [--work cache/fashion-head]

It learns from three sources, and no picture of any of them goes into the file:

- "Fashion Product Images (Small)", 42,441 product photographs (MIT licence): what they are called,
  which colour, for whom;
- ``train/`` of "Clothing dataset (small)", 1,000 everyday photographs (CC0): which class they are
  in, and which colours somebody looking at them accepted (``data/photograph_colours.json``);
- the drawn items of ``data/demo`` (this project's licence).

Items whose id is a multiple of 10, and the photographs of ``validation/``, take no part, so that
``fitting-room evaluate --holdout 10`` is honest about the very file that is shipped. The recipe is
that of ``fitting-room train``; on the same processor the same seed gives the same file. Takes some
minutes on two cores, most of them for embedding the pictures once.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import sys
import zipfile
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from fitting_room.build.calibrate import PHOTOGRAPH_SCALE, photograph_scale
from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.cli.commands import terminal_progress
from fitting_room.facade import FittingRoom
from fitting_room.index.head import FASHION, FASHION_FILE, NO_HEAD, Head
from fitting_room.index.index import Index
from fitting_room.learning.options import TrainingOptions
from fitting_room.learning.train import train
from fitting_room.util.files import sha256_of
from fitting_room.util.threads import sleeping_openmp

PROJECT = Path(__file__).resolve().parent.parent
PRODUCTS, STREET = "fashion-product-images-small", "clothing-dataset-small"
MAX_BYTES = 5_000_000
SOURCES = {
    "Fashion Product Images (Small)": "MIT",
    "Clothing dataset (small), train/": "CC0-1.0",
    "the drawn demo catalogue": "the project's own",
}
#: Columns that all sources have.
COLUMNS = ("id", "gender", "articleType", "baseColour", "productDisplayName")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=PROJECT / ".." / "shared" / "data")
    parser.add_argument("--work", type=Path, default=PROJECT / "cache" / "fashion-head")
    parser.add_argument("--to", type=Path, default=FASHION_FILE)
    parser.add_argument("--epochs", type=int, default=TrainingOptions().epochs)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with sleeping_openmp():
        import_module("torch")  # the build would load it first, and its OpenMP with it
    options.work.mkdir(parents=True, exist_ok=True)
    catalogues = [options.data / PRODUCTS, PROJECT / "data" / "demo"]
    both = combined(catalogues, options.work / "catalogue")
    photographs = unpacked(options.data / STREET / "images.zip", options.work / "street")
    index = options.work / "index"
    with terminal_progress() as progress:
        # Embeddings of an earlier run are taken over.
        FittingRoom.build(
            both, index, backbone="efficientnet_lite0", head=NO_HEAD, listener=progress
        )
        summary = train(
            both,
            index,
            TrainingOptions(
                holdout=10,
                photographs=photographs / "train",
                mapping=options.data / "street_to_shop.json",
                colours=PROJECT / "data" / "photograph_colours.json",
                head=NO_HEAD,
                save_head=options.work / "head.safetensors",
                epochs=options.epochs,
                seed=options.seed,
            ),
            listener=progress,
        )
    calibration = Index.open(index).calibration
    if calibration is None:
        raise SystemExit(f"{index}: was not calibrated.")
    head = Head.load(options.work / "head.safetensors")
    save(head, photograph_scale(calibration), options.to)
    print(f"{options.to}: {options.to.stat().st_size:,} bytes, after {summary.seconds:.0f} s")
    print(f"FASHION_SHA256 = {sha256_of(options.to)!r}  # for fitting_room/index/head.py")
    print(summary.validation)
    return 0


def combined(catalogues: list[Path], folder: Path) -> Path:
    """A catalogue of the items of several, whose ids differ."""
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    with (folder / "styles.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for number, location in enumerate(catalogues):
            catalogue = load_catalogue(location)
            for row in catalogue.items.to_dict("records"):
                # As many times ten as it takes to tell them apart: what is held out stays so.
                item = str(int(row["id"]) + number * 10_000_000)
                target = images / f"{item}{Path(row['image']).suffix}"
                if not target.exists():
                    target.write_bytes(catalogue.store.read(row["image"], 2**24))
                known = {c: "" if row[c] != row[c] or row[c] is None else row[c] for c in COLUMNS}
                writer.writerow({**known, "id": item})
    return folder


def unpacked(archive: Path, folder: Path) -> Path:
    if not folder.exists():
        unfinished = folder.with_name(f".{folder.name}")
        shutil.rmtree(unfinished, ignore_errors=True)
        with zipfile.ZipFile(archive) as file:
            file.extractall(unfinished)
        unfinished.rename(folder)
    return folder


def save(head: Head, scale: dict[str, tuple[float, float]], path: Path) -> None:
    """Write the packaged head, which says what it was made from."""
    record = {
        **{name: value for name, value in head.record.items() if name != "kept_back"},
        "name": FASHION,
        "sources": SOURCES,
        PHOTOGRAPH_SCALE: scale,
    }
    replace(head, record=record).save(path)
    if path.stat().st_size > MAX_BYTES:
        raise SystemExit(f"{path}: larger than {MAX_BYTES:,} bytes.")


if __name__ == "__main__":
    sys.exit(main())
