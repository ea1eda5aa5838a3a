"""Catalogues of the forms that people have, others than those of ``test_cases.py``."""

from __future__ import annotations

import csv
import io
import json
import tarfile
import zipfile
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fitting_room.catalogue.catalogue import Catalogue, CatalogueError, load_catalogue
from fitting_room.catalogue.place import BESIDE
from fitting_room.catalogue.reading_options import NO_TABLE, ReadingOptions
from tests.catalogue.conftest import PICTURE, check_invariants
from tests.conftest import picture_bytes

NUMBERS = range(2001, 2009)
IDS = [str(n) for n in NUMBERS]


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(PICTURE)


def table(folder: Path, name: str, header: str, row: str, encoding: str = "utf-8") -> None:
    lines = [header, *(row.format(n=n) for n in NUMBERS)]
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes("\n".join(lines).encode(encoding))


def load(location: Path, reading: ReadingOptions | None = None) -> Catalogue:
    catalogue = load_catalogue(location, reading or ReadingOptions())
    check_invariants(catalogue)
    return catalogue


def pictures_of(catalogue: Catalogue) -> dict[str, list[str]]:
    return catalogue.items.groupby("id", sort=False)["image"].agg(list).to_dict()


def first(catalogue: Catalogue) -> dict[str, str]:
    """What the catalogue says of its first item."""
    row = catalogue.items.iloc[0]
    return {c: str(row[c]) for c in ("id", *catalogue.attributes) if not pd.isna(row[c])}


# --- tables beside pictures ------------------------------------------------------------------


def test_a_feed_of_google_merchant(tmp_path: Path) -> None:
    for n in NUMBERS:
        put(tmp_path, f"photos/{n}_main.jpg", f"photos/{n}_alt1.jpg", f"photos/{n}_alt2.jpg")
    cdn = "https://cdn.example/{n}"
    table(
        tmp_path,
        "feed.txt",
        "id\ttitle\tlink\timage_link\tadditional_image_link",
        f"SKU{{n}}\tDress\thttps://shop.example/{{n}}\t{cdn}_main.jpg?v=2\t{cdn}_alt1.jpg,{cdn}_alt2.jpg",
    )
    pictures = pictures_of(load(tmp_path))
    assert pictures["SKU2001"] == [f"photos/2001_{k}.jpg" for k in ("main", "alt1", "alt2")]
    assert len(pictures) == 8


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "cp1251"])
@pytest.mark.parametrize("separator", ["\t", ";", "|", ","])
def test_a_table_in_any_encoding_and_with_any_separator(
    tmp_path: Path, encoding: str, separator: str
) -> None:
    put(tmp_path, *(f"{n}.png" for n in NUMBERS))
    header, row = separator.join(("SKU", "Name")), separator.join(("{n}", "Платье летнее {n}"))
    table(tmp_path, "выгрузка.csv", header, row, encoding)
    assert first(load(tmp_path)) == {"id": "2001", "Name": "Платье летнее 2001"}


def test_of_the_tables_of_a_shop_the_one_that_describes_pictures_is_read(tmp_path: Path) -> None:
    put(tmp_path, *(f"images/020/0{n}.jpg" for n in NUMBERS))
    table(tmp_path, "articles.csv", "article_id,prod_name", "0{n},Top")
    with (tmp_path / "transactions_train.csv").open("w") as file:
        file.write("t_dat,customer_id,article_id\n")
        file.writelines(f"2020-01-01,c{k},0{2001 + k % 8}\n" for k in range(80_000))
    table(tmp_path, "customers.csv", "customer_id,age", "c{n},30")
    catalogue = load(tmp_path)
    assert first(catalogue) == {"id": "02001", "prod_name": "Top"}
    assert sum(catalogue.report.tables_not_read.values()) == 2
    assert "customers.csv" in catalogue.report.in_words()


