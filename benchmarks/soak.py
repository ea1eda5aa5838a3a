"""Does the page leak? Visitors use it for some minutes; the server's memory is watched.

    python benchmarks/soak.py                                  # 20 visitors, 5 + 3 minutes
    python benchmarks/soak.py --minutes 60 --index cache/shop

Starts a server of its own and drives it over real websockets, with the messages a browser sends:
each visitor pastes pictures, moves sliders, narrows, asks for more and less like a card, crops,
goes back, browses the catalogue, and now and then leaves, so that another one comes. Prints the
server's resident memory after the warm-up, at the end, and their ratio; exits with 1 where that is
above ``--most`` or the page met an error. Linux and macOS (memory is read with ``ps``).
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from PIL import Image
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect

PROJECT = Path(__file__).resolve().parent.parent
SAMPLES = sorted((PROJECT / "data" / "samples").glob("*.jpg"))
#: Seconds between two things that a visitor does, at most.
PAUSE = 1.5
#: Things done until a visitor leaves, on average.
STAY = 40


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=3, help="after the warm-up")
    parser.add_argument("--warm-up", type=float, default=5, help="minutes before the first figure")
    parser.add_argument("--index", type=Path, help="the demo catalogue's, in the cache, without")
    parser.add_argument("--most", type=float, default=1.1, help="the greatest ratio that passes")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with serve(options.index) as (port, process):
        return asyncio.run(soak(port, process, options))


@contextmanager
def serve(index: Path | None) -> Iterator[tuple[int, int]]:
    """A server of the page; gives its port and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = dict(os.environ)
    if index is not None:
        environment["FITTING_ROOM_INDEX"] = str(index.resolve())
    command = [
        sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true",
        f"--server.port={port}", "--server.address=127.0.0.1",
    ]  # fmt: skip
    server = subprocess.Popen(
        command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        # It prints its address once it listens; its output ends where it does not come to that.
        if not any(f":{port}" in line for line in server.stdout):
            raise SystemExit("the server did not start")
        # What it prints later is read away, or it would wait for a reader.
        threading.Thread(target=server.stdout.read, daemon=True).start()
        yield port, server.pid
    finally:
        server.terminate()
        server.wait()


def resident(process: int) -> float:
    """Resident memory in megabytes."""
    listing = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(process)], capture_output=True, text=True, check=True
    )
    return int(listing.stdout) / 1024


async def soak(port: int, process: int, options: argparse.Namespace) -> int:
    done = [0]
    stop = asyncio.Event()
    tasks = [
        asyncio.create_task(visitors(port, random.Random(options.seed + n), done, stop))
        for n in range(options.visitors)
    ]
    await asyncio.sleep(options.warm_up * 60)
    warm, before = resident(process), done[0]
    print(f"after the warm-up of {options.warm_up:g} min: {warm:.0f} MB, {before} things done")
    started = time.monotonic()
    while (left := options.minutes * 60 - (time.monotonic() - started)) > 0:
        await asyncio.sleep(min(30, left))
        minute = (time.monotonic() - started) / 60
        print(f"  {minute:5.1f} min: {resident(process):.0f} MB, {done[0]} things done", flush=True)
    end = resident(process)
    stop.set()
    errors = [e for e in await asyncio.gather(*tasks, return_exceptions=True) if e is not None]
    print(
        f"at the end: {end:.0f} MB, ratio {end / warm:.3f}, {options.visitors} visitors at a time"
    )
    for error in errors[:5]:
        print(f"a visitor met an error: {error!r}")
    return 1 if errors or end / warm > options.most else 0


