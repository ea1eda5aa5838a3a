"""Acceptable colours of photographs, from files that anybody may have written, and how they find
their pictures."""

from __future__ import annotations

import json
import re
from itertools import takewhile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitting_room.catalogue.label_mapping import LabelMappingError
from fitting_room.catalogue.photograph_colours import PhotographColours, read_photograph_colours
from fitting_room.catalogue.stores import FolderStore
from tests.conftest import PROJECT

#: Values of ``baseColour`` in the catalogue that the project's words were chosen from.
WORDS = 46


def colours_file(folder: Path, content: object) -> Path:
    path = folder / "colours.json"
    path.write_text(json.dumps(content), "utf-8")
    return path


def words_of(place: str, name: str) -> set[str]:
    """What is said of a picture in a folder ``place``."""
    words = {
        "train/dress/1.jpg": frozenset({"Red"}),
        "validation/dress/1.jpg": frozenset({"Blue", "Navy Blue"}),
        "train/hat/2.jpg": frozenset({"Black"}),
        "shoes/3.jpg": frozenset({"Tan"}),
    }
    colours = PhotographColours(Path("colours.json"), "baseColour", words)
    return set(colours.of(FolderStore(Path(place)), [name])[0])


def test_the_words_of_each_photograph(tmp_path: Path) -> None:
    path = colours_file(tmp_path, {"hat/1.jpg": ["Blue", "Navy Blue"], "train/hat/2.png": ["Red"]})
    colours = read_photograph_colours(path, "shade")
    assert (colours.location, colours.column) == (path, "shade")
    assert colours.words == {"hat/1.jpg": {"Blue", "Navy Blue"}, "train/hat/2.png": {"Red"}}
    assert read_photograph_colours(path).column == "baseColour"


@pytest.mark.parametrize(
    ("place", "name", "words"),
    [
        # The folder of both, of one of them, or an archive.
        ("/cache/street", "train/dress/1.jpg", {"Red"}),
        ("/cache/street", "validation/dress/1.jpg", {"Blue", "Navy Blue"}),
        ("/cache/street/validation", "dress/1.jpg", {"Blue", "Navy Blue"}),
        ("/cache/images.zip", "train/dress/1.jpg", {"Red"}),
        # A folder of another name, where only one photograph can be meant.
        ("/cache/fold-0", "hat/2.jpg", {"Black"}),
        # A table of queries in a folder above.
        ("/data", "photographs/train/hat/2.jpg", {"Black"}),
        ("/data", "photographs/shoes/3.jpg", {"Tan"}),
        # Other photographs, although the end of their name is there.
        ("/cache/street", "test/dress/1.jpg", set()),
        ("/cache/street", "skirt/1.jpg", set()),
        ("/cache/street", "dress/11.jpg", set()),
        ("/cache/street", "address/1.jpg", set()),
        ("/cache/street", "shoes/2.jpg", set()),
    ],
)
def test_a_picture_has_the_words_of_the_name_that_it_ends_with(
    place: str, name: str, words: set[str]
) -> None:
    assert words_of(place, name) == words


def test_a_picture_that_may_be_one_of_two_photographs_is_refused() -> None:
    with pytest.raises(LabelMappingError, match=r"colours\.json.*dress/1\.jpg.*names that they"):
        words_of("/cache/both", "dress/1.jpg")


def test_two_photographs_with_the_same_words_are_no_riddle() -> None:
    words = {"train/dress/1.jpg": frozenset({"Red"}), "test/dress/1.jpg": frozenset({"Red"})}
    colours = PhotographColours(Path("colours.json"), "baseColour", words)
    assert colours.of(FolderStore(Path("/both")), ["dress/1.jpg"]) == [{"Red"}]


