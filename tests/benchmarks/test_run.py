"""All benchmarks in a row, and what is written of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import run as benchmarks_run
from benchmarks.run import BENCHMARKS, Benchmark, main
from tests.conftest import PROJECT

GOOD = """
import json, os, sys
print("working", file=sys.stderr)
rows = [{"way": "ours", "ms": 1.5}, {"way": "theirs", "ms": 3.0}]
data = {"catalogue": "a small one"}
print(json.dumps({"machine": {}, "data": data, "ways": rows, "argv": " ".join(sys.argv[1:]),
                  "of": os.environ["PYTHONPATH"]}))
"""
SCRIPTS = {
    "good": GOOD,
    "bad": "import sys; print('half', flush=True); sys.exit('the peer is not installed')",
    "slow": "import time; time.sleep(60)",
}


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A few scripts instead of the real ones."""
    folder = tmp_path / "project" / "benchmarks"
    folder.mkdir(parents=True)
    (tmp_path / "project" / "fitting_room").mkdir()
    for name, text in SCRIPTS.items():
        (folder / f"{name}.py").write_text(text, "utf-8")
    monkeypatch.setattr(benchmarks_run, "PROJECT", folder.parent)
    table = {
        "a good one": Benchmark("good", "--always", "--items 9", index=True),
        "a bad one": Benchmark("bad"),
        "the last": Benchmark("good"),
    }
    monkeypatch.setattr(benchmarks_run, "BENCHMARKS", table)
    return folder.parent


def start(monkeypatch: pytest.MonkeyPatch, out: Path, *more: str) -> tuple[int, dict[str, Any]]:
    arguments = ["run", "--out", str(out), "--checkout", str(benchmarks_run.PROJECT), *more]
    monkeypatch.setattr(sys, "argv", arguments)
    code = main()
    return code, json.loads((out / "results.json").read_text("utf-8"))


def test_one_that_fails_is_named_and_stops_no_other(
    scripts: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    code, results = start(monkeypatch, tmp_path / "out", "--index", "cache/some")
    assert code == 1
    runs = results["runs"]
    assert list(runs) == ["a good one", "a bad one", "the last"]
    assert runs["a bad one"]["error"] == "the peer is not installed"
    good = runs["a good one"]
    assert good["command"] == "python benchmarks/good.py --always --items 9 --index cache/some"
    assert good["result"]["argv"] == "--always --items 9 --index cache/some --json"
    assert good["result"]["of"] == str(scripts)
    assert good["data"] == {"catalogue": "a small one"}
    page = (tmp_path / "out" / "results.md").read_text("utf-8")
    assert "| ours | 1.5 |" in page
    assert "On catalogue: a small one." in page
    assert "**It failed**: the peer is not installed" in page
    assert results["machine"]["processor"] in page
    assert "working" in capfd.readouterr().err


def test_quick_takes_the_place_of_the_measured_size(
    scripts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, results = start(monkeypatch, tmp_path / "out", "--quick", "--only", "a good one")
    assert code == 0
    assert results["quick"] is True
    assert results["runs"]["a good one"]["result"]["argv"] == "--always --quick --json"
    assert "no figures to quote" in (tmp_path / "out" / "results.md").read_text("utf-8")


def test_only_some_leaves_the_others_as_they_were(
    scripts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(monkeypatch, tmp_path / "out")
    (scripts / "benchmarks" / "bad.py").write_text(GOOD, "utf-8")
    code, results = start(monkeypatch, tmp_path / "out", "--only", "a bad one")
    assert code == 0
    assert list(results["runs"]) == ["a good one", "a bad one", "the last"]
    assert not any("error" in run for run in results["runs"].values())


def test_results_of_another_machine_are_not_mixed(
    scripts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(monkeypatch, tmp_path / "out")
    path = tmp_path / "out" / "results.json"
    other = json.loads(path.read_text("utf-8"))
    other["machine"]["processor"] = "another"
    path.write_text(json.dumps(other), "utf-8")
    _, results = start(monkeypatch, tmp_path / "out", "--only", "the last")
    assert list(results["runs"]) == ["the last"]


def test_one_that_does_not_end_is_ended(
    scripts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmarks_run, "LONGEST", 0.3)
    monkeypatch.setattr(benchmarks_run, "BENCHMARKS", {"slow": Benchmark("slow")})
    _, results = start(monkeypatch, tmp_path / "out")
    assert results["runs"]["slow"]["error"].startswith("ended after")
    assert results["runs"]["slow"]["seconds"] < 30


def test_what_is_no_checkout_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["run", "--out", "x", "--checkout", str(tmp_path)])
    with pytest.raises(SystemExit):
        main()


def test_every_benchmark_of_the_table_is_a_script() -> None:
    for benchmark in BENCHMARKS.values():
        assert (PROJECT / "benchmarks" / f"{benchmark.script}.py").is_file()
