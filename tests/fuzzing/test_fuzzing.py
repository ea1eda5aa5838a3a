"""The corpus of hostile files, and some mutations of each: nothing but refusals and sound answers.
``make fuzz`` goes on from there."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from tests.fuzzing import corpus, run
from tests.fuzzing.targets import TARGETS, Target

#: Mutations of each file: as many as a minute has time for, in all.
MUTATIONS = {"decode": 4, "tables": 3, "archives": 2, "manifest": 1, "index": 2, "head": 30}


def _try(target: Target, name: str, data: bytes) -> None:
    try:
        target(data)
    except Exception as error:
        error.add_note(f"{name}: {data[:200]!r}")
        raise


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.filterwarnings("ignore")
def test_hostile_files_are_refused_or_read(name: str) -> None:
    seeds, chance = corpus.seeds(name), random.Random(name)
    whole = list(seeds.values())
    for what, data in seeds.items():
        _try(TARGETS[name], what, data)
        for number in range(MUTATIONS[name]):
            _try(TARGETS[name], f"{what}, mutation {number}", corpus.mutated(data, whole, chance))


@pytest.mark.parametrize("name", ["decode", "tables", "archives", "head"])
def test_the_corpus_is_the_same_each_time(name: str) -> None:
    once, again = corpus.seeds(name), corpus.seeds(name)
    assert list(once) == list(again)
    # names alone: a diff of the bytes fills a log
    assert [seed for seed, data in once.items() if data != again[seed]] == []


def test_every_target_can_be_fuzzed() -> None:
    assert tuple(TARGETS) == run.NAMES


def test_an_error_that_is_no_refusal_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzzing.targets.open_image", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        TARGETS["decode"](b"")


def test_without_atheris_the_command_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(sys, "argv", ["run", "--target", "decode"])
    assert run.main() == 2


@pytest.mark.parametrize(("name", "code"), [("decode", 0), ("broken", 1)])
def test_an_input_can_be_tried_once_more(
    name: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "input"
    path.write_bytes(b"no picture")
    monkeypatch.setitem(TARGETS, "broken", lambda data: 1 / 0)
    monkeypatch.setattr(run, "NAMES", (*run.NAMES, "broken"))
    monkeypatch.setattr(sys, "argv", ["run", "--target", name, str(path)])
    assert run.main() == code


def test_a_finding_is_kept_once_with_its_traceback(tmp_path: Path) -> None:
    for data in (b"first", b"second"):
        try:
            raise KeyError("no refusal")
        except KeyError as error:
            run._keep(tmp_path, error, data)
    kept, told = sorted(tmp_path.iterdir())
    assert kept.read_bytes() == b"first"
    assert "no refusal" in told.read_text("utf-8")
