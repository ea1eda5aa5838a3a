from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from fitting_room.catalogue.catalogue import CatalogueError, load_catalogue
from fitting_room.catalogue.place import location_of, open_place
from fitting_room.catalogue.reading_options import DEFAULT_READING
from tests.catalogue.conftest import PICTURE, make_shop, pack
from tests.conftest import picture_bytes


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return make_shop(tmp_path / "shop", "id,name\n1,dress\n2,shirt\n")


def test_a_location_says_where_its_catalogue_lies_without_opening_it(shop: Path) -> None:
    archive = pack(shop, shop.parent / "shop.zip")
    rows = [{"image": {"bytes": picture_bytes(), "path": None}, "id": "1"}]
    pd.DataFrame(rows).to_parquet(shop.parent / "shop.parquet")
    for location in (shop, shop / "styles.csv", archive, shop.parent / "shop.parquet"):
        assert location_of(location) == load_catalogue(location).location
    assert location_of(shop / "styles.csv") == str(shop.resolve())
    assert location_of(shop.parent / "gone") == str(shop.parent.resolve() / "gone")
    assert location_of("s3://me:secret@bucket/shop?token=1") == "s3://bucket/shop"


def test_an_archive_is_known_by_its_beginning(shop: Path) -> None:
    archive = pack(shop, shop.parent / "shop.zip").rename(shop.parent / "download")
    assert len(load_catalogue(archive)) == 2


def test_archives_count_where_they_hold_far_more_than_lies_beside_them(shop: Path) -> None:
    pack(shop / "images", shop / "images.zip")
    for picture in (shop / "images").iterdir():
        picture.unlink()
    (shop / "banner.jpg").write_bytes(PICTURE)
    catalogue = load_catalogue(shop)
    assert set(catalogue.items["image"]) == {"images.zip/1.jpg", "images.zip/2.jpg"}
    assert catalogue.report.unlisted == 8


def test_a_damaged_table_is_refused_by_name(shop: Path) -> None:
    (shop / "styles.csv").unlink()
    (shop / "items.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(CatalogueError, match=r"items\.parquet.*--table none"):
        load_catalogue(shop)


def test_a_table_of_an_address_is_the_folder_that_it_lies_in() -> None:
    fsspec = pytest.importorskip("fsspec")
    files = fsspec.filesystem("memory")
    for name in ("1", "2"):
        files.pipe(f"/bucket/shop/images/{name}.jpg", PICTURE)
    files.pipe("/bucket/shop/items.csv", b"id,name\n1,dress\n2,shirt\n")
    place = open_place("memory://bucket/shop/items.csv", DEFAULT_READING)
    assert place.reading.table == "items.csv"
    catalogue = load_catalogue("memory://bucket/shop/items.csv")
    assert catalogue.items["name"].tolist() == ["dress", "shirt"]
    assert catalogue.location == "memory://bucket/shop"
