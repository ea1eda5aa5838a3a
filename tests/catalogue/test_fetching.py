"""A table with addresses becomes a catalogue. The download is made by a stand-in for img2dataset
that leaves files as it does, and at the end by itself, where it is installed, from a server here.
"""

# ruff: noqa: F811  (fixtures are imported)

from __future__ import annotations

import json
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pandas as pd
import pytest

from fitting_room.catalogue import img2dataset
from fitting_room.catalogue.download import DownloadError
from fitting_room.catalogue.fetching import FetchReport, fetch_table, name_of
from fitting_room.imaging.decode import ImageLimits
from fitting_room.util.progress import Progress
from tests.catalogue.stand_in import HOST, StandIn, server  # noqa: F401  (a fixture)
from tests.conftest import picture_bytes
from tests.web import QuietServer

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script")


def write(tmp_path: Path, frame: pd.DataFrame) -> Path:
    path = tmp_path / "feed.csv"
    frame.to_csv(path, index=False)
    return path


def fetch(table: Path, to: Path, **options: object) -> FetchReport:
    return fetch_table(table, to, limits=ImageLimits(), **options)  # type: ignore[arg-type]


def result(to: Path) -> pd.DataFrame:
    return pd.read_csv(to / "catalogue.csv", dtype="str", keep_default_na=False)


def test_a_table_becomes_a_catalogue(server: StandIn, tmp_path: Path) -> None:
    red, blue = picture_bytes("red"), picture_bytes("blue", kind="WEBP")
    addresses = [server.answer("1.jpg", red), server.answer("2", blue), f"{HOST}/3.jpg"]
    page = server.answer("4.jpg", b"<!doctype html><html>")
    feed = pd.DataFrame(
        {"id": list("1234"), "image_link": [*addresses, page], "title": ["a", "b, ü", "c", "d"]}
    )
    seen: list[Progress] = []
    report = fetch(write(tmp_path, feed), tmp_path / "to", listener=seen.append)
    assert (report.column, report.rows, report.addresses) == ("image_link", 4, 4)
    assert (report.came, report.there, report.failed) == (2, 0, 2)
    assert dict(report.examples) == {
        f"{HOST}/3.jpg": "HTTP Error 404: Not Found",
        page: "This is a web page, not a picture. Open it and save the picture in it.",
    }
    assert {(progress.stage, progress.total) for progress in seen} == {("Downloading pictures", 4)}
    made = result(tmp_path / "to")
    assert made[["id", "image_link", "title"]].equals(feed)
    names = [f"images/{name_of(addresses[0])}.jpg", f"images/{name_of(addresses[1])}.webp", "", ""]
    assert made["image"].tolist() == names
    assert (tmp_path / "to" / names[0]).read_bytes() == red  # every byte as it came
    assert (tmp_path / "to" / names[1]).read_bytes() == blue
    failed = pd.read_csv(tmp_path / "to" / "failed.csv")
    assert failed["row"].tolist() == [3, 4]
    assert {path.name for path in (tmp_path / "to").iterdir()} == {
        "catalogue.csv", "failed.csv", "images", ".fetch",
    }  # fmt: skip
    assert {path.name for path in (tmp_path / "to" / ".fetch").iterdir()} <= {"fetch.json", "lock"}


def test_the_same_command_asks_only_for_what_is_missing(server: StandIn, tmp_path: Path) -> None:
    address = server.answer("1.jpg", picture_bytes("red"))
    table = write(tmp_path, pd.DataFrame({"id": ["1", "2"], "url": [address, f"{HOST}/2.jpg"]}))
    assert fetch(table, tmp_path / "to").failed == 1
    server.answer("2.jpg", picture_bytes("blue"))
    report = fetch(table, tmp_path / "to")
    assert (report.came, report.there, report.failed, report.reasons) == (1, 1, 0, {})
    assert not (tmp_path / "to" / "failed.csv").exists()
    assert (result(tmp_path / "to")["image"] != "").all()
    fetch(table, tmp_path / "to")
    assert server.asked == [[address, f"{HOST}/2.jpg"], [f"{HOST}/2.jpg"]]
    more = pd.DataFrame({"id": ["1", "3"], "url": [address, f"{HOST}/3.jpg"]})
    assert fetch(write(tmp_path, more), tmp_path / "to").there == 1  # the table may change


