"""What runs a network, and which engine is taken: OpenVINO on the CPU, torch on CUDA and MPS and as
the reference."""

from __future__ import annotations

import logging
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np

from fitting_room.embedding import openvino_engine
from fitting_room.embedding.backbone import Selection
from fitting_room.embedding.converted import ConversionError
from fitting_room.embedding.cuda_engine import CudaEngine
from fitting_room.embedding.quantised import INT8
from fitting_room.embedding.torch_engine import TorchEngine
from fitting_room.embedding.weights import lacks_torch

_log = logging.getLogger(__name__)

#: Torch's devices beside the CPU.
ACCELERATORS = ("cuda", "mps")
ENGINES = ("auto", "openvino", "torch", *ACCELERATORS)
#: ``auto`` takes 16 bits where the processor computes with them in hardware.
FLOAT_PRECISIONS = ("auto", "f32", "bf16", "f16")
#: In 8 bits a network must be made for a catalogue (:mod:`fitting_room.build.quantising`).
PRECISIONS = (*FLOAT_PRECISIONS, INT8)


class EngineError(Exception):
    """An engine that this machine does not have, or what an engine cannot do for a network."""


class Engine(Protocol):
    """Runs one network; safe to use from several threads. ``batch_size`` is the number of pictures
    it prefers at once and ``streams`` how many batches it works on at the same time."""

    name: str
    batch_size: int
    streams: int

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 pixels ``(N, H, W, 3)`` -> float32 features ``(N, D)``."""

    def feature_maps(self, pixels: np.ndarray) -> np.ndarray | None:
        """The network's last feature maps, float32 ``(N, h, w, D)``, whose mean over the ``h x w``
        places is its answer; ``None`` where it does not end in such a mean."""


def make_engine(
    selection: Selection, *, kind: str = "auto", precision: str = "auto", cache: Path | None = None
) -> Engine:
    """The engine for a network: ``auto`` takes CUDA or MPS where there is one, else OpenVINO on
    the CPU, else torch on the CPU, also where a network has layers that OpenVINO does not have,
    which is logged. ``cache`` is the folder for converted networks. A network in 8 bits is
    OpenVINO's alone, and computes in these whatever the precision.

    Raises :class:`EngineError` for an engine or a precision that is not there and
    ``BackboneError`` for weights that do not fit.
    """
    if kind not in ENGINES:
        raise EngineError(f"There is no engine {kind!r}. Known: {', '.join(ENGINES)}.")
    if precision not in FLOAT_PRECISIONS:
        known = ", ".join(FLOAT_PRECISIONS)
        raise EngineError(f"There is no precision {precision!r}. Known: {known}.")
    if selection.quantised is not None:
        kind, precision = _of_8_bits(kind), "auto"
    if kind == "auto":
        kind = _accelerator() or ("openvino" if _has_openvino() else "torch")
        if kind == "openvino":
            try:
                return make_engine(selection, kind=kind, precision=precision, cache=cache)
            except ConversionError as error:
                _log.warning("%s It is taken, slower.", error)
                kind = "torch"
    if kind == "openvino":
        if not _has_openvino():
            raise EngineError("OpenVINO is not installed. Run: pip install openvino")
        if precision != "auto" and not openvino_engine.computes_in(precision):
            raise EngineError(
                f"OpenVINO cannot compute in {precision} on this machine. "
                "Take another precision, such as FITTING_ROOM_PRECISION=f32."
            )
        return openvino_engine.OpenVINOEngine(selection, precision=precision, cache=cache)
    if why := lacks_torch():
        raise EngineError(f"The engine {kind} is not there. {why}")
    if kind in ACCELERATORS and not _has(kind):
        name = kind.upper()
        raise EngineError(f"{name} was asked for, but torch sees no {name} device.")
    if kind == "cuda":
        return CudaEngine(selection, precision=precision)
    return TorchEngine(selection, device="cpu" if kind == "torch" else kind, precision=precision)


def _of_8_bits(kind: str) -> str:
    if kind not in ("auto", "openvino"):
        raise EngineError(
            f"The index was made in 8 bits, in which OpenVINO computes and {kind} does not. "
            "Take FITTING_ROOM_ENGINE=openvino, or build the index again in another precision."
        )
    return "openvino"


def _has_openvino() -> bool:
    return find_spec("openvino") is not None


def _has(accelerator: str) -> bool:
    import torch

    backend = torch.cuda if accelerator == "cuda" else torch.backends.mps
    return bool(backend.is_available())


def _accelerator() -> str | None:
    """An accelerator of this machine. Torch, slow to import, is only asked where one may be."""
    if lacks_torch():
        return None
    nvidia = shutil.which("nvidia-smi") is not None or Path("/dev/nvidia0").exists()
    if not nvidia and sys.platform != "darwin":
        return None
    return next(filter(_has, ACCELERATORS), None)
