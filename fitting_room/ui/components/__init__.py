"""Small components of the page's own, where neither Streamlit nor a kept package has one.

Each is a script and a style sheet beside this file. They get plain values and put them into the
page as text and attributes, never as markup; what they send back is checked where it is used.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

_FOLDER = Path(__file__).parent


#: How a script takes names from another one that lies beside it.
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+\.js)";$', re.MULTILINE)


@cache
def _source(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


@cache
def _script(name: str) -> str:
    """The script after what it imports, each once: the browser gets one module a component, from no
    address that another could be beside."""
    parts: dict[str, str] = {}

    def take(name: str) -> None:
        if name in parts:
            return
        source = _source(name)
        for match in _IMPORT.finditer(source):
            take(match[1])
        parts[name] = _IMPORT.sub("", source)

    take(name)
    *imported, own = parts.values()
    return "\n".join([*(re.sub(r"^export ", "", text, flags=re.M) for text in imported), own])


@cache
def _styles(name: str) -> str:
    """The style sheet of a component, and those of its parts, which are called after it."""
    parts = sorted(path.name for path in _FOLDER.glob(f"{name}_*.css"))
    return "\n".join(map(_source, [f"{name}.css", *parts]))


def component(name: str) -> ComponentRenderer:
    """The component of that name, ready to be mounted. It is a part of the page and not of a
    shadow tree, so that one style sheet serves all and assistive tools see all."""
    return st.components.v2.component(
        f"fitting_room_{name}",
        html=f'<div class="fr-{name}"></div>',
        css=_styles(name),
        js=_script(f"{name}.js"),
        isolate_styles=False,
    )


def sent(key: str, event: str) -> Any:
    """What the component of that key sent, within its callback: any value that JSON knows, from a
    browser that may be anybody's. ``None`` too where the component was gone from the page before
    its message came."""
    state = st.session_state.get(key)
    return None if state is None else state.get(event)
