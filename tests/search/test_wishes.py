"""What is understood of words, by a catalogue's own vocabulary."""

from __future__ import annotations

import sqlite3

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fitting_room.index.local_items import LocalItems
from fitting_room.search.fulfilment import fulfilment
from fitting_room.search.synonyms import packaged
from fitting_room.search.vocabulary import Vocabulary, WordsUnavailableError
from fitting_room.search.wishes import MOST_WISHES, MOST_WORDS, Understood, understand

ITEMS = pd.DataFrame(
    [
        ("1", "Women", "Dress", "Dresses", "Red", "Party", "Nike Women Red Maxi Dress"),
        ("2", "Women", "Dress", "Dresses", "Navy Blue", "Casual", "Puma Striped V-Neck Dress"),
        ("3", "Men", "Shoes", "Sports Shoes", "Black", "Sports", "Nike Men Black Runners"),
        ("4", "Men", "Shoes", "Casual Shoes", "Blue", "Casual", "Puma Men Blue Shoes"),
        ("5", "Women", "Bags", "Laptop Bag", "Grey", "Formal", "Wildcraft Laptop Bag"),
        ("6", "Women", "Flip Flops", "Flip Flops", "Blue", "Sports", "Nike Flip Flops"),
        ("7", "Men", "Topwear", "Tshirts", "Grey", "Sports", "Puma Logo T-shirt"),
        ("8", "Men", "Topwear", "Trousers", None, "Formal", "Arrow Trousers"),
    ],
    columns=["id", "gender", "subCategory", "articleType", "baseColour", "usage", "name"],
    dtype="str",
)
COLUMNS = [str(column) for column in ITEMS if column != "id"]
ROWS = np.arange(len(ITEMS))


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary(LocalItems(ITEMS), COLUMNS, packaged())


def of(text: str, vocabulary: Vocabulary) -> list[str]:
    return [wish.in_words for wish in understand(text, vocabulary).wishes]


@pytest.mark.parametrize(
    ("text", "wishes"),
    [
        ("red dress", ["Red", "Dresses"]),
        ("DRESSES, Red!", ["Dresses", "Red"]),
        ("navy blue dress", ["Navy Blue", "Dresses"]),  # and not blue
        ("blue", ["Blue"]),
        ("sports shoes", ["Sports Shoes"]),
        ("shoes", ["Shoes"]),
        ("like this but in red", ["Red"]),
        ("women's", ["Women"]),
        ("ladies", ["Women"]),
        ("trainers", ["Sports Shoes or Casual Shoes"]),
        ("tee", ["Tshirts"]),
        ("t-shirt", ["Tshirts"]),
        ("pants", ["Trousers"]),
        ("navy", ["Navy Blue"]),
        ("gray", ["Grey"]),
        ("crimson frock", ["Red", "Dresses"]),
        ("laptop", ["Laptop Bag"]),
        ("flipflops", ["Flip Flops"]),
        ("puma", ["“puma”"]),
        ("v-neck", ["“v-neck”"]),
        ("not black", ["not Black"]),
        ("-black", ["not Black"]),
        ("non-black", ["not Black"]),
        ("without stripes", ["not “stripes”"]),
        ("no logo", ["not “logo”"]),
        ("a dress, but not Nike", ["Dresses", "not “Nike”"]),
        ("not in black", ["not Black"]),
        ("no red dress", ["not Red", "Dresses"]),
        ("not black or grey shoes", ["not Black", "not Grey", "Shoes"]),
        ("not black but red", ["not Black", "Red"]),
        ("not black, red", ["not Black", "Red"]),
        ("red-black", ["Red", "Black"]),
        ("I don't want black", ["not Black"]),
    ],
)
def test_words_are_understood(text: str, wishes: list[str], vocabulary: Vocabulary) -> None:
    assert of(text, vocabulary) == wishes
    assert not understand(text, vocabulary).unknown


@pytest.mark.parametrize(
    ("text", "wish"),
    [("blakc", "Black"), ("drss", "Dresses"), ("shooes", "Shoes"), ("trauser", "Trousers")],
)
def test_one_wrong_letter_is_forgiven(text: str, wish: str, vocabulary: Vocabulary) -> None:
    (found,) = understand(text, vocabulary).wishes
    assert found.in_words == wish
    assert found.words == text
    assert found.meant is not None


def test_a_word_that_two_columns_know_means_either(vocabulary: Vocabulary) -> None:
    (wish,) = understand("flip flops", vocabulary).wishes
    assert wish.values == (("subCategory", ("Flip Flops",)), ("articleType", ("Flip Flops",)))
    (wish,) = understand("sports", vocabulary).wishes  # a usage, and not every pair of sports shoes
    assert wish.values == (("usage", ("Sports",)),)


def test_of_a_value_and_a_narrower_one_of_the_same_name_that_is_most_of_it_this_counts() -> None:
    items = ITEMS.assign(articleType=["Dresses"] * 3 + ["Jumpsuit"] + ["Shoes"] * 4)
    items["subCategory"] = ["Dress"] * 4 + ["Shoes"] * 4
    (wish,) = understand("dress", Vocabulary(LocalItems(items), COLUMNS, packaged())).wishes
    assert wish.values == (("articleType", ("Dresses",)),)
    items["articleType"] = ["Dresses"] + ["Jumpsuit"] * 3 + ["Shoes"] * 4
    (wish,) = understand("dress", Vocabulary(LocalItems(items), COLUMNS, packaged())).wishes
    assert {column for column, _ in wish.values} == {"subCategory", "articleType"}


