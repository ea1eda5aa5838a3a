"""Commands on an index in a database: they work as on a folder, or say why not."""

from __future__ import annotations

from typing import Any

import pytest

from fitting_room.facade import FittingRoom
from tests.conftest import SAMPLES
from tests.databases.memory import ADDRESS, MemoryDatabase

pytestmark = pytest.mark.usefixtures("demo_in_database")


@pytest.mark.parametrize(
    "how", [("--text", "red dress"), (SAMPLES / "red-dress.jpg", "--where", "gender=Women")]
)
def test_search_prints_what_a_folder_would(
    run: Any, demo_fitting_room: FittingRoom, how: tuple[Any, ...]
) -> None:
    ran, local = (
        run("search", *how, "--index", index, "--json")
        for index in (ADDRESS, demo_fitting_room.index.folder)
    )
    assert ran.status == local.status == 0
    assert ran.lines == local.lines


def test_info_describes_it_without_its_password(run: Any) -> None:
    ran = run("info", "--index", ADDRESS)
    assert ran.status == 0
    assert "in postgresql://localhost/clothes" in ran.out
    assert "candidates of a database first" in ran.out
    assert "secret" not in ran.out + ran.err


def test_convert_names_the_networks(run: Any) -> None:
    assert run("convert", "--index", ADDRESS, "--json").status == 0


@pytest.mark.parametrize(
    ("command", "remedy"),
    [
        (("train", "data"), "--save-head FILE"),
        (("evaluate", "data"), "in a folder and measure that"),
        (("verify",), "fitting-room info"),
    ],
)
def test_what_takes_the_whole_catalogue_says_what_to_do_instead(
    run: Any, command: tuple[str, ...], remedy: str
) -> None:
    ran = run(*command, "--index", ADDRESS)
    assert ran.status == 2
    assert remedy in ran.err
    assert "postgresql://localhost/clothes" in ran.err
    assert "secret" not in ran.err


def test_an_address_without_an_index_is_said(run: Any) -> None:
    ran = run("search", "--text", "red", "--index", "postgresql://u:secret@localhost/nothing")
    assert ran.status == 1
    assert "secret" not in ran.err


def test_removing_an_item(run: Any, demo_in_database: MemoryDatabase) -> None:
    demo_in_database.rows = dict(demo_in_database.rows)
    item = demo_in_database.rows[5].cells["id"]
    ran = run("remove", item, "--index", ADDRESS)
    assert (ran.status, 5 in demo_in_database.rows) == (0, False)
    assert "secret" not in ran.out
