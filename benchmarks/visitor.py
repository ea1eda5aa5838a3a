"""One visitor of the page, as a browser is one: messages over a websocket, uploads and pictures
over HTTP. What a visitor does is timed from the message that asks to the end of the last run of
the script that answers; pictures that the page names are loaded as well, each once."""

from __future__ import annotations

import asyncio
import io
import json
import random
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
from PIL import Image
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Common_pb2 import FileURLs, UploadedFileInfo
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect

PROJECT = Path(__file__).resolve().parent.parent
SAMPLES = sorted((PROJECT / "data" / "samples").glob("*.jpg"))
#: Seconds that a click which changes the query has until it draws the whole after its part, and
#: that any answer has.
MORE_TO_COME, AT_MOST = 1.0, 120.0
WIDGETS = ("slider", "button_group", "multiselect", "text_input", "button", "file_uploader")
_MEDIA = re.compile(r"/media/[0-9a-f]+\.\w+")


class Visitor:
    """What a browser knows of the page: the elements by kind and key, and the address."""

    def __init__(
        self,
        connection: ClientConnection,
        chance: random.Random,
        http: aiohttp.ClientSession | None = None,
    ) -> None:
        self.connection, self.chance, self.http = connection, chance, http
        self.query, self.hash, self.page = "", "", ""
        self.session = ""
        self.history = [""]
        self.widgets: dict[str, tuple[str, str]] = {}
        self.downloads: dict[str, str] = {}
        self.cards: list[str] = []
        self.errors: list[str] = []
        self.pictures: set[str] = set()
        self._new_pictures: set[str] = set()
        self.more_to_come = MORE_TO_COME
        #: Seconds that the last answer took.
        self.took: float | None = None

    async def run(self, *states: WidgetState, fragment: str = "", back: bool = False) -> None:
        """Ask for a run of the script, and read what it draws."""
        message = BackMsg()
        rerun = message.rerun_script
        rerun.query_string = self.query
        rerun.page_script_hash = self.hash
        rerun.page_name = self.page
        rerun.fragment_id = fragment
        rerun.is_history_navigation = back
        rerun.widget_states.widgets.extend(states)
        self.errors = []
        asked = time.perf_counter()
        await self.connection.send(message.SerializeToString())
        # A click that changes the query draws its part and then the whole.
        finished = False
        while True:
            try:
                message = await self._next(self.more_to_come if finished else AT_MOST)
            except TimeoutError:
                if finished:
                    break
                raise
            kind = message.WhichOneof("type")
            if kind == "script_finished":
                finished = True
                self.took = time.perf_counter() - asked
            elif kind == "new_session":
                if not fragment or finished:  # all of the page is drawn anew
                    self.widgets, self.downloads = {}, {}
                finished = False
        await self._load_pictures()

    async def _next(self, patience: float) -> ForwardMsg:
        data = await asyncio.wait_for(self.connection.recv(), patience)
        message = ForwardMsg.FromString(bytes(data))
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self.hash = message.new_session.page_script_hash
            self.session = message.new_session.initialize.session_id
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
            self.history.append(self.query)
        elif kind == "delta":
            self._note(message)
        return message

    def _note(self, message: ForwardMsg) -> None:
        element = message.delta.new_element
        kind = element.WhichOneof("type")
        fragment = message.delta.fragment_id
        if kind == "exception":
            raise RuntimeError(element.exception.message)
        if kind == "alert":
            self.errors.append(element.alert.body)
        if kind == "bidi_component":
            name = element.bidi_component.component_name
            self.widgets[name] = (element.bidi_component.id, fragment)
            data = json.loads(element.bidi_component.json or "{}")
            if "cards" in data:
                self.cards = [card["id"] for card in data["cards"]]
            self._new_pictures.update(_MEDIA.findall(element.bidi_component.json))
        elif kind == "download_button":
            button = element.download_button
            self.downloads[button.label] = button.deferred_file_id
        elif kind == "html":
            self._new_pictures.update(_MEDIA.findall(element.html.body))
        elif kind in WIDGETS:
            proto = getattr(element, kind)
            self.widgets[f"{kind}:{proto.label}"] = (proto.id, fragment)

    async def _load_pictures(self) -> None:
        """What a browser loads of what was drawn, six at a time."""
        new, self._new_pictures = self._new_pictures - self.pictures, set()
        self.pictures |= new
        if self.http is None:
            return
        places = asyncio.Semaphore(6)

        async def load(address: str) -> None:
            assert self.http is not None
            async with places, self.http.get(address) as answer:
                await answer.read()

        await asyncio.gather(*(load(address) for address in new))

    # --- what a visitor does ----------------------------------------------------------------------

    async def do_something(self) -> tuple[str, float] | None:
        """Do one thing, and say which and how many seconds its answer took; ``None`` for one that
        cannot be done at the moment."""
        deeds: list[tuple[str, Callable[[], Awaitable[None]]]] = [
            ("picture", self.upload_picture), ("picture", self.upload_picture),
            ("more like a card", self.more), ("more like a card", self.more),
            ("less like a card", self.less), ("slider", self.slide), ("filter", self.narrow),
            ("crop", self.crop), ("back", self.back), ("words", self.browse),
            ("link of several items", self.follow_link), ("why", self.why), ("map", self.see_map),
            ("contact sheet", self.sheet),
        ]  # fmt: skip
        name, deed = self.chance.choice(deeds)
        self.took = None
        await deed()
        took = self.took
        if self.page:  # and back to the search, which is not counted
            self.page, self.hash = "", ""
            await self.run()
        return None if took is None else (name, took)

    async def trigger(self, component: str, event: str, value: object) -> None:
        if f"fitting_room_{component}" not in self.widgets:
            return
        identity, fragment = self.widgets[f"fitting_room_{component}"]
        state = WidgetState(
            id=f"$$STREAMLIT_INTERNAL_KEY_{identity}__events",
            json_trigger_value=json.dumps([{"event": event, "value": value}]),
        )
        await self.run(state, fragment=fragment)

    async def upload_picture(self) -> None:
        """A picture that was never shown before, so that nothing of it is known; dropped, pasted
        and chosen ones all come by the uploader."""
        await self.upload(await asyncio.to_thread(new_picture, self.chance))

    async def upload(self, data: bytes, name: str = "picture.jpg") -> int | None:
        """Upload a file as the page's uploader does; the status of the upload."""
        key = next((k for k in self.widgets if k.startswith("file_uploader:")), None)
        if key is None or self.http is None:
            return None
        began = time.perf_counter()
        identity, fragment = self.widgets[key]
        place = await self._place_for(name)
        form = aiohttp.FormData()
        form.add_field("file", data, filename=name, content_type="image/jpeg")
        async with self.http.put(place.upload_url, data=form, headers=await self._token()) as put:
            status = put.status
        if status >= 300:
            return status
        state = WidgetState(id=identity)
        info = UploadedFileInfo(file_id=place.file_id, name=name, size=len(data), file_urls=place)
        state.file_uploader_state_value.uploaded_file_info.append(info)
        sent = time.perf_counter()
        await self.run(state, fragment=fragment)
        if self.took is not None:
            self.took += sent - began
        return status

    async def _place_for(self, name: str) -> FileURLs:
        message = BackMsg()
        message.file_urls_request.request_id = str(self.chance.random())
        message.file_urls_request.file_names.append(name)
        message.file_urls_request.session_id = self.session
        await self.connection.send(message.SerializeToString())
        while True:
            answer = await self._next(AT_MOST)
            if answer.WhichOneof("type") == "file_urls_response":
                return answer.file_urls_response.file_urls[0]

    async def _token(self) -> dict[str, str]:
        """Streamlit's token against requests by other sites."""
        assert self.http is not None
        cookies = {c.key: c.value for c in self.http.cookie_jar}
        if "_streamlit_xsrf" not in cookies:
            async with self.http.get("/_stcore/health") as answer:
                await answer.read()
            cookies = {c.key: c.value for c in self.http.cookie_jar}
        return {"X-Xsrftoken": cookies.get("_streamlit_xsrf", "")}

    async def more(self) -> None:
        await self._act("more")

    async def less(self) -> None:
        await self._act("less")

    async def why(self) -> None:
        await self._act("why")

    async def _act(self, action: str) -> None:
        if self.cards:
            await self.trigger("gallery", "act", {"action": action, "id": self._card()})

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

    async def sheet(self) -> None:
        """Save the contact sheet: have it made, and load it."""
        if "Contact sheet" not in self.downloads or self.http is None:
            return
        message, asked = BackMsg(), time.perf_counter()
        request = message.backend_operation_request
        request.request_id = str(self.chance.random())
        request.session_id = self.session
        request.deferred_file.file_id = self.downloads["Contact sheet"]
        await self.connection.send(message.SerializeToString())
        while True:
            answer = await self._next(AT_MOST)
            if answer.WhichOneof("type") == "backend_operation_response":
                break
        response = answer.backend_operation_response
        if not response.deferred_file.url:
            raise RuntimeError(response.error_msg)
        async with self.http.get(response.deferred_file.url) as file:
            if file.status != 200:
                raise RuntimeError(f"the contact sheet answers {file.status}")
            await file.read()
        self.took = time.perf_counter() - asked

    async def see_map(self) -> None:
        self.page, self.hash = "map", ""
        await self.run()


def new_picture(chance: random.Random) -> bytes:
    """The JPEG of a garment that nobody has shown yet."""
    with Image.open(chance.choice(SAMPLES)) as sample:
        size = chance.randrange(700, 1400)
        picture = sample.convert("RGB").resize((size, size * 4 // 3))
    picture.putpixel((0, 0), tuple(chance.randrange(256) for _ in range(3)))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=chance.randrange(80, 96))
    return buffer.getvalue()


@asynccontextmanager
async def visiting(port: int, chance: random.Random) -> AsyncIterator[Visitor]:
    """A visitor who has come and not seen anything yet."""
    async with (
        aiohttp.ClientSession(
            f"http://127.0.0.1:{port}", cookie_jar=aiohttp.CookieJar(unsafe=True)
        ) as http,
        connect(
            f"ws://127.0.0.1:{port}/_stcore/stream",
            max_size=None,
            subprotocols=["streamlit"],
            open_timeout=AT_MOST,
        ) as connection,
    ):
        yield Visitor(connection, chance, http)
