"""Files in a folder: which links are followed, and what a listing says of the others."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from fitting_room.catalogue.stores import FolderStore, StoreError
from fitting_room.imaging.decode import ImageRejected
from tests.catalogue.stores.helpers import (
    MB,
    PICTURE,
    SECRET,
    case,
    fill,
    link,
    linked_case,
    names_in,
)

LINKS_OUT = "links that lead out of the folder"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one picture, and beside it a folder ``private`` with another."""
    fill(tmp_path / "private", {"secret.jpg": SECRET})
    return fill(tmp_path / "catalogue", {"shirts/1.jpg": PICTURE})


def test_a_link_to_a_picture_outside_is_neither_listed_nor_read(folder: Path) -> None:
    link(folder / "2.jpg", folder.parent / "private" / "secret.jpg")
    store = FolderStore(folder)
    assert names_in(store) == ["shirts/1.jpg"]
    with pytest.raises(ImageRejected, match="outside"):
        store.read("2.jpg", MB)


def test_a_link_to_a_folder_outside_is_neither_listed_nor_read(folder: Path) -> None:
    link(folder / "more", folder.parent / "private")
    store = FolderStore(folder)
    assert names_in(store) == ["shirts/1.jpg"]
    with pytest.raises(ImageRejected, match="outside"):
        store.read("more/secret.jpg", MB)


def test_a_picture_replaced_by_a_link_after_the_listing_is_not_read(folder: Path) -> None:
    store = FolderStore(folder)
    assert "shirts/1.jpg" in names_in(store)
    (folder / "shirts" / "1.jpg").unlink()
    link(folder / "shirts" / "1.jpg", folder.parent / "private" / "secret.jpg")
    with pytest.raises(ImageRejected, match="outside"):
        store.read("shirts/1.jpg", MB)


def test_a_folder_whose_name_begins_alike_is_outside(tmp_path: Path) -> None:
    fill(tmp_path / "catalogue-private", {"secret.jpg": SECRET})
    folder = fill(tmp_path / "catalogue", {"1.jpg": PICTURE})
    link(folder / "2.jpg", tmp_path / "catalogue-private" / "secret.jpg")
    assert names_in(FolderStore(folder)) == ["1.jpg"]


def test_a_link_within_the_folder_is_a_picture_like_any_other(folder: Path) -> None:
    link(folder / "2.jpg", folder / "shirts" / "1.jpg")
    store = FolderStore(folder)
    assert sorted(names_in(store)) == ["2.jpg", "shirts/1.jpg"]
    assert store.read("2.jpg", MB) == PICTURE


def test_dangling_and_circular_links_are_passed_over(folder: Path) -> None:
    link(folder / "gone.jpg", folder / "nowhere.jpg")
    link(folder / "shirts" / "again", folder)
    link(folder / "self.jpg", folder / "self.jpg")
    with pytest.raises(ImageRejected):
        FolderStore(folder).read("self.jpg", MB)
    assert names_in(FolderStore(folder)) == ["shirts/1.jpg"]


def test_a_folder_reached_by_a_link_is_read_like_the_folder(folder: Path, tmp_path: Path) -> None:
    link(tmp_path / "alias", folder)
    store = FolderStore(tmp_path / "alias")
    assert [store.read(name, MB) for name in names_in(store)] == [PICTURE]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_with_the_name_of_a_picture_is_not_listed(folder: Path) -> None:
    os.mkfifo(folder / "2.jpg")
    assert names_in(FolderStore(folder)) == ["shirts/1.jpg"]


def test_a_folder_with_the_name_of_a_picture_is_only_a_folder(folder: Path) -> None:
    fill(folder, {"3.jpg/4.jpg": PICTURE})
    store = FolderStore(folder)
    assert sorted(names_in(store)) == ["3.jpg/4.jpg", "shirts/1.jpg"]
    with pytest.raises(ImageRejected):
        store.read("3.jpg", MB)


def test_the_signature_stays_as_long_as_the_file(folder: Path) -> None:
    assert FolderStore(folder).listing().files == FolderStore(folder).listing().files


@pytest.mark.parametrize("change", ["longer", "later"])
def test_the_signature_changes_with_the_file(folder: Path, change: str) -> None:
    before = FolderStore(folder).listing().files
    path = folder / "shirts" / "1.jpg"
    status = path.stat()
    if change == "longer":  # saved again within the same tick of the clock
        path.write_bytes(PICTURE + b"\0")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    else:  # saved again with the same length
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 2_000_000_000))
    assert FolderStore(folder).listing().files != before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.timeout(20)
