"""Every network of open_clip, by its name: ``open_clip:ViT-B-32``, with the tag of weights
``open_clip:ViT-B-32/laion2b_s34b_b79k``, or ``open_clip:hf-hub:OWNER/NAME``. What it wants of a
picture is open_clip's own configuration. It embeds pictures and words."""

from __future__ import annotations

from collections.abc import Callable
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
)
from fitting_room.embedding.hub import HubFile
from fitting_room.embedding.weights import (
    BackboneError,
    DownloadedWeights,
    WeightsUnavailable,
    missing_module,
    read_state_dict,
    require_torch,
)
from fitting_room.util.progress import Listener, ignore

if TYPE_CHECKING:
    import torch

HUB = "hf-hub:"
#: What pip is asked for to have these networks.
CLIP = "fitting-room[build,clip]"
#: The names of a network's description and of its weights on a hub; safe ones first.
HUB_CONFIG = "open_clip_config.json"
HUB_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
#: What a hub's description may say to a tokenizer: how texts are cleaned, and no more.
TOKENIZER_ARGUMENTS = frozenset({"clean", "strip_sep_token", "language"})


@dataclass(frozen=True, slots=True)
class OpenClipNetwork:
    """A network of open_clip, by open_clip's own name of it and, after a stroke, the tag of its
    weights."""

    name: str
    reads_words: bool = True

    @property
    def weights(self) -> LibraryWeights:
        """What is published for it, in the cache that open_clip shares with other programs."""
        return LibraryWeights(self._tag or self.name.removeprefix(HUB), self._place)

    def describe(self, timeout: float, listener: Listener) -> NetworkDescription:
        """What open_clip says of it. Raises :class:`BackboneError`."""
        model, pictures, _ = self._config(timeout, listener)
        size = model["vision_cfg"].get("image_size", 224)
        size = list(size) if isinstance(size, list | tuple) else [size, size]
        name = f"open_clip:{self.name}"
        mean, std = in_255(pictures.get("mean")), in_255(pictures.get("std"))
        description = described(name, size, mean, std, model.get("embed_dim"))
        if self._hub:  # anybody may have written it
            self.check_size(description.input_size)
        return description

    def check_size(self, size: tuple[int, int]) -> None:
        """See :class:`fitting_room.embedding.backbone.LibraryNetwork`."""
        name = f"open_clip:{self.name}"
        network = sketched(name, lambda: self.make(size))
        wanted = self._config(0.0, ignore)[0]["embed_dim"]
        if (dimension := dimension_of(name, picture_tower(network), size)) != wanted:
            raise BackboneError(f"{name}: {wanted} numbers are promised and {dimension} come.")

    def load(self, path: Path, size: tuple[int, int]) -> torch.nn.Module:
        """See :class:`fitting_room.embedding.backbone.LibraryNetwork`."""
        network = self.make(size)
        tower = picture_tower(network)
        state = read_state_dict(path)  # which refuses what cannot be read safely
        if not state:
            raise KeyError("the file holds no numbers")
        if set(state) == set(tower.state_dict()):  # it was fine-tuned here
            tower.load_state_dict(state)
            return tower
        del state
        _load(network, path)
        return tower

    def load_whole(self, path: Path) -> torch.nn.Module:
        """The network with both its towers and the weights of a file, in eval mode. Raises
        :class:`BackboneError` where the file has none of words, and what ``load`` raises."""
        read_state_dict(path)
        network = self.make(None)
        try:
            _load(network, path)
        except (RuntimeError, KeyError, AttributeError, TypeError, ValueError) as error:
            raise BackboneError(
                f"{path}: these are not weights for the words of open_clip:{self.name} "
                f"({str(error)[:300]})."
            ) from error
        return network.eval()

    def make(self, size: tuple[int, int] | None) -> torch.nn.Module:
        """The network with both its towers and random weights, for pictures of ``size`` (height,
        width), or of its own."""
        model, _, folder = self._config(0.0, ignore)
        import open_clip
        import torch

        own = model["vision_cfg"].get("image_size", 224)
        own = tuple(own) if isinstance(own, list | tuple) else (own, own)
        # On the device where tensors are made just now, which is none where it is only sketched.
        options: dict[str, Any] = {"device": torch.get_default_device()}
        options |= {"load_weights": False, "pretrained_text": False}
        if size is not None and size != own:
            options["force_image_size"] = size[0] if size[0] == size[1] else size
        if model.get("quick_gelu"):
            options["force_quick_gelu"] = True
        name = self._model if folder is None else f"local-dir:{folder}"
        network: torch.nn.Module = _quietly(partial(open_clip.create_model, name, **options))
        return network

    def tokenizer(self) -> Any:
        """open_clip's own tokenizer of the network: texts -> int64 ``(N, length)``."""
        self._config(0.0, ignore)
        import open_clip

        return open_clip.get_tokenizer(self.name if self._hub else self._model)

    @property
    def needs_transformers(self) -> bool:
        """Whether its tokenizer is one of the library of that name, with files from a hub."""
        text = self._config(0.0, ignore)[0]["text_cfg"]
        return "hf_tokenizer_name" in text or "siglip" in self.name.casefold()

    @property
    def _hub(self) -> bool:
        return self.name.startswith(HUB)

    @property
    def _model(self) -> str:
        return self.name.partition("/")[0]

    @property
    def _tag(self) -> str:
        return "" if self._hub else self.name.partition("/")[2]

    def _config(
        self, timeout: float, listener: Listener
    ) -> tuple[dict[str, Any], dict[str, Any], Path | None]:
        """The model's and the pictures' configuration, and the folder of a hub's. Raises
        :class:`BackboneError`."""
        require_open_clip()
        import open_clip

        if self._hub:
            return _of_hub(*HubFile(self.name.removeprefix(HUB), (HUB_CONFIG,)).config(
                timeout, listener
            ))  # fmt: skip
        model = open_clip.get_model_config(self._model)
        if model is None:
            raise unknown("open_clip", self._model, open_clip.list_models())
        pictures = open_clip.get_pretrained_cfg(self._model, self._tag) if self._tag else {}
        if self._tag and not pictures:
            tags = [f"{self._model}/{tag}" for tag in self._tags()]
            raise unknown("open_clip", self.name, tags)
        if pictures:
            # Weights that were trained with OpenAI's approximation are off without it.
            model["quick_gelu"] = bool(pictures.get("quick_gelu", False))
        usual = {"mean": open_clip.OPENAI_DATASET_MEAN, "std": open_clip.OPENAI_DATASET_STD}
        return model, usual | pictures, None

    def _tags(self) -> list[str]:
        import open_clip

        return list(open_clip.list_pretrained_tags_by_model(self._model))

    def _place(self) -> HubFile | DownloadedWeights:
        """Where the weights are published. Raises :class:`WeightsUnavailable`."""
        require_open_clip()
        if self._hub:
            return HubFile(self.name.removeprefix(HUB), HUB_FILES)
        if not self._tag:
            tags = ", ".join(f"open_clip:{self._model}/{tag}" for tag in self._tags())
            raise WeightsUnavailable(
                f"open_clip:{self._model} stands for several weights. Name some, as "
                f"{tags or 'it has none'}; or name a file with --weights."
            )
        import open_clip

        published = open_clip.get_pretrained_cfg(self._model, self._tag)
        repository, _, name = str(published.get("hf_hub", "")).rpartition("/")
        if not repository:
            raise WeightsUnavailable(
                f"open_clip does not say where the weights of {self.name} are. Name a file with "
                "--weights."
            )
        files = (str(Path(name).with_suffix(".safetensors")), name) if name else HUB_FILES
        return HubFile(repository, tuple(dict.fromkeys(files)))


