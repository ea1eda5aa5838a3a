"""Old names that go on working, and say once what they are called now."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

#: Keys of printed JSON by their new name: both stand there, since scripts may read the old one.
OLD_JSON_KEYS: Mapping[str, str] = {"plain_background": "studio"}

_told: set[str] = set()


def warn_renamed(old: str, new: str) -> None:
    """Warn that ``old`` is called ``new`` now, the first time that it is used in this process."""
    if old not in _told:
        _told.add(old)
        warnings.warn(f"{old} is called {new} now.", DeprecationWarning, stacklevel=3)


def with_old_keys(values: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` with what has a new key under its old one too."""
    old = {OLD_JSON_KEYS[key]: value for key, value in values.items() if key in OLD_JSON_KEYS}
    return {**values, **old}
