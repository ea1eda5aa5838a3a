"""Adding items to an index in a database and removing some."""

from __future__ import annotations

from pathlib import Path

import pytest

from fitting_room.build.builder import build_index
from fitting_room.build.database_edit import add_to_database, remove_from_database
from fitting_room.build.edit import EditError, ItemExistsError
from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.databases.index import DatabaseIndex
from fitting_room.imaging.decode import ImageLimits
from fitting_room.index.filters import EVERYTHING, FirstPictures, OneOf, both
from fitting_room.index.index import Index
from tests.conftest import colour_embedder, picture_bytes, write_items
from tests.databases.memory import MemoryDatabase, opened, published

LIMITS = ImageLimits()


class Place:
    """A shop whose index is in a database."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.shop = folder, write_items(folder / "shop")
        local = folder / "index"
        build_index(load_catalogue(self.shop), colour_embedder(), local, limits=LIMITS)
        self.local = Index.open(local)
        self.database: MemoryDatabase = published(self.local)
        self._opened = 0

    def index(self) -> DatabaseIndex:
        """The index as whoever opens it now has it."""
        self._opened += 1
        place = self.folder / f"opened-{self._opened}"
        place.mkdir()
        index = opened(self.database, place)
        index.database = self.database
        return index

    def picture(self, name: str, colour: str) -> Path:
        path = self.shop / "images" / name
        path.write_bytes(picture_bytes(colour, (61, 80)))
        return path


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def items_of(index: DatabaseIndex) -> int:
    return index.store.count(FirstPictures())


def test_what_is_removed_is_not_found_and_not_counted(place: Place) -> None:
    index = place.index()
    gone, *others = [str(item) for item in index.store.cells("id", index.store.scan(EVERYTHING, 9))]
    (before,) = index.store.rows_of([gone])
    summary = remove_from_database(index, [gone])
    index = place.index()
    assert summary.removed == (gone,)
    assert summary.items == index.item_count == items_of(index)
    assert len(index.store.rows_of([gone])) == 0
    (hits,) = index.search(index.features(index.store.rows_of(others[:1])), 50)
    assert before not in hits.rows
    column = "articleType"
    for value, count in index.store.values(column).items():
        assert count == index.store.count(OneOf(column, (value,)))


def test_what_is_unknown_is_said_and_nothing_is_removed(place: Place) -> None:
    index = place.index()
    before = items_of(index)
    known = str(index.store.cells("id", index.store.scan(EVERYTHING, 1))[0])
    with pytest.raises(EditError, match="no item nobody"):
        remove_from_database(index, [known, "nobody"])
    assert items_of(index) == before
    summary = remove_from_database(index, [known, "nobody"], ignore_missing=True)
    assert (summary.removed, summary.unknown) == ((known,), ("nobody",))


def test_the_last_items_stay(place: Place) -> None:
    index = place.index()
    every = list(dict.fromkeys(index.store.cells("id", index.store.scan(EVERYTHING, 1_000))))
    with pytest.raises(EditError, match="no item would be left"):
        remove_from_database(index, every)
    assert items_of(index) == len(every)


def test_what_is_added_is_found_with_what_is_said_of_it(place: Place) -> None:
    index, picture = place.index(), place.picture("new.jpg", "gold")
    before = items_of(index)
    summary = add_to_database(
        index, [picture], colour_embedder, ids=["new"], attributes={"gender": "Aliens"},
        limits=LIMITS,
    )  # fmt: skip
    index = place.index()
    assert (summary.added, summary.items) == (("new",), before + 1)
    assert index.item_count == items_of(index) == before + 1
    (row,) = index.store.rows_of(["new"])
    assert row == index.statistics.next_row - 1
    assert index.store.cells("image", [row]) == ["images/new.jpg"]
    assert index.store.values("gender")["Aliens"] == 1
    query = colour_embedder().describe([colour_embedder().open(picture, limits=LIMITS)])
    (hits,) = index.search(query, 1)
    assert hits.rows.tolist() == [row]
    narrow = both(OneOf("gender", ("Aliens",)), FirstPictures())
    assert index.store.scan(narrow, 9).tolist() == [row]


def test_an_item_that_is_there_is_replaced_only_if_asked_and_keeps_what_was_said(
    place: Place,
) -> None:
    index, picture = place.index(), place.picture("again.jpg", "gold")
    row = int(index.store.scan(EVERYTHING, 1)[0])
    item, kind = (str(index.store.cells(column, [row])[0]) for column in ("id", "articleType"))
    add = {"ids": [item], "limits": LIMITS}
    with pytest.raises(ItemExistsError, match=item):
        add_to_database(index, [picture], colour_embedder, **add)  # type: ignore[arg-type]
    summary = add_to_database(index, [picture], colour_embedder, replacing=True, **add)  # type: ignore[arg-type]
    index = place.index()
    (now,) = index.store.rows_of([item])
    assert (summary.replaced, summary.added) == ((item,), ())
    assert now != row
    assert summary.items == items_of(index) == index.item_count
    assert index.store.cells("articleType", [now]) == [kind]
    assert index.store.cells("image", [now]) == ["images/again.jpg"]


def test_a_picture_that_cannot_be_used_is_reported_and_the_others_are_added(place: Place) -> None:
    index, good = place.index(), place.picture("good.jpg", "gold")
    broken = place.shop / "images" / "broken.jpg"
    broken.write_bytes(b"no picture")
    summary = add_to_database(index, [broken, good], colour_embedder, limits=LIMITS)
    assert summary.added == ("good",)
    assert [picture for picture, _ in summary.rejected] == [str(broken)]


def test_pictures_elsewhere_and_unknown_columns_are_refused(place: Place, tmp_path: Path) -> None:
    index, elsewhere = place.index(), tmp_path / "elsewhere.jpg"
    elsewhere.write_bytes(picture_bytes("gold", (61, 80)))
    with pytest.raises(EditError, match=r"elsewhere\.jpg: .* Put it there first"):
        add_to_database(index, [elsewhere], colour_embedder, limits=LIMITS)
    picture = place.picture("new.jpg", "gold")
    with pytest.raises(EditError, match="no column 'mood'"):
        add_to_database(
            index, [picture], colour_embedder, attributes={"mood": "blue"}, limits=LIMITS
        )
    assert place.index().item_count == index.item_count
