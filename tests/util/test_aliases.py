"""Old names go on working and say once what they are called now."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest

import fitting_room
from fitting_room import Match, SimilarityOptions
from fitting_room.search.searcher import Searcher
from fitting_room.util import aliases
from fitting_room.util.aliases import old_keywords, with_old_keys

pytestmark = pytest.mark.filterwarnings("ignore:.* is called .* now:DeprecationWarning")


@pytest.fixture(autouse=True)
def _nothing_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aliases, "_warned", set())


def warned_once(use: Callable[[], object]) -> str:
    """Use an old name twice; the text of the one warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        use()
        use()
    (warning,) = caught
    assert warning.category is DeprecationWarning
    assert warning.filename == __file__
    return str(warning.message)


def test_an_old_class_is_the_new_one() -> None:
    assert fitting_room.Ranking is SimilarityOptions
    aliases._warned.clear()
    assert "SimilarityOptions" in warned_once(lambda: fitting_room.Ranking)
    with pytest.raises(AttributeError, match="Wardrobe"):
        _ = fitting_room.Wardrobe


@pytest.mark.parametrize(("old", "new"), aliases.OLD_KEYWORDS.items())
def test_an_old_keyword_is_passed_on_as_the_new_one(old: str, new: str) -> None:
    @old_keywords
    def keywords(**values: object) -> dict[str, object]:
        """Its text."""
        return values

    assert keywords.__doc__ == "Its text."
    assert keywords(**{old: 1, "other": 2}) == {new: 1, "other": 2}
    aliases._warned.clear()
    assert new in warned_once(lambda: keywords(**{old: 1}))


def test_the_search_takes_its_old_keywords(demo_fitting_room: Searcher) -> None:
    query = demo_fitting_room.index.features([0, 1])
    options = SimilarityOptions(colour=0.5)
    old = demo_fitting_room.search(query[:1], 3, ranking=options, less=query[1:])
    assert old == demo_fitting_room.search(query[:1], 3, options=options, negatives=query[1:])


def test_an_old_attribute_is_the_new_one(demo_fitting_room: Searcher) -> None:
    match = Match("1", 0, 0.5, "", "1.jpg", {}, 0.75)
    assert match.worth == 0.75
    aliases._warned.clear()
    assert "expected_precision" in warned_once(lambda: match.worth)
    assert demo_fitting_room.far([]) is demo_fitting_room.is_out_of_catalogue([])


def test_printed_json_has_both_keys() -> None:
    assert with_old_keys({"plain_background": 3, "items": 4}) == {
        "plain_background": 3, "items": 4, "studio": 3,
    }  # fmt: skip
    assert with_old_keys({"items": 4}) == {"items": 4}
