"""Numpy's files by a fixed grammar: exactly what this program writes, and nothing else.

Numpy itself evaluates a file's header as Python, which a damaged one ends in any error there is.
"""

from __future__ import annotations

import math
import re
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = re.compile(
    rb"\{'descr': '([<>|][a-z][1248])', 'fortran_order': (False|True), "
    rb"'shape': \((|\d{1,15},|\d{1,15}(?:, \d{1,15}){1,3})\), \} *\n"
)
#: The longest header that is read, in bytes; numpy writes one of 128.
MAX_HEADER = 1_024


class ArrayForm(NamedTuple):
    """What a file's header says: the kind of its numbers as numpy writes it (``"<f4"``), whether
    columns come before rows, the shape, and at which byte the numbers begin."""

    kind: str
    by_columns: bool
    shape: tuple[int, ...]
    start: int

    @property
    def end(self) -> int:
        """The bytes that the whole file must have."""
        return self.start + math.prod(self.shape) * int(self.kind[2:])


def form_of(head: bytes) -> ArrayForm:
    """Read the header at the beginning of a file, of which ``head`` has :data:`MAX_HEADER` bytes or
    all there are. Raises ``ValueError`` where it is no header of numpy's format 1."""
    start = 10 + int.from_bytes(head[8:10], "little")
    match = _HEADER.fullmatch(head[10:start])
    if not head.startswith(_MAGIC) or match is None or start > len(head):
        raise ValueError("its header is no header of an array")
    kind, order, shape = match.groups()
    sides = tuple(int(side) for side in shape.replace(b",", b" ").split())
    return ArrayForm(kind.decode(), order == b"True", sides, start)


def require_form(path: Path, kind: type[np.generic], shape: tuple[int, ...]) -> int:
    """Where the numbers begin in a file of an array of that kind and shape, in bytes. Raises
    ``ValueError`` where it holds anything else or has another size, and ``OSError``."""
    with path.open("rb") as file:
        head = file.read(MAX_HEADER)
    try:
        form = form_of(head)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error
    if form[:3] != (np.dtype(kind).str, False, shape):
        raise ValueError(f"{path.name} holds {form.kind[1:]} {form.shape}")
    if form.end != path.stat().st_size:
        raise ValueError(f"{path.name} has another size than its header says")
    return form.start


def arrays_of(path: Path, most: int, names: tuple[str, ...]) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of these names in an ``.npz`` file as numpy's ``savez`` writes it, of at most
    ``most`` bytes. Raises ``ValueError`` for anything else, ``BadZipFile`` and ``OSError``."""
    if path.stat().st_size > most:
        raise ValueError(f"{path.name} is larger than {most} bytes")
    arrays = {}
    with zipfile.ZipFile(path) as file:
        members = {member.filename: member for member in file.infolist()}
        if set(members) != {f"{name}.npy" for name in names}:
            raise ValueError(f"{path.name} holds other things than {', '.join(names)}")
        for name in names:
            member = members[f"{name}.npy"]
            # Not packed, it is no larger than the file.
            if member.compress_type != zipfile.ZIP_STORED or member.file_size > most:
                raise ValueError(f"{path.name}: {name} is packed")
            arrays[name] = _array(file.read(member), f"{path.name}: {name}")
    return arrays


def _array(data: bytes, name: str) -> np.ndarray[Any, Any]:
    form = form_of(data[:MAX_HEADER])
    if form.kind[1] not in "fiu" or form.end != len(data):
        raise ValueError(f"{name} holds {form.kind} {form.shape}")
    numbers = np.frombuffer(data, np.dtype(form.kind), offset=form.start)
    return numbers.reshape(form.shape, order="F" if form.by_columns else "C")
