"""docs/performance.md comes from its sections and the results."""

from __future__ import annotations

import sys

import pytest

from benchmarks import document
from benchmarks.document import Results, Run, cell, compared, main, table, tables_of


def results(**milliseconds: float) -> Results:
    rows = [{"what": name.replace("_", " "), "ms": ms} for name, ms in milliseconds.items()]
    machine = {"processor": "P", "cores": 2, "system": "S", "python": "3", "instructions": [],
               "libraries": {"numpy": "2"}, "commit": "abc"}  # fmt: skip
    run = Run("page", "python page.py", {"index": "a small one"}, None, {"waits": rows})
    return Results(machine, False, [0.0], {"page": run})


def test_the_page_is_what_the_generator_gives() -> None:
    assert document.PAGE.read_text("utf-8") == document.written(), (
        "docs/performance.md is written by: python -m benchmarks.document"
    )


def test_check_says_when_it_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["document", "--check"])
    assert main() == 0
    monkeypatch.setattr(document, "written", lambda: "another")
    assert main() == 1
    assert "python -m benchmarks.document" in capsys.readouterr().err


def test_before_and_after_stand_side_by_side_by_name_and_not_by_place() -> None:
    text = compared(
        results(a_slider=8.0, gone=1.0),
        results(new=5.0, a_slider=4.0),
        "page",
        ["waits"],
        "what",
        "ms",
    )
    assert text.splitlines() == [
        "| what | before | after | times as good |",
        "| --- | --- | --- | --- |",
        "| a slider | 8 | 4 | 2 |",
        "| gone | 1 |  |  |",
        "| new |  | 5 |  |",
    ]


def test_more_may_be_better() -> None:
    text = compared(
        results(ours=8.0), results(ours=4.0), "page", ["waits"], "what", "ms", more_is_better=True
    )
    assert text.endswith("| ours | 8 | 4 | 0.5 |")


def test_without_a_run_before_there_is_no_ratio() -> None:
    text = compared(None, results(ours=4.0), "page", ["waits"], "what", "ms")
    assert text.splitlines() == ["| what | ms |", "| --- | --- |", "| ours | 4 |"]


def test_what_it_also_says_is_of_after() -> None:
    before, after = results(ours=8.0), results(ours=4.0)
    before.run("page").rows("waits")[0]["gap"] = 7  # type: ignore[index]
    after.run("page").rows("waits")[0]["gap"] = 3  # type: ignore[index]
    text = compared(before, after, "page", ["waits"], "what", "ms", also=["gap"])
    assert text.endswith("| ours | 8 | 4 | 2 | 3 |")


def test_what_was_not_run_has_no_rows_and_says_so() -> None:
    run = results().run("search")
    assert run.error == "it was not run"
    assert run.rows("search", 0, "levels") == []
    assert table(run.rows("search")) == "*not measured*"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.99934, "0.9993"), (0.7524, "0.752"), (16.84, "16.8"), (1234.5, "1,234"), (42441, "42,441"),
     (None, ""), (True, "yes"), ("a | b", "a \\| b"), (0.0, "0")],
)  # fmt: skip
def test_figures_have_the_digits_that_count(value: object, text: str) -> None:
    assert cell(value) == text


def test_whatever_a_result_holds_is_shown() -> None:
    result = {"seconds": 2.5, "ways": [{"way": "ours", "ms": 1, "levels": [{"at": 0.99, "ms": 2}]}]}
    text = "\n".join(tables_of(result, ""))
    for part in ("| 2.5 |", "| ours | 1 |", "### ways: ours, levels", "| 0.99 | 2 |"):
        assert part in text
