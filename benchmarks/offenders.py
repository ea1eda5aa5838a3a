"""What do the worst files cost, and does anybody else notice?

    python benchmarks/offenders.py                 # each by itself, and 20 visitors at once
    python benchmarks/offenders.py --only tiff     # those whose name has this in it
    python benchmarks/offenders.py --keep DIR      # files that take long to make are made once

Each file of ``tests/imaging/offenders.py`` is opened in a fresh process: seconds of the processor
and peak memory of it and its worker together at most, and what came of it. Then ``--visitors``
threads open the dearest ones at the gate of the page, again and again, while one more opens an
ordinary picture: the peak memory of all processes, and the slowest answer. Linux and macOS.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from common import PROJECT, finish, measured_checkout, parsed, parser_of, say, table, used

#: Loads what decodes and nothing else, so that the memory is that of decoding.
CHILD = f"""
import json, pathlib, re, resource, sys, time, types
package = types.ModuleType("fitting_room")
package.__path__ = [{str(measured_checkout() / "fitting_room")!r}]
sys.modules["fitting_room"] = package
from fitting_room.imaging import workers
from fitting_room.imaging.decode import ImageRejected, open_image
data = open(sys.argv[1], "rb").read()
def used(who):
    usage = resource.getrusage(who)
    most = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    status = pathlib.Path("/proc/self/status")
    if who == resource.RUSAGE_SELF and status.exists():
        # Linux counts there what the parent had when it started this process.
        most = int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1]) / 2**10
    return usage.ru_utime + usage.ru_stime, most
before, began = used(resource.RUSAGE_SELF)[0], time.perf_counter()
try:
    outcome = "{{}} x {{}}".format(*open_image(data).size)
except ImageRejected as rejected:
    outcome = rejected.reason
waited = time.perf_counter() - began
workers.WORKERS.close()
own, child = used(resource.RUSAGE_SELF), used(resource.RUSAGE_CHILDREN)
print(json.dumps(dict(seconds=own[0] - before + child[0], waited=waited,
    megabytes=max(own[1], child[1]), apart=child[1] > 0, outcome=outcome)))
"""
#: Of what is worst: dear in memory, in time, and accepted.
WORST = (
    "jpeg progressive", "png of 16 bit colours", "tiff of integers", "tiff of floats", "gif",
    "bmp padded", "bmp of runs", "jpeg of many scans", "tiff of cmyk", "png of two colours",
)  # fmt: skip


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--keep", type=Path, default=Path("cache") / "offenders")
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=40)
    options = parsed(parser, only="gif")
    used["files"] = "made, each hostile in its own way"
    files = made(options.keep, options.only)
    rows = [{"file": name, "KB": f"{path.stat().st_size / 1e3:,.3g}", **alone(path)}
            for name, path in files.items()]  # fmt: skip
    table(rows)
    result: dict[str, object] = {"alone": rows}
    if not options.only and options.visitors:
        crowd = together([files[name] for name in WORST], options.visitors, options.seconds)
        table([crowd])
        result["together"] = crowd
    return finish(result, options.json)


def made(folder: Path, only: str) -> dict[str, Path]:
    """The files, made where they are not there yet."""
    sys.path.append(str(PROJECT))
    from tests.imaging.offenders import EVERY

    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for name, make in EVERY.items():
        if only in name:
            files[name] = folder / name.replace(" ", "_")
            if not files[name].exists():
                say(f"making {name} …")
                files[name].write_bytes(make())
    return files


def alone(path: Path) -> dict[str, object]:
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHILD, str(path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if run.returncode:
        return {"CPU s": "", "MB": "", "apart": "", "outcome": f"died: {run.stderr[-60:]}"}
    cost = json.loads(run.stdout)
    return {
        "CPU s": f"{cost['seconds']:.2f}",
        "MB": f"{cost['megabytes']:.0f}",
        "apart": "yes" if cost["apart"] else "no",
        "outcome": cost["outcome"][:60],
    }


def together(paths: list[Path], visitors: int, seconds: float) -> dict[str, object]:
    """The worst files at the gate by many, and an ordinary picture by one more."""
    from fitting_room.imaging.decode import ImageRejected, open_image
    from fitting_room.imaging.gate import BUSY, VISITORS

    ordinary = (PROJECT / "data" / "samples" / "red-dress.jpg").read_bytes()
    files, until = [path.read_bytes() for path in paths], time.monotonic() + seconds
    answers, outcomes, peak = [], {"opened": 0, "refused": 0, "busy": 0}, [0.0]

    def visit(number: int) -> None:
        while time.monotonic() < until:
            number += 1
            try:
                open_image(files[number % len(files)], gate=VISITORS)
                outcomes["opened"] += 1
            except ImageRejected as rejected:
                outcomes["busy" if rejected.reason == BUSY else "refused"] += 1

    def watch() -> None:
        while time.monotonic() < until:
            peak[0] = max(peak[0], memory_of_all())
            time.sleep(0.02)

    threads = [threading.Thread(target=visit, args=(n,)) for n in range(visitors)]
    threads.append(threading.Thread(target=watch))
    for thread in threads:
        thread.start()
    while time.monotonic() < until:
        began = time.perf_counter()
        open_image(ordinary, gate=VISITORS)
        answers.append(time.perf_counter() - began)
        time.sleep(0.1)
    for thread in threads:
        thread.join()
    return {
        "visitors": visitors, **outcomes, "peak MB of all": f"{peak[0]:.0f}",
        "ordinary picture, slowest s": f"{max(answers):.2f}",
        "median s": f"{sorted(answers)[len(answers) // 2]:.3f}",
    }  # fmt: skip


def memory_of_all() -> float:
    """Megabytes of this process and its workers."""
    listed = subprocess.run(
        ["ps", "-o", "rss=,ppid=,pid=", "-A"], capture_output=True, text=True, check=True
    ).stdout
    rows = [tuple(map(int, line.split())) for line in listed.splitlines()]
    return sum(rss for rss, parent, own in rows if os.getpid() in (parent, own)) / 2**10


if __name__ == "__main__":
    sys.exit(main())
