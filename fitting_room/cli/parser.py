"""The arguments of each command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from fitting_room import __version__
from fitting_room.catalogue.download import DATASETS
from fitting_room.catalogue.label_mapping import MAPPING_COLUMN
from fitting_room.catalogue.photograph_colours import COLOUR_COLUMN
from fitting_room.catalogue.reading_options import NO_TABLE
from fitting_room.cli import (
    commands,
    converting,
    editing,
    fetching,
    networks,
    parts,
    searching,
    serving,
    verifying,
)
from fitting_room.databases.address import is_address as is_database
from fitting_room.embedding.backbones import AUTO, backbone_names, check_name
from fitting_room.embedding.engine import ENGINES, PRECISIONS
from fitting_room.embedding.families import FORMS
from fitting_room.embedding.weights import BackboneError
from fitting_room.evaluation.evaluate import RESULTS
from fitting_room.evaluation.relevance import DEFAULT_COLUMNS
from fitting_room.index.head import FASHION, NO_HEAD
from fitting_room.index.scoring import COSINE, METRICS, SILHOUETTE_SHARE
from fitting_room.index.vectors import FLOAT32, STORAGES
from fitting_room.learning.losses import LOSSES
from fitting_room.learning.options import TrainingOptions
from fitting_room.search.fulfilment import TEXT_WEIGHT

Add = Callable[..., argparse.Action]
N = TypeVar("N", int, float)


class _Parser(argparse.ArgumentParser):
    """argparse takes ``-price`` for an option also where it is the value of one."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        given = list(sys.argv[1:] if args is None else args)
        for place in range(len(given) - 1, 0, -1):
            value = given[place]
            if given[place - 1] == "--sort" and value[:1] == "-" and value[:2] != "--":
                given[place - 1 : place + 1] = [f"--sort={value}"]
        return super().parse_known_args(given, namespace)


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands. What it parses has the command's function as ``run``."""
    parser: argparse.ArgumentParser = _Parser(
        prog="fitting-room",
        description="Find the items of a catalogue that look most like a picture.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    shared, querying, reading = (argparse.ArgumentParser(add_help=False) for _ in range(3))
    shared.add_argument(
        "--index", type=_index, required=True, help="folder of the index, or address in a database"
    )
    shared.add_argument("--json", action="store_true", help="print JSON")
    _add_query_options(querying.add_argument)
    _add_reading_options(reading.add_argument)
    taught = [shared, reading]
    for run, name, text, add_arguments, parents in (
        (commands.build, "build", "make or update an index", _add_build, taught),
        (editing.add, "add", "add pictures to an index", _add_add, [shared]),
        (editing.remove, "remove", "remove items from an index", _add_remove, [shared]),
        (searching.search, "search", "find similar items", _add_search, [shared, querying]),
        (commands.train_head, "train", "teach an index its labels", _add_train, [shared, reading]),
        (
            commands.evaluate,
            "evaluate",
            "measure matches",
            _add_evaluate,
            [shared, querying, reading],
        ),
        (verifying.info, "info", "describe and check an index", None, [shared]),
        (verifying.verify, "verify", "say which files are damaged", None, [shared]),
        (
            converting.convert,
            "convert",
            "prepare for a machine without torch",
            _add_convert,
            [shared],
        ),
        (networks.backbones, "backbones", "list the networks at hand", _add_backbones, []),
        (fetching.fetch, "fetch", "download a catalogue", _add_fetch, []),
        (serving.serve, "serve", "open the page", _add_serve, []),
    ):
        command = subparsers.add_parser(name, help=text, description=run.__doc__, parents=parents)
        command.set_defaults(run=run)
        if add_arguments is not None:
            add_arguments(command.add_argument)
    return parser


def _add_query_options(add: Add) -> None:
    add("--where", action="append", type=_condition, default=[], metavar="COLUMN=VALUE",
        help="only items with this value; repeat for more")  # fmt: skip
    add("--weights", metavar="FILE", help="local weights that made the index")
    add("--colour", type=_share, metavar="W", help="weight of colour, 0 to 1 (the index's own)")
    add("--plain", action="store_false", dest="trained", help="do without what was trained")
    add("--metric", choices=METRICS, default=COSINE, help="measure of embeddings (%(default)s)")
    add("--silhouette", type=_share, default=SILHOUETTE_SHARE, metavar="S",
        help="weight of the silhouette in shape, 0 to 1, between pictures with a plain background "
        "and without what was trained (%(default)s)")  # fmt: skip


def _add_reading_options(add: Add) -> None:
    add("--table", metavar="FILE",
        help=f"its table, or {NO_TABLE} (the one that finds most pictures)")  # fmt: skip
    add("--id-column", metavar="COLUMN", help="its column of ids")
    add("--image-column", metavar="COLUMN", help="its column that names the pictures")
    add("--name-column", metavar="COLUMN", help="its column of the items' names")


def _add_build(add: Add) -> None:
    add("catalogue", help="a catalogue: a folder, an archive, a table, or an address of one")
    add("--backbone", type=_backbone, metavar="NAME", help="network (auto): "
        f"{', '.join([AUTO, *backbone_names(), *FORMS])}")  # fmt: skip
    add("--weights", metavar="NAME|FILE", help='weights of it: "V2", or a local file')
    add("--head", metavar="NAME|FILE",
        help=f"what was learned before: {FASHION}, the packaged one, {NO_HEAD}, or a file (by "
        f"default what this index was taught, or {FASHION})")  # fmt: skip
    add("--pca", type=_positive, metavar="D", help="reduce embeddings to D numbers")
    add("--storage", choices=STORAGES, default=FLOAT32, help="of embeddings: int8 is a quarter")
    add("--input-size", type=_input_size, metavar="HxW", help="height and width of network input")
    add("--engine", choices=ENGINES, help="what runs the network (auto)")
    add("--precision", choices=PRECISIONS, help="what it computes in (auto: the quickest as good)")
    add("--ray", metavar="ADDRESS",
        help="embed on the machines of a Ray cluster, HOST:PORT, or auto for the one that runs "
        "here, or local for all cores of this machine")  # fmt: skip


def _add_add(add: Add) -> None:
    add("pictures", nargs="+", type=Path, metavar="PICTURE")
    add("--id", action="append",
        help="id of a picture's item, once for each picture; the same one twice: two pictures of "
        "one item (the file's name without its ending)")  # fmt: skip
    add("--set", action="append", type=_condition, default=[], metavar="COLUMN=VALUE",
        help="what is said of all of them; repeat for more columns")  # fmt: skip
    add("--replace", action="store_true", help="put them in place of items that are there")
    add("--weights", metavar="FILE", help="local weights that made the index")


def _add_remove(add: Add) -> None:
    add("ids", nargs="+", metavar="ID")
    add("--ignore-missing", action="store_true", help="go on where an item is not there")


def _add_search(add: Add) -> None:
    add("pictures", nargs="*", type=Path, metavar="PICTURE_OR_FOLDER")
    add("--text", help='words, beside each picture or alone: "red dress", "in red, not striped"')
    add("--text-weight", type=_share, default=TEXT_WEIGHT, metavar="W",
        help="how much words count beside a picture, 0 to 1; with 1 only what they ask for is left "
        "(%(default)s)")  # fmt: skip
    add("-n", type=_positive, default=12, help="matches for each picture (%(default)s)")
    add("--diversity", type=_share, default=0.0, metavar="D",
        help="how much a variety counts against likeness, 0 to 1 (%(default)s)")  # fmt: skip
    add("--only-good", action="store_true", help="only what is alike, perhaps nothing")
    add("--sort", metavar="COLUMN",
        help="the good matches, and no others, in the order of a column of numbers, the smallest "
        "first; -COLUMN: the largest first")  # fmt: skip
    add("--fold", action="store_true",
        help="near-duplicates as one match, which names the others")  # fmt: skip
    add("--part", type=_part, metavar="N|list",
        help="search with one part of a picture that shows several garments, or list the parts",
        )  # fmt: skip


def _add_train(add: Add) -> None:
    usual = TrainingOptions()
    columns = f"columns to learn ({','.join(usual.columns)})"
    add("catalogue", nargs="?", help="the catalogue of the index")
    add("--columns", default=usual.columns, help=columns, **_COLUMNS)
    add("--holdout", help="keep back items whose id is a multiple of N", **_COUNT)
    add("--photographs", type=Path, metavar="DIR", help="class folders of photographs to add")
    add("--mapping", help="JSON: class of photographs -> values of the catalogue", **_FILE)
    add("--mapping-column", default=usual.mapping_column, metavar="COLUMN",
        help="column of those values (%(default)s)")  # fmt: skip
    add("--colours", help="JSON: photograph -> colours of the catalogue it may have", **_FILE)
    add("--colour-column", default=usual.colour_column, metavar="COLUMN",
        help="column of those colours (%(default)s)")  # fmt: skip
    add(
        "--head",
        metavar="NAME|FILE",
        help=f"what to start from: {FASHION}, {NO_HEAD} or a file ({FASHION}, where it fits)",
    )
    add("--save-head", help="where the head goes for other indexes, .safetensors", **_FILE)
    add("--loss", choices=list(LOSSES), default=usual.loss, help="what is minimised (%(default)s)")
    add("--epochs", default=usual.epochs, help="passes at most (%(default)s)", **_COUNT)
    add("--seed", type=_whole, default=0, help="the same one gives the same head (%(default)s)")
    add("--finetune-blocks", type=_whole, default=0, metavar="N",
        help="fine-tune the last N blocks of the network first (%(default)s)")  # fmt: skip
    add("--save-weights", help="where fine-tuned weights go, .safetensors", **_FILE)
    add(
        "--finetune-epochs",
        default=usual.finetune_epochs,
        help="its passes (%(default)s)",
        **_COUNT,
    )
    add("--weights", metavar="FILE", help="local weights that made the index")
    add("--remove", action="store_true", help="forget what was learned")


def _add_evaluate(add: Add) -> None:
    add("queries", type=Path,
        help="a catalogue, or a .csv of `picture`, or `text`, and expected labels")  # fmt: skip
    add("-k", type=_positive, default=RESULTS, help="matches of each query (%(default)s)")
    add("--columns", help=f"what must be right ({','.join(DEFAULT_COLUMNS)})", **_COLUMNS)
    add("--holdout", help="query with the items whose id is a multiple of N", **_COUNT)
    add("--mapping", help="JSON: class folder of a query -> values that are right", **_FILE)
    add("--mapping-column", metavar="COLUMN", help=f"column of those values ({MAPPING_COLUMN})")
    add("--colours", help="JSON: name of a photograph -> colours that are right", **_FILE)
    add("--colour-column", metavar="COLUMN", help=f"column of those colours ({COLOUR_COLUMN})")
    add("--name-weight", type=_share, default=0.0, metavar="W",
        help="weight of items' names in published measures of words, which embeds them all; KAGL's "
        "is 0.1 (%(default)s)")  # fmt: skip
    add("--copies", help="also measure whether changed copies of N items find them", **_COUNT)
    add("--report", help="write the worst queries to a page, .html or .htm", **_FILE)
    add("--seed", type=_whole, default=0, help="of intervals and copies (%(default)s)")


def _add_convert(add: Add) -> None:
    add("--weights", metavar="FILE", help="local weights that made the index")


def _add_backbones(add: Add) -> None:
    add("names", nargs="*", type=_backbone, metavar="NAME", help="these (all that are at hand)")
    add("--weights", metavar="FILE", help="local weights of the one that is named")
    add("--time", action="store_true", help="also run each, to say how long a picture takes")
    add("--json", action="store_true", help="print JSON")


def _add_fetch(add: Add) -> None:
    named = " or ".join(sorted(DATASETS))
    add("source", type=_source, metavar="NAME|TABLE",
        help=f"{named}, or a table with the addresses of pictures")  # fmt: skip
    add("--to", type=Path, metavar="DIR",
        help="parent folder of a public catalogue (data), the folder of a table (data/TABLE)",
        )  # fmt: skip
    add("--url-column", metavar="COLUMN", help="column of the addresses (found by its content)")
    add("--private", action="store_true",
        help="also ask addresses of this machine and its own network")  # fmt: skip
    add("--ignore-robots", action="store_true",
        help="also take pictures that their server asks programs to leave alone")  # fmt: skip


def _add_serve(add: Add) -> None:
    add("--index", type=_index, help="an index to show (the demo catalogue's)")
    add("--port", type=_positive, help="port of the page (8501, or FITTING_ROOM_PORT)")
    add("--address",
        help="where to listen (localhost, or FITTING_ROOM_ADDRESS; 0.0.0.0 for all)")  # fmt: skip
    add("--api", choices=("on", "off"), default="on", help="the HTTP API (%(default)s)")
    add("--owner", action="store_true",
        help="let who opens the page mark look-alikes; on this machine alone")  # fmt: skip


# --- types of arguments -----------------------------------------------------------------------


def _number(kind: type[N], least: N, most: N, name: str, text: str) -> N:
    with suppress(ValueError):
        if least <= (number := kind(text)) <= most:
            return number
    raise argparse.ArgumentTypeError(f"{text!r} is not {name}")


_positive = partial(_number, int, 1, 10**18, "a whole number above 0")
_whole = partial(_number, int, 0, 10**18, "a whole number from 0 on")
_share = partial(_number, float, 0.0, 1.0, "a number from 0 to 1")


def _backbone(text: str) -> str:
    try:
        check_name(text)
    except BackboneError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _index(text: str) -> Path | str:
    return text if is_database(text) else Path(text)


def _part(text: str) -> int:
    return parts.LIST if text == "list" else _positive(text)


def _source(text: str) -> str | Path:
    if text in DATASETS:
        return text
    if (path := Path(text)).is_file():
        return path
    raise argparse.ArgumentTypeError(
        f"{text!r} is neither a public catalogue ({', '.join(DATASETS)}) nor a file"
    )


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


def _condition(text: str) -> tuple[str, str]:
    column, _, value = text.partition("=")
    if not column or not value:
        raise argparse.ArgumentTypeError(f"{text!r}: write COLUMN=VALUE, as in gender=Women")
    return column, value


_FILE: dict[str, Any] = {"type": Path, "metavar": "FILE"}
_COUNT: dict[str, Any] = {"type": _positive, "metavar": "N"}
_COLUMNS: dict[str, Any] = {"type": _names, "metavar": "A,B,C"}
