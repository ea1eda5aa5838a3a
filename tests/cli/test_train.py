"""`fitting-room train` and `evaluate`: what they print, and errors for people."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from fitting_room.cli import commands
from fitting_room.facade import FittingRoom
from fitting_room.index.head import is_trained_here
from fitting_room.index.index import Index
from fitting_room.learning.options import TrainingOptions
from fitting_room.learning.train import TrainingSummary
from fitting_room.settings import Settings
from tests.evaluation.conftest import with_head

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
    assert "none of 1 epochs was better than the head that it started from" in ran.out
    ran = run(*command, "--head", "none")
    assert ran.status == 0, ran.err
    assert "Learned from 9 items in " in ran.out
    assert "epoch 1 of 1 was the best" in ran.out
    assert "gender" in ran.out
    assert Index.open(copied).head is not None
    info = run("info", "--index", copied)
    assert "trained     here, on 9 items: gender" in info.out
    query = catalogue / "images" / "1.jpg"
    plain = run("search", query, "--index", copied, "--plain", "--json").lines
    assert run("search", query, "--index", copied, "--json").lines != plain
    gone = run("train", "--index", copied, "--remove")
    assert gone.status == 0
    assert gone.out.startswith(f"{copied}: what was learned here is gone. The packaged head")
    head = Index.open(copied).head
    assert head is not None
    assert not is_trained_here(head)
    assert run("search", query, "--index", copied, "--plain", "--json").lines == plain
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
            str(catalogue),
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
    assert calls[-1] == (str(catalogue), copied, TrainingOptions())


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
        "settings", "counts", "metrics", "classes", "published", "without_words", "copies", "leak",
        "seconds",
    }  # fmt: skip
    assert set(figures["published"]) == {"fine", "coarse"}  # it does not say what kind a thing is
    assert "reads no words" in figures["without_words"]
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
    assert "as others publish  queries  measure   figure" in ran.out
    assert "reads no words" in ran.out


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
    (tmp_path / "words.csv").write_text("text,gender\nfor men,Men\n")
    for more in ([tmp_path / "words.csv"], [tmp_path / "table.csv", "--name-weight", 0.1]):
        ran = run("evaluate", *more, "--index", index)
        assert ran.status == 2
        assert "reads no" in ran.err


def test_evaluate_judges_the_colour_of_photographs(
    run: Any, catalogue: Path, index: Path, tmp_path: Path
) -> None:
    (tmp_path / "street" / "shirt").mkdir(parents=True)
    for number in (1, 2, 3):
        shutil.copy(catalogue / "images" / f"{number}.jpg", tmp_path / "street" / "shirt")
    (tmp_path / "mapping.json").write_text('{"shirt": ["Men"]}')
    (tmp_path / "colours.json").write_text(
        '{"street/shirt/1.jpg": ["Green", "Blue"], "street/shirt/2.jpg": ["Teal"]}'
    )
    base = ["evaluate", tmp_path / "street", "--index", index, "-k", 9]
    base += ["--mapping", tmp_path / "mapping.json", "--mapping-column", "gender"]
    colours = ["--colours", tmp_path / "colours.json"]
    ran = run(*base, *colours, "--json")
    assert ran.status == 0, ran.err
    (figures,) = ran.lines
    # Red finds all others: five men's, green and blue, of which green is a man's.
    value = {name: one["precision"]["value"] for name, one in figures["metrics"].items()}
    assert value["colour"] == pytest.approx(2 / 9 / 2)
    assert value["both"] == pytest.approx(1 / 9 / 2)
    assert figures["counts"]["without_colours"] == 1
    assert set(figures["classes"]) == {"class", "colour", "both"}
    ran = run(*base, *colours)
    for text in ("both by class", "Queries without colours", "colour     2"):
        assert text in ran.out
    ran = run(*base, *colours, "--colour-column", "gender", "--json")
    assert ran.lines[0]["metrics"]["colour"]["precision"]["value"] == 0
    assert list(run(*base, "--json").lines[0]["metrics"]) == ["class"]


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
        (2, [*base, "--colours", mapping]),
        (2, [*base, "--mapping", mapping, "--colour-column", "gender"]),
        (1, [*base, "--mapping", mapping, "--colours", mapping]),
        (1, [*base, "--mapping", mapping, "--colours", tmp_path / "nowhere.json"]),
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
