"""What a search says of an index in a database is what it says of the local one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fitting_room.databases import items as database_items
from fitting_room.databases.index import WholeCatalogueError
from fitting_room.databases.rows import RowGone
from fitting_room.facade import FittingRoom
from fitting_room.index.filters import EVERYTHING, FirstPictures, Named, Not, OneOf, both
from fitting_room.index.index import Index
from fitting_room.index.scoring import JACCARD, SimilarityOptions
from fitting_room.search.searcher import Searcher
from tests.databases.memory import MemoryDatabase, opened, published

QUERIES = [3, 250, 700]


@pytest.fixture(scope="module")
def database(demo_fitting_room: FittingRoom) -> MemoryDatabase:
    return published(demo_fitting_room.index)


@pytest.fixture
def open_demo(
    database: MemoryDatabase, demo_fitting_room: FittingRoom, tmp_path: Path
) -> Callable[..., Searcher]:
    """Opens the demo in a database, of which some things are otherwise."""

    def open_with(**changes: Any) -> Searcher:
        index = opened(database, tmp_path, **changes)
        return Searcher(index, lambda: demo_fitting_room.embedder, demo_fitting_room.limits)

    return open_with


def asked_of(searcher: Searcher) -> Any:
    return searcher.index.database.asked


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"n": 60, "fold": True},
        {"diversity": 0.4, "fold": True},
        {"only_good": True},
        {"sort_by": "year", "descending": True},
        {"where": {"gender": ["Women", "Girls"], "baseColour": "Red"}},
        {"where": {"gender": "nobody's"}},
        {"options": SimilarityOptions(colour=0.9)},
        {"options": SimilarityOptions(trained=False, colour=0)},
        {"text": "red, not Nike", "text_weight": 0.7},
        {"text": "blue shirt", "text_weight": 1},
        {"without": ["1163", "nothing"]},
    ],
    ids=str,
)
def test_pictures_find_the_same(
    open_demo: Callable[..., Searcher], demo_fitting_room: FittingRoom, options: dict[str, Any]
) -> None:
    searcher = open_demo()
    for query in QUERIES:
        features = searcher.index.features(np.array([query]))
        assert searcher.search(features, **options) == demo_fitting_room.search(features, **options)


def test_several_pictures_and_some_that_are_not_wanted(
    open_demo: Callable[..., Searcher], demo_fitting_room: FittingRoom
) -> None:
    features = demo_fitting_room.index.features(np.array([3, 30, 300]))
    for searched in ({"query": features}, {"query": features[:1], "negatives": features[1:]}):
        assert open_demo().search(**searched) == demo_fitting_room.search(**searched)


@pytest.mark.parametrize(
    "text",
    ["red dress", "shirts", "blue shirt without stripes", "nike", "women", "not black", "trowsers",
     "gibberishword", "tsh", "casual shoes for men", "red or blue"],
)  # fmt: skip
def test_words_alone_find_the_same(
    open_demo: Callable[..., Searcher], demo_fitting_room: FittingRoom, text: str
) -> None:
    searcher = open_demo()
    assert searcher.understand(text) == demo_fitting_room.understand(text)
    assert searcher.search(text=text, n=40) == demo_fitting_room.search(text=text, n=40)
    where = {"gender": "Men"}
    found, expected = (
        each.ranked(each.understand(text), each.index.filter(where))
        for each in (searcher, demo_fitting_room)
    )
    assert found.rows.tolist() == expected.rows.tolist()
    assert found.similarities.tolist() == expected.similarities.tolist()


def test_of_items_with_several_pictures_the_same(
    several_fitting_room: FittingRoom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = opened(published(several_fitting_room.index), tmp_path)
    searcher = Searcher(index, lambda: several_fitting_room.embedder, several_fitting_room.limits)
    local = several_fitting_room.index
    assert (index.item_count, len(index)) == (local.item_count, len(local))
    for row in range(0, len(local), 7):
        features = local.features(np.array([row]))
        assert searcher.search(features, n=8) == several_fitting_room.search(features, n=8)
        assert index.rows_of_item(row).tolist() == local.rows_of_item(row).tolist()
    item = str(local.items["id"].iloc[0])
    assert searcher.item(item) == several_fitting_room.item(item)
    assert searcher.rows(item) == several_fitting_room.rows(item)
    columns = searcher.attributes
    counted, expected = (each.store.counts(columns, EVERYTHING) for each in (index, local))
    assert counted == expected
    monkeypatch.setattr(database_items, "COUNTED_AGAIN", 10)
    estimated = index.store.counts(columns, EVERYTHING)
    assert estimated.estimated
    assert estimated.by_column == expected.by_column  # each has three pictures


def test_engines_that_find_too_few_are_asked_wider(open_demo: Callable[..., Searcher]) -> None:
    exact = open_demo()
    query = exact.index.features(np.array([3]))
    expected = exact.search(query, n=12)
    assert not asked_of(exact)["wide"]
    sparing = open_demo(answers=5)
    assert sparing.search(query, n=12) == expected
    assert asked_of(sparing)["wide"] and not asked_of(sparing)["scan"]


def test_and_then_all_that_a_filter_lets_through_are_compared(
    open_demo: Callable[..., Searcher], demo_fitting_room: FittingRoom
) -> None:
    blind = open_demo(answers=0, wide_answers=0)
    query = blind.index.features(np.array([3]))
    where = {"gender": "Women"}
    assert blind.search(query, n=12, where=where) == demo_fitting_room.search(
        query, n=12, where=where
    )
    assert asked_of(blind)["scan"]


def test_many_wishes_ask_no_more_than_some_counts(open_demo: Callable[..., Searcher]) -> None:
    searcher = open_demo()
    index: Any = searcher.index
    # Two values of each column: of the ways in which rows have them or not, few are told apart.
    kinds = [OneOf(c, (v,)) for c in searcher.attributes for v in [*index.store.values(c)][:2]]
    ways = index.store.combinations(kinds[:12])
    assert 1 < len(ways) <= database_items.MOST_WAYS
    assert len({*ways}) == len(ways)
    assert index.database.asked["count"] <= 2 * 12 * database_items.MOST_WAYS + 1


def test_a_filter_that_leaves_few_is_answered_at_once(open_demo: Callable[..., Searcher]) -> None:
    searcher = open_demo()
    query = searcher.index.features(np.array([3]))
    assert len(searcher.search(query, n=12, where={"baseColour": "Teal"})) <= 12
    assert not asked_of(searcher)["wide"]


def test_a_row_that_has_gone_is_no_answer_and_said_where_it_is_named(
    open_demo: Callable[..., Searcher], database: MemoryDatabase
) -> None:
    searcher = open_demo(rows=dict(database.rows))
    query = searcher.index.features(np.array([3]))
    best = searcher.search(query, n=2)
    fresh = open_demo(rows=dict(database.rows))
    fresh.index.database.remove(np.array([best[1].row]))
    assert best[1].id not in [match.id for match in fresh.search(query, n=12)]
    with pytest.raises(RowGone, match="Search again"):
        fresh.index.store.cells("id", np.array([best[1].row]))
    assert fresh.row(best[1].id) is None
    assert len(fresh.index.store.block(np.array([best[1].row, 3]))) == 1


def test_columns_are_counted_as_on_this_machine(
    open_demo: Callable[..., Searcher], demo_fitting_room: FittingRoom
) -> None:
    searcher, local = open_demo(), demo_fitting_room.index.store
    columns, where = searcher.attributes, OneOf("gender", ("Women",))
    store = searcher.index.store
    for among in (EVERYTHING, where, both(where, Not(Named(("dress",))))):
        found, expected = (each.counts(columns, among) for each in (store, local))
        assert {c: dict(v) for c, v in found.by_column.items()} == {
            c: dict(v) for c, v in expected.by_column.items()
        }
        assert not found.estimated
        assert store.count(both(among, FirstPictures())) == local.count(
            both(among, FirstPictures())
        )
    assert {c: searcher.values(c) for c in columns} == {
        c: demo_fitting_room.values(c) for c in columns
    }


def test_an_engine_that_cannot_count_has_few_rows_counted_here_and_many_estimated(
    open_demo: Callable[..., Searcher],
    demo_fitting_room: FittingRoom,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, local = open_demo(can_count=False).index.store, demo_fitting_room.index.store
    where, columns = OneOf("gender", ("Women",)), ["baseColour", "season"]
    assert not store.counts(columns, where).estimated
    assert (
        store.counts(columns, where).by_column["season"]
        == local.counts(columns, where).by_column["season"]
    )
    monkeypatch.setattr(database_items, "COUNTED_HERE", 10)
    estimated = store.counts(columns, where)
    assert estimated.estimated
    # The sample is all of so small a catalogue.
    assert estimated.by_column["season"] == local.counts(columns, where).by_column["season"]
    monkeypatch.setattr(database_items, "LEAST_OF_SAMPLE", 10_000)
    assert store.counts(columns, where).by_column == {"baseColour": {}, "season": {}}


def test_filters_are_judged_of_fetched_rows_as_by_the_engine(
    open_demo: Callable[..., Searcher], database: MemoryDatabase
) -> None:
    store = open_demo().index.store
    rows = np.arange(len(store))
    for where in (
        OneOf("season", ("Summer", "Winter")),
        Not(OneOf("baseColour", ("Red",))),
        both(OneOf("gender", ("Men",)), Named(("shirt",))),
        Named(("sneaker", "shoe")),
        Named(("t", "shi"), begun=True),
        FirstPictures(),
    ):
        assert rows[store.passes(where, rows)].tolist() == store.scan(where, 1_000).tolist()


def test_pages_of_rows_follow_each_other(open_demo: Callable[..., Searcher]) -> None:
    store, where = open_demo().index.store, OneOf("gender", ("Women",))
    first = store.scan(where, 10)
    assert [*first, *store.scan(where, 10, int(first[-1]))] == store.scan(where, 20).tolist()


@pytest.mark.parametrize(
    "take",
    [
        lambda index: index.items,
        lambda index: index.item_pictures,
        lambda index: index.first_rows,
        lambda index: index.mask({}),
        lambda index: index.search(np.ones((1, index.dimension), np.float32), 1, exact=True),
        lambda index: index.search(
            index.features(np.array([0])), 1, options=SimilarityOptions(metric=JACCARD)
        ),
    ],
)
def test_what_takes_the_whole_catalogue_is_refused(
    open_demo: Callable[..., Searcher], take: Callable[[Index], Any]
) -> None:
    with pytest.raises(WholeCatalogueError, match="in a folder of a part") as refused:
        take(open_demo().index)
    assert "secret" not in str(refused.value)


def test_a_database_is_named_without_its_password(open_demo: Callable[..., Searcher]) -> None:
    assert open_demo().index.place == "postgresql://localhost/clothes"
