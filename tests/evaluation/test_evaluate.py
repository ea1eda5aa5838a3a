"""How good the answers are: figures that can be checked by hand, hostile tables, leaks, reports."""

from __future__ import annotations

import base64
import html
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fitting_room.build.writer import write_head
from fitting_room.catalogue.label_mapping import read_mapping
from fitting_room.evaluation import evaluate as evaluate_module
from fitting_room.evaluation import report
from fitting_room.evaluation.copy_detection import find_copies
from fitting_room.evaluation.evaluate import (
    Evaluation,
    EvaluationError,
    QuestionError,
    average_precision_at_k,
    evaluate,
    figures,
    hit_at_k,
    precision_at_k,
    worst,
)
from fitting_room.evaluation.queries import load_queries
from fitting_room.evaluation.report import in_words, remarks, write_report
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageLimits, open_image
from fitting_room.index.head import DESCRIPTOR_INPUTS, Head
from fitting_room.index.index import FilterError, Index
from fitting_room.index.scoring import SimilarityOptions
from fitting_room.util.progress import Progress
from tests.conftest import fitting_room_of, mapping_file, picture_bytes, street, write_table


def taught(fitting_room: FittingRoom, **record: object) -> FittingRoom:
    """The room with a head of its own, which was trained as ``record`` says."""
    index = fitting_room.index
    inputs, units = index.dimension + DESCRIPTOR_INPUTS, 3
    generator = np.random.default_rng(0)
    head = Head(
        columns=("baseColour",),
        labels={"baseColour": ("Blue", "Red")},
        proxies={"baseColour": np.eye(2, units, dtype=np.float32)},
        weights={"baseColour": 1.0},
        record=record,
        mean=np.zeros(inputs, np.float32),
        scale=np.ones(inputs, np.float32),
        hidden_weight=generator.normal(size=(units, inputs)).astype(np.float32),
        hidden_bias=np.zeros(units, np.float32),
        norm_weight=np.ones(units, np.float32),
        norm_bias=np.zeros(units, np.float32),
        output_weight=np.eye(units, dtype=np.float32),
        output_bias=np.zeros(units, np.float32),
    )
    write_head(index.folder, head)
    return FittingRoom(Index.open(index.folder), lambda: fitting_room.embedder, ImageLimits())


# --- the figures ------------------------------------------------------------------------------


def test_the_figures_of_a_worked_example() -> None:
    right = np.array([[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 1, 1], [1, 1, 0, 0]], bool)
    relevant = np.array([10, 10, 3, 2])
    assert precision_at_k(right).tolist() == [0.5, 0, 0.75, 0.5]
    assert hit_at_k(right).tolist() == [True, False, True, True]
    expected = [(1 + 2 / 3) / 4, 0, (1 / 2 + 2 / 3 + 3 / 4) / 3, 1]
    assert average_precision_at_k(right, relevant) == pytest.approx(expected)