async def visitors(port: int, chance: random.Random, done: list[int], stop: asyncio.Event) -> None:
    """One visitor after the other, until ``stop``."""
    while not stop.is_set():
        async with connect(
            f"ws://127.0.0.1:{port}/_stcore/stream", max_size=None, subprotocols=["streamlit"]
        ) as socket_:
            visitor = Visitor(socket_, chance)
            await visitor.run()
            for _ in range(chance.randrange(STAY // 2, 2 * STAY)):
                if stop.is_set():
                    return
                await asyncio.sleep(chance.uniform(0.1, PAUSE))
                await visitor.do_something()
                done[0] += 1


class Visitor:
    """What a browser knows of the page: the elements by kind and key, and the address."""

    def __init__(self, connection: ClientConnection, chance: random.Random) -> None:
        self.connection = connection
        self.chance = chance
        self.query = ""
        self.hash = ""
        self.history = [""]
        self.widgets: dict[str, tuple[str, str]] = {}
        self.cards: list[str] = []

    async def run(self, *states: WidgetState, fragment: str = "", back: bool = False) -> None:
        """Ask for a run of the script, and read what it draws."""
        message = BackMsg()
        rerun = message.rerun_script
        rerun.query_string = self.query
        rerun.page_script_hash = self.hash
        rerun.fragment_id = fragment
        rerun.is_history_navigation = back
        rerun.widget_states.widgets.extend(states)
        if not fragment:
            self.widgets = {}
        await self.connection.send(message.SerializeToString())
        # A click that changes the query draws its part and then the whole.
        finished = False
        while True:
            try:
                data = await asyncio.wait_for(self.connection.recv(), 1.0 if finished else 60)
            except TimeoutError:
                if finished:
                    return
                raise
            message = ForwardMsg.FromString(bytes(data))
            kind = message.WhichOneof("type")
            if kind == "script_finished":
                finished = True
            elif kind == "new_session":
                finished = False
                self.hash = message.new_session.page_script_hash
            elif kind == "page_info_changed":
                self.query = message.page_info_changed.query_string
                self.history.append(self.query)
            elif kind == "delta":
                self._note(message)

    def _note(self, message: ForwardMsg) -> None:
        element = message.delta.new_element
        kind = element.WhichOneof("type")
        fragment = message.delta.fragment_id
        if kind == "exception":
            raise RuntimeError(element.exception.message)
        if kind == "bidi_component":
            name = element.bidi_component.component_name
            self.widgets[name] = (element.bidi_component.id, fragment)
            data = json.loads(element.bidi_component.json or "{}")
            if "cards" in data:
                self.cards = [card["id"] for card in data["cards"]]
        elif kind in ("slider", "button_group", "multiselect", "text_input", "button"):
            proto = getattr(element, kind)
            self.widgets[f"{kind}:{proto.label}"] = (proto.id, fragment)

    async def do_something(self) -> None:
        deeds = [self.paste, self.more, self.more, self.less, self.slide, self.narrow, self.crop]
        deeds += [self.back, self.browse, self.follow_link]
        await self.chance.choice(deeds)()

    async def trigger(self, component: str, event: str, value: object) -> None:
        if f"fitting_room_{component}" not in self.widgets:
            return
        identity, fragment = self.widgets[f"fitting_room_{component}"]
        state = WidgetState(
            id=f"$$STREAMLIT_INTERNAL_KEY_{identity}__events",
            json_trigger_value=json.dumps([{"event": event, "value": value}]),
        )
        await self.run(state, fragment=fragment)

    async def paste(self) -> None:
        """A picture that was never pasted before, so that nothing of it is known."""
        with Image.open(self.chance.choice(SAMPLES)) as sample:
            size = self.chance.randrange(700, 1400)
            picture = sample.convert("RGB").resize((size, size * 4 // 3))
        picture.putpixel((0, 0), tuple(self.chance.randrange(256) for _ in range(3)))
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=self.chance.randrange(80, 96))
        data = base64.b64encode(buffer.getvalue()).decode()
        await self.trigger("paste", "picture", {"data": data})

    async def more(self) -> None:
        if self.cards:
            await self.trigger("gallery", "act", {"action": "more", "id": self._card()})

    async def less(self) -> None:
        if self.cards:
            await self.trigger("gallery", "act", {"action": "less", "id": self._card()})

    def _card(self) -> str:
        return self.chance.choice(self.cards)

    async def slide(self) -> None:
        if "slider:How many" in self.widgets:
            identity, fragment = self.widgets["slider:How many"]
            state = WidgetState(id=identity)
            state.double_array_value.data.append(self.chance.randrange(4, 40))
            await self.run(state, fragment=fragment)

    async def narrow(self) -> None:
        if "filter-" in self.query:
            self.query = ""
            await self.run()
            return
        colour = self.chance.choice(["Red", "Blue", "Black", "Green"])
        self.query = urlencode({"filter-baseColour": colour, "n": 12})
        await self.run()

    async def crop(self) -> None:
        self.query = urlencode(
            {"item": self._card(), "crop": f"0,0,1000,{self.chance.randrange(300, 1000)}"}
        )
        await self.run()

    async def follow_link(self) -> None:
        chosen = [self._card() for _ in range(3)]
        self.query = urlencode({"item": chosen, "n": self.chance.randrange(5, 30)}, doseq=True)
        await self.run()

    async def browse(self) -> None:
        self.query = urlencode({"find": self.chance.choice(["red", "dress", "blue shirt"])})
        await self.run()

    async def back(self) -> None:
        self.query = self.chance.choice(self.history[-5:])
        await self.run(back=True)


if __name__ == "__main__":
    sys.exit(main())
