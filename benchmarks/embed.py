"""How fast pictures become embeddings, beside other libraries, in one run.

    pip install -r benchmarks/requirements.txt
    python benchmarks/embed.py [--backbone efficientnet_lite0] [--pictures 400] [--json]

For the catalogue's pictures and for street photographs: the bare engine on ready tensors, ours
from files on disk to vectors on disk, with and without the descriptors,
and other libraries on the same files. All in turn, several rounds; what is printed are medians, and
ratios within a round. ResNet50 has random weights where its own cannot be had: the work is the
same. Then the agreement with torch in 32 bits: cosines, and how much of the top 10 is the same
(with random weights that says little).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from common import CATALOGUE, STREET, finish, in_turn, ratios, say, table
from PIL import Image

from fitting_room.embedding.backbones import Selection, select
from fitting_room.embedding.embedder import Embedder
from fitting_room.embedding.engine import make_engine
from fitting_room.embedding.weights import WeightsUnavailable
from fitting_room.imaging.decode import ImageRejected
from fitting_room.imaging.features import Features, normalise
from fitting_room.imaging.preprocess import prepare
from fitting_room.index.vectors import new_array

OURS = "ours, files to vectors"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", choices=("resnet50", "efficientnet_lite0"), action="append")
    parser.add_argument("--pictures", type=int, default=400, help="of each set, for the quick ones")
    parser.add_argument("--slow", type=int, default=48, help="pictures for the slow libraries")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--queries", type=int, default=1_000, help="for the agreement; 0: none")
    parser.add_argument("--gallery", type=int, default=42_000, help="pictures that they search")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        sets = {
            "catalogue": unpacked(CATALOGUE / "images.zip", "", work / "catalogue", options),
            "street": unpacked(STREET, "train/", work / "street", options),
        }
        for name in options.backbone or ("efficientnet_lite0", "resnet50"):
            selection = chosen(name, work)
            for label, files in sets.items():
                results.append(race(selection, label, files, work, options))
        agreement = agree(options) if options.queries else None
    return finish({"speed": results, "agreement": agreement}, options.json)


def unpacked(archive: Path, prefix: str, folder: Path, options: Any) -> list[Path]:
    """Some pictures of an archive as files."""
    folder.mkdir()
    with zipfile.ZipFile(archive) as file:
        names = sorted(n for n in file.namelist() if n.endswith(".jpg") and n.startswith(prefix))
        step = max(1, len(names) // options.pictures)
        files = []
        for number, name in enumerate(names[::step][: options.pictures]):
            files.append(folder / f"{number:06d}.jpg")
            files[-1].write_bytes(file.read(name))
    return files


def chosen(name: str, work: Path) -> Selection:
    """The network with its own weights, or ResNet50 with random ones."""
    try:
        return select(name)
    except WeightsUnavailable:
        import torch
        import torchvision

        say(f"{name}: its weights cannot be had here; random ones instead")
        path = work / f"{name}.pth"
        torch.manual_seed(0)
        torch.save(torchvision.models.resnet50(weights=None).state_dict(), path)
        return select(name, str(path))


def race(
    selection: Selection, label: str, files: list[Path], work: Path, options: Any
) -> dict[str, Any]:
    """All ways for one network and one set of pictures."""
    embedder = Embedder(selection, make_engine(selection, cache=work / "networks"))
    size = selection.backbone.input_size
    ready = np.stack([prepare(embedder.open(path), size) for path in files])
    few = files[: options.slow]
    ways: dict[str, tuple[Callable[[], object], int]] = {
        "bare engine": (lambda: bare(embedder, ready), len(files)),
        OURS: (lambda: ours(embedder, files, work), len(files)),
        "ours, embeddings alone": (lambda: ours_alone(embedder, files, work), len(files)),
        "torch + DataLoader, eager": (data_loader(selection, few), len(few)),
        "seed's way, one by one": (one_by_one(selection, few), len(few)),
    }
    if selection.backbone.name == "resnet50":
        ways |= {name: (way, len(few)) for name, way in peers(few).items()}
    say(f"{selection.backbone.title}, {label}, {embedder.engine.name}")
    seconds = in_turn({name: way for name, (way, _) in ways.items()}, options.rounds)
    each = {n: [s / ways[n][1] for s in of_way] for n, of_way in seconds.items()}
    rows = [
        {
            "way": name,
            "pictures a second": 1 / statistics.median(of_way),
            "ours is faster by": ratios(each[OURS], of_way),
        }
        for name, of_way in each.items()
    ]
    table(rows)
    ratio = ratios(each[OURS], each["bare engine"])
    alone = ratios(each["ours, embeddings alone"], each["bare engine"])
    say(f"of the bare engine: {ratio:.3f}; without colours and silhouettes {alone:.3f}\n")
    return {
        "network": selection.backbone.name,
        "pictures": label,
        "engine": embedder.engine.name,
        "share of the bare engine": ratio,
        "share of the bare engine, embeddings alone": alone,
        "ways": rows,
    }


def bare(embedder: Embedder, ready: np.ndarray) -> None:
    engine = embedder.engine
    batches = np.split(ready, range(engine.batch_size, len(ready), engine.batch_size))
    with ThreadPoolExecutor(engine.streams) as pool:
        list(pool.map(engine, batches))


def ours(embedder: Embedder, files: Sequence[Path], work: Path) -> None:
    out = new_array(work / "vectors.npy", np.float32, (len(files), embedder.dimension))
    for row, (_, outcome) in enumerate(embedder.stream(files, embedder.open)):
        assert isinstance(outcome, Features)
        out[row] = outcome.embeddings[0]


def ours_alone(embedder: Embedder, files: Sequence[Path], work: Path) -> None:
    size, engine = embedder.selection.backbone.input_size, embedder.engine

    def batch(start: int) -> np.ndarray:
        paths = files[start : start + engine.batch_size]
        return normalise(engine(np.stack([prepare(embedder.open(p), size) for p in paths])))

    out = new_array(work / "vectors.npy", np.float32, (len(files), embedder.dimension))
    starts = range(0, len(files), engine.batch_size)
    with ThreadPoolExecutor(engine.streams + 1) as pool:
        for start, rows in zip(starts, pool.map(batch, starts), strict=True):
            out[start : start + len(rows)] = rows


def _transform(selection: Selection) -> Callable[[Image.Image], Any]:
    """What the other libraries do to a picture: torchvision's, on a square."""
    from torchvision import transforms

    mean, std = (tuple(v / 255 for v in values) for values in (
        selection.backbone.mean, selection.backbone.std))  # fmt: skip
    return transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize(mean, std),
        ]
    )


