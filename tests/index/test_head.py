"""A head by itself: what it makes of pictures, and files that are none."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from safetensors.numpy import load, save
from safetensors.numpy import load_file as load_arrays

from fitting_room.imaging.descriptors import COLOURS, DESCRIPTOR_LENGTH, PLAIN_BACKGROUND
from fitting_room.imaging.features import normalise
from fitting_room.index import head as head_module
from fitting_room.index.head import (
    DESCRIPTOR_INPUTS,
    FASHION,
    FASHION_FILE,
    LABEL_PULL,
    Head,
    HeadError,
    head_named,
    is_trained_here,
    sources_of,
)
from tests.index.heads import DIMENSION, HIDDEN, INPUT, random_head


def pictures(
    count: int, *, plain_background: bool = True, seed: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings and descriptors of pictures that do not exist."""
    generator = np.random.default_rng(seed)
    embeddings = normalise(generator.normal(size=(count, INPUT)))
    descriptors = generator.integers(0, 256, (count, DESCRIPTOR_LENGTH), dtype=np.uint8)
    descriptors[:, PLAIN_BACKGROUND] = 255 * plain_background
    return embeddings, descriptors


# --- what it makes of pictures ----------------------------------------------------------------


def test_it_says_what_it_takes_and_what_it_answers() -> None:
    head = random_head()
    assert (head.input_dimension, head.dimension) == (INPUT, DIMENSION)
    answers = head.project(*pictures(7))
    assert answers.shape == (7, DIMENSION)
    assert answers.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(answers, axis=1), 1, rtol=1e-5)
    assert head.project(*pictures(0)).shape == (0, DIMENSION)


def test_it_computes_what_torch_computes() -> None:
    head = random_head()
    embeddings, descriptors = pictures(9)
    inputs = np.concatenate(
        [embeddings, descriptors[:, :DESCRIPTOR_INPUTS] / np.float32(255)], axis=1
    )
    hidden = torch.nn.functional.linear(
        torch.from_numpy(np.clip((inputs - head.mean) / head.scale, -5, 5)),
        torch.from_numpy(head.hidden_weight),
        torch.from_numpy(head.hidden_bias),
    )
    norm = torch.nn.functional.layer_norm(
        hidden, (HIDDEN,), torch.from_numpy(head.norm_weight), torch.from_numpy(head.norm_bias)
    )
    output = torch.nn.functional.linear(
        torch.nn.functional.gelu(norm),
        torch.from_numpy(head.output_weight),
        torch.from_numpy(head.output_bias),
    )
    expected = torch.nn.functional.normalize(output, dim=1).numpy()
    np.testing.assert_allclose(head.project(embeddings, descriptors), expected, atol=2e-6)


def test_of_a_photograph_only_the_embedding_counts() -> None:
    head = random_head()
    embeddings, descriptors = pictures(4, plain_background=False)
    _, others = pictures(4, plain_background=False, seed=2)
    answers = head.project(embeddings, descriptors)
    np.testing.assert_array_equal(answers, head.project(embeddings, others))
    descriptors[:, PLAIN_BACKGROUND] = 255
    assert not np.allclose(answers, head.project(embeddings, descriptors), atol=1e-2)


def test_many_pictures_are_answered_like_one(monkeypatch: pytest.MonkeyPatch) -> None:
    head = random_head()
    embeddings, descriptors = pictures(25)
    whole = head.project(embeddings, descriptors)
    monkeypatch.setattr(head_module, "ROWS_AT_ONCE", 4)
    np.testing.assert_allclose(whole, head.project(embeddings, descriptors), atol=1e-6)
    single = [head.project(embeddings[i : i + 1], descriptors[i : i + 1])[0] for i in range(25)]
    np.testing.assert_allclose(whole, np.stack(single), atol=1e-6)


@pytest.mark.parametrize("shape", [(3, INPUT + 1), (3, 0), (INPUT,)])
def test_embeddings_of_another_network_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="5 dimensions"):
        random_head().project(
            np.zeros(shape, np.float32), np.zeros((3, DESCRIPTOR_LENGTH), np.uint8)
        )
    with pytest.raises(ValueError, match="descriptors"):
        random_head().project(
            np.zeros((3, INPUT), np.float32), np.zeros((2, DESCRIPTOR_LENGTH), np.uint8)
        )


