"""Queries by words: tables of them, and what KAGL's benchmark measures, counted by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from fitting_room.evaluation import words
from fitting_room.evaluation.evaluate import evaluate
from fitting_room.evaluation.queries import Queries, QueriesError, load_queries
from fitting_room.evaluation.report import as_text, write_report
from fitting_room.evaluation.results import OptionError
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageLimits
from fitting_room.index.scoring import Hits
from tests.conftest import fitting_room_of, shade, with_several_pictures, write_items, write_table

RED, BLUE = shade(3), shade(9)
COLOURS = {"Red": RED, "Tshirts": RED, "Shirts": RED, "Blue": BLUE, "Jeans": BLUE}


class WithWords(FittingRoom):
    """A network that reads words as it sees colours: a kind has that of most of its items, and an
    item's name that of its picture, or ``names``."""

    names: tuple[int, int, int] | None = None
    batches: list[int]

    @property
    def reads_words(self) -> bool:
        return True

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        self.batches.append(len(texts))
        colours = [
            COLOURS.get(text) or self.names or shade(int(text.removeprefix("Item ")))
            for text in texts
        ]
        means = np.array(colours, np.float32) - 127
        return np.concatenate([means, np.ones((len(texts), 1), np.float32)], axis=1)


def reading(fitting_room: FittingRoom) -> WithWords:
    reader = WithWords(fitting_room.index, lambda: fitting_room.embedder, ImageLimits())
    reader.batches = []
    return reader


def test_the_values_of_columns_in_words_find_their_items(
    fitting_room: FittingRoom, queries: Queries
) -> None:
    evaluation = evaluate(reading(fitting_room), queries, columns=["gender"])
    assert evaluation.without_words is None
    kinds, colours = (evaluation.published[f"{c} in words"] for c in ("articleType", "baseColour"))
    assert (kinds.metric, kinds.queries) == ("precision@10", 3)
    # Of ten results the reds are six, four of them Tshirts and two Shirts, or the blues are six.
    assert kinds.figure.value == pytest.approx((4 + 2 + 5) / 10 / 3)
    assert colours.figure.value == pytest.approx(6 / 10)
    assert list(kinds.others) == ["MRR@10", "precision@1"]
    assert colours.others["precision@1"].value == colours.others["MRR@10"].value == 1
    # What has one of KAGL's columns is asked for those, whichever columns are judged.
    assert "gender in words" not in evaluation.published


def test_names_in_words_find_their_items(fitting_room: FittingRoom, queries: Queries) -> None:
    names = evaluate(reading(fitting_room), queries).published["names in words"]
    assert (names.metric, names.queries) == ("recall@10", 12)
    assert names.figure.value == names.others["recall@1"].value == names.others["MRR@10"].value == 1


def test_a_name_of_several_items_counts_by_how_many_are_found(tmp_path: Path) -> None:
    shop = write_items(tmp_path / "shop")
    text = (shop / "styles.csv").read_text("utf-8").replace("Item 12", "Item 1")
    (shop / "styles.csv").write_text(text, "utf-8")
    names = evaluate(reading(fitting_room_of(shop)), load_queries(shop)).published["names in words"]
    assert names.queries == 11
    # The first item is red as its name says; the last is blue and no red thing's neighbour.
    assert names.others["recall@1"].value == pytest.approx((10 + 1 / 2) / 11)
    assert names.others["MRR@10"].value == 1


def test_of_many_values_some_are_drawn_and_embedded_in_batches(
    fitting_room: FittingRoom, queries: Queries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "MAX_QUERIES", 5)
    monkeypatch.setattr(words, "TEXTS_AT_ONCE", 4)
    reader = reading(fitting_room)
    published = evaluate(reader, queries).published
    assert published["names in words"].queries == 5
    assert reader.batches == [3, 2, 4, 1]
    assert published == evaluate(reading(fitting_room), queries).published


def test_what_the_gallery_lacks_is_not_asked_for(
    fitting_room: FittingRoom, queries: Queries
) -> None:
    reader = reading(fitting_room)
    narrowed = evaluate(reader, queries, where={"articleType": "Shirts"}).published
    assert narrowed["articleType in words"].queries == 1
    assert narrowed["articleType in words"].figure.value == pytest.approx(2 / 10)
    assert narrowed["names in words"].queries == 2
    held = evaluate(reader, queries, holdout=3).published
    assert held["names in words"].queries == 8


def test_items_of_several_pictures_count_once(tmp_path: Path) -> None:
    from fitting_room.catalogue.catalogue import load_catalogue

    shop = write_items(tmp_path / "shop")
    catalogue = with_several_pictures(load_catalogue(shop), 2)
    queries = Queries(str(shop), catalogue.store, catalogue.items)
    reader = reading(fitting_room_of(shop, 2))
    for weight in (0.0, 0.1):
        published = evaluate(reader, queries, name_weight=weight).published
        assert published["baseColour in words"].figure.value == pytest.approx(3 / 10)
        assert published["names in words"].queries == 6


