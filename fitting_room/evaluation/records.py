"""What evaluations said of networks, kept where ``fitting-room backbones`` finds it."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import Any

from filelock import FileLock

from fitting_room.evaluation.results import ALL, Evaluation
from fitting_room.util.files import write_atomically

_log = logging.getLogger(__name__)
FILE = "evaluations.json"
#: What docs/relevance.md publishes of the packaged networks, with the command that prints it.
PUBLISHED = Path(__file__).with_name("published.json")
MAX_BYTES, MOST_RECORDS = 2**20, 500


@dataclass(frozen=True, slots=True)
class EvaluationRecord:
    """The precision@k of a network in all columns at once. Only what was measured in one
    ``protocol`` (catalogue, what is held out, how similarity is measured) is compared."""

    backbone: str
    weights_sha256: str
    input_size: tuple[int, int]
    protocol: str
    precision: float
    queries: int


def record_of(evaluation: Evaluation, identity: Mapping[str, Any]) -> EvaluationRecord | None:
    """The record of an evaluation by an index with that identity, or ``None`` where it measured
    what a head has learned, or a part of the catalogue, or no labels of all columns."""
    settings = evaluation.settings
    if settings["trained"] or settings["where"] or ALL not in evaluation.metrics:
        return None
    protocol = protocol_of(
        catalogue=PurePath(settings["queries"]).name,
        k=settings["k"],
        holdout=settings["holdout"],
        colour=settings["colour"]["plain_background"],
        silhouette=settings["silhouette"],
        metric=settings["metric"],
    )
    metrics = evaluation.metrics[ALL]
    height, width = identity["preprocessing"]["input_size"]
    return EvaluationRecord(
        str(identity["backbone"]),
        str(identity["weights_sha256"]),
        (height, width),
        protocol,
        float(metrics.precision.value),
        metrics.queries,
    )


def protocol_of(
    *, catalogue: str, k: int, holdout: int | None, colour: float, silhouette: float, metric: str
) -> str:
    """A protocol in words."""
    kept_back = "" if holdout is None else f", ids of {holdout} held out"
    return (
        f"precision@{k}, {catalogue}{kept_back}, colour {colour:g}, silhouette {silhouette:g}, "
        f"{metric}, no head"
    )


def keep(record: EvaluationRecord, cache: Path) -> None:
    """Put a record in place of an earlier one of the same network and protocol. A cache that cannot
    be written is no error."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f"{FILE}.lock", timeout=5):
            earlier = [one for one in _read(cache / FILE) if _key(one) != _key(record)]
            kept = [asdict(one) for one in [*earlier, record][-MOST_RECORDS:]]
            text = json.dumps({"records": kept}, indent=1) + "\n"
            write_atomically(cache / FILE, text)
    except (OSError, TimeoutError) as error:
        _log.warning("%s: the result could not be kept (%s)", cache / FILE, error)


def records(cache: Path) -> list[EvaluationRecord]:
    """What was published, and what was measured here, which comes last."""
    return [*_read(PUBLISHED), *_read(cache / FILE)]


def comparable(found: Sequence[EvaluationRecord], names: Sequence[str]) -> str | None:
    """The protocol in which most of the networks of these names were measured; of several the one
    that was used last. ``None`` where none was."""
    counts = Counter({one.protocol: 0 for one in found})
    for protocol, _ in {(one.protocol, one.backbone) for one in found if one.backbone in names}:
        counts[protocol] += 1
    order = {one.protocol: place for place, one in enumerate(found)}
    best = max(counts, key=lambda protocol: (counts[protocol], order[protocol]), default=None)
    return best if best is not None and counts[best] else None


def pareto(points: Mapping[str, tuple[float, float]]) -> set[str]:
    """Of networks by name, each with (milliseconds, precision), those for which no other is both
    quicker and better, nor as good in one and better in the other."""
    return {
        name
        for name, (time, precision) in points.items()
        if not any(
            other_time <= time and other >= precision and (other_time, other) != (time, precision)
            for other_time, other in points.values()
        )
    }


def _key(record: EvaluationRecord) -> tuple[object, ...]:
    return record.backbone, record.weights_sha256, record.input_size, record.protocol


def _read(path: Path) -> list[EvaluationRecord]:
    """The records of a file; none of what is damaged."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return []
        content = json.loads(path.read_text(encoding="utf-8"))
        return [
            EvaluationRecord(
                str(one["backbone"]),
                str(one["weights_sha256"]),
                (int(one["input_size"][0]), int(one["input_size"][1])),
                str(one["protocol"]),
                min(max(float(one["precision"]), 0.0), 1.0),
                int(one["queries"]),
            )
            for one in content["records"][:MOST_RECORDS]
        ]
    except FileNotFoundError:
        return []
    except (
        OSError,
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        RecursionError,
        OverflowError,
    ) as error:
        _log.warning("%s: cannot be read (%s)", path, error)
        return []
