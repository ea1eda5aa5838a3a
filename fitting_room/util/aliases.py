"""Old names that go on working, and say once what they are called now."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

#: Old names by kind, each with its new one. Printed JSON has both, since scripts may read the old.
OLD_CLASSES = {"Ranking": "SimilarityOptions"}
OLD_KEYWORDS = {
    "ranking": "options",
    "likes": "positives",
    "less": "negatives",
    "studio": "plain_background",
}
OLD_JSON_KEYS = {"studio": "plain_background", "appearance": "descriptors"}
#: Files of an index of format 3, in its folder itself, that have other names now, and the ending of
#: a checkpoint's folder.
OLD_FILES = frozenset(
    {
        "appearances.npy", "sketch.npz", "neighbours.faiss", "trained-sketch.npz", "trained.faiss",
    }
)  # fmt: skip
OLD_CHECKPOINT = "journal"

P = ParamSpec("P")
R = TypeVar("R")
_warned: set[str] = set()


def warn_renamed(old: str, new: str) -> None:
    """Warn that ``old`` is called ``new`` now, the first time that it is used in this process."""
    if old not in _warned:
        _warned.add(old)
        warnings.warn(f"{old} is called {new} now.", DeprecationWarning, stacklevel=3)


def old_keywords(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function take its arguments under their old names too."""

    @wraps(function)
    def renamed(*args: P.args, **kwargs: P.kwargs) -> R:
        for old in kwargs.keys() & OLD_KEYWORDS.keys():
            warn_renamed(old, OLD_KEYWORDS[old])
            kwargs[OLD_KEYWORDS[old]] = kwargs.pop(old)
        return function(*args, **kwargs)

    return renamed


def old_attribute(old: str, new: str) -> property:
    """An attribute's old name."""

    def get(self: Any) -> Any:
        warn_renamed(old, new)
        return getattr(self, new)

    return property(get)


def with_new_keys(values: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` with new keys in place of old ones."""
    return {OLD_JSON_KEYS.get(key, key): value for key, value in values.items()}


def with_old_keys(values: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` with what has a new key under its old one too."""
    return {**values, **{old: values[new] for old, new in OLD_JSON_KEYS.items() if new in values}}
