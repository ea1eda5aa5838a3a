"""Files that are there whole or not at all, and their checksums."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from pathlib import Path


def write_atomically(path: Path, data: bytes | str) -> None:
    """Write a file, text as UTF-8, under another name and put it in place at once."""
    new = path.with_name(f".{path.name}.new-{uuid.uuid4().hex[:8]}")
    try:
        new.write_bytes(data.encode() if isinstance(data, str) else data)
        sync(new)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Bring a file that was written to the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file that nobody writes to again a second name."""
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        shutil.copyfile(source, target)


def sha256_of(path: Path) -> str:
    """The SHA-256 digest of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
