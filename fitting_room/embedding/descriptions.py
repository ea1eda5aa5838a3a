"""What a library says of one of its networks, checked: anybody may have written a hub's."""

from __future__ import annotations

import difflib
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fitting_room.embedding.backbone import LARGEST_SIDE, SMALLEST_SIDE
from fitting_room.embedding.hub import HubFile
from fitting_room.embedding.weights import BackboneError, DownloadedWeights, WeightsUnavailable
from fitting_room.util.progress import Listener

if TYPE_CHECKING:
    from pathlib import Path

    import torch

MAX_DIMENSION = 65_536
#: Weights of so many numbers are read (:data:`fitting_room.embedding.weights.MAX_WEIGHTS_BYTES`).
MAX_PARAMETERS = 4 * 10**9
#: What stands in a hub's description of a network: the greatest number, the most layers, and how
#: deep and long it is.
MAX_NUMBER, MAX_LAYERS, MAX_DEPTH, MAX_VALUES = 2_000_000, 256, 8, 2_000
#: What no description may ask for: code of its own, or files of this machine.
FORBIDDEN = ("remote_code", "auto_map", "cache_dir", "checkpoint_path", "_path", "code_revision")
#: Near names that an error proposes.
PROPOSED = 5
_quiet = threading.Lock()


@dataclass(frozen=True, slots=True)
class NetworkDescription:
    """What is asked of a network before it is made: (height, width) of its input in pixels,
    channel means and standard deviations in units of 0 to 255, and the length of an embedding."""

    input_size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    dimension: int


def described(name: str, size: Any, mean: Any, std: Any, dimension: Any) -> NetworkDescription:
    """A description whose values are possible. ``mean`` and ``std`` are in units of 0 to 255.
    Raises :class:`BackboneError` for others."""
    sides = _numbers(size, 2)
    if sides is None or not all(
        side == int(side) and SMALLEST_SIDE <= side <= LARGEST_SIDE for side in sides
    ):
        raise BackboneError(
            f"{name}: an input of {size!r:.60} pixels cannot be; height and width are expected, "
            f"whole numbers from {SMALLEST_SIDE} to {LARGEST_SIDE}."
        )
    means, deviations = _numbers(mean, 3), _numbers(std, 3)
    if means is None or deviations is None or min(deviations) <= 0 or max(map(abs, means)) > 1e4:
        raise BackboneError(
            f"{name}: a mean of {mean!r:.60} and a standard deviation of {std!r:.60} cannot be; "
            "three finite numbers each are expected, one for each colour."
        )
    if type(dimension) is not int or not 0 < dimension <= MAX_DIMENSION:
        raise BackboneError(
            f"{name}: embeddings of {dimension!r:.60} numbers cannot be; 1 to {MAX_DIMENSION:,} "
            "are expected."
        )
    # Rounded as a manifest has them, so that the network is the same when it is made again.
    red, green, blue = (round(value, 4) for value in means)
    of_red, of_green, of_blue = (max(round(value, 4), 1e-4) for value in deviations)
    return NetworkDescription(
        (int(sides[0]), int(sides[1])), (red, green, blue), (of_red, of_green, of_blue), dimension
    )


def _numbers(values: Any, count: int) -> list[float] | None:
    """So many finite numbers, or ``None``."""
    if not isinstance(values, list | tuple) or len(values) != count:
        return None
    # Neither infinity nor what is no number is below a billion.
    if not all(type(value) in (int, float) and abs(value) < 1e9 for value in values):
        return None
    return [float(value) for value in values]


def in_255(values: Any) -> Any:
    """Numbers in units of 0 to 1 in those of 0 to 255; anything else as it is."""
    numbers = _numbers(values, 3)
    return values if numbers is None else [value * 255 for value in numbers]


