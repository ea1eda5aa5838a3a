"""An index on disk, and what happens to a damaged one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fitting_room.index import data
from fitting_room.index.data import CURRENT, current_version
from fitting_room.index.index import Index
from fitting_room.index.manifest import (
    DESCRIPTORS,
    ITEMS,
    MANIFEST,
    MAP,
    PCA_FILE,
    VECTORS,
    IndexUnusable,
)
from fitting_room.index.vectors import PCA
from fitting_room.util.files import sha256_of
from tests.index.made import IDENTITY, manifest_values, random_rows, table, write


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """The folder of an index of 12 items with 5 numbers each."""
    folder = tmp_path / "index"
    write(folder, random_rows(1, 12, 5), table(12, gender=["Men", "Women"] * 6))
    return folder


@pytest.fixture
def version(made: Path) -> Path:
    """The folder with its files."""
    return current_version(made)


# --- on disk ----------------------------------------------------------------------------------


def test_what_is_written_is_what_is_opened(tmp_path: Path) -> None:
    vectors = random_rows(0, 20, 6)
    items = table(20, gender=["Men", None, "Wömen", "Boys"] * 5)
    index = write(tmp_path / "deep" / "index", vectors, items)
    np.testing.assert_array_equal(index.vectors, vectors)
    assert isinstance(index.vectors, np.memmap)
    assert index.items["id"].tolist() == items["id"].tolist()
    assert index.items["gender"].isna().tolist() == items["gender"].isna().tolist()
    assert index.items["gender"].dropna().tolist() == items["gender"].dropna().tolist()
    assert (len(index), index.dimension, index.pca) == (20, 6, None)
    assert index.identity == IDENTITY
    index.verify()


def test_a_written_index_leaves_nothing_beside_it(tmp_path: Path) -> None:
    for _ in range(2):
        write(tmp_path / "index", random_rows(0, 5, 3))
    assert [path.name for path in tmp_path.iterdir()] == ["index"]
    version = current_version(tmp_path / "index")
    assert {p.name for p in (tmp_path / "index").iterdir()} == {CURRENT, version.name}
    assert {p.name for p in version.iterdir()} == {VECTORS, DESCRIPTORS, ITEMS, MANIFEST, MAP}


def test_an_index_that_cannot_be_finished_leaves_the_old_one_and_nothing_else(made: Path) -> None:
    with pytest.raises(ValueError, match="9 rows for 10 pictures"):
        write(made, random_rows(2, 9, 5), table(10))
    assert [path.name for path in made.parent.iterdir()] == ["index"]
    assert len(Index.open(made)) == 12


# --- damage -----------------------------------------------------------------------------------


def flip(path: Path, at: float = 0.5) -> None:
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def change_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / MANIFEST
    manifest = manifest_values(path)
    change(manifest)
    path.write_text(json.dumps(manifest), "utf-8")


def entry(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": sha256_of(path)}


def forge(folder: Path, name: str) -> None:
    """Make the manifest agree with a file that was changed, as somebody hostile would."""
    change_manifest(folder, lambda m: m["files"].update({name: entry(folder / name)}))


def put(folder: Path, text: str | bytes) -> None:
    (folder / MANIFEST).write_bytes(text.encode() if isinstance(text, str) else text)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "vectors cut": lambda f: cut(f / VECTORS),
    "vectors gone": lambda f: (f / VECTORS).unlink(),
    "vectors empty": lambda f: (f / VECTORS).write_bytes(b""),
    "items changed": lambda f: flip(f / ITEMS),
    "items cut": lambda f: cut(f / ITEMS),
    "items gone": lambda f: (f / ITEMS).unlink(),
    "manifest gone": lambda f: (f / MANIFEST).unlink(),
    "manifest empty": lambda f: put(f, ""),
    "manifest of bytes": lambda f: put(f, b"\xff\xfe\x00garbage"),
    "manifest a list": lambda f: put(f, "[1, 2]"),
    "manifest a text": lambda f: put(f, '"fitting-room-index"'),
    "manifest of another program": lambda f: put(f, '{"name": "web app", "files": {}}'),
    "manifest too deep": lambda f: put(f, "[" * 200_000),
    "manifest with a huge number": lambda f: put(f, '{"format": ' + "9" * 10_000 + "}"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_index_is_refused(made: Path, version: Path, damage: str) -> None:
    DAMAGES[damage](version)
    with pytest.raises(IndexUnusable, match=r"[Bb]uild"):
        Index.open(made)


@pytest.mark.parametrize("count", [-1, 0, 11, 13, 10**18, 1e300, float("inf"), "12", None, [12]])
def test_a_manifest_with_another_number_of_items_is_refused(
    made: Path, version: Path, count: Any
) -> None:
    change_manifest(version, lambda m: m["counts"].update(items=count))
    with pytest.raises(IndexUnusable):
        Index.open(made)


@pytest.mark.parametrize("dimension", [-5, 0, 4, 6, 10**18, float("nan"), "5", None, [5]])
def test_a_manifest_with_another_dimension_is_refused(
    made: Path, version: Path, dimension: Any
) -> None:
    change_manifest(version, lambda m: m.update(dimension=dimension))
    with pytest.raises(IndexUnusable):
        Index.open(made)


@pytest.mark.parametrize("size", [-1, 10**18, float("inf"), "12", None])
def test_a_manifest_with_another_file_size_is_refused(made: Path, version: Path, size: Any) -> None:
    change_manifest(version, lambda m: m["files"][VECTORS].update(bytes=size))
    with pytest.raises(IndexUnusable):
        Index.open(made)


@pytest.mark.parametrize("number", [0, 1, 99, "1.1", None])
def test_an_index_of_another_format_version_is_refused(
    made: Path, version: Path, number: Any
) -> None:
    change_manifest(version, lambda m: m.update(format_version=number))
    with pytest.raises(IndexUnusable, match="newer version" if number == 99 else "format"):
        Index.open(made)


def test_an_index_of_newer_descriptors_is_not_called_damaged(made: Path, version: Path) -> None:
    change_manifest(version, lambda m: m.update(descriptors=99))
    with pytest.raises(IndexUnusable, match="newer version of the program"):
        Index.open(made)


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "..", "sub/vectors.npy", "", "other"])
def test_a_manifest_that_names_other_files_is_refused(made: Path, version: Path, name: str) -> None:
    (made.parent.parent / "x").write_bytes(b"secret")
    change_manifest(version, lambda m: m["files"].update({name: {"bytes": 6, "sha256": "0" * 64}}))
    with pytest.raises(IndexUnusable):
        Index.open(made)


@pytest.mark.parametrize("name", [VECTORS, ITEMS])
def test_a_manifest_that_names_too_few_files_is_refused(
    made: Path, version: Path, name: str
) -> None:
    change_manifest(version, lambda m: m["files"].pop(name))
    with pytest.raises(IndexUnusable):
        Index.open(made)


def test_every_part_of_a_manifest_may_be_missing(made: Path, version: Path) -> None:
    """Then the index is refused, or it works all the same; nothing else happens."""
    whole = manifest_values(version / MANIFEST)
    for key in whole:
        put(version, json.dumps({k: v for k, v in whole.items() if k != key}))
        try:
            assert len(Index.open(made)) == 12
        except IndexUnusable:
            continue


def test_a_changed_byte_in_large_vectors_is_found_by_verify(
    made: Path, version: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flip(version / VECTORS, 0.9)
    with pytest.raises(IndexUnusable, match=VECTORS):
        Index.open(made)
    monkeypatch.setattr(data, "CHECKED_AT_ONCE", 0)
    index = Index.open(made)
    with pytest.raises(IndexUnusable, match=VECTORS):
        index.verify()


class _Evil:
    """Unpickled, it writes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.write_text, (self.marker, "the file ran code")