@given(
    st.lists(st.floats(-1e6, 1e6, allow_nan=False, width=32), min_size=INPUT, max_size=INPUT),
    st.integers(0, 255),
)
def test_no_input_makes_anything_but_a_unit_row(values: list[float], value: int) -> None:
    answers = random_head().project(
        np.array([values], np.float32), np.full((1, DESCRIPTOR_LENGTH), value, np.uint8)
    )
    assert np.linalg.norm(answers) == pytest.approx(1, abs=1e-5)


# --- the catalogue's own items ----------------------------------------------------------------


def test_items_are_drawn_towards_their_labels() -> None:
    head = random_head()
    embeddings, descriptors = pictures(6)
    items = pd.DataFrame(
        {
            "kind": ["Dress", "Shirt", None, "Boots", "Cap", float("nan")],
            "colour": ["Röt", None, "Blue", "Green", "Blue", None],
        }
    )
    alone = head.project(embeddings, descriptors)
    drawn = head.project_items(embeddings, descriptors, items)
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), 1, rtol=1e-5)
    kind, colour = head.proxies["kind"], head.proxies["colour"]
    expected = alone.copy()
    expected[0] += LABEL_PULL * (kind[0] + 0.5 * colour[1])
    expected[1] += LABEL_PULL * kind[1]
    expected[2] += LABEL_PULL * 0.5 * colour[0]
    expected[4] += LABEL_PULL * (kind[2] + 0.5 * colour[0])
    np.testing.assert_allclose(drawn, normalise(expected), atol=1e-6)
    # What says nothing, or nothing that the head knows, draws nowhere.
    np.testing.assert_allclose(drawn[[3, 5]], alone[[3, 5]], atol=1e-6)


def test_a_catalogue_without_the_columns_draws_nowhere() -> None:
    head = random_head()
    embeddings, descriptors = pictures(3)
    items = pd.DataFrame({"id": ["1", "2", "3"]})
    np.testing.assert_allclose(
        head.project_items(embeddings, descriptors, items),
        head.project(embeddings, descriptors),
        atol=1e-6,
    )


def test_labels_are_found_in_every_kind_of_table() -> None:
    head = random_head()
    embeddings, descriptors = pictures(3)
    values = ["Cap", "Dress", None]
    answers = [
        head.project_items(
            embeddings, descriptors, pd.DataFrame({"kind": pd.Series(values, dtype=kind)})
        )
        for kind in ("object", "str", "string", "category")
    ]
    for answer in answers[1:]:
        np.testing.assert_array_equal(answers[0], answer)


# --- on disk ----------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "head.safetensors"
    random_head().save(path)
    return path


def test_a_head_comes_back_as_it_was(path: Path) -> None:
    head, again = random_head(), Head.load(path)
    assert again.columns == head.columns
    assert again.labels == head.labels
    assert again.weights == head.weights
    assert again.record == head.record
    assert again.label_pull == head.label_pull
    # Matrices are kept in 16 bits, so it is the second time that nothing changes.
    np.testing.assert_allclose(again.project(*pictures(5)), head.project(*pictures(5)), atol=2e-3)
    again.save(path)
    head, again = again, Head.load(path)
    np.testing.assert_array_equal(again.project(*pictures(5)), head.project(*pictures(5)))
    items = pd.DataFrame({"kind": ["Cap"] * 5, "colour": ["Röt"] * 5})
    np.testing.assert_array_equal(
        again.project_items(*pictures(5), items), head.project_items(*pictures(5), items)
    )
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_the_same_head_is_the_same_file(path: Path, tmp_path: Path) -> None:
    random_head().save(tmp_path / "other.safetensors")
    assert path.read_bytes() == (tmp_path / "other.safetensors").read_bytes()