def test_what_is_not_understood_is_told(vocabulary: Vocabulary) -> None:
    found = understand("red xyzzy and quux", vocabulary)
    assert found.unknown == ("xyzzy", "quux")
    assert found.message == "Nothing in this catalogue is called “xyzzy”, “quux”."
    assert understand("red", vocabulary).message is None


def test_a_negation_of_what_is_unknown_is_about_that_alone(vocabulary: Vocabulary) -> None:
    found = understand("no xyzzy red dress", vocabulary)
    assert [wish.in_words for wish in found.wishes] == ["Red", "Dresses"]
    assert found.unknown == ("xyzzy",)


def test_a_network_reads_all_of_the_text_but_what_is_not_wanted(vocabulary: Vocabulary) -> None:
    found = understand("a red drss with tiny birds, no logo or fringes", vocabulary)
    assert found.wanted == "a red dress with tiny birds"
    assert found.unwanted == ("logo", "fringes")
    assert understand("like this", vocabulary).wanted == ""


def test_the_last_word_may_be_unfinished(vocabulary: Vocabulary) -> None:
    (wish,) = understand("wildcr", vocabulary).wishes
    assert wish.begun
    found = fulfilment(understand("wildcr", vocabulary), vocabulary)
    assert ITEMS["id"][found.complete(ROWS)].tolist() == ["5"]


def test_a_number_finds_its_item(vocabulary: Vocabulary) -> None:
    found = fulfilment(understand("7", vocabulary), vocabulary)
    assert ITEMS["id"][found.complete(ROWS)].tolist() == ["7"]


def test_a_wish_that_is_taken_off_is_gone_and_the_others_stay(vocabulary: Vocabulary) -> None:
    text = "red or blue dress, not black or grey, xyzzy"
    found = understand(text, vocabulary)
    for wish in found.wishes:
        left = understand(found.without(wish), vocabulary)
        assert [w.in_words for w in left.wishes] == sorted(
            (w.in_words for w in found.wishes if w != wish), key=lambda w: w.startswith("not")
        )
        assert left.unknown == ("xyzzy",)


def test_several_values_of_a_column_are_alternatives(vocabulary: Vocabulary) -> None:
    found = fulfilment(understand("red or navy blue dress", vocabulary), vocabulary)
    assert ITEMS["id"][found.complete(ROWS)].tolist() == ["1", "2"]


def test_unwanted_values_are_left_out_also_of_empty_cells(vocabulary: Vocabulary) -> None:
    found = fulfilment(understand("men, not grey", vocabulary), vocabulary)
    assert ITEMS["id"][found.complete(ROWS)].tolist() == ["3", "4", "8"]
    shares = dict(zip(ITEMS["id"], found.shares(ROWS).tolist(), strict=True))
    assert shares["3"] == shares["8"] > shares["7"] > shares["5"]  # 5 is grey and for women


def test_rare_wishes_count_more(vocabulary: Vocabulary) -> None:
    shares = fulfilment(understand("men laptop", vocabulary), vocabulary).shares(ROWS)
    by_item = dict(zip(ITEMS["id"], shares.tolist(), strict=True))
    assert by_item["5"] > by_item["3"] > by_item["1"] == 0


def test_without_words_nothing_is_wished_for(vocabulary: Vocabulary) -> None:
    for text in ("", "  ", "like this but in", "-", "not", "?!"):
        assert understand(text, vocabulary) == Understood()


def test_columns_of_descriptions_and_numbers_of_items_are_no_values() -> None:
    items = ITEMS.assign(text=[f"a long description of item {n} " * 3 for n in range(len(ITEMS))])
    assert "text" not in Vocabulary(LocalItems(items), [*COLUMNS, "text"], packaged()).columns
    assert "name" not in Vocabulary(LocalItems(items), COLUMNS, packaged()).columns


def test_without_a_full_text_index_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Without:
        def executescript(self, _: str) -> None:
            raise sqlite3.OperationalError("no such module: fts5")

    monkeypatch.setattr(sqlite3, "connect", lambda *_, **__: Without())
    with pytest.raises(WordsUnavailableError, match="FTS5"):
        Vocabulary(LocalItems(ITEMS), COLUMNS, packaged())


@given(st.text(max_size=400))
@settings(max_examples=60)
def test_any_text_can_be_asked(text: str) -> None:
    found = understand(text, WILD)
    assert len(found.wishes) <= MOST_WISHES
    shares = fulfilment(found, WILD).shares(ROWS)
    assert ((shares <= 1.001) & (shares >= -MOST_WISHES)).all()
    for wish in found.wishes:
        assert wish not in understand(found.without(wish), WILD).wishes


WILD = Vocabulary(LocalItems(ITEMS), COLUMNS, packaged())
QUERY_LANGUAGE = ['"', "*", "^", "NEAR(", ")", "AND", "OR", "NOT", "name:", "+", "-", "'", ";",
                  "--", "{", "}", "red", "dress", "\x00", "\ud800", "x" * 300]  # fmt: skip


@given(st.lists(st.sampled_from(QUERY_LANGUAGE), max_size=60))
@settings(max_examples=60)
def test_the_full_text_index_is_never_spoken_to_in_its_own_language(pieces: list[str]) -> None:
    for joint in ("", " "):
        found = understand(joint.join(pieces), WILD)
        fulfilment(found, WILD)
        assert len(found.unknown) <= MOST_WORDS


@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from(["red", "navy blue", "dress", "men", "puma"])),
        min_size=1, max_size=5, unique_by=lambda pair: pair[1],
    )
)  # fmt: skip
def test_every_wish_is_understood_as_it_was_written(wishes: list[tuple[bool, str]]) -> None:
    text = ", ".join(f"not {words}" if negative else words for negative, words in wishes)
    found = understand(text, WILD)
    assert [(wish.negative, wish.words) for wish in found.wishes] == wishes
