"""What became of pictures, as columns that travel between machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from fitting_room.embedding.embedder import Outcome
from fitting_room.imaging.decode import ImageRejected
from fitting_room.imaging.descriptors import DESCRIPTOR_LENGTH
from fitting_room.imaging.features import Features

#: What became of a picture. ``BROKEN`` says that a machine cannot work at all, and why.
DESCRIBED, KNOWN, REJECTED, BROKEN = range(4)

#: Of one picture: its row in the catalogue, the digest of its bytes, and what became of it.
Result = tuple[int, str, Outcome]
Columns = Mapping[str, np.ndarray]


def as_columns(results: Sequence[Result], dimensions: tuple[int, int]) -> dict[str, np.ndarray]:
    """Results as arrays of equal length. ``dimensions`` are those of the embeddings and of the
    embeddings of the network that the head brings, or 0."""
    count, own = len(results), dimensions[0]
    states = np.full(count, DESCRIBED, np.int8)
    reasons = np.full((2, count), "", object)
    embeddings = np.zeros((count, sum(dimensions)), np.float32)
    descriptors = np.zeros((count, DESCRIPTOR_LENGTH), np.uint8)
    for place, (_, _, outcome) in enumerate(results):
        if outcome is None:
            states[place] = KNOWN
        elif isinstance(outcome, ImageRejected):
            states[place] = REJECTED
            reasons[:, place] = outcome.reason, outcome.name or ""
        else:
            embeddings[place, :own] = outcome.embeddings[0]
            if outcome.head_embeddings is not None:
                embeddings[place, own:] = outcome.head_embeddings[0]
            descriptors[place] = outcome.descriptors
    return {
        "row": np.array([row for row, _, _ in results], np.int64),
        "digest": np.array([digest for _, digest, _ in results], object),
        "state": states,
        "reason": reasons[0],
        "name": reasons[1],
        "embedding": embeddings,
        "descriptors": descriptors,
    }


def broken(reason: str) -> dict[str, np.ndarray]:
    """Says that this machine cannot work."""
    columns = as_columns([(-1, "", ImageRejected(reason))], (1, 0))
    columns["state"][:] = BROKEN
    return columns


def why_broken(columns: Columns) -> str | None:
    """What :func:`broken` was given, if these columns are from there."""
    found = np.flatnonzero(columns["state"] == BROKEN)
    return str(columns["reason"][found[0]]) if len(found) else None


def results_of(columns: Columns, dimension: int) -> Iterator[Result]:
    """What :func:`as_columns` was given, embeddings of ``dimension`` numbers first."""
    for place, row in enumerate(columns["row"].tolist()):
        yield row, str(columns["digest"][place]), _outcome(columns, place, dimension)


def _outcome(columns: Columns, place: int, dimension: int) -> Outcome:
    state = columns["state"][place]
    if state == KNOWN:
        return None
    if state == REJECTED:
        name = str(columns["name"][place]) or None
        return ImageRejected(str(columns["reason"][place]), name=name)
    both = columns["embedding"][place]
    of_head = both[None, dimension:] if len(both) > dimension else None
    return Features(both[None, :dimension], columns["descriptors"][place], of_head)
