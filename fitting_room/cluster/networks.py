"""The networks of a build, as they are sent to other machines: what an index says of them, and
where OpenVINO runs them the converted files, so that neither torch nor weights are needed there."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fitting_room.embedding import converted
from fitting_room.embedding.backbones import select_again
from fitting_room.embedding.embedder import Embedder
from fitting_room.embedding.engine import make_engine
from fitting_room.embedding.openvino_engine import OpenVINOEngine
from fitting_room.settings import Settings
from fitting_room.util.files import work_folder, write_atomically
from fitting_room.util.identities import IN_8_BITS


@dataclass(frozen=True, slots=True)
class SentNetworks:
    """The network of an index and, where its head brings another, that one (``identities``), on
    which engine and with which ``settings``. ``folders`` holds what the cache of converted networks
    needs, by the name of the folder there: references to the bytes of its files by their names;
    ``files`` of networks in 8 bits the same by their sha256."""

    identities: tuple[Mapping[str, Any], ...]
    settings: Settings = field(repr=False)
    folders: Mapping[str, Any] = field(default_factory=dict, repr=False)
    files: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def load(self) -> Embedder:
        """The same networks on this machine. Raises ``BackboneError`` and ``EngineError`` where
        they cannot be had, ``OSError`` where the cache cannot be written."""
        for name, reference in self.folders.items():
            _put(self.settings.engines_folder / name, reference)
        first, *others = map(self._embedder, self.identities)
        for of_head in others:
            first.of_head = of_head
        return first

    def _embedder(self, identity: Mapping[str, Any]) -> Embedder:
        settings = self.settings
        # Its weights have the digest that the identity states, or are refused.
        quantised = None
        if (sha256 := identity.get(IN_8_BITS)) is not None:
            quantised = _put_file(settings.engines_folder, sha256, self.files[sha256])
        selection = select_again(identity, settings.weights, quantised=quantised)
        engine = make_engine(
            selection,
            kind=settings.engine,
            precision=settings.float_precision,
            cache=settings.engines_folder,
        )
        return Embedder(selection, engine)


def send(embedder: Embedder, settings: Settings) -> SentNetworks:
    """An embedder's networks for other machines; the bytes are put into Ray's store."""
    import ray

    networks = [one for one in (embedder, embedder.of_head) if one is not None]
    folders, quantised = {}, {}
    for network in networks:
        if (file := network.selection.quantised) is not None:
            quantised[file.sha256] = ray.put(Path(str(file.path)).read_bytes())
            continue
        folder = converted.folder_of(network.selection, settings.engines_folder)
        names = (converted.DESCRIPTION, *converted.FILES)
        if isinstance(network.engine, OpenVINOEngine) and folder.is_dir():
            files = {name: (folder / name).read_bytes() for name in names}
            folders[folder.name] = ray.put(files)
    identities = tuple(network.selection.identity for network in networks)
    # What is secret in the settings is of no use there.
    settings = replace(settings, api_tokens="", api_tokens_file=None)
    return SentNetworks(identities, settings, folders, quantised)


def _put_file(cache: Path, sha256: str, reference: Any) -> Path:
    """Have a network in 8 bits, unless it is there. It is compared with its checksum when it is
    read."""
    path = cache / f"int8-{sha256[:32]}.safetensors"
    if not path.is_file():
        import ray

        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, ray.get(reference))
    return path


def _put(folder: Path, reference: Any) -> None:
    """Have a folder of converted networks, unless it is there. It is compared with its own
    checksums when it is read."""
    if folder.is_dir():
        return
    import ray

    files = ray.get(reference)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with work_folder(folder.parent, ".new-") as work:
        new = work / "new"
        new.mkdir()
        for name, data in files.items():
            (new / name).write_bytes(data)
        with suppress(OSError):  # another worker of this machine was first
            new.rename(folder)
    if not folder.is_dir():
        raise OSError(f"{folder}: the converted network could not be put there.")
