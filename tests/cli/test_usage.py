"""Arguments that make no sense: exit status 2 and a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import COMMANDS

# --- wrong usage ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["find"],
        ["build"],
        ["build", "shop"],
        ["build", "shop", "--index", "i", "--pca", "0"],
        ["build", "shop", "--index", "i", "--pca", "many"],
        ["build", "shop", "--index", "i", "--backbone", "resnet51"],
        ["build", "shop", "--index", "i", "--engine", "tensorrt"],
        ["search", "a.jpg"],
        ["search", "a.jpg", "--index", "i", "-n", "0"],
        ["search", "a.jpg", "--index", "i", "-n", "-3"],
        ["search", "a.jpg", "--index", "i", "-n", "1.5"],
        ["search", "a.jpg", "--index", "i", "--colour", "1.1"],
        ["search", "a.jpg", "--index", "i", "--colour", "nan"],
        ["search", "a.jpg", "--index", "i", "--colour", "red"],
        ["search", "a.jpg", "--index", "i", "--metric", "euclid"],
        ["build", "shop", "--index", "i", "--input-size", "224"],
        ["build", "shop", "--index", "i", "--input-size", "0x224"],
        ["build", "shop", "--index", "i", "--input-size", "224x168x3"],
        ["train", "shop"],
        ["train", "shop", "--index", "i", "--loss", "none"],
        ["train", "shop", "--index", "i", "--columns", "a,,b"],
        ["train", "shop", "--index", "i", "--seed", "-1"],
        ["evaluate", "shop"],
        ["evaluate", "--index", "i"],
        ["evaluate", "shop", "--index", "i", "-k", "0"],
        ["evaluate", "shop", "--index", "i", "--where", "season"],
        ["evaluate", "shop", "--index", "i", "--holdout", "0"],
        ["evaluate", "shop", "--index", "i", "--columns", ""],
        ["evaluate", "shop", "--index", "i", "--copies", "some"],
        ["info"],
        ["fetch", "everything"],
        ["serve", "--port", "none"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_status_2(run: Any, arguments: list[str]) -> None:
    ran = run(*arguments)
    assert (ran.status, ran.out) == (2, "")
    assert "usage: fitting-room" in ran.err


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MAX_MEGABYTES", "lots"),
        ("MAX_MEGAPIXELS", "-1"),
        ("DOWNLOAD_TIMEOUT", "0"),
        ("DOWNLOAD_TIMEOUT", "nan"),
        ("COLOUR", "red"),
        ("BACKBONE", "resnet51"),
        ("ENGINE", "tensorrt"),
        ("PRECISION", "f64"),
    ],
)
def test_a_bad_setting_is_status_2_and_named(
    run: Any,
    catalogue: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
) -> None:
    monkeypatch.setenv(f"FITTING_ROOM_{variable}", value)
    ran = run("build", catalogue, "--index", tmp_path / "index")
    assert (ran.status, ran.out) == (2, "")
    assert value in ran.err or f"FITTING_ROOM_{variable}" in ran.err


@pytest.mark.parametrize("arguments", [["--help"], *([c, "--help"] for c in COMMANDS)])
def test_help_is_for_people(run: Any, arguments: list[str]) -> None:
    ran = run(*arguments)
    assert ran.status == 0
    assert ran.out.startswith("usage: fitting-room")


def test_version(run: Any) -> None:
    from fitting_room import __version__

    assert run("--version").out == f"fitting-room {__version__}\n"
