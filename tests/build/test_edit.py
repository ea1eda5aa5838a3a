"""Adding items to an index and removing some, without its catalogue."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fitting_room.build.builder import build_index
from fitting_room.build.edit import EditError, EditSummary, add_items, remove_items
from fitting_room.build.place import build_lock
from fitting_room.build.summary import BuildSummary
from fitting_room.build.writer import write_head
from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.embedding.embedder import Embedder
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageLimits, ImageRejected
from fitting_room.index import added
from fitting_room.index.data import CURRENT, current_version
from fitting_room.index.head import Head
from fitting_room.index.index import Index
from fitting_room.index.manifest import MANIFEST, IndexUnusable
from tests.build import conftest as builds
from tests.build.test_head_network import head_for, two_networks
from tests.conftest import PROJECT, colour_embedder, picture_bytes
from tests.index.made import manifest_values

LIMITS = ImageLimits()
NEW = {"cyan": "cyan", "gold": "gold", "grey": "grey"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "indexes" / "shop"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with three pictures that no shop has."""
    place = tmp_path / "new pictures"
    place.mkdir()
    for name, colour in NEW.items():
        (place / f"{name}.jpg").write_bytes(picture_bytes(colour, (61, 80)))
    return place


def build(
    shop: Path, folder: Path, embedder: Embedder | None = None, **options: object
) -> BuildSummary:
    embedder = embedder or colour_embedder()
    return build_index(load_catalogue(shop), embedder, folder, limits=LIMITS, **options)  # type: ignore[arg-type]


def add(
    folder: Path, pictures: Sequence[Path], embedder: Embedder | None = None, **options: object
) -> EditSummary:
    embedder = embedder or colour_embedder()
    return add_items(folder, pictures, lambda: embedder, limits=LIMITS, **options)  # type: ignore[arg-type]


def opened(folder: Path, embedder: Embedder | None = None) -> FittingRoom:
    embedder = embedder or colour_embedder()
    index = Index.open(folder)
    index.verify()
    return FittingRoom(index, lambda: embedder, LIMITS)


def with_row(shop: Path, picture: Path) -> None:
    """Put a picture into the catalogue itself."""
    with (shop / "styles.csv").open("a", encoding="utf-8") as file:
        file.write(f"{picture.stem},Women,Tshirts,Odd,New shirt\n")
    shutil.copy(picture, shop / "images" / picture.name)


OF_ROW = {
    "gender": "Women", "articleType": "Tshirts", "baseColour": "Odd",
    "productDisplayName": "New shirt",
}  # fmt: skip


def own_files(folder: Path) -> set[str]:
    return {path.name for path in (folder / added.ADDED).glob("*")}


# --- adding -----------------------------------------------------------------------------------


def test_an_added_item_is_found_by_its_picture_and_shown(
    shop: Path, folder: Path, pictures: Path
) -> None:
    build(shop, folder)
    edit = add(folder, [pictures / "cyan.jpg"], attributes={"gender": "Men", "season": " Fall "})
    assert (edit.added, edit.items, edit.rejected) == (("cyan",), 11, ())
    room = opened(folder)
    (best, *_) = room.search(pictures / "cyan.jpg", n=3)
    assert best.id == "cyan"
    assert best.attributes == {"gender": "Men", "season": "Fall"}
    assert room.picture(best.image) == (pictures / "cyan.jpg").read_bytes()
    assert Path(best.path).read_bytes() == (pictures / "cyan.jpg").read_bytes()
    assert room.index.items["season"].isna().sum() == 10
    assert room.search(pictures / "cyan.jpg", where={"season": "Fall"})[0].id == "cyan"
    shutil.rmtree(shop)
    assert opened(folder).picture(best.image)  # the index keeps it, whatever becomes of the shop


def network(kind: str) -> Embedder:
    return two_networks() if kind == "head network" else colour_embedder()


def head_of(kind: str, embedder: Embedder, *labels: str) -> Head | None:
    if embedder.of_head is not None:
        return taught(embedder.of_head, *labels)
    return taught(embedder, *labels) if kind == "head" else None


