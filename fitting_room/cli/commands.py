"""The command line: ``fitting-room build | search | train | evaluate | info | fetch | serve``.

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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from fitting_room import __version__
from fitting_room.build.builder import BuildError
from fitting_room.build.writer import write_head
from fitting_room.catalogue import download
from fitting_room.catalogue.catalogue import CatalogueError
from fitting_room.catalogue.label_mapping import MAPPING_COLUMN, LabelMappingError, read_mapping
from fitting_room.embedding.backbones import AUTO, backbone_names
from fitting_room.embedding.engine import ENGINES, EngineError
from fitting_room.embedding.weights import BackboneError
from fitting_room.evaluation.evaluate import (
    DEFAULT_COLUMNS,
    RESULTS,
    EvaluationError,
    QuestionError,
)
from fitting_room.evaluation.queries import QueriesError, load_queries
from fitting_room.facade import FittingRoom, Match
from fitting_room.imaging.decode import SUFFIXES, ImageRejected
from fitting_room.index.index import FilterError, Index
from fitting_room.index.manifest import IndexUnusable
from fitting_room.index.scoring import COSINE, METRICS, SILHOUETTE_SHARE, SimilarityOptions
from fitting_room.index.vectors import FLOAT32, STORAGES, ReductionError
from fitting_room.learning.losses import LOSSES, LossError
from fitting_room.learning.train import TrainingError, TrainingOptions, check_options, train
from fitting_room.settings import HOME, Settings, SettingsError
from fitting_room.util.aliases import with_old_keys
from fitting_room.util.progress import Progress

_EXPECTED = (
    BackboneError, BuildError, CatalogueError, EngineError, EvaluationError, IndexUnusable,
    LossError, OSError, QueriesError, TrainingError, download.DownloadError, LabelMappingError,
)  # fmt: skip
USAGE, FAILURE, INTERRUPTED = 2, 1, 130


class UsageError(ValueError):
    """Arguments that do not go together."""


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
        kept = " What is done is kept: the same command goes on from there."
        _complain("stopped." + (kept if options.run is _build else ""))
        return INTERRUPTED
    except BrokenPipeError:  # `fitting-room search ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except (FilterError, QuestionError, ReductionError, SettingsError, UsageError) as error:
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
    build.add_argument(
        "--storage",
        choices=STORAGES,
        default=FLOAT32,
        help="how embeddings are kept: int8 takes a quarter of float32 and is a little less exact",
    )
    build.add_argument("--input-size", type=_input_size, metavar="HxW",
                       help="height and width of the network's input")  # fmt: skip
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
    _add_ranking(search)
    search.add_argument("--json", action="store_true", help="one JSON line a picture")
    search.set_defaults(run=_search)

    learn = commands.add_parser(
        "train", help="teach an index what its catalogue's labels mean", description=_train.__doc__
    )
    _add_training(learn)
    learn.set_defaults(run=_train)

    judge = commands.add_parser(
        "evaluate", help="measure how good the answers are", description=_evaluate.__doc__
    )
    _add_evaluation(judge)
    judge.set_defaults(run=_evaluate)

    info = commands.add_parser(
        "info", help="say what an index holds and check it", description=_info.__doc__
    )
    info.add_argument("--index", type=Path, required=True, help="folder of the index")
    info.add_argument("--json", action="store_true", help="print the manifest as JSON")
    info.set_defaults(run=_info)

    bring = commands.add_parser(
        "fetch", help="download a public catalogue", description=download.download.__doc__
    )
    bring.add_argument("name", choices=sorted(download.DATASETS), help="which one")
    bring.add_argument("--to", type=Path, default=Path("data"), help="parent folder (data)")
    bring.set_defaults(run=_fetch)

    serve = commands.add_parser("serve", help="open the page", description=_serve.__doc__)
    serve.add_argument("--index", type=Path, help="an index to show (the demo catalogue's)")
    serve.add_argument("--port", type=_positive, default=8501, help="port of the page (8501)")
    serve.add_argument("--address", default="localhost",
                       help="address to listen on (localhost; 0.0.0.0 for everybody)")  # fmt: skip
    serve.set_defaults(run=_serve)
    return parser


def _add_training(learn: argparse.ArgumentParser) -> None:
    usual = TrainingOptions()
    learn.add_argument("catalogue", type=Path, nargs="?", help="the catalogue of the index")
    learn.add_argument("--index", type=Path, required=True, help="folder of the index")
    learn.add_argument("--columns", type=_names, default=usual.columns, metavar="A,B,C",
                       help=f"columns to learn ({','.join(usual.columns)})")  # fmt: skip
    learn.add_argument("--holdout", type=_positive, metavar="N",
                       help="keep items whose id is a multiple of N back")  # fmt: skip
    learn.add_argument("--photographs", type=Path, metavar="DIR",
                       help="class folders of photographs to learn from too")  # fmt: skip
    learn.add_argument("--mapping", type=Path, metavar="FILE",
                       help="JSON: class of photographs -> values of the catalogue")  # fmt: skip
    learn.add_argument("--mapping-column", default=usual.mapping_column, metavar="COLUMN",
                       help=f"column of those values ({usual.mapping_column})")  # fmt: skip
    learn.add_argument("--loss", choices=list(LOSSES), default=usual.loss,
                       help=f"what is minimised ({usual.loss})")  # fmt: skip
    learn.add_argument("--epochs", type=_positive, default=usual.epochs, metavar="N",
                       help=f"passes through the catalogue at most ({usual.epochs})")  # fmt: skip
    learn.add_argument("--seed", type=_whole, default=0, help="the same one gives the same (0)")
    learn.add_argument("--finetune-blocks", type=_whole, default=0, metavar="N",
                       help="fine-tune the last N blocks of the network first (0)")  # fmt: skip
    learn.add_argument("--save-weights", type=Path, metavar="FILE",
                       help="where fine-tuned weights go, .safetensors")  # fmt: skip
    learn.add_argument("--finetune-epochs", type=_positive, default=usual.finetune_epochs,
                       metavar="N", help=f"passes of it ({usual.finetune_epochs})")  # fmt: skip
    learn.add_argument("--weights", metavar="FILE", help="local weights that made the index")
    learn.add_argument("--remove", action="store_true", help="forget what was learned")
    learn.add_argument("--json", action="store_true", help="print a summary as JSON")


def _add_evaluation(judge: argparse.ArgumentParser) -> None:
    judge.add_argument("queries", type=Path, help="a catalogue in any form, or a .csv of pictures "
                       "(first column `picture`) and expected labels")  # fmt: skip
    judge.add_argument("--index", type=Path, required=True, help="folder of the index")
    judge.add_argument("-k", type=_positive, default=RESULTS, help=f"results of each ({RESULTS})")
    judge.add_argument("--columns", type=_names, metavar="A,B,C",
                       help=f"what must be right ({','.join(DEFAULT_COLUMNS)})")  # fmt: skip
    judge.add_argument("--where", action="append", default=[], metavar="COLUMN=VALUE",
                       help="only items with this value may be found; repeat for more")  # fmt: skip
    judge.add_argument("--holdout", type=_positive, metavar="N",
                       help="ask about items whose id is a multiple of N")  # fmt: skip
    judge.add_argument("--mapping", type=Path, metavar="FILE",
                       help="JSON: class folder of a query -> values that answer it")  # fmt: skip
    judge.add_argument("--mapping-column", metavar="COLUMN",
                       help=f"column of those values ({MAPPING_COLUMN})")  # fmt: skip
    judge.add_argument("--copies", type=_positive, metavar="N",
                       help="see whether changed copies of N items find them, too")  # fmt: skip
    judge.add_argument("--report", type=Path, metavar="FILE",
                       help="write the worst queries to a page, .html or .md")  # fmt: skip
    judge.add_argument("--seed", type=_whole, default=0, help="of intervals and copies (0)")
    judge.add_argument("--weights", metavar="FILE", help="local weights that made the index")
    _add_ranking(judge)
    judge.add_argument("--json", action="store_true", help="print one JSON object")


def _add_ranking(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--colour", type=_weight, metavar="W",
                        help="weight of colour, from 0 to 1 (the index's own)")  # fmt: skip
    parser.add_argument("--plain", action="store_true", help="do without what was trained")
    parser.add_argument("--metric", choices=METRICS, default=COSINE,
                        help="how embeddings are compared (cosine)")  # fmt: skip
    parser.add_argument("--silhouette", type=_weight, default=SILHOUETTE_SHARE, metavar="S",
                        help="share of the silhouette in shape, from 0 to 1, between studio "
                        f"pictures without what was trained ({SILHOUETTE_SHARE:g})")  # fmt: skip


def _ranking(options: argparse.Namespace) -> SimilarityOptions:
    return SimilarityOptions(
        colour=options.colour,
        trained=not options.plain,
        metric=options.metric,
        silhouette=options.silhouette,
    )


def _positive(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return number


def _whole(text: str) -> int:
    return 0 if text.strip("0") == "" and text else _positive(text)


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = -1.0
    if not 0 <= weight <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return weight


def _input_size(text: str) -> tuple[int, int]:
    height, times, width = text.lower().partition("x")
    if not times:
        raise argparse.ArgumentTypeError(f"{text!r}: write HEIGHTxWIDTH, as in 320x240")
    return _positive(height), _positive(width)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise argparse.ArgumentTypeError(f"{text!r}: write column names with commas between")
    return names


def _build(options: argparse.Namespace, settings: Settings) -> int:
    """Embed a catalogue's pictures and write its index. Run again after a change, it embeds only
    what is new or changed; stopped at any moment, it goes on where it was."""
    if options.engine:
        settings = replace(settings, engine=options.engine)
    with _TerminalProgress() as progress:
        fitting_room = FittingRoom.build(
            options.catalogue,
            options.index,
            backbone=options.backbone,
            weights=options.weights,
            input_size=options.input_size,
            pca=options.pca,
            storage=options.storage,
            settings=settings,
            listener=progress,
        )
    summary = fitting_room.summary
    assert summary is not None  # noqa: S101  (this room was just built)
    selection = fitting_room.embedder.selection
    # What a person should know goes to stderr in either form, so that it is never hidden.
    _say(f"Network: {selection.backbone.title} ({selection.weights.name}): {selection.why}.")
    if selection.advice:
        _say(f"To get the default network: {selection.advice}")
    if summary.head == "dropped":
        _say(
            "What was trained before does not fit this network and is gone. Train again with: "
            f"fitting-room train {options.catalogue} --index {options.index}"
        )
    for item, reason in summary.failures[:20]:
        _say(f"Skipped {item}: {reason}")
    if len(summary.failures) > 20:
        _say(f"... and {len(summary.failures) - 20:,} more: see fitting-room info.")
    if options.json:
        figures = asdict(summary)
        del figures["failures"]
        print(json.dumps(figures))
    else:
        print(_report_in_words(fitting_room.index))
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
    fitting_room = FittingRoom.open(options.index, settings)
    answered = 0
    found_any = False
    for path, matches in fitting_room.search_many(
        _pictures(options.pictures), options.n, where, options=_ranking(options)
    ):
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


def _train(options: argparse.Namespace, settings: Settings) -> int:
    """Learn from a catalogue's labels which items belong together, so that its index answers by
    them. The network stays as it is, unless blocks of it are fine-tuned first."""
    if options.remove:
        return _forget(options)
    if options.catalogue is None:
        raise UsageError("train: name the catalogue to learn from, or --remove what was learned.")
    if options.weights:
        settings = replace(settings, weights=options.weights)
    chosen = TrainingOptions(
        columns=options.columns,
        holdout=options.holdout,
        photographs=options.photographs,
        mapping=options.mapping,
        mapping_column=options.mapping_column,
        loss=options.loss,
        epochs=options.epochs,
        seed=options.seed,
        finetune_blocks=options.finetune_blocks,
        save_weights=options.save_weights,
        finetune_epochs=options.finetune_epochs,
    )
    try:
        check_options(chosen)
    except TrainingError as error:
        raise UsageError(str(error)) from error
    with _TerminalProgress() as progress:
        summary = train(
            options.catalogue, options.index, chosen, settings=settings, listener=progress
        )
    if summary.skipped:
        _say(f"{summary.skipped:,} photographs could not be used.")
    if options.json:
        print(json.dumps(asdict(summary)))
        return 0
    learned_from = f"{summary.items:,} items"
    if summary.photographs:
        learned_from += f" and {summary.photographs:,} photographs"
    print(
        f"Learned from {learned_from} in {summary.seconds:.1f} s; epoch {summary.best_epoch} of "
        f"{summary.epochs} was the best. {options.index} uses it from now on."
    )
    print(_validation_in_words(summary.validation))
    return 0


def _forget(options: argparse.Namespace) -> int:
    had_one = Index.open(options.index).head is not None
    if had_one:
        write_head(options.index, None)
    if options.json:
        print(json.dumps({"removed": had_one}))
    else:
        print(f"{options.index}: " + ("what was learned is gone." if had_one else "nothing to do."))
    return 0


def _validation_in_words(validation: Mapping[str, float]) -> str:
    """How many of the first four answers to items that were kept back are right, before and
    after."""
    names = [name.removesuffix("_after") for name in validation if name.endswith("_after")]
    width = max((len(name) for name in names), default=0)
    lines = ["Right among the first four answers to items that were kept back:"]
    for name in names:
        before, after = validation.get(f"{name}_before"), validation[f"{name}_after"]
        was = "" if before is None else f"  (before: {before:.3f})"
        lines.append(f"  {name:{width}}  {after:.3f}{was}")
    return "\n".join(lines)


def _evaluate(options: argparse.Namespace, settings: Settings) -> int:
    """Ask an index about pictures of which the right answers are known, and print how many of the
    first results are right. Without --holdout, a picture is never its own answer."""
    from fitting_room.evaluation import copy_detection, evaluate, report

    where = _where(options.where)
    if options.mapping_column and not options.mapping:
        raise UsageError("--mapping-column goes with --mapping FILE.")
    if options.mapping and options.columns:
        raise UsageError(
            "--columns and --mapping do not go together: the mapping says what counts."
        )
    if options.report:
        report.check_report(options.report)
    if options.weights:
        settings = replace(settings, weights=options.weights)
    mapping = None
    if options.mapping:
        column = options.mapping_column or MAPPING_COLUMN
        mapping = read_mapping(options.mapping, column)
    fitting_room = FittingRoom.open(options.index, settings)
    queries = load_queries(options.queries, mapping)
    asked: dict[str, Any] = {
        "k": options.k,
        "where": where,
        "holdout": options.holdout,
        "options": _ranking(options),
        "seed": options.seed,
    }
    recalled = None
    with _TerminalProgress() as progress:
        found = evaluate.evaluate(
            fitting_room, queries, columns=options.columns, listener=progress, **asked
        )
        if options.copies:
            recalled = copy_detection.find_copies(
                fitting_room, options.copies, listener=progress, **asked
            )
    for remark in report.remarks(found):
        _say(remark)
    for name, reason in found.rejected[:20]:
        _say(f"Skipped {name}: {reason}")
    if len(found.rejected) > 20:
        _say(f"... and {len(found.rejected) - 20:,} more.")
    if options.report:
        report.write_report(options.report, fitting_room, queries, found, recalled)
        _say(f"The worst queries are in {options.report}.")
    if options.json:
        print(json.dumps({**found.as_dict(), "copies": recalled and recalled.as_dict()}))
    else:
        print(report.in_words(found, recalled))
    return 0


def _info(options: argparse.Namespace, settings: Settings) -> int:  # noqa: ARG001
    """Say what an index holds, what made it and what was left out, and check its files against
    their checksums."""
    index = Index.open(options.index)
    index.verify()
    if options.json:
        manifest = index.manifest.as_dict()
        print(json.dumps({**manifest, "counts": with_old_keys(manifest["counts"])}))
        return 0
    try:
        words = _manifest_in_words(index)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise IndexUnusable(f"{options.index}: the manifest makes no sense ({error}).") from error
    print(words)
    return 0


def _manifest_in_words(index: Index) -> str:
    manifest = index.manifest
    identity, counts = manifest.identity, manifest.counts
    size = sum(entry.bytes for entry in manifest.files.values())
    reduction = f", reduced by PCA from {index.pca.mean.shape[0]}" if index.pca else ""
    reduction += f", kept as {manifest.storage}"
    searched = "candidates first (approximate)" if index.ann else "all items, exactly"
    lines = [
        f"{len(index):,} items of {manifest.catalogue.location}",
        f"network     {identity['backbone']}, weights {identity['weights']} "
        f"(sha256 {identity['weights_sha256'][:12]}): {manifest.chosen_because}",
        f"embeddings  {index.dimension} numbers each{reduction}",
        f"searched    {searched}",
        *_head_in_words(index),
        f"built       {manifest.created}, {size / 2**20:.1f} MiB, checksums are right",
        _report_in_words(index),
    ]
    if counts.failed:
        lines.append(f"{counts.failed:,} pictures could not be used:")
        lines += [f"  {f['id']}: {f['reason']}" for f in manifest.failures]
    if manifest.advice:
        lines.append(f"To get the default network: {manifest.advice}")
    return "\n".join(lines)


def _head_in_words(index: Index) -> list[str]:
    """What an index's head learned, if it has one. Of its record nothing is certain but that it
    is there."""
    if index.head is None:
        return []
    record = index.head.record
    items, photographs = record.get("items"), record.get("photographs")
    learned_from = f"{items:,} items" if type(items) is int else "some items"
    if type(photographs) is int and photographs:
        learned_from += f" and {photographs:,} photographs"
    lines = [
        f"trained     on {learned_from}: {', '.join(index.head.columns)}; "
        f"{index.head.dimension} numbers each"
    ]
    if record.get("holdout") is not None:
        lines.append(f"            evaluate it with --holdout {record['holdout']}")
    validation = record.get("validation")
    if isinstance(validation, dict) and {"all_before", "all_after"} <= set(validation):
        lines.append(
            f"            right in all of them: {validation['all_before']:.3f} of the first four "
            f"answers before, {validation['all_after']:.3f} after"
        )
    return lines


def _report_in_words(index: Index) -> str:
    from fitting_room.catalogue.catalogue import CatalogueReport

    return "catalogue   " + CatalogueReport(**index.manifest.catalogue.report).in_words()


def _fetch(options: argparse.Namespace, settings: Settings) -> int:  # noqa: ARG001
    folder = download.download(options.name, options.to)
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