def require_open_clip() -> None:
    """Raise :class:`BackboneError` where open_clip is not installed."""
    if missing_module("open_clip"):
        raise BackboneError(f"Networks of open_clip need it: pip install '{CLIP}'.")
    require_torch()


def picture_tower(network: torch.nn.Module) -> torch.nn.Module:
    """The half of a network that takes pictures, float32 ``(N, 3, H, W)`` -> ``(N, D)``."""
    import open_clip
    import torch

    if isinstance(network, open_clip.CLIP | open_clip.CustomTextCLIP):
        tower: torch.nn.Module = network.visual
        return tower

    class Pictures(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            encode: Any = self.network.encode_image
            embeddings: torch.Tensor = encode(pixels, normalize=False)
            return embeddings

    return Pictures()


def _load(network: torch.nn.Module, path: Path) -> None:
    import open_clip

    _quietly(lambda: open_clip.load_checkpoint(network, str(path), weights_only=True))


def _quietly(make: Callable[[], Any]) -> Any:
    """open_clip says on the root logger that weights are random, which is meant."""
    with quiet(""):
        return make()


def _of_hub(path: Path, content: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], Path]:
    """The two configurations of a hub's description. Raises :class:`BackboneError`."""
    check_config(path, content)
    model, pictures = content.get("model_cfg"), content.get("preprocess_cfg", {})
    if not isinstance(model, dict) or not all(
        isinstance(one, dict) for one in (model.get("vision_cfg"), model.get("text_cfg"), pictures)
    ):
        raise BackboneError(f"{path}: not a description of a network of open_clip.")
    arguments = model["text_cfg"].get("tokenizer_kwargs", {})
    if not isinstance(arguments, dict) or not set(arguments) <= TOKENIZER_ARGUMENTS:
        raise BackboneError(f"{path}: tokenizer_kwargs of {arguments!r:.100} are not taken.")
    import open_clip

    usual = {"mean": open_clip.OPENAI_DATASET_MEAN, "std": open_clip.OPENAI_DATASET_STD}
    given = {key: value for key, value in pictures.items() if value is not None}
    return model, usual | given, path.parent
