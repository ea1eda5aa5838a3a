"""Every network of timm, by its name: ``timm:resnet18``, ``timm:vit_small_patch14_dinov2.lvd142m``,
``timm:hf-hub:OWNER/NAME``. What it wants of a picture is timm's own configuration."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitting_room.embedding.descriptions import (
    LibraryWeights,
    NetworkDescription,
    check_config,
    described,
    dimension_of,
    in_255,
    quiet,
    sketched,
    unknown,
    without_labels,
)
from fitting_room.embedding.hub import HubFile
from fitting_room.embedding.weights import (
    BackboneError,
    DownloadedWeights,
    WeightsUnavailable,
    digits_in_name,
    read_state_dict,
    require_torch,
)
from fitting_room.util.progress import Listener, ignore

if TYPE_CHECKING:
    import torch

HUB = "hf-hub:"
#: What timm's published weights are called where they have no other name.
PUBLISHED = "published"
#: The names of a network's weights on a hub; safe ones first.
HUB_FILES = ("model.safetensors", "pytorch_model.bin")
#: Where a configuration says that weights lie, which is not followed: they are read here.
_PLACES = ("url", "file", "state_dict", "hf_hub_id", "hf_hub_filename", "source", "custom_load")


@dataclass(frozen=True, slots=True)
class TimmNetwork:
    """A network of timm, by timm's own name of it."""

    name: str
    reads_words: bool = False

    @property
    def weights(self) -> LibraryWeights:
        """What timm publishes for it, in the cache that timm shares with other programs."""
        name = self.name.removeprefix(HUB) if self.name.startswith(HUB) else PUBLISHED
        return LibraryWeights(name, self._place)

    def describe(self, timeout: float, listener: Listener) -> NetworkDescription:
        """What timm says of it. Raises :class:`BackboneError`."""
        from timm.data.config import resolve_data_config

        # The description of a hub's network is brought here first.
        made = partial(self._make, timeout=timeout, listener=listener)
        network = sketched(self.name, made)
        data: dict[str, Any] = resolve_data_config(  # type: ignore[no-untyped-call]
            {}, pretrained_cfg=network.pretrained_cfg
        )
        size = list(data["input_size"])[1:]
        description = described(self.name, size, in_255(data["mean"]), in_255(data["std"]), 1)
        dimension = dimension_of(self.name, network, description.input_size)
        return described(self.name, size, description.mean, description.std, dimension)

    def check_size(self, size: tuple[int, int]) -> None:
        """See :class:`fitting_room.embedding.backbone.LibraryNetwork`."""
        dimension_of(f"timm:{self.name}", sketched(self.name, lambda: self._make(size)), size)

    def load(self, path: Path, size: tuple[int, int]) -> torch.nn.Module:
        """See :class:`fitting_room.embedding.backbone.LibraryNetwork`."""
        state = read_state_dict(path)
        network = self._make(size)
        own = network.state_dict()
        if set(own) <= set(state) and all(own[k].shape == state[k].shape for k in own):
            network.load_state_dict({key: state[key] for key in own})
            return network
        try:  # as timm itself adapts what is published, and nothing may be lacking
            return self._make(size, state=dict(state), num_classes=0)
        except RuntimeError as error:
            if "Missing key" in str(error) or "size mismatch" in str(error):
                raise
        # What is left over is the classifier, of which timm knows the name.
        return self._make(size, state=state)

    def _make(
        self,
        size: tuple[int, int] | None = None,
        *,
        state: dict[str, Any] | None = None,
        num_classes: int | None = None,
        timeout: float = 0.0,
        listener: Listener = ignore,
    ) -> torch.nn.Module:
        """The network without its classifier: with random weights, or with those of ``state``.
        ``num_classes`` is how many ``state`` is taken to have, where that is not what timm says;
        with 0 timm refuses a state in which something is lacking or left over."""
        import timm

        architecture, config, arguments = self._named(timeout, listener)
        overlay: dict[str, Any] = dict.fromkeys(_PLACES) | {"custom_load": False}
        if state is not None:
            overlay["state_dict"] = state
        if num_classes is not None:
            overlay["num_classes"] = num_classes
        if size is not None and size != tuple(config.input_size[1:]) and config.fixed_input_size:
            arguments = arguments | {"img_size": size}
        with quiet("timm.models"):  # it warns of the classifier that is left out
            network: torch.nn.Module = timm.create_model(
                architecture,
                pretrained=state is not None,
                pretrained_cfg=config.to_dict(remove_source=True),
                pretrained_cfg_overlay=overlay,
                **(arguments | {"num_classes": 0}),
            )
        return network

    def _named(self, timeout: float, listener: Listener) -> tuple[str, Any, dict[str, Any]]:
        """The architecture, timm's ``PretrainedCfg`` and the arguments that make the network.
        Raises :class:`BackboneError` for a name that timm does not know."""
        require_torch()
        import timm
        from timm.models import PretrainedCfg

        if self.name.startswith(HUB):
            path, content = HubFile(self.name.removeprefix(HUB), ("config.json",)).config(
                timeout, listener
            )
            content = without_labels(content)
            check_config(path, content)
            return _of_hub(path, content)
        architecture, _, tag = self.name.partition(".")
        try:
            config = timm.get_pretrained_cfg(self.name) if timm.is_model(architecture) else None
        except RuntimeError as error:  # there is no such tag
            raise unknown("timm", self.name, _names(architecture)) from error
        if config is None and (tag or not timm.is_model(architecture)):
            raise unknown("timm", self.name, _names(architecture))
        return architecture, config or PretrainedCfg(), {}

    def _place(self) -> HubFile | DownloadedWeights:
        """Where timm has the weights. Raises :class:`WeightsUnavailable` where it has none."""
        if self.name.startswith(HUB):
            return HubFile(self.name.removeprefix(HUB), HUB_FILES)
        _, config, _ = self._named(0.0, ignore)
        if repository := config.hf_hub_id:
            name = config.hf_hub_filename
            files = HUB_FILES if not name else (Path(name).stem + ".safetensors", name)
            return HubFile(repository, tuple(dict.fromkeys(files)))
        if not isinstance(config.url, str) or not config.url:
            raise WeightsUnavailable(
                f"timm has no weights of {self.name}. Name a file with --weights."
            )
        return DownloadedWeights(PUBLISHED, digits_in_name(config.url), lambda: config.url)


