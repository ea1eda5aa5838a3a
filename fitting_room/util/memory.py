"""Memory that is given back to the system once it is free."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress

#: What ``mallopt`` of the GNU C library calls the bytes from which on a block is the system's own,
#: and the number of places that blocks are taken from (``malloc.h``).
_MMAP_THRESHOLD, _ARENA_MAX = -3, -8
#: Pictures and arrays are above this, what Python makes of objects is not.
LARGE = 2**20


def give_back_at_once() -> None:
    """Have large blocks go back to the system when they are freed, from now on.

    The GNU C library keeps blocks as large as the largest that was ever freed, in a place of its
    own for nearly each thread: with a thread for each run of the page a server grew by a fifth in
    three minutes. Of another C library nothing is asked, nor where the environment says something
    else.
    """
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        for variable, option, value in (
            ("MALLOC_MMAP_THRESHOLD_", _MMAP_THRESHOLD, LARGE),
            ("MALLOC_ARENA_MAX", _ARENA_MAX, 2),
        ):
            if variable not in os.environ:
                mallopt(option, value)
