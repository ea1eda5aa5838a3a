"""Indexes with a head from outside, which may bring a network of its own."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fitting_room.build.builder import build_index
from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.embedding.embedder import Embedder
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageLimits
from fitting_room.index.head import FASHION, NO_HEAD, Head, HeadError, head_named, is_trained_here
from fitting_room.index.index import Index
from fitting_room.index.manifest import HEAD_VECTORS, IndexUnusable
from fitting_room.index.scoring import Hits, SimilarityOptions
from fitting_room.search import duplicates
from fitting_room.settings import Settings
from tests.conftest import DEMO, SAMPLES, colour_embedder
from tests.embedding.conftest import resnet50_file  # noqa: F401  (a fixture)
from tests.index.test_scoring import a_head

LIMITS = ImageLimits()


def two_networks() -> Embedder:
    """A network, and beside it another for the head."""
    own = colour_embedder("own")
    return Embedder(own.selection, own.engine, colour_embedder("of the head", "1" * 64))


def head_for(embedder: Embedder) -> Head:
    return replace(
        a_head(embedder.dimension), network=embedder.selection.identity, record={"name": "test"}
    )


def build(shop: Path, folder: Path, embedder: Embedder, **options: object) -> Index:
    head = head_for(embedder if embedder.of_head is None else embedder.of_head)
    build_index(load_catalogue(shop), embedder, folder, head=head, limits=LIMITS, **options)  # type: ignore[arg-type]
    return Index.open(folder)


@pytest.mark.parametrize("storage", ["float32", "float16", "int8"])
def test_the_heads_network_stands_beside_the_indexs_own(
    shop: Path, tmp_path: Path, storage: str
) -> None:
    embedder = two_networks()
    index = build(shop, tmp_path / "index", embedder, storage=storage)
    index.verify()
    assert index.manifest.head_network == embedder.head_network
    assert index.head_vectors is not None
    assert index.head_vectors.shape == (10, 4)
    room = FittingRoom(index, lambda: embedder, LIMITS)
    (match, *_) = room.search(shop / "images" / "3.jpg", n=3)
    assert match.id == "3"
    stored = index.features(np.arange(10))
    assert all(features.head_embeddings is not None for features in stored)


def test_the_very_picture_is_known_by_the_heads_network(shop: Path, tmp_path: Path) -> None:
    # The index's own may be fine-tuned, and take one white shirt for the next.
    index = build(shop, tmp_path / "index", two_networks())
    (query,) = index.features(np.array([4]))
    rows = np.array([2, 4, 7])
    np.testing.assert_array_equal(index.copies_among(query, rows), [1])
    blind = replace(query, embeddings=index.vectors[np.array([7])])
    np.testing.assert_array_equal(index.copies_among(blind, rows), [1])
    assert query.head_embeddings is not None
    other = replace(query, head_embeddings=-query.head_embeddings)
    assert index.copies_among(other, rows).size == 0


def test_what_looks_the_same_is_known_by_the_heads_network(shop: Path, tmp_path: Path) -> None:
    sound = build(shop, tmp_path / "index", two_networks())
    assert sound.head_vectors is not None
    # To the head's network the first two are one picture, to the index's own as unlike as can be.
    arrays = [np.array(rows[:]) for rows in (sound.vectors, sound.head_vectors, sound.descriptors)]
    own, of_head, descriptors = arrays
    own[1], of_head[1], descriptors[1] = -own[0], of_head[0], descriptors[0]
    data = replace(sound.data, vectors=own, head_vectors=of_head, descriptors=descriptors)
    index = Index(data)
    (query,), rows = index.features(np.array([0])), np.array([0, 1])
    assert index.look_the_same(query, rows).all()
    assert index.same_pictures(query, rows).all()
    assert index.near_duplicates(Hits(rows, np.ones(2, np.float32))) == [[0, 1]]
    assert duplicates.find(index)[0].rows == (0, 1)


def test_a_query_without_the_heads_network_is_compared_without_the_head(
    shop: Path, tmp_path: Path
) -> None:
    index = build(shop, tmp_path / "index", two_networks())
    vectors = np.asarray(index.vectors[np.array([4])])
    (hits,) = index.search(vectors, 5)
    (plain,) = index.search(vectors, 5, options=SimilarityOptions(trained=False))
    np.testing.assert_array_equal(hits.rows, plain.rows)


def test_a_second_build_embeds_nothing_again(shop: Path, tmp_path: Path) -> None:
    first = build(shop, tmp_path / "index", two_networks())
    embedder = two_networks()
    second = build(shop, tmp_path / "index", embedder)
    assert embedder.engine.seen == 0  # type: ignore[attr-defined]
    assert embedder.of_head is not None
    assert embedder.of_head.engine.seen == 0  # type: ignore[attr-defined]
    for name in ("vectors", "head_vectors", "trained"):
        np.testing.assert_array_equal(getattr(first, name)[:], getattr(second, name)[:])


def test_without_the_heads_network_an_index_is_not_searched(shop: Path, tmp_path: Path) -> None:
    index = build(shop, tmp_path / "index", two_networks())
    alone = colour_embedder("own")
    with pytest.raises(IndexUnusable, match="another network"):
        FittingRoom(index, lambda: alone, LIMITS).search(shop / "images" / "3.jpg")


def test_a_reduced_index_gives_its_head_whole_embeddings(shop: Path, tmp_path: Path) -> None:
    embedder = colour_embedder()
    whole = build(shop, tmp_path / "whole", embedder)
    reduced = build(shop, tmp_path / "reduced", colour_embedder(), pca=4)
    assert reduced.head is not None
    rows = np.arange(10)
    np.testing.assert_allclose(
        reduced.embeddings_for(reduced.head, rows), np.asarray(whole.vectors), atol=1e-5
    )


def test_the_head_of_an_index_that_has_none_any_more_leaves_no_file(
    shop: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "index"
    build(shop, folder, two_networks())
    build_index(load_catalogue(shop), colour_embedder("own"), folder, limits=LIMITS)
    index = Index.open(folder)
    assert (index.head, index.head_vectors, index.manifest.head_network) == (None, None, None)
    assert HEAD_VECTORS not in index.manifest.files


# --- the packaged one -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def little_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some sixty items of the demo."""
    folder = tmp_path_factory.mktemp("little")
    (folder / "images").mkdir()
    header, *lines = (DEMO / "styles.csv").read_text("utf-8").splitlines()
    lines = lines[::15]
    (folder / "styles.csv").write_text("\n".join([header, *lines]) + "\n", "utf-8")
    for line in lines:
        name = f"{line.partition(',')[0]}.webp"
        shutil.copy(DEMO / "images" / name, folder / "images" / name)
    return folder


