"""`fitting-room fetch`: a public catalogue by its name, or a table with addresses of pictures."""

# ruff: noqa: F811  (fixtures are imported)

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fitting_room.catalogue import img2dataset
from tests.catalogue.stand_in import HOST, StandIn, server  # noqa: F401  (a fixture)
from tests.conftest import picture_bytes

NAME = "fashion-product-images-small"


def table(tmp_path: Path, *addresses: str) -> Path:
    path = tmp_path / "feed.csv"
    feed = pd.DataFrame({"id": range(1, len(addresses) + 1), "image_link": addresses})
    feed.to_csv(path, index=False)
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script")
def test_a_table(run: Any, server: StandIn, tmp_path: Path) -> None:
    address = server.answer("1.jpg", picture_bytes("red"))
    many = [f"{HOST}/missing-{number}.jpg?token=secret" for number in range(12)]
    ran = run("fetch", table(tmp_path, address, *many), "--to", tmp_path / "shop")
    assert ran.status == 0
    assert ran.out.startswith(f"{tmp_path / 'shop'}\nNow: fitting-room build {tmp_path / 'shop'} ")
    assert (
        "13 rows, 13 addresses in 'image_link': 1 pictures came, 0 were there, 12 failed" in ran.err
    )
    assert "12 failed: HTTP Error 404: Not Found" in ran.err
    assert ran.err.count("missing-") == 10
    assert str(tmp_path / "shop" / "failed.csv") in ran.err
    assert "secret" not in ran.err


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script")
def test_where_nothing_came_the_status_is_1(run: Any, server: StandIn, tmp_path: Path) -> None:
    ran = run("fetch", table(tmp_path, f"{HOST}/1.jpg"), "--to", tmp_path / "shop")
    assert (ran.status, ran.out) == (1, "")


def test_what_goes_wrong_is_said(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = table(tmp_path, "https://8.8.8.8/1.jpg")
    ran = run("fetch", path, "--url-column", "url", "--to", tmp_path / "shop")
    assert ran.status == 1
    assert "no column 'url'" in ran.err
    monkeypatch.setattr(img2dataset.shutil, "which", lambda *_, **__: None)
    ran = run("fetch", path, "--to", tmp_path / "shop")
    assert (ran.status, ran.out) == (1, "")
    assert "pipx install" in ran.err


def test_options_of_tables_do_not_go_with_a_name(run: Any) -> None:
    ran = run("fetch", NAME, "--private")
    assert ran.status == 2
    assert "go with a table" in ran.err
    ran = run("fetch", "nowhere.csv")
    assert ran.status == 2
    assert f"neither a public catalogue ({NAME}) nor a file" in ran.err
