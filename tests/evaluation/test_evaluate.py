"""A catalogue, tables of pictures and photographs as queries: figures counted by hand, leaks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fitting_room.catalogue.label_mapping import read_mapping
from fitting_room.evaluation import searching
from fitting_room.evaluation.evaluate import evaluate
from fitting_room.evaluation.metrics import average_precision_at_k, precision_at_k
from fitting_room.evaluation.queries import Queries, load_queries
from fitting_room.evaluation.report import as_text, remarks
from fitting_room.evaluation.results import Evaluation, EvaluationError, OptionError
from fitting_room.facade import FittingRoom
from fitting_room.index.index import FilterError, Index
from fitting_room.index.scoring import SimilarityOptions
from fitting_room.util.progress import Progress
from tests.conftest import fitting_room_of, mapping_file, picture_bytes, street, write_table
from tests.evaluation.conftest import with_head


def test_the_figures_of_a_catalogue_counted_by_hand(evaluation: Evaluation) -> None:
    assert (evaluation.queries, evaluation.gallery, evaluation.unlabelled) == (12, 12, 0)
    assert list(evaluation.metrics) == ["articleType", "baseColour", "gender", "all"]
    # The five results of each query are the five others of its colour.
    kinds = evaluation.metrics["articleType"]
    assert kinds.queries == 11  # the last item has no type and is not judged by it
    assert kinds.precision.value == pytest.approx((4 * 3 / 5 + 2 * 1 / 5 + 5 * 4 / 5) / 11)
    assert kinds.hit.value == 1
    assert [(value, c.queries, c.precision) for value, c in kinds.classes.items()] == [
        ("Jeans", 5, 0.8),
        ("Tshirts", 4, 0.6),
        ("Shirts", 2, 0.2),
    ]
    assert evaluation.metrics["baseColour"].precision.value == 1
    assert evaluation.metrics["baseColour"].average_precision.value == 1
    # The only other shirt has no gender, so that no result is right in all.
    everything = evaluation.metrics["all"]
    assert (everything.queries, everything.without_relevant) == (10, 1)
    assert everything.precision.value == pytest.approx((4 * 3 / 5 + 0 + 5 * 4 / 5) / 10)
    assert everything.hit.value == pytest.approx(0.9)
    assert everything.classes == {}


def test_average_precision_is_out_of_what_the_gallery_has(
    fitting_room: FittingRoom, queries: Queries
) -> None:
    """Three other Tshirts: with five results they can be all there, and still fill 3 of 5 only."""
    evaluation = evaluate(fitting_room, queries, k=5, columns=["articleType"])
    right = evaluation.answers.right["articleType"]
    relevant = np.array([[3, 3, 3, 3, 1, 1, 4, 4, 4, 4, 4][query] for query in range(11)])
    assert evaluation.answers.query.tolist() == list(range(11))
    expected = average_precision_at_k(right, relevant).mean()
    assert evaluation.metrics["articleType"].average_precision.value == pytest.approx(expected)


def test_a_query_is_not_among_its_results_nor_is_a_copy_of_its_picture(labelled_shop: Path) -> None:
    (labelled_shop / "images" / "13.png").write_bytes(
        (labelled_shop / "images" / "1.png").read_bytes()
    )
    with (labelled_shop / "styles.csv").open("a", encoding="utf-8") as file:
        file.write("13,Tshirts,Red,Women,The same once more\n")
    fitting_room = fitting_room_of(labelled_shop)
    evaluation = evaluate(fitting_room, load_queries(labelled_shop), k=6)
    answers = evaluation.answers
    for query, rows in zip(answers.query.tolist(), answers.rows.tolist(), strict=True):
        assert query not in rows
        if query in (0, 12):
            assert not {0, 12} & set(rows)
    assert evaluation.identical == 0
    # Not all six are reds any more: one was left out, and what is right was counted without it.
    assert (answers.rows >= 0).all()


def test_held_out_items_are_queries_and_not_in_the_gallery(
    fitting_room: FittingRoom, queries: Queries
) -> None:
    evaluation = evaluate(fitting_room, queries, k=4, columns=["baseColour"], holdout=3)
    assert (evaluation.queries, evaluation.gallery) == (4, 8)
    assert evaluation.answers.query.tolist() == [2, 5, 8, 11]  # ids 3, 6, 9, 12
    assert not set(evaluation.answers.rows.ravel().tolist()) & {2, 5, 8, 11}
    assert evaluation.metrics["baseColour"].precision.value == 1


def test_a_held_out_item_whose_picture_stays_in_the_gallery_is_counted(labelled_shop: Path) -> None:
    (labelled_shop / "images" / "4.png").write_bytes(
        (labelled_shop / "images" / "3.png").read_bytes()
    )
    evaluation = evaluate(fitting_room_of(labelled_shop), load_queries(labelled_shop), holdout=3)
    assert evaluation.identical == 1
    assert "very same picture in the gallery: 1." in as_text(evaluation)


def test_a_filter_narrows_the_gallery(fitting_room: FittingRoom, queries: Queries) -> None:
    evaluation = evaluate(fitting_room, queries, k=2, where={"articleType": "Shirts"})
    assert evaluation.gallery == 2
    assert set(evaluation.answers.rows.ravel().tolist()) == {
        4,
        5,
        -1,
    }  # a shirt has one other shirt
    assert evaluation.metrics["articleType"].classes["Jeans"].precision == 0
    assert evaluation.metrics["articleType"].without_relevant == 4 + 5
    with pytest.raises(FilterError, match="season"):
        evaluate(fitting_room, queries, where={"season": "Summer"})
    with pytest.raises(EvaluationError, match="nothing is left"):
        evaluate(fitting_room, queries, where={"gender": "Dogs"})


def test_a_gallery_smaller_than_k_has_missing_results(
    fitting_room: FittingRoom, queries: Queries
) -> None:
    evaluation = evaluate(fitting_room, queries, k=20, columns=["baseColour"])
    assert evaluation.answers.rows.shape == (12, 20)
    assert ((evaluation.answers.rows >= 0).sum(axis=1) == 11).all()
    assert evaluation.metrics["baseColour"].precision.value == pytest.approx(5 / 20)
    assert evaluation.metrics["baseColour"].average_precision.value == 1


def test_impossible_options_are_refused(fitting_room: FittingRoom, queries: Queries) -> None:
    with pytest.raises(OptionError, match=r"season.*articleType"):
        evaluate(fitting_room, queries, columns=["gender", "season"])
    with pytest.raises(OptionError, match="at least one column"):
        evaluate(fitting_room, queries, columns=[])
    for k in (0, -1, 10**9):
        with pytest.raises(OptionError, match="-k"):
            evaluate(fitting_room, queries, k=k)
    with pytest.raises(EvaluationError, match="held out"):
        evaluate(fitting_room, queries, holdout=1000)
    with pytest.raises(OptionError, match="--holdout 0"):
        evaluate(fitting_room, queries, holdout=0)
    with pytest.raises(EvaluationError, match="nothing is left"):
        evaluate(fitting_room, queries, holdout=1)


def test_pictures_that_cannot_be_used_are_named_and_the_others_count(
    fitting_room: FittingRoom, labelled_shop: Path
) -> None:
    (labelled_shop / "images" / "2.png").write_bytes(b"no picture")
    queries = load_queries(labelled_shop)
    (labelled_shop / "images" / "7.png").unlink()
    moments: list[Progress] = []
    evaluation = evaluate(fitting_room, queries, listener=moments.append)
    assert evaluation.queries == 10
    assert {name for name, _ in evaluation.rejected} == {"images/2.png", "images/7.png"}
    assert 1 not in evaluation.answers.query
    assert (moments[-1].done, moments[-1].total) == (12, 12)
    for path in (labelled_shop / "images").iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(EvaluationError, match="None of the pictures"):
        evaluate(fitting_room, queries)


def test_queries_are_searched_in_batches(
    fitting_room: FittingRoom, queries: Queries, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are, the features of only some are in memory at any time."""
    monkeypatch.setattr(searching, "QUERIES_AT_ONCE", 2)
    sizes: list[int] = []
    search = Index.search

    def counting(self: Index, queries: list[object], *rest: object, **more: object) -> object:
        sizes.append(len(queries))
        return search(self, queries, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Index, "search", counting)
    evaluation = evaluate(fitting_room, queries, k=5)
    assert sizes == [2] * 6
    assert evaluation.metrics["baseColour"].precision.value == 1