@st.composite
def results(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Right and wrong results, and how many right ones there are, at least those found."""
    shape = draw(st.tuples(st.integers(1, 6), st.integers(1, 8)))
    right = draw(hnp.arrays(bool, shape))
    missed = draw(hnp.arrays(np.int64, shape[0], elements=st.integers(0, 9)))
    return right, right.sum(axis=1) + missed


@given(results())
def test_the_figures_are_those_of_plain_counting(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    right, relevant = drawn
    count = right.shape[1]
    precision = precision_at_k(right)
    average = average_precision_at_k(right, relevant)
    for query, row in enumerate(right.tolist()):
        assert precision[query] == pytest.approx(sum(row) / count)
        assert hit_at_k(right)[query] == any(row)
        total = sum(sum(row[: rank + 1]) / (rank + 1) for rank in range(count) if row[rank])
        best = min(count, int(relevant[query]))
        assert average[query] == pytest.approx(total / best if best else 0)
    assert ((average >= 0) & (average <= 1 + 1e-12)).all()


@given(results(), st.data())
def test_a_right_result_further_up_is_never_worse(
    drawn: tuple[np.ndarray, np.ndarray], data: st.DataObject
) -> None:
    right, relevant = drawn
    rank = data.draw(st.integers(0, right.shape[1] - 1))
    moved = right.copy()
    moved[:, : rank + 1] = np.sort(right[:, : rank + 1], axis=1)[:, ::-1]
    assert (precision_at_k(moved) == precision_at_k(right)).all()
    gained = average_precision_at_k(moved, relevant) - average_precision_at_k(right, relevant)
    assert (gained >= -1e-12).all()


def test_an_interval_holds_the_mean_and_narrows_with_more_queries() -> None:
    values = np.random.default_rng(0).random((2, 1000))
    few, many = figures(values[:, :50]), figures(values)
    for narrow, wide in zip(many, few, strict=True):
        assert narrow.low < narrow.value < narrow.high
        assert narrow.high - narrow.low < wide.high - wide.low
    # As wide as theory says: 1.96 standard errors to each side.
    error = 1.96 * values.std(axis=1) / np.sqrt(1000)
    assert [f.high - f.value for f in many] == pytest.approx(error.tolist(), rel=0.15)
    assert figures(values) == many
    assert figures(values, seed=1) != many


def test_a_single_query_says_nothing_about_others() -> None:
    (figure,) = figures(np.array([[0.25]]))
    assert (figure.value, figure.low, figure.high) == (0.25, 0, 1)


# --- a catalogue asks itself ------------------------------------------------------------------


def test_the_figures_of_a_catalogue_counted_by_hand(fitting_room: FittingRoom, goods: Path) -> None:
    found = evaluate(fitting_room, load_queries(goods), k=5)
    assert (found.queries, found.gallery, found.unlabelled) == (12, 12, 0)
    assert list(found.measures) == ["articleType", "baseColour", "gender", "all"]
    # The five results of each query are the five others of its colour.
    kinds = found.measures["articleType"]
    assert kinds.queries == 11  # the last item has no type and is not asked about it
    assert kinds.precision.value == pytest.approx((4 * 3 / 5 + 2 * 1 / 5 + 5 * 4 / 5) / 11)
    assert kinds.hit.value == 1
    assert [(c.value, c.queries, c.precision) for c in kinds.classes] == [
        ("Jeans", 5, 0.8),
        ("Tshirts", 4, 0.6),
        ("Shirts", 2, 0.2),
    ]
    assert found.measures["baseColour"].precision.value == 1
    assert found.measures["baseColour"].average_precision.value == 1
    # A shirt whose only companion has no gender finds nothing that is right in all.
    everything = found.measures["all"]
    assert (everything.queries, everything.without_relevant) == (10, 1)
    assert everything.precision.value == pytest.approx((4 * 3 / 5 + 0 + 5 * 4 / 5) / 10)
    assert everything.hit.value == pytest.approx(0.9)
    assert everything.classes == ()


def test_average_precision_is_out_of_what_the_gallery_has(
    fitting_room: FittingRoom, goods: Path
) -> None:
    """Three other Tshirts: with five results they can be all there, and still fill 3 of 5 only."""
    found = evaluate(fitting_room, load_queries(goods), k=5, columns=["articleType"])
    right = found.answers.right["articleType"]
    asked = found.answers.query
    relevant = np.array([[3, 3, 3, 3, 1, 1, 4, 4, 4, 4, 4][query] for query in range(11)])
    assert asked.tolist() == list(range(11))
    expected = average_precision_at_k(right, relevant).mean()
    assert found.measures["articleType"].average_precision.value == pytest.approx(expected)


def test_a_query_is_not_its_own_answer_nor_is_a_copy_of_its_picture(goods: Path) -> None:
    (goods / "images" / "13.png").write_bytes((goods / "images" / "1.png").read_bytes())
    with (goods / "styles.csv").open("a", encoding="utf-8") as file:
        file.write("13,Tshirts,Red,Women,The same once more\n")
    fitting_room = fitting_room_of(goods)
    found = evaluate(fitting_room, load_queries(goods), k=6)
    for query, rows in zip(found.answers.query.tolist(), found.answers.rows.tolist(), strict=True):
        assert query not in rows
        if query in (0, 12):
            assert not {0, 12} & set(rows)
    assert found.identical == 0
    # Not all six are reds any more: one was left out, and what is right was counted without it.
    assert (found.answers.rows >= 0).all()


def test_held_out_items_ask_and_are_not_in_the_gallery(
    fitting_room: FittingRoom, goods: Path
) -> None:
    found = evaluate(fitting_room, load_queries(goods), k=4, columns=["baseColour"], holdout=3)
    assert (found.queries, found.gallery) == (4, 8)
    assert found.answers.query.tolist() == [2, 5, 8, 11]  # ids 3, 6, 9, 12
    assert not set(found.answers.rows.ravel().tolist()) & {2, 5, 8, 11}
    assert found.measures["baseColour"].precision.value == 1


def test_a_held_out_item_whose_picture_stays_in_the_gallery_is_counted(goods: Path) -> None:
    (goods / "images" / "4.png").write_bytes((goods / "images" / "3.png").read_bytes())
    found = evaluate(fitting_room_of(goods), load_queries(goods), holdout=3)
    assert found.identical == 1
    assert "very same picture in the gallery: 1." in in_words(found)


def test_a_filter_narrows_the_gallery(fitting_room: FittingRoom, goods: Path) -> None:
    found = evaluate(fitting_room, load_queries(goods), k=2, where={"articleType": "Shirts"})
    assert found.gallery == 2
    assert set(found.answers.rows.ravel().tolist()) == {4, 5, -1}  # a shirt has one other shirt
    jeans = next(c for c in found.measures["articleType"].classes if c.value == "Jeans")
    assert jeans.precision == 0
    assert found.measures["articleType"].without_relevant == 4 + 5
    with pytest.raises(FilterError, match="season"):
        evaluate(fitting_room, load_queries(goods), where={"season": "Summer"})
    with pytest.raises(EvaluationError, match="nothing is left"):
        evaluate(fitting_room, load_queries(goods), where={"gender": "Dogs"})


def test_a_gallery_smaller_than_k_has_missing_results(
    fitting_room: FittingRoom, goods: Path
) -> None:
    found = evaluate(fitting_room, load_queries(goods), k=20, columns=["baseColour"])
    assert found.answers.rows.shape == (12, 20)
    assert ((found.answers.rows >= 0).sum(axis=1) == 11).all()
    assert found.measures["baseColour"].precision.value == pytest.approx(5 / 20)
    assert found.measures["baseColour"].average_precision.value == 1


def test_what_cannot_be_asked_is_said(fitting_room: FittingRoom, goods: Path) -> None:
    queries = load_queries(goods)
    with pytest.raises(QuestionError, match=r"season.*articleType"):
        evaluate(fitting_room, queries, columns=["gender", "season"])
    with pytest.raises(QuestionError, match="at least one column"):
        evaluate(fitting_room, queries, columns=[])
    for k in (0, -1, 10**9):
        with pytest.raises(QuestionError, match="-k"):
            evaluate(fitting_room, queries, k=k)
    with pytest.raises(EvaluationError, match="held out"):
        evaluate(fitting_room, queries, holdout=1000)
    with pytest.raises(QuestionError, match="--holdout 0"):
        evaluate(fitting_room, queries, holdout=0)
    with pytest.raises(EvaluationError, match="nothing is left"):
        evaluate(fitting_room, queries, holdout=1)


def test_pictures_that_cannot_be_used_are_named_and_the_others_asked(
    fitting_room: FittingRoom, goods: Path
) -> None:
    (goods / "images" / "2.png").write_bytes(b"no picture")
    queries = load_queries(goods)
    (goods / "images" / "7.png").unlink()
    told: list[Progress] = []
    found = evaluate(fitting_room, queries, listener=told.append)
    assert found.queries == 10
    assert {name for name, _ in found.rejected} == {"images/2.png", "images/7.png"}
    assert 1 not in found.answers.query
    assert (told[-1].done, told[-1].total) == (12, 12)
    for path in (goods / "images").iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(EvaluationError, match="None of the pictures"):
        evaluate(fitting_room, queries)


def test_pictures_are_read_as_they_are_needed(
    fitting_room: FittingRoom, goods: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many queries there are, only some wait for the index at any time."""
    monkeypatch.setattr(evaluate_module, "QUERIES_AT_ONCE", 2)
    asked: list[int] = []
    search = Index.search

    def counting(self: Index, queries: list[object], *rest: object, **more: object) -> object:
        asked.append(len(queries))
        return search(self, queries, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Index, "search", counting)
    found = evaluate(fitting_room, load_queries(goods), k=5)
    assert asked == [2] * 6
    assert found.measures["baseColour"].precision.value == 1


def test_the_ranking_is_passed_on(fitting_room: FittingRoom, goods: Path) -> None:
    options = SimilarityOptions(colour=1.0, metric="jaccard")
    found = evaluate(fitting_room, load_queries(goods), options=options)
    assert found.settings["metric"] == "jaccard"
    assert found.settings["colour"] == {"studio": 1.0, "photograph": 1.0}


# --- what a head has seen ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trained_with", "asked_with", "leak"),
    [
        (3, 3, False),
        (3, 6, False),  # a third of what was held out
        (None, 3, True),
        (3, None, True),
        (None, None, True),
        (2, 3, True),
    ],
)
def test_a_head_that_learned_from_the_queries_is_told(
    fitting_room: FittingRoom,
    goods: Path,
    trained_with: int | None,
    asked_with: int | None,
    leak: bool,
) -> None:
    fitting_room, queries = taught(fitting_room, holdout=trained_with), load_queries(goods)
    found = evaluate(fitting_room, queries, holdout=asked_with)
    assert found.leak is leak
    assert found.as_dict()["leak"] is leak
    assert any("flatter" in remark for remark in remarks(found)) is leak
    without = evaluate(
        fitting_room, queries, holdout=asked_with, options=SimilarityOptions(trained=False)
    )
    assert without.leak is False


