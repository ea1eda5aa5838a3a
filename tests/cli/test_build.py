"""`fitting-room build`: what it prints, its exit status, and errors for people."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fitting_room.cli import commands
from fitting_room.embedding.backbones import select
from fitting_room.facade import FittingRoom
from fitting_room.index.index import Index
from fitting_room.settings import Settings
from fitting_room.util.progress import Listener, Progress
from tests.cli.conftest import SUMMARY_KEYS
from tests.evaluation.conftest import with_head

# --- build ------------------------------------------------------------------------------------


def test_build_prints_one_json_object_with_the_summary(
    run: Any, catalogue: Path, tmp_path: Path
) -> None:
    ran = run("build", catalogue, "--index", tmp_path / "index", "--json")
    assert ran.status == 0
    (summary,) = ran.lines  # progress and remarks are on stderr
    assert set(summary) == SUMMARY_KEYS
    assert (summary["items"], summary["failed"], summary["reused"]) == (10, 0, 0)
    assert (summary["backbone"], summary["dimension"]) == ("efficientnet_lite0", 1280)
    assert summary["images_per_second"] > 0
    again = run("build", catalogue, "--index", tmp_path / "index", "--json").lines[0]
    assert (again["reused"], again["images_per_second"]) == (10, 0)


def test_build_in_words_says_what_happened(run: Any, catalogue: Path, tmp_path: Path) -> None:
    shop = shutil.copytree(catalogue, tmp_path / "shop")
    (shop / "images" / "3.jpg").write_bytes(b"no picture")
    (shop / "images" / "4.jpg").unlink()
    ran = run("build", shop, "--index", tmp_path / "index")
    assert ran.status == 0
    assert "8 items" in ran.out
    assert "no picture (e.g. 4)" in ran.out
    assert "trained     elsewhere (fashion), on " in ran.out
    assert "EfficientNet-Lite0" in ran.err
    assert "Skipped 3: " in ran.err


def test_build_takes_the_head_that_is_named(run: Any, catalogue: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    ran = run("build", catalogue, "--index", folder, "--head", "none", "--json")
    assert ran.lines[0]["uses_head"] == "none"
    assert Index.open(folder).head is None
    ran = run("build", catalogue, "--index", folder, "--json")
    assert (ran.lines[0]["uses_head"], ran.lines[0]["reused"]) == ("fashion", 10)
    ran = run("build", catalogue, "--index", folder, "--head", tmp_path / "no.safetensors")
    assert ran.status == 1
    assert "no.safetensors: this is no head" in ran.err


def test_build_without_the_default_network_says_how_to_get_it(
    run: Any, catalogue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FITTING_ROOM_DOWNLOAD_TIMEOUT", "0.3")
    ran = run("build", catalogue, "--index", tmp_path / "index", "--backbone", "auto", "--json")
    assert ran.status == 0
    assert ran.lines[0]["backbone"] == "efficientnet_lite0"
    assert "To get the default network: " in ran.err
    assert "resnet50-0676ba61.pth" in ran.err
    info = run("info", "--index", tmp_path / "index")
    assert "resnet50-0676ba61.pth" in info.out


def test_build_at_another_input_size(run: Any, catalogue: Path, tmp_path: Path) -> None:
    ran = run("build", catalogue, "--index", tmp_path / "index", "--input-size", "97x75", "--json")
    assert ran.status == 0, ran.err
    assert Index.open(tmp_path / "index").identity["preprocessing"]["input_size"] == [97, 75]
    query = catalogue / "images" / "2.jpg"
    ran = run("search", query, "--index", tmp_path / "index", "-n", 1, "--json", "--plain")
    assert ran.lines[0]["matches"][0]["similarity"] == pytest.approx(1, abs=1e-4)


def test_build_says_when_what_was_learned_is_gone(
    run: Any, catalogue: Path, index: Path, tmp_path: Path, settings: Settings
) -> None:
    copied = shutil.copytree(index, tmp_path / "copied")
    with_head(FittingRoom.open(copied, settings))
    ran = run("build", catalogue, "--index", copied, "--json")
    assert (ran.lines[0]["head"], "Train again" in ran.err) == ("kept", False)
    ran = run("build", catalogue, "--index", copied, "--input-size", "97x75", "--json")
    assert (ran.lines[0]["head"], "Train again" in ran.err) == ("dropped", True)


def test_build_with_pca_reduces(run: Any, catalogue: Path, tmp_path: Path) -> None:
    ran = run("build", catalogue, "--index", tmp_path / "index", "--pca", 5, "--json")
    assert (ran.status, ran.lines[0]["dimension"]) == (0, 5)
    assert Index.open(tmp_path / "index").dimension == 5
    ran = run("build", catalogue, "--index", tmp_path / "index", "--pca", 5000)
    assert (ran.status, ran.out) == (2, "")
    assert "--pca 5000" in ran.err


@pytest.mark.parametrize(
    ("make", "status"),
    [
        (lambda folder: folder / "nowhere", 1),
        (lambda folder: folder, 1),
        (lambda folder: shutil.copy(__file__, folder / "shop.zip"), 1),
    ],
    ids=["nowhere", "empty", "no zip"],
)
def test_build_of_no_catalogue_fails_in_words(
    run: Any, tmp_path: Path, make: Any, status: int
) -> None:
    (tmp_path / "in").mkdir()
    place = make(tmp_path / "in")
    ran = run("build", place, "--index", tmp_path / "index", "--json")
    assert (ran.status, ran.out) == (status, "")
    assert ran.err.startswith(f"fitting-room: {place}")


def test_build_of_bad_pictures_only_fails_in_words(
    run: Any, catalogue: Path, tmp_path: Path
) -> None:
    shop = shutil.copytree(catalogue, tmp_path / "shop")
    for path in (shop / "images").iterdir():
        path.write_bytes(b"no picture")
    ran = run("build", shop, "--index", tmp_path / "index", "--json")
    assert (ran.status, ran.out) == (1, "")
    assert "None of the catalogue's pictures could be used" in ran.err


def test_build_with_bad_weights_fails_in_words(run: Any, catalogue: Path, tmp_path: Path) -> None:
    whole = select("efficientnet_lite0").weights.path
    assert whole is not None
    cut = tmp_path / "cut.pth"
    cut.write_bytes(whole.read_bytes()[:20_000])  # inside the list of tensors
    for weights in (tmp_path / "nowhere.pth", cut, catalogue / "styles.csv"):
        ran = run("build", catalogue, "--index", tmp_path / "index", "--weights", weights)
        assert ran.status == 1
        assert str(weights) in ran.err


def test_build_over_something_else_fails_in_words(
    run: Any, catalogue: Path, tmp_path: Path
) -> None:
    (tmp_path / "precious").write_text("text")
    ran = run("build", catalogue, "--index", tmp_path)
    assert ran.status == 1
    assert (tmp_path / "precious").read_text() == "text"


def test_ctrl_c_stops_a_build_and_keeps_what_is_done(
    run: Any, catalogue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def interrupted(shown: Any = commands.terminal_progress) -> Iterator[Listener]:
        def listen(progress: Progress) -> None:
            show(progress)
            if progress.unit == "picture" and progress.done == 6:
                signal.raise_signal(signal.SIGINT)

        with shown() as show:
            yield listen

    # A process that a shell starts in the background ignores Ctrl-C at first.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(commands, "terminal_progress", interrupted)
            ran = run("build", catalogue, "--index", tmp_path / "index", "--json")
    finally:
        signal.signal(signal.SIGINT, before)
    assert (ran.status, ran.out) == (130, "")
    assert "goes on from there" in ran.err
    again = run("build", catalogue, "--index", tmp_path / "index", "--json")
    assert again.lines[0]["reused"] == 6
