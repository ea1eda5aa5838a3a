"""A network as OpenVINO runs it on the CPU."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fitting_room.embedding import converted, quantised
from fitting_room.embedding.backbone import Selection
from fitting_room.util.threads import are_limited, cores


class OpenVINOEngine:
    """The network as OpenVINO runs it on the CPU. ``auto`` is bf16 where the processor has it. A
    network in 8 bits computes in these whatever the ``precision``, and in 32 what is left.

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
            precision = "bf16" if is_quick_in_bf16() else "f32"
        if selection.quantised is not None:
            precision = "f32"
        self.name = f"openvino {precision if selection.quantised is None else quantised.INT8}"
        # What a core's caches hold of the layers' outputs; more pictures at once are slower.
        self.batch_size = 4
        self.streams = cores()
        self._precision = precision
        self._input_size = selection.backbone.input_size
        self._model = (
            converted.load(selection, self._core, cache)
            if selection.quantised is None
            else quantised.load(selection, self._core)
        )
        self._lock = threading.Lock()
        self._compiled: dict[int | str, Any] = {}
        self._free: dict[int, list[Any]] = {1: [], self.batch_size: []}
        self._turns = threading.BoundedSemaphore(self.streams + 1)

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        size = self.batch_size if len(pixels) > self.batch_size // 2 else 1
        rows = []
        for start in range(0, len(pixels), size):
            batch = pixels[start : start + size]
            count = len(batch)
            if count < size:
                batch = np.concatenate(
                    [batch, np.zeros((size - count, *batch.shape[1:]), np.uint8)]
                )
            with self._request(size) as request:
                request.infer([np.ascontiguousarray(batch)], share_inputs=True)
                rows.append(request.get_output_tensor(0).data[:count].copy())
        return np.concatenate(rows)

    def feature_maps(self, pixels: np.ndarray) -> np.ndarray | None:
        """See :class:`fitting_room.embedding.engine.Engine`. In 32 bits whatever the precision."""
        compiled = self._compile_maps()
        if compiled is None:
            return None
        maps = []
        for picture in pixels:  # they are few: one by one, with all cores on each
            request = compiled.create_infer_request()
            request.infer([np.ascontiguousarray(picture[None])], share_inputs=True)
            maps.append(request.get_output_tensor(0).data.transpose(0, 2, 3, 1).copy())
        return np.concatenate(maps)

    @contextmanager
    def _request(self, size: int) -> Iterator[Any]:
        """An infer request for batches of that size. It holds all that the network computes on its
        way and must not be shared: as many are made as can be at work, however many threads ask."""
        compiled = self._compile(size)
        with self._turns:
            free = self._free[size]
            try:
                request = free.pop()
            except IndexError:
                request = compiled.create_infer_request()
            try:
                yield request
            finally:
                free.append(request)

    def _compile(self, size: int) -> Any:
        with self._lock:
            if size not in self._compiled:
                hint = "LATENCY" if size == 1 else "THROUGHPUT"
                self._compiled[size] = self._compiled_for(self._model, size, hint, self._precision)
            return self._compiled[size]

    def _compile_maps(self) -> Any:
        """The network up to where it takes the mean over places, or ``None`` where it does not."""
        import openvino

        with self._lock:
            if "maps" not in self._compiled:
                pooling = self._model.get_results()[0]
                while pooling.get_type_name() in ("Result", "Reshape", "Squeeze"):
                    pooling = pooling.input_value(0).get_node()
                if pooling.get_type_name() != "ReduceMean":
                    return None
                inputs = self._model.get_parameters()
                model = openvino.Model([pooling.input_value(0)], inputs, "feature maps")
                self._compiled["maps"] = self._compiled_for(model, 1, "LATENCY", "f32")
            return self._compiled["maps"]

    def _compiled_for(self, model: Any, size: int, hint: str, precision: str) -> Any:
        model = model.clone()
        model.reshape([size, *self._input_size, 3])
        options = {"PERFORMANCE_HINT": hint, "INFERENCE_PRECISION_HINT": precision}
        if are_limited():  # else OpenVINO takes all that the machine has
            options["INFERENCE_NUM_THREADS"] = str(cores())
        return self._core.compile_model(model, "CPU", options)


def is_quick_in_bf16() -> bool:
    """Whether the processor has bf16 in hardware (AMX or AVX512-BF16), and may use it: elsewhere
    OpenVINO computes in it too, but slower than in 32 bits."""
    import openvino

    capabilities = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "BF16" in capabilities and computes_in("bf16")


def computes_in(precision: str) -> bool:
    """Whether a convolution can be compiled in a precision: 40 ms. OpenVINO's list of capabilities
    names what the processor has, also where its instructions are limited (ONEDNN_MAX_CPU_ISA) and
    every network in 16 bits fails."""
    import openvino
    from openvino import opset13

    pixels = opset13.parameter([1, 3, 8, 8], np.float32)
    kernel = opset13.constant(np.zeros((4, 3, 3, 3), np.float32))
    result = opset13.convolution(pixels, kernel, [1, 1], [0, 0], [0, 0], [1, 1])
    model = openvino.Model([result], [pixels], "probe")
    try:
        openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": precision})
    except RuntimeError:
        return False
    return True


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
