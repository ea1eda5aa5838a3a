"""Files of a model hub, in the cache that the hub's own library keeps and other programs share."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

from fitting_room.embedding.weights import (
    BackboneError,
    Signs,
    WeightsUnavailable,
    await_signs,
    missing_module,
)
from fitting_room.util.progress import Listener, Stage

#: The most bytes of a network's description on a hub.
MAX_CONFIG_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a hub's repository ("timm/resnet18.a1_in1k"), by the first of ``files`` that is
    there."""

    repository: str
    files: tuple[str, ...]

    def file_name(self) -> str:
        """The name that the file is published by."""
        return self.files[0]

    def find(self) -> Path | None:
        """The file in the hub's cache, or ``None``."""
        hub = _hub()
        for name in self.files:
            found = hub.try_to_load_from_cache(self.repository, name)
            if isinstance(found, str) and Path(found).is_file():
                return Path(found)
        return None

    def download(self, timeout: float, listener: Listener) -> Path:
        """Bring the file into the hub's cache, or raise :class:`WeightsUnavailable`. Without time,
        nothing is asked of anybody."""
        hub = _hub()
        signs: Signs = Queue()
        arguments = (self, timeout, signs)
        try:
            if timeout <= 0:
                raise WeightsUnavailable(f"{self.repository}: {self.files[0]} is not here.")
            threading.Thread(target=_fetch, args=arguments, name="hub", daemon=True).start()
            await_signs(signs, f"{self.repository}/{self.files[0]}", timeout, listener)
            path = self.find()
            if path is None:
                raise WeightsUnavailable(f"{self.repository}: none of {', '.join(self.files)}.")
        except WeightsUnavailable as error:
            folder = Path(hub.constants.HF_HUB_CACHE) / (
                "models--" + self.repository.replace("/", "--")
            )
            raise WeightsUnavailable(
                f"{error} To use it all the same, run `hf download {self.repository}` where there "
                f"is a connection and copy the folder to {folder}; or download "
                f"{hub.hf_hub_url(self.repository, self.files[0])} with any browser and name the "
                "file with --weights."
            ) from error
        return path

    def config(self, timeout: float, listener: Listener) -> tuple[Path, dict[str, Any]]:
        """The file's path and what it says, a JSON object; downloaded unless it is here. Raises
        :class:`BackboneError`, and its kind :class:`WeightsUnavailable` where it cannot be had."""
        path = self.find() or self.download(timeout, listener)
        try:
            if path.stat().st_size > MAX_CONFIG_BYTES:
                raise BackboneError(f"{path}: larger than {MAX_CONFIG_BYTES:,} bytes.")
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise BackboneError(f"{path}: cannot be read as JSON ({str(error)[:100]}).") from error
        if not isinstance(content, dict):
            raise BackboneError(f"{path}: a JSON object is expected.")
        return path, content


def _fetch(file: HubFile, timeout: float, signs: Signs) -> None:
    """Bring a file into the cache. ``signs`` gets the progress and, last, ``None`` or the error."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        for name in file.files:
            try:
                hf_hub_download(
                    file.repository, name, etag_timeout=timeout, tqdm_class=_bar_of(signs)
                )
            except LocalEntryNotFoundError:  # there is no connection
                raise
            except EntryNotFoundError:
                continue
            break
        signs.put(None)
    except Exception as error:  # whatever a connection can fail with: it is told to who waits
        signs.put(error)


def _bar_of(signs: Signs) -> Any:
    """A progress bar that draws nothing and gives a sign for each piece of a download."""
    from tqdm import tqdm

    class Bar(tqdm):  # type: ignore[type-arg]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            options.pop("name", None)
            super().__init__(*arguments, **(options | {"disable": True}))
            self._stage = Stage("Downloading weights", int(self.total or 0), "B", signs.put)

        def update(self, n: float | None = 1) -> None:
            self._stage.total = int(self.total or 0)
            self._stage.advance(int(n or 0))

    return Bar


def _hub() -> Any:
    if missing_module("huggingface_hub"):
        raise BackboneError(
            "Networks of a hub need huggingface_hub: pip install 'fitting-room[build]'."
        )
    import huggingface_hub
    import huggingface_hub.constants

    return huggingface_hub