def test_names_may_count_beside_pictures(fitting_room: FittingRoom, queries: Queries) -> None:
    reader = reading(fitting_room)
    reader.names = BLUE  # as if every item were called blue
    plain = evaluate(reader, queries).published
    mixed = evaluate(reader, queries, name_weight=1.0)
    assert mixed.settings["name_weight"] == 1
    red = words.search_with_names(reader, 1.0)(["Red"], 3, None)
    np.testing.assert_array_equal(red[0].rows, [0, 1, 2])  # all alike: in the catalogue's order
    assert mixed.published["names in words"] == plain["names in words"]  # pictures alone
    excluded = np.arange(12) < 2
    nearly = words.search_with_names(reader, 0.1)(["Blue"], 12, excluded)[0]
    assert set(nearly.rows[:6].tolist()) == set(range(6, 12))
    assert set(nearly.rows.tolist()) == set(range(2, 12))


def test_any_search_for_words_can_be_measured(fitting_room: FittingRoom, queries: Queries) -> None:
    """One by a vocabulary, say, which needs no network of words."""

    def search(texts: Sequence[str], n: int, exclude: np.ndarray | None) -> list[Hits]:
        found = []
        for text in texts:
            has = (fitting_room.index.items == text).any(axis=1).to_numpy(bool)
            rows = np.flatnonzero(has if exclude is None else has & ~exclude)[:n]
            found.append(Hits(rows, np.ones(len(rows), np.float32)))
        return found

    published = evaluate(fitting_room, queries, word_search=search).published
    assert published["articleType in words"].figure.value == pytest.approx((4 + 2 + 5) / 10 / 3)
    assert published["articleType in words"].others["precision@1"].value == 1
    assert published["names in words"].figure.value == 1


def test_without_words_a_line_says_so(fitting_room: FittingRoom, queries: Queries) -> None:
    evaluation = evaluate(fitting_room, queries)
    assert not any("in words" in name for name in evaluation.published)
    (line,) = [line for line in as_text(evaluation).splitlines() if "words" in line]
    assert "colour reads no words" in line
    assert evaluation.as_dict()["without_words"] == line
    with pytest.raises(OptionError, match=r"--name-weight: colour.*reads no"):
        evaluate(fitting_room, queries, name_weight=0.1)
    assert "reads no words" not in as_text(evaluate(reading(fitting_room), queries))


TABLE = "text,articleType,baseColour\nRed,Tshirts,Red\nJeans,Jeans,\n"


def test_a_table_of_words(fitting_room: FittingRoom, labelled_shop: Path) -> None:
    queries = load_queries(write_table(labelled_shop, TABLE))
    assert list(queries.texts) == ["Red", "Jeans"]
    evaluation = evaluate(reading(fitting_room), queries, k=6)
    assert (evaluation.queries, evaluation.identical, evaluation.rejected) == (2, 0, ())
    assert evaluation.metrics["articleType"].precision.value == pytest.approx((4 + 5) / 6 / 2)
    assert evaluation.metrics["baseColour"].precision.value == 1
    assert evaluation.published["kind and colour"].figure.value == pytest.approx(4 / 10)


def test_a_table_of_words_is_refused_where_nothing_reads_them(
    fitting_room: FittingRoom, labelled_shop: Path
) -> None:
    queries = load_queries(write_table(labelled_shop, TABLE))
    with pytest.raises(OptionError, match=r"queries\.csv: has queries by words, and colour"):
        evaluate(fitting_room, queries)


def test_pictures_and_words_in_one_table(
    fitting_room: FittingRoom, labelled_shop: Path, tmp_path: Path
) -> None:
    table = write_table(
        labelled_shop, 'picture,text,articleType\nimages/7.png,,Jeans\n,"<b>Red",Shirts\n'
    )
    queries = load_queries(table)
    reader = reading(fitting_room)
    COLOURS["<b>Red"] = RED
    try:
        evaluation = evaluate(reader, queries, k=6)
    finally:
        del COLOURS["<b>Red"]
    assert evaluation.answers.query.tolist() == [0, 1]
    assert evaluation.metrics["articleType"].classes["Shirts"].precision == pytest.approx(2 / 6)
    write_report(tmp_path / "a.html", reader, queries, evaluation)
    page = (tmp_path / "a.html").read_text("utf-8")
    assert "&lt;b&gt;Red" in page
    assert "<b>Red" not in page
    assert page.count(">in words<") == 1
    assert "as others publish" in page
    assert "articleType in words as KAGL in marqo-ai/marqo-FashionCLIP: the values of a" in page
    assert "cannot be shown" not in page


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("picture,text,gender\nimages/7.png,red,Women\n", "row 1 below the header: a picture and"),
        ("picture,text,gender\nimages/7.png,,a\n,,a\n", "row 2 below the header: ''"),
        ("text,gender\n" + "x" * 1001 + ",a\n", "row 1 below the header: more than 1,000 letters"),
        ("text\nred\n", "no expected labels"),
        ("text,gender\n", "nor words"),
    ],
)
def test_a_table_of_words_that_makes_no_sense_is_refused(
    labelled_shop: Path, text: str, message: str
) -> None:
    with pytest.raises(QueriesError, match=message):
        load_queries(write_table(labelled_shop, text))


def test_a_catalogue_may_have_texts(labelled_shop: Path) -> None:
    """They are queries only where they stand first, or beside pictures called so."""
    rows = "image,text,gender\nimages/7.png,A blue one,Women\nimages/8.png,Another,Women\n"
    queries = load_queries(write_table(labelled_shop, rows))
    assert not any(queries.texts)
    assert "text" in queries.labels