def test_vectors_that_would_be_unpickled_are_refused_and_are_not(made: Path, version: Path) -> None:
    marker = made.parent / "marker"
    np.save(version / VECTORS, np.array([[_Evil(marker)] * 5] * 12), allow_pickle=True)
    forge(version, VECTORS)
    with pytest.raises(IndexUnusable):
        Index.open(made)
    assert not marker.exists()


def test_a_reduction_that_would_be_unpickled_is_refused_and_is_not(tmp_path: Path) -> None:
    full = random_rows(0, 20, 8)
    pca = PCA.fit(full, 3)
    write(tmp_path / "index", pca(full), pca=pca)
    version = current_version(tmp_path / "index")
    marker = tmp_path / "marker"
    evil = np.array([_Evil(marker)])
    with (version / PCA_FILE).open("wb") as file:
        np.savez(file, mean=evil, components=evil, fitted_on=evil)
    forge(version, PCA_FILE)
    with pytest.raises(IndexUnusable):
        Index.open(tmp_path / "index")
    assert not marker.exists()


def _save_archive(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, vectors=np.zeros((12, 5), np.float32))


@pytest.mark.parametrize(
    "make",
    [
        lambda path: np.save(path, np.zeros((12, 5), np.float64)),
        lambda path: np.save(path, np.zeros((12, 6), np.float32)),
        lambda path: np.save(path, np.zeros((5, 12), np.float32)),
        lambda path: np.save(path, np.zeros(60, np.float32)),
        lambda path: np.save(path, np.array(5.0, np.float32)),
        lambda path: path.write_bytes(b"not an array at all, and long enough to be one"),
        lambda path: path.write_bytes(path.read_bytes().replace(b"(12, 5)", b"(99, 5)")),
        _save_archive,
    ],
    ids=["float64", "wide", "turned", "flat", "scalar", "garbage", "more than there is", "archive"],
)  # fmt: skip
def test_vectors_of_another_form_are_refused(
    made: Path, version: Path, make: Callable[[Path], object]
) -> None:
    make(version / VECTORS)
    forge(version, VECTORS)
    with pytest.raises(IndexUnusable):
        Index.open(made)


