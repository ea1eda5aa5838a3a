"""Codes that candidates are found by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from fitting_room.imaging.descriptors import COLOURS, DESCRIPTOR_LENGTH
from fitting_room.imaging.features import normalise
from fitting_room.index.codes import MOST, JointEncoder
from fitting_room.index.scoring import COLOUR, EMBEDDING, OUTLINE, unit_bytes
from tests.index.made import in_memory

COUNT, DIMENSION = 80, 12


@pytest.fixture
def vectors() -> np.ndarray:
    generator = np.random.default_rng(1)
    return normalise(generator.normal(size=(COUNT, DIMENSION)).astype(np.float32))


@pytest.fixture
def encoder(vectors: np.ndarray) -> JointEncoder:
    return JointEncoder.learn(in_memory(vectors, descriptors=_descriptors()).store.block(_all()))


def _all() -> np.ndarray:
    return np.arange(COUNT)


def _descriptors() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (COUNT, DESCRIPTOR_LENGTH)).astype(np.uint8)


def test_codes_have_few_numbers(encoder: JointEncoder) -> None:
    assert encoder.learned.shape[1] == 0  # there is no head
    assert encoder.embedding.shape == (DIMENSION, DIMENSION)
    assert encoder.width == DIMENSION + MOST[OUTLINE] + MOST[COLOUR]


@pytest.mark.parametrize("weight", [0.0, 0.12, 0.95])
def test_their_dot_products_are_near_the_similarities(
    encoder: JointEncoder, vectors: np.ndarray, weight: float
) -> None:
    descriptors = _descriptors()
    block = in_memory(vectors, descriptors=descriptors).store.block(_all())
    colours = unit_bytes(descriptors[:, COLOURS])
    question = {EMBEDDING: (1 - weight) * vectors[:3], COLOUR: weight * colours[:3]}
    exact = (1 - weight) * vectors[:3] @ vectors.T + weight * colours[:3] @ colours.T
    found = encoder.of_question(question) @ encoder.of_items(block).T
    # All directions of the embeddings are kept, and of colours the main ones.
    assert np.abs(found - exact).max() < 1e-5 + 0.4 * weight
    assert (found.argmax(axis=1) == np.arange(3)).all() or weight > 0.5


def test_a_part_that_is_not_asked_for_does_not_count(
    encoder: JointEncoder, vectors: np.ndarray
) -> None:
    code = encoder.of_question({EMBEDDING: vectors[:2]})
    assert code.shape == (2, encoder.width)
    assert not code[:, DIMENSION:].any()


def test_an_encoder_is_read_as_it_was_written(encoder: JointEncoder, tmp_path: Path) -> None:
    encoder.save(tmp_path / "codes")
    again = JointEncoder.load(tmp_path / "codes", DIMENSION, 0)
    for one, other in zip(again, encoder, strict=True):
        assert np.array_equal(one, other)


def test_one_of_another_index_is_refused(encoder: JointEncoder, tmp_path: Path) -> None:
    path = tmp_path / "codes"
    encoder.save(path)
    for dimension, learned in ((DIMENSION + 1, 0), (DIMENSION, 5)):
        with pytest.raises(ValueError, match="does not belong"):
            JointEncoder.load(path, dimension, learned)
    parts = encoder._asdict()
    bad = [
        {**parts, "colour": parts["colour"].astype(np.float64)},
        {**parts, "outline": parts["outline"] * np.float32(np.nan)},
        {**parts, "outline": parts["outline"].reshape(-1)},
        {name: part for name, part in parts.items() if name != "colour"},
        {**parts, "more": parts["colour"]},
    ]
    for values in bad:
        save_file(values, path)
        with pytest.raises(ValueError, match=r"belong|damaged"):
            JointEncoder.load(path, DIMENSION, 0)
    path.write_bytes(b"\0" * 100)
    with pytest.raises(ValueError, match="damaged"):
        JointEncoder.load(path, DIMENSION, 0)
