"""A head made by hand, without training, that ranks otherwise than the network alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from fitting_room.build.writer import write_head
from fitting_room.index.head import DESCRIPTOR_INPUTS, Head
from fitting_room.index.index import Index


def headed_index(index: Index, folder: Path) -> Path:
    """A copy of an index with a head whose hidden layer has a unit for each kind of article: how
    similar an embedding is to the kind's mean."""
    shutil.copytree(index.folder, folder)
    kinds = tuple(sorted(index.items["articleType"].unique()))
    rows = index.items["articleType"].to_numpy()
    means = np.stack([index.vectors[rows == kind].mean(axis=0) for kind in kinds])
    means -= means.mean(axis=0)
    inputs = index.dimension + DESCRIPTOR_INPUTS
    unseen = np.zeros((len(kinds), DESCRIPTOR_INPUTS), np.float32)
    each = np.eye(len(kinds), dtype=np.float32)
    head = Head(
        columns=("articleType",),
        labels={"articleType": kinds},
        proxies={"articleType": each},
        weights={"articleType": 1.0},
        record={"loss": "none"},
        mean=np.zeros(inputs, np.float32),
        scale=np.ones(inputs, np.float32),
        hidden_weight=np.hstack([means.astype(np.float32), unseen]),
        hidden_bias=np.zeros(len(kinds), np.float32),
        norm_weight=np.ones(len(kinds), np.float32),
        norm_bias=np.zeros(len(kinds), np.float32),
        output_weight=each,
        output_bias=np.zeros(len(kinds), np.float32),
    )
    write_head(folder, head)
    return folder