def taught(embedder: Embedder, *labels: str) -> Head:
    """A head that knows some article types."""
    head = head_for(embedder)
    if not labels:
        return head
    proxies = np.eye(len(labels), head.dimension, dtype=np.float32)
    return replace(
        head, columns=("articleType",), labels={"articleType": labels},
        proxies={"articleType": proxies}, weights={"articleType": 1.0},
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["plain", "pca", "float16", "int8", "head", "head network"])
def test_it_equals_a_build_that_had_the_items_from_the_start(
    shop: Path, folder: Path, pictures: Path, tmp_path: Path, kind: str
) -> None:
    options = {
        # Where labels lie that a head was not taught, a build learns from all items.
        "head": head_of(kind, network(kind), "Tshirts"),
        "pca": 3 if kind == "pca" else None,
        "storage": kind if kind in ("float16", "int8") else "float32",
    }
    build(shop, folder, network(kind), **options)
    for name in ("cyan", "gold"):
        add(folder, [pictures / f"{name}.jpg"], network(kind), attributes=OF_ROW)
    edited = opened(folder, network(kind))
    for name in ("cyan", "gold"):
        with_row(shop, pictures / f"{name}.jpg")
    whole = tmp_path / "whole"
    if kind == "pca":  # the one that was learned before: with two more items it is another
        shutil.copytree(folder, whole)
    build(shop, whole, network(kind), **options)
    expected = opened(whole, network(kind))
    assert edited.index.items["id"].tolist() == expected.index.items["id"].tolist()
    for name in ("vectors", "descriptors", "trained", "head_vectors"):
        one, other = getattr(edited.index, name), getattr(expected.index, name)
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_allclose(one[:], other[:], atol=1e-6)
    for query in (pictures / "cyan.jpg", shop / "images" / "3.jpg"):
        found, right = (room.search(query, n=12) for room in (edited, expected))
        assert [match.id for match in found] == [match.id for match in right]
        similarities = [match.similarity for match in right]
        assert [match.similarity for match in found] == pytest.approx(similarities, abs=1e-6)
        assert [match.attributes for match in found] == [match.attributes for match in right]
    assert edited.index.map is not None
    assert np.isfinite(edited.index.map).all()


@pytest.mark.parametrize("kind", ["plain", "pca", "int8", "head", "head network"])
def test_what_is_added_and_removed_leaves_the_index_as_it_was(
    shop: Path, folder: Path, pictures: Path, kind: str
) -> None:
    build(
        shop,
        folder,
        network(kind),
        head=head_of(kind, network(kind)),
        pca=3 if kind == "pca" else None,
        storage="int8" if kind == "int8" else "float32",
    )
    before = Index.open(folder)
    add(folder, sorted(pictures.iterdir()), network(kind))
    assert len(own_files(folder)) == 3
    edit = remove_items(folder, ["gold", "cyan", "grey"])
    assert (edit.removed, edit.items) == (("gold", "cyan", "grey"), 10)
    after = opened(folder, network(kind)).index
    assert after.items.equals(before.items)
    for name in ("vectors", "descriptors", "trained", "head_vectors", "map"):
        one, other = getattr(after, name), getattr(before, name)
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_array_equal(one[:], other[:])
    changing = {"build", "created", "map", "calibration", "files"}
    records = [index.manifest.as_dict() for index in (before, after)]
    assert {k for k in records[0] if records[0][k] != records[1][k]} <= changing
    assert {path.name for path in folder.iterdir()} == {CURRENT, after.data.version.name}
    assert builds.beside(folder) == set()


def test_a_new_label_does_not_lay_out_the_map_anew(
    shop: Path, folder: Path, pictures: Path
) -> None:
    build(shop, folder, head=taught(colour_embedder(), "Jeans"))
    before = Index.open(folder)
    add(folder, [pictures / "gold.jpg"], attributes={"articleType": "Crowns"})
    after = opened(folder).index
    assert before.map is not None
    assert after.map is not None
    assert after.head is not None
    np.testing.assert_array_equal(after.map[:10], before.map)
    assert after.head.labels["articleType"] == ("Jeans", "Tshirts", "Crowns")
    assert before.trained is not None
    assert after.trained is not None
    np.testing.assert_array_equal(after.trained[:10], before.trained[:])


