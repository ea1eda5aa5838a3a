"""What an index holds, what made it and what was left out, as command line and page say it.

Anybody may have written the records of the catalogue and of the head, so what makes no sense in
them is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fitting_room.catalogue.report import UNLISTED
from fitting_room.index.edits import edits_in_words
from fitting_room.index.head import Head, is_trained_here
from fitting_room.index.index import Index

#: Ids that are named as examples of what became of rows.
EXAMPLES = 10
#: Precision@4 in a column (or ``all``), 0 to 1, before the training, where known, and after it.
Validation = tuple[str, float | None, float]


@dataclass(frozen=True, slots=True)
class IndexDescription:
    """An index in words.

    ``outcomes`` says what became of the catalogue's rows that were repaired or left out, how many
    they are, and some of their ids; ``read_as`` how the catalogue was read; ``empty`` counts items
    without a value by column. ``failures``
    are the first of the ``failed`` items whose picture could not be used, by id, with the reason.
    ``changed`` says what was changed by hand since the catalogue was read, if anything was.
    """

    items: str
    network: str
    embeddings: str
    searched: str
    trained: str | None
    trained_here: bool
    validation: tuple[Validation, ...]
    built: str
    rows: int
    outcomes: tuple[tuple[str, int, tuple[str, ...]], ...]
    read_as: tuple[str, ...]
    empty: dict[str, int]
    failed: int
    failures: tuple[tuple[str, str], ...]
    advice: str | None
    changed: str | None


def describe_index(
    index: Index, title: str | None = None, label: Callable[[str], str] = str
) -> IndexDescription:
    """Describe an index; ``title`` is the network's name for people, ``label`` gives that of a
    column."""
    manifest, identity, head = index.manifest, index.identity, index.head
    report, counts = manifest.catalogue.report, manifest.counts
    pixels = _mapping(identity.get("preprocessing")).get("input_size")
    of_size = f", {' x '.join(map(str, pixels))} pixels" if isinstance(pixels, list) else ""
    reduced = "" if index.pca is None else f", reduced by PCA from {len(index.pca.mean)}"
    size = f"{sum(entry.bytes for entry in manifest.files.values()) / 2**20:.1f} MiB"
    if index.sample is not index:  # the files are those of the sample
        size = f"in {index.place}"
    return IndexDescription(
        items=f"{count_in_words(index)} of {manifest.catalogue.location}",
        network=f"{title or identity['backbone']}, weights {identity['weights']} (sha256 "
        f"{identity['weights_sha256'][:12]}){of_size}: {manifest.chosen_because}",
        embeddings=f"{index.dimension} numbers each{reduced}, kept as {manifest.storage}",
        searched=_searched(index),
        trained=None if head is None else _trained(head, manifest.head_network, label),
        trained_here=head is not None and is_trained_here(head),
        validation=() if head is None else validation_of(head.record.get("validation")),
        built=f"{manifest.created.replace('T', ' ')[:16]} (UTC), {size}",
        rows=counts.rows,
        outcomes=tuple(_outcomes(report)),
        read_as=tuple(_sentences(report)),
        empty=_counts(report.get("empty")),
        failed=counts.failed,
        failures=tuple((str(f.get("id")), str(f.get("reason"))) for f in manifest.failures),
        advice=manifest.advice,
        changed=edits_in_words(manifest.edits),
    )


def _searched(index: Index) -> str:
    if index.sample is not index:
        return "candidates of a database first (approximate)"
    return "all items, exactly" if index.ann is None else "candidates first (approximate)"


def count_in_words(index: Index) -> str:
    """How many items an index has, and how many pictures of them where those are more."""
    text = f"{index.item_count:,} items"
    return text if not index.has_several_pictures else f"{text} with {len(index):,} pictures"


def validation_of(figures: object) -> tuple[Validation, ...]:
    """A training's figures ``<column>_before`` and ``<column>_after`` by column, in their order."""
    numbers = {str(k): v for k, v in _mapping(figures).items() if isinstance(v, int | float)}
    columns = [name.removesuffix("_after") for name in numbers if name.endswith("_after")]
    return tuple((c, numbers.get(f"{c}_before"), numbers[f"{c}_after"]) for c in columns)


def learned_from(items: int | None, photographs: int | None) -> str:
    """What a head learned from, in words."""
    text = "some items" if items is None else f"{items:,} items"
    return f"{text} and {photographs:,} photographs" if photographs else text


def _trained(head: Head, network: Mapping[str, Any] | None, label: Callable[[str], str]) -> str:
    of = learned_from(_count(head.record.get("items")), _count(head.record.get("photographs")))
    where = "here" if is_trained_here(head) else f"elsewhere ({head.record['name']!s:.100})"
    text = f"{where}, on {of}: {', '.join(map(label, head.columns))}; {head.dimension} numbers each"
    if network is not None:
        text += f", of what {network.get('backbone')!s:.100} sees"
    holdout = _count(head.record.get("holdout"))
    return text if holdout is None else f"{text}; evaluate it with --holdout {holdout}"


def _outcomes(report: Mapping[str, Any]) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    examples = _mapping(report.get("examples"))
    for outcome, key in (
        ("repaired", "repaired"), ("merged", "merged"), ("left out", "dropped"),
        ("left out", "passed_over"), ("tables not read", "tables_not_read"),
    ):  # fmt: skip
        for reason, count in _counts(report.get(key)).items():
            yield f"{outcome}: {reason}", count, _examples(examples.get(reason))
    for ending, count in _counts(report.get("unread")).items():
        yield f"left out: {ending}, which is not read", count, _examples(examples.get(ending))
    if unlisted := _count(report.get("unlisted")):
        yield UNLISTED, unlisted, _examples(examples.get(UNLISTED))


def _sentences(report: Mapping[str, Any]) -> Iterator[str]:
    """How the catalogue was read."""
    said = report.get("read_as")
    yield from (str(text) for text in (said if isinstance(said, list) else [])[:EXAMPLES])


def _examples(named: object) -> tuple[str, ...]:
    return tuple(map(str, named[:EXAMPLES])) if isinstance(named, list) else ()


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _counts(values: object) -> dict[str, int]:
    return {str(k): v for k, v in _mapping(values).items() if type(v) is int}


def _count(value: object) -> int | None:
    return value if type(value) is int else None
