"""The command that downloads catalogues: ``fitting-room fetch``."""

from __future__ import annotations

import argparse
from pathlib import Path

from fitting_room.catalogue.download import download
from fitting_room.catalogue.fetching import FAILED, FetchReport, fetch_table
from fitting_room.cli.commands import FAILURE, UsageError, terminal_progress
from fitting_room.cli.output import say, show
from fitting_room.settings import Settings

DATA = Path("data")
#: Reasons that are counted one by one, the most frequent first.
REASONS_NAMED = 20


def fetch(options: argparse.Namespace, settings: Settings) -> int:
    """Download a public catalogue, or the pictures that a table names by their addresses. Run
    again, it goes on where it was stopped and asks once more for what did not come."""
    if isinstance(options.source, str):
        if options.url_column or options.private or options.ignore_robots:
            raise UsageError("--url-column, --private and --ignore-robots go with a table.")
        folder = download(options.source, options.to or DATA)
    else:
        with terminal_progress() as progress:
            report = fetch_table(
                options.source,
                options.to or DATA / options.source.stem,
                column=options.url_column,
                private=options.private,
                ignore_robots=options.ignore_robots,
                limits=settings.limits,
                listener=progress,
            )
        _say(report)
        folder = report.folder
        if report.came + report.there == 0:
            return FAILURE
    show(f"{folder}\nNow: fitting-room build {folder} --index cache/{folder.name}")
    return 0


def _say(report: FetchReport) -> None:
    say(
        f"{report.rows:,} rows, {report.addresses:,} addresses in {report.column!r}: "
        f"{report.came:,} pictures came, {report.there:,} were there, {report.failed:,} failed"
    )
    for reason, count in list(report.reasons.items())[:REASONS_NAMED]:
        say(f"  {count:,} failed: {reason}")
    for address, reason in report.examples:
        say(f"  {address}: {reason}")
    if report.failed:
        say(f"All of them are in {report.folder / FAILED}. The same command asks for them again.")