def test_items_that_share_a_picture_keep_their_places_on_the_map(
    shop: Path, folder: Path, pictures: Path
) -> None:
    shutil.copy(shop / "images" / "3.jpg", shop / "images" / "4.jpg")
    lines = (shop / "styles.csv").read_text("utf-8").replace("4,Men,Tshirts", "4,Men,Jeans")
    (shop / "styles.csv").write_text(lines, "utf-8")
    build(shop, folder, head=taught(colour_embedder(), "Tshirts", "Jeans"))
    before = Index.open(folder).map
    add(folder, [pictures / "cyan.jpg"])
    after = Index.open(folder).map
    assert before is not None
    assert after is not None
    assert not np.array_equal(before[2], before[3])
    np.testing.assert_array_equal(after[:10], before)


def test_candidates_are_found_among_added_items_too(
    shop: Path, folder: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faiss")
    monkeypatch.setattr("fitting_room.build.writer.WORTHWHILE_FROM", 1)
    head = head_for(colour_embedder())
    build(shop, folder, head=head)
    assert Index.open(folder).ann is not None
    monkeypatch.undo()
    add(folder, [pictures / "cyan.jpg"])
    room = opened(folder)
    assert room.index.ann is not None
    assert room.index.ann.trained is not None
    assert [len(room.index.ann.plain[1]), len(room.index.ann.trained[1])] == [11, 11]
    assert room.search(pictures / "cyan.jpg", n=1)[0].id == "cyan"
    remove_items(folder, ["3"])
    assert len(opened(folder).index) == 10
    with monkeypatch.context() as without:
        without.setattr("fitting_room.build.edit.is_available", lambda: False)
        remove_items(folder, ["4"])
    assert opened(folder).index.ann is None


def test_several_pictures_of_one_item(shop: Path, folder: Path, pictures: Path) -> None:
    build(shop, folder)
    files = sorted(pictures.iterdir())
    edit = add(folder, files, ids=["coat", "coat", "hat"], attributes={"gender": "Men"})
    assert edit.added == ("coat", "hat")
    index = opened(folder).index
    assert index.items["id"].tolist()[-3:] == ["coat", "coat", "hat"]
    assert set(index.items["gender"][-3:]) == {"Men"}
    assert index.manifest.edits is not None
    assert index.manifest.edits.added == 2
    assert remove_items(folder, ["coat"]).items == 11


def test_what_cannot_be_used_is_named_and_the_others_are_added(
    shop: Path, folder: Path, pictures: Path
) -> None:
    build(shop, folder)
    (pictures / "broken.jpg").write_bytes(b"no picture")
    files = [pictures / "broken.jpg", pictures / "nowhere.jpg", pictures / "cyan.jpg"]
    edit = add(folder, files)
    assert edit.added == ("cyan",)
    assert [name for name, _ in edit.rejected] == [str(path) for path in files[:2]]
    assert "No such file" in edit.rejected[1][1]
    version = current_version(folder)
    assert add(folder, files[:2]).added == ()
    assert current_version(folder) == version
    assert len(own_files(folder)) == 1
    tight = replace(LIMITS, max_bytes=100)
    edit = add_items(folder, [pictures / "gold.jpg"], colour_embedder, limits=tight)
    assert "too large" in edit.rejected[0][1]


def test_an_id_that_is_there_is_only_replaced_on_demand(
    shop: Path, folder: Path, pictures: Path
) -> None:
    build(shop, folder)
    files, version = [pictures / "cyan.jpg", pictures / "gold.jpg"], current_version(folder)
    with pytest.raises(EditError, match=r": 3 is there already.*--replace"):
        add(folder, files, ids=["new", "3"])
    assert current_version(folder) == version
    assert not (folder / added.ADDED).exists()
    edit = add(folder, files, ids=["new", "3"], replacing=True, attributes={"baseColour": "Gold"})
    assert (edit.added, edit.replaced, edit.items) == (("new",), ("3",), 11)
    room = opened(folder)
    (best, *_) = room.search(pictures / "gold.jpg", n=1)
    assert best.id == "3"
    assert best.attributes["baseColour"] == "Gold"
    assert best.attributes["productDisplayName"] == "Blue shirt"
    edits = room.index.manifest.edits
    assert edits is not None
    assert (edits.added, edits.replaced, edits.removed, edits.gone) == (1, 1, 0, ["3"])
    add(folder, [pictures / "grey.jpg"], ids=["3"], replacing=True)
    assert len(own_files(folder)) == 2  # the gold one is gone
    remove_items(folder, ["3"])
    edits = Index.open(folder).manifest.edits
    assert edits is not None
    assert (edits.added, edits.replaced, edits.removed, edits.gone) == (1, 0, 1, ["3"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ids": ["a", "b"]}, r"2 ids for 1 pictures"),
        ({"ids": [""]}, "'' is no id"),
        ({"ids": ["a\nb"]}, "is no id"),
        ({"ids": ["x" * 201]}, "is no id"),
        ({"attributes": {"image": "x"}}, "cannot have a column"),
        ({"attributes": {"digest": "x"}}, "cannot have a column"),
        ({"attributes": {" a": "x"}}, "cannot have a column"),
        ({"attributes": {f"c{n}": "x" for n in range(200)}}, "one too many"),
    ],
)
def test_ids_and_columns_that_cannot_be_used(
    shop: Path, folder: Path, pictures: Path, options: dict[str, object], message: str
) -> None:
    build(shop, folder)
    with pytest.raises(EditError, match=message):
        add(folder, [pictures / "cyan.jpg"], **options)
    with pytest.raises(EditError, match="no picture to add"):
        add(folder, [])
    (pictures / "other").mkdir()
    shutil.copy(pictures / "cyan.jpg", pictures / "other" / "cyan.jpg")
    with pytest.raises(EditError, match="Several pictures are called cyan"):
        add(folder, [pictures / "cyan.jpg", pictures / "other" / "cyan.jpg"])


def test_what_a_catalogue_calls_missing_is_missing(
    shop: Path, folder: Path, pictures: Path
) -> None:
    build(shop, folder)
    add(folder, [pictures / "cyan.jpg"], attributes={"gender": "NA"})
    assert opened(folder).index.items["gender"].isna().tolist() == [False] * 10 + [True]


# --- removing ---------------------------------------------------------------------------------


def test_removing(shop: Path, folder: Path) -> None:
    build(shop, folder)
    version = current_version(folder)
    with pytest.raises(EditError, match=r"no item 11, 12\. Nothing"):
        remove_items(folder, ["3", "11", "12"])
    with pytest.raises(EditError, match="no item would be left"):
        remove_items(folder, [str(number) for number in range(1, 11)])
    assert remove_items(folder, ["11"], ignore_missing=True).removed == ()
    assert current_version(folder) == version
    edit = remove_items(folder, ["3", "11", "3"], ignore_missing=True)
    assert (edit.removed, edit.unknown, edit.items) == (("3",), ("11",), 9)
    room = opened(folder)
    assert room.item("3") is None
    assert (shop / "images" / "3.jpg").exists()  # the catalogue is nobody's to change
    edits = room.index.manifest.edits
    assert edits is not None
    assert (edits.added, edits.removed, edits.gone) == (0, 1, ["3"])


def test_ids_that_went_are_counted_beyond_those_that_are_named(
    shop: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fitting_room.index.edits.MAX_GONE_NAMED", 2)
    build(shop, folder)
    remove_items(folder, ["3", "4", "5"])
    remove_items(folder, ["6"])
    edits = Index.open(folder).manifest.edits
    assert edits is not None
    assert (edits.removed, edits.gone) == (4, ["3", "4"])


# --- the catalogue's last word ----------------------------------------------------------------


def test_a_build_makes_the_index_what_the_catalogue_says(
    shop: Path, folder: Path, pictures: Path
) -> None:
    build(shop, folder)
    add(folder, [pictures / "cyan.jpg", pictures / "gold.jpg"])
    remove_items(folder, ["3"])
    add(folder, [pictures / "grey.jpg"], ids=["4"], replacing=True)
    write_head(folder, None)  # which changes nothing about it
    with_row(shop, pictures / "gold.jpg")
    summary, seen = builds.build(shop, folder)
    assert (summary.added_gone, summary.gone_back, summary.items) == (1, 2, 11)
    assert seen == 2  # the gold one is known by its bytes, 3 and 4 had gone
    builds.assert_right(folder, shop)
    assert Index.open(folder).manifest.edits is None
    assert not (folder / added.ADDED).exists()
    again, _ = builds.build(shop, folder)
    assert (again.added_gone, again.gone_back) == (0, 0)


def test_a_build_with_another_network_says_so_too(shop: Path, folder: Path, pictures: Path) -> None:
    build(shop, folder)
    add(folder, [pictures / "cyan.jpg"])
    summary, _ = builds.build(shop, folder, colour_embedder("other"))
    assert (summary.added_gone, summary.gone_back) == (1, 0)


# --- whole or not at all ----------------------------------------------------------------------

KILLED = """
import os, signal, sys
from pathlib import Path
from fitting_room.build import edit, writer
from fitting_room.imaging.decode import ImageLimits
from tests.conftest import colour_embedder
from tests.index.made import manifest_values

folder, picture, module, name = sys.argv[1:]
module = {"edit": edit, "writer": writer}[module]
setattr(module, name, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
edit.add_items(Path(folder), [Path(picture)], colour_embedder, limits=ImageLimits())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize(
    ("module", "name", "items"),
    [
        ("edit", "write_index", 10),
        ("writer", "new_array", 10),
        ("writer", "sync", 10),
        ("writer", "remove_leftovers", 11),
    ],
)
def test_a_kill_leaves_the_old_version_or_the_new_one(
    shop: Path, folder: Path, pictures: Path, module: str, name: str, items: int
) -> None:
    build(shop, folder)
    arguments = [
        sys.executable,
        "-c",
        KILLED,
        str(folder),
        str(pictures / "cyan.jpg"),
        module,
        name,
    ]
    killed = subprocess.run(arguments, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(opened(folder).index) == items
    assert len(own_files(folder)) == 1
    remove_items(folder, ["3"])  # whatever comes next clears up
    assert len(own_files(folder)) == items - 10
    assert len(list(folder.glob("v-*"))) == 1


def test_an_error_on_the_way_leaves_nothing(
    shop: Path, folder: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(shop, folder)
    before = Index.open(folder)

    def full(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("fitting_room.build.writer.new_array", full)
    with pytest.raises(OSError, match="No space left"):
        add(folder, [pictures / "cyan.jpg"])
    assert opened(folder).index.manifest == before.manifest
    assert {path.name for path in folder.iterdir()} == {CURRENT, before.data.version.name}


def test_nothing_is_edited_while_a_build_is_running(
    shop: Path, folder: Path, pictures: Path
) -> None:
    build(shop, folder)
    with build_lock(folder), pytest.raises(EditError, match="running"):
        add(folder, [pictures / "cyan.jpg"])


def test_what_is_no_sound_index_is_not_edited(
    shop: Path, folder: Path, pictures: Path, tmp_path: Path
) -> None:
    with pytest.raises(IndexUnusable, match="no index"):
        add(tmp_path, [pictures / "cyan.jpg"])
    build(shop, folder)
    with pytest.raises(IndexUnusable, match="cannot be searched with"):
        add(folder, [pictures / "cyan.jpg"], colour_embedder("other"))
    assert not (folder / added.ADDED).exists()
    vectors = current_version(folder) / "vectors.npy"
    data = bytearray(vectors.read_bytes())
    data[-1] ^= 1
    vectors.write_bytes(data)
    with pytest.raises(IndexUnusable, match="damaged"):
        remove_items(folder, ["3"])


# --- what anybody may have written ------------------------------------------------------------


@pytest.mark.parametrize(
    "image",
    [
        "added:../CURRENT", "added:/etc/passwd", "added:", "added:x.jpg",
        f"added:{'0' * 32}.jpg/../../CURRENT", f"added:{'0' * 32}.txt", f"added:{'0' * 32}.jpg",
        f"added:{'0' * 32}.jpg\n", f"added:{'A' * 32}.jpg",
    ],
)  # fmt: skip
def test_no_name_leads_outside(shop: Path, folder: Path, pictures: Path, image: str) -> None:
    build(shop, folder)
    add(folder, [pictures / "cyan.jpg"])
    room = opened(folder)
    with pytest.raises(ImageRejected):
        room.picture(image)
    assert str(folder.parent) not in room.path(image) or ".." not in image


def test_links_are_not_followed(shop: Path, folder: Path, pictures: Path, tmp_path: Path) -> None:
    build(shop, folder)
    add(folder, [pictures / "cyan.jpg"])
    (name,) = own_files(folder)
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(b"secret")
    (folder / added.ADDED / name).unlink()
    (folder / added.ADDED / name).symlink_to(secret)
    with pytest.raises(ImageRejected):
        opened(folder).picture(f"added:{name}")
    shutil.rmtree(folder / added.ADDED)
    (folder / added.ADDED).symlink_to(tmp_path)
    with pytest.raises(ImageRejected):
        opened(folder).picture(f"added:{name}")
    with pytest.raises(IndexUnusable, match="is a link"):
        add(folder, [pictures / "gold.jpg"])
    assert secret.read_bytes() == b"secret"


def test_what_somebody_has_put_beside_added_pictures_stays(
    shop: Path, folder: Path, pictures: Path
) -> None:
    build(shop, folder)
    add(folder, [pictures / "cyan.jpg"])
    (folder / added.ADDED / "notes.txt").write_text("precious")
    remove_items(folder, ["cyan"])
    assert own_files(folder) == {"notes.txt"}


def test_a_folder_called_added_alone_is_no_index(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "mine" / added.ADDED).mkdir(parents=True)
    with pytest.raises(IndexUnusable, match="something else"):
        build(shop, tmp_path / "mine")


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        ([], "edits must be an object"),
        ({"added": -1, "replaced": 0, "removed": 0, "gone": []}, "edits.added"),
        ({"added": 1, "replaced": 0, "removed": 0, "gone": "3"}, "edits.gone must be a list"),
        ({"added": 1, "replaced": 0, "removed": 0, "gone": [3]}, "each of edits.gone"),
    ],
)
def test_a_record_of_edits_that_is_wrong_is_named(
    shop: Path, folder: Path, edits: object, message: str
) -> None:
    build(shop, folder)
    path = current_version(folder) / MANIFEST
    path.write_text(json.dumps({**manifest_values(path), "edits": edits}), "utf-8")
    with pytest.raises(IndexUnusable, match=message):
        Index.open(folder)


def test_what_a_killed_addition_left_is_gone_after_one_that_changes_nothing(
    shop: Path, folder: Path, tmp_path: Path
) -> None:
    build(shop, folder)
    (folder / added.ADDED).mkdir()
    (folder / added.ADDED / f"{'0' * 32}.jpg").write_bytes(b"kept, and no item was made of it")
    (folder / "v-0123456789ab").mkdir()
    (folder / "v-0123456789ab" / "items.parquet").write_bytes(b"half")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    edit = add(folder, [tmp_path / "broken.jpg"])
    assert (edit.added, len(edit.rejected)) == ((), 1)
    assert {path.name for path in folder.iterdir()} == {CURRENT, current_version(folder).name}
