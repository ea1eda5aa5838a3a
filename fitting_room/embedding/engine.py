"""What runs a network: OpenVINO on the CPU, torch on CUDA and MPS and as the reference.

An engine is a callable, safe to use from several threads: uint8 pixels ``(N, H, W, 3)`` ->
float32 features ``(N, D)``. OpenVINO's conversion of a network is kept on disk, so that a later
start needs neither torch nor the weights file.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from fitting_room.embedding.backbones import Selection
from fitting_room.embedding.weights import BackboneError, sha256_of
from fitting_room.util.threads import cores

if TYPE_CHECKING:
    import torch

_log = logging.getLogger(__name__)

ENGINES = ("auto", "openvino", "torch", "cuda", "mps")
#: ``auto`` takes 16 bits where the processor computes with them in hardware.
PRECISIONS = ("auto", "f32", "bf16", "f16")


NO_MAPS = "The network does not end in a mean over places, so it has no feature maps to show."


class EngineError(Exception):
    """An engine was asked for that this machine does not have."""


class Engine(Protocol):
    """Runs one network. ``batch_size`` is the number of pictures it likes best at once and
    ``streams`` how many batches it works on at the same time."""

    name: str
    batch_size: int
    streams: int

    def __call__(self, pixels: np.ndarray) -> np.ndarray: ...

    def feature_maps(self, pixels: np.ndarray) -> np.ndarray:
        """The network's last feature maps, float32 ``(N, h, w, D)``: what its answer is the mean
        of, over the ``h x w`` places."""
        ...


def make_engine(
    selection: Selection, *, kind: str = "auto", precision: str = "auto", cache: Path | None = None
) -> Engine:
    """The engine for a network: ``auto`` takes CUDA or MPS where there is one, else OpenVINO on
    the CPU, else torch on the CPU. ``cache`` is the folder for converted networks.

    Raises :class:`EngineError` for an engine that is not there and ``BackboneError`` for weights
    that do not fit.
    """
    if kind not in ENGINES:
        raise EngineError(f"There is no engine {kind!r}. Known: {', '.join(ENGINES)}.")
    if precision not in PRECISIONS:
        raise EngineError(f"There is no precision {precision!r}. Known: {', '.join(PRECISIONS)}.")
    if kind == "auto":
        kind = _accelerator() or ("openvino" if _has_openvino() else "torch")
    if kind == "openvino":
        if not _has_openvino():
            raise EngineError("OpenVINO is not installed. Run: pip install openvino")
        return OpenVINOEngine(selection, precision=precision, cache=cache)
    return TorchEngine(selection, device="cpu" if kind == "torch" else kind, precision=precision)


def _has_openvino() -> bool:
    from importlib.util import find_spec

    return find_spec("openvino") is not None


def _accelerator() -> str | None:
    """ "cuda", "mps" or nothing. Torch, slow to import, is only asked where there may be one."""
    nvidia = shutil.which("nvidia-smi") is not None or Path("/dev/nvidia0").exists()
    if not nvidia and sys.platform != "darwin":
        return None
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else None


class TorchEngine:
    """The network as torch runs it, in channels-last layout. ``auto`` is 16 bits (f16, which keeps
    three bits more than bf16) on CUDA and MPS, and 32 on the CPU."""

    def __init__(
        self, selection: Selection, *, device: str = "cpu", precision: str = "auto"
    ) -> None:
        import torch

        if device == "cuda" and not torch.cuda.is_available():
            raise EngineError("CUDA was asked for, but torch sees no CUDA device.")
        if device == "mps" and not torch.backends.mps.is_available():
            raise EngineError("MPS was asked for, but torch sees no MPS device.")
        if precision == "auto":
            precision = "f32" if device == "cpu" else "f16"
        self.name = f"torch {device} {precision}"
        self.batch_size = 16 if device == "cpu" else 64
        self.streams = 1  # torch spreads one batch over all cores by itself
        self._device = torch.device(device)
        self._short = {"bf16": torch.bfloat16, "f16": torch.float16}.get(precision)
        module = selection.backbone.module(selection.weights).to(self._device)
        self._module = module.to(memory_format=torch.channels_last)
        self._seen = threading.local()
        pools = [m for m in module.modules() if isinstance(m, torch.nn.AdaptiveAvgPool2d)]
        if pools and pools[-1].output_size in (1, (1, 1)):
            pools[-1].register_forward_pre_hook(self._see)

    def _see(self, _: object, inputs: tuple[Any, ...]) -> None:
        if getattr(self._seen, "wanted", False):
            self._seen.maps = inputs[0]

    def feature_maps(self, pixels: np.ndarray) -> np.ndarray:
        self._seen.wanted, self._seen.maps = True, None
        try:
            self(pixels)
            maps = self._seen.maps
        finally:
            self._seen.wanted, self._seen.maps = False, None
        if maps is None:
            raise EngineError(NO_MAPS)
        return maps.permute(0, 2, 3, 1).float().cpu().numpy()  # type: ignore[no-any-return]

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        import torch

        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, dtype=self._short, enabled=self._short is not None),
        ):
            features = self._module(torch.from_numpy(pixels).to(self._device))
        return features.float().cpu().numpy()  # type: ignore[no-any-return]


class OpenVINOEngine:
    """The network as OpenVINO runs it on the CPU.

    Two compiled forms share the work: full batches go one to a core, so that whole pictures and
    not parts of one are spread over the cores, and a few pictures at a time (a query) go one by
    one with all cores on each.
    """

    def __init__(
        self, selection: Selection, *, precision: str = "auto", cache: Path | None = None
    ) -> None:
        import openvino

        _make_tables()
        self._core = openvino.Core()
        if precision == "auto":
            # AMX or AVX512-BF16; OpenVINO computes in bf16 elsewhere too, but slower than in f32.
            capabilities = self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
            precision = "bf16" if "BF16" in capabilities else "f32"
        self.name = f"openvino {precision}"
        # What a core's caches hold of the layers' outputs; more pictures at once are slower.
        self.batch_size = 4
        self._precision = precision
        self._input_size = selection.backbone.input_size
        self._model = _converted(selection, self._core, cache)
        self._lock = threading.Lock()
        self._compiled: dict[int, list[Any]] = {}
        self.streams = cores()
        self._free: dict[int, list[list[Any]]] = {}
        self._turns = threading.BoundedSemaphore(self.streams + 1)

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        size = self.batch_size if len(pixels) > self.batch_size // 2 else 1
        parts = []
        for start in range(0, len(pixels), size):
            part = pixels[start : start + size]
            padded = np.zeros((size, *pixels.shape[1:]), np.uint8) if len(part) < size else part
            if padded is not part:
                padded[: len(part)] = part
            with self._requests(size) as (first, *others):
                first.infer([np.ascontiguousarray(padded)], share_inputs=True)
                for request in others:
                    request.infer()
                last = others[-1] if others else first
                parts.append(last.get_output_tensor(0).data[: len(part)].copy())
        return np.concatenate(parts)

    def feature_maps(self, pixels: np.ndarray) -> np.ndarray:
        model = self._compile_maps()
        parts = []
        for picture in pixels:  # few are asked for: one by one, with all cores on each
            request = model.create_infer_request()
            request.infer([np.ascontiguousarray(picture[None])], share_inputs=True)
            parts.append(request.get_output_tensor(0).data.transpose(0, 2, 3, 1).copy())
        return np.concatenate(parts)

    def _compile_maps(self) -> Any:
        """The same network up to where it takes the mean over places; compiled when somebody
        asks."""
        import openvino

        with self._lock:
            if 0 not in self._compiled:
                pooling = self._model.get_results()[0]
                while pooling.get_type_name() in ("Result", "Reshape", "Squeeze"):
                    pooling = pooling.input_value(0).get_node()
                if pooling.get_type_name() != "ReduceMean":
                    raise EngineError(NO_MAPS)
                model = openvino.Model(
                    [pooling.input_value(0)], self._model.get_parameters(), "feature maps"
                ).clone()
                model.reshape([1, *self._input_size, 3])
                # Asked for now and then, and in 32 bits they are those of any precision.
                options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
                self._compiled[0] = [self._core.compile_model(model, "CPU", options)]
            return self._compiled[0][0]

    @contextmanager
    def _requests(self, size: int) -> Iterator[list[Any]]:
        """Infer requests, one a part of the network, each reading what the one before has written.
        They hold all that the network computes on its way, and must not be shared: there are as
        many as can be at work, however many threads ask."""
        compiled = self._compile(size)
        with self._turns:
            free = self._free.setdefault(size, [])
            try:
                made = free.pop()
            except IndexError:
                made = [part.create_infer_request() for part in compiled]
                for before, after in pairwise(made):
                    after.set_input_tensor(before.get_output_tensor(0))
            try:
                yield made
            finally:
                free.append(made)

    def _compile(self, size: int) -> list[Any]:
        with self._lock:
            if size not in self._compiled:
                model = self._model.clone()
                model.reshape([size, *self._input_size, 3])
                hint = "LATENCY" if size == 1 else "THROUGHPUT"
                self._compiled[size] = [
                    self._core.compile_model(
                        part,
                        "CPU",
                        {"PERFORMANCE_HINT": hint, "INFERENCE_PRECISION_HINT": precision},
                    )
                    for part, precision in _parts(model, self._precision)
                ]
            return self._compiled[size]


_tables = threading.Lock()


def _make_tables() -> None:
    """Have OpenVINO's Python side make its tables of types, which it does at their first use: two
    threads that are the first at the same moment wait for each other for ever, one with Python's
    lock and one with the table's."""
    import openvino

    with _tables:
        for kind in (np.uint8, np.float32):
            tensor = openvino.Tensor(np.zeros(1, kind), shared_memory=True)
            tensor.get_element_type().to_dtype()
            _ = tensor.data


