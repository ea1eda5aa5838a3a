"""A variety instead of one shirt in ten variants, and good matches alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fitting_room.facade import FittingRoom
from fitting_room.index.index import FilterError, Index
from fitting_room.index.scoring import Hits
from fitting_room.search import answers, selection
from fitting_room.search.likeness import Likeness
from fitting_room.search.numbers import SortError
from fitting_room.search.selection import GOOD
from tests.conftest import SAMPLES, fitting_room_of, picture_bytes, shade, write_items

DRESS = SAMPLES / "red-dress.jpg"
SWEATER = SAMPLES / "green-sweater.jpg"


def test_without_diversity_nothing_changes(demo_fitting_room: FittingRoom) -> None:
    plain = demo_fitting_room.search(DRESS, 8)
    assert demo_fitting_room.search(DRESS, 8, diversity=0.0) == plain


def test_the_first_stays_and_the_others_differ_more(demo_fitting_room: FittingRoom) -> None:
    index = demo_fitting_room.index

    def alike(diversity: float) -> float:
        """How alike the matches are to each other."""
        found = demo_fitting_room.search(SWEATER, 8, diversity=diversity)
        assert found[0].id == demo_fitting_room.search(SWEATER, 1)[0].id
        rows = np.array([match.row for match in found])
        return float(index.similarities_among(rows, options=selection.LOOKS).mean())

    values = [alike(diversity) for diversity in (0.0, 0.3, 0.6)]
    assert values[0] > values[1] > values[2]


def test_each_item_is_chosen_once(fitting_room: FittingRoom) -> None:
    found = fitting_room.search(picture_bytes(shade(1), kind="PNG"), 12, diversity=1.0)
    assert len({match.id for match in found}) == 12


def test_with_folding_the_others_stay_with_theirs(demo_fitting_room: FittingRoom) -> None:
    folded = {m.id: m.others for m in demo_fitting_room.search(DRESS, 40, fold=True)}
    for match in demo_fitting_room.search(DRESS, 10, fold=True, diversity=0.2):
        assert match.others == folded[match.id]


@pytest.mark.parametrize("sample", ["blue-tshirt", "green-sweater", "street-jacket"])
def test_a_variety_is_best_first_and_drags_in_nothing_poor(
    demo_fitting_room: FittingRoom, sample: str
) -> None:
    features = demo_fitting_room.describe([SAMPLES / f"{sample}.jpg"])

    def amounts(diversity: float) -> list[float]:
        found = demo_fitting_room.search(features, 12, diversity=diversity)
        assert [m.similarity for m in found] == sorted((m.similarity for m in found), reverse=True)
        rows = [match.row for match in found]
        return [one.amount for one in demo_fitting_room.likeness(features, rows)]

    assert min(amounts(0.7)) >= min(GOOD, *amounts(0.0))


def chosen(index: Index, n: int, amounts: list[float], **how: Any) -> list[int]:
    """Of hits that are all as near, by how alike they are."""
    hits = Hits(np.arange(len(amounts)), np.linspace(0.9, 0.8, len(amounts), dtype=np.float32))
    alike = [Likeness("", amount) for amount in amounts]
    return selection.chosen(index, hits, n, alike, **how).tolist()


def test_similarities_among_items_are_those_of_each_as_a_query(
    demo_fitting_room: FittingRoom,
) -> None:
    index, rows = demo_fitting_room.index, np.array([3, 40, 41, 700])
    each = [index.similarities(query, rows) for query in index.features(rows)]
    np.testing.assert_allclose(index.similarities_among(rows), each, atol=1e-5)
    assert index.similarities_among(rows[:0]).shape == (0, 0)


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1), max_size=40), st.integers(1, 20), st.floats(0, 1), st.booleans())
def test_whatever_is_chosen(
    demo_fitting_room: FittingRoom, amounts: list[float], n: int, diversity: float, only_good: bool
) -> None:
    places = chosen(demo_fitting_room.index, n, amounts, diversity=diversity, only_good=only_good)
    good = [place for place, amount in enumerate(amounts) if amount >= GOOD]
    allowed = good if only_good else list(range(len(amounts)))
    assert places == sorted(set(places))
    assert set(places) <= set(allowed)
    assert len(places) == min(n, len(allowed))
    assert places[:1] == allowed[:1]  # the nearest is always among them
    if places:
        poorest = min([GOOD, *(amounts[place] for place in allowed[:n])])
        assert all(amounts[place] >= poorest for place in places)


def test_good_ones_are_alike_in_words_and_looked_for_farther_away(
    demo_fitting_room: FittingRoom,
) -> None:
    features = demo_fitting_room.describe([DRESS])
    for n in (4, 60):
        everything = demo_fitting_room.search(features, selection.pool(n))
        rows = [match.row for match in everything]
        amounts = [one.amount for one in demo_fitting_room.likeness(features, rows)]
        good = demo_fitting_room.search(features, n, only_good=True)
        expected = [m.id for m, amount in zip(everything, amounts, strict=True) if amount >= GOOD]
        assert [m.id for m in good] == expected[:n]
        assert 0 < len(good) < 60


def test_where_nothing_is_close_nothing_is_good(demo_fitting_room: FittingRoom) -> None:
    tiles = (np.indices((480, 360)) // 60).sum(axis=0) % 2
    picture = Image.fromarray(np.array([[240, 240, 230], [30, 60, 140]], np.uint8)[tiles])
    (features,) = demo_fitting_room.describe([picture])
    assert answers.is_out_of_catalogue(demo_fitting_room, features)
    assert demo_fitting_room.search(features, 12, only_good=True) == []
    assert demo_fitting_room.search(features, 12, sort_by="year") == []


# --- order ------------------------------------------------------------------------------------


def priced(folder: Path, prices: Sequence[str]) -> FittingRoom:
    """The twelve items of the shop with these prices."""
    shop = write_items(folder / "shop")
    table = (shop / "styles.csv").read_text("utf-8").splitlines()
    rows = [f'{row},"{price}"' for row, price in zip(table, ["price", *prices], strict=True)]
    (shop / "styles.csv").write_text("\n".join(rows) + "\n", "utf-8")
    return fitting_room_of(shop)


PRICES = ["9", "1,200", "9", "", "30", "2", "1", "3", "5", "7", "11", "13"]


def test_good_matches_in_the_order_of_a_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitting_room = priced(tmp_path, PRICES)
    monkeypatch.setattr(selection, "GOOD", 0.0)  # colours alone are measured by no words
    query = picture_bytes(shade(1), kind="PNG")
    reds = {"baseColour": "Red"}
    nearest = [match.id for match in fitting_room.search(query, 6, reds)]
    assert [*nearest] == ["1", "2", "3", "4", "5", "6"]
    assert ids(fitting_room, query, reds, sort_by="price") == ["6", "1", "3", "5", "2", "4"]
    # What has no price is last in either order, and of equal ones the nearer is first.
    falling = ids(fitting_room, query, reds, sort_by="price", descending=True)
    assert falling == ["2", "5", "1", "3", "6", "4"]
    # Of fewer these are sorted, not cheaper ones from farther away.
    assert ids(fitting_room, query, reds, 3, sort_by="price") == ["1", "3", "2"]


def ids(
    fitting_room: FittingRoom, query: bytes, where: dict[str, str], n: int = 6, **how: Any
) -> list[str]:
    return [match.id for match in fitting_room.search(query, n, where, **how)]


def test_sorting_shows_the_good_ones_and_no_others(demo_fitting_room: FittingRoom) -> None:
    features = demo_fitting_room.describe([DRESS])
    good = demo_fitting_room.search(features, 30, only_good=True, fold=True)
    for descending in (False, True):
        found = demo_fitting_room.search(
            features, 30, fold=True, sort_by="year", descending=descending
        )
        assert {match.id for match in found} == {match.id for match in good}
        years = [int(match.attributes["year"]) for match in found]
        assert years == sorted(years, reverse=descending)
        for year in set(years):  # of one year the nearer first
            of_year = [m.id for m in found if m.attributes["year"] == str(year)]
            assert of_year == [m.id for m in good if m.attributes["year"] == str(year)]


@given(st.lists(st.sampled_from([math.nan, -1.0, 0.0, 2.5, 1e9])), st.booleans())
def test_every_order_of_numbers(numbers: list[float], descending: bool) -> None:
    places = selection.in_order(np.array(numbers), descending).tolist()
    assert sorted(places) == list(range(len(numbers)))

    def key(place: int) -> tuple[bool, float, int]:
        number = numbers[place]
        missing = math.isnan(number)
        return missing, 0.0 if missing else -number if descending else number, place

    assert places == sorted(places, key=key)


def test_a_column_without_numbers_is_refused_in_words(demo_fitting_room: FittingRoom) -> None:
    assert list(demo_fitting_room.numeric) == ["year"]
    with pytest.raises(SortError, match=r"'gender' holds no numbers to sort by\. These do: year"):
        demo_fitting_room.search(DRESS, 3, sort_by="gender")
    with pytest.raises(FilterError, match="no column 'price'"):
        demo_fitting_room.search(DRESS, 3, sort_by="price")


@pytest.mark.parametrize("diversity", [-0.1, 1.1, float("nan")])
def test_what_is_no_share_is_refused(fitting_room: FittingRoom, diversity: float) -> None:
    with pytest.raises(ValueError, match="diversity"):
        fitting_room.search(picture_bytes(), 3, diversity=diversity)
