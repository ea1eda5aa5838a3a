"""Stems of words."""

from __future__ import annotations

import pytest

from fitting_room.util import stems
from fitting_room.util.stems import WordsUnavailableError, stem


def test_endings_are_taken_off() -> None:
    assert [stem(word) for word in ("dresses", "dress", "Shirts", "striped", "4711")] == [
        "dress", "dress", "shirt", "stripe", "4711",
    ]  # fmt: skip


def test_what_is_no_word_is_left_as_it_is() -> None:
    assert stem("") == ""
    assert stem("—") == "—"


def test_a_python_without_a_full_text_index_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stems, "_TABLES", "CREATE VIRTUAL TABLE words USING no_such_module(word)")
    stems._database.cache_clear()
    try:
        with pytest.raises(WordsUnavailableError, match="no full-text index"):
            stem("neverstemmedbefore")
    finally:
        stems._database.cache_clear()
