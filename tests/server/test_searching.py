"""Searching through the API: the same answers as the library's, and every wish that it takes."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from fitting_room.facade import FittingRoom
from fitting_room.index.scoring import SimilarityOptions
from fitting_room.search import answers
from tests.conftest import SAMPLES, picture_bytes

DRESS = SAMPLES / "red-dress.jpg"


def ask(client: TestClient, *pictures: bytes, **form: Any) -> Any:
    files = [("picture", (f"{number}.jpg", data)) for number, data in enumerate(pictures)]
    response = client.post("/api/v1/search", files=files, data=form)
    assert response.status_code == 200, response.text
    return response.json()


def ids(answer: Any) -> list[str]:
    return [match["id"] for match in answer["matches"]]


def test_a_picture_finds_what_the_library_finds(
    client: TestClient, demo_fitting_room: FittingRoom
) -> None:
    answer = ask(client, DRESS.read_bytes(), n=5)
    expected = demo_fitting_room.search(DRESS, 5)
    assert ids(answer) == [match.id for match in expected]
    first = answer["matches"][0]
    assert first["similarity"] == pytest.approx(expected[0].similarity)
    assert first["name"] == expected[0].name
    assert first["attributes"] == expected[0].attributes
    assert first["likeness"]["text"] in ("Looks the same", "Very alike", "Alike", "A little alike")
    assert not answer["out_of_catalogue"]
    assert answer["message"] is None


def test_several_pictures_are_one_query(client: TestClient, demo_fitting_room: FittingRoom) -> None:
    pictures = DRESS.read_bytes(), picture_bytes("navy", (120, 160))
    queries = demo_fitting_room.describe(list(pictures))
    assert ids(ask(client, *pictures, n=4)) == [m.id for m in demo_fitting_room.search(queries, 4)]


def test_wishes_are_those_of_the_library(
    client: TestClient, demo_fitting_room: FittingRoom
) -> None:
    features = demo_fitting_room.describe([DRESS])
    plain = demo_fitting_room.search(features, 3)
    where = {"gender": [plain[0].attributes["gender"]], "articleType": "Dresses"}
    known = {c: v for c, v in where.items() if c in demo_fitting_room.attributes}
    answer = ask(
        client, DRESS.read_bytes(), n=6, where=json.dumps(known), colour=0.4, diversity=0.5
    )
    expected = demo_fitting_room.search(
        features, 6, known, options=SimilarityOptions(colour=0.4), diversity=0.5
    )
    assert ids(answer) == [match.id for match in expected]


def test_what_is_not_wanted_is_left_out(client: TestClient) -> None:
    first = ids(ask(client, DRESS.read_bytes(), n=3))
    assert first[0] not in ids(ask(client, DRESS.read_bytes(), n=3, less=[first[0]]))


def test_good_matches_alone(client: TestClient) -> None:
    good = ask(client, DRESS.read_bytes(), n=50, only_good="true")["matches"]
    everything = ask(client, DRESS.read_bytes(), n=150)["matches"]  # farther away there may be some
    assert good == [match for match in everything if match["likeness"]["amount"] >= 0.45]
    assert 0 < len(good) < 50


def test_good_matches_in_the_order_of_a_column(
    client: TestClient, demo_fitting_room: FittingRoom
) -> None:
    features = demo_fitting_room.describe([DRESS])
    for sort, descending in (("year", False), ("-year", True)):
        expected = demo_fitting_room.search(features, 8, sort_by="year", descending=descending)
        assert ids(ask(client, DRESS.read_bytes(), n=8, sort=sort)) == [m.id for m in expected]
    item = demo_fitting_room.items_once["id"].iloc[7]
    similar = client.get(f"/api/v1/items/{item}/similar", params={"sort": "-year"}).json()
    years = [int(match["attributes"]["year"]) for match in similar["matches"]]
    assert years == sorted(years, reverse=True)


def test_an_item_finds_its_like_and_not_itself(
    client: TestClient, demo_fitting_room: FittingRoom
) -> None:
    item = demo_fitting_room.items_once["id"].iloc[7]
    answer = client.get(f"/api/v1/items/{item}/similar", params={"n": 5}).json()
    assert len(ids(answer)) == 5
    assert item not in ids(answer)


def test_folded_ones_are_named(client: TestClient, demo_fitting_room: FittingRoom) -> None:
    answer = ask(client, DRESS.read_bytes(), n=6, fold="true")
    expected = demo_fitting_room.search(demo_fitting_room.describe([DRESS]), 6, fold=True)
    assert [match["others"] for match in answer["matches"]] == [list(m.others) for m in expected]
    assert [match["copies"] for match in answer["matches"]] == [list(m.copies) for m in expected]


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ({"n": "0"}, "invalid-request"),
        ({"n": "many"}, "invalid-request"),
        ({"colour": "nan"}, "invalid-request"),
        ({"diversity": "1.5"}, "invalid-request"),
        ({"where": "gender=Women"}, "invalid-request"),
        ({"where": '{"size": "M"}'}, "unknown-column"),
        ({"sort": "price"}, "unknown-column"),
        ({"sort": "-gender"}, "no-numbers"),
        ({"less": "no such item"}, "no-such-item"),
        ({"text": "red", "text_weight": "2"}, "invalid-request"),
    ],
)
def test_what_cannot_be_meant_is_a_problem(
    client: TestClient, form: dict[str, str], kind: str
) -> None:
    files = {"picture": DRESS.read_bytes()}
    response = client.post("/api/v1/search", files=files, data=form)
    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["type"] == f"/api/v1/problems/{kind}"
    assert problem["status"] == response.status_code
    assert problem["detail"].endswith(".")
    meaning = client.get(problem["type"])
    assert meaning.json()["title"] == problem["title"]


def test_words_find_what_the_library_finds(
    client: TestClient, demo_fitting_room: FittingRoom
) -> None:
    response = client.post("/api/v1/search", data={"text": "red dress, not solid xyzzy", "n": 4})
    assert response.status_code == 200, response.text
    answer = response.json()
    expected = demo_fitting_room.search(text="red dress, not solid", n=4)
    assert ids(answer) == [match.id for match in expected]
    assert [match["likeness"]["text"] for match in answer["matches"]] == [
        "Has all you ask for" if match.similarity == 1 else "Has some of it" for match in expected
    ]
    assert [(wish["words"], wish["not"]) for wish in answer["understood"]] == [
        ("red", False),
        ("dress", False),
        ("solid", True),
    ]
    assert answer["understood"][0]["values"] == {"baseColour": ["Red"]}
    assert answer["not_understood"] == ["xyzzy"]
    assert answer["message"] is None


def test_words_beside_a_picture_are_weighed(
    client: TestClient, demo_fitting_room: FittingRoom
) -> None:
    answer = ask(client, DRESS.read_bytes(), n=4, text="but in blue", text_weight=1)
    assert {match["attributes"]["baseColour"] for match in answer["matches"]} == {"Blue"}
    expected = demo_fitting_room.search(DRESS, 4, text="blue", text_weight=1)
    assert ids(answer) == [match.id for match in expected]
    assert ask(client, DRESS.read_bytes(), n=1)["understood"] == []


def test_a_picture_that_cannot_be_read_is_refused_as_on_the_page(client: TestClient) -> None:
    files = {"picture": ("C:\\fakepath\\notes.jpg", b"no picture at all")}
    response = client.post("/api/v1/search", files=files)
    assert response.status_code == 422
    assert response.json()["type"].endswith("unusable-picture")
    assert response.json()["detail"].startswith("notes.jpg: ")


def test_without_a_picture(client: TestClient) -> None:
    response = client.post("/api/v1/search", data={"n": "3"})
    assert response.status_code == 422
    assert "picture" in response.json()["detail"]


def test_too_many_pictures(client: TestClient) -> None:
    files = [("picture", ("a.jpg", picture_bytes()))] * 9
    response = client.post("/api/v1/search", files=files)
    assert response.status_code == 422
    assert "8 at most" in response.json()["detail"]


def test_nothing_close_is_said_as_on_the_page(
    client: TestClient, demo_fitting_room: FittingRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(client, DRESS.read_bytes(), n=1)["garment_seen"]
    monkeypatch.setattr(answers, "is_out_of_catalogue", lambda *_: True)
    answer = ask(client, DRESS.read_bytes(), n=1)
    assert answer["out_of_catalogue"]
    assert answer["message"].startswith("Nothing in the catalogue is close to this picture.")
    monkeypatch.setattr(FittingRoom, "sees_no_garment", lambda *_: True)
    answer = ask(client, DRESS.read_bytes(), n=1)
    assert not answer["garment_seen"]
    assert answer["message"].startswith("No garment seen in this picture.")


def test_the_garments_of_a_picture_are_told(
    client: TestClient, demo_fitting_room: FittingRoom
) -> None:
    picture = Image.new("RGB", (700, 600), "white")
    for left, name in ((10, "red-dress.jpg"), (390, "brown-handbag.jpg")):
        picture.paste(Image.open(SAMPLES / name).convert("RGB").resize((300, 400)), (left, 100))
    file = io.BytesIO()
    picture.save(file, "PNG")
    response = client.post("/api/v1/parts", files={"picture": ("outfit.png", file.getvalue())})
    told = response.json()["parts"]
    expected = demo_fitting_room.parts(file.getvalue())
    assert [(part["kind"], tuple(part["box"])) for part in told] == [
        (part.kind, part.box) for part in expected
    ]
    assert {part["kind"] for part in told} == {"Dresses", "Handbags"}
    alone = client.post("/api/v1/parts", files={"picture": ("dress.jpg", DRESS.read_bytes())})
    assert alone.json() == {"parts": []}
    broken = client.post("/api/v1/parts", files={"picture": ("dress.jpg", b"no picture")})
    assert broken.status_code == 422
