"""What the losses of label columns ask of embeddings."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fitting_room.learning.losses import LOSSES, ColumnLosses


@pytest.mark.parametrize("name", list(LOSSES))
def test_items_without_any_label_have_no_part_in_a_loss(name: str) -> None:
    labels = {"kind": ("a", "b"), "colour": ("x", "y", "z")}
    torch.manual_seed(0)
    losses = ColumnLosses(LOSSES[name], labels, 8)
    embeddings = torch.nn.functional.normalize(torch.randn(6, 8), dim=1).requires_grad_()
    codes = {"kind": np.array([0, 0, 1, 1, -1, -1]), "colour": np.array([0, 0, 1, 1, 2, -1])}
    loss = losses(embeddings, codes)
    loss.backward()
    assert loss > 0
    assert embeddings.grad is not None
    assert torch.isfinite(embeddings.grad).all()
    assert (embeddings.grad[5] == 0).all()
    nothing = {column: np.full(6, -1) for column in labels}
    assert losses(embeddings, nothing).item() == 0


@pytest.mark.parametrize("name", list(LOSSES))
def test_a_photograph_is_drawn_to_what_it_may_be(name: str) -> None:
    torch.manual_seed(0)
    losses = ColumnLosses(LOSSES[name], {"kind": ("a", "b", "c")}, 8)
    proxies = losses.proxies("kind")
    places = torch.eye(3, 8) if proxies is None else proxies.detach()
    codes = np.array([0, 1, 2, -1])
    items = torch.cat([places, torch.ones(1, 8) / 8**0.5])
    photograph = places[:1]

    def loss(*allowed: bool) -> float:
        return losses.of_photographs(photograph, np.array([allowed]), "kind", items, codes).item()

    assert loss(True, False, False) < loss(False, True, False)
    assert loss(True, True, False) < loss(True, False, False)
    assert loss(True, True, True) == pytest.approx(0, abs=1e-5)
