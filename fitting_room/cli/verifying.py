"""The commands that read an index in full and say what it holds, or what is wrong with it:
``fitting-room info | verify``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from fitting_room.cli.commands import FAILURE, REJECTED_NAMED, in_words
from fitting_room.cli.output import complain, show
from fitting_room.facade import open_index
from fitting_room.index.added import broken_pictures
from fitting_room.index.description import describe_index
from fitting_room.index.index import Index
from fitting_room.index.marks import MarksError, read_marks
from fitting_room.index.salvage import salvage
from fitting_room.settings import Settings
from fitting_room.util.aliases import with_old_keys


def info(options: argparse.Namespace, settings: Settings) -> int:
    """Say what an index holds, what made it and what was left out, and check its files against
    their checksums."""
    index = open_index(options.index)
    index.sample.verify()
    if options.json:
        manifest = index.manifest.as_dict()
        show(json.dumps(with_old_keys({**manifest, "counts": with_old_keys(manifest["counts"])})))
    else:
        show(*in_words(describe_index(index), is_local=index.sample is index))
    if index.sample is not index:
        return 0
    return FAILURE if _broken_pictures(index, settings) else 0


def verify(options: argparse.Namespace, settings: Settings) -> int:
    """Read every file of an index in full, the pictures that were added by hand and the marks of
    look-alikes, and say which are damaged."""
    found = salvage(options.index)
    pictures = [] if found.index is None else _broken_pictures(found.index, settings)
    checked = 0 if found.manifest is None else len(found.manifest.files) + 1
    marks = _damaged_marks(options.index)
    sound = not found.faults and not pictures and not marks
    if options.json:
        values = {"sound": sound, "files": checked, "faults": found.faults, "pictures": pictures}
        values |= {"marks": marks} if marks else {}
        show(json.dumps(values))
    elif sound:
        show(f"{options.index}: {checked} files were read, and all are as they were written.")
    for name, reason in found.faults.items():
        complain(f"{options.index}: {name} is damaged ({reason}).")
    if found.faults:
        complain(
            "A build repairs it, and embeds again only what is lost: fitting-room build CATALOGUE "
            f"--index {options.index}"
        )
    return 0 if sound else FAILURE


def _damaged_marks(folder: Path) -> str | None:
    """Why the marks of look-alikes cannot be read, if they cannot, which is complained of."""
    try:
        read_marks(folder)
    except MarksError as error:
        complain(str(error))
        return str(error)
    return None


def _broken_pictures(index: Index, settings: Settings) -> list[str]:
    """The ids of items whose added picture is not what was kept; the first are complained of."""
    broken = broken_pictures(index.folder, index.items, settings.limits.max_bytes)
    for item in broken[:REJECTED_NAMED]:
        complain(f"the added picture of {item} is missing or damaged. Add it again with --replace.")
    return broken
