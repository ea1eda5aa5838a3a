"""The images' files agree with each other and with the lock files."""

from __future__ import annotations

import json
import re
import tomllib

import pytest

from scripts import lock
from tests.conftest import PROJECT

DOCKERFILE = (PROJECT / "Dockerfile").read_text("utf-8")


@pytest.mark.parametrize("library", ["torch", "torchvision"])
def test_the_version_of_torch_is_that_of_the_gate(library: str) -> None:
    argument = re.search(rf"^ARG {library.upper()}=(\S+)$", DOCKERFILE, re.MULTILINE)
    described = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))
    held = described["tool"]["uv"]["constraint-dependencies"]
    assert argument is not None
    assert f"{library}=={argument[1]}" in held


def test_everything_that_is_copied_goes_to_the_builder() -> None:
    allowed = {
        line[1:]
        for line in (PROJECT / ".dockerignore").read_text("utf-8").splitlines()
        if line.startswith("!")
    }
    for line in re.findall(r"^COPY (?!--from)(?:--\S+ )*(.+) \S+$", DOCKERFILE, re.MULTILINE):
        for name in line.split():
            parts = [a for a in allowed if a == name or a.startswith(f"{name}/")]
            assert name == "." or parts, name
            assert (PROJECT / name).exists()


def test_nobody_is_root_and_no_shell_is_needed_to_run() -> None:
    """The last of each stage's lines that says who it runs as, and the commands' own form."""
    assert DOCKERFILE.count("USER 1000:1000") == 3
    for command in re.findall(r"^\s*(?:ENTRYPOINT|CMD) (.+)$", DOCKERFILE, re.MULTILINE):
        assert all(isinstance(part, str) for part in json.loads(command))


def test_what_only_cuda_takes_is_left_out_of_the_lock_file() -> None:
    text = (PROJECT / lock.RUN).read_text("utf-8")
    kept, all_of_it = list(lock.pins(lock.without_cuda(text))), list(lock.pins(text))
    gone = {pin.name for pin in all_of_it} - {pin.name for pin in kept}
    assert {"torch", "torchvision", "triton", "nvidia-nccl-cu13"} <= gone
    assert {"timm", "sympy", "openvino", "numpy"} <= {pin.name for pin in kept}
    assert all(pin.hashes for pin in kept)
    assert all(re.match(r"torch|triton|nvidia-|cuda-", name) for name in gone)
