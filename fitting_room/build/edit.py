"""Adding items to an index and removing some, without its catalogue.

The new version is written whole like any other, from the old one's rows: nothing is embedded but
the pictures that are added, and what was learned and laid out stays. The next build of the
catalogue has the last word (:mod:`fitting_room.index.edits`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import Timeout
from PIL import Image

from fitting_room.build.builder import BLOCK, CALIBRATION_OUTGROWN
from fitting_room.build.calibrate import calibrate
from fitting_room.build.place import locked, resolved
from fitting_room.build.writer import Block, remove_leftovers, write_index
from fitting_room.catalogue.schema import MAX_COLUMNS, NOT_AVAILABLE
from fitting_room.embedding.embedder import Embedder
from fitting_room.imaging.decode import ImageLimits, ImageRejected
from fitting_room.imaging.features import Features
from fitting_room.index.added import keep_picture, picture_digest
from fitting_room.index.ann import ANN_INDEX
from fitting_room.index.calibration import Calibration
from fitting_room.index.edits import edits_between
from fitting_room.index.index import INTERNAL_COLUMNS, Index
from fitting_room.index.inverted_file import is_available
from fitting_room.index.vectors import release
from fitting_room.util.progress import Listener, Stage, ignore

#: The longest id and name of a column, in characters.
MAX_NAME = 200
#: Ids that an error names.
NAMED = 5


class EditError(Exception):
    """Items cannot be added or removed; the text says what to do. Nothing was changed."""


class ItemExistsError(EditError):
    """Items of these ids are there already."""


class IndexBusyError(EditError):
    """Another build or change of the index is running."""


@dataclass(frozen=True, slots=True)
class EditSummary:
    """What was done: the ids of items that were ``added``, ``replaced`` and ``removed``, the
    pictures that were ``rejected`` and why, the ids that were ``unknown``, and how many ``items``
    the index has now."""

    items: int
    seconds: float
    added: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    rejected: tuple[tuple[str, str], ...] = ()
    unknown: tuple[str, ...] = ()


def add_items(
    folder: Path,
    pictures: Sequence[Path],
    load_embedder: Callable[[], Embedder],
    *,
    ids: Sequence[str] | None = None,
    attributes: Mapping[str, str] | None = None,
    replacing: bool = False,
    limits: ImageLimits,
    listener: Listener = ignore,
) -> EditSummary:
    """Add pictures to the index at ``folder``, which keeps their files. ``ids`` names the item of
    each, one item where several are the same; by default it is the file's name without its ending.
    ``attributes`` are values of all of them by column, which may be new to the index. The item of
    an id that is there already is replaced only if ``replacing``, and keeps the attributes that
    are not given.

    A picture that cannot be used is ``rejected`` and the others are added; if none can be, nothing
    is changed. Raises :class:`EditError` for ids and columns that cannot be used, ids that are
    there already, and while a build of the index is running; ``IndexUnusable`` where there is no
    sound index, or another network made it.
    """
    started, folder = time.perf_counter(), resolved(Path(folder))
    names, values = ids_of(pictures, ids), checked_attributes(attributes or {})
    with _opened(folder) as old:
        _check_columns(old, values)
        there = set(old.items["id"])
        if known := [item for item in dict.fromkeys(names) if item in there and not replacing]:
            raise ItemExistsError(
                f"{folder}: {listed(known)} {'is' if len(known) == 1 else 'are'} there already. "
                "Give another --id, or --replace what is there."
            )
        embedder = load_embedder()
        old.require(embedder.selection.identity, embedder.head_network)
        new = _Added(folder, list(pictures), embedder, limits)
        new.embed(listener)
        places = sorted(new.features)
        done = list(dict.fromkeys(names[place] for place in places))
        replaced = tuple(item for item in done if item in there)
        if done:
            kept = np.flatnonzero(~old.items["id"].isin(replaced).to_numpy(bool))
            records = [
                _record(old, names[p], values, new.images[p], new.digests[p]) for p in places
            ]
            _write(old, kept, _with_rows(old, kept, records), new.block(old, places), listener)
    return EditSummary(
        items=len((there - set(replaced)) | set(done)),
        seconds=round(time.perf_counter() - started, 3),
        added=tuple(item for item in done if item not in there),
        replaced=replaced,
        rejected=tuple((str(pictures[p]), why) for p, why in sorted(new.rejected.items())),
    )


def remove_items(
    folder: Path, ids: Sequence[str], *, ignore_missing: bool = False, listener: Listener = ignore
) -> EditSummary:
    """Remove the items of these ids from the index at ``folder``, and the pictures that it keeps of
    them. Raises :class:`EditError` for an id that is not there, unless ``ignore_missing``, where
    nothing would be left, and while a build of the index is running; ``IndexUnusable`` where there
    is no sound index."""
    started, folder, wanted = time.perf_counter(), resolved(Path(folder)), dict.fromkeys(ids)
    with _opened(folder) as old:
        there = set(old.items["id"])
        unknown = [item for item in wanted if item not in there]
        if unknown and not ignore_missing:
            raise EditError(f"{folder}: there is no item {listed(unknown)}. Nothing was removed.")
        goes = old.items["id"].isin(list(wanted)).to_numpy(bool)
        if goes.all():
            raise EditError(f"{folder}: no item would be left. Remove the folder instead.")
        kept = np.flatnonzero(~goes)
        if goes.any():
            _write(old, kept, _with_rows(old, kept, []), None, listener)
    return EditSummary(
        items=len(there - set(wanted)),
        seconds=round(time.perf_counter() - started, 3),
        removed=tuple(item for item in wanted if item in there),
        unknown=tuple(unknown),
    )


@contextmanager
def _opened(folder: Path) -> Iterator[Index]:
    """The index at ``folder``, sound in every byte, while nobody else writes it. What was kept of
    pictures and is not needed after all is removed."""
    try:
        Index.open(folder)  # a lock is left beside what is no index otherwise
        with locked(folder):
            remove_leftovers(folder)  # of one that was killed, also where nothing is written now
            index = Index.open(folder)
            index.verify()  # a damaged file must not live on in the next version
            try:
                yield index
            except BaseException:
                remove_leftovers(folder)
                raise
    except Timeout as error:
        raise IndexBusyError(f"{folder}: a build of this index is running. Wait for it.") from error


# --- the items that are added -----------------------------------------------------------------


class _Added:
    """The pictures that are added: of each usable one its ``features``, the name of the kept
    ``images`` and their ``digests``, by place, and why the others were ``rejected``."""

    def __init__(
        self, folder: Path, pictures: Sequence[Path], embedder: Embedder, limits: ImageLimits
    ) -> None:
        self.folder, self.pictures = folder, pictures
        self.embedder, self.limits = embedder, limits
        self.features: dict[int, Features] = {}
        self.images: dict[int, str] = {}
        self.digests: dict[int, str] = {}
        self.rejected: dict[int, str] = {}

    def embed(self, listener: Listener) -> None:
        stage = Stage("Embedding pictures", len(self.pictures), "picture", listener)
        for place, outcome in self.embedder.stream(range(len(self.pictures)), self._load):
            if isinstance(outcome, ImageRejected):
                self.rejected[place] = outcome.reason
            elif outcome is not None:
                self.features[place] = outcome
            stage.advance()

    def _load(self, place: int) -> Image.Image:
        """Open a picture and keep its file."""
        path = self.pictures[place]
        try:
            with path.open("rb") as file:
                data = file.read(self.limits.max_bytes + 1)  # opening refuses one that is larger
        except OSError as error:
            reason = f"The file cannot be read ({error.strerror})."
            raise ImageRejected(reason, name=str(path)) from error
        image = self.embedder.open(data, name=str(path), limits=self.limits)
        self.digests[place] = picture_digest(data)
        self.images[place] = keep_picture(self.folder, data, self.digests[place], path.suffix)
        return image

    def block(self, old: Index, places: Sequence[int]) -> Block:
        """The rows of some of them, as the index ``old`` has them."""
        features = [self.features[place] for place in places]
        vectors = np.stack([of_one.embeddings[0] for of_one in features])
        descriptors = np.stack([of_one.descriptors for of_one in features])
        of_head = [f.head_embeddings[0] for f in features if f.head_embeddings is not None]
        return Block(
            vectors if old.pca is None else old.pca(vectors),
            descriptors,
            np.stack(of_head) if old.head_vectors is not None else None,
        )


def ids_of(pictures: Sequence[Path], ids: Sequence[str] | None) -> list[str]:
    """The id of each picture's item. Raises :class:`EditError` for ids that cannot be used."""
    if not pictures:
        raise EditError("There is no picture to add.")
    if ids is None:
        names = [path.stem.strip() for path in pictures]
        if twice := [item for item in dict.fromkeys(names) if names.count(item) > 1]:
            raise EditError(
                f"Several pictures are called {listed(twice)}. Say of which item each one is: "
                "--id once for each picture, in their order."
            )
    else:
        names = [item.strip() for item in ids]
        if len(names) != len(pictures):
            raise EditError(
                f"{len(names):,} ids for {len(pictures):,} pictures. Give --id once for each "
                "picture, in their order."
            )
    if wrong := [item for item in names if not _is_name(item)]:
        raise EditError(
            f"{wrong[0]!r:.100} is no id: 1 to {MAX_NAME} printable characters. Give another --id."
        )
    return names


