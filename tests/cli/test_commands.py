"""The command line: what it prints, its exit status, and errors for people."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fitting_room.cli import commands, main
from fitting_room.embedding.backbones import select
from fitting_room.facade import FittingRoom
from fitting_room.index.data import current_version
from fitting_room.index.index import Index
from fitting_room.index.manifest import MANIFEST
from fitting_room.learning.options import TrainingOptions
from fitting_room.learning.train import TrainingSummary
from fitting_room.settings import Settings
from fitting_room.util.progress import Listener, Progress
from tests.conftest import COLOURS, picture_bytes
from tests.evaluation.conftest import with_head

COMMANDS = ["build", "search", "train", "evaluate", "info", "fetch", "serve"]
SUMMARY_KEYS = {
    "items",
    "dropped",
    "repaired",
    "failed",
    "backbone",
    "dimension",
    "seconds",
    "images_per_second",
    "reused",
    "head",
}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """The packaged network, converted once for all tests."""
    monkeypatch.setenv("FITTING_ROOM_BACKBONE", "efficientnet_lite0")
    monkeypatch.setenv("FITTING_ROOM_CACHE", str(settings.cache))


class Ran:
    """A finished command."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err
        assert "Traceback" not in err

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def command(*arguments: object) -> Ran:
        capsys.readouterr()
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as wrong:  # argparse
            status = int(wrong.code or 0)
        return Ran(status, *capsys.readouterr())

    return command


