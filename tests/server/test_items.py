"""The catalogue through the API: items, pictures, columns."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from urllib.parse import quote

import pytest
from PIL import Image
from starlette.testclient import TestClient

from fitting_room.facade import FittingRoom
from tests.conftest import picture_bytes


def test_an_item_has_what_the_catalogue_says(
    client: TestClient, demo_fitting_room: FittingRoom
) -> None:
    row = demo_fitting_room.items_once.iloc[3]
    item = client.get(f"/api/v1/items/{row['id']}").json()
    expected = demo_fitting_room.item(row["id"])
    assert expected is not None
    assert item["name"] == expected.name
    assert item["attributes"] == expected.attributes
    assert item["pictures"] == []


def test_its_picture_is_a_jpeg_that_is_kept(
    client: TestClient, demo_fitting_room: FittingRoom
) -> None:
    item = client.get(f"/api/v1/items/{demo_fitting_room.items_once['id'].iloc[0]}").json()
    small, large = (client.get(item["picture"], params={"large": how}) for how in (False, True))
    assert small.headers["content-type"] == "image/jpeg"
    assert "max-age" in small.headers["cache-control"]
    sizes = [Image.open(BytesIO(answer.content)).size for answer in (small, large)]
    assert sizes == [(300, 400), (300, 400)]
    again = client.get(item["picture"], headers={"If-None-Match": small.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""


@pytest.mark.parametrize(
    "path", ["nothing", "nothing/picture", "nothing/similar", quote("../../etc/passwd", safe="")]
)
def test_no_such_item(client: TestClient, path: str) -> None:
    response = client.get(f"/api/v1/items/{path}")
    assert response.status_code == 404
    assert response.json()["type"].endswith("no-such-item")


def test_no_such_picture(client: TestClient, demo_fitting_room: FittingRoom) -> None:
    item = demo_fitting_room.items_once["id"].iloc[0]
    response = client.get(f"/api/v1/items/{item}/picture", params={"number": 1})
    assert response.status_code == 404
    assert response.json()["type"].endswith("no-picture")


def test_columns_count_what_each_value_leaves(
    client: TestClient, demo_fitting_room: FittingRoom
) -> None:
    everything = client.get("/api/v1/columns").json()
    assert everything["items"] == len(demo_fitting_room.items_once)
    by_name = {column["column"]: column for column in everything["columns"]}
    assert list(by_name) == demo_fitting_room.attributes
    kinds = demo_fitting_room.items_once["articleType"].value_counts()
    told = {value["value"]: value["items"] for value in by_name["articleType"]["values"]}
    assert told == kinds.to_dict()
    assert by_name["productDisplayName"]["values"] is None
    assert [name for name, column in by_name.items() if column["numeric"]] == ["year"]
    name = demo_fitting_room.items_once["productDisplayName"].iloc[0]
    where = json.dumps({"productDisplayName": name})
    assert client.get("/api/v1/columns", params={"where": where}).json()["items"] >= 1


def test_filters_of_other_columns_count(client: TestClient, demo_fitting_room: FittingRoom) -> None:
    items = demo_fitting_room.items_once
    kind, name = items["articleType"].iloc[0], items["productDisplayName"].iloc[0]
    for where in ({"articleType": [kind]}, {"productDisplayName": name}):
        answer = client.get("/api/v1/columns", params={"where": json.dumps(where)}).json()
        ((column, wanted),) = where.items()
        wanted = wanted if isinstance(wanted, list) else [wanted]
        some = items[items[column].isin(wanted)]
        assert answer["items"] == len(some)
        colours = next(c for c in answer["columns"] if c["column"] == "baseColour")
        counts = {v["value"]: v["items"] for v in colours["values"] if v["items"]}
        assert counts == some["baseColour"].value_counts().to_dict()


def test_an_unknown_column_is_a_problem(client: TestClient) -> None:
    response = client.get("/api/v1/columns", params={"where": '{"size": "M"}'})
    assert response.json()["type"].endswith("unknown-column")


# --- changes ----------------------------------------------------------------------------------


def test_an_item_is_added_found_and_removed(
    serve: Callable[..., TestClient], authorised: dict[str, str]
) -> None:
    client, picture = serve(), picture_bytes("teal", (90, 120))
    before = client.get("/ready").json()["items"]
    form = {"id": "new/one", "attributes": json.dumps({"gender": "Women", "shelf": "B 12"})}
    files = [("picture", ("a.JPG", picture)), ("picture", ("b.exe", picture_bytes("olive")))]
    added = client.post("/api/v1/items", files=files, data=form, headers=authorised)
    assert added.status_code == 201, added.text
    assert added.json()["added"] == ["new/one"]
    assert client.get("/ready").json()["items"] == before + 1
    found = client.post("/api/v1/search", files={"picture": picture}).json()["matches"][0]
    assert (found["id"], found["same_picture"]) == ("new/one", True)
    assert found["attributes"] == {"gender": "Women", "shelf": "B 12"}
    for address in (found["picture"], *found["pictures"]):
        assert client.get(address).headers["content-type"] == "image/jpeg"
    there = client.post("/api/v1/items", files=files, data=form, headers=authorised)
    assert there.status_code == 409
    again = {**form, "replace": "true"}
    replaced = client.post("/api/v1/items", files=files, data=again, headers=authorised)
    assert replaced.json()["replaced"] == ["new/one"]
    address = f"/api/v1/items/{quote('new/one', safe='')}"
    removed = client.delete(address, headers=authorised)
    assert removed.json()["removed"] == ["new/one"]
    assert client.get(address).status_code == 404
    assert client.delete(address, headers=authorised).status_code == 404


def test_what_cannot_be_added_is_named(
    serve: Callable[..., TestClient], authorised: dict[str, str]
) -> None:
    client = serve()
    files = {"picture": ("letter.jpg", b"no picture")}
    response = client.post("/api/v1/items", files=files, data={"id": "x"}, headers=authorised)
    assert response.status_code == 422
    assert "letter.jpg: " in response.json()["detail"]
    bad = {"id": "x", "attributes": json.dumps({"id": "other"})}
    files = {"picture": ("a.jpg", picture_bytes())}
    response = client.post("/api/v1/items", files=files, data=bad, headers=authorised)
    assert response.status_code == 422
    assert response.json()["type"].endswith("invalid-request")
    bad = {"id": "x", "attributes": "[1]"}
    response = client.post("/api/v1/items", files=files, data=bad, headers=authorised)
    assert response.status_code == 422
