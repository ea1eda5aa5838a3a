"""Words -> embeddings in the space of a network's pictures, where it has words."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from fitting_room.embedding.backbone import Backbone, Selection
from fitting_room.embedding.open_clip_networks import OpenClipNetwork
from fitting_room.embedding.weights import BackboneError, missing_module, verify_weights
from fitting_room.imaging.features import normalise

if TYPE_CHECKING:
    import torch

#: Texts at once, and the letters of one: a network reads some 77 tokens of it, the rest is cut off.
MOST_TEXTS, LONGEST_TEXT = 64, 1_000
#: Seconds in which files of a tokenizer must come from a hub.
TOKENIZER_SECONDS = 30.0
T = TypeVar("T")


class WordsNotUnderstood(ValueError):  # noqa: N818
    """The network has no words, or these are none that it can take; the text says what to do."""


def require_words(backbone: Backbone) -> OpenClipNetwork:
    """The network's own library, where it embeds words. Raises :class:`WordsNotUnderstood`."""
    if not isinstance(backbone.library, OpenClipNetwork):
        raise not_understood(backbone.title)
    return backbone.library


def not_understood(title: str) -> WordsNotUnderstood:
    """The error for a network of that title, which has no words."""
    return WordsNotUnderstood(
        f"{title} sees pictures alone. Words are understood by networks of open_clip: build the "
        "index again with one, such as --backbone open_clip:ViT-B-32/openai."
    )


def checked_texts(texts: Sequence[str]) -> list[str]:
    """The texts, if they are some that can be taken. Raises :class:`WordsNotUnderstood`."""
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        raise WordsNotUnderstood("A list of texts is expected.")
    if len(texts) > MOST_TEXTS:
        raise WordsNotUnderstood(f"{len(texts):,} texts are too many; {MOST_TEXTS} at most.")
    for text in texts:
        if len(text) > LONGEST_TEXT:
            raise WordsNotUnderstood(
                f"{len(text):,} letters are too many for one text; {LONGEST_TEXT:,} at most."
            )
        if not text.strip():
            raise WordsNotUnderstood("A text without words says nothing.")
    return list(texts)


class TextEncoder:
    """The half of a network that takes words, on the CPU, with weights of the same file as its
    pictures. Safe to share between threads."""

    def __init__(self, selection: Selection) -> None:
        """Raises :class:`WordsNotUnderstood` for a network without words, and
        :class:`BackboneError` where the library, the weights or a tokenizer cannot be had."""
        network = require_words(selection.backbone)
        if network.needs_transformers and missing_module("transformers"):
            raise BackboneError(
                f"The words of {selection.backbone.name} need transformers: "
                "pip install transformers sentencepiece"
            )
        path = selection.backbone.find(selection.weights)
        verify_weights(path, selection.weights.sha256)
        self._tokenize = _within(
            TOKENIZER_SECONDS, network.tokenizer, f"the tokenizer of {selection.backbone.name}"
        )
        self._network = network.load_whole(path)
        self._network.visual = _nothing()
        self._dimension = selection.backbone.dimension

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Unit rows, float32 ``(len(texts), D)``. Raises :class:`WordsNotUnderstood`."""
        import torch

        texts = checked_texts(texts)
        if not texts:
            return np.empty((0, self._dimension), np.float32)
        with torch.inference_mode():
            rows = self._network.encode_text(self._tokenize(texts), normalize=False)  # type: ignore[operator]
        return normalise(rows.float().numpy())


def _nothing() -> torch.nn.Module:
    """In the place of the tower of pictures, whose memory it frees."""
    import torch

    return torch.nn.Identity()


def _within(seconds: float, make: Callable[[], T], what: str) -> T:
    """What ``make`` gives. Raises :class:`BackboneError` where it fails or takes longer."""
    results: queue.Queue[Any] = queue.Queue()

    def run() -> None:
        try:
            results.put((make(), None))
        except Exception as error:  # whatever libraries say to files that are not there
            results.put((None, error))

    threading.Thread(target=run, name="tokenizer", daemon=True).start()
    try:
        made, error = results.get(timeout=seconds)
    except queue.Empty:
        raise BackboneError(f"{what}: no answer within {seconds:g} seconds.") from None
    if error is not None:
        raise BackboneError(
            f"{what}: its files are not on this machine and could not be downloaded "
            f"({str(error)[:200]})."
        ) from error
    result: T = made
    return result