def checked_attributes(attributes: Mapping[str, str]) -> dict[str, str | None]:
    """Values by column, ``None`` for those that say nothing. Raises :class:`EditError` for columns
    that no item can have."""
    values: dict[str, str | None] = {}
    for column, value in attributes.items():
        if not _is_name(column) or column == "id" or column in INTERNAL_COLUMNS:
            raise EditError(f"{column!r:.100}: an item cannot have a column of that name.")
        values[column] = None if value.strip() in NOT_AVAILABLE else value.strip()
    return values


def _check_columns(old: Index, values: Mapping[str, str | None]) -> None:
    new = [column for column in values if column not in old.items]
    if new and len(old.items.columns) + len(new) > MAX_COLUMNS:
        raise EditError(
            f"{old.folder}: a column {new[0]!r:.100} would be one too many: {MAX_COLUMNS} at most."
        )


def _is_name(text: str) -> bool:
    return 0 < len(text) <= MAX_NAME and text == text.strip() and text.isprintable()


def _record(
    old: Index, item: str, values: Mapping[str, str | None], image: str, digest: str
) -> dict[str, str | None]:
    """The row of the items' table for a picture of an item, which may be there already."""
    before = old.items[(old.items["id"] == item).to_numpy(bool)].head(1).to_dict("records")
    record: dict[str, str | None] = {}
    if before:
        record |= {str(column): value for column, value in before[0].items()}
    own = {"id": item, "image": image, "signature": digest, "digest": digest}
    return record | dict(values) | own