def kinds_of(room: FittingRoom, sample: str) -> list[str]:
    return [match.attributes["articleType"] for match in room.search(SAMPLES / sample, n=3)]


def test_a_build_takes_the_packaged_head_by_default(
    little_demo: Path, tmp_path: Path, settings: Settings
) -> None:
    folder = tmp_path / "index"
    room = FittingRoom.build(little_demo, folder, settings=settings)
    head = room.index.head
    assert head is not None
    assert not is_trained_here(head)
    assert room.summary is not None
    assert (room.summary.head, room.summary.uses_head) == ("none", FASHION)
    assert room.index.manifest.head_network is None  # it is the index's own
    assert room.index.calibration is not None
    without = FittingRoom.build(little_demo, folder, head=NO_HEAD, settings=settings)
    assert without.index.head is None
    assert without.summary is not None
    assert without.summary.reused == len(room.index)
    with pytest.raises(HeadError, match="nowhere"):
        FittingRoom.build(little_demo, folder, head="nowhere.safetensors", settings=settings)
    assert Index.open(folder).head is None


def test_with_a_network_that_knows_nothing_the_packaged_head_carries(
    little_demo: Path,
    tmp_path: Path,
    settings: Settings,
    resnet50_file: Path,  # noqa: F811
) -> None:
    settings = replace(settings, backbone="resnet50", weights=str(resnet50_file))
    room = FittingRoom.build(
        little_demo, tmp_path / "index", input_size=(64, 48), settings=settings
    )
    network = room.index.manifest.head_network
    assert network is not None
    assert network["backbone"] == "efficientnet_lite0"
    opened = FittingRoom.open(tmp_path / "index", settings)
    for sample, kinds in (
        ("red-dress.jpg", {"Dresses"}),
        ("brown-handbag.jpg", {"Handbags", "Messenger Bag", "Briefcase"}),
    ):
        assert kinds_of(opened, sample)[0] in kinds
    plain = opened.search(SAMPLES / "red-dress.jpg", n=3, options=SimilarityOptions(trained=False))
    assert len(plain) == 3  # ResNet50 alone, whatever it sees


def test_what_the_head_makes_of_a_query_needs_its_network(shop: Path, tmp_path: Path) -> None:
    embedder = two_networks()
    index = build(shop, tmp_path / "index", embedder)
    (query,) = FittingRoom(index, lambda: embedder, LIMITS).describe([shop / "images" / "3.jpg"])
    seen = index.projected([query])
    assert seen is not None
    np.testing.assert_allclose(np.linalg.norm(seen, axis=1), 1, rtol=1e-5)
    assert index.projected([replace(query, head_embeddings=None)]) is None


def test_a_head_that_does_not_fit_its_network_is_refused(
    little_demo: Path, tmp_path: Path, settings: Settings
) -> None:
    packaged = head_named(FASHION)
    assert packaged is not None
    path = tmp_path / "short.safetensors"
    replace(a_head(12), network=packaged.network).save(path)
    with pytest.raises(HeadError, match=r"12 numbers.*efficientnet_lite0, has 1280"):
        FittingRoom.build(little_demo, tmp_path / "index", head=str(path), settings=settings)
    assert not (tmp_path / "index").exists()