def test_a_head_that_cannot_be_written_leaves_the_old_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        random_head(1).save(path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def metadata_of(path: Path) -> Any:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        return json.loads(file.metadata()["head"])


def rewrite(
    path: Path,
    arrays: Callable[[dict[str, np.ndarray]], object] = lambda arrays: None,
    metadata: Callable[[Any], object] = lambda metadata: None,
) -> None:
    """Write the head at ``path`` again after some changes."""
    description, values = metadata_of(path), dict(load_arrays(path))
    arrays(values)
    metadata(description)
    path.write_bytes(save(values, {"head": json.dumps(description)}))


def set_to(values: Any, key: Any, value: object) -> None:
    values[key] = value


ARRAY_CHANGES: dict[str, Callable[[dict[str, np.ndarray]], object]] = {
    "an array is missing": lambda a: a.pop("norm_bias"),
    "proxies are missing": lambda a: a.pop("proxies.1"),
    "an array too many": lambda a: set_to(a, "more", np.zeros(2, np.float32)),
    "a nan": lambda a: a["output_bias"].__setitem__(0, np.nan),
    "an infinity": lambda a: a["proxies.0"].__setitem__((0, 0), np.inf),
    "another type": lambda a: set_to(a, "mean", a["mean"].astype(np.float64)),
    "another shape": lambda a: set_to(a, "hidden_weight", a["hidden_weight"].T.copy()),
    "fewer proxies than labels": lambda a: set_to(a, "proxies.0", a["proxies.0"][:2]),
    "a number that overflows": lambda a: a["hidden_weight"].__setitem__((0, 0), 1e38),
    "a scale of next to nothing": lambda a: a["scale"].__setitem__(3, 1e-38),
    "a scale of zero": lambda a: a["scale"].__setitem__(3, 0),
    "a negative scale": lambda a: a["scale"].__setitem__(3, -1),
    "a scalar": lambda a: set_to(a, "output_bias", np.array(1, np.float32)),
    "no room for an embedding": lambda a: set_to(a, "mean", a["mean"][:10]),
    "nothing": lambda a: set_to(a, "output_bias", np.empty(0, np.float32)),
}
METADATA_CHANGES: dict[str, Callable[[Any], object]] = {
    "another format": lambda m: set_to(m, "format", "fitting-room-index"),
    "another version": lambda m: set_to(m, "format_version", 99),
    "no columns": lambda m: m.pop("columns"),
    "columns of nothing": lambda m: set_to(m, "columns", []),
    "columns that are a number": lambda m: set_to(m, "columns", 3),
    "a column twice": lambda m: m["columns"].__setitem__(1, m["columns"][0]),
    "a label twice": lambda m: set_to(m["columns"][0], "labels", ["a", "a", "b"]),
    "a label that is no text": lambda m: set_to(m["columns"][0], "labels", [1, 2, 3]),
    "labels that are a text": lambda m: set_to(m["columns"][0], "labels", "abc"),
    "a label too many": lambda m: m["columns"][0]["labels"].append("more"),
    "a weight that is a text": lambda m: set_to(m["columns"][0], "weight", "1"),
    "a huge weight": lambda m: set_to(m["columns"][0], "weight", 1e300),
    "a weight that is no number": lambda m: set_to(m["columns"][0], "weight", float("nan")),
    "a pull backwards": lambda m: set_to(m, "label_pull", -1),
    "a record that is a list": lambda m: set_to(m, "record", []),
    "no record": lambda m: m.pop("record"),
}


@pytest.mark.parametrize("change", ARRAY_CHANGES.values(), ids=ARRAY_CHANGES)
def test_arrays_that_are_no_heads_are_refused(path: Path, change: Any) -> None:
    rewrite(path, arrays=change)
    with pytest.raises(HeadError, match=r"head\.safetensors.*fitting-room train"):
        Head.load(path)


@pytest.mark.parametrize("change", METADATA_CHANGES.values(), ids=METADATA_CHANGES)
def test_a_description_that_is_no_heads_is_refused(path: Path, change: Any) -> None:
    rewrite(path, metadata=change)
    with pytest.raises(HeadError, match=r"head\.safetensors.*fitting-room train"):
        Head.load(path)


@pytest.mark.parametrize("text", ["", "{", "[1]", "[" * 100_000, "null", '"x"', "1e999"])
def test_a_header_with_other_text_is_refused(path: Path, text: str) -> None:
    path.write_bytes(save(load(path.read_bytes()), {"head": text}))
    with pytest.raises(HeadError, match="Train again"):
        Head.load(path)
    path.write_bytes(save(load(path.read_bytes())))  # and none at all
    with pytest.raises(HeadError, match="something else"):
        Head.load(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HeadError, match="no such file"):
        Head.load(tmp_path / "nowhere.safetensors")
    with pytest.raises(HeadError, match="no such file"):
        Head.load(tmp_path)


def test_a_huge_file_is_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_module, "MAX_HEAD_BYTES", path.stat().st_size - 1)
    with pytest.raises(HeadError, match="larger than"):
        Head.load(path)