def test_other_pictures_are_no_leak_but_photographs_may_be(
    fitting_room: FittingRoom, tmp_path: Path
) -> None:
    fitting_room = taught(fitting_room, holdout=None, photographs=5)
    mapping = read_mapping(mapping_file(tmp_path, {"trousers": ["Jeans"]}))
    queries = load_queries(street(tmp_path / "street", trousers=[7, 8]), mapping)
    found = evaluate(fitting_room, queries)
    assert (found.leak, found.photographs) == (False, 5)
    (remark,) = remarks(found)
    assert "5 photographs" in remark


# --- classes that a mapping answers -----------------------------------------------------------


def test_a_class_is_answered_by_the_values_of_its_mapping(
    fitting_room: FittingRoom, tmp_path: Path
) -> None:
    path = mapping_file(tmp_path, {"top": ["Tshirts", "Shirts"], "shirt": ["Shirts"], "hat": ["?"]})
    queries = load_queries(
        street(tmp_path / "street", top=[1, 2], shirt=[3], hat=[7]), read_mapping(path)
    )
    found = evaluate(fitting_room, queries, k=6)  # the six reds, or the six blues
    assert list(found.measures) == [found.main] == ["class"]
    measure = found.measures["class"]
    by_class = {c.value: (c.queries, c.precision) for c in measure.classes}
    assert by_class == {"top": (2, 1), "shirt": (1, pytest.approx(2 / 6)), "hat": (1, 0)}
    assert measure.precision.value == pytest.approx((1 + 1 + 2 / 6 + 0) / 4)
    assert measure.without_relevant == 1
    assert found.settings["mapping_column"] == "articleType"
    with pytest.raises(QuestionError, match="do not go together"):
        evaluate(fitting_room, queries, columns=["gender"])