def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "2.jpg")
    store = FolderStore(folder)
    with pytest.raises(ImageRejected):
        store.read("2.jpg", MB)
    with pytest.raises(StoreError):
        store.open("2.jpg")
    assert store.listing().passed_over == {"neither files nor folders": ["2.jpg"]}


def test_links_that_lead_out_are_named_a_folder_once(tmp_path: Path) -> None:
    shop = linked_case("47-linked-images-folder", tmp_path) / "shop"
    listing = FolderStore(shop).listing()
    assert list(listing.files) == ["styles.csv"]
    assert listing.passed_over == {LINKS_OUT: ["images"]}


def test_each_linked_picture_that_is_left_out_is_named(tmp_path: Path) -> None:
    listing = FolderStore(linked_case("50-some-linked", tmp_path) / "shop").listing()
    assert len(listing.files) == 3
    assert sorted(listing.passed_over[LINKS_OUT]) == [f"dress/{i}.jpg" for i in (1164, 1166, 1168)]


def test_a_snapshot_of_the_hugging_face_hub_is_read(tmp_path: Path) -> None:
    home = linked_case("49-hf-hub-snapshot-csv", tmp_path) / "datasets--me--shop"
    store = FolderStore(home / "snapshots" / "42f548f3")
    listing = store.listing()
    assert len(listing.files) == 7
    assert not listing.passed_over
    assert store.read("images/1163.jpg", MB).startswith(b"\xff\xd8")
    assert store.open("styles.csv").readline().startswith(b"id")


def test_links_of_a_snapshot_lead_to_its_blobs_and_nowhere_else(tmp_path: Path) -> None:
    home = tmp_path / "datasets--me--shop"
    fill(tmp_path, {"secret.jpg": SECRET, "datasets--me--other/blobs/1": SECRET})
    folder = fill(home / "snapshots" / "1", {"1.jpg": PICTURE})
    fill(home, {"blobs/1": PICTURE, "refs/main.jpg": SECRET})
    for name, target in {
        "a.jpg": "../../blobs/1", "b.jpg": "../../../secret.jpg", "c.jpg": "../../refs/main.jpg",
        "d.jpg": "../../../datasets--me--other/blobs/1",
    }.items():  # fmt: skip
        link(folder / name, target)
    store = FolderStore(folder)
    assert sorted(names_in(store)) == ["1.jpg", "a.jpg"]
    assert sorted(store.listing().passed_over[LINKS_OUT]) == ["b.jpg", "c.jpg", "d.jpg"]
    for name in ("b.jpg", "c.jpg", "d.jpg"):
        with pytest.raises(ImageRejected, match="outside"):
            store.read(name, MB)


@pytest.mark.skipif(sys.platform == "win32", reason="no such file names there")
def test_names_with_colons_are_names(tmp_path: Path) -> None:
    store = FolderStore(case("53-colon-in-names"))
    names = names_in(store)
    assert len(names) == 6
    assert all(store.read(name, MB).startswith(b"\xff\xd8") for name in names)


@pytest.mark.skipif(sys.platform == "win32", reason="no such file names there")
def test_names_that_mean_something_else_elsewhere_are_passed_over(tmp_path: Path) -> None:
    folder = fill(tmp_path / "shop", {"C:1.jpg": PICTURE, "a\\b.jpg": PICTURE, "1.jpg": PICTURE})
    listing = FolderStore(folder).listing()
    assert list(listing.files) == ["1.jpg"]
    assert {n: sorted(f) for n, f in listing.passed_over.items()} == {
        "names that cannot be used": ["C:1.jpg", "a\\b.jpg"]
    }


def test_links_that_lead_nowhere_or_round_are_counted(folder: Path) -> None:
    link(folder / "gone.jpg", "nowhere.jpg")
    link(folder / "again", folder)
    listing = FolderStore(folder).listing()
    assert listing.passed_over == {
        "links that lead nowhere": ["gone.jpg"],
        "links to folders that are listed where they lie": ["again"],
    }


def test_a_folder_that_may_not_be_read_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Simulated, since nothing is forbidden to the root user of a container."""
    fill(folder, {"2.jpg": PICTURE})
    scan = os.scandir

    def refuse(path: Any) -> Any:
        if Path(path).name == "shirts":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    listing = FolderStore(folder).listing()
    assert list(listing.files) == ["2.jpg"]
    assert listing.passed_over == {"folders that cannot be read (Permission denied)": ["shirts"]}


def test_a_folder_that_has_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        FolderStore(tmp_path / "gone").listing()
