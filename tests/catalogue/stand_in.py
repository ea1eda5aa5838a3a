"""A stand-in for img2dataset that answers at once and leaves files as it does."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from fitting_room.catalogue import img2dataset

HOST = "https://pictures.example"
STAND_IN = """#!{python}
import json, os, sys
from pathlib import Path
import pandas as pd
given = Path({given!r})
given.with_name("calls.jsonl").open("a").write(json.dumps(sys.argv[1:]) + chr(10))
answers = json.loads(given.read_text())
asked = pd.read_parquet("addresses.parquet")["url"].tolist()
given.with_name("asked.jsonl").open("a").write(json.dumps(asked) + chr(10))
shard = Path("pictures/00000")
shard.mkdir(parents=True)
rows = []
for number, url in enumerate(asked):
    answer = answers.get(url, "HTTP Error 404: Not Found")
    stem = shard / f"{{number:08d}}"
    if answer.startswith("/") and Path(answer).is_file():
        stem.with_suffix(".jpg").write_bytes(Path(answer).read_bytes())
        record = {{"url": url, "status": "success", "error_message": None}}
        stem.with_suffix(".json").write_text(json.dumps(record))
    else:
        record = {{"url": url, "status": "failed_to_download", "error_message": answer}}
    rows.append(record)
if answers.get("stop"):
    sys.exit("no room left")
pd.DataFrame(rows).to_parquet("pictures/00000.parquet")
"""


class StandIn:
    """What the stand-in answers, and what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answers: dict[str, str] = {}
        self.set()

    def set(self, **answers: str) -> None:
        self.answers |= answers
        (self.folder / "answers.json").write_text(json.dumps(self.answers))

    def answer(self, name: str, data: bytes) -> str:
        path = self.folder / name.replace("/", "-")
        path.write_bytes(data)
        self.answers[f"{HOST}/{name}"] = str(path)
        self.set()
        return f"{HOST}/{name}"

    def lines(self, name: str) -> list[list[str]]:
        path = self.folder / name
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def asked(self) -> list[list[str]]:
        return self.lines("asked.jsonl")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    folder = tmp_path / "server"
    folder.mkdir()
    script = folder / "img2dataset"
    given = str(folder / "answers.json")
    script.write_text(STAND_IN.format(python=sys.executable, given=given))
    script.chmod(0o755)
    monkeypatch.setattr(img2dataset, "command", lambda: str(script))
    monkeypatch.setattr(img2dataset, "_LOOK_EVERY", 0.02)
    monkeypatch.setattr(
        "fitting_room.catalogue.addresses._is_own", lambda host: host == "own.example"
    )
    return StandIn(folder)