def test_a_mapping_may_answer_with_another_column(
    fitting_room: FittingRoom, tmp_path: Path
) -> None:
    path = mapping_file(tmp_path, {"sea": ["Blue"]})
    folder = street(tmp_path / "street", sea=[8])
    found = evaluate(fitting_room, load_queries(folder, read_mapping(path, "baseColour")), k=6)
    assert found.measures["class"].precision.value == 1
    with pytest.raises(QuestionError, match="season"):
        evaluate(fitting_room, load_queries(folder, read_mapping(path, "season")))


# --- tables of pictures -----------------------------------------------------------------------


def test_a_table_names_pictures_and_expected_labels(fitting_room: FittingRoom, goods: Path) -> None:
    (goods / "more").mkdir()
    (goods / "more" / "a red.png").write_bytes(picture_bytes((220, 10, 10), (61, 80), kind="PNG"))
    table = write_table(
        goods,
        "\ufeffpicture;baseColour;articleType\n"
        "images/7.png;Blue;\n\n"
        "more/a red.png;Red;Tshirts\n"
        "images/8.png;Red;NA\n"
        "images/99.png;Red;Shirts\n",
    )
    queries = load_queries(table)
    assert queries.items["baseColour"].tolist() == ["Blue", "Red", "Red", "Red"]
    assert queries.items["articleType"].isna().tolist() == [True, False, True, False]
    found = evaluate(fitting_room, queries, k=5)
    assert list(found.measures) == ["articleType", "baseColour", "all"]
    assert found.measures["baseColour"].precision.value == pytest.approx((1 + 1 + 0) / 3)
    assert found.rejected == (
        ("images/99.png", "The file cannot be read (No such file or directory)."),
    )
    # The picture of item 7 is item 7's own, and is not among its answers.
    assert 6 not in found.answers.rows[found.answers.query == 0]


