"""Networks in OpenVINO's form: converted once, where torch is, and read everywhere else.

A cache holds a folder for each network and input size, ``resnet50-0123456789abcdef``::

    network.json             which network, weights and preprocessing it is, and two checksums
    model.xml, model.bin     what OpenVINO reads: layers, and weights in 32 bits

Such a folder may be copied to a machine without torch. It is found there by what an index says of
its network, and read only if its own description says the same and its files are those described.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from fitting_room.embedding import families
from fitting_room.embedding.backbone import Selection
from fitting_room.embedding.backbones import AUTO, DEFAULT, PACKAGED, get_backbone
from fitting_room.embedding.weights import (
    MAX_WEIGHTS_BYTES,
    BackboneError,
    WeightsFile,
    lacks_torch,
    sha256_of,
)
from fitting_room.imaging.features import normalise
from fitting_room.util.files import work_folder

_log = logging.getLogger(__name__)

#: Of the folder's form, and of how a network is converted: another one is another entry.
FORMAT = 1
DESCRIPTION = "network.json"
#: The files of a converted network, and the most bytes that each may have.
FILES = {"model.xml": 2**26, "model.bin": MAX_WEIGHTS_BYTES}
MAX_DESCRIPTION_BYTES = 2**16
#: The least cosine between what a library's network answers before and after its conversion.
LEAST_COSINE = 0.999


class ConversionError(BackboneError):
    """A network has layers that OpenVINO does not have."""


class _UnusableError(Exception):
    """Why what lies in a cache cannot be used."""


def folder_of(selection: Selection, cache: Path) -> Path:
    """Where a network lies in a cache. It depends on nothing but the network's identity, so that
    every machine finds it there."""
    key = json.dumps([FORMAT, selection.identity], sort_keys=True).encode()
    name = re.sub(r"[^\w.-]+", "-", selection.backbone.name)  # of a library's, with : and /
    return cache / f"{name}-{hashlib.sha256(key).hexdigest()[:16]}"


def load(selection: Selection, core: Any, cache: Path | None) -> Any:
    """The network as an ``openvino.Model``, uint8 ``(N, H, W, 3)`` -> float32 ``(N, dimension)``:
    from the cache, or converted now and put there. A cache that cannot be written is no error, but
    costs each later start the conversion, so it is logged. Raises :class:`BackboneError` where it
    can neither be read nor converted."""
    if cache is None:
        return _convert(selection)
    folder = folder_of(selection, cache)
    try:
        return _read(folder, selection, core)
    except _UnusableError as error:
        if why := lacks_torch():
            raise BackboneError(
                f"{folder}: {error}. {why} Or convert the network where that is installed "
                "(fitting-room convert --index DIR) and copy its folder here."
            ) from error
    model = _convert(selection)
    try:
        _keep(model, selection, folder)
    except (OSError, RuntimeError, BackboneError) as error:  # RuntimeError: OpenVINO's disk is full
        _log.warning("%s: the converted network could not be kept (%s)", folder, error)
    return model


def convert(selection: Selection, cache: Path) -> Path:
    """Have a cache hold the network; returns its folder. Raises :class:`BackboneError` where it
    cannot be converted or kept."""
    import openvino

    folder = folder_of(selection, cache)
    load(selection, openvino.Core(), cache)
    try:
        _described(folder, selection)
    except _UnusableError as error:
        raise BackboneError(f"{folder}: the converted network could not be kept.") from error
    return folder


def select_converted(
    name: str, cache: Path, *, input_size: tuple[int, int] | None = None
) -> Selection:
    """Choose among networks that a cache holds, by name, where there is no torch to convert any;
    ``auto`` takes the default one if it is there and the packaged one otherwise. Raises
    :class:`BackboneError` where it is not there."""
    if families.is_of_library(name):
        return _converted_of_library(name, cache, input_size)
    for one in (DEFAULT, PACKAGED) if name == AUTO else (name,):
        backbone = get_backbone(one)
        if input_size is not None:
            backbone = backbone.with_input_size(input_size)
        source = backbone.weights[0]
        weights = WeightsFile(source.name, source.sha256)
        selection = Selection(backbone, weights, "it is here, converted before")
        if folder_of(selection, cache).is_dir():
            return selection
    which = "network" if name == AUTO else name
    raise BackboneError(f"{cache}: no converted {which} lies there. {lacks_torch() or ''}")


def _converted_of_library(name: str, cache: Path, input_size: tuple[int, int] | None) -> Selection:
    """The same of a library's network, which is known by its description in the cache. Raises
    :class:`BackboneError`, also where there are several."""
    found: list[Selection] = []
    for path in sorted(cache.glob(f"*/{DESCRIPTION}")):
        try:
            identity = _description(path).get("network")
        except _UnusableError:
            continue
        if not isinstance(identity, dict) or identity.get("backbone") != name:
            continue
        backbone = families.remembered_backbone(name, identity.get("preprocessing"))
        weights = WeightsFile(str(identity.get("weights")), str(identity.get("weights_sha256")))
        selection = Selection(backbone, weights, "it is here, converted before")
        sound = selection.identity == identity and folder_of(selection, cache) == path.parent
        if sound and input_size in (None, backbone.input_size):
            found.append(selection)
    if len(found) != 1:
        count = "no" if not found else f"{len(found)}"
        raise BackboneError(f"{cache}: {count} converted {name} lie there. {lacks_torch() or ''}")
    return found[0]


def _convert(selection: Selection) -> Any:
    module = selection.backbone.module(selection.weights)
    import openvino
    import torch

    example = torch.zeros(2, *selection.backbone.input_size, 3, dtype=torch.uint8)
    with warnings.catch_warnings():
        # Tracing is what OpenVINO's converter uses; torch announces its end, not ours to act on.
        warnings.simplefilter("ignore", FutureWarning)
        warnings.filterwarnings("ignore", "Converting a tensor")  # of sizes, which do not change
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            # Without its own check, which runs the network twice more: the tests compare results.
            traced: Any = torch.jit.trace(module, example, check_trace=False)  # type: ignore[no-untyped-call]
            model = _kept_to_form(openvino.convert_model(traced, example_input=example), selection)
            if selection.backbone.library is not None:
                _compare(model, module, selection)
            return model
        except Exception as error:  # whatever two compilers say to a layer that they do not know
            raise ConversionError(
                f"OpenVINO cannot take {selection.backbone.name} ({str(error)[:200]}). Torch can: "
                "FITTING_ROOM_ENGINE=torch"
            ) from error


def _kept_to_form(model: Any, selection: Selection) -> Any:
    """The model, if it takes what this network takes, in any number. Raises
    :class:`_UnusableError`, and ``RuntimeError`` where a number of pictures is fixed in it."""
    require_form(model, selection)
    other = model.clone()
    other.reshape([3, *selection.backbone.input_size, 3])
    if list(other.output(0).shape) != [3, selection.backbone.dimension]:
        raise _UnusableError("it takes so many pictures at once and no others")
    return model


def _compare(model: Any, module: Any, selection: Selection) -> None:
    """Raise :class:`_UnusableError` unless the conversion answers as the network does, of which no
    test here knows: what depended on the traced pictures would be frozen in it, silently."""
    import openvino
    import torch

    shape = (3, *selection.backbone.input_size, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    with torch.inference_mode():
        wanted = normalise(module(torch.from_numpy(pixels)).float().numpy())
    in_32_bits = {"INFERENCE_PRECISION_HINT": "f32"}
    answers = openvino.Core().compile_model(model, "CPU", in_32_bits)([pixels])[0]
    cosine = float((normalise(answers) * wanted).sum(axis=1).min())
    if not cosine >= LEAST_COSINE:
        raise _UnusableError(f"it answers something else than torch, cosine {cosine:.3f}")


# --- reading what anybody may have copied here ------------------------------------------------


def _read(folder: Path, selection: Selection, core: Any) -> Any:
    """The network that a folder holds. Raises :class:`_UnusableError`."""
    _described(folder, selection)
    try:
        model = core.read_model(folder / "model.xml")
    except RuntimeError as error:  # whole, and of a newer OpenVINO
        raise _UnusableError(f"OpenVINO cannot read it ({str(error)[:200]})") from error
    require_form(model, selection)
    return model


def _described(folder: Path, selection: Selection) -> None:
    """Raise :class:`_UnusableError` unless the folder says that it is this network, and its files
    are those that it describes."""
    if not folder.is_dir():
        raise _UnusableError("the converted network is not there")
    description = _description(folder / DESCRIPTION)
    if description.get("network") != selection.identity:
        raise _UnusableError(f"{DESCRIPTION} names another network or other weights")
    _require_sound_files(folder, description)


def _description(path: Path) -> dict[str, Any]:
    """What a folder says of the network in it. Raises :class:`_UnusableError`."""
    try:
        if path.stat().st_size > MAX_DESCRIPTION_BYTES:
            raise _UnusableError(f"{DESCRIPTION} is larger than {MAX_DESCRIPTION_BYTES:,} bytes")
        description = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _UnusableError(f"{DESCRIPTION} cannot be read") from error
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise _UnusableError(f"{DESCRIPTION} has another form than this version reads")
    return description


def _require_sound_files(folder: Path, description: dict[str, Any]) -> None:
    """Raise :class:`_UnusableError` unless the files are those of the description."""
    sums = description.get("sha256")
    for name, most in FILES.items():
        try:
            if (folder / name).stat().st_size > most:
                raise _UnusableError(f"{name} is larger than any network that is known here")
            actual = sha256_of(folder / name)
        except (OSError, BackboneError) as error:
            raise _UnusableError(f"{name} cannot be read") from error
        if not isinstance(sums, dict) or sums.get(name) != actual:
            raise _UnusableError(f"{name} is damaged")


def require_form(model: Any, selection: Selection) -> None:
    """Raise :class:`_UnusableError` unless the model takes pictures of this network's size and
    answers embeddings of its length."""
    import openvino

    backbone = selection.backbone
    places = (
        (model.inputs, [-1, *backbone.input_size, 3], openvino.Type.u8),
        (model.outputs, [-1, backbone.dimension], openvino.Type.f32),
    )
    for ports, shape, kind in places:
        fits = len(ports) == 1 and ports[0].get_element_type() == kind
        if not fits or not ports[0].get_partial_shape().compatible(openvino.PartialShape(shape)):
            raise _UnusableError("it holds something else than this network")


def _keep(model: Any, selection: Selection, folder: Path) -> None:
    """Put a conversion into the cache, whole or not at all. Raises ``OSError``, ``RuntimeError``
    or :class:`BackboneError` where that does not go, unless another process was first."""
    import openvino

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with work_folder(folder.parent, ".new-") as work:
            new = work / "new"
            new.mkdir()
            openvino.save_model(model, new / "model.xml", compress_to_fp16=False)
            description = {
                "format": FORMAT,
                "network": selection.identity,
                "openvino": openvino.__version__,
                "sha256": {name: sha256_of(new / name) for name in FILES},
            }
            text = json.dumps(description, indent=1)
            (new / DESCRIPTION).write_text(text + "\n", encoding="utf-8")
            if folder.exists() and not _is_whole(folder, selection):
                folder.rename(work / "damaged")
            new.rename(folder)
    except (OSError, RuntimeError, BackboneError):
        if not _is_whole(folder, selection):
            raise


def _is_whole(folder: Path, selection: Selection) -> bool:
    try:
        _described(folder, selection)
    except _UnusableError:
        return False
    return True
