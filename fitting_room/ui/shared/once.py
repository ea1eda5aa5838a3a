"""What is worked out once for all visitors and shown with its progress. Streamlit's own cache
cannot hold it: it would record the progress bar as a part of the result."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

import streamlit as st

from fitting_room.util.progress import Listener, Progress

T = TypeVar("T")

#: Results that are kept.
KEPT = 4


class _Once:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.results: OrderedDict[tuple[str, str], Any] = OrderedDict()


@st.cache_resource(show_spinner=False)
def _once() -> _Once:
    return _Once()


def work_out(name: str, build: str, make: Callable[[Listener], T], text: str) -> T:
    """What ``make`` answers for the index of that ``build``, made by the first visitor who asks.
    Meanwhile a bar with ``text`` is shown; others who ask wait."""
    once = _once()
    key = (name, build)
    if key not in once.results:
        bar = st.progress(0.0, text)

        def listen(progress: Progress) -> None:
            bar.progress(progress.fraction, text)

        try:
            with once.lock:
                if key not in once.results:
                    once.results[key] = make(listen)
                    while len(once.results) > KEPT:
                        once.results.popitem(last=False)
        finally:
            bar.empty()
    found: T = once.results[key]
    return found
