"""FittingRoom: a picture goes in, a ranked list of the catalogue's items comes out."""

from __future__ import annotations

import json
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fitting_room import facade
from fitting_room.build.builder import build_index
from fitting_room.catalogue.catalogue import CatalogueError, load_catalogue
from fitting_room.embedding.embedder import Embedder
from fitting_room.embedding.weights import BackboneError
from fitting_room.facade import FittingRoom, Match
from fitting_room.imaging.decode import ImageLimits, ImageRejected
from fitting_room.index.data import current_version
from fitting_room.index.index import FilterError, Index
from fitting_room.index.manifest import ITEMS, MANIFEST, IndexUnusable
from fitting_room.index.scoring import SimilarityOptions
from fitting_room.settings import Settings
from fitting_room.util.files import sha256_of
from tests.conftest import COLOURS, DEMO, DEMO_ITEMS, SAMPLES, colour_embedder, picture_bytes
from tests.index.made import manifest_values


def open_index(folder: Path, embedder: Embedder) -> FittingRoom:
    return FittingRoom(Index.open(folder), lambda: embedder, ImageLimits())


@pytest.fixture
def fitting_room(shop: Path, tmp_path: Path, embedder: Embedder) -> FittingRoom:
    """The shop of ten colours, searched by colour."""
    build_index(load_catalogue(shop), embedder, tmp_path / "index", limits=ImageLimits())
    return open_index(tmp_path / "index", embedder)