def _network(selection: Selection) -> Any:
    return selection.backbone.module(selection.weights).network


def one_by_one(selection: Selection, files: Sequence[Path]) -> Callable[[], object]:
    """The seed's way: one picture at a time through plain torch."""
    import torch

    network, transform = _network(selection), _transform(selection)

    def run() -> object:
        vectors = []
        with torch.no_grad():
            for path in files:
                image = transform(Image.open(path).convert("RGB"))
                vectors.append(network(image[None])[0].numpy())
        return np.stack(vectors)

    return run


def data_loader(selection: Selection, files: Sequence[Path]) -> Callable[[], object]:
    """Batches of 32 from torch's loader with two workers, eager."""
    import torch
    from torch.utils.data import DataLoader, Dataset

    network, transform = _network(selection), _transform(selection)

    class Files(Dataset[Any]):
        def __len__(self) -> int:
            return len(files)

        def __getitem__(self, place: int) -> Any:
            return transform(Image.open(files[place]).convert("RGB"))

    def run() -> object:
        loader = DataLoader(Files(), batch_size=min(32, len(files)), num_workers=2)
        with torch.no_grad():
            return np.concatenate([network(batch).numpy() for batch in loader])

    return run


def peers(files: Sequence[Path]) -> dict[str, Callable[[], object]]:
    """Other programs with a ResNet of their own, or what they have. What is not installed, or wants
    weights that cannot be had, is left out and said."""
    runs: dict[str, Callable[[], object]] = {}
    for name, make in (
        ("img2vec-pytorch, ResNet50", _img2vec),
        ("imagededup, MobileNetV3", _dedup),
    ):
        try:
            runs[name] = make(files)
        except Exception as error:  # whatever stops a library
            say(f"{name} is left out: {str(error)[:120]}")
    try:
        import DeepImageSearch  # noqa: F401

        say("DeepImageSearch downloads its model when it is made, and is left out")
    except Exception as error:
        say(f"DeepImageSearch is left out: {str(error)[:120]}")
    return runs