@hypothesis_settings(max_examples=150)
@given(data=st.data())
def test_no_damage_does_more_than_be_refused(path: Path, data: st.DataObject) -> None:
    whole = random_head()
    whole.save(path)
    content = bytearray(path.read_bytes())
    what = data.draw(st.sampled_from(["cut", "bytes", "other"]))
    if what == "cut":
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    elif what == "bytes":
        header = min(len(content), 2_000)  # damage to the numbers behind it may go unseen
        for place in data.draw(st.lists(st.integers(0, header - 1), min_size=1, max_size=8)):
            content[place] = data.draw(st.integers(0, 255))
    else:
        content = bytearray(data.draw(st.binary(max_size=400)))
    path.write_bytes(content)
    try:
        head = Head.load(path)
    except HeadError as error:
        assert str(path) in str(error)
        return
    embeddings = np.zeros((1, head.input_dimension), np.float32)
    assert np.isfinite(head.project(embeddings, np.zeros((1, DESCRIPTOR_LENGTH), np.uint8))).all()


# --- from outside -----------------------------------------------------------------------------


def test_the_packaged_head_is_named_small_and_keeps_nothing_of_its_pictures() -> None:
    head = head_named(FASHION)
    assert head is not None
    assert FASHION_FILE.stat().st_size <= 5_000_000
    assert head.record["name"] == FASHION
    assert not is_trained_here(head)
    assert "kept_back" not in head.record
    assert len(sources_of(head)) == 3
    assert head.network is not None
    assert head.network["backbone"] == "efficientnet_lite0"
    assert set(head.columns) >= {"articleType", "baseColour"}


def test_another_file_in_the_packaged_heads_place_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random_head(network={"backbone": "b"}).save(path)
    monkeypatch.setattr("fitting_room.index.head.FASHION_FILE", path)
    with pytest.raises(HeadError, match=rf"{path.name}.*Install the program again"):
        head_named(FASHION)
    path.unlink()
    with pytest.raises(HeadError, match=rf"{path.name}.*Install the program again"):
        head_named(FASHION)


def test_heads_go_by_name_and_by_file(path: Path) -> None:
    assert head_named("none") is None
    with pytest.raises(HeadError, match="which network"):
        head_named(str(path))
    random_head(network={"backbone": "b"}).save(path)
    from_file = head_named(str(path))
    assert from_file is not None
    assert from_file.record["name"] == path.name
    with pytest.raises(HeadError, match=r"nowhere\.safetensors"):
        head_named("nowhere.safetensors")


@pytest.mark.parametrize("sources", [None, 3, ["a"], "text"])
def test_sources_that_make_no_sense_are_left_out(sources: object) -> None:
    assert sources_of(random_head(record={"name": "x", "sources": sources})) == []


def test_the_network_and_what_it_sees_come_back(tmp_path: Path) -> None:
    network = {"backbone": "b", "weights": "w", "preprocessing": {"input_size": [4, 3]}}
    random_head(network=network, sees_colours=True).save(tmp_path / "h.safetensors")
    again = Head.load(tmp_path / "h.safetensors")
    assert (again.network, again.sees_colours) == (network, True)


def test_of_a_photograph_only_the_colours_count_and_only_if_it_sees_them() -> None:
    embeddings, descriptors = pictures(2, plain_background=False)
    others, colours = descriptors.copy(), descriptors.copy()
    others[:, COLOURS.stop : PLAIN_BACKGROUND] ^= 255
    colours[:, COLOURS] ^= 255
    for sees_colours in (False, True):
        head = random_head(sees_colours=sees_colours)
        before = head.project(embeddings, descriptors)
        np.testing.assert_array_equal(head.project(embeddings, others), before)
        assert np.allclose(head.project(embeddings, colours), before) is not sees_colours


def test_where_nothing_is_known_of_colours_they_do_not_count() -> None:
    embeddings, _ = pictures(2)
    unknown = np.zeros((2, DESCRIPTOR_LENGTH), np.uint8)
    head = random_head()
    expected = replace(head, sees_colours=True).project(embeddings, unknown)
    np.testing.assert_array_equal(head.project(embeddings, unknown), expected)
