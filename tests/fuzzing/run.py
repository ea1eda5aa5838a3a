"""Fuzz with atheris, which changes its inputs towards lines that were not reached before.

    python -m tests.fuzzing.run --minutes 10                    # each target so long: make fuzz
    python -m tests.fuzzing.run --target decode --minutes 60
    python -m tests.fuzzing.run --target decode FILE...         # once more what was found

It goes on after a finding, of which each traceback is told once; the inputs of findings, and what
was reached so far, are kept below ``cache/fuzzing``. Exits with 1 where anything was found. Needs
the extra ``fuzz``, whose wheels are for Linux on x86 alone.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent
KEPT = PROJECT / "cache" / "fuzzing"
NAMES = ("decode", "tables", "archives", "manifest", "index", "head")
MISSING = (
    "atheris is not installed. On Linux on x86: pip install -e '.[fuzz]'. "
    "Elsewhere there are no wheels of it; pytest tests/fuzzing tries the corpus everywhere."
)
#: One input may take so many seconds, a decoder's own limit and some, and the process so many MB.
SECONDS, MEGABYTES = 25, 3_000
#: Where the process dies, as of a decoder that comes down, it is begun again so many times.
MAX_DEATHS = 20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", choices=NAMES, action="append")
    parser.add_argument("--minutes", type=float, default=10, help="for each target")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("files", nargs="*", type=Path, help="inputs to try once more")
    options = parser.parse_args()
    targets = options.target or NAMES
    if options.files:
        return sum(_again(targets[0], path) for path in options.files)
    if importlib.util.find_spec("atheris") is None:
        print(MISSING, file=sys.stderr)
        return 2
    if options.child is not None:
        _fuzz(targets[0], options.child, options.minutes)
    return max(_run(target, options.minutes) for target in targets)


def _again(target: str, path: Path) -> int:
    """Try an input; says what comes of it."""
    from tests.fuzzing.targets import TARGETS

    try:
        TARGETS[target](path.read_bytes())
    except Exception:
        traceback.print_exc()
        return 1
    print(f"{path}: as promised")
    return 0


def _run(target: str, minutes: float) -> int:
    """Fuzz a target in processes of its own; says what they did."""
    findings, began, runs, deaths = KEPT / f"{target}-findings", time.monotonic(), 0, 0
    findings.mkdir(parents=True, exist_ok=True)
    known = set(findings.iterdir())
    with tempfile.TemporaryDirectory(prefix="fuzzing-") as work:
        while (left := minutes - (time.monotonic() - began) / 60) > 0 and deaths < MAX_DEATHS:
            log = Path(work) / "log"
            command = [sys.executable, "-m", "tests.fuzzing.run", "--target", target]
            with log.open("w") as file:
                code = subprocess.run(
                    [*command, "--minutes", f"{left:.3f}", "--child", findings],
                    cwd=PROJECT, stdout=file, stderr=file, check=False,
                    env={**os.environ, "TMPDIR": work},  # atheris ends without tidying up
                ).returncode  # fmt: skip
            said = log.read_text(errors="replace")
            runs += _number(said, r"stat::number_of_executed_units: (\d+)") or _number(
                said, r"#(\d+)\t"
            )
            if code == 0:
                break
            deaths += 1
            print(said[-3_000:])
    found = sorted(set(findings.iterdir()) - known)
    for path in found:
        print(f"  {path.relative_to(PROJECT)}")
    seconds = time.monotonic() - began
    print(
        f"{target:10} {runs:10,} inputs  {seconds / 60:6.1f} minutes  {len(found):3} findings  "
        f"{deaths:3} deaths",
        flush=True,
    )
    return int(bool(found or deaths))


def _number(text: str, pattern: str) -> int:
    """The last number of that form in a text, or 0."""
    return int((re.findall(pattern, text) or ["0"])[-1])


def _fuzz(target: str, findings: Path, minutes: float) -> None:
    """Never returns: atheris ends the process."""
    import atheris

    with atheris.instrument_imports(include=["fitting_room"]):
        from tests.fuzzing import corpus
        from tests.fuzzing.targets import TARGETS
    kept, begun = KEPT / target, Path(tempfile.mkdtemp(prefix="fuzzing-"))
    kept.mkdir(parents=True, exist_ok=True)
    for name, data in corpus.seeds(target).items():
        (begun / hashlib.sha256(name.encode()).hexdigest()).write_bytes(data)

    def one(data: bytes) -> None:
        try:
            TARGETS[target](data)
        except Exception as error:
            _keep(findings, error, data)

    options = [
        f"-max_total_time={minutes * 60:.0f}", f"-timeout={SECONDS}", "-print_final_stats=1",
        f"-rss_limit_mb={MEGABYTES}", f"-max_len={corpus.MAX_LENGTH}",
        f"-artifact_prefix={findings}/",
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(kept), str(begun)], one)
    atheris.Fuzz()


def _keep(findings: Path, error: Exception, data: bytes) -> None:
    """Write down an input and its traceback, once for each place that an error comes from."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{type(error).__name__} {frames[-1].filename}:{frames[-1].lineno}" + "".join(
        f" {frame.name}:{frame.lineno}" for frame in frames if "fitting_room" in frame.filename
    )
    path = findings / hashlib.sha256(place.encode()).hexdigest()[:12]
    if not path.exists():
        path.write_bytes(data)
        text = "".join(traceback.format_exception(error))
        path.with_suffix(".txt").write_text(text, encoding="utf-8", errors="replace")


if __name__ == "__main__":
    sys.exit(main())
