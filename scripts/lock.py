"""The lock files: one version of every library, with the digests of its files.

    python -m scripts.lock              # make lock: makes them, and keeps what they hold already
    python -m scripts.lock --upgrade    # with the newest versions
    python -m scripts.lock --check      # fails where they do not go with pyproject.toml, offline
    python -m scripts.lock --without-cuda    # prints requirements.lock without torch and CUDA
    python -m scripts.lock --without-cuda requirements-cluster.lock    # that one

``requirements.lock`` is for running the program, ``requirements-serve.lock`` for serving an index
alone, ``requirements-cluster.lock`` for building on many machines, ``requirements-dev.lock`` for
the gate, ``requirements-audit.lock`` for what looks for known weaknesses in the others. All are
for every system and Python that pyproject.toml names. uv resolves (``[tool.uv]`` in
pyproject.toml).
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parent.parent
HEAD = "# Made by: python -m scripts.lock (make lock). Do not edit.\n"
MAX_BYTES = 2**20

RUN, DEV, AUDIT = "requirements.lock", "requirements-dev.lock", "requirements-audit.lock"
SERVE, CLUSTER = "requirements-serve.lock", "requirements-cluster.lock"
#: Lock file -> the extras and groups of pyproject.toml that it holds, beside the dependencies. That
#: of the audit holds its group alone.
EXTRAS = {
    RUN: ("build", "train"), SERVE: (), CLUSTER: ("build", "train", "cluster", "s3", "jobs"),
    DEV: ("build", "train", "dev"), AUDIT: (),
}  # fmt: skip
GROUPS = {RUN: (), SERVE: (), CLUSTER: (), DEV: ("build",), AUDIT: ("audit",)}

_OWN = re.compile(r"^ +# +(?:via +)?fitting-room \(pyproject\.toml", re.MULTILINE)
_OF_CUDA = re.compile(r"(?:torch|torchvision|triton|nvidia-[\w-]+|cuda-[\w-]+)==")
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")

#: Systems and Pythons that a pin may be for; of each requirement one pin must be for each.
_SYSTEMS = (
    ("linux", "Linux", "posix", "x86_64"), ("linux", "Linux", "posix", "aarch64"),
    ("darwin", "Darwin", "posix", "arm64"), ("win32", "Windows", "nt", "AMD64"),
    ("win32", "Windows", "nt", "ARM64"),
)  # fmt: skip
_PYTHONS = ("3.11", "3.12", "3.13", "3.14")


@dataclass(frozen=True, slots=True)
class Pin:
    """A line of a lock file: what it asks for, whether pyproject.toml itself names it, and how many
    digests it has."""

    requirement: Requirement
    is_own: bool
    hashes: int

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str:
        """The version, or "" where the line does not give exactly one."""
        pinned = re.fullmatch(r"==([^,*]+)", str(self.requirement.specifier))
        return pinned[1] if pinned else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--upgrade", action="store_true")
    parser.add_argument("--without-cuda", nargs="?", const=RUN, metavar="FILE")
    options = parser.parse_args()
    if options.without_cuda:
        sys.stdout.write(without_cuda(Path(options.without_cuda).read_text("utf-8")))
        return 0
    if not options.check:
        for name in (DEV, RUN, SERVE, CLUSTER, AUDIT):
            make(PROJECT, name, upgrade=options.upgrade)
    wrong = list(problems(PROJECT))
    if wrong:
        print(*wrong, "Run: make lock", sep="\n", file=sys.stderr)
    return bool(wrong)


def without_cuda(text: str) -> str:
    """A lock file without torch and torchvision, which an image has from PyTorch's own index of
    wheels for CPUs, and without what torch has on PyPI for GPUs alone."""
    blocks = re.split(r"\n(?=[^\s#])", text)
    return "\n".join(block for block in blocks if not _OF_CUDA.match(block)) + "\n"


def make(project: Path, name: str, *, upgrade: bool = False) -> None:
    """Make a lock file with uv."""
    command = ["uv", "pip", "compile", "--quiet"]
    command += [f"--extra={extra}" for extra in EXTRAS[name]]
    command += [f"--group={group}" for group in GROUPS[name]]
    command += ["--upgrade"] if upgrade else []
    path = project / name
    with tempfile.TemporaryDirectory() as work:
        made = Path(work) / name
        if path.exists():  # what it holds is kept
            made.write_text(path.read_text("utf-8"), encoding="utf-8")
        elif name in (RUN, SERVE, CLUSTER) and (project / DEV).exists():
            made.write_text((project / DEV).read_text("utf-8"), encoding="utf-8")
        sources = [] if name == AUDIT else ["pyproject.toml"]
        subprocess.run(
            [*command, *sources, "--output-file", str(made)],
            cwd=project, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        path.write_text(HEAD + made.read_text("utf-8").removeprefix(HEAD), encoding="utf-8")


# --- the check --------------------------------------------------------------------------------


def problems(project: Path) -> Iterator[str]:
    """In what the lock files do not go with pyproject.toml, or with each other."""
    described = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
    locked: dict[str, list[Pin]] = {}
    for name in EXTRAS:
        path = project / name
        if not path.is_file():
            yield f"{name}: it is not there."
            continue
        text = path.read_text("utf-8")
        yield from (f"{name}: {problem}" for problem in _problems_of_text(text))
        try:
            locked[name] = list(pins(text))
        except InvalidRequirement as error:
            yield f"{name}: a line that is no requirement ({error})."
            continue
        yield from (f"{name}: {p}" for p in _problems_of(locked[name], _wanted(described, name)))
    in_gate = {(pin.name, pin.version) for pin in locked.get(DEV, ())}
    for name in (RUN, SERVE):
        for pin in locked.get(name, ()):
            if locked.get(DEV) and (pin.name, pin.version) not in in_gate:
                yield (
                    f"{name}: {pin.name} {pin.version} is not what {DEV} has, so no test ran "
                    "with it."
                )


def pins(text: str) -> Iterator[Pin]:
    """The lines of a lock file. Raises ``InvalidRequirement``."""
    for block in re.split(r"\n(?=[^\s#])", "\n" + text):
        first = block.partition("\n")[0].removesuffix("\\").strip()
        if first and not first.startswith("#"):
            yield Pin(Requirement(first), _OWN.search(block) is not None, len(_HASH.findall(block)))


def _wanted(described: dict[str, Any], lock: str) -> list[Requirement]:
    """What pyproject.toml asks for in a lock file."""
    project, groups = described["project"], described["dependency-groups"]
    texts = [] if lock == AUDIT else list(project["dependencies"])
    for extra in EXTRAS[lock]:
        texts += project["optional-dependencies"][extra]
    for group in GROUPS[lock]:
        texts += groups[group]
    held = described["tool"]["uv"]["constraint-dependencies"]
    asked = [Requirement(text) for text in texts]
    names = {canonicalize_name(requirement.name) for requirement in asked}
    return asked + [r for r in map(Requirement, held) if canonicalize_name(r.name) in names]


def _problems_of_text(text: str) -> Iterator[str]:
    if len(text) > MAX_BYTES:
        yield f"it is larger than {MAX_BYTES:,} bytes."
    if place := re.search(r"^.*(?:://|--(?:extra-)?index-url|--find-links).*$", text, re.MULTILINE):
        yield f"it names a place: {place[0].strip()}"


def _problems_of(locked: list[Pin], wanted: list[Requirement]) -> Iterator[str]:
    for pin in locked:
        if not pin.version:
            yield f"{pin.name} is not pinned to a version."
        if not pin.hashes:
            yield f"{pin.name} has no digest."
    names = {canonicalize_name(requirement.name) for requirement in wanted}
    for pin in locked:
        if pin.is_own and pin.name not in names:
            yield f"{pin.name} is no longer in pyproject.toml."
    for requirement in wanted:
        name = canonicalize_name(requirement.name)
        of_name = [pin for pin in locked if pin.name == name]
        if not any(pin.is_own for pin in of_name):
            yield f"{name} of pyproject.toml is missing."
            continue
        misfits = {_misfit(requirement, of_name, system) for system in _environments()}
        yield from sorted(filter(None, misfits))


def _misfit(requirement: Requirement, of_name: list[Pin], system: dict[str, str]) -> str | None:
    """What is wrong with the pins of a requirement on a system."""
    if requirement.marker is not None and not requirement.marker.evaluate(system):
        return None
    here = [
        pin for pin in of_name
        if pin.requirement.marker is None or pin.requirement.marker.evaluate(system)
    ]  # fmt: skip
    if len(here) != 1:
        where = f"{system['sys_platform']} and Python {system['python_version']}"
        return f"{requirement.name} has {len(here)} versions for {where}."
    if not requirement.specifier.contains(here[0].version or "0", prereleases=True):
        asked = f"{requirement.specifier}, as pyproject.toml asks."
        return f"{here[0].name} {here[0].version} is not {asked}"
    return None


def _environments() -> Iterator[dict[str, str]]:
    """The markers of every system and Python."""
    for platform, system, os_name, machine in _SYSTEMS:
        for python in _PYTHONS:
            yield {
                "sys_platform": platform, "platform_system": system, "os_name": os_name,
                "platform_machine": machine, "python_version": python,
                "python_full_version": f"{python}.0", "implementation_name": "cpython",
                "implementation_version": f"{python}.0", "platform_release": "",
                "platform_python_implementation": "CPython", "platform_version": "", "extra": "",
            }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