def test_a_download_that_breaks_down_loses_nothing(server: StandIn, tmp_path: Path) -> None:
    address = server.answer("1.jpg", picture_bytes("red"))
    table = write(tmp_path, pd.DataFrame({"id": ["1", "2"], "url": [address, f"{HOST}/2.jpg"]}))
    server.set(stop="now")
    with pytest.raises(DownloadError, match=r"broke down \(no room left\)"):
        fetch(table, tmp_path / "to")
    server.answers.pop("stop")
    server.set()
    report = fetch(table, tmp_path / "to")
    assert (report.came, report.there, report.failed) == (0, 1, 1)
    assert server.asked[1] == [f"{HOST}/2.jpg"]


def test_what_a_killed_download_left_is_taken(server: StandIn, tmp_path: Path) -> None:
    address, to = f"{HOST}/1.jpg", tmp_path / "to"
    table = write(tmp_path, pd.DataFrame({"id": ["1"], "url": [address]}))
    fetch(table, to)
    shard = to / ".fetch" / "pictures" / "00000"
    shard.mkdir(parents=True)
    (shard / "00000000.jpg").write_bytes(picture_bytes("red"))
    record = {"url": address, "status": "success"}
    (shard / "00000000.json").write_text(json.dumps(record))
    for number, text in enumerate(("", "{", "[]", '{"url": 3}', "[" * 100_000), 1):
        (shard / f"{number:08d}.json").write_text(text)
    (shard / "00000009.json").write_text(json.dumps(record))  # its picture is not there yet
    (shard / "elsewhere.json").write_text(json.dumps(record))
    (shard.parent / "00000.parquet").write_bytes(b"PAR1")
    report = fetch(table, to)
    assert (report.there, report.failed) == (1, 0)
    assert len(server.asked) == 1
    assert not (to / ".fetch" / "pictures").exists()


def test_ctrl_c_ends_the_download_and_keeps_what_came(server: StandIn, tmp_path: Path) -> None:
    address = server.answer("1.jpg", picture_bytes("red"))
    table = write(tmp_path, pd.DataFrame({"id": ["1"], "url": [address]}))
    script = server.folder / "img2dataset"
    script.write_text(script.read_text() + "\nimport time; time.sleep(60)\n")

    def stop(progress: Progress) -> None:
        if progress.done:
            raise KeyboardInterrupt

    started = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        fetch(table, tmp_path / "to", listener=stop)
    assert time.perf_counter() - started < 20
    assert len(list((tmp_path / "to" / "images").iterdir())) == 1


def test_several_pictures_in_a_row_and_several_rows_of_an_item(
    server: StandIn, tmp_path: Path
) -> None:
    one, two = (server.answer(f"{n}.jpg", picture_bytes(c)) for n, c in ((1, "red"), (2, "blue")))
    feed = pd.DataFrame(
        {"Handle": ["a", "a", "b", "c"], "image": [f"{one}, {two}", two, f"{two},{HOST}/3.jpg", ""]}
    )
    report = fetch(write(tmp_path, feed), tmp_path / "to")
    assert (report.addresses, report.came, report.failed) == (3, 2, 1)
    made = result(tmp_path / "to")
    first, second = (f"images/{name_of(address)}.jpg" for address in (one, two))
    assert made["image"].tolist() == [f"{first}, {second}", second, second, ""]
    assert made["image_url"].tolist() == feed["image"].tolist()
    assert sorted(server.asked[0]) == [one, two, f"{HOST}/3.jpg"]  # each one once


