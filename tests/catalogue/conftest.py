"""Small catalogues, and what is true of every catalogue."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fitting_room.catalogue.catalogue import Catalogue, load_catalogue
from tests.conftest import picture_bytes

MB = 2**20
PICTURE = picture_bytes(size=(8, 8))


def make_shop(folder: Path, table: str | bytes, ids: Iterable[str] = "123456789") -> Path:
    """A folder with this ``styles.csv``, and a picture for each of ``ids``."""
    (folder / "images").mkdir(parents=True)
    for item in ids:
        (folder / "images" / f"{item}.jpg").write_bytes(PICTURE)
    table = table if isinstance(table, bytes) else table.encode()
    (folder / "styles.csv").write_bytes(table)
    return folder


Load = Callable[..., Catalogue]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads a ``styles.csv`` of this text (or these bytes) beside the pictures 1 to 9."""

    def load_table(table: str | bytes, **options: Any) -> Catalogue:
        catalogue = load_catalogue(make_shop(tmp_path / "catalogue", table, **options))
        check_invariants(catalogue)
        return catalogue

    return load_table


def check_invariants(catalogue: Catalogue) -> None:
    """What is true of every catalogue that loads, however bad its source."""
    report, items = catalogue.report, catalogue.items
    left = sum(report.dropped.values()) + sum(report.merged.values())
    assert report.rows == report.items + left
    assert report.items == items["id"].nunique() > 0
    assert report.pictures == len(items) == len(catalogue)
    assert not items[["id", "image"]].duplicated().any()
    assert not items[["id", "image", "signature"]].isna().any().any()
    pictures = set(dict(catalogue.store.listing().pictures()))
    assert set(items["image"]) <= pictures
    assert items["image"].nunique() + report.unlisted <= len(pictures)
    for counts in (report.repaired, report.dropped, report.passed_over):
        for reason, count in counts.items():
            assert 1 <= len(report.examples[reason]) <= count
    assert len(catalogue.fingerprint) == 64
    json.dumps(report.as_dict())
    report.in_words().encode()
    for column in items:
        items[column].str.encode("utf-8")  # nothing that cannot be written to a file


def cells(catalogue: Catalogue) -> dict[str, dict[str, str | None]]:
    """What the catalogue says of its items: id -> attribute -> text, or ``None``."""
    table = catalogue.items.set_index("id")[catalogue.attributes]
    return {
        str(item): {str(c): None if pd.isna(cell) else str(cell) for c, cell in row.items()}
        for item, row in table.to_dict("index").items()
    }


def ids(catalogue: Catalogue) -> list[str]:
    return catalogue.items["id"].tolist()


def pack(folder: Path, to: Path, top: str = "") -> Path:
    with zipfile.ZipFile(to, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, top + path.relative_to(folder).as_posix())
    return to


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("archives") / "catalogue.zip"


def as_folder(shop: Path) -> Path:
    return shop


def as_zip(shop: Path) -> Path:
    return pack(shop, shop.parent / "shop.zip")


def as_zip_with_a_top_folder(shop: Path) -> Path:
    return pack(shop, shop.parent / "shop.zip", "shop-2024/catalogue/")


def as_table_beside_images_zip(shop: Path) -> Path:
    pack(shop / "images", shop / "images.zip", "images/")
    shutil.rmtree(shop / "images")
    return shop


def as_table_beside_a_flat_images_zip(shop: Path) -> Path:
    pack(shop / "images", shop / "images.zip")
    shutil.rmtree(shop / "images")
    return shop


def as_table_among_its_pictures(shop: Path) -> Path:
    for path in (shop / "images").iterdir():
        path.rename(shop / path.name)
    (shop / "images").rmdir()
    return shop


FORMS = pytest.mark.parametrize(
    "form",
    [
        as_folder, as_zip, as_zip_with_a_top_folder, as_table_beside_images_zip,
        as_table_beside_a_flat_images_zip, as_table_among_its_pictures,
    ],
)  # fmt: skip