def test_a_table_may_ask_by_class(fitting_room: FittingRoom, goods: Path, tmp_path: Path) -> None:
    mapping = read_mapping(mapping_file(tmp_path, {"trousers": ["Jeans"]}))
    table = write_table(goods, "path,class\nimages/7.png,trousers\n")
    found = evaluate(fitting_room, load_queries(table, mapping), k=5)
    assert found.measures["class"].precision.value == pytest.approx(4 / 5)


def test_queries_without_any_label_are_not_asked(fitting_room: FittingRoom, goods: Path) -> None:
    table = write_table(goods, "picture,gender\nimages/7.png,\nimages/8.png,Women\n")
    found = evaluate(fitting_room, load_queries(table))
    assert (found.queries, found.unlabelled) == (1, 1)
    table = write_table(goods, "picture,gender\nimages/7.png,\n")
    with pytest.raises(EvaluationError, match="no query has a label"):
        evaluate(fitting_room, load_queries(table))
    table = write_table(goods, "picture,season\nimages/7.png,Summer\n")
    with pytest.raises(QuestionError, match="none of the usual columns"):
        evaluate(fitting_room, load_queries(table))


# --- copies -----------------------------------------------------------------------------------


# --- what people and programs read ------------------------------------------------------------


@pytest.fixture
def found(fitting_room: FittingRoom, goods: Path) -> Evaluation:
    return evaluate(fitting_room, load_queries(goods), k=5)


def test_the_figures_as_json(found: Evaluation) -> None:
    told = json.loads(json.dumps(found.as_dict()))
    assert set(told) == {"settings", "counts", "metrics", "classes", "leak", "seconds"}
    assert told["counts"] == {
        "queries": 12,
        "gallery": 12,
        "rejected": 0,
        "unlabelled": 0,
        "identical": 0,
    }
    assert set(told["metrics"]["all"]["precision"]) == {"value", "low", "high"}
    assert told["classes"]["articleType"]["Shirts"] == {"queries": 2, "precision": 0.2, "hit": 1.0}
    assert "all" not in told["classes"]
    assert told["settings"]["columns"] == ["articleType", "baseColour", "gender"]


def test_the_figures_in_words(found: Evaluation, fitting_room: FittingRoom) -> None:
    words = in_words(found, find_copies(fitting_room, 3))
    for named in (
        "12 queries",
        "precision@5",
        "mAP@5",
        "0.640 (",
        "Tshirts",
        "flipped",
        "count as",
    ):
        assert named in words


