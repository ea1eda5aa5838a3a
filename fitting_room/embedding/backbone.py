"""A pretrained network as it is described: its architecture, weights, preprocessing, dimension."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from fitting_room.embedding import networks
from fitting_room.embedding.weights import (
    BackboneError,
    WeightsFile,
    WeightsSource,
    read_state_dict,
    require_torch,
    verify_weights,
)
from fitting_room.imaging.preprocess import SMALLEST_CUT
from fitting_room.util.identities import IN_8_BITS

if TYPE_CHECKING:
    import torch

#: The shorter side, in pixels, that every picture keeps while it is opened, however small a
#: network's input is: descriptors are computed at this height.
LEAST_WORKING_SIDE = 80

#: The least and the most pixels of either side of a network's input.
SMALLEST_SIDE, LARGEST_SIDE = 32, 1024


def is_published_as(source: WeightsSource, name: str, sha256: str) -> bool:
    """Whether weights of that name and sha256 may come from there. Where nobody publishes a digest
    the name decides, and the digest is compared when the file is read."""
    return sha256.startswith(source.sha256) and (bool(source.sha256) or source.name == name)


class LibraryNetwork(Protocol):
    """A network that a library makes and loads by itself, of which an index can be searched where
    the library is not installed and the network was converted."""

    @property
    def reads_words(self) -> bool:
        """Whether it embeds words, in the same space as pictures."""

    def load(self, path: Path, size: tuple[int, int]) -> torch.nn.Module:
        """The network for pictures of ``size`` (height, width), float32 ``(N, 3, H, W)`` ->
        ``(N, D)``, with the weights of a file. Raises :class:`BackboneError` where they do not
        fit."""

    def check_size(self, size: tuple[int, int]) -> None:
        """Raise :class:`BackboneError` where the library cannot make it for pictures of another
        ``size`` (height, width)."""


@dataclass(frozen=True, slots=True)
class Backbone:
    """A pretrained network that turns a picture into an embedding.

    ``input_size`` is (height, width) in pixels; pixel values 0 to 255 become
    ``(value - mean) / std`` by channel; ``dimension`` is the length of an embedding.
    ``architecture`` makes the network without its classifier and with random weights, and
    ``adapt`` turns a published state dict into that network's own; a network of a ``library`` is
    made and loaded by that instead.
    """

    name: str
    title: str
    dimension: int
    input_size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    weights: tuple[WeightsSource, ...]
    architecture: Callable[[], torch.nn.Module] | None = None
    adapt: Callable[[networks.State, torch.nn.Module], networks.State] = networks.as_it_is
    library: LibraryNetwork | None = None

    @property
    def reads_words(self) -> bool:
        """Whether the network embeds words too, in the same space as pictures."""
        return self.library is not None and self.library.reads_words

    @property
    def working_side(self) -> int:
        """The shorter side, in pixels, below which a picture is never reduced while it is opened
        (:func:`fitting_room.imaging.decode.open_image`): what the smallest cut of it needs to fill
        the input. Catalogue and query must share it, since it leaves a trace in an embedding."""
        return max(LEAST_WORKING_SIDE, math.ceil(min(self.input_size) / SMALLEST_CUT))

    @property
    def preprocessing(self) -> dict[str, Any]:
        """All that an embedding depends on between a picture and the network's input, as plain
        values for a manifest; of a library's network also the dimension, so that it is known
        where the library is not installed."""
        values: dict[str, Any] = {
            "input_size": list(self.input_size),
            "reduced_to": self.working_side,
            "resize": "trimmed-pad-white-bicubic",
            "mean": [round(v, 4) for v in self.mean],
            "std": [round(v, 4) for v in self.std],
        }
        return values if self.library is None else values | {"dimension": self.dimension}

    def with_input_size(self, size: tuple[int, int]) -> Backbone:
        """This network for an input of another size, (height, width) in pixels. Raises
        :class:`BackboneError` unless both are whole numbers from 32 to 1024 that the network can
        take."""
        # The size of an index comes from its manifest, where anything may stand.
        sound = isinstance(size, tuple | list) and len(size) == 2
        if not sound or not all(
            type(side) is int and SMALLEST_SIDE <= side <= LARGEST_SIDE for side in size
        ):
            raise BackboneError(
                f"The input size of {self.name} cannot be {size!r:.60}: height and width are "
                f"expected, whole numbers from {SMALLEST_SIDE} to {LARGEST_SIDE}."
            )
        height, width = size
        if self.library is not None and (height, width) != self.input_size:
            self.library.check_size((height, width))
        return replace(self, input_size=(height, width))

    def module(self, weights: WeightsFile) -> torch.nn.Module:
        """The network with ``weights``, in eval mode: uint8 ``(N, H, W, 3)`` -> float32
        ``(N, dimension)``; normalisation is its first step.

        Raises :class:`BackboneError` when the file is not there, is not the one whose sha256
        ``weights`` states, or does not fit the network, or torch is not installed.
        """
        require_torch()
        path = self.find(weights)
        remedies = [
            s.remedy for s in self.weights if is_published_as(s, weights.name, weights.sha256)
        ]
        verify_weights(path, weights.sha256, *remedies[:1])
        try:
            network = self._loaded(path)
        except (
            RuntimeError, KeyError, AttributeError, TypeError, ValueError, AssertionError,
            IndexError,
        ) as error:  # fmt: skip
            raise BackboneError(
                f"{path}: these are not weights for {self.name} ({str(error)[:300]})."
            ) from error
        return networks.with_normalisation(network, self.mean, self.std).eval()

    def _loaded(self, path: Path) -> torch.nn.Module:
        if self.library is not None:
            return self.library.load(path, self.input_size)
        if self.architecture is None:
            raise BackboneError(f"{self.name} has no architecture.")
        network = self.architecture()
        network.load_state_dict(self.adapt(read_state_dict(path), network))
        return network

    def find(self, weights: WeightsFile) -> Path:
        """Where weights lie on this machine. Raises :class:`BackboneError` where they do not."""
        if weights.path is not None:
            return weights.path
        for source in self.weights:
            published = is_published_as(source, weights.name, weights.sha256)
            if published and (path := source.find()) is not None:
                return path
        raise BackboneError(
            f"The weights {weights.name} of {self.name} are not on this machine. Build once with "
            f"--backbone {self.name} where they can be downloaded, or name the file with --weights."
        )


@dataclass(frozen=True, slots=True)
class Selection:
    """A network and its weights. ``why`` says in a sentence why they were chosen; ``advice`` says
    how to get the default network where another had to be taken. ``quantised`` is the file that
    holds it in 8 bits (:mod:`fitting_room.embedding.quantised`), where that is what sees."""

    backbone: Backbone
    weights: WeightsFile
    why: str
    advice: str | None = None
    quantised: WeightsFile | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """What an index must share with a query: network, weights and preprocessing, and of a
        network in 8 bits which one of that weights."""
        of_8_bits = {} if self.quantised is None else {IN_8_BITS: self.quantised.sha256}
        return of_8_bits | {
            "backbone": self.backbone.name,
            "weights": self.weights.name,
            "weights_sha256": self.weights.sha256,
            "preprocessing": self.backbone.preprocessing,
        }
