"""How fast pictures become embeddings, beside other libraries, in one run.

    pip install -r benchmarks/requirements.txt
    python benchmarks/embed.py [--backbone efficientnet_lite0] [--pictures 400] [--json]
    python benchmarks/embed.py --engine cuda --pictures 20000 --slow 2000 --prepared 20000

For the catalogue's pictures and for street photographs: the bare engine on ready tensors, ours
from files on disk to vectors on disk, with and without the descriptors,
and other libraries on the same files. All in turn, several rounds; what is printed are medians, and
ratios within a round. ResNet50 has random weights where its own cannot be had: the work is the
same. How far an engine agrees with 32 bits is in ``precision.py``.

With ``--prepared N`` there is a row for what processes, one a core, open, describe and prepare a
second without any network (:mod:`fitting_room.embedding.preparing`): a card can be given no more.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
from at_hand import catalogue_pictures, photograph_pictures
from common import finish, in_turn, parsed, parser_of, ratios, say, table
from PIL import Image

from fitting_room.embedding.backbones import Selection, select
from fitting_room.embedding.embedder import Embedder
from fitting_room.embedding.engine import ENGINES, make_engine
from fitting_room.embedding.weights import WeightsUnavailable
from fitting_room.imaging.decode import DEFAULT_LIMITS
from fitting_room.imaging.features import Features, normalise
from fitting_room.imaging.preprocess import prepare
from fitting_room.index.vectors import new_array
from fitting_room.util.threads import cores

OURS = "ours, files to vectors"
OURS_IN_8_BITS = "ours, files to vectors, 8 bits"
PREPARED = "prepared by processes, no network"


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--backbone", choices=("resnet50", "efficientnet_lite0"), action="append")
    parser.add_argument("--pictures", type=int, default=400, help="of each set, for the quick ones")
    parser.add_argument("--slow", type=int, default=48, help="pictures for the slow libraries")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engine", choices=ENGINES, default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--prepared", type=int, default=0, metavar="N",
                        help="have processes prepare so many pictures, too")  # fmt: skip
    parser.add_argument("--no-int8", action="store_true", help="leave out 8 bits")
    options = parsed(parser, pictures=24, slow=4, rounds=1, prepared=512)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        sets = {
            "catalogue": written(catalogue_pictures(options.pictures), work / "catalogue"),
            "street": written(photograph_pictures("train", options.pictures), work / "street"),
        }
        for name in options.backbone or ("efficientnet_lite0", "resnet50"):
            selection = chosen(name, work)
            for label, files in sets.items():
                results.append(race(selection, label, files, work, options))
    return finish({"speed": results}, options.json)


def written(pictures: Iterable[tuple[str, bytes]], folder: Path) -> list[Path]:
    """Pictures as files."""
    folder.mkdir()
    files = []
    for number, (_, data) in enumerate(pictures):
        files.append(folder / f"{number:06d}.jpg")
        files[-1].write_bytes(data)
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


def of_8_bits(selection: Selection, ready: np.ndarray, work: Path) -> Embedder | None:
    """The network in 8 bits, measured on some of the pictures, where nncf is installed."""
    if find_spec("fitting_room.embedding.quantised") is None:  # an earlier checkout
        say("8 bits are left out: this checkout has none")
        return None
    from fitting_room.embedding import quantised

    if why := quantised.lacks_nncf():
        say(f"8 bits are left out: {why}")
        return None
    path = work / f"{selection.backbone.name}-int8.safetensors"
    if not path.exists():
        pictures = ready[: quantised.CALIBRATION_PICTURES]
        quantised.quantise(selection, pictures, path, work / "networks")
    small = replace(selection, quantised=quantised.file_of(path))
    return Embedder(small, make_engine(small))


def race(
    selection: Selection, label: str, files: list[Path], work: Path, options: Any
) -> dict[str, Any]:
    """All ways for one network and one set of pictures."""
    engine = make_engine(
        selection, kind=options.engine, precision=options.precision, cache=work / "networks"
    )
    embedder = Embedder(selection, engine)
    size = selection.backbone.input_size
    ready = np.stack([prepare(embedder.open(path), size) for path in files])
    few = files[: options.slow]
    device = "cuda" if engine.name.startswith("torch cuda") else "cpu"
    ways: dict[str, tuple[Callable[[], object], int]] = {
        "bare engine": (lambda: bare(embedder, ready), len(files)),
        OURS: (lambda: ours(embedder, files, work), len(files)),
        "ours, embeddings alone": (lambda: ours_alone(embedder, files, work), len(files)),
        "torch + DataLoader, eager": (data_loader(selection, few, device), len(few)),
        "seed's way, one by one": (one_by_one(selection, few, device), len(few)),
    }
    small = None if options.no_int8 else of_8_bits(selection, ready, work)
    if small is not None:
        ways |= {
            "bare engine, 8 bits": (lambda: bare(small, ready), len(files)),
            OURS_IN_8_BITS: (lambda: ours(small, files, work), len(files)),
        }
    if options.prepared and find_spec("fitting_room.embedding.cuda_engine"):
        many = list(islice(cycle(files), options.prepared))
        ways[PREPARED] = (lambda: prepared(embedder, many), len(many))
    if selection.backbone.name == "resnet50":
        ways |= {name: (way, len(few)) for name, way in peers(few).items()}
    say(f"{selection.backbone.title}, {label}, {embedder.engine.name}")
    seconds = in_turn({name: way for name, (way, _) in ways.items()}, options.rounds)
    costs = cost(embedder, many) if PREPARED in ways else {}
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
    say(f"of the bare engine: {ratio:.3f}; without colours and silhouettes {alone:.3f}")
    in_8_bits = {}
    if small is not None:
        in_8_bits = {
            "8 bits are faster, bare": ratios(each["bare engine, 8 bits"], each["bare engine"]),
            "8 bits are faster, files to vectors": ratios(each[OURS_IN_8_BITS], each[OURS]),
            "8 bits over the seed's way": ratios(
                each[OURS_IN_8_BITS], each["seed's way, one by one"]
            ),
        }
        say("; ".join(f"{name}: {value:.2f}" for name, value in in_8_bits.items()) + "\n")
    return {
        "network": selection.backbone.name,
        "pictures": label,
        "engine": embedder.engine.name,
        "share of the bare engine": ratio,
        "share of the bare engine, embeddings alone": alone,
        **in_8_bits,
        "prepared, ms of a processor a picture": costs,
        "ways": rows,
    }


def bare(embedder: Embedder, ready: np.ndarray) -> None:
    engine = embedder.engine
    batches = np.split(ready, range(engine.batch_size, len(ready), engine.batch_size))
    with ThreadPoolExecutor(engine.streams) as pool:
        list(pool.map(engine, batches))


def ours(embedder: Embedder, files: Sequence[Path], work: Path) -> None:
    out = new_array(work / "vectors.npy", np.float32, (len(files), embedder.dimension))
    for row, (_, outcome) in enumerate(embedder.stream(files, loader_of(embedder))):
        assert isinstance(outcome, Features)
        out[row] = outcome.embeddings[0]


def loader_of(embedder: Embedder) -> Callable[[Path], Any]:
    """What a build gives a stream: files where this version opens them ahead of a card."""
    if find_spec("fitting_room.embedding.preparing") is None:  # an earlier checkout
        return embedder.open
    from fitting_room.embedding.preparing import Unopened

    return lambda path: Unopened(path.read_bytes(), path.name, DEFAULT_LIMITS)


def prepared(embedder: Embedder, files: Sequence[Path]) -> None:
    """All but the network: what a stream does ahead of a card that takes no time."""
    from fitting_room.embedding.cuda_engine import CudaEngine

    class Instant(CudaEngine):
        def __init__(self) -> None:
            self.name, self.batch_size, self.streams, self.preparers = "none", 128, 2, cores()

        def __call__(self, pixels: np.ndarray) -> np.ndarray:
            return np.ones((len(pixels), embedder.dimension), np.float32)

    instant = Embedder(embedder.selection, Instant())
    for _, outcome in instant.stream(files, loader_of(instant)):
        assert isinstance(outcome, Features)


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


def cost(embedder: Embedder, files: Sequence[Path]) -> dict[str, float]:
    """Milliseconds of a processor that one more picture takes, in the processes and in the main
    one, without what their start takes."""
    taken = []
    for some in (files, files[: len(files) // 2]):
        before = os.times()
        prepared(embedder, some)
        after = os.times()
        taken.append(
            (
                after.children_user + after.children_system
                - before.children_user - before.children_system,
                after.user + after.system - before.user - before.system,
            )
        )  # fmt: skip
    more = 1e3 / (len(files) - len(files) // 2)
    processes, main = ((whole - half) * more for whole, half in zip(*taken, strict=True))
    return {"processes": processes, "main process": main}


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


def one_by_one(selection: Selection, files: Sequence[Path], device: str) -> Callable[[], object]:
    """The seed's way: one picture at a time through plain torch."""
    import torch

    network, transform = _network(selection).to(device), _transform(selection)

    def run() -> object:
        vectors = []
        with torch.no_grad():
            for path in files:
                image = transform(Image.open(path).convert("RGB"))
                vectors.append(network(image[None].to(device))[0].cpu().numpy())
        return np.stack(vectors)

    return run


def data_loader(selection: Selection, files: Sequence[Path], device: str) -> Callable[[], object]:
    """Batches of 32 from torch's loader with a worker a core, eager."""
    import torch
    from torch.utils.data import DataLoader, Dataset

    network, transform = _network(selection).to(device), _transform(selection)

    class Files(Dataset[Any]):
        def __len__(self) -> int:
            return len(files)

        def __getitem__(self, place: int) -> Any:
            return transform(Image.open(files[place]).convert("RGB"))

    def run() -> object:
        loader = DataLoader(Files(), batch_size=min(32, len(files)), num_workers=cores())
        with torch.no_grad():
            return np.concatenate([network(batch.to(device)).cpu().numpy() for batch in loader])

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


if __name__ == "__main__":
    sys.exit(main())
