"""Pictures sought and sorted without being held."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import PurePosixPath

from hypothesis import given
from hypothesis import strategies as st

from fitting_room.catalogue.listing import Listed, Listing

NAMES = st.sampled_from(["1.jpg", "2.jpg", "1.png", "1.b.jpg", "ä.jpg", "\udc80.jpg", "𝄞.jpg"])
FOLDERS = st.sampled_from(["", "a/", "b/", "a/b/", "images/", "images/a/"])
PICTURES = st.sets(st.tuples(FOLDERS, NAMES).map("".join)).map(
    lambda names: {name: f"signature of {name!r}" for name in names}
)


def stem(name: str) -> str:
    return PurePosixPath(name).stem


def test_a_picture_is_found_by_its_key_and_known_to_be_taken() -> None:
    with Listing([("a/1.jpg", "s"), ("a/2.jpg", "t")], stem) as listing:
        assert listing.take("1") == Listed("a/1.jpg", "s", again=False)
        assert listing.take("3") is None
        assert listing.take("2") == Listed("a/2.jpg", "t", again=False)
        assert listing.take("1") == Listed("a/1.jpg", "s", again=True)


@given(PICTURES)
def test_of_several_with_a_key_the_highest_and_first_is_found(pictures: dict[str, str]) -> None:
    with Listing(pictures.items(), stem) as listing:
        assert (len(listing), listing.keys) == (len(pictures), len(set(map(stem, pictures))))
        for key in {*map(stem, pictures), "nothing"}:
            names = [name for name in pictures if stem(name) == key]
            best = min(names, key=lambda name: (name.count("/"), name), default=None)
            assert listing.take(key) == (
                None if best is None else Listed(best, pictures[best], again=False)
            )


@given(PICTURES)
def test_only_preferred_ones_count_where_there_are_any(pictures: dict[str, str]) -> None:
    preferred = [name for name in pictures if name.startswith("images/")] or list(pictures)
    with Listing(pictures.items(), str, lambda name: name.startswith("images/")) as listing:
        assert [listed.name for _, listed in listing.in_order()] == sorted(preferred)


@given(PICTURES)
def test_they_come_in_the_order_of_their_names_each_key_first_once(
    pictures: dict[str, str],
) -> None:
    seen: set[str] = set()
    with Listing(pictures.items(), stem) as listing:
        found = list(listing.in_order())
    assert [listed.name for _, listed in found] == sorted(pictures)
    for key, listed in found:
        assert (key, listed.signature) == (stem(listed.name), pictures[listed.name])
        assert listed.again == (key in seen)
        seen.add(key)


def test_it_does_not_hold_what_it_lists() -> None:
    def many() -> Iterator[tuple[str, str]]:
        for number in range(30_000):
            yield f"images/{number}.jpg", f"{number}-1732500000000000000"

    tracemalloc.start()
    try:
        with Listing(many(), lambda name: name[7:-4]) as listing:
            assert listing.take("29999") is not None
            assert sum(1 for _ in listing.in_order()) == 30_000
        assert tracemalloc.get_traced_memory()[1] < 50_000
    finally:
        tracemalloc.stop()