def check_config(path: Path, config: Any) -> None:
    """Raise :class:`BackboneError` for a hub's description of a network that asks for code, for
    files of this machine, or for more than any network has."""
    left, values = [("", config, 0)], 0
    while left:
        key, value, depth = left.pop()
        values += 1
        if depth > MAX_DEPTH or values > MAX_VALUES:
            raise BackboneError(f"{path}: longer or deeper than any description of a network.")
        if any(word in key for word in FORBIDDEN):
            raise BackboneError(f"{path}: {key!r:.60} is not taken from a hub.")
        if isinstance(value, dict):
            left += [(str(name), of_name, depth + 1) for name, of_name in value.items()]
        elif isinstance(value, list):
            if len(value) > MAX_LAYERS:
                raise BackboneError(f"{path}: {key!r:.60} has {len(value):,} entries.")
            left += [(key, entry, depth + 1) for entry in value]
        elif isinstance(value, int | float) and not isinstance(value, bool):
            layers = key in ("depth", "depths", "layers")
            if not abs(value) <= (MAX_LAYERS if layers else MAX_NUMBER):
                raise BackboneError(f"{path}: {value!r:.30} for {key!r:.60} is too much.")


def without_labels(config: dict[str, Any]) -> dict[str, Any]:
    """A description without the names of a classifier's classes, which may be many thousands."""
    labels = ("label_names", "label_descriptions", "labels")
    return {
        key: without_labels(value) if isinstance(value, dict) else value
        for key, value in config.items()
        if key not in labels
    }


def sketched(name: str, make: Callable[[], torch.nn.Module]) -> torch.nn.Module:
    """A network without memory for its numbers, in eval mode, to ask it for shapes. Raises
    :class:`BackboneError` where it cannot be made or has too many."""
    import torch

    try:
        with torch.device("meta"):
            network = make().eval()
    except BackboneError:
        raise
    except Exception as error:  # whatever a library says to what it cannot make
        raise BackboneError(f"{name} cannot be made ({str(error)[:200]}).") from error
    if (count := sum(one.numel() for one in network.parameters())) > MAX_PARAMETERS:
        raise BackboneError(f"{name} has {count:,} numbers; {MAX_PARAMETERS:,} are read at most.")
    return network


def dimension_of(name: str, network: torch.nn.Module, size: tuple[int, int]) -> int:
    """The length of the embeddings of a sketched network for pictures of ``size``. Raises
    :class:`BackboneError` where it cannot take such or does not give embeddings."""
    import torch

    try:
        with torch.no_grad():
            answer = network(torch.zeros(2, 3, *size, device="meta"))
    except Exception as error:  # whatever layers say to a size that they were not made for
        raise BackboneError(
            f"{name} cannot take pictures of {size[0]} x {size[1]} ({str(error)[:200]})."
        ) from error
    if not isinstance(answer, torch.Tensor) or answer.ndim != 2 or len(answer) != 2:
        raise BackboneError(f"{name} does not turn a picture into one vector.")
    return int(answer.shape[1])


@contextmanager
def quiet(name: str) -> Iterator[None]:
    """Keep the logger of that name to errors. In turn: of two threads each would take the other's
    silence for the state to return to."""
    logger = logging.getLogger(name)
    with _quiet:
        level = logger.level
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)


def unknown(library: str, name: str, names: Iterable[str]) -> BackboneError:
    """The error for a name that a library does not have, with near ones."""
    known = list(names)
    folded = {one.casefold(): one for one in known}
    near = difflib.get_close_matches(name.casefold(), folded, n=PROPOSED, cutoff=0.5)
    proposed = ", ".join(f"{library}:{folded[one]}" for one in near)
    hint = f"Near names: {proposed}." if proposed else f"It has {len(known):,} others."
    return BackboneError(f"{library} has no network {name!r:.100}. {hint}")


@dataclass(frozen=True, slots=True)
class LibraryWeights:
    """The weights that a library publishes for one of its networks, in the library's own cache.
    Nobody states their sha256 beforehand."""

    name: str
    place: Callable[[], HubFile | DownloadedWeights]

    @property
    def sha256(self) -> str:
        return ""

    @property
    def remedy(self) -> str:
        """What to do about a file that is not the one that made an index."""
        return "Bring the file that made the index, or build it again."

    def file_name(self) -> str:
        """The name that the file is published by. Raises :class:`WeightsUnavailable`."""
        return self.place().file_name()

    def find(self) -> Path | None:
        """The file on this machine, or ``None``."""
        try:
            return self.place().find()
        except WeightsUnavailable:
            return None

    def download(self, timeout: float, listener: Listener) -> Path:
        """Bring the file here, or raise :class:`WeightsUnavailable`."""
        return self.place().download(timeout, listener)
