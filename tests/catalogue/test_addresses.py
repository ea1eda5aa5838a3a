"""Which column of a table has addresses of pictures, and which of them are asked."""

from __future__ import annotations

import socket
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from fitting_room.catalogue.addresses import (
    AddressError,
    addresses_in,
    in_own_network,
    normalised,
    refusals,
    shown,
)
from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.catalogue.fetching import url_column

PICTURE, PAGE, BARE = "https://a.example/1.jpg", "https://a.example/item/1", "https://cdn.example/x"


def table(**columns: list[str | None]) -> pd.DataFrame:
    return pd.DataFrame({name.replace("_", " "): cells for name, cells in columns.items()})


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"id": ["1"], "url": [BARE], "caption": ["a"]}, "url"),  # LAION
        ({"TEXT": ["a"], "URL": [BARE]}, "URL"),
        ({"Handle": ["a"], "Image Src": [BARE], "Variant Image": [BARE]}, "Image Src"),  # Shopify
        ({"Images": [f"{PICTURE}, {PICTURE}"], "Permalink": [PAGE]}, "Images"),  # WooCommerce
        (
            {"link": [PAGE], "image_link": [BARE], "additional_image_link": [BARE]},
            "image_link",
        ),  # Google
        ({"product_url": [PAGE], "cover": [PICTURE]}, "cover"),
        ({"thumbnail": [PICTURE], "large": [PICTURE]}, "large"),
        ({"filename": ["1.jpg"], "link": [PICTURE]}, "link"),  # styles' images.csv
        ({"id": ["1"], "website": [PAGE]}, None),
        ({"id": ["1"], "image": ["images/1.jpg"]}, None),
        ({"note": ["see https://a.example/1.jpg"]}, None),
        ({"image": ["file:///etc/passwd"]}, None),
        ({"image": [None, "", " "]}, None),
        ({"image": [PICTURE, None, None], "photo": [PICTURE, PICTURE, None]}, "photo"),
        ({"image": [PICTURE, PICTURE, "none"]}, "image"),
        ({}, None),
    ],
)
def test_the_column_is_found_by_content_and_name(
    columns: dict[str, list[str | None]], expected: str | None
) -> None:
    assert url_column(pd.DataFrame(columns, dtype="str")) == expected


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (PICTURE, [PICTURE]),
        (f" {PICTURE} ", [PICTURE]),
        (f"{PICTURE}, {PAGE}", [PICTURE, PAGE]),
        (f"{PICTURE},{PAGE}", [PICTURE, PAGE]),
        (f"{PICTURE}|{PAGE}", [PICTURE, PAGE]),
        (f'["{PICTURE}", "{PAGE}"]', [PICTURE, PAGE]),
        (f"{PICTURE}\n{PAGE}", [PICTURE, PAGE]),
        ("https://a.example/w_1,h_2/1.jpg", ["https://a.example/w_1,h_2/1.jpg"]),
        (
            "https://a.example/?from=https://b.example/1",
            ["https://a.example/?from=https://b.example/1"],
        ),
        ("see https://a.example", []),
        ("1.jpg", []),
        (None, []),
        (float("nan"), []),
        (", ".join([PICTURE] * 200), [PICTURE] * 100),
    ],
)
def test_a_cell_may_hold_several(cell: object, expected: list[str]) -> None:
    assert addresses_in(cell) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://a.example/a b.jpg", "https://a.example/a%20b.jpg"),
        ("https://a.example/a%20b.jpg", "https://a.example/a%20b.jpg"),
        ("HTTP://A.example/1.jpg", "http://a.example/1.jpg"),
        ("https://bücher.example/rücken.jpg", "https://xn--bcher-kva.example/r%C3%BCcken.jpg"),
        ("https://a.example/1.jpg?v=1&w=2", "https://a.example/1.jpg?v=1&w=2"),
    ],
)
def test_what_a_server_is_asked(address: str, expected: str) -> None:
    assert normalised(address).lower() == expected.lower()


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd", "ftp://a.example/1.jpg", "data:image/png;base64,AAAA", "1.jpg",
        "https://", "https:///1.jpg", "http://[::1/1.jpg", "https://a.example:99999/1.jpg",
        f"https://a.example/{'x' * 5_000}", "http://.../1.jpg",
    ],
)  # fmt: skip
def test_what_is_no_web_address(address: str) -> None:
    with pytest.raises(AddressError, match="no address of a web server"):
        normalised(address)


def test_a_password_is_not_sent_and_not_shown() -> None:
    with pytest.raises(AddressError, match="password") as caught:
        normalised("https://me:secret@a.example/1.jpg")
    assert "secret" not in str(caught.value)
    assert shown("https://me:secret@a.example/1.jpg?token=secret") == "https://a.example/1.jpg"
    assert shown("http://[") == "(no address)"


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1", True), ("localhost", True), ("10.0.0.3", True), ("192.168.1.1", True),
        ("169.254.169.254", True), ("::1", True), ("fe80::1", True), ("::ffff:127.0.0.1", True),
        ("0.0.0.0", True), ("2130706433", True), ("8.8.8.8", False),
        ("2001:4860:4860::8888", False),
        ("no-such-host.invalid", False), ("x" * 300, False),
    ],
)  # fmt: skip
def test_hosts_in_the_own_network(host: str, own: bool) -> None:
    assert in_own_network([host]) == {host: own}


def test_a_name_that_leads_to_the_own_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(host: str, *_: object, **__: object) -> list[object]:
        numbers = ["8.8.8.8", "10.0.0.1"] if host == "both.example" else ["8.8.8.8"]
        return [(socket.AF_INET, None, 0, "", (number, 0)) for number in numbers]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    asked = ["https://both.example/1.jpg", "https://a.example/1.jpg"]
    assert list(refusals(asked, private=False)) == asked[:1]
    assert refusals(asked, private=True) == {}


def test_a_page_that_ends_as_its_picture_does_stays_with_the_item(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    lines = ["id,title,product_url,image_link"]
    for number in range(1001, 1007):
        Image.new("RGB", (30, 40), (number % 256, 90, 40)).save(tmp_path / f"images/{number}.jpg")
        page = f"https://shop.example/p/{number}"
        lines.append(f"{number},Dress {number},{page},https://cdn.example/{number}.jpg")
    (tmp_path / "items.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    items = load_catalogue(tmp_path).items
    assert items["product_url"].iloc[0] == "https://shop.example/p/1001"
    assert len(items) == 6