def test_the_similarity_options_are_passed_on(fitting_room: FittingRoom, queries: Queries) -> None:
    options = SimilarityOptions(colour=1.0, metric="jaccard")
    evaluation = evaluate(fitting_room, queries, options=options)
    assert evaluation.settings["metric"] == "jaccard"
    assert evaluation.settings["colour"] == {"plain_background": 1.0, "photograph": 1.0}
    # Scripts may still read the old name.
    assert evaluation.as_dict()["settings"]["colour"]["studio"] == 1


@pytest.mark.parametrize(
    ("trained_with", "evaluated_with", "leak"),
    [
        (3, 3, False),
        (3, 6, False),  # a third of what was held out
        (None, 3, True),
        (3, None, True),
        (None, None, True),
        (2, 3, True),
    ],
)
def test_a_head_that_was_trained_on_the_queries_is_a_leak(
    own_fitting_room: FittingRoom,
    queries: Queries,
    trained_with: int | None,
    evaluated_with: int | None,
    leak: bool,
) -> None:
    fitting_room = with_head(own_fitting_room, holdout=trained_with)
    evaluation = evaluate(fitting_room, queries, holdout=evaluated_with)
    assert evaluation.leak is leak
    assert evaluation.as_dict()["leak"] is leak
    assert any("flatter" in remark for remark in remarks(evaluation)) is leak
    without = evaluate(
        fitting_room, queries, holdout=evaluated_with, options=SimilarityOptions(trained=False)
    )
    assert without.leak is False


