"""Files that visitors save: they have an address for some seconds, and no longer.

Streamlit makes such a file when its button is used, and lets go of it when two pages were drawn,
whoever's: among many visitors before the browser has asked for it, and of the last visitor never.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import count
from typing import Any

#: Seconds that a file is there for certain, and between two looks for those that nobody refers to.
#: Streamlit removes such a file at the second look.
KEPT, LOOK = 15.0, 5.0


class Saved:
    """The saved files of one server. Safe to use from any thread.

    A file is held by a place on a page that nobody sees, and let go when another file, an empty
    one, takes that place. Places are used again.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._taken: dict[str, float] = {}
        self._free: list[str] = []
        self._numbers = count()
        self._looked = clock()
        self._lock = threading.Lock()

    def keep(self, files: Any, data: bytes, kind: str, name: str) -> None:
        """Hold a file of that media type and name in ``files``, Streamlit's manager of them."""
        with self._lock:
            place = self._free.pop() if self._free else f"fr-saved-{next(self._numbers)}"
            self._taken[place] = self._clock()
        files.add(data, kind, place, file_name=name, is_for_static_download=True)

    def tidy(self, files: Any) -> None:
        """Let go of files that were there long enough."""
        now = self._clock()
        with self._lock:
            old = [place for place, since in self._taken.items() if now - since >= KEPT]
        for place in old:
            files.add(b"", "text/plain", place)
            with self._lock:
                del self._taken[place]
                self._free.append(place)
        if now - self._looked >= LOOK:
            self._looked = now
            files.remove_orphaned_files()


#: Of this process, which serves one page.
SAVED = Saved()