def test_what_is_not_asked(server: StandIn, tmp_path: Path) -> None:
    addresses = [
        server.answer("1.jpg", picture_bytes("red")),
        "file:///etc/passwd",
        "https://me:secret@a.example/1.jpg",
        "https://own.example/1.jpg?token=secret",
    ]
    table = write(tmp_path, pd.DataFrame({"id": list("1234"), "url": addresses}))
    report = fetch(table, tmp_path / "to")
    assert server.asked == [addresses[:1]]
    assert (report.came, report.failed) == (1, 3)
    failed = (tmp_path / "to" / "failed.csv").read_text()
    assert "secret" not in repr(report) + failed
    assert "own network" in failed
    fetch(table, tmp_path / "to", private=True)
    assert server.asked[1:] == [[addresses[3]]]


def test_what_is_too_large_or_no_picture_does_not_stay(server: StandIn, tmp_path: Path) -> None:
    addresses = [
        server.answer("1.jpg", picture_bytes("red", (600, 800))),
        server.answer("2.jpg", b""),
    ]
    table = write(tmp_path, pd.DataFrame({"id": ["1", "2"], "url": addresses}))
    report = fetch_table(table, tmp_path / "to", limits=ImageLimits(max_bytes=100))
    assert [why.partition(":")[0] for _, why in report.examples] == [
        "The file is too large", "The file is empty. Choose another one.",
    ]  # fmt: skip
    assert list((tmp_path / "to" / "images").iterdir()) == []


def test_a_reason_cannot_disturb_the_terminal(server: StandIn, tmp_path: Path) -> None:
    server.set(**{f"{HOST}/1.jpg": "HTTP Error 500: \x1b[2J\n" + "x" * 1_000})
    table = write(tmp_path, pd.DataFrame({"id": ["1"], "url": [f"{HOST}/1.jpg"]}))
    ((_, reason),) = fetch(table, tmp_path / "to").examples
    assert reason.isprintable()
    assert len(reason) <= img2dataset.MAX_REASON


def test_the_arguments(server: StandIn, tmp_path: Path) -> None:
    table = write(tmp_path, pd.DataFrame({"id": ["1"], "url": [f"{HOST}/1.jpg"]}))
    fetch(table, tmp_path / "to")
    fetch(table, tmp_path / "to", ignore_robots=True)
    usual, ignoring = server.lines("calls.jsonl")
    assert "--disable_all_reencoding=True" in usual
    assert "--enable_wandb=False" in usual
    assert set(ignoring) - set(usual) == {"--disallowed_header_directives=[]"}
    assert not [argument for argument in usual if HOST in argument]


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        (
            {"id": ["1"], "url": [f"{HOST}/1.jpg"]},
            {"column": "link"},
            r"no column 'link'. It has: id, url",
        ),
        ({"id": ["1"], "name": ["a"]}, {}, "no column has addresses.*--url-column"),
    ],
)
def test_a_table_without_addresses(
    server: StandIn, tmp_path: Path, columns: dict[str, list[str]], options: dict[str, str],
    message: str,
) -> None:  # fmt: skip
    with pytest.raises(DownloadError, match=message):
        fetch(write(tmp_path, pd.DataFrame(columns)), tmp_path / "to", **options)
    assert not (tmp_path / "to").exists()


def test_a_folder_with_something_else_is_not_touched(server: StandIn, tmp_path: Path) -> None:
    table = write(tmp_path, pd.DataFrame({"id": ["1"], "url": [f"{HOST}/1.jpg"]}))
    with pytest.raises(DownloadError, match="holds the table itself"):
        fetch(table, tmp_path)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "catalogue.csv").write_text("precious")
    with pytest.raises(DownloadError, match="something else"):
        fetch(table, mine)
    assert (mine / "catalogue.csv").read_text() == "precious"
    to = tmp_path / "to"
    fetch(table, to)
    shutil.rmtree(to / "images")
    (to / "images").symlink_to(mine)
    with pytest.raises(DownloadError, match="by a link"):
        fetch(table, to)


