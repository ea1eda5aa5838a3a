"""Results that are computed once for all visitors, behind a progress bar. Streamlit's own cache
cannot hold them: it would record the bar as a part of the result."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

import streamlit as st

from fitting_room.util.progress import Listener, Progress

K = TypeVar("K")
T = TypeVar("T")

#: Results that are kept.
KEPT = 4
_results: OrderedDict[tuple[str, str], Any] = OrderedDict()
_lock = threading.Lock()


def compute(name: str, build: str, make: Callable[[Listener], T], text: str) -> T:
    """The result of ``make`` for the index of that ``build``, computed for the first visitor who
    needs it. Meanwhile a bar with ``text`` is shown; others wait."""
    key = (name, build)
    if key not in _results:
        bar = st.progress(0.0, text)

        def listen(progress: Progress) -> None:
            bar.progress(progress.fraction, text)

        try:
            with _lock:
                if key not in _results:
                    keep(_results, key, make(listen), KEPT)
        finally:
            bar.empty()
    result: T = _results[key]
    return result


def keep(store: OrderedDict[K, T], key: K, value: T, most: int) -> T:
    """Keep a value as the newest of ``most``."""
    store[key] = value
    store.move_to_end(key)
    while len(store) > most:
        store.popitem(last=False)
    return value