def make_shop(folder: Path) -> Path:
    (folder / "images").mkdir(parents=True)
    lines = ["id,gender,baseColour,productDisplayName"]
    for number, colour in enumerate(COLOURS, 1):
        gender = "Women" if number % 2 else "Men"
        lines.append(f"{number},{gender},{colour.title()},{colour.title()} shïrt")
        (folder / "images" / f"{number}.jpg").write_bytes(picture_bytes(colour))
    (folder / "styles.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop that no test changes."""
    return make_shop(tmp_path_factory.mktemp("catalogue") / "shop")


@pytest.fixture(scope="module")
def index(catalogue: Path, settings: Settings) -> Path:
    """The index of that shop, which no test changes."""
    FittingRoom.build(catalogue, catalogue.parent / "index", settings=settings)
    return catalogue.parent / "index"


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
    assert "EfficientNet-Lite0" in ran.err
    assert "Skipped 3: " in ran.err


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
    ran = run("search", query, "--index", tmp_path / "index", "-n", 1, "--json")
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


# --- search -----------------------------------------------------------------------------------


def test_search_prints_one_json_line_a_picture(run: Any, catalogue: Path, index: Path) -> None:
    queries = [catalogue / "images" / "2.jpg", catalogue / "images" / "7.jpg"]
    ran = run("search", *queries, "--index", index, "-n", 3, "--json")
    assert ran.status == 0
    assert [line["query"] for line in ran.lines] == [str(query) for query in queries]
    for line, query in zip(ran.lines, queries, strict=True):
        assert set(line) == {"query", "matches"}
        assert len(line["matches"]) == 3
        assert all(set(match) == {"id", "path", "similarity"} for match in line["matches"])
        assert line["matches"][0]["id"] == query.stem
        assert line["matches"][0]["path"] == str(query)
        assert line["matches"][0]["similarity"] == pytest.approx(1, abs=1e-4)


def test_search_in_words_has_rank_similarity_id_and_name(
    run: Any, catalogue: Path, index: Path
) -> None:
    ran = run("search", catalogue / "images" / "2.jpg", "--index", index)
    query, first, *others = ran.out.splitlines()
    assert query == str(catalogue / "images" / "2.jpg")
    assert first.split() == ["1", "1.000", "2", "Green", "shïrt"]
    assert len(others) == 9


def test_search_takes_every_picture_of_a_folder_and_below(
    run: Any, catalogue: Path, index: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "queries"
    (folder / "deep" / "er").mkdir(parents=True)
    shutil.copy(catalogue / "images" / "2.jpg", folder / "b.JPG")
    shutil.copy(catalogue / "images" / "3.jpg", folder / "deep" / "er" / "c.jpeg")
    (folder / "a.png").write_bytes(picture_bytes("red", kind="PNG"))
    (folder / "notes.txt").write_text("no picture")
    ran = run("search", folder, catalogue / "images" / "5.jpg", "--index", index, "-n", 1, "--json")
    assert ran.status == 0
    assert [(Path(line["query"]).name, line["matches"][0]["id"]) for line in ran.lines] == [
        ("a.png", "1"),
        ("b.JPG", "2"),
        ("c.jpeg", "3"),
        ("5.jpg", "5"),
    ]


def test_search_measures_similarity_by_its_options(run: Any, catalogue: Path, index: Path) -> None:
    def similarities(*arguments: object) -> list[float]:
        query = catalogue / "images" / "1.jpg"
        ran = run("search", query, "--index", index, "--json", *arguments)
        assert ran.status == 0
        return [match["similarity"] for match in ran.lines[0]["matches"]]

    usual, shape, colour = (
        similarities(),
        similarities("--colour", 0),
        similarities("--colour", "1.0"),
    )
    assert len({tuple(usual), tuple(shape), tuple(colour)}) == 3
    assert colour[-1] < 0.1 < shape[-1]  # red is not at all like any other of these colours
    assert similarities("--metric", "jaccard", "--colour", 0) != shape
    assert similarities("--plain") == usual  # there is nothing trained to do without


def test_search_goes_on_after_a_bad_picture(run: Any, catalogue: Path, index: Path) -> None:
    good, bad = catalogue / "images" / "2.jpg", catalogue / "styles.csv"
    ran = run("search", bad, catalogue / "nowhere.jpg", good, "--index", index, "--json")
    assert ran.status == 0
    assert [set(line) for line in ran.lines] == [
        {"query", "error"},
        {"query", "error"},
        {"query", "matches"},
    ]
    assert [line["query"] for line in ran.lines] == [
        str(bad),
        str(catalogue / "nowhere.jpg"),
        str(good),
    ]
    assert str(bad) in ran.err
    assert "There is no such file." in ran.err


def test_search_without_any_good_picture_fails(
    run: Any, catalogue: Path, index: Path, tmp_path: Path
) -> None:
    ran = run("search", catalogue / "styles.csv", "--index", index, "--json")
    assert (ran.status, set(ran.lines[0])) == (1, {"query", "error"})
    ran = run("search", tmp_path, "--index", index, "--json")
    assert (ran.status, ran.out) == (1, "")
    assert "no pictures found" in ran.err


def test_search_keeps_to_the_filters(run: Any, catalogue: Path, index: Path) -> None:
    def ids_where(*conditions: str) -> list[str]:
        arguments = [part for condition in conditions for part in ("--where", condition)]
        query = catalogue / "images" / "1.jpg"
        ran = run("search", query, "--index", index, "--json", *arguments)
        assert ran.status == 0
        return sorted((match["id"] for match in ran.lines[0]["matches"]), key=int)

    assert ids_where("gender=Men") == ["2", "4", "6", "8", "10"]
    assert ids_where("baseColour=Red", "baseColour=Green") == ["1", "2"]
    assert ids_where("baseColour=Red", "baseColour=Green", "gender=Men") == ["2"]
    assert ids_where("productDisplayName=Red shïrt") == ["1"]


def test_a_filter_that_nothing_passes_is_an_empty_answer(
    run: Any, catalogue: Path, index: Path
) -> None:
    query = catalogue / "images" / "1.jpg"
    ran = run("search", query, "--index", index, "--json", "--where", "gender=Dogs")
    assert (ran.status, ran.lines) == (0, [{"query": str(query), "matches": []}])
    assert "gender=Dogs" in ran.err


@pytest.mark.parametrize(
    "condition", ["gender", "=Men", "gender=", "", "colour=Red", "image=1.jpg"]
)
def test_a_filter_that_makes_no_sense_is_wrong_usage(
    run: Any, catalogue: Path, index: Path, condition: str
) -> None:
    query = catalogue / "images" / "1.jpg"
    ran = run("search", query, "--index", index, "--json", "--where", condition)
    assert (ran.status, ran.out) == (2, "")
    assert condition.partition("=")[0] in ran.err


def test_an_unknown_column_is_wrong_usage_whatever_the_picture(
    run: Any, catalogue: Path, index: Path
) -> None:
    ran = run("search", catalogue / "nowhere.jpg", "--index", index, "--where", "colour=Red")
    assert ran.status == 2
    assert "baseColour" in ran.err


def test_search_in_an_unusable_index_fails_in_words(
    run: Any, catalogue: Path, index: Path, tmp_path: Path
) -> None:
    query = catalogue / "images" / "1.jpg"
    damaged = shutil.copytree(index, tmp_path / "damaged")
    (current_version(damaged) / "items.parquet").write_bytes(b"garbage")
    for place in (tmp_path / "nowhere", damaged):
        ran = run("search", query, "--index", place, "--json")
        assert (ran.status, ran.out) == (1, "")
        assert str(place) in ran.err
        assert "uild" in ran.err


def test_an_index_with_local_weights_is_searched_with_the_same_file(
    run: Any, catalogue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FITTING_ROOM_ENGINE", "torch")  # needs no conversion, which is quicker
    packaged = select("efficientnet_lite0").weights.path
    assert packaged is not None
    mine = tmp_path / "mine.pth"
    mine.write_bytes(packaged.read_bytes() + b"\0")  # another file, which reads the same
    index, query = tmp_path / "index", catalogue / "images" / "4.jpg"
    assert run("build", catalogue, "--index", index, "--weights", mine).status == 0
    without = run("search", query, "--index", index)
    assert without.status == 1
    assert "--weights" in without.err
    other = run("search", query, "--index", index, "--weights", packaged)
    assert other.status == 1
    ran = run("search", query, "--index", index, "--weights", mine, "-n", 1, "--json")
    assert ran.lines[0]["matches"][0]["id"] == "4"


def test_names_that_are_not_utf_8_do_not_stop_a_search(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as those of files that came from an old Windows machine."""
    folder = tmp_path / "queries"
    folder.mkdir()
    name = os.fsdecode(b"caf\xe9.jpg")
    try:
        (folder / name).write_bytes(picture_bytes("red"))
    except (OSError, UnicodeError):
        pytest.skip("this file system knows no such names")
    (folder / "z.jpg").write_bytes(picture_bytes("green"))
    for form in (["--json"], []):
        out = io.TextIOWrapper(io.BytesIO(), "utf-8")
        monkeypatch.setattr(sys, "stdout", out)
        assert main(["search", str(folder), "--index", str(index), "-n", "1", *form]) == 0
        out.flush()
        lines = out.buffer.getvalue().decode("utf-8").splitlines()  # type: ignore[attr-defined]
        assert len(lines) == (2 if form else 4)
        if form:
            assert [Path(json.loads(line)["query"]).name for line in lines] == [name, "z.jpg"]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_names_that_the_terminal_cannot_show_do_not_stop_a_search(
    catalogue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    """A pipe on Windows takes no more than its code page."""
    shop = shutil.copytree(catalogue, tmp_path / "shop")
    text = (shop / "styles.csv").read_text("utf-8")
    (shop / "styles.csv").write_text(text.replace("Red shïrt", "赤いシャツ"), "utf-8")
    query = shop / "images" / "1.jpg"
    assert main(["build", str(shop), "--index", str(tmp_path / "index")]) == 0
    for form in ([], ["--json"]):
        out = io.TextIOWrapper(io.BytesIO(), encoding)
        monkeypatch.setattr(sys, "stdout", out)
        command = ["search", str(query), "--index", str(tmp_path / "index"), "-n", "2", *form]
        assert main(command) == 0
        out.flush()
        lines = out.buffer.getvalue().decode(encoding).splitlines()  # type: ignore[attr-defined]
        assert len(lines) == (1 if form else 3)
        if form:
            assert json.loads(lines[0])["matches"][0]["id"] == "1"


# --- train ------------------------------------------------------------------------------------


@pytest.fixture
def copied(index: Path, tmp_path: Path) -> Path:
    """The shop's index, to be changed."""
    return shutil.copytree(index, tmp_path / "copied")


def test_train_teaches_the_index_and_remove_takes_it_away(
    run: Any, catalogue: Path, copied: Path
) -> None:
    command = ["train", catalogue, "--index", copied, "--columns", "gender", "--epochs", 1]
    ran = run(*command)
    assert ran.status == 0, ran.err
    assert "Learned from 9 items in " in ran.out
    assert "epoch 1 of 1 was the best" in ran.out
    assert "gender" in ran.out
    assert Index.open(copied).head is not None
    info = run("info", "--index", copied)
    assert "trained     on 9 items: gender" in info.out
    query = catalogue / "images" / "1.jpg"
    plain = run("search", query, "--index", copied, "--plain", "--json").lines
    assert run("search", query, "--index", copied, "--json").lines != plain
    gone = run("train", "--index", copied, "--remove")
    assert (gone.status, gone.out) == (0, f"{copied}: what was learned is gone.\n")
    assert Index.open(copied).head is None
    assert run("search", query, "--index", copied, "--json").lines == plain
    again = run("train", catalogue, "--index", copied, "--remove", "--json")
    assert (again.status, again.lines) == (0, [{"removed": False}])


def test_train_passes_its_options_on(
    run: Any, catalogue: Path, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []

    def learn(catalogue: Path, index: Path, options: TrainingOptions, **_: Any) -> TrainingSummary:
        calls.append((catalogue, index, options))
        return TrainingSummary(7, 3, 2, 5, 4, 1.5, {"all_before": 0.5, "all_after": 0.75}, "supcon")

    monkeypatch.setattr(commands, "train", learn)
    mapping, weights = copied / "m.json", copied / "w.safetensors"
    command = [
        "train", catalogue, "--index", copied, "--columns", "gender, baseColour", "--holdout", 10,
        "--photographs", catalogue, "--mapping", mapping, "--loss", "supcon", "--epochs", 6,
        "--seed", 0, "--finetune-blocks", 2, "--save-weights", weights, "--finetune-epochs", 1,
    ]  # fmt: skip
    ran = run(*command, "--json")
    assert ran.status == 0
    assert ran.lines[0]["validation"] == {"all_before": 0.5, "all_after": 0.75}
    assert "2 photographs could not be used" in ran.err
    assert calls == [
        (
            catalogue,
            copied,
            TrainingOptions(
                columns=("gender", "baseColour"),
                holdout=10,
                photographs=catalogue,
                mapping=mapping,
                loss="supcon",
                epochs=6,
                finetune_blocks=2,
                save_weights=weights,
                finetune_epochs=1,
            ),
        )
    ]
    words = run(*command).out
    assert "7 items and 3 photographs" in words
    assert "0.750  (before: 0.500)" in words
    run("train", catalogue, "--index", copied)
    assert calls[-1] == (catalogue, copied, TrainingOptions())


def test_train_that_cannot_be_done_says_why(
    run: Any, catalogue: Path, copied: Path, tmp_path: Path
) -> None:
    for status, arguments in (
        (2, ["train", "--index", copied]),
        (2, ["train", catalogue, "--index", copied, "--photographs", catalogue]),
        (2, ["train", catalogue, "--index", copied, "--finetune-blocks", 2]),
        (1, ["train", catalogue, "--index", tmp_path / "nowhere"]),
        (1, ["train", tmp_path / "nowhere", "--index", copied]),
        (1, ["train", catalogue, "--index", copied, "--columns", "season"]),
        (1, ["train", "--index", tmp_path / "nowhere", "--remove"]),
    ):
        ran = run(*arguments)
        assert (ran.status, ran.out) == (status, ""), arguments
        assert ran.err.strip()


# --- evaluate ---------------------------------------------------------------------------------


def test_evaluate_prints_one_json_object(run: Any, catalogue: Path, index: Path) -> None:
    ran = run("evaluate", catalogue, "--index", index, "--copies", 3, "--json")
    assert ran.status == 0, ran.err
    (figures,) = ran.lines
    assert set(figures) == {
        "settings", "counts", "metrics", "classes", "copies", "leak", "seconds"
    }  # fmt: skip
    assert set(figures["metrics"]) == {"baseColour", "gender", "all"}
    assert figures["metrics"]["baseColour"]["without_relevant"] == 10  # ten items of ten colours
    assert figures["counts"]["queries"] == figures["counts"]["gallery"] == 10
    assert figures["copies"]["items"] == 3
    assert figures["leak"] is False
    assert figures["settings"]["k"] == 4
    assert run("evaluate", catalogue, "--index", index, "--json").lines[0]["copies"] is None


def test_evaluate_in_words_is_a_table(run: Any, catalogue: Path, index: Path) -> None:
    ran = run(
        "evaluate", catalogue, "--index", index, "-k", 2, "--columns", "gender", "--holdout", 2
    )
    assert ran.status == 0, ran.err
    for named in ("5 queries, 5 items to be found", "precision@2", "mAP@2", "gender", "Men"):
        assert named in ran.out


def test_evaluate_takes_a_table_a_filter_and_similarity_options(
    run: Any, catalogue: Path, index: Path, tmp_path: Path
) -> None:
    (tmp_path / "street" / "shirt").mkdir(parents=True)
    shutil.copy(catalogue / "images" / "2.jpg", tmp_path / "street" / "shirt" / "a.jpg")
    (tmp_path / "table.csv").write_text("picture,gender\nstreet/shirt/a.jpg,Men\nb.jpg,Men\n")
    where = ["--where", "gender=Men", "--colour", 1, "--metric", "jaccard", "--plain"]
    ran = run("evaluate", tmp_path / "table.csv", "--index", index, *where, "--json")
    assert ran.status == 0, ran.err
    assert "Skipped b.jpg: The file cannot be read" in ran.err
    (figures,) = ran.lines
    assert figures["counts"] == {
        "queries": 1, "gallery": 5, "rejected": 1, "unlabelled": 0, "identical": 0
    }  # fmt: skip
    assert figures["metrics"]["gender"]["precision"]["value"] == 1
    (tmp_path / "mapping.json").write_text('{"shirt": ["Women"]}')
    mapping = ["--mapping", tmp_path / "mapping.json", "--mapping-column", "gender"]
    ran = run("evaluate", tmp_path / "street", "--index", index, *mapping, *where[:2], "--json")
    assert ran.lines[0]["metrics"]["class"]["precision"]["value"] == 0


@pytest.mark.parametrize("name", ["worst.html", "worst.HTM"])
def test_evaluate_writes_a_report(
    run: Any, catalogue: Path, index: Path, tmp_path: Path, name: str
) -> None:
    report = tmp_path / name
    ran = run("evaluate", catalogue, "--index", index, "--report", report)
    assert ran.status == 0, ran.err
    assert str(report) in ran.err
    assert "Red shïrt" in report.read_text("utf-8")


def test_evaluate_says_when_its_figures_are_too_good(
    run: Any, catalogue: Path, copied: Path, settings: Settings
) -> None:
    with_head(FittingRoom.open(copied, settings), holdout=5)
    for holdout, leak in ((5, False), (3, True)):
        ran = run("evaluate", catalogue, "--index", copied, "--holdout", holdout, "--json")
        assert ran.status == 0, ran.err
        assert ran.lines[0]["leak"] is leak
        assert ("flatter" in ran.err) is leak
    ran = run("evaluate", catalogue, "--index", copied, "--holdout", 3, "--plain", "--json")
    assert ran.lines[0]["leak"] is False


def test_an_evaluation_that_cannot_be_done_says_why(
    run: Any, catalogue: Path, index: Path, tmp_path: Path
) -> None:
    base = ["evaluate", catalogue, "--index", index]
    mapping = tmp_path / "mapping.json"
    mapping.write_text('{"a": ["b"]}')
    for status, arguments in (
        (2, [*base, "--columns", "season"]),
        (2, [*base, "--where", "season=Summer"]),
        (2, [*base, "-k", 10**9]),
        (2, [*base, "--report", tmp_path / "report.md"]),
        (2, [*base, "--mapping-column", "gender"]),
        (2, [*base, "--mapping", mapping, "--columns", "gender"]),
        (1, [*base, "--mapping", mapping]),
        (1, [*base, "--mapping", tmp_path / "nowhere.json"]),
        (1, [*base, "--report", tmp_path / "nowhere" / "report.html"]),
        (1, [*base, "--where", "gender=Dogs"]),
        (1, [*base, "--holdout", 1000]),
        (1, ["evaluate", tmp_path / "nowhere", "--index", index]),
        (1, ["evaluate", catalogue, "--index", tmp_path / "nowhere"]),
    ):
        ran = run(*arguments)
        assert (ran.status, ran.out) == (status, ""), arguments
        assert ran.err.startswith("fitting-room: "), arguments


# --- info -------------------------------------------------------------------------------------


def test_info_says_what_an_index_holds(run: Any, catalogue: Path, index: Path) -> None:
    ran = run("info", "--index", index)
    assert ran.status == 0
    for named in ("10 items", str(catalogue), "efficientnet_lite0", "1280", "10 rows read"):
        assert named in ran.out


def test_info_in_json_is_the_manifest(run: Any, index: Path) -> None:
    ran = run("info", "--index", index, "--json")
    assert ran.status == 0
    manifest = json.loads((current_version(index) / MANIFEST).read_text("utf-8"))
    manifest["counts"]["studio"] = manifest["counts"]["plain_background"]
    manifest["appearance"] = manifest["descriptors"]
    assert ran.lines == [manifest]


@pytest.mark.parametrize("name", ["vectors.npy", "items.parquet", "manifest.json"])
def test_info_finds_a_changed_byte(run: Any, index: Path, tmp_path: Path, name: str) -> None:
    damaged = shutil.copytree(index, tmp_path / "damaged")
    path = current_version(damaged) / name
    data = bytearray(path.read_bytes())
    data[-10] ^= 255
    path.write_bytes(data)
    ran = run("info", "--index", damaged)
    assert (ran.status, ran.out) == (1, "")
    assert "damaged" in ran.err


def test_info_names_the_pictures_that_failed(run: Any, catalogue: Path, tmp_path: Path) -> None:
    shop = shutil.copytree(catalogue, tmp_path / "shop")
    (shop / "images" / "3.jpg").write_bytes(b"no picture")
    run("build", shop, "--index", tmp_path / "index")
    ran = run("info", "--index", tmp_path / "index")
    assert "could not be used" in ran.out
    assert "  3: This is not a picture" in ran.out


def test_info_on_a_manifest_with_something_missing_is_no_crash(
    run: Any, index: Path, tmp_path: Path
) -> None:
    """An index may come from somebody else, or from a disk that lost a block."""
    copy = shutil.copytree(index, tmp_path / "copy")
    whole = json.loads((current_version(copy) / MANIFEST).read_text("utf-8"))
    for path in (
        ("created",),
        ("chosen_because",),
        ("failures",),
        ("advice",),
        ("counts", "failed"),
        ("catalogue", "report"),
        ("identity", "weights_sha256"),
    ):
        manifest = json.loads(json.dumps(whole))
        place = manifest
        for key in path[:-1]:
            place = place[key]
        del place[path[-1]]
        (current_version(copy) / MANIFEST).write_text(json.dumps(manifest), "utf-8")
        assert run("info", "--index", copy).status in (0, 1), path


def test_info_on_a_manifest_that_makes_no_sense_names_the_field(
    run: Any, index: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(index, tmp_path / "copy")
    path = current_version(copy) / MANIFEST
    manifest = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**manifest, "failures": [1]}), "utf-8")
    ran = run("info", "--index", copy)
    assert ran.status == 1
    assert "failures" in ran.err


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
        ["search", "--index", "i"],
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


# --- serve ------------------------------------------------------------------------------------


def test_serve_without_the_index_fails_before_the_page_is_started(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("the page was started"))
    ran = run("serve", "--index", tmp_path / "nowhere")
    assert ran.status == 1
    assert "nowhere" in ran.err


def test_serve_starts_the_page_on_the_index_and_passes_on_its_status(
    run: Any, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[list[str], dict[str, str]]] = []

    class Server:
        def __init__(self, command: list[str], *, env: dict[str, str], **_: object) -> None:
            started.append((command, env))

        def wait(self) -> int:
            return 3

    monkeypatch.setattr(subprocess, "Popen", Server)
    monkeypatch.chdir(index.parent)
    assert run("serve", "--index", index.name, "--port", 8765).status == 3
    ((command, environment),) = started
    assert environment["FITTING_ROOM_INDEX"] == str(index)
    assert "--server.port=8765" in command
    assert "--server.address=localhost" in command
    assert Path(next(part for part in command if part.endswith("app.py"))).is_file()


# --- as a program -----------------------------------------------------------------------------


def console_script() -> str:
    script = shutil.which("fitting-room", path=str(Path(sys.executable).parent))
    if script is None:
        pytest.skip("the package is not installed")
    return script


def test_the_console_script_searches(catalogue: Path, index: Path) -> None:
    query = catalogue / "images" / "2.jpg"
    command = [console_script(), "search", str(query), str(catalogue / "styles.csv"),
               "--index", str(index), "-n", "2", "--json"]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")
    assert ran.returncode == 0, ran.stderr
    good, bad = (json.loads(line) for line in ran.stdout.splitlines())
    assert good["matches"][0]["id"] == "2"
    assert set(bad) == {"query", "error"}
    assert "Traceback" not in ran.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break in another way")
def test_a_closed_pipe_is_no_crash(catalogue: Path, index: Path) -> None:
    command = [console_script(), "search", str(catalogue), "--index", str(index), "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()  # as `| head` does
        complaints = process.stderr.read()
        assert process.wait() == 1
    assert complaints == ""


def test_a_search_needs_no_torch(catalogue: Path, index: Path) -> None:
    """It takes seconds to import; a converted network answers without it."""
    code = (
        "import sys; from fitting_room import cli; "
        "status = cli.main(sys.argv[1:]); assert 'torch' not in sys.modules; sys.exit(status)"
    )
    query = str(catalogue / "images" / "2.jpg")
    command = [sys.executable, "-c", code, "search", query, "--index", str(index), "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")
    assert ran.returncode == 0, ran.stderr