def test_a_spreadsheet_beside_its_pictures(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    put(tmp_path, *(f"images/0{n}.jpg" for n in NUMBERS))
    rows = pd.DataFrame({"Style": list(NUMBERS), "Colour": "red"})
    rows.to_excel(tmp_path / "book.xlsx", index=False)
    assert first(load(tmp_path)) == {"id": "2001", "Colour": "red"}


def test_paths_of_another_machine_find_the_pictures(tmp_path: Path) -> None:
    put(tmp_path, *(f"Photos/IMG {n}.JPG" for n in NUMBERS))
    table(tmp_path, "x.csv", "Image File,name", "C:\\shop\\photos\\img {n}.jpg,dress")
    assert first(load(tmp_path)) == {"id": "IMG 2001", "name": "dress"}


def test_lists_of_pictures_in_json(tmp_path: Path) -> None:
    put(tmp_path, *(f"pics/{n}{side}.webp" for n in NUMBERS for side in "ab"))
    rows = [{"sku": f"S{n}", "images": [f"{n}a.webp", f"{n}b.webp"]} for n in NUMBERS]
    (tmp_path / "data.json").write_text(json.dumps(rows))
    assert pictures_of(load(tmp_path))["S2001"] == ["pics/2001a.webp", "pics/2001b.webp"]


def test_variations_of_woocommerce_have_their_own_pictures(tmp_path: Path) -> None:
    put(tmp_path, *(f"2024/01/{n}{of}.jpg" for n in NUMBERS for of in ("", "-red")))
    address = "https://x.example/wp-content/uploads/2024/01/"
    with (tmp_path / "wc-product-export.csv").open("w", encoding="utf-8-sig", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["ID", "Type", "Name", "Images"])
        for n in NUMBERS:
            rows.writerow([n, "variable", "Dress", f"{address}{n}.jpg"])
            rows.writerow([n + 5000, "variation", "Dress - red", f"{address}{n}-red.jpg"])
    pictures = pictures_of(load(tmp_path))
    assert pictures["2001"] == ["2024/01/2001.jpg"]
    assert pictures["7001"] == ["2024/01/2001-red.jpg"]


def test_a_folder_for_each_product(tmp_path: Path) -> None:
    put(tmp_path, *(f"images/{n}/{side}.jpg" for n in NUMBERS for side in ("front", "back")))
    table(tmp_path, "products.csv", "id,name", "{n},dress")
    assert pictures_of(load(tmp_path))["2001"] == ["images/2001/back.jpg", "images/2001/front.jpg"]


def test_copies_with_numbers_behind_are_further_pictures(tmp_path: Path) -> None:
    put(tmp_path, *(f"images/{n}{of}.jpg" for n in NUMBERS for of in ("", " (1)", " (2)", "-back")))
    table(tmp_path, "products.csv", "product_id;name", "{n};dress")
    assert len(pictures_of(load(tmp_path))["2001"]) == 4


def test_pictures_that_two_items_share_belong_to_both(tmp_path: Path) -> None:
    put(tmp_path, "images/same.jpg", "images/other.jpg")
    (tmp_path / "p.csv").write_text("sku,image\nA,same.jpg\nB,same.jpg\nC,other.jpg\n")
    assert pictures_of(load(tmp_path)) == {
        "A": ["images/same.jpg"], "B": ["images/same.jpg"], "C": ["images/other.jpg"],
    }  # fmt: skip


def test_ids_that_became_numbers_with_decimals(tmp_path: Path) -> None:
    put(tmp_path, *(f"{n}.jpg" for n in NUMBERS))
    table(tmp_path, "x.csv", "id,name", "{n}.0,dress")
    assert list(pictures_of(load(tmp_path))) == IDS


_NAME = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)
_CELL = st.one_of(st.sampled_from(["1", "2.jpg", "3", "images/1.jpg", "", "NA"]), st.text())


@settings(max_examples=60)
@given(
    header=st.lists(st.sampled_from(["id", "image", "sku", "name", "class"]) | _NAME, min_size=1),
    rows=st.lists(st.lists(_CELL, max_size=5), max_size=8),
    stems=st.lists(st.sampled_from(["1", "2", "3"]) | _NAME.filter(lambda n: len(n) < 20)),
    name=st.sampled_from(["items.csv", "items.tsv", "items.txt", "metadata.jsonl"]),
)
def test_any_table_beside_any_pictures_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory,
    header: list[str],
    rows: list[list[str]],
    stems: list[str],
    name: str,
) -> None:
    folder = tmp_path_factory.mktemp("shop")
    for stem in stems:
        with suppress(OSError):  # a name that this system does not take
            put(folder, f"images/{stem}.jpg")
    text = io.StringIO()
    csv.writer(text, delimiter="\t" if name.endswith("tsv") else ",").writerows([header, *rows])
    (folder / name).write_text(text.getvalue(), encoding="utf-8", errors="surrogatepass")
    with suppress(CatalogueError):
        load(folder)


# --- data sets -------------------------------------------------------------------------------


def test_the_parts_of_a_data_set_are_one_table_and_names_are_of_their_part(tmp_path: Path) -> None:
    for part in ("train", "test"):
        put(tmp_path, *(f"{part}/{n}.png" for n in NUMBERS))
        table(tmp_path, f"{part}/metadata.csv", "file_name,text", f"{{n}}.png,{part} {{n}}")
    catalogue = load(tmp_path)
    said = dict(zip(catalogue.items["image"], catalogue.items["text"], strict=True))
    assert said["train/2001.png"] == "train 2001"
    assert said["test/2001.png"] == "test 2001"
    assert len(catalogue) == 16


