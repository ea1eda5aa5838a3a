"""Which engine runs a network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fitting_room.embedding import engine as engine_module
from fitting_room.embedding.backbones import Selection
from fitting_room.embedding.engine import EngineError, make_engine


def test_an_unknown_engine_is_refused_and_the_known_ones_are_named(tiny: Selection) -> None:
    with pytest.raises(EngineError, match=r"tensorrt.*openvino.*torch"):
        make_engine(tiny, kind="tensorrt")


def test_an_unknown_precision_is_refused_and_the_known_ones_are_named(tiny: Selection) -> None:
    with pytest.raises(EngineError, match=r"f64.*f32.*bf16"):
        make_engine(tiny, precision="f64")


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_an_accelerator_that_is_not_there_is_refused(
    tiny: Selection, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(EngineError, match=kind.upper()):
        make_engine(tiny, kind=kind)


def test_auto_takes_openvino_on_a_machine_without_accelerator(
    tiny: Selection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "_accelerator", lambda: None)
    assert make_engine(tiny, kind="auto").name.startswith("openvino")


def test_without_openvino_auto_takes_torch_and_openvino_is_refused(
    tiny: Selection,
    tiny_pixels: np.ndarray,
    tiny_features: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine_module, "_accelerator", lambda: None)
    monkeypatch.setattr(engine_module, "_has_openvino", lambda: False)
    engine = make_engine(tiny, kind="auto")
    assert engine.name == "torch cpu f32"
    np.testing.assert_allclose(engine(tiny_pixels), tiny_features, atol=1e-4)
    with pytest.raises(EngineError, match="pip install openvino"):
        make_engine(tiny, kind="openvino")


@pytest.mark.parametrize("there", [[], ["mps"], ["cuda"], ["cuda", "mps"]])
def test_auto_asks_torch_for_an_accelerator_where_there_may_be_one(
    monkeypatch: pytest.MonkeyPatch, there: list[str]
) -> None:
    monkeypatch.setattr(engine_module.sys, "platform", "darwin")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in there)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in there)
    assert engine_module._accelerator() == (there[0] if there else None)