def _names(architecture: str) -> list[str]:
    """What a name may have been meant for: the published ones of an architecture, or all
    architectures."""
    import timm

    if timm.is_model(architecture):
        return list(timm.list_pretrained(f"{architecture}.*"))
    return list(timm.list_models())


def _of_hub(path: Path, content: dict[str, Any]) -> tuple[str, Any, dict[str, Any]]:
    """The same of a hub's description, which has two forms. Raises :class:`BackboneError`."""
    import timm
    from timm.models import PretrainedCfg

    architecture = content.get("architecture")
    config, arguments = content.get("pretrained_cfg", content), content.get("model_args", {})
    if not isinstance(architecture, str) or not timm.is_model(architecture):
        raise BackboneError(f"{path}: {architecture!r:.60} is no architecture of timm.")
    if not isinstance(config, dict) or not isinstance(arguments, dict):
        raise BackboneError(f"{path}: not a description of a network of timm.")
    known = set(PretrainedCfg.__dataclass_fields__) - set(_PLACES)
    values = {key: value for key, value in config.items() if key in known}
    size = values.get("input_size", [3, 224, 224])
    if not isinstance(size, list | tuple) or len(size) != 3 or size[0] != 3:
        raise BackboneError(f"{path}: an input of {size!r:.60} is not that of colour pictures.")
    if "num_classes" in content and "pretrained_cfg" in content:
        values["num_classes"] = content["num_classes"]
    left_out = ("pretrained", "num_classes", "in_chans")
    kept = {key: value for key, value in arguments.items() if key not in left_out}
    return architecture, PretrainedCfg(**(values | {"input_size": tuple(size)})), kept