def test_other_pictures_are_no_leak_but_photographs_may_be(
    own_fitting_room: FittingRoom, tmp_path: Path
) -> None:
    fitting_room = with_head(own_fitting_room, holdout=None, photographs=5)
    mapping = read_mapping(mapping_file(tmp_path, {"trousers": ["Jeans"]}))
    queries = load_queries(street(tmp_path / "street", trousers=[7, 8]), mapping)
    evaluation = evaluate(fitting_room, queries)
    assert (evaluation.leak, evaluation.settings["trained_on_photographs"]) == (False, 5)
    (remark,) = remarks(evaluation)
    assert "5 photographs" in remark


def test_a_table_names_pictures_and_expected_labels(
    fitting_room: FittingRoom, labelled_shop: Path
) -> None:
    (labelled_shop / "more").mkdir()
    (labelled_shop / "more" / "a red.png").write_bytes(
        picture_bytes((220, 10, 10), (61, 80), kind="PNG")
    )
    table = write_table(
        labelled_shop,
        "\ufeffpicture;baseColour;articleType\n"
        "images/7.png;Blue;\n\n"
        "more/a red.png;Red;Tshirts\n"
        "images/8.png;Red;NA\n"
        "images/99.png;Red;Shirts\n",
    )
    queries = load_queries(table)
    assert queries.items["baseColour"].tolist() == ["Blue", "Red", "Red", "Red"]
    assert queries.items["articleType"].isna().tolist() == [True, False, True, False]
    evaluation = evaluate(fitting_room, queries, k=5)
    assert list(evaluation.metrics) == ["articleType", "baseColour", "all"]
    assert evaluation.metrics["baseColour"].precision.value == pytest.approx((1 + 1 + 0) / 3)
    assert evaluation.rejected == (
        ("images/99.png", "The file cannot be read (No such file or directory)."),
    )
    # The picture of item 7 is item 7's own, and is not among its answers.
    assert 6 not in evaluation.answers.rows[evaluation.answers.query == 0]


def test_a_table_may_name_classes(
    fitting_room: FittingRoom, labelled_shop: Path, tmp_path: Path
) -> None:
    mapping = read_mapping(mapping_file(tmp_path, {"trousers": ["Jeans"]}))
    table = write_table(labelled_shop, "path,class\nimages/7.png,trousers\n")
    evaluation = evaluate(fitting_room, load_queries(table, mapping), k=5)
    assert evaluation.metrics["class"].precision.value == pytest.approx(4 / 5)


def test_queries_without_any_label_are_skipped(
    fitting_room: FittingRoom, labelled_shop: Path
) -> None:
    table = write_table(labelled_shop, "picture,gender\nimages/7.png,\nimages/8.png,Women\n")
    evaluation = evaluate(fitting_room, load_queries(table))
    assert (evaluation.queries, evaluation.unlabelled) == (1, 1)
    table = write_table(labelled_shop, "picture,gender\nimages/7.png,\n")
    with pytest.raises(EvaluationError, match="no query has a label"):
        evaluate(fitting_room, load_queries(table))
    table = write_table(labelled_shop, "picture,season\nimages/7.png,Summer\n")
    with pytest.raises(OptionError, match="none of the usual columns"):
        evaluate(fitting_room, load_queries(table))


def test_the_figures_as_json(evaluation: Evaluation) -> None:
    printed = json.loads(json.dumps(evaluation.as_dict()))
    assert set(printed) == {
        "settings", "counts", "metrics", "classes", "published", "without_words", "leak", "seconds"
    }  # fmt: skip
    assert printed["counts"] == {
        "queries": 12,
        "gallery": 12,
        "rejected": 0,
        "unlabelled": 0,
        "identical": 0,
    }
    assert set(printed["metrics"]["all"]["precision"]) == {"value", "low", "high"}
    assert printed["classes"]["articleType"]["Shirts"] == {
        "queries": 2,
        "precision": 0.2,
        "hit": 1.0,
    }
    assert "all" not in printed["classes"]
    assert printed["settings"]["columns"] == ["articleType", "baseColour", "gender"]


def test_the_worst_queries_come_first(evaluation: Evaluation) -> None:
    places = evaluation.worst(40)
    right = evaluation.answers.right["all"][places]
    precision = precision_at_k(right)
    assert (np.diff(precision) >= 0).all()
    queries = evaluation.answers.query[places].tolist()
    assert queries[0] == 4  # the other shirt lacks a label
    assert 5 not in queries  # lacks a label, so it is not judged by all
    assert 11 not in queries
    wrong = np.where(right, -np.inf, evaluation.answers.similarities[places]).max(axis=1)
    for first, second in zip(range(len(places)), range(1, len(places)), strict=False):
        if precision[first] == precision[second]:
            assert wrong[first] >= wrong[second]
    assert evaluation.worst(2) == places[:2]
