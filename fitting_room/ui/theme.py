"""The page's style sheet and its head."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import streamlit as st

from fitting_room.ui import navigation


@cache
def _css() -> str:
    return (Path(__file__).parent / "theme.css").read_text(encoding="utf-8")


def apply() -> None:
    """Put the style sheet into the page."""
    theme = "dark" if st.context.theme.type == "dark" else "light"
    options = {"accent": "primaryColor", "text": "textColor", "ground": "backgroundColor"}
    colours = {name: st.get_option(f"theme.{theme}.{option}") for name, option in options.items()}
    variables = "".join(f"--fr-{name}: {value};" for name, value in colours.items() if value)
    st.html(f"<style>{_css()}\n:root {{ {variables} }}</style>")


def masthead() -> None:
    """The page's name, what it does in one sentence, and links to the other pages."""
    with st.container(
        horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute",
        key="fr-head",
    ):  # fmt: skip
        st.html(
            '<header class="fr-masthead"><h1>Fitting Room</h1>'
            "<p>Show a picture of a garment. See what looks most like it.</p></header>",
            width="content",
        )
        navigation.links()
