"""The command line: ``fitting-room build | add | remove | search | train | evaluate | info`` and
``fetch | serve``.

Exit status: 0 when a command did its work (``search``: for at least one picture), 2 for wrong
usage, 130 when stopped with Ctrl-C, 1 otherwise. Errors go to stderr, without a traceback.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from dataclasses import replace

from fitting_room.build.builder import BuildError
from fitting_room.build.edit import EditError
from fitting_room.catalogue.catalogue import CatalogueError
from fitting_room.catalogue.download import DownloadError
from fitting_room.catalogue.label_mapping import LabelMappingError
from fitting_room.cli.commands import FAILURE, INTERRUPTED, USAGE, UsageError, build
from fitting_room.cli.fetching import fetch
from fitting_room.cli.output import complain
from fitting_room.cli.parser import make_parser
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
from fitting_room.settings import Settings, SettingsError

#: Errors whose text is for people: of arguments, and of everything else.
USAGE_ERRORS = (FilterError, OptionError, ReductionError, SettingsError, UsageError)
FAILURES = (
    BackboneError, BuildError, CatalogueError, DownloadError, EditError, EngineError,
    EvaluationError,
    HeadError, IndexUnusable, LabelMappingError, LossError, OSError, QueriesError, TrainingError,
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks must not stop a search half way.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    options = make_parser().parse_args(arguments)
    given = {name: getattr(options, name, None) for name in ("backbone", "weights", "engine")}
    try:
        settings = Settings.from_environment()
        settings = replace(settings, **{name: value for name, value in given.items() if value})
        status: int = options.run(options, settings)
        sys.stdout.flush()
    except KeyboardInterrupt:
        kept = " What is done is kept: the same command goes on from there."
        complain("stopped." + (kept if options.run in (build, fetch) else ""))
        return INTERRUPTED
    except BrokenPipeError:  # `fitting-room search ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except (*USAGE_ERRORS, *FAILURES) as error:
        complain(str(error))
        return USAGE if isinstance(error, USAGE_ERRORS) else FAILURE
    return status