def as_file(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


# --- search -----------------------------------------------------------------------------------


def test_a_picture_finds_its_item_first_in_any_form(fitting_room: FittingRoom, shop: Path) -> None:
    path = shop / "images" / "3.jpg"
    queries: list[Any] = [
        path,
        str(path),
        path.read_bytes(),
        Image.open(path),
        fitting_room.embed([path])[0],
        fitting_room.embed([path]),
    ]
    for query in queries:
        matches = fitting_room.search(query, 4)
        assert [m.id for m in matches] == [m.id for m in fitting_room.search(path, 4)]
        assert matches[0].id == "3"
        assert matches[0].similarity == pytest.approx(1, abs=1e-5)


def test_matches_come_best_first(fitting_room: FittingRoom, shop: Path) -> None:
    matches = fitting_room.search(shop / "images" / "1.jpg", 10)
    similarities = [m.similarity for m in matches]
    assert len(matches) == 10
    assert similarities == sorted(similarities, reverse=True)
    assert all(-1 <= s <= 1 for s in similarities)


def test_a_match_says_what_the_catalogue_says(fitting_room: FittingRoom, shop: Path) -> None:
    (match,) = fitting_room.search(shop / "images" / "3.jpg", 1)
    assert isinstance(match, Match)
    assert match.attributes == {
        "gender": "Women",
        "articleType": "Tshirts",
        "baseColour": "Blue",
        "productDisplayName": "Blue shirt",
    }
    assert match.name == "Blue shirt"
    assert match.image == "images/3.jpg"
    assert Path(match.path).read_bytes() == (shop / "images" / "3.jpg").read_bytes()


def test_what_the_catalogue_does_not_say_is_no_attribute(
    shop: Path, tmp_path: Path, embedder: Embedder
) -> None:
    (shop / "styles.csv").write_text(
        "id,gender,season,productDisplayName\n1,,NA,\n2,Men,Summer,Green shirt\n", "utf-8"
    )
    build_index(load_catalogue(shop), embedder, tmp_path / "index", limits=ImageLimits())
    fitting_room = open_index(tmp_path / "index", embedder)
    matches = {m.id: m for m in fitting_room.search(shop / "images" / "1.jpg", 2)}
    assert matches["1"].attributes == {}
    assert matches["1"].name == "1"
    assert list(matches["2"].attributes) == ["gender", "season", "productDisplayName"]


def test_filters_narrow_the_catalogue(fitting_room: FittingRoom, shop: Path) -> None:
    query = shop / "images" / "1.jpg"
    assert {m.attributes["gender"] for m in fitting_room.search(query, 10, {"gender": "Men"})} == {
        "Men"
    }
    both = {"gender": ["Men", "Women"], "baseColour": ["Blue", "Black"]}
    assert {m.attributes["baseColour"] for m in fitting_room.search(query, 10, both)} == {
        "Blue",
        "Black",
    }
    assert fitting_room.search(query, 10, {"gender": "Dogs"}) == []
    with pytest.raises(FilterError, match="articleType"):
        fitting_room.search(query, 10, {"type": "Tshirts"})


def test_twelve_matches_are_the_default(demo_fitting_room: FittingRoom) -> None:
    assert len(demo_fitting_room.search(SAMPLES / "red-dress.jpg")) == 12
    assert len(demo_fitting_room.search(SAMPLES / "red-dress.jpg", 5000)) == DEMO_ITEMS


@pytest.mark.parametrize("bad", [b"", b"no picture", Path("/nowhere.jpg"), "nowhere.jpg"])
def test_an_unusable_picture_is_rejected_with_a_reason(fitting_room: FittingRoom, bad: Any) -> None:
    with pytest.raises(ImageRejected) as caught:
        fitting_room.search(bad)
    assert caught.value.reason.endswith(".")


def test_many_pictures_are_answered_in_order_and_bad_ones_with_the_reason(
    fitting_room: FittingRoom, shop: Path
) -> None:
    pictures = [shop / "images" / f"{n}.jpg" for n in range(1, 11)]
    pictures.insert(4, shop / "nowhere.jpg")
    answers = list(fitting_room.search_many(iter(pictures), 3, {"articleType": "Tshirts"}))
    assert [picture for picture, _ in answers] == pictures
    for picture, matches in answers:
        if picture.name == "nowhere.jpg":
            assert isinstance(matches, ImageRejected)
        else:
            assert not isinstance(matches, ImageRejected)
            assert [m.id for m in matches] == [m.id for m in fitting_room.search(picture, 3)]
    with pytest.raises(FilterError):
        list(fitting_room.search_many(pictures, 3, {"type": "Tshirts"}))


def test_the_demo_finds_garments_of_the_samples_kind(demo_fitting_room: FittingRoom) -> None:
    """By chance 1 match in 20 would be right."""
    wanted = {
        "black-boot": "Casual Shoes",
        "blue-tshirt": "Tshirts",
        "brown-handbag": "Handbags",
        "green-sweater": "Sweaters",
        "red-dress": "Dresses",
        "white-sneaker": "Sports Shoes",
    }
    right = {
        name: sum(
            match.attributes["articleType"] == kind
            for match in demo_fitting_room.search(SAMPLES / f"{name}.jpg", 4)
        )
        for name, kind in wanted.items()
    }
    assert sum(right.values()) >= 15, right  # few are of the kind and of the colour too
    assert min(right.values()) >= 2, right


# --- pictures as Pillow has them --------------------------------------------------------------


def assert_same_embedding(fitting_room: FittingRoom, image: Image.Image, data: bytes) -> None:
    as_image, as_bytes = fitting_room.embed([image, data])
    np.testing.assert_allclose(as_image, as_bytes, atol=1e-3)


def test_a_transparent_pillow_picture_is_laid_on_white(fitting_room: FittingRoom) -> None:
    image = Image.new("RGBA", (60, 80), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (20, 20, 40, 60))
    assert_same_embedding(fitting_room, image, as_file(image))
    assert fitting_room.open_picture(image).getpixel((0, 0)) == (255, 255, 255)


def test_a_pillow_picture_of_a_phone_is_set_upright(
    fitting_room: FittingRoom, tmp_path: Path
) -> None:
    image = Image.new("RGB", (80, 60), "red")
    image.paste("blue", (0, 0, 20, 60))
    exif = Image.Exif()
    exif[0x0112] = 6
    data = as_file(image, "JPEG", exif=exif, quality=95)
    opened = Image.open(BytesIO(data))
    assert fitting_room.open_picture(opened).size == (60, 80)
    assert_same_embedding(fitting_room, Image.open(BytesIO(data)), data)


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "CMYK", "I;16", "F"])
def test_a_pillow_picture_of_any_mode_is_rgb(fitting_room: FittingRoom, mode: str) -> None:
    grey = np.tile(np.linspace(0, 255, 60, dtype=np.uint8), (80, 1))
    if mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    else:
        image = Image.fromarray(grey).convert(mode)
    opened = fitting_room.open_picture(image)
    assert (opened.mode, opened.size) == ("RGB", (60, 80))
    # Dark on the left and bright on the right, as it was.
    assert np.asarray(opened)[:, :20].mean() < 80
    assert np.asarray(opened)[:, 40:].mean() > 170