def test_parquet_shards_with_pictures_in_them(tmp_path: Path) -> None:
    for shard in range(3):
        rows = [
            {"image": {"bytes": picture_bytes((n % 256, shard, 0)), "path": None}, "text": f"t {n}"}
            for n in NUMBERS
        ]
        pd.DataFrame(rows).to_parquet(tmp_path / f"train-0000{shard}-of-00003.parquet")
    catalogue = load(tmp_path)
    assert len(pictures_of(catalogue)) == 24
    assert catalogue.attributes == ["text"]
    data = catalogue.store.read(catalogue.items["image"].iloc[0], 2**20)
    assert data == picture_bytes((2001 % 256, 0, 0))


def test_a_parquet_of_paths(tmp_path: Path) -> None:
    put(tmp_path, *(f"images/{n}.jpg" for n in NUMBERS))
    rows = {"image_path": [f"/home/me/images/{n}.jpg" for n in NUMBERS], "text": "a dress"}
    pd.DataFrame(rows).to_parquet(tmp_path / "data.parquet")
    assert first(load(tmp_path)) == {"id": "2001", "text": "a dress"}


def test_tars_of_webdataset(tmp_path: Path) -> None:
    for shard in range(2):
        with tarfile.open(tmp_path / f"{shard:05}.tar", "w") as archive:
            for n in NUMBERS:
                about = json.dumps({"caption": f"c {n}", "label": "dress", "width": 8}).encode()
                for ending, data in (("jpg", PICTURE), ("json", about), ("cls", b"3")):
                    info = tarfile.TarInfo(f"{shard:05}{n}.{ending}")
                    info.size = len(data)
                    archive.addfile(info, io.BytesIO(data))
    catalogue = load(tmp_path)
    assert len(catalogue) == 16
    assert first(catalogue) == {"id": "000002001", "caption": "c 2001", "label": "dress"}


def test_folders_of_img2dataset_with_its_tables(tmp_path: Path) -> None:
    for shard in range(2):
        keys = [f"{shard:05}{n}" for n in NUMBERS]
        for key in keys:
            put(tmp_path, f"{shard:05}/{key}.jpg")
            (tmp_path / f"{shard:05}/{key}.txt").write_text("a dress")
        rows = {"key": [*keys, f"{shard:05}9999"], "caption": "a dress"}
        pd.DataFrame(rows).to_parquet(tmp_path / f"{shard:05}.parquet")
        (tmp_path / f"{shard:05}_stats.json").write_text("{}")
    catalogue = load(tmp_path)
    assert first(catalogue) == {"id": "000002001", "caption": "a dress"}
    assert catalogue.report.dropped == {"no picture": 2}


def test_the_annotations_of_coco(tmp_path: Path) -> None:
    put(tmp_path, *(f"images/{n}.jpg" for n in NUMBERS))
    described = {
        "images": [{"id": i, "file_name": f"{n}.jpg"} for i, n in enumerate(NUMBERS)],
        "categories": [{"id": 1, "name": "dress"}, {"id": 2, "name": "shoe"}],
        "annotations": [{"id": i, "image_id": i, "category_id": 1 + i % 2} for i in range(8)],
    }
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "instances.json").write_text(json.dumps(described))
    assert set(load(tmp_path).items["categories"]) == {"dress", "shoe"}


def test_the_full_set_of_kaggle_holds_everything_twice(tmp_path: Path) -> None:
    for base in ("fashion-dataset", "fashion-dataset/fashion-dataset"):
        put(tmp_path, *(f"{base}/images/{n}.jpg" for n in NUMBERS))
        table(tmp_path, f"{base}/styles.csv", "id,productDisplayName", "{n},A shirt, long")
        table(tmp_path, f"{base}/images.csv", "filename,link", "{n}.jpg,http://x.example/{n}a.jpg")
        (tmp_path / base / "styles").mkdir()
        for n in range(2001, 2031):
            (tmp_path / base / "styles" / f"{n}.json").write_text("{}")
    catalogue = load(tmp_path)
    assert pictures_of(catalogue)["2001"] == ["fashion-dataset/images/2001.jpg"]
    assert first(catalogue) == {"id": "2001", "productDisplayName": "A shirt, long"}


