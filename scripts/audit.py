"""Known weaknesses of the locked libraries, by pip-audit.

    python -m scripts.audit               # of requirements-dev.lock, which has all of the others
    python -m scripts.audit --command .venv-audit/bin/pip-audit

Exits with 1 where a library has one that :data:`IGNORED` does not give a reason for. Where the
database does not answer it says so and exits with 0: a machine without a way there is no weakness.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import Any

from scripts.lock import DEV, PROJECT

#: Weaknesses that do not matter here: its id -> why. Each is looked at again with `make lock`.
IGNORED: dict[str, str] = {}
#: Seconds that the database has for all libraries.
PATIENCE = 600


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--command", default="pip-audit")
    try:
        report = _report(parser.parse_args().command)
    except (subprocess.TimeoutExpired, ValueError) as error:
        print(f"PASSED OVER: the database of weaknesses does not answer ({str(error)[:300]}).")
        return 0
    return judge(report["dependencies"])


def judge(libraries: list[dict[str, Any]]) -> int:
    """Say what is known of libraries, as pip-audit lists them; 1 where something matters."""
    looked_up = [library for library in libraries if "vulns" in library]
    unknown = [library["name"] for library in libraries if "vulns" not in library]
    if not looked_up:
        print("PASSED OVER: the database of weaknesses knows none of the libraries, so it is not")
        print("reached from here. Nothing was looked up.")
        return 0
    matters = 0
    for library in looked_up:
        for weakness in library["vulns"]:
            ids = {weakness["id"], *weakness.get("aliases", ())}
            reason = next((IGNORED[known] for known in sorted(ids) if known in IGNORED), None)
            matters += reason is None
            fixed = ", ".join(weakness.get("fix_versions", ())) or "no version yet"
            said = f"ignored: {reason}" if reason else f"mended in {fixed}"
            print(f"{library['name']} {library['version']}: {' '.join(sorted(ids))} ({said})")
    print(f"{len(looked_up)} libraries looked up, {matters} weaknesses that matter.")
    if unknown:
        print(f"Not looked up: {', '.join(unknown)}")
    return int(matters > 0)


def _report(command: str) -> dict[str, Any]:
    """What pip-audit says. Raises ``ValueError`` where it says nothing that can be read."""
    # The lock file has every library already: nothing is resolved or installed.
    arguments = ["--disable-pip", "--require-hashes", "--format=json", "--progress-spinner=off"]
    ran = subprocess.run(
        [command, *arguments, "--requirement", str(PROJECT / DEV)],
        capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    try:
        report: dict[str, Any] = json.loads(ran.stdout)
    except ValueError:
        raise ValueError(ran.stderr.strip()[-300:] or "it says nothing") from None
    return report


if __name__ == "__main__":
    sys.exit(main())
