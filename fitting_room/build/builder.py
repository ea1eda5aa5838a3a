"""A catalogue and a network -> an index, reusing every embedding that is still right.

An embedding is known by the digest of its picture's bytes, so a picture that was renamed or moved
is not embedded again. What one run embedded before it was stopped is found in the checkpoint by the
next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import Timeout

from fitting_room.build.calibrate import calibrate
from fitting_room.build.checkpoint import Checkpoint, remove_old_checkpoint
from fitting_room.build.elsewhere import PictureEmbedder
from fitting_room.build.networks import files_of
from fitting_room.build.place import locked, make_parent, resolved
from fitting_room.build.summary import BuildSummary
from fitting_room.build.writer import Block, remove_leftovers, require_replaceable, write_index
from fitting_room.catalogue.catalogue import Catalogue
from fitting_room.catalogue.kind_column import kind_column
from fitting_room.embedding.embedder import Embedder, Outcome
from fitting_room.embedding.preparing import Unopened
from fitting_room.imaging import descriptors
from fitting_room.imaging.decode import ImageLimits, ImageRejected
from fitting_room.index.added import picture_digest
from fitting_room.index.calibration import Calibration
from fitting_room.index.edits import undone
from fitting_room.index.head import NO_HEAD, Head, is_trained_here, same_heads
from fitting_room.index.index import Index
from fitting_room.index.manifest import (
    CatalogueRecord,
    Counts,
    IndexOutdated,
    IndexUnusable,
    Manifest,
)
from fitting_room.index.salvage import salvage
from fitting_room.index.vectors import FLOAT32, PCA, STORAGES, Matrix, ReductionError, release
from fitting_room.util.files import beside
from fitting_room.util.progress import Listener, Stage, ignore

#: Embeddings that a PCA is learned from at most. Until there were so many, it is learned anew once
#: the catalogue is this many times as large as the sample.
PCA_SAMPLE, PCA_OUTGROWN = 20_000, 2
BLOCK = 8_192
#: Similarities are calibrated anew once the catalogue has grown or shrunk by this fraction.
CALIBRATION_OUTGROWN = 0.1
#: Rejected pictures that are named; all are counted.
MAX_FAILURES_NAMED = 1_000

#: Where an embedding is; 0 where it is not known.
_OLD, _CHECKPOINT = 1, 2


class BuildError(Exception):
    """An index cannot be built; the text says what to do."""


def build_index(
    catalogue: Catalogue,
    embedder: Embedder,
    folder: Path,
    *,
    head: Head | None = None,
    pca: int | None = None,
    storage: str = FLOAT32,
    limits: ImageLimits,
    elsewhere: PictureEmbedder | None = None,
    listener: Listener = ignore,
) -> BuildSummary:
    """Embed what is new or changed in ``catalogue`` and put a complete index at ``folder``, with
    its embeddings in one of :data:`fitting_room.index.vectors.STORAGES` and a ``head``, whose
    network, if it is another than the embedder's, is that of ``embedder.of_head``. Pictures are
    embedded here, or ``elsewhere`` by the same network. Raises :class:`BuildError` when another
    build of it is running or no picture could be used, ``IndexUnusable`` when something else is at
    ``folder``, ``ReductionError`` for a wrong ``pca``.
    """
    folder = resolved(folder)
    require_replaceable(folder)
    if pca is not None and not 1 <= pca <= embedder.dimension:
        raise ReductionError(
            f"--pca {pca}: {embedder.selection.backbone.name} has embeddings of "
            f"{embedder.dimension} dimensions; give a number from 1 to that."
        )
    make_parent(folder)
    try:
        with locked(folder):
            remove_leftovers(folder)
            remove_old_checkpoint(folder)
            given = catalogue, embedder, folder, head, pca, storage, limits, elsewhere, listener
            return _Build(*given).run()
    except Timeout as error:
        raise BuildError(
            f"{folder}: another build of this index is running. Wait for it."
        ) from error


@dataclass
class _Build:
    """One build. Of each picture, a row of the catalogue's items, it knows the digest
    (``digests``), where its embedding is (``origin``) and in which row there (``row``)."""

    catalogue: Catalogue
    embedder: Embedder
    folder: Path
    head: Head | None
    pca_dimension: int | None
    storage: str
    limits: ImageLimits
    elsewhere: PictureEmbedder | None
    listener: Listener

    def __post_init__(self) -> None:
        self.started = time.perf_counter()
        self.checkpoint = Checkpoint(
            beside(self.folder, "checkpoint"),
            {
                **self.embedder.selection.identity,
                "descriptors": descriptors.VERSION,
                "head_network": self.embedder.head_network,
            },
            self.embedder.dimension + self.head_dimension,
        )
        self.had_head = False
        self.damaged: tuple[str, ...] = ()
        self.edited: Index | None = None
        self.old = self._usable_old_index()
        digests = [] if self.old is None else self.old.items["digest"].tolist()
        self.old_rows = {digest: row for row, digest in enumerate(digests)}
        self.images = self.catalogue.items["image"].array
        self.digests = [""] * len(self.catalogue)
        self.origin = np.zeros(len(self.catalogue), np.int8)
        self.row = np.zeros(len(self.catalogue), np.int64)
        self.failures: dict[int, ImageRejected] = {}
        self.failed = 0

    def _usable_old_index(self) -> Index | None:
        """The index that is there, if its embeddings may stand in the new one."""
        try:
            found = salvage(self.folder)  # a damaged file must not live on in the next index
            self.damaged, self.edited = tuple(found.faults), found.index
            self.had_head = found.head is not None and is_trained_here(found.head)
            return found.index if self._can_reuse(found.index) else None
        except IndexOutdated as outdated:
            self.had_head = outdated.had_head
            return None
        except (IndexUnusable, KeyError):  # or it lacks a column
            return None

    def _can_reuse(self, old: Index | None) -> bool:
        """Whether the embeddings of an index are those that this build would make. Raises
        :class:`IndexUnusable` for those of another network, ``KeyError`` for a missing column."""
        if old is None:
            return False
        network = self.embedder.head_network
        if self.embedder.of_head is None:
            network = old.manifest.head_network
        old.require(self.embedder.selection.identity, network)
        if STORAGES.index(old.manifest.storage) > STORAGES.index(self.storage):
            return False  # its embeddings have lost what the new index is to keep
        if old.pca is not None:
            least = min(PCA_SAMPLE, len(self.catalogue) // PCA_OUTGROWN + 1)
            if old.dimension != self.pca_dimension or old.pca.fitted_on < least:
                return False
        digests = old.items[["digest", "signature"]].astype("str")["digest"]
        return bool(digests.str.fullmatch("[0-9a-f]{32}").fillna(False).all())

    @property
    def head_dimension(self) -> int:
        """The length of the embeddings of the network that the head brings, or 0."""
        return 0 if self.embedder.of_head is None else self.embedder.of_head.dimension

    def _place(self, item: int) -> tuple[int, int] | None:
        """Where the embedding of an item's picture is, and in which row there. What this build
        embeds is not known until the next."""
        for origin, rows in ((_OLD, self.old_rows), (_CHECKPOINT, self.checkpoint.rows)):
            if (row := rows.get(self.digests[item])) is not None:
                return origin, row
        return None

    def run(self) -> BuildSummary:
        embedded, seconds = self._embed(self._pending())
        rows = np.flatnonzero(self.origin)
        if len(rows) == 0:
            example = next(iter(self.failures.values()), "the catalogue is empty")
            raise BuildError(f"None of the catalogue's pictures could be used: {example}")
        self._write(rows)
        self.checkpoint.discard()
        added_gone, gone_back = 0, 0
        if self.edited is not None:
            built = self.catalogue.items["id"].iloc[rows]
            added_gone, gone_back = undone(self.edited.manifest.edits, self.edited.items, built)
        report, kept = self.catalogue.report, self.head is not None and is_trained_here(self.head)
        return BuildSummary(
            items=self._count(rows),
            pictures=len(rows),
            dropped=sum(report.dropped.values()),
            repaired=sum(report.repaired.values()),
            failed=self.failed,
            backbone=self.embedder.selection.backbone.name,
            dimension=self.pca_dimension or self.embedder.dimension,
            seconds=round(time.perf_counter() - self.started, 3),
            images_per_second=round(embedded / seconds, 1) if embedded else 0.0,
            reused=len(rows) - embedded,
            head="kept" if kept else "dropped" if self.had_head else "none",
            uses_head=str(self.head.record.get("name", "trained")) if self.head else NO_HEAD,
            added_gone=added_gone,
            gone_back=gone_back,
            failures=tuple(self._failures_by_id()),
            damaged=self.damaged,
        )

    def _failures_by_id(self) -> list[tuple[str, str]]:
        ids = self.catalogue.items["id"]
        return [(str(ids.iloc[row]), self.failures[row].reason) for row in sorted(self.failures)]

    def _pending(self) -> np.ndarray:
        """Items whose picture must be read: all but those whose file is as it was."""
        if self.old is None:
            return np.arange(len(self.catalogue))
        file = ["image", "signature"]
        known = self.old.items[[*file, "digest"]].assign(row=np.arange(len(self.old)))
        now = self.catalogue.items[file].merge(known.drop_duplicates(file), "left", file)
        self.digests = now["digest"].fillna("").tolist()
        self.row = now["row"].fillna(-1).to_numpy(np.int64)
        self.origin[self.row >= 0] = _OLD
        return np.flatnonzero(self.row < 0)

    def _embed(self, pending: np.ndarray) -> tuple[int, float]:
        """Read the pending pictures and embed those that are not known; returns how many were
        embedded and the seconds it took."""
        stage = Stage("Embedding pictures", len(pending), "picture", self.listener)
        embedded = 0
        try:
            for item, outcome in self._outcomes(pending):
                if isinstance(outcome, ImageRejected):
                    self.failed += 1
                    if len(self.failures) < MAX_FAILURES_NAMED:
                        self.failures[item] = outcome
                elif outcome is None:
                    if (place := self._place(item)) is not None:  # else _load had opened it
                        self.origin[item], self.row[item] = place
                else:
                    self.origin[item] = _CHECKPOINT
                    embedding = outcome.embeddings[0]
                    if outcome.head_embeddings is not None:
                        embedding = np.concatenate([embedding, outcome.head_embeddings[0]])
                    self.row[item] = self.checkpoint.append(
                        self.digests[item], embedding, outcome.descriptors
                    )
                    embedded += 1
                stage.advance()
        finally:
            self.checkpoint.flush()  # also when it is stopped: nothing that is done gets lost
        return embedded, time.perf_counter() - stage.started

    def _outcomes(self, pending: np.ndarray) -> Iterator[tuple[int, Outcome]]:
        """What becomes of the pictures of the pending items; their digests are noted before."""
        if self.elsewhere is None:
            return self.embedder.stream(map(int, pending), self._load)
        return self._from_elsewhere(self.elsewhere, pending)

    def _from_elsewhere(
        self, embed: PictureEmbedder, pending: np.ndarray
    ) -> Iterator[tuple[int, Outcome]]:
        known = np.sort(np.array([*self.old_rows, *self.checkpoint.rows], "S32"))
        for item, digest, outcome in embed(pending, known):
            self.digests[item] = digest
            yield item, outcome

    def _load(self, item: int) -> Unopened | None:
        name = str(self.images[item])
        data = self.catalogue.store.read(name, self.limits.max_bytes)
        self.digests[item] = picture_digest(data)
        if self._place(item) is not None:
            return None
        return Unopened(data, name, self.limits)

    def _write(self, rows: np.ndarray) -> None:
        pca = self._pca(rows)
        stage = Stage("Writing the index", len(rows), "item", self.listener)

        def blocks() -> Iterator[Block]:
            for start in range(0, len(rows), BLOCK):
                block = rows[start : start + BLOCK]
                yield Block(
                    self._vectors(block, pca), self._descriptors(block), self._of_head(block)
                )
                stage.advance(len(block))
                if self.old is not None:
                    release(self.old.vectors, self.old.descriptors, self.old.head_vectors)

        write_index(
            self.folder,
            blocks(),
            self._items(rows),
            self._manifest(rows, pca.dimension if pca else self.embedder.dimension),
            pca=pca,
            head=self.head,
            networks=files_of(self.embedder),
            before=self.old,
            measure=self._calibration,
            listener=self.listener,
        )

    def _items(self, rows: np.ndarray) -> pd.DataFrame:
        """The table of the items whose pictures could be used, with the digests of these."""
        items = self.catalogue.items.copy(deep=False)
        items.insert(3, "digest", pd.Series(self.digests, items.index, "str"))
        return items if len(rows) == len(items) else items.iloc[rows].reset_index(drop=True)

    def _count(self, rows: np.ndarray) -> int:
        """How many different items some rows of the catalogue are pictures of."""
        return int(self.catalogue.items["id"].iloc[rows].nunique())

    def _manifest(self, rows: np.ndarray, dimension: int) -> Manifest:
        selection, report = self.embedder.selection, self.catalogue.report
        return Manifest(
            identity=selection.identity,
            head_network=self.embedder.head_network,
            chosen_because=selection.why,
            advice=selection.advice,
            catalogue=CatalogueRecord(
                str(self.catalogue.location), self.catalogue.fingerprint, report.as_dict()
            ),
            counts=Counts(
                rows=report.rows,
                items=self._count(rows),
                pictures=len(rows),
                repaired=sum(report.repaired.values()),
                dropped=sum(report.dropped.values()),
                failed=self.failed,
            ),
            failures=[{"id": i, "reason": reason} for i, reason in self._failures_by_id()],
            dimension=dimension,
            storage=self.storage,
        )

    def _calibration(self, index: Index) -> Calibration | None:
        """The earlier calibration while the catalogue is of about the same size, or a new one."""
        if self.old is None:
            return calibrate(index)
        old, known = len(self.old), self.old.calibration
        same_head = same_heads(self.head, self.old.head)
        if known is not None and same_head and abs(len(index) - old) <= CALIBRATION_OUTGROWN * old:
            kinds = kind_column(index.items)
            if kinds is not None and kinds.column == known.column:
                return known
        return calibrate(index, previous=known)

    def _pca(self, rows: np.ndarray) -> PCA | None:
        """The PCA of the new index, if any: the old one's, or one learned from a sample."""
        if self.pca_dimension is None or (self.old is not None and self.old.pca is not None):
            return None if self.old is None else self.old.pca
        sample = np.random.default_rng(0).choice(rows, min(PCA_SAMPLE, len(rows)), replace=False)
        return PCA.fit(self._vectors(np.sort(sample), None), self.pca_dimension)

    def _vectors(self, items: np.ndarray, pca: PCA | None) -> np.ndarray:
        """The embeddings of some items, reduced by ``pca``, which those of the old index are if it
        has one."""
        old = None if self.old is None else self.old.vectors
        if pca is None or self.old is None or self.old.pca is None:
            vectors = self._gather(items, old, self._embedded)
            return vectors if pca is None else pca(vectors)
        return self._gather(items, old, lambda rows: pca(self._embedded(rows)))

    def _embedded(self, rows: np.ndarray) -> np.ndarray:
        return self.checkpoint.embeddings(rows)[:, : self.embedder.dimension]

    def _of_head(self, items: np.ndarray) -> np.ndarray | None:
        """What the network that the head brings makes of some items."""
        if not self.head_dimension:
            return None
        old = None if self.old is None else self.old.head_vectors
        own = self.embedder.dimension
        return self._gather(items, old, lambda rows: self.checkpoint.embeddings(rows)[:, own:])

    def _descriptors(self, items: np.ndarray) -> np.ndarray:
        old = None if self.old is None else self.old.descriptors
        return self._gather(items, old, self.checkpoint.descriptors)

    def _gather(
        self, items: np.ndarray, old: Matrix | None, new: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """What is kept of some items: rows of the old index, and ``new`` ones."""
        is_old, rows = self.origin[items] == _OLD, self.row[items]
        if old is None or not is_old.any():
            return new(rows)
        of_old = np.asarray(old[rows[is_old]])
        result = np.empty((len(items), of_old.shape[1]), of_old.dtype)
        result[is_old], result[~is_old] = of_old, new(rows[~is_old])
        return result
