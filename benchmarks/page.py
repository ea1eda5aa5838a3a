"""How long a visitor waits: for an answer, for a slider, for the first page.

    pip install -r benchmarks/requirements.txt
    python benchmarks/page.py --index cache/fashion [--json]

`--index` is a built index of the real catalogue. An answer is split into decoding, features (the
network, colours, silhouette; a street photograph in two views) and searching, warm,
one picture at a time. ResNet50 has random weights where its own cannot be had, and random vectors
of its size stand for its index: the work is the same. The slider is moved on the page as
Streamlit's own AppTest runs it; counted is all the time that our gallery takes, Streamlit's
elements in it included. The start is that of a fresh server until a visitor's gallery is there,
over a real websocket.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from at_hand import catalogue_pictures, photograph_pictures
from at_hand import index as index_at
from common import finish, measured_checkout, parsed, parser_of, say, table

from fitting_room.embedding.embedder import Embedder
from fitting_room.embedding.engine import make_engine
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import DEFAULT_LIMITS
from fitting_room.imaging.features import normalise
from fitting_room.index.index import Index
from fitting_room.settings import Settings
from fitting_room.util.threads import limit_blas_threads

MATCHES = 12


def main() -> int:
    parser = parser_of(__doc__, index=True)
    parser.add_argument("--pictures", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parts", default="answer,slider,start")
    options = parsed(parser, pictures=4, rounds=1)
    options.index = index_at(options.index)
    os.environ["FITTING_ROOM_INDEX"] = str(options.index.resolve())
    os.environ.setdefault("FITTING_ROOM_CACHE", str(measured_checkout() / "cache"))
    parts: Mapping[str, Callable[[Any], object]] = {
        "answer": answers,
        "slider": slider,
        "start": start,
    }
    return finish({p: parts[p](options) for p in options.parts.split(",")}, options.json)


def pictures(count: int) -> dict[str, list[bytes]]:
    """Bytes of some pictures of each kind."""
    return {
        "catalogue": [data for _, data in catalogue_pictures(count)],
        "street": [data for _, data in photograph_pictures("validation", count)],
    }


def answers(options: Any) -> list[dict[str, Any]]:
    fitting_room = FittingRoom.open(options.index)
    limit_blas_threads()  # as the page does
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for label, of_kind in pictures(options.pictures).items():
            rows.append(
                answer(
                    fitting_room.index,
                    fitting_room.embedder,
                    fitting_room,
                    label,
                    of_kind,
                    options.rounds,
                )
            )
            embedder, index = _resnet50(fitting_room, Path(folder))
            other = FittingRoom(index, lambda e=embedder: e, DEFAULT_LIMITS)
            rows.append(answer(index, embedder, other, label, of_kind, options.rounds))
    say(f"one picture, bytes to {MATCHES} matches among {len(fitting_room.index):,}, milliseconds")
    table(rows)
    return rows


def answer(
    index: Index,
    embedder: Embedder,
    fitting_room: FittingRoom,
    label: str,
    of_kind: list[bytes],
    rounds: int,
) -> dict[str, Any]:
    seconds: dict[str, list[float]] = {"decode": [], "features": [], "search": [], "all": []}
    for turn in range(rounds + 1):
        for data in of_kind:
            marks = [time.perf_counter()]
            image = embedder.open(data)
            marks.append(time.perf_counter())
            (features,) = embedder.describe([image], views=index.mostly_plain_background)
            marks.append(time.perf_counter())
            fitting_room.search(features, MATCHES, fold=True)
            marks.append(time.perf_counter())
            if turn:  # the first is the warm-up
                for name, one, other in zip(seconds, marks, marks[1:], strict=False):
                    seconds[name].append(other - one)
                seconds["all"].append(marks[-1] - marks[0])
    medians = {name: statistics.median(values) * 1e3 for name, values in seconds.items()}
    return {"network": embedder.selection.backbone.name, "picture": label, **medians}


def _resnet50(fitting_room: FittingRoom, work: Path) -> tuple[Embedder, Index]:
    import torch
    import torchvision

    from fitting_room.embedding.backbones import select
    from fitting_room.embedding.weights import WeightsUnavailable

    try:
        selection = select("resnet50")
    except WeightsUnavailable:
        path = work / "resnet50.pth"
        if not path.exists():
            torch.manual_seed(0)
            torch.save(torchvision.models.resnet50(weights=None).state_dict(), path)
        selection = select("resnet50", str(path))
    embedder = Embedder(selection, make_engine(selection, cache=work / "networks"))
    old = fitting_room.index
    rows = np.random.default_rng(0).standard_normal((len(old), embedder.dimension), np.float32)
    manifest = replace(old.manifest, dimension=embedder.dimension)
    data = replace(old.data, manifest=manifest, vectors=normalise(rows), pca=None, head=None)
    index = Index(replace(data, trained=None, ann=None))
    return embedder, index


def slider(options: Any) -> dict[str, float]:
    """Milliseconds of our gallery when the number of matches is moved: all of it, and without the
    search, which is only made for more matches than were there."""
    from streamlit.testing.v1 import AppTest

    from fitting_room.ui.results import gallery

    spent: dict[str, list[float]] = {"gallery": [], "search": []}

    def timed(owner: Any, name: str, label: str) -> None:
        function = getattr(owner, name)

        def run(*args: object, **named: object) -> object:
            started = time.perf_counter()
            try:
                return function(*args, **named)
            finally:
                spent[label].append((time.perf_counter() - started) * 1e3)

        setattr(owner, name, run)

    timed(gallery, "_matches_of_query", "gallery")
    timed(FittingRoom, "search", "search")
    page = AppTest.from_file(measured_checkout() / "app.py", default_timeout=60).run()
    samples = sorted((measured_checkout() / "data" / "samples").glob("*.jpg"))
    fewer, more = [], []
    for turn in range(options.rounds + 1):
        sample = samples[turn % len(samples)]  # another query: nothing of its answer is cached
        page.file_uploader[0].set_value((sample.name, sample.read_bytes(), "image/jpeg")).run()
        for number in (18, 30, 42, 54, 60, 48, 36, 24, 12):
            for values in spent.values():
                values.clear()
            page.slider(key="n").set_value(number).run()
            if turn == 0:
                continue
            whole, searched = sum(spent["gallery"]), sum(spent["search"])
            (more if spent["search"] else fewer).append(whole - searched)
    result = {
        name: statistics.median(values)
        for name, values in (("as many or fewer", fewer), ("more, without the search", more))
        if values
    }
    say("a slider is moved, milliseconds of our gallery")
    table([result])
    return result


def start(options: Any) -> dict[str, float]:
    """Seconds from the command to the gallery, and what they are made of."""
    seconds: list[float] = []
    for turn in range(options.rounds + 1):
        took = asyncio.run(_first_gallery(options.index))
        if turn:
            seconds.append(took)
    parts = {
        "importing streamlit": "import streamlit.web.cli",
        "and the page's modules": "import streamlit.web.cli, fitting_room.ui.pages",
        "and opening the index": (
            "import streamlit.web.cli, fitting_room.ui.pages, os\n"
            "from fitting_room import FittingRoom\n"
            "fitting_room = FittingRoom.open(os.environ['FITTING_ROOM_INDEX'])"
        ),
        "and the first picture": (
            "import streamlit.web.cli, fitting_room.ui.pages, os\n"
            "from PIL import Image\n"
            "from fitting_room import FittingRoom\n"
            "fitting_room = FittingRoom.open(os.environ['FITTING_ROOM_INDEX'])\n"
            "fitting_room.embed([Image.new('RGB', (60, 80))])"
        ),
    }
    result = {"to the gallery": statistics.median(seconds)}
    for name, code in parts.items():
        runs = []
        for _ in range(options.rounds):
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, cwd=measured_checkout())
            runs.append(time.perf_counter() - started)
        result[name] = statistics.median(runs)
    say("the start of a fresh server, seconds; each line holds the one above it")
    table([{"until": name, "s": value} for name, value in result.items()])
    assert Settings.from_environment().index is not None
    return result


async def _first_gallery(index: Path) -> float:
    import random

    from serving import serve
    from visitor import Visitor
    from websockets.asyncio.client import connect

    started = time.perf_counter()
    with serve(index) as (port, _):
        address = f"ws://127.0.0.1:{port}/_stcore/stream"
        async with connect(address, max_size=None, subprotocols=["streamlit"]) as connection:
            visitor = Visitor(connection, random.Random(0))
            visit = asyncio.create_task(visitor.run())
            while not visitor.cards:
                if visit.done():
                    visit.result()
                    raise RuntimeError("the page came without a gallery")
                await asyncio.sleep(0.01)
            took = time.perf_counter() - started
            await visit
    return took


if __name__ == "__main__":
    sys.exit(main())
