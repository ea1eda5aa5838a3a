"""Heat stands on what makes two pictures similar, and the sentences are true."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from fitting_room.facade import FittingRoom
from fitting_room.imaging.features import normalise
from fitting_room.search import explanation
from fitting_room.search.explanation import explain, shares_of
from tests.conftest import DEMO, SAMPLES

HANDBAG, SNEAKER = (SAMPLES / name for name in ("brown-handbag.jpg", "white-sneaker.jpg"))


def beside(left: Image.Image | None, right: Image.Image | None) -> Image.Image:
    """Two pictures side by side on white; ``None`` leaves a half empty."""
    scene = Image.new("RGB", (600, 400), "white")
    for place, picture in enumerate((left, right)):
        if picture is not None:
            scene.paste(picture.resize((300, 400)), (300 * place, 0))
    return scene


def share_on_the_left(heat: explanation.Heat) -> float:
    half = heat.picture.shape[1] // 2
    return float(heat.picture[:, :half].sum() / heat.picture.sum())


def item_like(fitting_room: FittingRoom, picture: Image.Image) -> str:
    return fitting_room.search(picture, 1)[0].id


def test_heat_stands_where_the_garment_stands(demo_fitting_room: FittingRoom) -> None:
    bag = demo_fitting_room.open_picture(HANDBAG)
    item = item_like(demo_fitting_room, bag)
    assert share_on_the_left(explain(demo_fitting_room, beside(bag, None), item).query) > 0.62
    assert share_on_the_left(explain(demo_fitting_room, beside(None, bag), item).query) < 0.38


def test_heat_stands_on_what_both_pictures_hold(demo_fitting_room: FittingRoom) -> None:
    """Bag and shoe side by side: for a bag the bag's half counts, for a shoe the shoe's."""
    bag, shoe = demo_fitting_room.open_picture(HANDBAG), demo_fitting_room.open_picture(SNEAKER)
    both = beside(bag, shoe)
    of_bag = share_on_the_left(
        explain(demo_fitting_room, both, item_like(demo_fitting_room, bag)).query
    )
    of_shoe = share_on_the_left(
        explain(demo_fitting_room, both, item_like(demo_fitting_room, shoe)).query
    )
    assert of_bag > of_shoe + 0.1


def test_shares_come_to_the_cosine(demo_fitting_room: FittingRoom) -> None:
    picture = demo_fitting_room.open_picture(HANDBAG)
    item = item_like(demo_fitting_room, picture)
    result = explain(demo_fitting_room, picture, item)
    of_item = demo_fitting_room.open_picture(DEMO / "images" / f"{item}.webp")
    maps = demo_fitting_room.embedder.feature_maps([picture, of_item])
    means = normalise(np.stack([each.mean(axis=(0, 1)) for each in maps]))
    assert result.cosine == pytest.approx(float(means[0] @ means[1]), abs=1e-5)
    # Embeddings may be computed in 16 bits, feature maps are in 32.
    least = 0.999 if demo_fitting_room.embedder.engine.name.endswith("f32") else 0.99
    embeddings = demo_fitting_room.embed([picture, of_item])
    assert (means * embeddings).sum(axis=1).min() >= least
    assert result.query.shares.sum() == pytest.approx(result.cosine, abs=1e-4)
    assert result.item.shares.sum() == pytest.approx(result.cosine, abs=1e-4)


def test_shares_are_the_sums_over_pairs_of_places() -> None:
    generator = np.random.default_rng(0)
    query, item = generator.random((2, 3, 4, 5))
    (of_query, of_item), cosine = shares_of(query, item)
    one, other = query.reshape(-1, 5), item.reshape(-1, 5)
    means = normalise(np.stack([one.mean(axis=0), other.mean(axis=0)]))
    assert cosine == pytest.approx(float(means[0] @ means[1]), abs=1e-6)
    lengths = np.linalg.norm(one.mean(axis=0)) * np.linalg.norm(other.mean(axis=0))
    pairs = one @ other.T / (len(one) * len(other) * lengths)
    np.testing.assert_allclose(of_query.ravel(), pairs.sum(axis=1), atol=1e-6)
    np.testing.assert_allclose(of_item.ravel(), pairs.sum(axis=0), atol=1e-6)


def test_the_ground_a_picture_was_laid_on_is_cut_away(demo_fitting_room: FittingRoom) -> None:
    wide = Image.new("RGB", (400, 100), "red")
    result = explain(demo_fitting_room, wide, str(demo_fitting_room.index.items["id"].iloc[0]))
    assert result.query.overlay.size == (400, 100)
    assert result.query.picture.shape == (100, 400)
    assert result.query.shares.shape == (7, 6)


def test_a_frame_is_shown_and_has_no_heat(demo_fitting_room: FittingRoom) -> None:
    bag = demo_fitting_room.open_picture(HANDBAG)
    framed = Image.new("RGB", (bag.width + 80, bag.height + 80), "black")
    framed.paste(bag, (40, 40))
    result = explain(demo_fitting_room, framed, item_like(demo_fitting_room, bag)).query
    height, width = result.picture.shape
    top, left = round(40 * height / framed.height), round(40 * width / framed.width)
    assert result.overlay.size == (width, height)
    assert result.picture[:top].max() == result.picture[:, :left].max() == 0
    assert result.picture[-top:].max() == result.picture[:, -left:].max() == 0
    assert result.picture.max() == 1


def test_a_small_picture_is_enlarged_and_a_large_one_reduced(
    demo_fitting_room: FittingRoom,
) -> None:
    item = str(demo_fitting_room.index.items["id"].iloc[0])
    result = explain(demo_fitting_room, Image.new("RGB", (1500, 2000), "navy"), item)
    assert max(result.query.overlay.size) == max(explanation.OVERLAY_SIZE)
    assert max(result.item.overlay.size) >= max(explanation.OVERLAY_SIZE) // 2


def test_an_even_picture_has_no_hot_place_and_breaks_nothing() -> None:
    (of_query, _), cosine = shares_of(np.zeros((2, 2, 3)), np.ones((2, 2, 3)))
    assert cosine == 0
    assert not of_query.any()


def test_items_are_compared_by_what_the_catalogue_says(demo_fitting_room: FittingRoom) -> None:
    items = demo_fitting_room.index.items
    row = 0
    record = items.iloc[row]
    attributes = {"articleType": str(record["articleType"]), "baseColour": "No Such Colour"}
    picture = demo_fitting_room.open_picture(demo_fitting_room.picture(str(record["image"])))
    result = explain(demo_fitting_room, picture, str(record["id"]), attributes=attributes)
    assert f"Same type ({record['articleType']})" in result.sentence
    assert f"another colour (No Such Colour and {record['baseColour']})" in result.sentence
    # It is the item's own picture: nothing is closer, in shape or in colour.
    assert result.sentence.endswith("nearly the same shape, the same colours.")


def test_a_picture_of_ones_own_is_described_only_as_far_as_it_is_known(
    demo_fitting_room: FittingRoom,
) -> None:
    picture = demo_fitting_room.open_picture(HANDBAG)
    item = item_like(demo_fitting_room, picture)
    result = explain(demo_fitting_room, picture, item, trained=False)
    assert "type" not in result.sentence
    assert "shape" in result.sentence
    assert "learned" not in result.note


def test_with_a_head_the_note_says_whose_view_it_is(headed_fitting_room: FittingRoom) -> None:
    picture = headed_fitting_room.open_picture(HANDBAG)
    item = headed_fitting_room.search(picture, 1)[0]
    result = explain(headed_fitting_room, picture, item.id)
    assert "network's own view" in result.note
    kind = item.attributes["articleType"]
    assert f"same type ({kind})" in result.sentence.lower().replace(kind.lower(), kind)
    plain = explain(headed_fitting_room, picture, item.id, trained=False)
    assert "learned" not in plain.note + plain.sentence


def test_an_unknown_item_is_refused(demo_fitting_room: FittingRoom) -> None:
    with pytest.raises(KeyError):
        explain(demo_fitting_room, Image.new("RGB", (60, 80)), "no such item")
