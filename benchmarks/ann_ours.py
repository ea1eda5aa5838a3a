"""The project's own search as the benchmarks run it, and what a method looks like to them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ann_data import RESULTS, Problem

from fitting_room.index.ann import ENCODER_SAMPLE, MAX_DIRECTIONS, AnnEncoder
from fitting_room.index.scoring import ScoreTerm, best, best_among, nearest

try:
    from fitting_room.index.inverted_file import AnnIndex, AnnSearchParams
except ImportError:  # another checkout is measured, of before this file was there
    from fitting_room.index.ann import AnnIndex, AnnSearchParams  # type: ignore[attr-defined]

Search = Callable[[np.ndarray], np.ndarray]
#: Groups that ours visits, and candidates that it compares exactly.
OURS = ((4, 30), (8, 30), (12, 30), (16, 30), (24, 30), (24, 60), (32, 60), (64, 100), (128, 200))


@dataclass
class Contestant:
    """``searches`` answer one query with rows; ``bytes`` are what is kept, with the raw rows where
    the library does not keep them itself."""

    searches: dict[str, Search]
    bytes: float


def kept(folder: Path, name: str, make: Callable[[Path], object]) -> Path:
    """A file or folder that ``make`` writes where it is not there yet."""
    path = folder / name
    if not path.exists():
        part = folder / f"part-{name}"
        if part.is_dir():  # of a run that was stopped
            shutil.rmtree(part)
        make(part)
        part.rename(path)
    return path


def ours_exact(task: Problem, folder: Path, threads: int) -> Contestant:
    def search(query: np.ndarray) -> np.ndarray:
        terms = [ScoreTerm("embedding", task.rows, query[None])]
        scores = np.zeros((1, len(task.rows)), np.float32)
        return best(terms, 0, nearest(terms, 0, RESULTS, None, scores), RESULTS).rows

    return Contestant({"all": search}, task.rows.nbytes)


def ours(task: Problem, folder: Path, threads: int) -> Contestant:
    """The inverted file over the rows' codes, whose candidates are compared exactly. Wider rows are
    reduced, as an index does it."""
    encoder = _encoder(task.rows)

    def codes(rows: Any) -> np.ndarray:
        return task.rows[rows] if encoder is None else encoder.encode(task.rows[rows], None, None)

    count, width = len(task.rows), min(task.rows.shape[1], MAX_DIRECTIONS[0])
    path = kept(folder, "ann.faiss", lambda part: AnnIndex.write(part, codes, count, width))
    index = AnnIndex.open(path, count, width)

    def at(params: AnnSearchParams) -> Search:
        return candidates_search(index, task.rows, params, encoder)

    searches = {f"{p} groups, {n}": at(AnnSearchParams(p, 3, n)) for p, n in OURS}
    return Contestant(searches, task.rows.nbytes + path.stat().st_size)


def _encoder(rows: np.ndarray) -> AnnEncoder | None:
    most = MAX_DIRECTIONS[0]
    if rows.shape[1] <= most:
        return None
    sample = rows[:: max(1, len(rows) // ENCODER_SAMPLE)]
    _, vectors = np.linalg.eigh(sample.T @ sample)
    directions = np.ascontiguousarray(vectors[:, -most:], np.float32)
    nothing = np.zeros((1, 0), np.float32)
    return AnnEncoder(directions, nothing, nothing)


def candidates_search(
    index: AnnIndex, rows: Any, params: AnnSearchParams, encoder: AnnEncoder | None = None
) -> Any:
    """A search of an inverted file, with a mask if it is given one."""

    def search(query: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        code = query[None] if encoder is None else encoder.encode(query[None], None, None)
        (found,) = index.candidates(code, RESULTS, params, mask)
        return best_among([ScoreTerm("embedding", rows, query[None])], 0, found, RESULTS).rows

    return search
