"""The losses that label columns are learned with, from pytorch-metric-learning: items with the same
label come together, others move apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

# Chosen by evaluation: docs/relevance.md.
#: How much a column's loss counts beside the others, where that is not 1.
COLUMN_WEIGHTS: Mapping[str, float] = {"gender": 1.75}
#: What cosines are divided by before a softmax.
TEMPERATURE = 1 / 16


class LossError(Exception):
    """A loss that cannot be made; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss for one column. ``make`` takes the library's losses, the number of labels and the
    length of an embedding; ``mine``, if any, takes its miners. ``proxies`` fetches a row for each
    label from what was made; without it the labels' mean embeddings serve."""

    name: str
    make: Callable[[Any, int, int], Any]
    mine: Callable[[Any], Any] | None = None
    proxies: Callable[[Any], torch.Tensor] | None = None


def _normalised_softmax(losses: Any, labels: int, dimension: int) -> Any:
    import torch

    # Its own start, deviation 1, would need a learning rate of its own to get anywhere.
    start = partial(torch.nn.init.normal_, std=0.6 / math.sqrt(dimension))
    return losses.NormalizedSoftmaxLoss(
        labels, dimension, temperature=TEMPERATURE, weight_init_func=start
    )


#: The losses by name. A new one is one entry here.
LOSSES: Mapping[str, Loss] = {
    loss.name: loss
    for loss in (
        # Zhai and Wu 2019, "Classification is a strong baseline for deep metric learning".
        Loss("proxies", _normalised_softmax, proxies=lambda module: module.W.t()),
        # Kim et al. 2020, "Proxy Anchor loss for deep metric learning".
        Loss(
            "proxy_anchor",
            lambda losses, labels, dimension: losses.ProxyAnchorLoss(labels, dimension),
            proxies=lambda module: module.proxies,
        ),
        # Khosla et al. 2020, "Supervised contrastive learning".
        Loss("supcon", lambda losses, *_: losses.SupConLoss(temperature=0.1)),
        # Wang et al. 2019, "Multi-similarity loss with general pair weighting".
        Loss(
            "multi_similarity",
            lambda losses, *_: losses.MultiSimilarityLoss(),
            mine=lambda miners: miners.MultiSimilarityMiner(),
        ),
    )
}


class ColumnLosses:
    """The losses of all columns on one shared embedding."""

    def __init__(
        self, loss: Loss, labels: Mapping[str, tuple[str, ...]], dimension: int, device: str = "cpu"
    ) -> None:
        try:
            from pytorch_metric_learning import losses, miners
        except ModuleNotFoundError as error:
            raise LossError(
                f"Training needs {error.name}: pip install 'fitting-room[build,train]'."
            ) from error
        self._loss, self._labels = loss, labels
        self._miner = None if loss.mine is None else loss.mine(miners)
        self._modules = {
            column: loss.make(losses, len(values), dimension).to(device)
            for column, values in labels.items()
        }
        self.weights = {column: COLUMN_WEIGHTS.get(column, 1.0) for column in labels}

    def parameters(self) -> list[torch.nn.Parameter]:
        return [p for module in self._modules.values() for p in module.parameters()]

    def __call__(self, embeddings: torch.Tensor, codes: Mapping[str, np.ndarray]) -> torch.Tensor:
        """The weighted sum over the columns for unit ``embeddings`` ``(B, E)`` and the places of
        their labels, int64 ``(B,)`` each; items without a label (-1) have no part in its column's
        loss."""
        import torch

        total = embeddings.sum() * 0
        for column, module in self._modules.items():
            known = codes[column] >= 0
            if not known.any():
                continue
            labelled = embeddings if known.all() else embeddings[known]
            labels = torch.from_numpy(codes[column][known]).to(embeddings.device)
            pairs = None if self._miner is None else self._miner(labelled, labels)
            total = total + self.weights[column] * module(labelled, labels, pairs)
        return total

    def of_photographs(
        self,
        photographs: torch.Tensor,
        allowed: np.ndarray,
        column: str,
        items: torch.Tensor,
        codes: np.ndarray,
    ) -> torch.Tensor:
        """``-log`` of the probability that a photograph is of one of the labels it may have, of
        those that may have any.

        ``photographs`` are unit rows ``(B, E)``, ``allowed`` bool ``(B, labels)``. The softmax runs
        over the labels' proxies, or, with a loss that has none, over the batch's ``items``
        ``(I, E)`` with labels ``codes`` ``(I,)``."""
        import torch

        proxies = self.proxies(column)
        if proxies is None:
            known = codes >= 0
            proxies, allowed = items[known], allowed[:, codes[known]]
        answerable = np.flatnonzero(allowed.any(axis=1))
        photographs, allowed = photographs[answerable], allowed[answerable]
        if len(photographs) == 0:
            return items.sum() * 0
        log_probabilities = torch.log_softmax(photographs @ proxies.T / TEMPERATURE, dim=1)
        forbidden = torch.from_numpy(~allowed).to(photographs.device)
        return -log_probabilities.masked_fill(forbidden, -torch.inf).logsumexp(dim=1).mean()

    def start_from(
        self, proxies: Mapping[str, np.ndarray], labels: Mapping[str, tuple[str, ...]] | None = None
    ) -> None:
        """Put proxies that are known already, unit rows ``(labels, E)`` by column, in place of
        those that were drawn, for all labels or those of ``labels``. A loss without proxies has
        nothing to start from."""
        import torch

        for column, module in self._modules.items():
            if self._loss.proxies is None or column not in proxies:
                continue
            own = self._labels[column]
            rows = {
                label: row for row, label in enumerate(own if labels is None else labels[column])
            }
            both = [place for place, label in enumerate(own) if label in rows]
            known = proxies[column][[rows[own[place]] for place in both]]
            parameter = self._loss.proxies(module)
            with torch.no_grad():
                # As long as those drawn are on average: what comes of them is scaled anyway.
                length = parameter.norm(dim=1).mean()
                parameter[both] = torch.from_numpy(known).to(parameter) * length

    def proxies(self, column: str) -> torch.Tensor | None:
        """Unit rows ``(labels, E)``, or ``None`` with a loss that learns none."""
        import torch

        if self._loss.proxies is None:
            return None
        return torch.nn.functional.normalize(self._loss.proxies(self._modules[column]), dim=1)
