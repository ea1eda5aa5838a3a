"""The command that says which networks are at hand: ``fitting-room backbones``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fitting_room.cli.commands import UsageError, terminal_progress
from fitting_room.cli.output import say, show
from fitting_room.embedding.at_hand import NetworkAtHand, look_at, networks_at_hand
from fitting_room.evaluation import records
from fitting_room.evaluation.records import EvaluationRecord
from fitting_room.settings import Settings
from fitting_room.util.progress import Stage

_HEADS = ("network", "MB", "M numbers", "embedding", "input", "words", "ms", "precision@4", "")
#: Marks a network than which no other is both quicker and better.
FRONT = "*"


@dataclass(frozen=True, slots=True)
class _Row:
    network: NetworkAtHand
    record: EvaluationRecord | None
    on_front: bool


def backbones(options: argparse.Namespace, settings: Settings) -> int:
    """List the networks at hand: their size, what they take, how long a picture takes here, and
    how good their answers were where `evaluate` measured that without a head. A * marks those
    than which no other is both quicker and better. Nothing is downloaded."""
    if options.weights and len(options.names) != 1:
        raise UsageError("backbones: --weights FILE goes with one NAME.")
    names = networks_at_hand(options.names)
    with terminal_progress() as progress:
        stage = Stage("Looking at networks", len(names), "network", progress)
        found = []
        for name in names:
            found.append(
                look_at(name, options.weights, cache=settings.engines_folder, timed=options.time)
            )
            stage.advance()
    known = records.records(settings.cache)
    protocol = records.comparable(known, names)
    rows = _rows(found, {_key(one): one for one in known if one.protocol == protocol})
    if options.json:
        show(json.dumps({"protocol": protocol, "networks": [_as_dict(row) for row in rows]}))
    else:
        show(*_table(rows))
        if protocol and any(row.record for row in rows):
            say(f"Precision: {protocol}; type, colour and gender all right.")
        for row in rows:
            if options.names and row.network.why_not:
                say(f"{row.network.name}: {row.network.why_not}")
    return 0


def _key(record: EvaluationRecord) -> tuple[object, ...]:
    return record.backbone, record.weights_sha256, record.input_size


def _rows(
    found: Sequence[NetworkAtHand], known: Mapping[tuple[object, ...], EvaluationRecord]
) -> list[_Row]:
    measured = {one.name: known.get((one.name, one.sha256, one.input_size)) for one in found}
    front = records.pareto(
        {
            one.name: (one.milliseconds, record.precision)
            for one in found
            if one.milliseconds is not None and (record := measured[one.name]) is not None
        }
    )
    return [_Row(one, measured[one.name], one.name in front) for one in found]


def _table(rows: Sequence[_Row]) -> list[str]:
    cells = [_HEADS, *(_cells(row) for row in rows)]
    widths = [max(len(of_row[place]) for of_row in cells) for place in range(len(_HEADS))]
    return ["  ".join(map(str.ljust, of_row, widths)).rstrip() for of_row in cells]


def _cells(row: _Row) -> tuple[str, ...]:
    network = row.network
    size, record = network.input_size, row.record
    return (
        network.name,
        "not here" if network.bytes is None else f"{network.bytes / 1e6:.0f}",
        "" if network.parameters is None else f"{network.parameters / 1e6:.1f}",
        str(network.dimension or ""),
        "" if size is None else f"{size[0]} x {size[1]}",
        "yes" if network.reads_words else "",
        "" if network.milliseconds is None else f"{network.milliseconds:.1f}",
        "" if record is None else f"{record.precision:.3f}",
        FRONT if row.on_front else "",
    )


def _as_dict(row: _Row) -> dict[str, object]:
    network, record = row.network, row.record
    return {
        "name": network.name,
        "at_hand": network.weights is not None,
        "why_not": network.why_not,
        "weights": None if network.weights is None else str(network.weights),
        "sha256": network.sha256,
        "bytes": network.bytes,
        "parameters": network.parameters,
        "dimension": network.dimension,
        "input_size": network.input_size,
        "reads_words": network.reads_words,
        "milliseconds": network.milliseconds,
        "precision": None if record is None else record.precision,
        "queries": None if record is None else record.queries,
        "on_front": row.on_front,
    }
