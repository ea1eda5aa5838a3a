"""The command line: ``fitting-room build | add | remove | search | train | evaluate | info |
verify | convert | backbones`` and ``fetch | serve``.

Exit status: 0 when a command did its work (``search``: for at least one picture), 2 for wrong
usage, 130 when stopped with Ctrl-C, 143 by SIGTERM, 129 by SIGHUP, 1 otherwise. Errors go to
stderr, without a traceback.
"""

from __future__ import annotations

import argparse
import errno
import io
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace

from fitting_room.build.builder import BuildError
from fitting_room.build.edit import EditError
from fitting_room.catalogue.catalogue import CatalogueError
from fitting_room.catalogue.download import DownloadError
from fitting_room.catalogue.label_mapping import LabelMappingError
from fitting_room.cli.commands import (
    FAILURE,
    INTERRUPTED,
    USAGE,
    UsageError,
    build,
    evaluate,
    train_head,
)
from fitting_room.cli.editing import add, remove
from fitting_room.cli.fetching import fetch
from fitting_room.cli.output import complain
from fitting_room.cli.parser import make_parser
from fitting_room.cli.stopping import Stopped, stopped_by_signals
from fitting_room.cli.verifying import verify
from fitting_room.databases.address import is_address, without_password
from fitting_room.embedding.engine import EngineError
from fitting_room.embedding.weights import BackboneError
from fitting_room.evaluation.queries import QueriesError
from fitting_room.evaluation.results import EvaluationError, OptionError
from fitting_room.index.head import HeadError
from fitting_room.index.index import FilterError
from fitting_room.index.manifest import IndexUnusable
from fitting_room.index.vectors import ReductionError
from fitting_room.learning.losses import LossError
from fitting_room.learning.options import TrainingError
from fitting_room.search.synonyms import SynonymsError
from fitting_room.search.vocabulary import WordsUnavailableError
from fitting_room.settings import Settings, SettingsError

#: Errors whose text is for people: of arguments, and of everything else.
USAGE_ERRORS = (FilterError, OptionError, ReductionError, SettingsError, UsageError)
FAILURES = (
    BackboneError, BuildError, CatalogueError, DownloadError, EditError, EngineError,
    EvaluationError,
    HeadError, IndexUnusable, LabelMappingError, LossError, OSError, QueriesError, TrainingError,
    SynonymsError, WordsUnavailableError,
)  # fmt: skip
_GOES_ON = " What is done is kept: the same command goes on from there."
_WHOLE = " The index is whole: as it was before, or with all of the change."
#: What a command that was stopped leaves behind.
STOPPED = {build: _GOES_ON, fetch: _GOES_ON, train_head: _WHOLE, add: _WHOLE, remove: _WHOLE}
#: The commands that take a whole catalogue at once, which an index in a folder has, and what to do
#: about one in a database.
IN_FOLDERS = {
    train_head: "cannot be trained. Train one in a folder, with --save-head FILE, and build this "
    "one with --head FILE.",
    evaluate: "cannot be measured, which takes all items at once. Build one of the same catalogue, "
    "or of a part of it, in a folder and measure that.",
    verify: "has no files of its own; the database checks them. fitting-room info checks what it "
    "keeps beside the rows.",
}
#: What to do about what a system answers when files cannot be read or written.
REMEDIES = {
    errno.ENOSPC: "the disk is full. Make room there and give the same command again.",
    errno.EDQUOT: "your share of the disk is full. Make room and give the same command again.",
    errno.EACCES: "you may not read or write there. Change its rights, or name another place.",
    errno.EPERM: "you may not read or write there. Change its rights, or name another place.",
    errno.EROFS: "nothing can be written there. Name another place.",
    errno.ELOOP: "a link leads back to itself. Remove it, or name another place.",
    errno.ENOTDIR: "a file is in the place of a folder. Remove it, or name another place.",
    errno.EEXIST: "something else is in its place. Remove it, or name another place.",
    errno.ENAMETOOLONG: "the name is too long. Give a shorter one.",
}


def in_words(error: OSError) -> str:
    """What the system answered, with the file and what to do about it."""
    if error.errno not in REMEDIES:
        return str(error)
    place = error.filename2 or error.filename
    remedy = REMEDIES[error.errno]
    return f"{place}: {remedy}" if place else remedy[0].upper() + remedy[1:]


def _require_folder(options: argparse.Namespace) -> None:
    """Raise :class:`UsageError` where a command takes an index in a folder and is given one in a
    database."""
    if is_address(getattr(options, "index", None)) and options.run in IN_FOLDERS:
        place = without_password(options.index)
        raise UsageError(f"{place}: an index in a database {IN_FOLDERS[options.run]}")


#: Settings that options of the same name take the place of.
_OF_SETTINGS = ("backbone", "weights", "engine", "precision")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks must not stop a search half way.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    options = make_parser().parse_args(arguments)
    given = {name: getattr(options, name, None) for name in _OF_SETTINGS}
    try:
        settings = Settings.from_environment()
        settings = replace(settings, **{name: value for name, value in given.items() if value})
        _require_folder(options)
        with stopped_by_signals():
            status: int = options.run(options, settings)
        sys.stdout.flush()
    except KeyboardInterrupt as stop:
        by = f" by {signal.Signals(stop.number).name}" if isinstance(stop, Stopped) else ""
        complain(f"stopped{by}.{STOPPED.get(options.run, '')}")
        return 128 + stop.number if isinstance(stop, Stopped) else INTERRUPTED
    except BrokenPipeError:  # `fitting-room search ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except (*USAGE_ERRORS, *FAILURES) as error:
        complain(in_words(error) if isinstance(error, OSError) else str(error))
        return USAGE if isinstance(error, USAGE_ERRORS) else FAILURE
    return status