def test_the_worst_queries_come_first(found: Evaluation) -> None:
    places = worst(found, 40)
    right = found.answers.right["all"][places]
    precision = precision_at_k(right)
    assert (np.diff(precision) >= 0).all()
    queries = found.answers.query[places].tolist()
    assert queries[0] == 4  # the shirt without a companion
    assert 5 not in queries  # lacks a label, so it was not asked about all
    assert 11 not in queries
    wrong = np.where(right, -np.inf, found.answers.similarities[places]).max(axis=1)
    for first, second in zip(range(len(places)), range(1, len(places)), strict=False):
        if precision[first] == precision[second]:
            assert wrong[first] >= wrong[second]
    assert worst(found, 2) == places[:2]


HOSTILE = "<script>alert(1)</script>\"' | `x` [a](http://b) ![c](d) \x1b[31m\u202e"


@pytest.fixture
def hostile(goods: Path) -> Path:
    text = (goods / "styles.csv").read_text("utf-8")
    named = HOSTILE.replace('"', '""')
    text = text.replace("Item 5\n", f'"{named}"\n').replace("Shirts,", '"<b>Shirts|",')
    (goods / "styles.csv").write_text(text, "utf-8")
    return goods


def test_a_report_is_one_page_with_its_pictures_and_nothing_else(
    hostile: Path, tmp_path: Path
) -> None:
    fitting_room, queries = fitting_room_of(hostile), load_queries(hostile)
    found = evaluate(fitting_room, queries, k=5)
    path = tmp_path / "worst.html"
    write_report(path, fitting_room, queries, found, find_copies(fitting_room, 2))
    page = path.read_text("utf-8")
    assert "<script" not in page
    assert "<b>" not in page
    assert html.escape("<script>alert(1)</script>\"'") in page
    assert "&lt;b&gt;Shirts|" in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "default-src &#x27;none&#x27;" in page or "default-src 'none'" in page
    # Nothing is fetched from anywhere: every picture is in the page.
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(sources) == page.count("<img ") == 6 * len(worst(found, 40))
    for source in sources:
        head, _, data = source.partition(",")
        assert head == "data:image/jpeg;base64"
        assert max(open_image(base64.b64decode(data)).size) <= 160
    assert "✓ right" in page
    assert "✗ wrong" in page
    assert "color-scheme: light dark" in page
    assert page.rstrip().endswith("</html>")
    assert [p.name for p in tmp_path.iterdir() if "worst" in p.name] == ["worst.html"]


def test_a_report_says_that_figures_flatter(
    fitting_room: FittingRoom, goods: Path, tmp_path: Path
) -> None:
    fitting_room, queries = taught(fitting_room), load_queries(goods)
    found = evaluate(fitting_room, queries)
    for name in ("a.html", "a.md"):
        write_report(tmp_path / name, fitting_room, queries, found)
        assert "flatter" in (tmp_path / name).read_text("utf-8")


def test_a_report_in_markdown_has_its_pictures_beside_it(hostile: Path, tmp_path: Path) -> None:
    fitting_room, queries = fitting_room_of(hostile), load_queries(hostile)
    found = evaluate(fitting_room, queries, k=5)
    path = tmp_path / "the worst.md"
    write_report(path, fitting_room, queries, found)
    text = path.read_text("utf-8")
    assert "<script" not in text
    assert "\\`x\\`" in text
    assert "\\[a\\](http\\://b)" in text
    pictures = re.findall(r"\]\((the%20worst-pictures/[0-9a-f]{32}\.jpg)\)", text)
    assert len(pictures) == 6 * len(worst(found, 40))
    folder = tmp_path / "the worst-pictures"
    assert {Path(p).name for p in pictures} == {p.name for p in folder.iterdir()}
    for line in text.splitlines():
        if line.startswith("| "):
            assert len(re.findall(r"(?<!\\)\|", line)) in (6,), line
    # Written again with fewer queries, pictures that nothing shows any more go; others' files stay.
    (folder / "mine.txt").write_text("mine")
    few = evaluate(fitting_room, queries, k=1, columns=["articleType"])
    write_report(path, fitting_room, queries, few)
    shown = set(re.findall(r"([0-9a-f]{32}\.jpg)", path.read_text("utf-8")))
    assert {p.name for p in folder.iterdir()} == {*shown, "mine.txt"}


