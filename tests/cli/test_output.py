from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitting_room.cli.output import printable, show


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\rb\x08", "a\\rb\\x08"),
        ("\x9b31m", "\\x9b31m"),
        ("abc\u202egpj.exe", "abc\\u202egpj.exe"),
        ("été\tx\ny", "été\tx\ny"),
    ],
)
def test_control_characters_are_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_nothing_that_steers_a_terminal_is_printed(text: str) -> None:
    shown = printable(text)
    assert all(c.isprintable() or c in "\n\t" or ord(c) >= 0xA0 for c in shown)
    assert not set(shown) & set("\x1b\x9b\r\x07\u202e")


def test_lines_are_printed_each(capsys: pytest.CaptureFixture[str]) -> None:
    show("a\x07", 2)
    assert capsys.readouterr().out == "a\\x07\n2\n"
