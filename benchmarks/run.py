"""Run the benchmarks one after the other, and write one JSON and one Markdown page of them.

    python -m benchmarks.run --out benchmarks/results/after [--index cache/fashion] [--quick]
    python -m benchmarks.run --out benchmarks/results/before --checkout ../before
    python -m benchmarks.run --out benchmarks/results/after --only page search   # these anew

Which they are stands in :data:`BENCHMARKS`. Each runs in a process of its own; one that fails is
named with its reason and does not stop the others. ``--checkout`` measures another checkout of this
project with the scripts of this one: taken on the same machine, the two are before and after, which
``python -m benchmarks.document`` lays side by side in docs/performance.md. With ``--only`` the
others stay as they were in ``results.json``, if the machine is the same.

On two idle cores with data beside the project all takes some 25 minutes, ``--quick`` without data a
few.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import PROJECT, machine, say, table

#: Seconds after which a benchmark is ended.
LONGEST = 900


@dataclass(frozen=True)
class Benchmark:
    """A script of this folder, the ``options`` that it always has, and what is ``measured``, which
    ``--quick`` takes the place of. ``index`` where it takes one."""

    script: str
    options: str = ""
    measured: str = ""
    index: bool = False

    def command(self, index: Path | None, *, quick: bool) -> list[str]:
        more = "--quick" if quick else self.measured
        words = [f"benchmarks/{self.script}.py", *shlex.split(self.options), *shlex.split(more)]
        return words if index is None or not self.index else [*words, "--index", str(index)]


BENCHMARKS = {
    "embed lite0": Benchmark(
        "embed",
        "--backbone efficientnet_lite0",
        "--pictures 400 --slow 8 --rounds 5 --prepared 2048",
    ),
    "embed resnet50": Benchmark(
        "embed", "--backbone resnet50", "--pictures 96 --slow 8 --rounds 3"
    ),
    "precision": Benchmark("precision", "", "--every 8"),
    "page": Benchmark("page", index=True),
    "transitions": Benchmark("transitions", "", "--rounds 5", index=True),
    "transitions of the demo": Benchmark("transitions", "", "--rounds 5"),
    "first start": Benchmark("first_start", "", "--rounds 2"),
    "api": Benchmark("api", "", "--seconds 5 --rounds 2", index=True),
    "search": Benchmark("search", "", "--items 200000", index=True),
    "build": Benchmark("build", "", "--items 30000", index=True),
    "catalogues": Benchmark("catalogues", "", "--pictures 5000 --rows 50000"),
}


def main() -> int:
    options = arguments()
    out: Path = options.out / "results.json"
    results = before_of(out, options)
    for name in options.only or BENCHMARKS:
        command = BENCHMARKS[name].command(options.index, quick=options.quick)
        say(f"\n== {name}: python {shlex.join(command)}")
        results["runs"][name] = ran(command, options.checkout)
        write(results, out)
    rows = [
        {"benchmark": name, "seconds": round(run["seconds"], 1), "came to": run.get("error", "")}
        for name, run in results["runs"].items()
    ]
    table(rows)
    say(f"{out} and {out.with_suffix('.md')}")
    return 1 if any("error" in results["runs"][name] for name in options.only or BENCHMARKS) else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="a folder for both files")
    parser.add_argument("--index", type=Path, help="cache/fashion, or else the demo's")
    parser.add_argument("--checkout", type=Path, default=PROJECT, help="what is measured")
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, metavar="NAME", default=[],
                        help="; ".join(BENCHMARKS))  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="as small as shows that it runs")
    options = parser.parse_args()
    options.checkout = options.checkout.resolve()
    if not (options.checkout / "fitting_room").is_dir():
        parser.error(f"--checkout: {options.checkout} is no checkout of this project.")
    os.environ["BENCHMARKED_CHECKOUT"] = str(options.checkout)
    return options


def before_of(out: Path, options: argparse.Namespace) -> dict[str, Any]:
    """What is there already where only some are run, or a new result."""
    now = machine()
    new: dict[str, Any] = {"machine": now, "quick": options.quick, "load": load(), "runs": {}}
    if not options.only or not out.exists():
        return new
    old: dict[str, Any] = json.loads(out.read_text("utf-8"))
    for what in ("processor", "cores", "system"):
        if old["machine"][what] != now[what]:
            say(f"{out} is of another machine ({old['machine'][what]}) and is begun anew.")
            return new
    return old | {"machine": now, "quick": options.quick or old["quick"]}


def load() -> list[float]:
    """How many processes wanted to compute in the last 1, 5 and 15 minutes, before it begins."""
    return [round(value, 2) for value in os.getloadavg()] if hasattr(os, "getloadavg") else []


def ran(command: list[str], checkout: Path) -> dict[str, Any]:
    """What a script measured, or why it did not."""
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    run: dict[str, Any] = {"command": f"python {shlex.join(command)}"}
    last: deque[str] = deque(maxlen=30)
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as answer:
        process = subprocess.Popen(
            [sys.executable, *command, "--json"],
            cwd=PROJECT, env=environment, stdout=answer, stderr=subprocess.PIPE,
            encoding="utf-8", errors="replace", start_new_session=True,
        )  # fmt: skip
        timer = threading.Timer(LONGEST, end, [process])
        timer.start()
        assert process.stderr is not None
        for line in process.stderr:
            sys.stderr.write(line)
            last.append(line.strip())
        code = process.wait()
        took_too_long = not timer.is_alive()
        timer.cancel()
        answer.seek(0)
        text = answer.read()
    run["seconds"] = time.perf_counter() - started
    if took_too_long:
        return run | {"error": f"ended after {LONGEST} seconds"}
    try:
        result = json.loads(text)
    except ValueError:
        said = [line for line in last if line]
        return run | {"error": said[-1][:300] if said else f"ended with {code} without a word"}
    for what in ("machine", "data"):  # the machine is the same for all
        if what == "data":
            run["data"] = result.get("data", {})
        result.pop(what, None)
    return run | {"result": result} | ({"error": f"ended with {code}"} if code else {})


def end(process: subprocess.Popen[str]) -> None:
    """End a script and what it started."""
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


def write(results: dict[str, Any], out: Path) -> None:
    from document import page_of

    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    out.with_suffix(".md").write_text(page_of(results), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