def test_colours_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(LabelMappingError, match="nowhere"):
        read_photograph_colours(tmp_path / "nowhere.json")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"null",
        b"\xff\xfe",
        b'{"hat/1.jpg": []}',
        b'{"hat/1.jpg": [1]}',
        b'{"hat/1.jpg": "Red"}',
        b'{"hat/1.jpg": {"Red": 1}}',
        b'{"hat/1.jpg": ["a", "b", "c", "d", "e", "f", "g"]}',
        b'{"hat": ["Caps"]}',
        b'{"../hat/1.jpg": ["Red"]}',
        b'{"/hat/1.jpg": ["Red"]}',
        b'{"hat//1.jpg": ["Red"]}',
        b'{"hat\\\\1.jpg": ["Red"]}',
        b'{"hat/1\\u0000.jpg": ["Red"]}',
        b'{"' + b"a/" * 20 + b'1.jpg": ["Red"]}',
        b"[" * 100_000,
        b'{"hat/1.jpg": ["' + b"x" * 2**22 + b'"]}',
    ],
    ids=lambda content: content[:24].decode("latin-1"),
)
def test_colours_that_are_none_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "colours.json"
    path.write_bytes(content)
    with pytest.raises(LabelMappingError, match=r'colours\.json.*like \{"dress/1.jpg"'):
        read_photograph_colours(path)


@given(content=st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("hat/1.jpg"), inner),
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_any_file_has_colours_or_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "colours.json"
    path.write_bytes(content)
    try:
        colours = read_photograph_colours(path)
    except LabelMappingError as error:
        assert str(path) in str(error)
    else:
        assert all(1 <= len(words) <= 6 for words in colours.words.values())


def expected_words(
    said: dict[str, frozenset[str]], place: list[str], name: str
) -> set[frozenset[str]]:
    """The rule, name by name: whoever shares the most parts from the end, all of its own or all of
    the picture's name; a whole name before a part of one."""
    path, shared = [*place, *name.split("/")], {}
    for key in said:
        parts = key.split("/")
        ends = zip(reversed(parts), reversed(path), strict=False)
        count = len(list(takewhile(lambda pair: pair[0] == pair[1], ends)))
        if count >= min(len(parts), len(name.split("/"))):
            shared[key] = count
    longest = [key for key, count in shared.items() if count == max(shared.values())]
    whole = [key for key in longest if key.count("/") + 1 == shared[key]]
    return {said[key] for key in whole or longest}


FOLDERS = st.lists(st.sampled_from(["train", "dress", "hat", "x"]), max_size=3)
NAMES = st.builds(lambda folders, n: "/".join([*folders, f"{n}.jpg"]), FOLDERS, st.integers(1, 3))
SETS = st.frozensets(st.sampled_from(["Red", "Blue", "Black"]), min_size=1)


@given(said=st.dictionaries(NAMES, SETS, min_size=1), place=FOLDERS, name=NAMES)
def test_a_picture_never_has_the_words_of_another(
    said: dict[str, frozenset[str]], place: list[str], name: str
) -> None:
    colours = PhotographColours(Path("colours.json"), "baseColour", said)
    expected = expected_words(said, place, name)
    store = FolderStore(Path("/", *place))
    if len(expected) > 1:
        with pytest.raises(LabelMappingError, match="one of several"):
            colours.of(store, [name])
    else:
        assert colours.of(store, [name]) == [next(iter(expected), frozenset())]


def test_the_project_has_colours_of_all_photographs() -> None:
    colours = read_photograph_colours(PROJECT / "data" / "photograph_colours.json")
    assert len(colours.words) == 1_341
    assert len(frozenset.union(*colours.words.values())) <= WORDS
    like = re.compile(r"(train|validation)/[a-z-]+/[0-9a-f-]+\.jpg")
    assert all(like.fullmatch(name) for name in colours.words)


@pytest.mark.real
def test_the_words_are_those_of_the_real_catalogue(real_data: Path) -> None:
    colours = read_photograph_colours(PROJECT / "data" / "photograph_colours.json")
    table = (real_data / "fashion-product-images-small" / "styles.csv").read_text("utf-8")
    known = {line.split(",")[5] for line in table.splitlines() if line.count(",") >= 9}
    assert frozenset.union(*colours.words.values()) <= known
