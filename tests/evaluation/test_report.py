"""What people read: tables of figures, and a page that may hold hostile names."""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path

import pytest

from fitting_room.catalogue.label_mapping import read_mapping
from fitting_room.catalogue.photograph_colours import PhotographColours
from fitting_room.evaluation import report
from fitting_room.evaluation.copy_detection import detect_copies
from fitting_room.evaluation.evaluate import evaluate
from fitting_room.evaluation.queries import Queries, load_queries
from fitting_room.evaluation.report import as_text, write_report
from fitting_room.evaluation.results import Evaluation, EvaluationError, OptionError
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import open_image
from tests.conftest import fitting_room_of, mapping_file, street
from tests.evaluation.conftest import with_head


def test_the_figures_as_text(evaluation: Evaluation, fitting_room: FittingRoom) -> None:
    words = as_text(evaluation, detect_copies(fitting_room, 3))
    for text in ("12 queries", "precision@5", "mAP@5", "0.640 (", "Tshirts", "flipped", "count as"):
        assert text in words


HOSTILE = "<script>alert(1)</script>\"' | `x` [a](http://b) ![c](d) \x1b[31m\u202e"


@pytest.fixture
def hostile(labelled_shop: Path) -> Path:
    text = (labelled_shop / "styles.csv").read_text("utf-8")
    named = HOSTILE.replace('"', '""')
    text = text.replace("Item 5\n", f'"{named}"\n').replace("Shirts,", '"<b>Shirts|",')
    (labelled_shop / "styles.csv").write_text(text, "utf-8")
    return labelled_shop


def test_a_report_is_one_page_with_its_pictures_and_nothing_else(
    hostile: Path, tmp_path: Path
) -> None:
    fitting_room, queries = fitting_room_of(hostile), load_queries(hostile)
    evaluation = evaluate(fitting_room, queries, k=5)
    path = tmp_path / "worst.html"
    write_report(path, fitting_room, queries, evaluation, detect_copies(fitting_room, 2))
    page = path.read_text("utf-8")
    assert "<script" not in page
    assert "<b>" not in page
    assert 'alt="Query: &lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39; | `x`' in page
    assert "&lt;b&gt;Shirts|" in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';' in page
    # Nothing is fetched from anywhere: every picture is in the page.
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(sources) == page.count("<img ") == 6 * len(evaluation.worst(40))
    for source in sources:
        head, _, data = source.partition(",")
        assert head == "data:image/jpeg;base64"
        assert max(open_image(base64.b64decode(data)).size) <= 160
    assert "✓ right" in page
    assert "✗ wrong" in page
    assert "color-scheme: light dark" in page
    assert page.rstrip().endswith("</html>")
    assert [p.name for p in tmp_path.iterdir() if "worst" in p.name] == ["worst.html"]


def test_a_report_says_that_figures_flatter(
    own_fitting_room: FittingRoom, queries: Queries, tmp_path: Path
) -> None:
    fitting_room = with_head(own_fitting_room)
    write_report(tmp_path / "a.html", fitting_room, queries, evaluate(fitting_room, queries))
    assert "flatter" in (tmp_path / "a.html").read_text("utf-8")


def test_a_report_is_whole_or_not_there(
    fitting_room: FittingRoom,
    queries: Queries,
    tmp_path: Path,
    evaluation: Evaluation,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()
    path = folder / "a.htm"

    def full(file: int) -> None:
        raise OSError("the disk is full")

    def fail_to_write() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(EvaluationError, match="disk is full"):
                write_report(path, fitting_room, queries, evaluation)

    fail_to_write()
    assert list(folder.iterdir()) == []
    path.write_text("the report of last week")
    fail_to_write()
    assert [file.read_text() for file in folder.iterdir()] == ["the report of last week"]
    write_report(path, fitting_room, queries, evaluation)
    assert "</html>" in path.read_text("utf-8")


def test_a_report_shows_what_it_can(labelled_shop: Path, tmp_path: Path) -> None:
    fitting_room, queries = fitting_room_of(labelled_shop), load_queries(labelled_shop)
    evaluation = evaluate(fitting_room, queries)
    for path in (labelled_shop / "images").iterdir():
        path.unlink()
    write_report(tmp_path / "a.html", fitting_room, queries, evaluation)
    page = (tmp_path / "a.html").read_text("utf-8")
    assert "cannot be shown" in page
    assert "<img" not in page


def test_a_report_when_all_is_right(
    fitting_room: FittingRoom, queries: Queries, tmp_path: Path
) -> None:
    evaluation = evaluate(fitting_room, queries, k=5, columns=["baseColour"])
    write_report(tmp_path / "a.html", fitting_room, queries, evaluation)
    assert "Every result is right" in (tmp_path / "a.html").read_text("utf-8")


def test_long_names_are_cut_and_stay_on_one_line() -> None:
    assert report.shorten("a\nb\tc\x00") == "a b c"
    assert report.shorten("x" * 200) == "x" * 119 + "…"


def test_a_report_of_photographs_shows_the_column_of_the_mapping(
    fitting_room: FittingRoom, tmp_path: Path
) -> None:
    mapping = read_mapping(mapping_file(tmp_path, {"shirt": ["Shirts"]}))
    queries = load_queries(street(tmp_path / "street", shirt=[1]), mapping)
    path = tmp_path / "a.html"
    write_report(path, fitting_room, queries, evaluate(fitting_room, queries, k=6))
    page = path.read_text("utf-8")
    for label in ("class: shirt", "✓ articleType: Shirts", "✗ articleType: Tshirts"):
        assert f"<li>{label}</li>" in page


def test_photographs_with_colours_as_text_and_as_a_report(
    fitting_room: FittingRoom, tmp_path: Path
) -> None:
    mapping = read_mapping(mapping_file(tmp_path, {"shirt": ["Shirts"]}))
    words = {"shirt/1.png": frozenset({"Red", "<b>"})}
    colours = PhotographColours(Path("c.json"), "baseColour", words)
    queries = load_queries(street(tmp_path / "street", shirt=[1, 2]), mapping, colours)
    evaluation = evaluate(fitting_room, queries, k=7)
    text = as_text(evaluation)
    for line in (
        "judged by  queries  precision@7",
        "class      2        0.286 (",
        "colour     1        0.857 (",
        "both       1        0.286 (",
        "Queries without colours, which are judged by their class alone: 1.",
        "by class: queries, precision@7",
        "colour by class: queries, precision@7",
        "both by class: queries, precision@7",
    ):
        assert line in text
    write_report(tmp_path / "a.html", fitting_room, queries, evaluation)
    page = (tmp_path / "a.html").read_text("utf-8")
    assert page.count('"Query: ') == 1  # what lacks colours is not judged by both
    for label in ("colour: &lt;b&gt;, Red", "✗ articleType: Tshirts", "✗ baseColour: Blue"):
        assert f"<li>{label}</li>" in page
    assert page.count("✓ right") == 2  # the shirts; a T-shirt of the right colour is wrong
    assert page.count("<li>✓ baseColour: Red</li>") == 6


def test_a_report_has_a_place_to_go_to(tmp_path: Path) -> None:
    (tmp_path / "folder.html").mkdir()
    for place in ("nowhere/a.html", "folder.html"):
        with pytest.raises(EvaluationError, match=place):
            report.check_report(tmp_path / place)
    for name in ("a.txt", "a", "a.md"):  # Markdown was possible once
        with pytest.raises(OptionError, match=rf"{name}: a report is .* \.html or \.htm"):
            report.check_report(tmp_path / name)
