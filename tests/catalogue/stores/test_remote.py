"""Files elsewhere, from a real S3 server and a real web server on this machine."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fitting_room.catalogue.stores import (
    RemoteStore,
    StoreError,
    is_trusted,
    open_store,
    remember_place,
    remote,
)
from fitting_room.catalogue.stores.places import place_of, shown
from fitting_room.imaging.decode import ImageRejected
from tests.catalogue.stores.helpers import MB, PICTURE, fill, names_in, tarred, zipped
from tests.conftest import picture_bytes
from tests.web import QuietServer

FILES = {
    "shop/styles.csv": b"id\n1\n",
    "shop/images/1.jpg": picture_bytes("red"),
    "shop/images/näh #2 100%.jpg": picture_bytes("green"),
    "shop/.hidden.jpg": PICTURE,
    "shop/empty.jpg": b"",
    "shop-private/3.jpg": PICTURE,
}


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    server = pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """An S3 bucket ``goods`` with :data:`FILES` and archives of them."""
    import boto3

    for name, value in {
        "AWS_ENDPOINT_URL": s3_server, "AWS_ACCESS_KEY_ID": "testing", "AWS_REGION": "us-east-1",
        "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="goods")
    packed = {"1.jpg": PICTURE, "styles.csv": b"id"}
    archive = zipped(tmp_path / "a.zip", packed).read_bytes()
    for name, data in (FILES | {"shop/more.zip": archive, "alone.zip": archive}).items():
        client.put_object(Bucket="goods", Key=name, Body=data)
    yield client
    for item in client.list_objects_v2(Bucket="goods")["Contents"]:
        client.delete_object(Bucket="goods", Key=item["Key"])
    client.delete_bucket(Bucket="goods")


def open_allowed(address: str, tmp_path: Path) -> Any:
    return open_store(address, allow=True, cache=tmp_path / "cache")


def test_a_folder_of_a_bucket_is_a_folder(bucket: Any, tmp_path: Path) -> None:
    store = open_allowed("s3://goods/shop/", tmp_path)
    names = ["images/1.jpg", "images/näh #2 100%.jpg"]
    assert sorted(names_in(store)) == ["empty.jpg", *names, "more.zip/1.jpg"]
    assert [store.read(name, MB) for name in names] == [FILES[f"shop/{name}"] for name in names]
    assert store.open("styles.csv").read() == b"id\n1\n"
    assert store.location == "s3://goods/shop/"
    assert store.path("images/1.jpg") == "s3://goods/shop/images/1.jpg"
    assert store.read("more.zip/1.jpg", MB) == PICTURE
    assert store.open("more.zip/styles.csv").read() == b"id"


def test_signatures_in_a_bucket_change_with_the_bytes(bucket: Any, tmp_path: Path) -> None:
    first = RemoteStore("s3://goods/shop", tmp_path).listing().files
    bucket.put_object(
        Bucket="goods", Key="shop/images/1.jpg", Body=FILES["shop/images/1.jpg"][::-1]
    )
    second = RemoteStore("s3://goods/shop", tmp_path).listing().files
    assert {name for name in first if first[name] != second[name]} == {"images/1.jpg"}


@pytest.mark.parametrize("name", ["../alone.zip", "../shop-private/3.jpg", "/1.jpg", "4.jpg", ""])
def test_nothing_beside_the_folder_is_read(bucket: Any, tmp_path: Path, name: str) -> None:
    store = open_allowed("s3://goods/shop", tmp_path)
    with pytest.raises(ImageRejected):
        store.read(name, MB)
    with pytest.raises(StoreError):
        store.open(name)


def test_the_byte_limit_is_exact(bucket: Any, tmp_path: Path) -> None:
    store, data = open_allowed("s3://goods/shop", tmp_path), FILES["shop/images/1.jpg"]
    assert store.read("images/1.jpg", len(data)) == data
    with pytest.raises(ImageRejected, match="too large"):
        store.read("images/1.jpg", len(data) - 1)


def test_an_archive_in_a_bucket_is_brought_once_and_again_when_it_changes(
    bucket: Any, tmp_path: Path
) -> None:
    store = open_allowed("s3://goods/alone.zip", tmp_path)
    assert names_in(store) == ["1.jpg"]
    (kept,) = [p for p in (tmp_path / "cache" / "archives").iterdir() if p.suffix != ".lock"]
    before = kept.stat()
    assert open_allowed("s3://goods/alone.zip", tmp_path).read("1.jpg", MB) == PICTURE
    assert kept.stat() == before
    other = zipped(tmp_path / "b.zip", {"2.jpg": PICTURE}).read_bytes()
    bucket.put_object(Bucket="goods", Key="alone.zip", Body=other)
    assert names_in(open_allowed("s3://goods/alone.zip", tmp_path)) == ["2.jpg"]


def test_an_empty_or_missing_bucket_is_told(bucket: Any, tmp_path: Path) -> None:
    for address in ("s3://goods/nothing", "s3://no-such-bucket/shop"):
        with pytest.raises(StoreError, match=address):
            open_allowed(address, tmp_path).listing()
    with pytest.raises(StoreError, match="no such file"):
        open_allowed("s3://goods/nothing.zip", tmp_path)


def test_a_bucket_that_is_open_to_all_is_read_without_keys(
    bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    bucket.put_bucket_acl(Bucket="goods", ACL="public-read")
    for name in FILES:
        bucket.put_object_acl(Bucket="goods", Key=name, ACL="public-read")
    store = open_allowed("s3://goods/shop", tmp_path)
    assert store.read("images/1.jpg", MB) == FILES["shop/images/1.jpg"]
    assert "images/1.jpg" in names_in(open_allowed("s3://goods/shop", tmp_path))


# --- the web --------------------------------------------------------------------------------


class Handler(SimpleHTTPRequestHandler):
    requests: list[str]

    def log_message(self, *_: Any) -> None:
        pass

    def send_head(self) -> Any:
        self.server.requests.append(self.path)  # type: ignore[attr-defined]
        return super().send_head()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[QuietServer]:
    pytest.importorskip("aiohttp")
    folder = fill(tmp_path / "web", {"products.csv": b"id\n1\n", "1.jpg": PICTURE})
    zipped(folder / "images.zip", {"1.jpg": PICTURE})
    tarred(folder / "images.tar.gz", {"1.jpg": PICTURE}, "w:gz")
    table = pa.table({"image": pa.array([PICTURE], pa.binary()), "id": [7]})
    pq.write_table(table, folder / "train.parquet")
    pq.write_table(table.select(["id"]), folder / "plain.parquet")
    server = QuietServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    server.requests = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def address_of(web: QuietServer, rest: str, user: str = "") -> str:
    return f"http://{user}127.0.0.1:{web.server_port}/{rest}"


@pytest.mark.parametrize(
    ("name", "picture"),
    [("images.zip", "1.jpg"), ("images.tar.gz", "1.jpg"), ("train.parquet", "0.jpg")],
)
def test_an_archive_of_a_web_server_is_read(
    web: QuietServer, tmp_path: Path, name: str, picture: str
) -> None:
    store = open_allowed(address_of(web, name), tmp_path)
    assert names_in(store) == [picture]
    assert store.read(picture, MB) == PICTURE
    assert store.path(picture) == f"{address_of(web, name)}/{picture}"
    before = len([p for p in web.requests if p.endswith(name)])  # type: ignore[attr-defined]
    open_allowed(address_of(web, name), tmp_path).read(picture, MB)
    asked = len([p for p in web.requests if p.endswith(name)]) - before  # type: ignore[attr-defined]
    assert asked == 1  # whether it is still the same


@pytest.mark.parametrize("name", ["products.csv", "plain.parquet"])
def test_a_table_of_a_web_server_is_read(web: QuietServer, tmp_path: Path, name: str) -> None:
    store = open_allowed(address_of(web, name), tmp_path)
    assert list(store.listing().files) == [name]
    assert store.open(name).read() == (tmp_path / "web" / name).read_bytes()
    assert store.path(name) == address_of(web, name)
    with pytest.raises(StoreError):
        store.open("other.csv")
    with pytest.raises(ImageRejected):
        store.read("1.jpg", MB)


def test_a_folder_of_a_web_server_cannot_be_listed(web: QuietServer, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot be listed\. Give the address of an archive"):
        open_allowed(address_of(web, "shop/"), tmp_path)


def test_without_a_connection_what_was_brought_before_will_do(
    web: QuietServer, tmp_path: Path
) -> None:
    address = address_of(web, "images.zip")
    open_allowed(address, tmp_path)
    web.shutdown()
    web.server_close()
    assert open_allowed(address, tmp_path).read("1.jpg", MB) == PICTURE
    with pytest.raises(StoreError, match="could be fetched"):
        open_allowed(address_of(web, "other.zip"), tmp_path)


def test_nothing_secret_of_an_address_is_shown(web: QuietServer, tmp_path: Path) -> None:
    secret = address_of(web, "images.zip?token=s3cret", "me:s3cret@")
    store = open_allowed(secret, tmp_path)
    assert store.location == address_of(web, "images.zip")
    assert store.read("1.jpg", MB) == PICTURE
    for name in ("gone.zip", "gone.csv", "gone/"):
        with pytest.raises(StoreError) as caught:
            open_allowed(address_of(web, f"{name}?token=s3cret", "me:s3cret@"), tmp_path)
        assert "s3cret" not in str(caught.value)
        assert name in str(caught.value)


def test_too_large_a_file_is_not_brought(
    web: QuietServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "MAX_DOWNLOAD", 10)
    with pytest.raises(StoreError, match="larger than"):
        open_allowed(address_of(web, "images.zip"), tmp_path)


# --- whose places are asked -----------------------------------------------------------------


def test_a_place_that_nothing_was_built_from_is_not_asked(web: QuietServer, tmp_path: Path) -> None:
    address = address_of(web, "images.zip?token=s3cret")
    with pytest.raises(StoreError) as caught:
        open_store(address, cache=tmp_path / "cache")
    allowing = f"FITTING_ROOM_PLACES=http://127.0.0.1:{web.server_port}"
    assert allowing in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert not web.requests  # type: ignore[attr-defined]


def test_a_place_that_was_built_from_is_asked(web: QuietServer, tmp_path: Path) -> None:
    remember_place(address_of(web, "images.zip", "me:s3cret@"), tmp_path / "cache")
    remember_place("s3://goods/shop", tmp_path / "cache")
    store = open_store(address_of(web, "images.tar.gz"), cache=tmp_path / "cache")
    assert names_in(store) == ["1.jpg"]
    assert "s3cret" not in (tmp_path / "cache" / "places.txt").read_text("utf-8")
    assert is_trusted("s3://goods/other", tmp_path / "cache")


def test_a_place_that_the_environment_allows_is_asked(
    web: QuietServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FITTING_ROOM_PLACES", f"s3://goods {address_of(web, '')}")
    assert names_in(open_store(address_of(web, "images.zip"), cache=tmp_path)) == ["1.jpg"]


@pytest.mark.parametrize(
    ("address", "trusted"),
    [
        ("https://shop.example/a.zip", True), ("HTTPS://shop.example/a.zip", True),
        ("https://me:x@shop.example/a.zip?k=1", True), ("https://shop.example", True),
        ("https://shop.example.org/a.zip", False), ("https://shop.example@evil.org/a", False),
        ("http://shop.example/a.zip", False), ("https://shop.example:8443/a.zip", False),
        ("https://evil.org/https://shop.example/a", False), ("s3://goods/shop", True),
        ("s3://goods-private/shop", False), ("s3://other/goods", False),
        ("gs://mine/deep/shop/1", True), ("gs://mine/deep", False), ("gs://mine/other", False),
        ("gs://mine/deep/shop/../../x", False), ("https://evil.org\\@shop.example/a", False),
    ],
)  # fmt: skip
def test_a_place_is_trusted_as_a_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str, trusted: bool
) -> None:
    places = "https://shop.example s3://goods/ gs://mine/deep/shop"
    monkeypatch.setenv("FITTING_ROOM_PLACES", places)
    assert is_trusted(address, tmp_path) is trusted


def test_the_place_of_an_address_is_its_owners() -> None:
    assert place_of("https://u:p@shop.example:1/a/b.zip?k#f") == "https://shop.example:1"
    assert place_of("s3://goods/shop/x") == "s3://goods"
    assert place_of("hf://datasets/me/shop/data") == "hf://datasets/me/shop"
    assert shown("s3://goods/näh.zip?versionId=1") == "s3://goods/näh.zip"


# --- other addresses ------------------------------------------------------------------------


def test_any_file_system_of_fsspec_is_read(tmp_path: Path) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    system = MemoryFileSystem()
    try:
        system.pipe({"/shop/1.jpg": PICTURE, "/shop/a/../../2.jpg": PICTURE, "/3.jpg": PICTURE})
        store = open_allowed("memory://shop", tmp_path)
        assert "1.jpg" in names_in(store)
        assert "3.jpg" not in names_in(store)
        assert store.read("1.jpg", MB) == PICTURE
    finally:
        system.store.clear()


@pytest.mark.parametrize(
    "address",
    [
        "simplecache::s3://goods/shop", "zip://1.jpg::https://shop.example/a.zip",
        "https://shop.example/../a.zip", "https://a.org\\@b.org/a.zip", "s3://goods/%2e%2E/a",
        "reference://", "dir://x", "nosuch://shop", "filecache://x",
    ],
)  # fmt: skip
def test_addresses_that_lead_through_others_or_nowhere_are_refused(
    tmp_path: Path, address: str
) -> None:
    with pytest.raises(StoreError):
        open_allowed(address, tmp_path)


def test_an_address_of_a_file_here_is_its_path(tmp_path: Path) -> None:
    folder = fill(tmp_path / "näh shop", {"1.jpg": PICTURE})
    assert names_in(open_store(folder.as_uri(), cache=tmp_path)) == ["1.jpg"]


@pytest.mark.parametrize(
    ("address", "extra"),
    [("s3://goods/shop", "s3"), ("gs://goods/shop", "gs"), ("https://shop.example/a.zip", "web")],
)
def test_a_missing_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, extra: str
) -> None:
    import fsspec

    def missing(protocol: str) -> Any:
        raise ImportError(f"Install something to access {protocol}")

    monkeypatch.setattr(fsspec, "get_filesystem_class", missing)
    with pytest.raises(StoreError) as caught:
        open_allowed(address, tmp_path)
    assert f'pip install "fitting-room[{extra}]"' in str(caught.value)