@pytest.mark.parametrize(
    "items",
    [table(11), table(0), table(12).drop(columns="id"), table(12).drop(columns="image")],
    ids=["fewer", "none", "no ids", "no pictures"],
)
def test_items_that_do_not_fit_are_refused(made: Path, version: Path, items: pd.DataFrame) -> None:
    items.to_parquet(version / ITEMS)
    forge(version, ITEMS)
    with pytest.raises(IndexUnusable):
        Index.open(made)


def test_items_whose_pages_are_damaged_are_refused(made: Path, version: Path) -> None:
    data = (version / ITEMS).read_bytes()
    (version / ITEMS).write_bytes(data[:4] + bytes(200) + data[204:])
    forge(version, ITEMS)
    with pytest.raises(IndexUnusable, match=r"[Bb]uild"):
        Index.open(made)


def test_items_that_are_no_table_are_refused(made: Path, version: Path) -> None:
    whole = (version / ITEMS).read_bytes()
    for content in (
        b"",
        b"PAR1",
        b"garbage" * 100,
        whole[: len(whole) // 2],
        whole[:-8] + b"\0" * 8,
    ):
        (version / ITEMS).write_bytes(content)
        forge(version, ITEMS)
        with pytest.raises(IndexUnusable):
            Index.open(made)


def test_a_place_without_an_index_says_how_to_build_one(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("text")
    for name in ("nowhere", "empty", "file"):
        with pytest.raises(IndexUnusable, match="fitting-room build CATALOGUE --index"):
            Index.open(tmp_path / name)


@pytest.mark.parametrize(
    "content",
    [b"", b"..", b"../other", b"/etc", b"v-1", b"\xff\xfe", b"v-" + b"0" * 12, b"v" * 1000],
)
def test_a_current_file_that_names_no_version_is_refused(made: Path, content: bytes) -> None:
    (made.parent / "other").mkdir()
    (made / CURRENT).write_bytes(content)
    with pytest.raises(IndexUnusable, match="Build it again"):
        Index.open(made)


def test_the_version_that_current_names_is_opened(made: Path) -> None:
    """What a killed build left beside it does not matter."""
    (made / "v-0123456789ab").mkdir()
    (made / "v-0123456789ab" / VECTORS).write_bytes(b"half")
    assert len(Index.open(made)) == 12