def _img2vec(files: Sequence[Path]) -> Callable[[], object]:
    import img2vec_pytorch.img_to_vec as module

    unchanged = module.resnet50
    # It asks for pretrained weights; random ones do the same work.
    module.resnet50 = lambda *_, **__: unchanged(weights=None)
    try:
        peer = module.Img2Vec(model="resnet50", layer_output_size=2048)
    finally:
        module.resnet50 = unchanged
    return lambda: peer.get_vec([Image.open(path).convert("RGB") for path in files])


def _dedup(files: Sequence[Path]) -> Callable[[], object]:
    import torchvision

    unchanged = torchvision.models.mobilenet_v3_small
    torchvision.models.mobilenet_v3_small = lambda *_, **__: unchanged(weights=None)
    try:
        from imagededup.methods import CNN

        peer = CNN(verbose=False)
    finally:
        torchvision.models.mobilenet_v3_small = unchanged
    return lambda: [peer.encode_image(image_file=path) for path in files]


def agree(options: Any) -> dict[str, Any]:
    """EfficientNet-Lite0 as it runs here against torch in 32 bits, on the real catalogue."""
    selection = select("efficientnet_lite0")
    with zipfile.ZipFile(CATALOGUE / "images.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        names = names[: options.gallery]
        engines = {"here": make_engine(selection), "exact": make_engine(selection, precision="f32")}
        vectors = {}
        for label, engine in engines.items():
            say(f"agreement: {len(names):,} pictures, {engine.name}")
            embedder = Embedder(selection, engine)

            def load(name: str, embedder: Embedder = embedder) -> Image.Image:
                return embedder.open(archive.read(name))

            vectors[label] = np.concatenate(
                [
                    outcome.embeddings
                    for _, outcome in embedder.stream(names, load)
                    if not isinstance(outcome, ImageRejected | None)
                ]
            )
        generator = np.random.default_rng(0)
        queries = generator.choice(len(names), min(options.queries, len(names)), replace=False)
        # The engine in 32 bits stands for torch over the gallery; torch runs on some pictures.
        pixels = np.stack(
            [prepare(embedder.open(archive.read(names[i])), (224, 168)) for i in queries[:100]]
        )
    torch_rows = normalise(make_engine(selection, kind="torch", precision="f32")(pixels))
    here, exact = vectors["here"], vectors["exact"]
    cosines = (here * exact).sum(axis=1)
    same = [
        len(set(one) & set(other)) / 10
        for one, other in zip(_top(here, queries), _top(exact, queries), strict=True)
    ]
    result = {
        "engine": engines["here"].name,
        "mean cosine to 32 bits": float(cosines.mean()),
        "least cosine": float(cosines.min()),
        "mean cosine to torch, 100 pictures": float(
            (here[queries[:100]] * torch_rows).sum(axis=1).mean()
        ),
        "top 10 the same": float(np.mean(same)),
        "queries": len(queries),
    }
    table([result])
    return result


def _top(vectors: np.ndarray, queries: np.ndarray) -> np.ndarray:
    scores = vectors[queries] @ vectors.T
    scores[np.arange(len(queries)), queries] = -2  # itself
    return np.argpartition(-scores, 10, axis=1)[:, :10]


if __name__ == "__main__":
    sys.exit(main())
