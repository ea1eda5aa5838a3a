"""The commands that change an index by hand: ``fitting-room add | remove``."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from fitting_room.build.database_edit import remove_from_database
from fitting_room.build.edit import EditSummary, remove_items
from fitting_room.cli.commands import FAILURE, UsageError, say_rejected, terminal_progress
from fitting_room.cli.output import complain, say, show
from fitting_room.cli.searching import pictures_in
from fitting_room.databases.address import is_address, without_password
from fitting_room.databases.index import DatabaseIndex
from fitting_room.facade import FittingRoom
from fitting_room.settings import Settings

LAST_WORD = "The next build of the catalogue makes the index what the catalogue says."


def add(options: argparse.Namespace, settings: Settings) -> int:
    """Add pictures to an index without its catalogue, or replace some. The index keeps the files.
    The next build of the catalogue makes the index what the catalogue says."""
    columns = [column for column, _ in options.set]
    if twice := [column for column in columns if columns.count(column) > 1]:
        raise UsageError(f"--set {twice[0]}: an item has one value in a column.")
    pictures = list(pictures_in(options.pictures))
    if not pictures:
        complain("no pictures found in " + ", ".join(map(str, options.pictures)))
        return FAILURE
    fitting_room = FittingRoom.open(options.index, settings)
    with terminal_progress() as progress:
        edit = fitting_room.add(
            pictures,
            ids=options.id,
            attributes=dict(options.set),
            replace=options.replace,
            listener=progress,
        ).edit
    if edit is None:
        raise RuntimeError("adding has a summary")
    say_rejected(edit.rejected)
    _print(edit, options.index, as_json=options.json)
    return 0 if edit.added or edit.replaced else FAILURE


def remove(options: argparse.Namespace, settings: Settings) -> int:  # noqa: ARG001
    """Remove items from an index without its catalogue. The next build of the catalogue makes the
    index what the catalogue says."""
    missing = options.ignore_missing
    if is_address(options.index):
        edit = remove_from_database(
            DatabaseIndex.open_at(options.index), options.ids, ignore_missing=missing
        )
    else:
        with terminal_progress() as progress:
            edit = remove_items(
                options.index, options.ids, ignore_missing=missing, listener=progress
            )
    for item in edit.unknown:
        say(f"There is no item {item}.")
    _print(edit, options.index, as_json=options.json)
    return 0


def _print(edit: EditSummary, index: Path | str, *, as_json: bool) -> None:
    if as_json:
        show(json.dumps(asdict(edit)))
        return
    counts = (edit.added, "added"), (edit.replaced, "replaced"), (edit.removed, "removed")
    done = ", ".join(f"{len(ids):,} {verb}" for ids, verb in counts if ids) or "nothing changed"
    show(
        f"{edit.items:,} items in {without_password(str(index))} after {edit.seconds:.1f} s: {done}"
    )
    if edit.added or edit.replaced or edit.removed:
        say(LAST_WORD)