def test_a_damaged_pillow_picture_is_rejected(fitting_room: FittingRoom) -> None:
    """Pillow decodes when a picture is first used, which is here."""
    noise = np.random.default_rng(0).integers(0, 256, (80, 60, 3), dtype=np.uint8)
    data = as_file(Image.fromarray(noise), "JPEG")
    with pytest.raises(ImageRejected):
        fitting_room.search(Image.open(BytesIO(data[: len(data) // 2])))


def test_a_pillow_picture_is_left_as_it_was(fitting_room: FittingRoom) -> None:
    image = Image.new("RGBA", (60, 80), (1, 2, 3, 4))
    fitting_room.search(image, 1)
    assert (image.mode, image.size, image.getpixel((0, 0))) == ("RGBA", (60, 80), (1, 2, 3, 4))


# --- build and open ---------------------------------------------------------------------------


def test_a_build_says_what_was_done(
    demo_fitting_room: FittingRoom, settings: Settings, tmp_path: Path
) -> None:
    assert demo_fitting_room.summary is None  # it was opened
    folder = shutil.copytree(demo_fitting_room.index.folder, tmp_path / "index")
    summary = FittingRoom.build(DEMO, folder, settings=settings).summary
    assert summary is not None
    assert (summary.items, summary.failed, summary.reused) == (DEMO_ITEMS, 0, DEMO_ITEMS)
    assert summary.backbone == "efficientnet_lite0"


def test_an_opened_index_answers_as_the_built_one(
    demo_fitting_room: FittingRoom, settings: Settings
) -> None:
    opened = FittingRoom.open(settings.index_folder, settings)
    query = SAMPLES / "brown-handbag.jpg"
    for one, other in zip(
        opened.search(query, 20), demo_fitting_room.search(query, 20), strict=True
    ):
        assert one.id == other.id
        assert one.similarity == pytest.approx(other.similarity, abs=1e-4)


def test_a_missing_index_is_an_error_with_the_remedy(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(IndexUnusable, match="fitting-room build"):
        FittingRoom.open(tmp_path / "nowhere", settings)


def test_a_catalogue_that_is_none_is_refused_before_the_network_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setattr(facade, "select", lambda *_, **__: pytest.fail("a network was chosen"))
    with pytest.raises(CatalogueError):
        FittingRoom.build(tmp_path / "nowhere", tmp_path / "index", settings=settings)


def test_an_index_of_an_unknown_network_is_refused(
    fitting_room: FittingRoom, settings: Settings
) -> None:
    with pytest.raises(BackboneError, match="colour"):
        FittingRoom.open(fitting_room.index.folder, settings)


def test_an_index_is_never_searched_with_another_network(
    fitting_room: FittingRoom, settings: Settings
) -> None:
    for other in (colour_embedder("other"), colour_embedder(sha256="1" * 64)):
        wrong = open_index(fitting_room.index.folder, other)
        with pytest.raises(IndexUnusable, match="Build it again"):
            wrong.search(picture_bytes("red"))


def test_the_network_is_loaded_once_and_only_when_it_is_needed(fitting_room: FittingRoom) -> None:
    loaded: list[Embedder] = []

    def load() -> Embedder:
        loaded.append(colour_embedder())
        return loaded[-1]

    lazy = FittingRoom(fitting_room.index, load, ImageLimits())
    vector = np.asarray(fitting_room.index.vectors[2])
    assert lazy.search(vector, 1)[0].id == "3"
    assert lazy.picture("images/1.jpg")
    assert loaded == []
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda c: lazy.search(picture_bytes(c), 1)[0].id, COLOURS * 4))
    assert answers == [str(n) for n in range(1, 11)] * 4
    assert len(loaded) == 1


def test_an_index_with_local_weights_is_opened_with_the_same_file(
    shop: Path, tmp_path: Path, settings: Settings
) -> None:
    from dataclasses import replace

    from fitting_room.embedding.backbones import select

    packaged = select("efficientnet_lite0").weights.path
    assert packaged is not None
    # Appended bytes make another file of it, which reads the same.
    mine = tmp_path / "mine.pth"
    mine.write_bytes(packaged.read_bytes() + b"\0")
    # Torch needs no conversion, which is quicker for this once.
    settings = replace(settings, cache=tmp_path / "cache", engine="torch")
    built = FittingRoom.build(shop, tmp_path / "index", weights=str(mine), settings=settings)
    assert built.index.identity["weights"] == "mine.pth"
    with pytest.raises(BackboneError, match=r"mine\.pth.*--weights"):
        FittingRoom.open(tmp_path / "index", settings)
    opened = FittingRoom.open(tmp_path / "index", replace(settings, weights=str(mine)))
    assert opened.search(shop / "images" / "7.jpg", 1)[0].id == "7"


# --- the catalogue's pictures ------------------------------------------------------------------


def test_the_pictures_of_matches_can_be_read(fitting_room: FittingRoom, shop: Path) -> None:
    (match,) = fitting_room.search(shop / "images" / "2.jpg", 1)
    assert fitting_room.picture(match.image) == (shop / "images" / "2.jpg").read_bytes()


def test_a_zipped_catalogue_is_searched_and_shown_in_place(
    shop: Path, tmp_path: Path, embedder: Embedder
) -> None:
    packed = tmp_path / "shop.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(shop.rglob("*")):
            archive.write(path, path.relative_to(shop))
    build_index(load_catalogue(packed), embedder, tmp_path / "index", limits=ImageLimits())
    fitting_room = open_index(tmp_path / "index", embedder)
    (match,) = fitting_room.search(shop / "images" / "2.jpg", 1)
    assert match.id == "2"
    assert fitting_room.picture(match.image) == (shop / "images" / "2.jpg").read_bytes()
    assert match.path == str(packed / "images" / "2.jpg")


def test_search_goes_on_when_the_catalogue_has_gone(fitting_room: FittingRoom, shop: Path) -> None:
    query = (shop / "images" / "4.jpg").read_bytes()
    shutil.rmtree(shop)
    (match,) = fitting_room.search(query, 1)
    assert match.id == "4"
    assert match.path == str(shop / "images" / "4.jpg")
    with pytest.raises(ImageRejected):
        fitting_room.picture(match.image)


def test_one_picture_that_has_gone_is_rejected(fitting_room: FittingRoom, shop: Path) -> None:
    (shop / "images" / "4.jpg").unlink()
    with pytest.raises(ImageRejected):
        fitting_room.picture("images/4.jpg")
    assert fitting_room.picture("images/5.jpg")


def test_a_catalogue_picture_above_the_limit_is_rejected(
    fitting_room: FittingRoom, embedder: Embedder
) -> None:
    careful = FittingRoom(fitting_room.index, lambda: embedder, ImageLimits(max_bytes=100))
    with pytest.raises(ImageRejected, match="too large"):
        careful.picture("images/4.jpg")


@pytest.mark.parametrize("absolute", [False, True])
def test_a_hostile_picture_name_in_an_index_is_not_read(
    fitting_room: FittingRoom, shop: Path, embedder: Embedder, absolute: bool
) -> None:
    """An index may come from somebody else; what it names outside the catalogue stays there."""
    secret = shop.parent / "secret.jpg"
    secret.write_bytes(picture_bytes("red"))
    name = str(secret) if absolute else "images/../../secret.jpg"
    folder = fitting_room.index.folder
    version = current_version(folder)
    items = pd.read_parquet(version / ITEMS)
    items.loc[0, "image"] = name
    items.to_parquet(version / ITEMS, index=False)
    manifest = manifest_values(version / MANIFEST)
    size, sha256 = (version / ITEMS).stat().st_size, sha256_of(version / ITEMS)
    manifest["files"][ITEMS] = {"bytes": size, "sha256": sha256}
    (version / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    hostile = open_index(folder, embedder)
    (match,) = hostile.search(picture_bytes("red"), 1)
    assert match.id == "1"
    assert match.image == name
    for wanted in (match.image, "../secret.jpg", str(secret), "images/../../../etc/passwd"):
        with pytest.raises(ImageRejected):
            hostile.picture(wanted)


def test_a_link_that_leads_out_of_the_catalogue_is_not_followed(
    fitting_room: FittingRoom, shop: Path
) -> None:
    secret = shop.parent / "secret.jpg"
    secret.write_bytes(picture_bytes("red"))
    (shop / "images" / "1.jpg").unlink()
    (shop / "images" / "1.jpg").symlink_to(secret)
    with pytest.raises(ImageRejected):
        fitting_room.picture("images/1.jpg")


# --- what the filters offer -------------------------------------------------------------------


def test_attributes_are_the_catalogues_own_columns(fitting_room: FittingRoom) -> None:
    assert fitting_room.attributes == ["gender", "articleType", "baseColour", "productDisplayName"]


def test_values_of_a_column_come_the_most_frequent_first(
    shop: Path, tmp_path: Path, embedder: Embedder
) -> None:
    rows = ["1,Rare", "2,Often", "3,Often", "4,Often", "5,Some", "6,Some", "7,"]
    (shop / "styles.csv").write_text("id,season\n" + "\n".join(rows) + "\n", "utf-8")
    build_index(load_catalogue(shop), embedder, tmp_path / "index", limits=ImageLimits())
    fitting_room = open_index(tmp_path / "index", embedder)
    assert fitting_room.values("season") == ["Often", "Some", "Rare"]
    with pytest.raises(KeyError):
        fitting_room.values("colour")


def test_the_demo_catalogue_is_where_the_index_says(demo_fitting_room: FittingRoom) -> None:
    assert demo_fitting_room.catalogue_location == str(DEMO.resolve())


# --- several pictures as one query, and items by id --------------------------------------------


def test_several_pictures_find_what_is_like_all_of_them(demo_fitting_room: FittingRoom):
    items = demo_fitting_room.index.items
    chosen = items.index[(items["articleType"] == "Dresses") & (items["baseColour"] == "Red")][:2]
    queries = demo_fitting_room.index.features(np.array(chosen))
    own = list(items["id"].iloc[chosen])
    matches = demo_fitting_room.search(queries, 8, without=own)
    assert not {match.id for match in matches} & set(own)
    assert [match.attributes["articleType"] for match in matches[:3]] == ["Dresses"] * 3
    # The precision of a similarity to several pictures was not measured.
    assert {match.expected_precision for match in matches} == {None}


@pytest.mark.parametrize("colour", [0.0, None, 1.0])
def test_a_negative_moves_away(demo_fitting_room: FittingRoom, colour: float | None):
    options = SimilarityOptions(colour=colour)
    query = demo_fitting_room.describe([SAMPLES / "red-dress.jpg"])
    before = demo_fitting_room.search(query[0], 200, options=options)
    unwanted = before[5].id
    (negatives,) = demo_fitting_room.index.features(np.array([demo_fitting_room.row(unwanted)]))
    after = demo_fitting_room.search(query, 200, options=options, negatives=[negatives])
    before_order = [match.id for match in before]
    after_order = [match.id for match in after]
    assert unwanted not in after_order or after_order.index(unwanted) > before_order.index(unwanted)


def test_one_picture_in_a_list_is_that_picture(demo_fitting_room: FittingRoom):
    query = demo_fitting_room.describe([SAMPLES / "red-dress.jpg"])
    assert demo_fitting_room.search(query, 5) == demo_fitting_room.search(query[0], 5)


def test_an_item_is_found_by_its_id(demo_fitting_room: FittingRoom):
    match = demo_fitting_room.item("10724")
    assert match is not None
    assert match.id == "10724"
    assert demo_fitting_room.index.items["id"].iloc[demo_fitting_room.row("10724")] == "10724"
    assert demo_fitting_room.item("nothing") is None
    assert demo_fitting_room.row("nothing") is None


def test_items_are_found_by_words_of_their_name_or_number(demo_fitting_room: FittingRoom):
    (first, *_) = demo_fitting_room.search(text="10724")
    assert first.id == "10724"
    found = demo_fitting_room.search(text="red DRESSES", n=5)
    assert {match.attributes["baseColour"] for match in found} == {"Red"}
    assert all("Dress" in match.name for match in found)
    assert demo_fitting_room.search(text='"* OR NEAR(') == []
