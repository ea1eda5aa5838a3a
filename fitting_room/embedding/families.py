"""Networks that a library has by name, thousands of them, none of which needs an entry here:
``timm:NAME`` and ``open_clip:NAME``."""

from __future__ import annotations

import re
from typing import Any

from fitting_room.embedding.backbone import Backbone
from fitting_room.embedding.descriptions import NetworkDescription, described
from fitting_room.embedding.open_clip_networks import OpenClipNetwork
from fitting_room.embedding.timm_networks import TimmNetwork
from fitting_room.embedding.weights import WeightsSource
from fitting_room.util.progress import Listener

_FAMILIES: dict[str, type[TimmNetwork] | type[OpenClipNetwork]] = {
    "timm": TimmNetwork,
    "open_clip": OpenClipNetwork,
}
#: What such names look like, for messages.
FORMS = tuple(f"{family}:NAME" for family in _FAMILIES)
LONGEST_NAME = 200
#: A library's name of a network, with a tag after a point or a stroke, or a hub's repository.
_NAME = re.compile(r"(?:hf-hub:[\w-][\w.-]*/[\w-][\w.-]*|[\w-][\w.-]*(?:/[\w-][\w.-]*)?)", re.ASCII)


def is_of_library(name: str) -> bool:
    """Whether a name may be that of a library's network, whether or not it has it."""
    family, _, rest = name.partition(":")
    sound = len(name) <= LONGEST_NAME and _NAME.fullmatch(rest) is not None
    return family in _FAMILIES and sound


def reads_words(name: str) -> bool:
    """Whether the network of that name embeds words too."""
    return is_of_library(name) and _network(name).reads_words


def weights_of(name: str) -> WeightsSource:
    """Where the weights of the network of that name (:func:`is_of_library`) come from, without
    asking what it wants."""
    return _network(name).weights


def library_backbone(name: str, timeout: float, listener: Listener) -> Backbone:
    """The network of that name (:func:`is_of_library`), as its library describes it. Raises
    :class:`BackboneError` where the library is not installed or does not have it, and its kind
    ``WeightsUnavailable`` where its description cannot be had."""
    return _backbone(name, _network(name).describe(timeout, listener))


def remembered_backbone(name: str, preprocessing: Any) -> Backbone:
    """The network of that name as the index that it made describes it: its library need not be
    installed. Raises :class:`BackboneError` for values that cannot be."""
    values = preprocessing if isinstance(preprocessing, dict) else {}
    keys = ("input_size", "mean", "std", "dimension")
    return _backbone(name, described(name, *map(values.get, keys)))


def _network(name: str) -> TimmNetwork | OpenClipNetwork:
    family, _, rest = name.partition(":")
    return _FAMILIES[family](rest)


def _backbone(name: str, description: NetworkDescription) -> Backbone:
    network = _network(name)
    return Backbone(
        name=name,
        title=name,
        dimension=description.dimension,
        input_size=description.input_size,
        mean=description.mean,
        std=description.std,
        weights=(network.weights,),
        library=network,
    )
