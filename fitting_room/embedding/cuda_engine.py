"""A network on a CUDA device, for thousands of pictures a second."""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from fitting_room.embedding.backbone import Selection
from fitting_room.embedding.torch_engine import TorchEngine
from fitting_room.imaging.features import normalise
from fitting_room.util.threads import cores

_log = logging.getLogger(__name__)

#: Pictures in full batches after which the network is compiled, which takes about a minute: a
#: smaller build is over before that is won back.
COMPILE_AFTER = 100_000
#: The least cosine between what the compiled network and the other make of a picture.
LEAST_COSINE = 0.999


class CudaEngine(TorchEngine):
    """The network as torch runs it on a CUDA device: pixels in pinned memory, two batches at a
    time, each on a stream of its own, so that one is copied while the other is computed. Pictures
    are opened and prepared ahead of it by ``preparers`` processes
    (:mod:`fitting_room.embedding.preparing`).

    Full batches, which builds are made of, run compiled (``torch.compile``) from the
    ``compile_after``-th picture on, while others go on as before; queries never do. What the
    compiler makes is taken where it agrees with the network, and what does not work is logged.

    With ``device`` "cpu" the same code runs there, without pinned memory and streams; so it is
    tested.
    """

    def __init__(
        self,
        selection: Selection,
        *,
        device: str = "cuda",
        precision: str = "auto",
        compile_after: int = COMPILE_AFTER,
        compiler: str = "inductor",
    ) -> None:
        import torch

        super().__init__(selection, device=device, precision=precision)
        self.batch_size, self.streams, self.preparers = 128, 2, cores()
        self._on_card = self._device.type == "cuda"
        self._compile_after, self._compiler = compile_after, compiler
        self._in_full_batches = 0
        self._compiled: Any = None
        self._may_compile = threading.Lock()  # taken once and never given back
        self._turns = threading.BoundedSemaphore(self.streams)  # what is in the card's memory
        self._own = threading.local()
        if self._on_card:
            torch.cuda.synchronize()  # the weights came on another stream than batches will

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        is_full = len(pixels) == self.batch_size and not getattr(self._maps, "wanted", False)
        module = self._for_full_batches(pixels) if is_full else self._module
        with self._turns:
            return self._run(module, pixels)

    def _run(self, module: Any, pixels: np.ndarray) -> np.ndarray:
        import torch

        with self._stream():
            held = torch.empty(pixels.shape, dtype=torch.uint8, pin_memory=self._on_card)
            held.numpy()[:] = pixels
            features = self._features(module, held.to(self._device, non_blocking=True))
            return features.cpu().numpy()  # type: ignore[no-any-return]  # waits for the stream

    @contextmanager
    def _stream(self) -> Iterator[None]:
        """A stream of the thread's own."""
        import torch

        if not self._on_card:
            yield
            return
        if not hasattr(self._own, "stream"):
            self._own.stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        with torch.cuda.stream(self._own.stream):
            yield

    def _for_full_batches(self, pixels: np.ndarray) -> Any:
        """The compiled network where there is one; compiles it when its time has come."""
        if self._compiled is None:
            self._in_full_batches += len(pixels)
            due = self._in_full_batches > self._compile_after
            if due and self._may_compile.acquire(blocking=False):
                self._compiled = self._compile(pixels)
        return self._module if self._compiled is None else self._compiled

    def _compile(self, pixels: np.ndarray) -> Any:
        """The network compiled for full batches such as ``pixels``, or ``None``."""
        import torch

        try:
            # A hook leads back here, which is not to be copied; it has no work in a build.
            network = copy.deepcopy(self._module, {id(self): self})
            for layer in network.modules():
                layer._forward_pre_hooks.clear()
            # Every size of batch would be compiled anew, so that there is one.
            compiled = torch.compile(network, dynamic=False, backend=self._compiler)
            with self._turns:
                rows = normalise(self._run(compiled, pixels))
                wanted = normalise(self._run(self._module, pixels))
        except Exception as error:  # whatever a compiler lacks or cannot do
            _log.warning("The network is not compiled, and runs as it is: %s", str(error)[:300])
            return None
        least = float((rows * wanted).sum(axis=1).min())
        if not least >= LEAST_COSINE:
            _log.warning(
                "The network is not compiled, since the compiler's agrees with it to %.4f only.",
                least,
            )
            return None
        return compiled
