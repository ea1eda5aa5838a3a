"""A head for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fitting_room.imaging.features import normalise
from fitting_room.index.head import DESCRIPTOR_INPUTS, Head

DIMENSION, HIDDEN, INPUT = 6, 12, 5


def random_head(seed: int = 0, **changes: Any) -> Head:
    """A head that was never trained."""
    generator = np.random.default_rng(seed)

    def numbers(*shape: int) -> np.ndarray:
        return generator.normal(size=shape).astype(np.float32)

    inputs = INPUT + DESCRIPTOR_INPUTS
    labels = {"kind": ("Dress", "Shirt", "Cap"), "colour": ("Blue", "Röt")}
    head = Head(
        columns=("kind", "colour"),
        labels=labels,
        proxies={name: normalise(numbers(len(v), DIMENSION)) for name, v in labels.items()},
        weights={"kind": 1.0, "colour": 0.5},
        record={"loss": "proxies", "seed": 3},
        mean=numbers(inputs) / 10,
        scale=np.abs(numbers(inputs)) + 0.5,
        hidden_weight=numbers(HIDDEN, inputs) / 10,
        hidden_bias=numbers(HIDDEN),
        norm_weight=numbers(HIDDEN),
        norm_bias=numbers(HIDDEN),
        output_weight=numbers(DIMENSION, HIDDEN),
        output_bias=numbers(DIMENSION),
    )
    return replace(head, **changes)
