"""A network as torch runs it."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from fitting_room.embedding.backbone import Selection


class TorchEngine:
    """The network as torch runs it, in channels-last layout. ``auto`` is 16 bits (f16, which keeps
    three bits more than bf16) on CUDA and MPS, and 32 on the CPU."""

    def __init__(
        self, selection: Selection, *, device: str = "cpu", precision: str = "auto"
    ) -> None:
        import torch

        if precision == "auto":
            precision = "f32" if device == "cpu" else "f16"
        self.name = f"torch {device} {precision}"
        self.batch_size = 16 if device == "cpu" else 64
        self.streams = 1  # torch spreads one batch over all cores by itself
        self._device = torch.device(device)
        self._short = {"bf16": torch.bfloat16, "f16": torch.float16}.get(precision)
        module = selection.backbone.module(selection.weights).to(self._device)
        self._module = module.to(memory_format=torch.channels_last)
        self._maps = threading.local()
        pools = [m for m in module.modules() if isinstance(m, torch.nn.AdaptiveAvgPool2d)]
        if pools and pools[-1].output_size in (1, (1, 1)):
            pools[-1].register_forward_pre_hook(self._keep_maps)

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        import torch

        features = self._features(self._module, torch.from_numpy(pixels).to(self._device))
        return features.cpu().numpy()  # type: ignore[no-any-return]

    def _features(self, module: Any, pixels: Any) -> Any:
        """A module's answer to pixels on the device, float32 and on the device."""
        import torch

        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, dtype=self._short, enabled=self._short is not None),
        ):
            return module(pixels).float()

    def feature_maps(self, pixels: np.ndarray) -> np.ndarray | None:
        """See :class:`fitting_room.embedding.engine.Engine`."""
        self._maps.kept, self._maps.wanted = None, True
        try:
            features = self(pixels)
            maps = self._maps.kept
        finally:
            self._maps.kept, self._maps.wanted = None, False
        if maps is None:
            return None
        by_place: np.ndarray = maps.permute(0, 2, 3, 1).float().cpu().numpy()
        means = by_place.mean(axis=(1, 2))
        # Layers may follow the mean, as in MobileNetV3: what is before it is no map of the answer.
        if means.shape != features.shape or not np.allclose(means, features, rtol=0.1, atol=0.05):
            return None
        return by_place

    def _keep_maps(self, _: object, inputs: tuple[Any, ...]) -> None:
        if getattr(self._maps, "wanted", False):
            self._maps.kept = inputs[0]
