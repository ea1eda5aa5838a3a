"""A command that a signal stops, and what the system answers where nothing can be written."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fitting_room import cli
from fitting_room.cli import commands, in_words
from fitting_room.cli.stopping import SIGNALS, Stopped, stopped_by_signals
from fitting_room.util.progress import Listener, Progress
from tests.conftest import PROJECT


@contextmanager
def handlers_of(*numbers: int) -> Iterator[None]:
    """Whatever started the tests may have had these signals ignored."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            assert signal.getsignal(number) is signal.SIG_DFL  # as it was
            signal.signal(number, handler)


def stopping(number: int, when: Callable[[Progress], bool]) -> Callable[[], Any]:
    @contextmanager
    def progress() -> Iterator[Listener]:
        def listen(progress: Progress) -> None:
            if when(progress):
                signal.raise_signal(number)

        yield listen

    return progress


@pytest.mark.parametrize("number", SIGNALS, ids=[signal.Signals(n).name for n in SIGNALS])
@pytest.mark.parametrize("moment", ["Preparing the network", "Embedding pictures"])
def test_a_signal_stops_a_build_as_ctrl_c_does(
    run: Any,
    catalogue: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    moment: str,
) -> None:
    index = tmp_path / "index"
    embedding = moment.startswith("Embedding")

    def when(progress: Progress) -> bool:
        return progress.stage == moment and (progress.done == 6 or not embedding)

    with handlers_of(*SIGNALS), monkeypatch.context() as patch:
        patch.setattr(commands, "terminal_progress", stopping(number, when))
        ran = run("build", catalogue, "--index", index, "--json")
    assert (ran.status, ran.out) == (128 + number, "")
    assert f"stopped by {signal.Signals(number).name}. What is done is kept" in ran.err
    again = run("build", catalogue, "--index", index, "--json")
    assert again.lines[0]["reused"] == (6 if embedding else 0)
    assert {path.name for path in tmp_path.iterdir()} == {"index", ".index.lock"}


@pytest.mark.parametrize("command", ["train", "add", "remove", "fetch"])
def test_a_signal_stops_every_command(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    def stopped(*_: object) -> int:
        signal.raise_signal(signal.SIGTERM)
        time.sleep(60)  # never slept to its end: the signal comes first
        return 0

    arguments = {
        "train": ["train", "shop", "--index", "index"],
        "add": ["add", "a.jpg", "--index", "index"],
        "remove": ["remove", "1", "--index", "index"],
        "fetch": ["fetch", "fashion-product-images-small"],
    }[command]
    name = "train_head" if command == "train" else command
    real = getattr(cli, name)
    parser = cli.make_parser()
    options = parser.parse_args(arguments)
    assert options.run is real
    options.run = stopped
    monkeypatch.setitem(cli.STOPPED, stopped, cli.STOPPED[real])
    monkeypatch.setattr(cli, "make_parser", lambda: _Parsed(options))
    with handlers_of(*SIGNALS):
        ran = run(*arguments)
    assert (ran.status, ran.out) == (143, "")
    assert ("goes on from there" if command == "fetch" else "The index is whole") in ran.err


class _Parsed:
    def __init__(self, options: object) -> None:
        self.options = options

    def parse_args(self, _: object) -> object:
        return self.options


def test_a_second_signal_does_not_disturb_the_tidying_up() -> None:
    tidied = False
    with handlers_of(*SIGNALS), pytest.raises(Stopped) as stopped, stopped_by_signals():
        try:
            signal.raise_signal(SIGNALS[-1])
        finally:
            for number in SIGNALS:
                signal.raise_signal(number)
            tidied = True
    assert tidied
    assert stopped.value.number == SIGNALS[-1]


def test_an_ignored_signal_stays_ignored() -> None:
    """As under nohup."""
    with handlers_of(*SIGNALS):
        signal.signal(SIGNALS[-1], signal.SIG_IGN)
        with stopped_by_signals():
            signal.raise_signal(SIGNALS[-1])
        assert signal.signal(SIGNALS[-1], signal.SIG_DFL) is signal.SIG_IGN


def test_a_command_in_another_thread_leaves_signals_alone() -> None:
    failed: list[BaseException] = []

    def command() -> None:
        try:
            with stopped_by_signals():
                pass
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=command)
    thread.start()
    thread.join()
    assert not failed


SLOW = """
import sys, time
from fitting_room import cli
from fitting_room.cli import commands

def slow(options, settings):
    print("at work", flush=True)
    time.sleep(60)

parser = cli.make_parser()
options = parser.parse_args(["build", "shop", "--index", "index"])
cli.STOPPED[slow] = cli.STOPPED[options.run]
options.run = slow
parser.parse_args = lambda _: options
cli.make_parser = lambda: parser
sys.exit(cli.main([]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without asking it")
def test_a_process_that_is_asked_to_end_says_what_is_kept(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("FITTING_ROOM_")}
    with subprocess.Popen(
        [sys.executable, "-c", SLOW],
        cwd=PROJECT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert err.count("\n") == 1
    assert "stopped by SIGTERM. What is done is kept" in err


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "/shop: the disk is full. Make room there"),
        (errno.EACCES, "/shop: you may not read or write there. Change its rights"),
        (errno.EROFS, "/shop: nothing can be written there. Name another place."),
        (errno.ELOOP, "/shop: a link leads back to itself. Remove it"),
        (errno.ENAMETOOLONG, "/shop: the name is too long. Give a shorter one."),
    ],
)
def test_what_the_system_answers_is_told_with_a_remedy(number: int, said: str) -> None:
    assert in_words(OSError(number, os.strerror(number), "/shop")).startswith(said)
    nameless = in_words(OSError(number, os.strerror(number)))
    assert nameless[0].isupper()
    assert nameless.endswith(".")


def test_another_answer_of_the_system_is_told_as_it_is() -> None:
    assert in_words(OSError("the line is dead")) == "the line is dead"
