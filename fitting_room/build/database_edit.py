"""Adding items to an index in a database and removing some, while it is searched.

Each change is there for everybody within seconds; one who writes at a time is expected, as by a
shop's own job. The pictures of what is added stay where they are, in the catalogue's place, which
is where every page of the cluster reads them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from fitting_room.build.edit import (
    EditError,
    EditSummary,
    ItemExistsError,
    checked_attributes,
    ids_of,
    listed,
)
from fitting_room.build.rows import RowMaker
from fitting_room.catalogue.catalogue import open_store
from fitting_room.databases.index import DatabaseIndex
from fitting_room.databases.record import Statistics, make_record
from fitting_room.databases.writing import Tally, write_block
from fitting_room.embedding.embedder import Embedder
from fitting_room.imaging.decode import ImageLimits, ImageRejected
from fitting_room.imaging.features import Features
from fitting_room.index.added import picture_digest
from fitting_room.index.item_store import Block
from fitting_room.util.progress import Listener, Stage, ignore


def remove_from_database(
    index: DatabaseIndex, ids: Sequence[str], *, ignore_missing: bool = False
) -> EditSummary:
    """Remove the items of these ids. Raises :class:`fitting_room.build.edit.EditError` for an id
    that is not there, unless ``ignore_missing``, and where nothing would be left."""
    started, wanted = time.perf_counter(), dict.fromkeys(ids)
    rows = index.store.rows_of(list(wanted))
    block = index.store.block(rows)
    there = set(block.table["id"])
    unknown = [item for item in wanted if item not in there]
    if unknown and not ignore_missing:
        raise EditError(f"{index.place}: there is no item {listed(unknown)}. Nothing was removed.")
    statistics = _less(index.statistics, block)
    if statistics.counts.items <= 0:
        raise EditError(f"{index.place}: no item would be left. Build another catalogue instead.")
    if len(rows):
        index.database.remove(rows)
        _publish(index, statistics)
    return EditSummary(
        items=statistics.counts.items,
        seconds=round(time.perf_counter() - started, 3),
        removed=tuple(item for item in wanted if item in there),
        unknown=tuple(unknown),
    )


def add_to_database(
    index: DatabaseIndex,
    pictures: Sequence[Path],
    load_embedder: Callable[[], Embedder],
    *,
    ids: Sequence[str] | None = None,
    attributes: Mapping[str, str] | None = None,
    replacing: bool = False,
    limits: ImageLimits,
    listener: Listener = ignore,
) -> EditSummary:
    """Add pictures that lie in the catalogue's own place. The arguments, and what becomes of a
    picture that cannot be used, are those of :func:`fitting_room.build.edit.add_items`."""
    started, names = time.perf_counter(), ids_of(pictures, ids)
    values = checked_attributes(attributes or {})
    if new := [column for column in values if column not in index.filter_columns]:
        raise EditError(
            f"{index.place}: the catalogue has no column {new[0]!r:.100}. Build it again with a "
            "table that has it."
        )
    images = [_in_catalogue(index, path) for path in pictures]
    before = index.store.block(index.store.rows_of(list(dict.fromkeys(names))))
    there = set(before.table["id"])
    if there and not replacing:
        raise ItemExistsError(
            f"{index.place}: {listed(sorted(there))} {'is' if len(there) == 1 else 'are'} there "
            "already. Give another --id, or --replace what is there."
        )
    embedder = load_embedder()
    index.require(embedder.selection.identity, embedder.head_network)
    features, digests, rejected = _embedded(index, images, embedder, limits, listener)
    done = [place for place in range(len(images)) if place in features]
    statistics = index.statistics
    if done:
        known = [names[place] for place in done]
        gone = before.rows[before.table["id"].isin(known).to_numpy(bool)]
        rows = statistics.next_row + np.arange(len(done))
        firsts = rows[[known.index(item) for item in known]]
        table = _table(index, before, known, [images[place] for place in done], values)
        maker = RowMaker(index.sample)
        block = maker.block(
            rows, firsts, table, [digests[p] for p in done], [features[p] for p in done]
        )
        tally = write_block(index.database, block, index.encoder)
        statistics = _more(_less(statistics, index.store.block(gone)), tally)
        if len(gone):
            index.database.remove(gone)
        _publish(index, statistics)
    added = list(dict.fromkeys(names[place] for place in done))
    return EditSummary(
        items=statistics.counts.items,
        seconds=round(time.perf_counter() - started, 3),
        added=tuple(item for item in added if item not in there),
        replaced=tuple(item for item in added if item in there),
        rejected=tuple((str(pictures[place]), why) for place, why in sorted(rejected.items())),
    )


def _embedded(
    index: DatabaseIndex,
    images: Sequence[str],
    embedder: Embedder,
    limits: ImageLimits,
    listener: Listener,
) -> tuple[dict[int, Features], dict[int, str], dict[int, str]]:
    """By their places the features and digests of pictures, and why others have none."""
    store = open_store(index.manifest.catalogue.location)
    features: dict[int, Features] = {}
    digests: dict[int, str] = {}
    rejected: dict[int, str] = {}

    def opened(place: int) -> Image.Image:
        data = store.read(images[place], limits.max_bytes)
        digests[place] = picture_digest(data)
        return embedder.open(data, name=images[place], limits=limits)

    stage = Stage("Embedding pictures", len(images), "picture", listener)
    for place, outcome in embedder.stream(range(len(images)), opened):
        if isinstance(outcome, ImageRejected):
            rejected[place] = outcome.reason
        elif outcome is not None:
            features[place] = outcome
        stage.advance()
    return features, digests, rejected


def _in_catalogue(index: DatabaseIndex, picture: Path) -> str:
    """The name of a picture in the catalogue's place. Raises :class:`EditError` outside of it."""
    location = index.manifest.catalogue.location
    try:
        return picture.resolve().relative_to(Path(location).resolve()).as_posix()
    except (OSError, ValueError) as error:
        raise EditError(
            f"{picture}: the pictures of an index in a database stay where they are, and every "
            f"page reads them from {location}. Put it there first."
        ) from error