def test_two_downloads_into_one_folder(server: StandIn, tmp_path: Path) -> None:
    from filelock import FileLock

    table = write(tmp_path, pd.DataFrame({"id": ["1"], "url": [f"{HOST}/1.jpg"]}))
    fetch(table, tmp_path / "to")
    with (
        FileLock(tmp_path / "to" / ".fetch" / "lock"),
        pytest.raises(DownloadError, match="another download"),
    ):
        fetch(table, tmp_path / "to")


def test_other_tables(server: StandIn, tmp_path: Path) -> None:
    address = server.answer("1.jpg", picture_bytes("red"))
    feed = pd.DataFrame({"id": ["1"], "url": [address]})
    feed.to_parquet(tmp_path / "feed.parquet")
    feed.to_csv(tmp_path / "feed.tsv", sep="\t", index=False)
    for name in ("feed.parquet", "feed.tsv"):
        assert fetch(tmp_path / name, tmp_path / f"of {name}").came == 1
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    (tmp_path / "broken.csv").write_bytes(b'a,b\n1,2,3\n"')
    for name in ("broken.parquet", "broken.csv", "nowhere.csv"):
        with pytest.raises(DownloadError, match=r"broken|nowhere"):
            fetch(tmp_path / name, tmp_path / "to")


def test_without_img2dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    table = write(tmp_path, pd.DataFrame({"id": ["1"], "url": ["https://8.8.8.8/1.jpg"]}))
    with pytest.raises(DownloadError, match="pipx install"):
        fetch(table, tmp_path / "to")


# --- img2dataset itself -----------------------------------------------------------------------


class Shop(BaseHTTPRequestHandler):
    """Serves twenty pictures, some of them not there, no pictures, or silent."""

    def do_GET(self) -> None:
        number = int(self.path.strip("/").partition(".")[0])
        if number == 19:
            time.sleep(30)  # silent for longer than anybody waits
        if number in (5, 6):
            self.send_error(404)
            return
        colour = (10 * number, 100, 200 - 10 * number)
        data = b"no picture" if number in (7, 8) else picture_bytes(colour, (61, 80))
        self.send_response(200)
        if number == 9:
            self.send_header("X-Robots-Tag", "noindex")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[str]:
    server = QuietServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.block_on_close = False
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.skipif(shutil.which("img2dataset") is None, reason="img2dataset is not installed")
def test_img2dataset_downloads_from_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(img2dataset, "TIMEOUT", 2)
    monkeypatch.setattr(img2dataset, "RETRIES", 0)
    with served(Shop) as host:
        feed = pd.DataFrame(
            {"id": range(20), "image_link": [f"{host}/{number}.jpg" for number in range(20)]}
        )
        table = write(tmp_path, feed)
        refused = fetch(table, tmp_path / "to")
        assert (refused.came, refused.failed) == (0, 20)  # in this machine's own network
        report = fetch(table, tmp_path / "to", private=True)
        assert (report.came, report.failed) == (14, 6)
        assert report.reasons["HTTP Error 404: Not Found"] == 2
        assert sum("not a picture" in why for _, why in report.examples) == 2
        assert any("timed out" in reason for reason in report.reasons)
        assert any("X-Robots-Tag" in reason for reason in report.reasons)
        made = result(tmp_path / "to")
        assert made.index[made["image"] == ""].tolist() == [5, 6, 7, 8, 9, 19]
        of_three = picture_bytes((30, 100, 170), (61, 80))
        assert (tmp_path / "to" / made["image"][3]).read_bytes() == of_three
        report = fetch(table, tmp_path / "to", private=True, ignore_robots=True)
        assert (report.came, report.there, report.failed) == (1, 14, 5)


def test_a_loop_of_links_is_no_place_for_a_catalogue(tmp_path: Path) -> None:
    table = write(tmp_path, pd.DataFrame({"id": ["1"], "image": [f"{HOST}/1.jpg"]}))
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises((DownloadError, OSError), match="loop"):
        fetch(table, tmp_path / "loop" / "to")
