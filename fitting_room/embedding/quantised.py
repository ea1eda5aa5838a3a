"""Networks in 8 bits: quantised once, with pictures of the catalogue that is being built, by NNCF,
OpenVINO's own tool, and read from a file everywhere else.

Weights become whole numbers by their own range, and what a layer answers by the range that it has
on those pictures (Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference"). Two catalogues so make two different networks of one, and the
file belongs to its index, which carries it: query and item are seen by the same one, and neither
NNCF, torch nor the weights are needed to search.
"""

from __future__ import annotations

import io
import json
import logging
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from fitting_room.embedding import converted
from fitting_room.embedding.backbone import Selection
from fitting_room.embedding.weights import (
    BackboneError,
    WeightsFile,
    missing_module,
    sha256_of,
    verify_weights,
)
from fitting_room.util.files import work_folder, write_atomically
from fitting_room.util.identities import plain_network

INT8 = "int8"
#: Pictures that the ranges are measured on: as many as NNCF takes by default.
CALIBRATION_PICTURES = 300
#: How many of the first and of the last convolutions stay in 32 bits, where a network finds worse
#: without: ``benchmarks/precision.py`` with other numbers here.
_EXACT = {"efficientnet_lite0": (3, 1)}
#: Bounds of a file, and of the description of the layers in it.
MAX_BYTES, MAX_LAYERS_BYTES = 2**31, 2**26

#: What a network computes on its way for one picture, in numbers at most, one by one and together:
#: a file may say anything, and memory is taken as it says.
MAX_NUMBERS, MAX_NUMBERS_TOGETHER = 2**28, 2**31

#: What a file holds: the layers as OpenVINO's xml and their numbers, as bytes, and of what network.
_LAYERS, _NUMBERS, _FORMAT, _NETWORK = "layers", "numbers", "format", "network"
_FORM = "fitting-room-int8 1"

#: What a processor must have to compute in 8 bits quicker than in 32 or 16, as Linux names it, and
#: oneDNN's names of processors that have it.
_INSTRUCTIONS = {"avx512_vnni", "avx_vnni", "amx_int8"}
_LIMIT, _UNLIMITED = "ONEDNN_MAX_CPU_ISA", ("", "ALL", "DEFAULT")
_NAMES_WITH_IT = ("VNNI", "AMX", "BF16", "FP16")


def lacks_nncf() -> str | None:
    """What to do about it in a sentence, where NNCF is not installed; ``None`` where it is."""
    if not missing_module("nncf"):
        return None
    return "Making a network of 8 bits needs nncf: pip install 'fitting-room[int8]'."


def is_quick_in_int8() -> bool:
    """Whether this processor has instructions for 8 bits (VNNI or AMX) that may be used. Only known
    on Linux: elsewhere it is false, and 8 bits must be asked for."""
    limit = os.environ.get(_LIMIT, "").upper()
    if limit not in _UNLIMITED and not any(name in limit for name in _NAMES_WITH_IT):
        return False
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), "")
    return bool(_INSTRUCTIONS & set(flags.split()))


def quantise(selection: Selection, pixels: np.ndarray, path: Path, cache: Path | None) -> None:
    """Write the network in 8 bits to ``path``, calibrated on pictures, uint8 ``(N, H, W, 3)``;
    ``cache`` is the folder for converted networks. Raises :class:`BackboneError` where NNCF is not
    installed or cannot do it."""
    if why := lacks_nncf():
        raise BackboneError(why)
    import openvino
    import safetensors.numpy

    model = converted.load(selection, openvino.Core(), cache)
    try:
        with _quietly():
            import nncf

            smaller = nncf.quantize(
                model,
                nncf.Dataset(list(pixels), lambda picture: picture[None]),
                # Activations on both sides of 0 keep their halves apart: EfficientNet's need it.
                preset=nncf.QuantizationPreset.MIXED,
                subset_size=len(pixels),
                ignored_scope=nncf.IgnoredScope(names=_exact(model, selection.backbone.name)),
            )
    except Exception as error:  # whatever a compiler says to a layer that it does not know
        raise BackboneError(
            f"{selection.backbone.name} cannot be had in 8 bits ({str(error)[:200]}). Take another "
            "precision, such as FITTING_ROOM_PRECISION=f32."
        ) from error
    metadata = {
        _FORMAT: _FORM,
        _NETWORK: json.dumps(plain_network(selection.identity), sort_keys=True),
        "made by": f"nncf {version('nncf')}, openvino {openvino.__version__}",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, safetensors.numpy.save(_written(smaller, path.parent), metadata))


