"""The addresses of the API, and those by which a supervisor sees how the server is."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, File, Form, Header, Path, Query, Request, UploadFile
from fastapi.middleware.cors import CORSMiddleware
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from fitting_room import __version__
from fitting_room.imaging.decode import ImageRejected
from fitting_room.search.fulfilment import TEXT_WEIGHT
from fitting_room.server import answering, catalogue, problems
from fitting_room.server.bounds import FORM, Bounds, Limits
from fitting_room.server.docs import add_docs
from fitting_room.server.figures import MEDIA_TYPE
from fitting_room.server.models import Amount, Columns, Edit, Item, Parts, ProblemDocument, Result
from fitting_room.server.problems import KINDS, Problem
from fitting_room.server.requests import (
    LONGEST_TEXT,
    MOST_IDS,
    MOST_MATCHES,
    USUAL_MATCHES,
    Addition,
    Question,
    attributes_of,
    files_of,
    where_of,
)
from fitting_room.server.service import Service

#: Where the API is mounted.
ROOT = "/api"
#: Requests to it at once, those that wait for a thread included.
MOST_REQUESTS = 128
#: Seconds that browsers and proxies may keep a picture of the catalogue.
PICTURE_KEPT = 3_600

_PROBLEM = {problems.MEDIA_TYPE: {"schema": ProblemDocument.model_json_schema()}}
_BEARER = HTTPBearer(auto_error=False, description="one of FITTING_ROOM_API_TOKENS")
ItemId = Annotated[str, Path(max_length=LONGEST_TEXT, description="an id of the catalogue")]
_N: Any = {"ge": 1, "le": MOST_MATCHES, "description": "how many matches"}
_COLOUR: Any = {"description": "weight of colour beside shape, 0 to 1; the index's own without",
                "allow_inf_nan": False}  # fmt: skip
_JSON: Any = {"json_schema_extra": {"contentMediaType": "application/json"}}
_WHERE: Any = {
    **_JSON,
    "description": 'filters as JSON: {"gender": ["Women", "Girls"], "season": "Summer"}',
}
_LESS: Any = {"max_length": MOST_IDS, "description": "ids of items that are not wanted"}
_DIVERSITY: Any = {"ge": 0, "le": 1, "allow_inf_nan": False,
                   "description": "how much a variety counts against likeness"}  # fmt: skip
_GOOD: Any = {"description": "only matches that are alike in the words of likeness"}
_TEXT_WEIGHT: Any = {"ge": 0, "le": 1, "allow_inf_nan": False,
                     "description": "how much words count beside a picture; with 1 only what "
                     "they ask for is left"}  # fmt: skip
_SORT: Any = {"max_length": LONGEST_TEXT, "description": "only the good matches, in the order of "
              "a column of numbers, the smallest first: price, or -price for the largest first",
              }  # fmt: skip
_FOLD: Any = {"description": "near-duplicates as one match, which names the others"}


def routes(service: Service) -> list[BaseRoute]:
    """What is served beside the page: how the server is, and unless switched off the API."""
    beside: list[BaseRoute] = [
        Route("/health", _health, methods=["GET"]),
        Route("/ready", _ready(service), methods=["GET"]),
    ]
    if not service.settings.api:
        return beside
    mount = Mount(ROOT, app=application(service))
    # Else an address with a line break in it is the page's.
    mount.path_regex = re.compile(mount.path_regex.pattern, re.DOTALL)
    return [*beside, Route("/metrics", _metrics(service), methods=["GET"]), mount]


def application(service: Service) -> FastAPI:
    """The API itself."""
    settings = service.settings
    app = FastAPI(
        title="Fitting Room",
        version=__version__,
        summary="The items of a catalogue that look most like a picture.",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,  # what clients call a function
        responses={"default": {"description": "A problem document", "content": _PROBLEM}},
    )
    problems.install(app, lambda kind: service.figures.refusals.labels(kind).inc())
    origins = settings.api_origins.split()
    app.add_middleware(
        Bounds,
        limits=Limits(
            requests=MOST_REQUESTS,
            body=settings.limits.max_bytes + FORM,
            held=settings.most_held,
            patience=settings.api_timeout,
        ),
        figures=service.figures,
        is_shared=bool(origins),
    )
    if origins:  # outermost, so that those who may ask can read refusals as well
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type"],
        )
    _add_searches(app, service)
    _add_items(app, service)
    _add_changes(app, service)
    add_docs(app)
    return app


def _add_searches(app: FastAPI, service: Service) -> None:
    @app.post("/v1/search", tags=["search"], summary="Search with pictures and words")
    async def search(
        request: Request,
        picture: Annotated[
            list[UploadFile] | None, File(description="one picture, or several as one query")
        ] = None,
        text: Annotated[
            str | None,
            Form(
                min_length=1,
                max_length=LONGEST_TEXT,
                description="words, beside pictures or alone: red dress, not striped",
            ),
        ] = None,
        text_weight: Annotated[float, Form(**_TEXT_WEIGHT)] = TEXT_WEIGHT,
        n: Annotated[int, Form(**_N)] = USUAL_MATCHES,
        where: Annotated[str | None, Form(**_WHERE)] = None,
        colour: Annotated[Amount | None, Form(**_COLOUR)] = None,
        less: Annotated[list[str], Form(**_LESS)] = [],  # noqa: B006 - FastAPI copies it
        diversity: Annotated[float, Form(**_DIVERSITY)] = 0.0,
        only_good: Annotated[bool, Form(**_GOOD)] = False,
        sort: Annotated[str | None, Form(**_SORT)] = None,
        fold: Annotated[bool, Form(**_FOLD)] = False,
    ) -> Result:
        """The items that look most like a picture, or like several together, and do what words
        ask for, or do that alone; best first."""
        since = time.perf_counter()
        files = await files_of(picture or [], text=text)
        question = Question(
            n, where_of(where), colour, less, diversity, only_good, fold, sort, text, text_weight
        )
        return await service.searching.run(
            answering.search, service, files, question, root=_root(request), since=since
        )

    @app.post("/v1/parts", tags=["search"], summary="The garments of a picture")
    async def parts(picture: Annotated[UploadFile, File(description="one picture")]) -> Parts:
        """Where a picture shows several garments of different kinds: cut one out to search with
        it. There are none where it shows one."""
        (file,) = await files_of([picture])
        return await service.searching.run(answering.parts, service, file)

    @app.get("/v1/items/{item:path}/similar", tags=["search"], summary="Similar items")
    async def similar(
        request: Request,
        item: ItemId,
        n: Annotated[int, Query(**_N)] = USUAL_MATCHES,
        where: Annotated[str | None, Query(**_WHERE)] = None,
        colour: Annotated[Amount | None, Query(**_COLOUR)] = None,
        less: Annotated[list[str], Query(**_LESS)] = [],  # noqa: B006 - FastAPI copies it
        diversity: Annotated[float, Query(**_DIVERSITY)] = 0.0,
        only_good: Annotated[bool, Query(**_GOOD)] = False,
        sort: Annotated[str | None, Query(**_SORT)] = None,
        fold: Annotated[bool, Query(**_FOLD)] = False,
    ) -> Result:
        """The items that look most like one of the catalogue, without itself."""
        question = Question(n, where_of(where), colour, less, diversity, only_good, fold, sort)
        return await service.searching.run(
            answering.similar, service, item, question, root=_root(request)
        )


def _add_items(app: FastAPI, service: Service) -> None:
    @app.get(
        "/v1/items/{item:path}/picture",
        tags=["catalogue"],
        summary="A picture of an item",
        response_class=Response,
        responses={200: {"content": {"image/jpeg": {}}}, 304: {"description": "still the same"}},
    )
    async def picture(
        item: ItemId,
        number: Annotated[int, Query(ge=0, le=10_000, description="which of its pictures")] = 0,
        large: Annotated[bool, Query(description="1,024 pixels instead of 480")] = False,
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Response:
        """A picture of an item as a JPEG."""
        try:
            data = await service.showing.run(catalogue.picture, service, item, number, large=large)
        except ImageRejected as error:
            raise Problem("no-picture", "The picture of this item cannot be read.") from error
        tag = f'"{hashlib.sha256(data).hexdigest()[:20]}"'
        headers = {"ETag": tag, "Cache-Control": f"public, max-age={PICTURE_KEPT}"}
        if if_none_match is not None and tag in if_none_match:
            return Response(status_code=304, headers=headers)
        return Response(data, media_type="image/jpeg", headers=headers)

    @app.get("/v1/columns", tags=["catalogue"], summary="What one may filter by")
    async def columns(where: Annotated[str | None, Query(**_WHERE)] = None) -> Columns:
        """The catalogue's columns, their values, and how many items each would leave."""
        return await service.showing.run(catalogue.columns, service, where_of(where))

    @app.get("/v1/items/{item:path}", tags=["catalogue"], summary="An item")
    async def item(request: Request, item: ItemId) -> Item:
        """An item with all that the catalogue says of it."""

        def find() -> Item:
            return answering.item_of(service.fitting_room(), item, _root(request))

        return await service.showing.run(find)

    @app.get("/v1/problems/{kind}", tags=["problems"], summary="What a problem means")
    async def problem(kind: str) -> dict[str, str | int]:
        """What the type of a problem document means, and what to do about it."""
        if kind not in KINDS:
            raise Problem("not-found", "There is no such problem.")
        known = KINDS[kind]
        return {"title": known.title, "status": known.status, "remedy": known.remedy}