def _table(
    index: DatabaseIndex,
    before: Block,
    ids: Sequence[str],
    images: Sequence[str],
    values: Mapping[str, str | None],
) -> pd.DataFrame:
    """What is said of the pictures that are added: of an item that is replaced what was said of it
    before, but for the values that are given."""
    earlier = {str(one["id"]): one for one in before.table.to_dict("records")}
    columns = list(index.database.layout.columns)
    records = [
        {**{c: earlier.get(item, {}).get(c) for c in columns}, **values, "id": item, "image": image}
        for item, image in zip(ids, images, strict=True)
    ]
    return pd.DataFrame.from_records(records, columns=["id", "image", *columns])


# --- what was counted -------------------------------------------------------------------------


def _less(statistics: Statistics, gone: Block) -> Statistics:
    return _changed(statistics, Tally().count(gone), -1)


def _more(statistics: Statistics, added: Tally) -> Statistics:
    return replace(_changed(statistics, added, 1), next_row=added.last + 1)


def _changed(statistics: Statistics, by: Tally, sign: int) -> Statistics:
    counts, values = statistics.counts, {c: dict(of) for c, of in statistics.values.items()}
    for column, changed in by.values.items():
        of = values.setdefault(column, {})
        for value, number in changed.items():
            if (left := of.get(value, 0) + sign * number) > 0:
                of[value] = left
            else:
                of.pop(value, None)
    words = dict.fromkeys([*statistics.words, *(by.words if sign > 0 else ())])
    return replace(
        statistics,
        counts=replace(
            counts,
            items=counts.items + sign * by.items,
            pictures=counts.embedded + sign * by.rows,
            plain_background=max(0, counts.plain_background + sign * by.plain),
        ),
        values=values,
        words=tuple(words),
    )


def _publish(index: DatabaseIndex, statistics: Statistics) -> None:
    index.database.publish(make_record(index.sample, index.encoder, statistics))
