"""One picture's path from bytes to matches as a flame graph, and its largest entries as a table.

    pip install -r benchmarks/requirements.txt
    python benchmarks/flame_graph.py [--index cache/fashion] [--seconds 30] [--picture FILE ...]
        [--output docs/flame-graph.svg] [--json]

A process searches with the samples, or with other pictures, one by one, again and again: what the
page and the API do for each. py-spy looks at it several hundred times a second and draws what it
saw, of all threads; the width of an entry is its share of the time.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

from at_hand import index as index_at
from common import PROJECT, finish, parsed, parser_of, say, table

from fitting_room.facade import FittingRoom
from fitting_room.search import answers
from fitting_room.util.threads import limit_blas_threads

SAMPLES = PROJECT / "data" / "samples"
TITLE = "One picture's path, from bytes to matches"
#: How py-spy writes an entry: its function, file and line, and its place in looks and pixels.
ENTRY = re.compile(
    r"<title>(\S+) \((\S+?):\d+\) \([\d,]+ samples[^<]*</title>"
    r'<rect [^>]*?y="(\d+)"[^>]*? fg:x="(\d+)" fg:w="(\d+)"'
)
READY = "ready"


def main() -> int:
    parser = parser_of(__doc__, index=True)
    parser.add_argument("--picture", type=Path, nargs="+", default=sorted(SAMPLES.glob("*.jpg")))
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--rate", type=int, default=250, help="looks a second")
    parser.add_argument("--output", type=Path, default=PROJECT / "docs" / "flame-graph.svg")
    parser.add_argument("--search", action="store_true", help=argparse.SUPPRESS)
    options = parsed(parser, seconds=3)
    options.index = index_at(options.index)
    if options.search:
        return search_for_ever(options)
    record(options)
    rows = largest(options.output.read_text("utf-8"))
    say(f"one picture, bytes to matches: the ten largest entries of {options.output}")
    table(rows)
    return finish({"entries": rows}, options.json)


def search_for_ever(options: Any) -> int:
    """What is looked at."""
    fitting_room = FittingRoom.open(options.index)
    limit_blas_threads()  # as the page does
    pictures = [picture.read_bytes() for picture in options.picture]
    for data in pictures:
        one_picture(fitting_room, data)
    say(READY)
    while True:
        for data in pictures:
            one_picture(fitting_room, data)


def one_picture(fitting_room: FittingRoom, data: bytes) -> answers.Answer:
    """From bytes to matches, and to what is said of them."""
    features = fitting_room.describe([data])
    matches = fitting_room.search(features, 12, fold=True)
    return answers.answer(fitting_room, features, matches)


def record(options: Any) -> None:
    """Have py-spy draw what a process of its own does. Raises ``SystemExit`` where it may not."""
    own = [sys.executable, __file__, "--search", "--index", str(options.index), "--picture"]
    search = subprocess.Popen([*own, *map(str, options.picture)], stderr=subprocess.PIPE, text=True)
    try:
        assert search.stderr is not None
        if not any(line.strip() == READY for line in search.stderr):
            raise SystemExit("the search did not start")
        spy = subprocess.run(
            [
                "py-spy", "record", "--pid", str(search.pid), "--duration", str(options.seconds),
                "--rate", str(options.rate), "--function", "--nonblocking", "--format",
                "flamegraph", "--output", str(options.output),
            ],
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        if spy.returncode:
            raise SystemExit(f"py-spy could not look (it may need sudo): {spy.stderr.strip()}")
        # In its place py-spy writes its whole command, with this machine's folders.
        picture = options.output.read_text("utf-8")
        options.output.write_text(re.sub(r"py-spy record [^<]*", TITLE, picture), "utf-8")
    finally:
        search.kill()
        search.wait()


@dataclass(frozen=True)
class Entry:
    """An entry of the picture: a function and its file, and where in the picture it is, in looks
    from the left and in pixels from above."""

    name: str
    file: str
    left: int
    looks: int
    top: int

    def holds(self, other: Entry) -> bool:
        """Whether another entry, one below it in the picture, was called by it."""
        return self.left <= other.left and other.left + other.looks <= self.left + self.looks


def largest(picture: str) -> list[dict[str, Any]]:
    """The ten functions of this project with the greatest share of all that was seen, by what they
    compute themselves and have libraries compute."""
    entries = [
        Entry(unescape(name), file, int(left), int(looks), int(top))
        for name, file, top, left, looks in ENTRY.findall(picture)
    ]
    by_top: dict[int, list[Entry]] = {}
    for entry in entries:
        by_top.setdefault(entry.top, []).append(entry)
    own: Counter[Entry] = Counter()
    for entry in filter(_is_ours, entries):
        own[entry] += entry.looks
        if (caller := _caller(entry, by_top)) is not None:
            own[caller] -= entry.looks
    of_function: Counter[tuple[str, str]] = Counter()
    for entry, looks in own.items():
        of_function[entry.name, entry.file] += looks
    total = max((entry.left + entry.looks for entry in entries), default=1)
    return [
        {"function": name, "in": file, "share": looks / total}
        for (name, file), looks in of_function.most_common(10)
    ]


def _is_ours(entry: Entry) -> bool:
    return entry.file.startswith("fitting_room/")


def _caller(entry: Entry, by_top: dict[int, list[Entry]]) -> Entry | None:
    """The function of this project that an entry was called by, through whatever libraries."""
    for top in sorted((top for top in by_top if top < entry.top), reverse=True):
        for above in by_top[top]:
            if above.holds(entry) and _is_ours(above):
                return above
    return None


if __name__ == "__main__":
    sys.exit(main())
