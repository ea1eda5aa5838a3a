"""Precision, average precision and hits of ranked results, and how sure their means are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CONFIDENCE, RESAMPLES = 0.95, 2_000
#: Numbers that one step of the bootstrap draws at most; each takes a few dozen bytes.
DRAWN_AT_ONCE = 1_000_000


def precision_at_k(right: np.ndarray) -> np.ndarray:
    """The fraction of right results among the first k, float ``(Q,)``, of bool ``(Q, k)``. A
    result that is missing, because the gallery is smaller than k, is not right."""
    return np.asarray(right.mean(axis=1, dtype=np.float64))


def average_precision_at_k(right: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Average precision among the first k results, float ``(Q,)``; its mean is mAP@k.

    ``right`` is bool ``(Q, k)``, best result first; ``relevant``, int ``(Q,)``, is how many right
    items the gallery has. The sum over all right ranks i of (right results up to i) / i is divided
    by ``min(k, relevant)``, so that 1 is the best possible. Without any right item it is 0."""
    ranks = np.arange(1, right.shape[1] + 1)
    sums = np.where(right, np.cumsum(right, axis=1) / ranks, 0.0).sum(axis=1)
    return np.asarray(sums / np.clip(relevant, 1, right.shape[1]))


def hit_at_k(right: np.ndarray) -> np.ndarray:
    """Whether at least one of the first k results is right, bool ``(Q,)``, of bool ``(Q, k)``."""
    return np.asarray(right.any(axis=1))


def reciprocal_rank(right: np.ndarray) -> np.ndarray:
    """One over the rank of the first right result, float ``(Q,)``, of bool ``(Q, k)``, and 0 where
    none of the first k is right; its mean is MRR@k."""
    return np.asarray(np.where(right.any(axis=1), 1 / (1 + right.argmax(axis=1)), 0.0))


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over queries, and the 95 % bootstrap interval around it."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f}-{self.high:.3f})"


def bootstrap_figures(values: np.ndarray, seed: int = 0) -> list[Figure]:
    """The mean of each row of ``values``, float ``(F, Q)`` between 0 and 1, with the interval that
    it would lie in 19 times out of 20 for other queries of the same sort: the percentile bootstrap
    (Efron 1979) over the ``Q`` queries, which are drawn for all rows alike. A single query says
    nothing about others, so its interval is from 0 to 1."""
    low, high = np.zeros(len(values)), np.ones(len(values))
    if values.shape[1] > 1:
        from scipy import stats

        result = stats.bootstrap(
            (values,),
            np.mean,
            axis=1,
            vectorized=True,
            method="percentile",
            confidence_level=CONFIDENCE,
            n_resamples=RESAMPLES,
            batch=max(1, DRAWN_AT_ONCE // values.size),
            # The older of the two names of this argument, which all of its versions know.
            random_state=np.random.default_rng(seed),
        )
        low, high = result.confidence_interval
    rows = np.column_stack([values.mean(axis=1), low, high]).tolist()
    return [Figure(*row) for row in rows]
