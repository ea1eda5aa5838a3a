"""What runs on a CUDA device, run on the CPU by the same code. No card was at hand."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from fitting_room.embedding import engine as engine_module
from fitting_room.embedding.backbones import Selection, select
from fitting_room.embedding.cuda_engine import CudaEngine
from fitting_room.embedding.engine import make_engine
from tests.embedding.conftest import (
    SMALL_INPUT,
    EngineOf,
    assert_maps_come_to_the_features,
    cosines,
    demo_pixels,
)

Compiler = Callable[..., object]


def full_batches(count: int = 1) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (128 * count, 16, 12, 3), np.uint8)


def tiny_engine(tiny: Selection, compiler: Compiler | str, after: int = 0) -> CudaEngine:
    return CudaEngine(tiny, device="cpu", compile_after=after, compiler=compiler)  # type: ignore[arg-type]


def test_it_computes_what_torch_computes_whatever_the_batch(
    tiny: Selection, tiny_pixels: np.ndarray, tiny_features: np.ndarray
) -> None:
    engine = tiny_engine(tiny, "eager", after=10**9)
    np.testing.assert_allclose(engine(tiny_pixels), tiny_features, atol=1e-5)
    pixels = full_batches()
    together = engine(pixels)
    assert (together.dtype, together.shape) == (np.float32, (128, 24))
    np.testing.assert_allclose(together[5:8], engine(pixels[5:8]), atol=1e-5)


def test_the_packaged_network_agrees_with_torch_in_16_bits(engine_of: EngineOf) -> None:
    pixels = demo_pixels(3, SMALL_INPUT)
    selection = select("efficientnet_lite0", input_size=SMALL_INPUT)
    engine = CudaEngine(selection, device="cpu", precision="bf16")
    assert engine.name == "torch cpu bf16"
    assert cosines(engine(pixels), engine_of("efficientnet_lite0", "torch")(pixels)).min() >= 0.99
    assert_maps_come_to_the_features(engine, pixels[:2])


def test_where_there_is_a_card_it_is_made(tiny: Selection, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[dict[str, object]] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(engine_module, "CudaEngine", lambda _, **how: made.append(how))
    make_engine(tiny, kind="cuda", precision="f32")
    assert made == [{"precision": "f32"}]


# --- compiled ---------------------------------------------------------------------------------


def test_a_long_build_is_compiled_and_a_query_is_not(tiny: Selection) -> None:
    """The compiler is called for full batches after so many pictures, once, and what it makes
    answers from then on, for several threads."""
    shapes: list[tuple[int, ...]] = []
    ran: list[int] = []

    def compiler(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> Compiler:
        shapes.append(next(tuple(i.shape) for i in inputs if i.dtype == torch.uint8))

        def run(*values: torch.Tensor) -> object:
            ran.append(1)
            return graph.forward(*values)

        return run

    engine, plain = tiny_engine(tiny, compiler, after=128), make_engine(tiny, kind="torch")
    pixels = full_batches(4)
    first = engine(pixels[:128])
    assert shapes == []
    engine(pixels[128:256])
    assert shapes == [(128, 16, 12, 3)]
    assert len(ran) == 2  # to compare, and for the batch
    with ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(engine, [pixels[256:384], pixels[384:]]))
    assert len(ran) == 4
    engine(pixels[:3])
    assert len(ran) == 4
    assert len(shapes) == 1
    wanted = plain(pixels)
    np.testing.assert_allclose(
        np.concatenate([first, *rows]), wanted[[*range(128), *range(256, 512)]], atol=1e-4
    )


def test_a_compiler_that_fails_is_logged_and_not_asked_again(
    tiny: Selection, caplog: pytest.LogCaptureFixture
) -> None:
    asked = []

    def compiler(*_: object) -> Compiler:
        asked.append(1)
        raise RuntimeError("no Triton on this machine")

    engine, pixels = tiny_engine(tiny, compiler), full_batches()
    with caplog.at_level(logging.WARNING):
        rows = [engine(pixels) for _ in range(3)]
    assert "not compiled" in caplog.text
    assert "no Triton" in caplog.text
    assert len(asked) == 1
    np.testing.assert_allclose(rows[2], make_engine(tiny, kind="torch")(pixels), atol=1e-5)


def test_a_compiler_that_makes_another_network_is_not_believed(
    tiny: Selection, caplog: pytest.LogCaptureFixture
) -> None:
    def compiler(graph: torch.fx.GraphModule, _: object) -> Compiler:
        return lambda *values: [out.flip(1) for out in graph.forward(*values)]

    engine, pixels = tiny_engine(tiny, compiler), full_batches()
    with caplog.at_level(logging.WARNING):
        rows = engine(pixels)
    assert "agrees with it to" in caplog.text
    np.testing.assert_allclose(rows, make_engine(tiny, kind="torch")(pixels), atol=1e-5)


def test_maps_are_never_the_compiled_networks(caplog: pytest.LogCaptureFixture) -> None:
    ran: list[int] = []

    def compiler(graph: torch.fx.GraphModule, _: object) -> Compiler:
        return lambda *values: (ran.append(1), graph.forward(*values))[1]

    selection = select("efficientnet_lite0", input_size=(32, 32))
    engine = CudaEngine(selection, device="cpu", compile_after=0, compiler=compiler)  # type: ignore[arg-type]
    pixels = demo_pixels(128, (32, 32))
    rows = engine(pixels)
    assert len(ran) == 2, caplog.text
    maps = engine.feature_maps(pixels)
    assert len(ran) == 2
    assert maps is not None
    assert cosines(maps.mean(axis=(1, 2)), rows).min() >= 0.999
