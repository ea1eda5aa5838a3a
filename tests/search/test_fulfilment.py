"""Words in a search: weighed against a picture, or alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fitting_room.facade import FittingRoom
from fitting_room.index.filters import EVERYTHING, Filter, FilterError
from fitting_room.index.scoring import Hits, SimilarityOptions
from fitting_room.search.fulfilment import Weighed, fulfilment
from fitting_room.search.match import Match
from fitting_room.search.synonyms import MOST_PHRASES, SynonymsError, extended, packaged, read
from tests.conftest import SAMPLES

DRESS = SAMPLES / "red-dress.jpg"


def colours(matches: list[Match]) -> list[str]:
    return [match.attributes["baseColour"] for match in matches]


def test_words_alone_find_what_has_all_of_them(demo_fitting_room: FittingRoom) -> None:
    found = demo_fitting_room.search(text="red dress", n=3)
    assert len(found) == 3
    for match in found:
        assert (match.attributes["articleType"], match.attributes["baseColour"]) == (
            "Dresses",
            "Red",
        )
        assert match.similarity == 1
        assert match.expected_precision is None


def test_then_come_those_that_have_some_of_them(demo_fitting_room: FittingRoom) -> None:
    found = demo_fitting_room.search(text="red belts", n=20)
    shares = [match.similarity for match in found]
    assert shares == sorted(shares, reverse=True)
    assert 0 < shares[-1] < 1


def test_good_ones_have_all_words(demo_fitting_room: FittingRoom) -> None:
    found = demo_fitting_room.search(text="red dress", n=60, only_good=True)
    assert {match.similarity for match in found} == {1.0}
    assert len(found) < 60


def test_words_that_say_nothing_find_nothing(demo_fitting_room: FittingRoom) -> None:
    assert demo_fitting_room.search(text="xyzzy") == []


def test_beside_a_picture_words_change_the_colour_and_not_the_kind(
    demo_fitting_room: FittingRoom,
) -> None:
    found = demo_fitting_room.search(DRESS, 4, text="like this but in blue")
    assert set(colours(found)) == {"Blue"}
    assert {match.attributes["articleType"] for match in found} == {"Dresses"}
    assert all(match.expected_precision is None for match in found)


def test_the_weight_goes_from_the_picture_to_the_words(demo_fitting_room: FittingRoom) -> None:
    plain = demo_fitting_room.search(DRESS, 8)
    weighed = [
        demo_fitting_room.search(DRESS, 8, text="blue", text_weight=weight)
        for weight in (0.0, 0.15, 1.0)
    ]
    assert [match.id for match in weighed[0]] == [match.id for match in plain]
    assert set(colours(weighed[2])) == {"Blue"}
    share = [colours(found).count("Blue") for found in weighed]
    assert share[0] <= share[1] <= share[2] == 8
    # A similarity is that to the picture, however words are weighed; of colours it has nothing.
    shape = SimilarityOptions(colour=0.0)
    for match in weighed[2]:
        (alone,) = demo_fitting_room.search(DRESS, 1, {"id": match.id}, options=shape)
        assert match.similarity == pytest.approx(alone.similarity, abs=1e-5)


def test_what_is_not_wanted_is_left_out(demo_fitting_room: FittingRoom) -> None:
    assert "Red" in colours(demo_fitting_room.search(DRESS, 8))
    assert "Red" not in colours(demo_fitting_room.search(DRESS, 8, text="not red"))


def test_beside_a_picture_good_ones_have_all_words(demo_fitting_room: FittingRoom) -> None:
    found = demo_fitting_room.search(DRESS, 60, text="blue", text_weight=0.1, only_good=True)
    assert set(colours(found)) == {"Blue"}


def test_words_that_say_nothing_leave_the_picture_alone(demo_fitting_room: FittingRoom) -> None:
    assert demo_fitting_room.search(DRESS, 4, text="xyzzy") == demo_fitting_room.search(DRESS, 4)


def test_words_go_with_filters_folding_variety_and_without(demo_fitting_room: FittingRoom) -> None:
    for query in (None, DRESS):
        first = demo_fitting_room.search(query, 2, text="red")[0].id
        found = demo_fitting_room.search(
            query, 6, {"gender": "Women"}, text="red", fold=True, diversity=0.3, without=[first],
        )  # fmt: skip
        assert len({match.id for match in found}) == 6
        assert first not in [match.id for match in found]
        assert {match.attributes["gender"] for match in found} == {"Women"}
    with pytest.raises(FilterError):
        demo_fitting_room.search(text="red", where={"colours": "Red"})


def test_each_item_is_found_once_by_words(several_fitting_room: FittingRoom) -> None:
    items = several_fitting_room.items_once
    word = str(items["articleType"].iloc[0])
    found = several_fitting_room.search(text=word, n=30)
    assert len({match.id for match in found}) == len(found)


def test_a_search_needs_a_picture_or_words(demo_fitting_room: FittingRoom) -> None:
    with pytest.raises(ValueError, match="with a picture, with words"):
        demo_fitting_room.search()
    with pytest.raises(ValueError, match="between 0 and 1"):
        demo_fitting_room.search(text="red", text_weight=1.1)


@pytest.mark.parametrize("weight", [0.05, 0.3, 0.7])
def test_the_best_are_those_of_all_items(demo_fitting_room: FittingRoom, weight: float) -> None:
    """Whole shares are left out of the search; the result is as if all had been compared."""
    index = demo_fitting_room.index
    query = demo_fitting_room.describe([DRESS])[0]
    words = demo_fitting_room.understand("blue or green, women, not solid, formal")
    fulfilled = fulfilment(words, demo_fitting_room.vocabulary)

    def top(count: int, among: Filter) -> Hits:
        return index.search([query], count, among)[0]

    weighed = Weighed(top, fulfilled, weight, EVERYTHING)
    hits = weighed(10)
    own = index.similarities(query, np.arange(len(index)))
    expected = np.sort((1 - weight) * own + weight * fulfilled.shares(np.arange(len(index))))[::-1][
        :10
    ]
    # The query's own picture is as similar as the first, wherever it would come.
    assert hits.similarities[1:] == pytest.approx(expected[1:], abs=2e-4)
    assert weighed.by_picture(hits).similarities.max() <= 1


# --- synonyms ---------------------------------------------------------------------------------


def test_a_shop_adds_words_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "words.json"
    file.write_text(
        json.dumps({"same": [["dresses", "robe"]], "narrower": {"rot": ["Red"]}, "not": ["ohne"]})
    )
    both = extended(file)
    assert both.same[-1] == ("dresses", "robe")
    assert both.narrower is not None and both.narrower["rot"] == ("Red",)
    assert {"ohne", "without"} <= both.negations
    assert extended(None) is packaged()


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "{", '{"synonyms": []}', '{"same": {}}', '{"same": ["tee"]}', '{"not": [1]}',
        '{"narrower": {"a": "b"}}', '{"same": [["' + "x" * 100 + '"]]}', "[" * 100_000,
        json.dumps({"same": [["a"] * (MOST_PHRASES + 1)]}), " " * 2_000_000,
    ],
)  # fmt: skip
def test_another_file_is_refused_by_name(content: str, tmp_path: Path) -> None:
    file = tmp_path / "words.json"
    file.write_text(content)
    with pytest.raises(SynonymsError, match=r"words\.json"):
        read(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SynonymsError, match=r"none\.json"):
        extended(tmp_path / "none.json")
