"""Downloading many pictures with img2dataset, which runs as a command of its own.

It needs an older pandas than this program may have, and brings much that nothing else here uses, so
it is best installed in an environment of its own, where only its command is seen. It keeps the
bytes of what came as they are, whether they are a picture or not.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fitting_room.catalogue.download import DownloadError

COMMAND = "img2dataset"
MISSING = (
    "fetch needs img2dataset to download the pictures of a table. It has an environment of its "
    "own, of Python 3.11 or 3.12: pipx install --python python3.12 img2dataset"
)
#: How many pictures are downloaded at a time, so that no shop is overrun, the seconds in which a
#: server must say something, and how often a picture is tried once more.
THREADS, TIMEOUT, RETRIES = 16, 10, 1
#: Pictures of which the failures are known together.
PER_SHARD = 1_000
#: The longest description of a picture that came, and the most letters of a reason.
MAX_RECORD_BYTES, MAX_REASON = 100_000, 120
#: So that none of its libraries asks other hosts for news of itself.
_ENVIRONMENT = {"NO_ALBUMENTATIONS_UPDATE": "1", "WANDB_MODE": "disabled"}
#: Seconds between two looks at how far it is, and that it has to end in.
_LOOK_EVERY, _TO_END = 0.5, 5.0

ADDRESSES, PICTURES, LOG = "addresses.parquet", "pictures", "img2dataset.log"


def command() -> str:
    """The command of img2dataset: beside this Python, or on the path. Raises
    :class:`DownloadError` where there is none."""
    beside = shutil.which(COMMAND, path=str(Path(sys.executable).parent))
    if (found := beside or shutil.which(COMMAND)) is None:
        raise DownloadError(MISSING)
    return found


def arguments(*, ignore_robots: bool) -> list[str]:
    """The arguments for a download in the current folder."""
    options: dict[str, object] = {
        "url_list": ADDRESSES,
        "input_format": "parquet",
        "url_col": "url",
        "output_folder": PICTURES,
        "output_format": "files",
        "disable_all_reencoding": True,
        "resize_mode": "no",
        "extract_exif": False,
        "compute_hash": None,
        "enable_wandb": False,
        "processes_count": 1,
        "thread_count": THREADS,
        "number_sample_per_shard": PER_SHARD,
        "timeout": TIMEOUT,
        "retries": RETRIES,
        "user_agent_token": "fitting-room",
    }
    if ignore_robots:
        options["disallowed_header_directives"] = []
    return [f"--{name}={value}" for name, value in options.items()]


def run(
    addresses: Sequence[str],
    work: Path,
    *,
    ignore_robots: bool = False,
    on_count: Callable[[int], None] = lambda _: None,
) -> None:
    """Download what is at some ``addresses`` into the folder ``work``, from where
    :func:`arrivals` and :func:`failures` tell what came of it. ``on_count`` is told how many have
    come so far. Raises :class:`DownloadError` where img2dataset is missing or breaks down."""
    program = command()
    clear(work)
    pd.DataFrame({"url": list(addresses)}, dtype="str").to_parquet(work / ADDRESSES, index=False)
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    with (work / LOG).open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  (no shell, and no argument is of the table)
            [program, *arguments(ignore_robots=ignore_robots)],
            cwd=work,
            env=environment | _ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            while process.poll() is None:
                # It tells nobody how far it is: its files are looked at now and then.
                on_count(sum(1 for _ in _records(work)))
                time.sleep(_LOOK_EVERY)
        finally:
            _end(process)
    if process.returncode != 0:
        raise DownloadError(
            f"img2dataset broke down ({_last_line(work / LOG)}). The same command goes on from "
            f"what has come; {work / LOG} says more."
        )
    (work / LOG).unlink()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process, and those that it has started, if it was stopped on the way."""
    for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        if process.poll() is not None:
            return
        with suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, number)
            else:  # Windows
                process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_TO_END)


def _last_line(log: Path) -> str:
    with suppress(OSError):
        lines = log.read_text("utf-8", errors="replace")[-4_000:].split("\n")
        return plain(next((line for line in reversed(lines) if line.strip()), "no reason given"))
    return "no reason given"


def _records(work: Path) -> Iterator[Path]:
    """The descriptions of what has come, which are written after it."""
    with suppress(OSError):
        for shard in os.scandir(work / PICTURES):
            if shard.is_dir(follow_symlinks=False) and shard.name.isdigit():
                yield from (p for p in Path(shard.path).glob("*.json") if p.stem.isdigit())


def arrivals(work: Path) -> Iterator[tuple[str, Path]]:
    """The addresses of which something has come, with the file of it, also of a download that was
    stopped on the way."""
    for path in _records(work):
        try:
            if path.stat().st_size > MAX_RECORD_BYTES:
                continue
            record: Any = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):  # it was stopped while it wrote this
            continue
        if isinstance(record, dict) and isinstance(address := record.get("url"), str):
            file = path.with_suffix(".jpg")  # whatever it is
            if record.get("status") == "success" and file.is_file() and not file.is_symlink():
                yield address, file


def failures(work: Path) -> Mapping[str, str]:
    """Why nothing came from some addresses, as far as that is known."""
    reasons: dict[str, str] = {}
    for path in sorted((work / PICTURES).glob("*.parquet")):
        try:
            table = pq.read_table(path, columns=["url", "status", "error_message"]).to_pylist()
        except (OSError, pa.ArrowException):  # it was stopped while it wrote this
            continue
        for row in table:
            if row["status"] != "success" and isinstance(row["url"], str):
                reasons[row["url"]] = plain(str(row["error_message"]))
    return reasons


def plain(text: str) -> str:
    """What another program or a server says, without what would disturb a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)[:MAX_REASON].strip()


def clear(work: Path) -> None:
    """Remove what a download has left."""
    shutil.rmtree(work / PICTURES, ignore_errors=True)
    (work / ADDRESSES).unlink(missing_ok=True)
