"""The command line: ``fitting-room build | search | info | fetch | serve``.

Exit status: 0 when what was asked for was done (for ``search``: for at least one picture), 2 for
wrong usage, 130 when stopped with Ctrl-C, 1 otherwise. Errors go to stderr, without a traceback.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from fitting_room import __version__, fetch
from fitting_room.backbones import AUTO, backbone_names
from fitting_room.builder import BuildError
from fitting_room.catalogue import CatalogueError
from fitting_room.engines import ENGINES, EngineError
from fitting_room.images import SUFFIXES, ImageRejected
from fitting_room.index import FilterError, Index, IndexUnusable, ReductionError
from fitting_room.progress import Progress
from fitting_room.room import FittingRoom, Match
from fitting_room.settings import HOME, Settings, SettingsError
from fitting_room.weights import BackboneError

_EXPECTED = (
    BackboneError, BuildError, CatalogueError, EngineError, IndexUnusable, OSError,
    fetch.FetchError,
)  # fmt: skip
USAGE, FAILURE, INTERRUPTED = 2, 1, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; answers the exit status."""
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks must not stop a search half way.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        settings = Settings.from_environment()
        status: int = options.run(options, settings)
        sys.stdout.flush()
    except KeyboardInterrupt:
        _complain("stopped. What is done is kept: the same command goes on from there.")
        return INTERRUPTED
    except BrokenPipeError:  # `fitting-room search ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except (FilterError, ReductionError, SettingsError) as error:
        _complain(str(error))
        return USAGE
    except _EXPECTED as error:
        _complain(str(error))
        return FAILURE
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fitting-room",
        description="Find the items of a catalogue that look most like a picture.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    build = commands.add_parser(
        "build", help="make or update the index of a catalogue", description=_build.__doc__
    )
    build.add_argument("catalogue", type=Path, help="folder or .zip with styles.csv and images/, "
                       "or a folder of class folders")  # fmt: skip
    build.add_argument("--index", type=Path, required=True, help="folder of the index")
    build.add_argument("--backbone", choices=[AUTO, *backbone_names()], help="network (auto)")
    build.add_argument(
        "--weights", metavar="NAME|FILE", help='weights of it: "V2", or a local file'
    )
    build.add_argument("--pca", type=_positive, metavar="D", help="reduce embeddings to D numbers")
    build.add_argument("--engine", choices=ENGINES, help="what runs the network (auto)")
    build.add_argument("--json", action="store_true", help="print a summary as JSON")
    build.set_defaults(run=_build)

    search = commands.add_parser(
        "search", help="find the items most similar to pictures", description=_search.__doc__
    )
    search.add_argument("pictures", nargs="+", type=Path, metavar="PICTURE_OR_FOLDER")
    search.add_argument("--index", type=Path, required=True, help="folder of the index")
    search.add_argument("-n", type=_positive, default=12, help="matches for each picture (12)")
    search.add_argument("--where", action="append", default=[], metavar="COLUMN=VALUE",
                        help="only items with this value; repeat for more")  # fmt: skip
    search.add_argument("--weights", metavar="FILE", help="local weights that made the index")
    search.add_argument("--json", action="store_true", help="one JSON line a picture")
    search.set_defaults(run=_search)

    info = commands.add_parser(
        "info", help="say what an index holds and check it", description=_info.__doc__
    )
    info.add_argument("--index", type=Path, required=True, help="folder of the index")
    info.add_argument("--json", action="store_true", help="print the manifest as JSON")
    info.set_defaults(run=_info)

    bring = commands.add_parser(
        "fetch", help="download a public catalogue", description=fetch.fetch.__doc__
    )
    bring.add_argument("name", choices=sorted(fetch.DATASETS), help="which one")
    bring.add_argument("--to", type=Path, default=Path("data"), help="parent folder (data)")
    bring.set_defaults(run=_fetch)

    serve = commands.add_parser("serve", help="open the page", description=_serve.__doc__)
    serve.add_argument("--index", type=Path, help="an index to show (the demo catalogue's)")
    serve.add_argument("--port", type=_positive, default=8501, help="port of the page (8501)")
    serve.add_argument("--address", default="localhost",
                       help="address to listen on (localhost; 0.0.0.0 for everybody)")  # fmt: skip
    serve.set_defaults(run=_serve)
    return parser


