"""What the search for known weaknesses makes of pip-audit's answers."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from scripts import audit

SOUND = {"name": "tqdm", "version": "4.66", "vulns": []}
WEAK = {
    "name": "pillow", "version": "1.0",
    "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["1.1"]}],
}  # fmt: skip
UNKNOWN = {"name": "torch", "skip_reason": "Dependency not found"}


def test_a_weakness_fails_and_names_the_version_without_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert audit.judge([SOUND, WEAK, UNKNOWN]) == 1
    said = capsys.readouterr().out
    assert "pillow 1.0: CVE-1 PYSEC-1 (mended in 1.1)" in said
    assert "Not looked up: torch" in said


def test_a_weakness_with_a_reason_does_not_fail(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(audit.IGNORED, "CVE-1", "it is not called")
    assert audit.judge([SOUND, WEAK]) == 0
    assert "ignored: it is not called" in capsys.readouterr().out


def test_libraries_without_a_weakness_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.judge([SOUND]) == 0
    assert "PASSED OVER" not in capsys.readouterr().out


@pytest.mark.parametrize("said", ["", "no JSON", '{"dependencies": [{"name": "torch"}]}'])
def test_a_database_that_does_not_answer_is_passed_over_and_told(
    said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*_: Any, **__: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 1, said, "no connection")

    monkeypatch.setattr("subprocess.run", run)
    monkeypatch.setattr("sys.argv", ["audit"])
    assert audit.main() == 0
    assert capsys.readouterr().out.startswith("PASSED OVER")
