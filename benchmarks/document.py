"""Write docs/performance.md from its sections and from what was measured.

    python -m benchmarks.document [--check]

The sections are the files of docs/performance/, in the order of their names, in Jinja's language;
what they can say of the results is in :class:`Results` and :class:`Run`. The results are those that
``python -m benchmarks.run`` wrote to benchmarks/results/before and benchmarks/results/after, of one
machine. ``--check`` writes nothing and fails where the page is another.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
from common import PROJECT, say

PAGE = PROJECT / "docs" / "performance.md"
SECTIONS = PROJECT / "docs" / "performance"
RESULTS = PROJECT / "benchmarks" / "results"
HEADER = (
    "<!-- Written by `python -m benchmarks.document` from docs/performance/ and "
    "benchmarks/results/, which are what to change. -->\n\n"
)
Row = Mapping[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    text = written()
    if options.check:
        if PAGE.read_text("utf-8") == text:
            return 0
        say(f"{PAGE} is not what its sections and results say. Run: python -m benchmarks.document")
        return 1
    PAGE.write_text(text, "utf-8")
    return 0


def written() -> str:
    """The page."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    before, after = (Results.read(RESULTS / name) for name in ("before", "after"))
    if after is None:
        raise SystemExit(f"{RESULTS}/after has no results. Run: make bench")
    known = {
        "before": before,
        "after": after,
        "table": table,
        "compared": partial(compared, before, after),
    }
    sections = sorted(path for path in SECTIONS.glob("*.md") if path.name != "README.md")
    texts = (environment.from_string(p.read_text("utf-8")).render(known) for p in sections)
    return HEADER + "\n\n".join(text.strip() for text in texts) + "\n"


@dataclass(frozen=True)
class Run:
    """What one benchmark came to: its ``command`` and ``data``, and ``error`` where it failed."""

    name: str
    command: str
    data: Mapping[str, str]
    error: str | None
    result: Mapping[str, Any]

    def at(self, *path: str | int) -> Any:
        """A part of the result, by names and places. ``None`` where there is none."""
        value: Any = self.result
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def rows(self, *path: str | int, **where: Any) -> list[Row]:
        """The rows of a part of the result that have these values."""
        rows = self.at(*path) or []
        return [row for row in rows if all(row.get(k) == v for k, v in where.items())]

    @property
    def used(self) -> str:
        """What it ran on, in words."""
        return "; ".join(f"{what}: {label}" for what, label in self.data.items() if what != "size")


@dataclass(frozen=True)
class Results:
    """All of a ``results.json``."""

    machine: Mapping[str, Any]
    quick: bool
    load: Sequence[float]
    runs: Mapping[str, Run]

    @classmethod
    def read(cls, folder: Path) -> Results | None:
        path = folder / "results.json"
        return cls.of(json.loads(path.read_text("utf-8"))) if path.exists() else None

    @classmethod
    def of(cls, read: Mapping[str, Any]) -> Results:
        runs = {
            name: Run(
                name, run["command"], run.get("data", {}), run.get("error"), run.get("result", {})
            )
            for name, run in read["runs"].items()
        }
        return cls(read["machine"], read["quick"], read["load"], runs)

    def run(self, name: str) -> Run:
        """A run by its name; one that was not made has no result and says so."""
        return self.runs.get(name) or Run(name, "", {}, "it was not run", {})

    @property
    def sentence(self) -> str:
        """The machine, in a sentence."""
        of, busy = self.machine, ""
        if self.load and self.load[0] > 0.3:
            busy = f"; load {self.load[0]:.1f} in the minute before it began"
        has = ", ".join(of["instructions"]) or "neither AVX2 nor AVX512"
        libraries = ", ".join(f"{name} {v}" for name, v in of["libraries"].items())
        small = " As small as shows that it runs (`--quick`): no figures to quote." * self.quick
        return (
            f"{of['cores']} cores of {of['processor']} ({has}), {of['system']}, Python "
            f"{of['python']}, {libraries}; commit {of['commit']}{busy}.{small}"
        )


# --- tables -----------------------------------------------------------------------------------


def table(rows: Sequence[Row], columns: Mapping[str, str] | Sequence[str] | None = None) -> str:
    """Rows as a Markdown table. ``columns`` chooses some, and may give them other titles."""
    if not rows:
        return "*not measured*"
    if columns is None:
        columns = list(rows[0])
    titles = columns if isinstance(columns, Mapping) else {name: name for name in columns}
    lines = [list(titles.values()), ["---"] * len(titles)]
    lines += [[cell(row.get(name)) for name in titles] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def compared(
    before: Results | None,
    after: Results | None,
    run: str,
    path: Sequence[str | int],
    key: str,
    value: str,
    *,
    more_is_better: bool = False,
    also: Sequence[str] = (),
    **where: Any,
) -> str:
    """A table of one figure of each row of a result, before and after, and of what it ``also`` says
    after: rows are the same that have the same ``key``; "times as good" is above 1 for what got
    better. Without a result before it is the table of the one after."""
    of_after = {} if after is None else {r[key]: r for r in after.run(run).rows(*path, **where)}
    if before is None:
        return table(list(of_after.values()), [key, value, *also])
    of_before = {r[key]: r for r in before.run(run).rows(*path, **where)}
    rows = []
    for name in dict.fromkeys([*of_before, *of_after]):
        old, new = of_before.get(name, {}), of_after.get(name, {})
        row = {**new, key: name, "before": old.get(value), "after": new.get(value)}
        if row["before"] and row["after"]:
            ratio = row["after"] / row["before"]
            row["times as good"] = ratio if more_is_better else 1 / ratio
        rows.append(row)
    return table(rows, [key, "before", "after", "times as good", *also])


def cell(value: object) -> str:
    """A figure with three digits that count; one just below 1, such as a cosine, with four."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if value and abs(value) < 1:
            return f"{value:.4f}" if abs(value) > 0.99 else f"{value:.3g}"
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    if isinstance(value, int):
        return f"{value:,}"
    return "" if value is None else str(value).replace("|", "\\|")


# --- one page of one run ----------------------------------------------------------------------


def page_of(read: Mapping[str, Any]) -> str:
    """Everything that a ``results.json`` holds, as tables."""
    results = Results.of(read)
    parts = ["# What was measured", results.sentence]
    for run in results.runs.values():
        parts += [f"## {run.name}", f"`{run.command}`"]
        if run.data:
            parts.append(f"On {run.used}.")
        if run.error:
            parts.append(f"**It failed**: {run.error}")
        parts += tables_of(run.result, "")
    return "\n\n".join(parts) + "\n"


def tables_of(value: Any, title: str) -> Iterator[str]:
    """Whatever is in a result, rows and single figures, each under its title."""
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        flat = [{k: v for k, v in row.items() if not isinstance(v, list | dict)} for row in value]
        if title:
            yield f"### {title}"
        if flat[0]:
            yield table(flat)
        for number, row in enumerate(value):
            inner = {k: v for k, v in row.items() if isinstance(v, list | dict)}
            label = next((str(v) for v in flat[number].values()), str(number + 1))
            for name, part in inner.items():
                yield from tables_of(part, f"{title}: {label}, {name}".strip(": "))
    elif isinstance(value, dict):
        single = {k: v for k, v in value.items() if not isinstance(v, list | dict)}
        if single:
            yield from tables_of([single], title)
        for name, part in value.items():
            if isinstance(part, list | dict) and name != "rounds":  # every single one
                yield from tables_of(part, f"{title}: {name}".strip(": "))


if __name__ == "__main__":
    sys.exit(main())