def _positive(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return number


def _build(options: argparse.Namespace, settings: Settings) -> int:
    """Embed a catalogue's pictures and write its index. Run again after a change, it embeds only
    what is new or changed; stopped at any moment, it goes on where it was."""
    if options.engine:
        settings = replace(settings, engine=options.engine)
    with _TerminalProgress() as progress:
        room = FittingRoom.build(
            options.catalogue,
            options.index,
            backbone=options.backbone,
            weights=options.weights,
            pca=options.pca,
            settings=settings,
            listener=progress,
        )
    summary = room.summary
    assert summary is not None  # noqa: S101  (this room was just built)
    selection = room.embedder.selection
    # What a person should know goes to stderr in either form, so that it is never hidden.
    _say(f"Network: {selection.backbone.title} ({selection.weights.name}): {selection.why}.")
    if selection.advice:
        _say(f"To get the default network: {selection.advice}")
    for item, reason in summary.failures[:20]:
        _say(f"Skipped {item}: {reason}")
    if len(summary.failures) > 20:
        _say(f"... and {len(summary.failures) - 20:,} more: see fitting-room info.")
    if options.json:
        figures = asdict(summary)
        del figures["failures"]
        print(json.dumps(figures))
    else:
        print(_report_in_words(room.index))
        print(
            f"{summary.items:,} items in {options.index} after {summary.seconds:.1f} s: "
            f"{summary.reused:,} reused, {summary.failed:,} failed, "
            f"{summary.images_per_second:.0f} pictures/s embedded"
        )
    return 0


def _search(options: argparse.Namespace, settings: Settings) -> int:
    """Print the most similar items of an index for each picture, best first. Of a folder, every
    picture in it and below is taken."""
    where = _where(options.where)
    if options.weights:
        settings = replace(settings, weights=options.weights)
    room = FittingRoom.open(options.index, settings)
    answered = 0
    found_any = False
    for path, matches in room.search_many(_pictures(options.pictures), options.n, where):
        found_any = True
        if isinstance(matches, ImageRejected):
            _complain(f"{path}: {matches.reason}")
            if options.json:
                line = {"query": str(path), "error": matches.reason}
                print(json.dumps(line), flush=True)
            continue
        answered += 1
        if not matches:
            _complain(f"{path}: no item passes the filter {' '.join(options.where)}")
        _print_matches(path, matches, as_json=options.json)
    if not found_any:
        _complain("no pictures found in " + ", ".join(str(p) for p in options.pictures))
    return 0 if answered else FAILURE


def _where(conditions: Sequence[str]) -> dict[str, list[str]]:
    where: dict[str, list[str]] = {}
    for condition in conditions:
        column, equals, value = condition.partition("=")
        if not equals or not column or not value:
            raise FilterError(f"--where {condition}: write COLUMN=VALUE, as in gender=Women")
        where.setdefault(column, []).append(value)
    return where


def _pictures(places: Sequence[Path]) -> Iterator[Path]:
    for place in places:
        if place.is_dir():
            yield from sorted(
                p for p in place.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file()
            )
        else:
            yield place


def _print_matches(path: Path, matches: Sequence[Match], *, as_json: bool) -> None:
    if as_json:
        rows = [{"id": m.id, "path": m.path, "similarity": round(m.similarity, 6)} for m in matches]
        print(json.dumps({"query": str(path), "matches": rows}), flush=True)
        return
    print(path)
    for rank, match in enumerate(matches, 1):
        print(f"{rank:4}  {match.similarity:.3f}  {match.id:>8}  {match.name}")


def _info(options: argparse.Namespace, settings: Settings) -> int:  # noqa: ARG001
    """Say what an index holds, what made it and what was left out, and check its files against
    their checksums."""
    index = Index.open(options.index)
    index.verify()
    if options.json:
        print(json.dumps(index.manifest))
        return 0
    try:
        words = _manifest_in_words(index)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise IndexUnusable(f"{options.index}: the manifest makes no sense ({error}).") from error
    print(words)
    return 0


def _manifest_in_words(index: Index) -> str:
    manifest = index.manifest
    identity, counts = manifest["identity"], manifest["counts"]
    size = sum(entry["bytes"] for entry in manifest["files"].values())
    reduction = f", reduced by PCA from {index.pca.mean.shape[0]}" if index.pca else ""
    lines = [
        f"{len(index):,} items of {manifest['catalogue']['location']}",
        f"network     {identity['backbone']}, weights {identity['weights']} "
        f"(sha256 {identity['weights_sha256'][:12]}): {manifest['chosen_because']}",
        f"embeddings  {index.dimension} numbers each{reduction}",
        f"built       {manifest['created']}, {size / 2**20:.1f} MiB, checksums are right",
        _report_in_words(index),
    ]
    if counts["failed"]:
        lines.append(f"{counts['failed']:,} pictures could not be used:")
        lines += [f"  {f['id']}: {f['reason']}" for f in manifest["failures"]]
    if manifest.get("advice"):
        lines.append(f"To get the default network: {manifest['advice']}")
    return "\n".join(lines)


def _report_in_words(index: Index) -> str:
    from fitting_room.catalogue import CatalogueReport

    return "catalogue   " + CatalogueReport(**index.manifest["catalogue"]["report"]).in_words()


def _fetch(options: argparse.Namespace, settings: Settings) -> int:  # noqa: ARG001
    folder = fetch.fetch(options.name, options.to)
    print(f"{folder}\nNow: fitting-room build {folder} --index cache/{folder.name}")
    return 0


def _serve(options: argparse.Namespace, settings: Settings) -> int:  # noqa: ARG001
    """Open the page in the browser: on an index, or on the demo catalogue."""
    environment = dict(os.environ)
    if options.index is not None:
        Index.open(options.index)  # say now what is wrong with it, not in the page
        environment["FITTING_ROOM_INDEX"] = str(options.index.resolve())
    command = [
        sys.executable, "-m", "streamlit", "run", str(HOME / "app.py"),
        f"--server.port={options.port}", f"--server.address={options.address}",
    ]  # fmt: skip
    server = subprocess.Popen(command, env=environment)  # noqa: S603
    previous = signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    try:
        return server.wait()
    except KeyboardInterrupt:
        server.terminate()
        server.wait()
        return 0
    finally:
        signal.signal(signal.SIGTERM, previous)


class _TerminalProgress:
    """Shows progress on stderr, one bar a stage."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._stage = ""

    def __enter__(self) -> _TerminalProgress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, progress: Progress) -> None:
        if progress.stage != self._stage:
            if self._bar is not None:
                self._bar.close()
            self._stage = progress.stage
            self._bar = tqdm(
                desc=progress.stage,
                total=progress.total or None,
                unit=progress.unit,
                unit_scale=progress.unit == "B",
                # A single step has no rate and no time left.
                bar_format="{desc} ..." if progress.total == 1 else None,
                dynamic_ncols=True,
                file=sys.stderr,
            )
        self._bar.update(progress.done - self._bar.n)


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _complain(text: str) -> None:
    print(f"fitting-room: {text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