def _exact(model: Any, name: str) -> list[str]:
    """The names of the layers that stay in 32 bits."""
    kinds = ("Convolution", "GroupConvolution")
    layers = [layer for layer in model.get_ordered_ops() if layer.get_type_name() in kinds]
    names = [layer.get_friendly_name() for layer in layers]
    first, last = _EXACT.get(name, (0, 0))
    return names[:first] + names[len(names) - last :]


def _written(model: Any, beside: Path) -> dict[str, np.ndarray]:
    """A model as OpenVINO writes it: the bytes of its layers and of their numbers, uint8
    ``(n,)``."""
    import openvino

    with work_folder(beside, ".new-") as work:
        openvino.save_model(model, work / "model.xml", compress_to_fp16=False)
        files = {_LAYERS: work / "model.xml", _NUMBERS: work / "model.bin"}
        return {name: np.fromfile(file, np.uint8) for name, file in files.items()}


def file_of(path: Path) -> WeightsFile:
    """A file of a network in 8 bits, by its digest."""
    return WeightsFile(INT8, sha256_of(path), path)


def network_of(path: Path) -> dict[str, Any] | None:
    """The identity of the network that a file has in 8 bits, or ``None`` where it is no such
    file."""
    from safetensors import SafetensorError, safe_open

    try:
        if path.stat().st_size > MAX_BYTES:
            return None
        with safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
        identity = json.loads(metadata.get(_NETWORK, "null"))
    except (OSError, SafetensorError, ValueError, RecursionError):
        return None
    known = metadata.get(_FORMAT) == _FORM and isinstance(identity, dict)
    return identity if known else None


def load(selection: Selection, core: Any) -> Any:
    """The network of 8 bits of a selection that has one, as an ``openvino.Model``, uint8 ``(N, H,
    W, 3)`` -> float32 ``(N, dimension)``. Raises :class:`BackboneError`, whatever is wrong with
    its file."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    weights = selection.quantised
    if weights is None or weights.path is None:
        raise BackboneError(f"{selection.backbone.name} has no file of 8 bits.")
    path = weights.path
    remedy = "Build the index again."
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BackboneError(f"{path}: larger than any network that is known here.")
        verify_weights(path, weights.sha256, remedy)
        if network_of(path) != plain_network(selection.identity):
            raise BackboneError(f"{path}: holds another network than its index says. {remedy}")
        arrays = load_file(path)
        layers, numbers = (arrays[name] for name in (_LAYERS, _NUMBERS))
        if layers.dtype != np.uint8 or numbers.dtype != np.uint8 or layers.ndim != 1:
            raise ValueError("it holds something else")
        if len(layers) > MAX_LAYERS_BYTES:
            raise ValueError("too many layers")
        model = core.read_model(layers.tobytes(), numbers.tobytes())
        converted.require_form(model, selection)
        _require_bounds(model, selection)
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise BackboneError(
            f"{path}: no network of 8 bits that can be read ({str(error)[:200]}). {remedy}"
        ) from error
    return model


def _require_bounds(model: Any, selection: Selection) -> None:
    """Raise ``ValueError`` unless what the layers compute is bounded and known beforehand."""
    one = model.clone()
    one.reshape([1, *selection.backbone.input_size, 3])
    together = 0
    for layer in one.get_ordered_ops():
        if layer.get_type_name() in ("If", "Loop", "TensorIterator"):
            raise ValueError(f"a layer {layer.get_type_name()} is of no network here")
        for output in layer.outputs():
            numbers = math.prod(output.get_shape())  # RuntimeError where it is not known
            together += numbers
            if max(numbers / MAX_NUMBERS, together / MAX_NUMBERS_TOGETHER) > 1:
                raise ValueError("its layers would take more memory than any network's here")


@contextmanager
def _quietly() -> Iterator[None]:
    """Without NNCF's own lines and bars."""
    logger = logging.getLogger("nncf")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(before)