# --- writing ----------------------------------------------------------------------------------


def _with_rows(
    old: Index, kept: np.ndarray, records: Sequence[Mapping[str, str | None]]
) -> pd.DataFrame:
    """The items' table with the ``kept`` rows and some new ones below."""
    items = old.items.iloc[kept].reset_index(drop=True)
    if not records:
        return items
    text = items["id"].dtype
    columns = dict.fromkeys([*items.columns, *(c for record in records for c in record)])
    kinds = {column: items[column].dtype if column in items else text for column in columns}
    added = pd.DataFrame.from_records(list(records), columns=list(columns)).astype(kinds)
    items = items.reindex(columns=list(columns)).astype(kinds)
    return pd.concat([items, added], ignore_index=True)


def _write(
    old: Index, kept: np.ndarray, items: pd.DataFrame, added: Block | None, listener: Listener
) -> None:
    """Put a version with the ``kept`` rows of ``old`` and the ``added`` ones in its place."""
    manifest = replace(
        old.manifest,
        counts=replace(old.manifest.counts, items=items["id"].nunique(), pictures=len(items)),
        edits=edits_between(old.manifest, old.items, items),
    )
    stage = Stage("Writing the index", len(items), "item", listener)

    def blocks() -> Iterator[Block]:
        for start in range(0, len(kept), BLOCK):
            rows = kept[start : start + BLOCK]
            of_head = None if old.head_vectors is None else old.head_vectors[rows]
            yield Block(old.vectors[rows], old.descriptors[rows], of_head)
            release(old.vectors, old.descriptors, old.head_vectors)
            stage.advance(len(rows))
        if added is not None:
            yield added
            stage.advance(len(added.vectors))

    def measure(index: Index) -> Calibration | None:
        size = abs(len(index) - len(old))
        if old.calibration is not None and size <= CALIBRATION_OUTGROWN * len(old):
            return old.calibration
        return calibrate(index, previous=old.calibration)

    write_index(
        old.folder,
        blocks(),
        items,
        manifest,
        pca=old.pca,
        head=old.head,
        ann=ANN_INDEX in old.manifest.files and is_available(),
        before=old,
        kept=kept,
        measure=measure,
        listener=listener,
    )


def listed(names: Sequence[str]) -> str:
    """Some names, and how many more there are."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more:,} more" if more > 0 else "")