def _parts(model: Any, precision: str) -> list[tuple[Any, str]]:
    """A converted network as models that are computed one after the other, each with its
    precision: the first layers in 32 bits where they must be and the others are not."""
    import openvino
    from openvino import opset13

    if precision == "f32" or len(model.outputs) == 1:
        return [(openvino.Model([model.outputs[0]], model.get_parameters()), precision)]
    rest = model.clone()
    front = openvino.Model([model.outputs[1]], model.get_parameters())
    seam = rest.outputs[1].get_node().input_value(0)
    begin = opset13.parameter(seam.get_partial_shape(), seam.get_element_type())
    for use in list(seam.get_target_inputs()):
        use.replace_source_output(begin.output(0))
    return [(front, "f32"), (openvino.Model([rest.outputs[0]], [begin]), precision)]


def _converted(selection: Selection, core: Any, cache: Path | None) -> Any:
    """The network in OpenVINO's form, from the cache or converted now and put there."""
    import openvino

    if cache is None:
        return _convert(selection)
    # Another input size is another entry: a conversion fixes the paddings that depend on it.
    made_of = (selection.identity, openvino.__version__, selection.backbone.fp32_until)
    key = hashlib.sha256(repr(made_of).encode()).hexdigest()
    folder = cache / f"{selection.backbone.name}-{key[:16]}"
    if _is_whole(folder):
        try:
            return core.read_model(folder / "model.xml")
        except RuntimeError:
            pass  # of a whole file: another build of the same OpenVINO; made anew just below
    model = _convert(selection)

    def save(made: Path) -> None:
        openvino.save_model(model, made / "model.xml", compress_to_fp16=False)

    _keep(save, folder)
    return model