def _add_changes(app: FastAPI, service: Service) -> None:
    async def allowed(
        token: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    ) -> None:
        service.require_token(None if token is None else token.credentials)

    @app.post(
        "/v1/items", tags=["changes"], status_code=201, dependencies=[Depends(allowed)],
        summary="Add an item",
    )  # fmt: skip
    async def add(
        picture: Annotated[list[UploadFile], File(description="its pictures")],
        id: Annotated[str, Form(min_length=1, max_length=LONGEST_TEXT)],
        attributes: Annotated[
            str | None,
            Form(**_JSON, description='what is said of it, as JSON: {"gender": "Women"}'),
        ] = None,
        replace: Annotated[bool, Form(description="whether it may replace an item")] = False,
    ) -> Edit:
        """Add an item to the index, without its catalogue. The next build of the catalogue has
        the last word."""
        addition = Addition(id, await files_of(picture), attributes_of(attributes), replace)
        return await service.changing.run(catalogue.add, service, addition)

    @app.delete(
        "/v1/items/{item:path}", tags=["changes"], dependencies=[Depends(allowed)],
        summary="Remove an item",
    )  # fmt: skip
    async def remove(item: ItemId) -> Edit:
        """Remove an item, and the pictures that the index keeps of it."""
        return await service.changing.run(catalogue.remove, service, item)


def _root(request: Request) -> str:
    """What the addresses of the API begin with, as the client reaches it."""
    return str(request.scope.get("root_path", ""))


# --- how the server is ------------------------------------------------------------------------


async def _health(_: Request) -> Response:
    """Whether the process answers at all."""
    return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})


def _ready(service: Service) -> Callable[[Request], Any]:
    async def ready(request: Request) -> Response:
        """Whether it answers questions, too."""
        try:
            fitting_room = await run_in_threadpool(service.fitting_room)
        except Exception as error:
            return problems.problem_of(error).response(request.url.path)
        answer = {"status": "ready", "items": fitting_room.index.item_count}
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})

    return ready


def _metrics(service: Service) -> Callable[[Request], Any]:
    async def metrics(request: Request) -> Response:
        """Figures for Prometheus: for this machine, or with a token."""
        if not service.is_local:
            try:
                token = await _BEARER(request)
                service.require_token(None if token is None else token.credentials)
            except Problem as problem:
                return problem.response(request.url.path)
        return Response(service.figures.as_text(), media_type=MEDIA_TYPE)

    return metrics