@pytest.mark.parametrize("name", ["a.html", "a.md"])
def test_a_report_is_whole_or_not_there(
    fitting_room: FittingRoom,
    goods: Path,
    tmp_path: Path,
    found: Evaluation,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    path = out / name
    queries = load_queries(goods)
    write = report.write_atomically

    def full(target: Path, data: bytes) -> None:
        if target == path:
            raise OSError("the disk is full")
        write(target, data)

    with monkeypatch.context() as patch:
        patch.setattr(report, "write_atomically", full)
        with pytest.raises(EvaluationError, match="disk is full"):
            write_report(path, fitting_room, queries, found)
    assert list(out.iterdir()) == []
    write_report(path, fitting_room, queries, found)
    before = sorted((p, p.read_bytes()) for p in out.rglob("*") if p.is_file())
    with monkeypatch.context() as patch:
        patch.setattr(report, "write_atomically", full)
        with pytest.raises(EvaluationError):
            write_report(path, fitting_room, queries, evaluate(fitting_room, queries, k=2))
    assert sorted((p, p.read_bytes()) for p in out.rglob("*") if p.is_file()) == before


def test_a_report_shows_what_it_can(
    fitting_room: FittingRoom, goods: Path, tmp_path: Path, found: Evaluation
) -> None:
    queries = load_queries(goods)
    for path in (goods / "images").iterdir():
        path.unlink()
    for name in ("a.html", "a.md"):
        write_report(tmp_path / name, fitting_room, queries, found)
        assert "cannot be shown" in (tmp_path / name).read_text("utf-8")


def test_a_report_when_all_is_right(fitting_room: FittingRoom, goods: Path, tmp_path: Path) -> None:
    queries = load_queries(goods)
    found = evaluate(fitting_room, queries, k=5, columns=["baseColour"])
    write_report(tmp_path / "a.html", fitting_room, queries, found)
    assert "Every result is right" in (tmp_path / "a.html").read_text("utf-8")


def test_a_report_has_a_place_to_go_to(fitting_room: FittingRoom, tmp_path: Path) -> None:
    (tmp_path / "folder.html").mkdir()
    for place in ("a.txt", "a", "nowhere/a.html", "folder.html"):
        with pytest.raises(EvaluationError, match=place):
            report.check_report(tmp_path / place)


def test_labels_of_every_kind_are_codes(fitting_room: FittingRoom) -> None:
    """The gallery's and the queries' labels meet by their text, and a missing one by none."""
    test = evaluate_module._column_test(
        pd.Series(["a", None, "b", "a"]), pd.Series(["a", "c", None])
    )
    assert test.right(0, np.arange(4)).tolist() == [True, False, False, True]
    assert test.right(1, np.arange(4)).tolist() == [False] * 4
    assert test.queries[2] == -1
    both = evaluate_module._together([test, test])
    assert both.right(0, np.arange(4)).tolist() == [True, False, False, True]


@given(st.data())
def test_right_in_all_is_right_in_each(data: st.DataObject) -> None:
    labels = st.sampled_from(["a", "b", "c", None])
    tests = [
        evaluate_module._column_test(
            pd.Series(data.draw(st.lists(labels, min_size=6, max_size=6)), dtype="object"),
            pd.Series(data.draw(st.lists(labels, min_size=4, max_size=4)), dtype="object"),
        )
        for _ in range(data.draw(st.integers(1, 4)))
    ]
    both = evaluate_module._together(tests)
    rows = np.arange(6)
    for query in range(4):
        asked = all(test.queries[query] >= 0 for test in tests)
        assert (both.queries[query] >= 0) == asked
        if asked:
            each = np.all([test.right(query, rows) for test in tests], axis=0)
            assert both.right(query, rows).tolist() == each.tolist()
            among = np.ones(6, bool)
            assert both.relevant(among)[both.queries[query]] == each.sum()
