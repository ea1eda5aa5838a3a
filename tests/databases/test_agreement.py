"""The demo's index in real databases answers as the one in a folder does."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from fitting_room.build.publishing import publish
from fitting_room.databases.index import DatabaseIndex
from fitting_room.facade import FittingRoom
from fitting_room.index.index import Index
from fitting_room.index.scoring import SimilarityOptions
from fitting_room.search.browsing import browse, glance
from fitting_room.search.facets import choices_of, counted
from fitting_room.search.searcher import Searcher
from fitting_room.settings import Settings
from tests.databases.conftest import Servers
from tests.databases.servers import SERVERS

RESULTS = 12
FILTERS = ({}, {"gender": "Women"}, {"articleType": ["Dresses", "Skirts"], "baseColour": "Red"})


@pytest.fixture(scope="module")
def _published() -> Iterator[dict[str, DatabaseIndex]]:
    """The demo's index in each kind of database."""
    found: dict[str, DatabaseIndex] = {}
    yield found
    for index in found.values():
        index.database.close()


@pytest.fixture(params=sorted(SERVERS))
def there(
    request: pytest.FixtureRequest,
    servers: Servers,
    demo_fitting_room: FittingRoom,
    _published: dict[str, DatabaseIndex],
) -> DatabaseIndex:
    if request.param not in _published:
        address = servers.place(request.param).address
        publish(demo_fitting_room.index, address)
        _published[request.param] = DatabaseIndex.open_at(address)
    return _published[request.param]


@pytest.mark.parametrize("trained", [True, False])
@pytest.mark.parametrize("colour", [0.0, 0.12, 0.5, 0.95])
def test_what_is_found_and_in_which_order(
    there: DatabaseIndex, demo_fitting_room: FittingRoom, colour: float, trained: bool
) -> None:
    local: Index = demo_fitting_room.index
    options = SimilarityOptions(colour=colour, trained=trained)
    queries = local.features(np.arange(0, len(local), 40))
    for where in FILTERS:
        wanted = local.search(queries, RESULTS, where, options=options)
        found = there.search(queries, RESULTS, where, options=options)
        pairs = list(zip(wanted, found, strict=True))
        shares = [np.isin(one.rows, other.rows).mean() for one, other in pairs if len(one)]
        assert np.mean(shares or [1.0]) >= 0.99
        for one, other in pairs:
            if set(one.rows.tolist()) == set(other.rows.tolist()):
                assert one.rows.tolist() == other.rows.tolist()
                assert np.array_equal(one.similarities, other.similarities)


def test_words_beside_a_picture_and_alone(
    there: DatabaseIndex, demo_fitting_room: FittingRoom, settings: Settings
) -> None:
    local = demo_fitting_room
    room = FittingRoom(there, lambda: local.embedder, settings.limits, local.synonyms)
    assert there.item_count == local.index.item_count
    for text in ("red dress for women", "not red, striped", "skirt named xyzzy"):
        own, others = (one.search(text=text, n=RESULTS) for one in (local, room))
        assert [match.id for match in own] == [match.id for match in others]
        query = local.index.features(np.array([7]))
        own, others = (one.search(query, text=text, n=RESULTS) for one in (local, room))
        assert [match.id for match in own] == [match.id for match in others]
        assert [match.attributes for match in own] == [match.attributes for match in others]


@pytest.mark.parametrize("where", FILTERS, ids=str)
def test_what_the_page_asks(
    there: DatabaseIndex, demo_fitting_room: FittingRoom, where: dict[str, list[str]]
) -> None:
    local = demo_fitting_room
    chosen = {c: [v] if isinstance(v, str) else v for c, v in where.items()}
    of_both = [
        Searcher(index, lambda: local.embedder, local.limits) for index in (there, local.index)
    ]
    columns = [choice.column for choice in choices_of(there, local.attributes)]
    counts, expected = (counted(each.index.store, columns, chosen) for each in of_both)
    assert counts.items == expected.items
    if not counts.estimated:
        assert counts.by_column == expected.by_column
    among = there.filter(where)
    assert browse(there, among).items == expected.items
    assert len(glance(there, among, RESULTS)) == min(RESULTS, expected.items)
    for text in ("blue shirt", "red dress not nike", "women", "trowsers"):
        found, wanted = (each.ranked(each.understand(text), among) for each in of_both)
        assert found.rows.tolist() == wanted.rows.tolist()
        assert found.similarities.tolist() == wanted.similarities.tolist()