def _convert(selection: Selection) -> Any:
    """The network in OpenVINO's form. Where its first layers may need another precision, what they
    answer is a second output."""
    import warnings

    import openvino
    import torch

    module = selection.backbone.module(selection.weights)
    if selection.backbone.fp32_until is not None:
        module = _with_seam(module, selection.backbone.fp32_until)
    example = torch.zeros(2, *selection.backbone.input_size, 3, dtype=torch.uint8)
    with warnings.catch_warnings():
        # Tracing is what OpenVINO's converter uses; torch announces its end, not ours to act on.
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        return openvino.convert_model(module, example_input=example)


def _with_seam(module: torch.nn.Module, name: str) -> torch.nn.Module:
    """``module`` with the output of one of its network's parts as a second output."""
    import torch

    class WithSeam(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module
            self.seam: torch.Tensor | None = None
            module.get_submodule(f"network.{name}").register_forward_hook(self._keep)

        def _keep(self, *of_part: Any) -> None:
            self.seam = of_part[-1]

        def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
            return self.module(pixels), self.seam

    return WithSeam().eval()


_SUMS = "sha256.json"


def _is_whole(folder: Path) -> bool:
    try:
        sums = json.loads((folder / _SUMS).read_text(encoding="utf-8"))
        return bool(sums == _sums(folder))
    except (OSError, ValueError, BackboneError):
        return False


def _sums(folder: Path) -> dict[str, str]:
    return {name: sha256_of(folder / name) for name in ("model.xml", "model.bin")}


def _keep(write: Callable[[Path], None], folder: Path) -> None:
    """Write a cache folder whole or not at all; a cache that cannot be written is no error, but
    costs each later start the conversion, so it is said."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-") as work:
            made = Path(work) / "made"
            made.mkdir()
            write(made)
            (made / _SUMS).write_text(json.dumps(_sums(made)), encoding="utf-8")
            if folder.exists() and not _is_whole(folder):
                folder.rename(Path(work) / "damaged")
            made.rename(folder)
    except (OSError, RuntimeError, BackboneError) as error:  # RuntimeError: OpenVINO's disk is full
        if not _is_whole(folder):  # else another process was first
            _log.warning("%s: the converted network could not be kept (%s)", folder, error)
