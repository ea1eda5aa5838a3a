"""States of a container that keeps its place on the page."""

from __future__ import annotations

import streamlit as st


def mark(state: str) -> None:
    """Name the state of a container that is the same in all of them. The style sheet arranges it: a
    container by another name would be another one to the browser, and all in it would go and come
    back."""
    st.html(f'<span class="fr-mark fr-is-{state}"></span>', width="content")
