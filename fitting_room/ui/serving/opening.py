"""The first sight of the page: its name stands there before a script has come.

Streamlit's own document shows nothing until its scripts run, which takes a browser that has none of
them yet most of a second.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st
import streamlit.config
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

#: The addresses of the page: of the search, the map and what is said of the catalogue.
PAGES = ("/", "/map", "/about")
#: Streamlit's places for the page's name and for all that its scripts draw, which begin by
#: emptying the latter.
TITLE, EMPTY = "<title>Streamlit</title>", '<div id="root"></div>'
#: Scripts of Streamlit that a browser would only ask for in the middle of its first search: what
#: sends a picture, and what saves the results.
LATER = ("axios.*.js", "DownloadButton.*.js", "createDownloadLinkElement.*.js")


_STATIC = Path(st.__file__).parent / "static"


def routes() -> list[Route]:
    """The page's document at its addresses, instead of Streamlit's."""

    async def document(_: Request) -> Response:
        return HTMLResponse(html, headers={"Cache-Control": "no-cache"})

    html = page()
    return [Route(path, document, methods=["GET"]) for path in PAGES]


def page() -> str:
    """Streamlit's document with the page's name and a sign that it comes."""
    document = (_STATIC / "index.html").read_text("utf-8")
    title = "<title>Fitting Room</title>" + _asked_for_early()
    return document.replace(TITLE, title).replace(EMPTY, _first_sight())


def _asked_for_early() -> str:
    """Links by which a browser loads :data:`LATER` once it has nothing else to do."""
    names = sorted(path.name for kind in LATER for path in (_STATIC / "static/js").glob(kind))
    return "".join(
        f'<link rel="prefetch" as="script" crossorigin href="./static/js/{name}">' for name in names
    )


def _first_sight() -> str:
    light, dark = (
        "background: {}; color: {}".format(
            *(streamlit.config.get_option(f"theme.{theme}.{name}Color")
              for name in ("background", "text"))
        )
        for theme in ("light", "dark")
    )  # fmt: skip
    return f"""<style>
      .fr-opening {{ position: fixed; inset: 0; padding: clamp(1rem, 4vw, 4rem); {light} }}
      @media (prefers-color-scheme: dark) {{ .fr-opening {{ {dark} }} }}
      .fr-opening h1 {{ margin: 0; font: 500 clamp(2rem, 4vw, 2.9rem) Georgia, serif; }}
      .fr-opening p {{ margin: .35rem 0 0; font: 1.05rem sans-serif; }}
    </style>
    <div id="root"><main class="fr-opening" aria-busy="true">
      <h1>Fitting Room</h1><p>Opening …</p>
    </main></div>"""