def test_lists_of_deepfashion_as_they_are_published(tmp_path: Path) -> None:
    base = "Img/img/WOMEN/Dresses"
    put(tmp_path, *(f"{base}/id_{n:08}/0{k}_1_front.jpg" for n in (2, 80) for k in (1, 2)))
    (tmp_path / "Anno").mkdir()
    (tmp_path / "Anno/list_item_inshop.txt").write_text("2\nid_00000002\nid_00000080\n")
    described = [{"item": f"id_{n:08}", "color": "Red", "description": ["a"]} for n in (2, 80)]
    (tmp_path / "Anno/list_description_inshop.json").write_text(json.dumps(described))
    catalogue = load(tmp_path)
    assert len(pictures_of(catalogue)) == 2
    assert first(catalogue) == {
        "id": f"{base}/id_00000002", "class": "Dresses", "group": "WOMEN", "color": "Red",
        "description": "a",
    }  # fmt: skip


def test_texts_that_are_no_tables_are_passed_by(tmp_path: Path) -> None:
    put(tmp_path, *(f"images/train/{n}.jpg" for n in NUMBERS))
    for n in NUMBERS:
        (tmp_path / "labels").mkdir(exist_ok=True)
        (tmp_path / "labels" / f"{n}.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    (tmp_path / "README.txt").write_text("id,name\nread,me\n")
    (tmp_path / "config.json").write_text('{"id": 1}')
    assert load(tmp_path).attributes == []


# --- archives --------------------------------------------------------------------------------


def test_a_packed_tar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITTING_ROOM_CACHE", str(tmp_path / "cache"))
    put(tmp_path, *(f"shop/images/{n}.jpg" for n in NUMBERS))
    table(tmp_path, "shop/p.csv", "id,name", "{n},dress")
    with tarfile.open(tmp_path / "shop.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "shop", "shop")
    catalogue = load(tmp_path / "shop.tar.gz")
    assert first(catalogue) == {"id": "2001", "name": "dress"}
    assert catalogue.store.read(catalogue.items["image"].iloc[0], 2**20) == PICTURE


def test_an_archive_beside_its_unpacked_pictures_is_left_alone(tmp_path: Path) -> None:
    put(tmp_path, *(f"images/{n}.jpg" for n in NUMBERS))
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for n in NUMBERS:
            archive.writestr(f"images/{n}.jpg", PICTURE)
    table(tmp_path, "styles.csv", "id,name", "{n},dress")
    catalogue = load(tmp_path)
    assert pictures_of(catalogue)["2001"] == ["images/2001.jpg"]
    assert catalogue.report.passed_over == {BESIDE: 1}


# --- what the user says ----------------------------------------------------------------------


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    put(tmp_path, *(f"images/{n}.jpg" for n in NUMBERS))
    rows = [f"{n},{4009 - n},A{n},T{n},D{n}" for n in NUMBERS]
    text = "\n".join(["id,photo,sku,title,productDisplayName", *rows])
    (tmp_path / "products.csv").write_text(text)
    (tmp_path / "labels.csv").write_text("\n".join(["id,label", *(f"{n},x" for n in NUMBERS)]))
    return tmp_path


def test_the_user_names_table_and_columns(shop: Path) -> None:
    reading = ReadingOptions("products.csv", "SKU", "Photo", "title")
    catalogue = load(shop, reading)
    assert pictures_of(catalogue)["A2001"] == ["images/2008.jpg"]
    assert first(catalogue)["name"] == "T2001"
    assert load(shop, ReadingOptions(table="labels.csv")).attributes == ["label"]
    assert load(shop, ReadingOptions(table=NO_TABLE)).attributes == []


@pytest.mark.parametrize(
    ("reading", "message"),
    [
        (ReadingOptions(table="nowhere.csv"), r"no table 'nowhere\.csv'.*products\.csv"),
        (ReadingOptions(table="products.csv", id_column="nr"), "no column 'nr'.*sku"),
        (ReadingOptions(table="products.csv", image_column="nr"), "no column 'nr'.*photo"),
        (ReadingOptions(name_column="nr"), "no column 'nr'"),
    ],
)
def test_what_the_user_names_and_is_not_there_is_refused(
    shop: Path, reading: ReadingOptions, message: str
) -> None:
    with pytest.raises(CatalogueError, match=message):
        load_catalogue(shop, reading)


def test_ids_are_shown_beside_names_where_none_finds_a_picture(tmp_path: Path) -> None:
    put(tmp_path, *(f"images/{n}.jpg" for n in NUMBERS))
    table(tmp_path, "products.csv", "sku,name", "AB-{n},dress")
    with pytest.raises(CatalogueError, match=r"AB-2001, AB-2002, AB-2003.*2001, 2002, 2003"):
        load_catalogue(tmp_path)
