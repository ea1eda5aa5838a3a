"""A catalogue and a network -> an index, reusing every embedding that is still right.

An embedding is known by the digest of its picture's bytes, so a picture that was renamed or moved
is not embedded again, and one whose file was only touched is read but not embedded. What one run
embedded before it was stopped is found in the journal by the next.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import Timeout
from PIL import Image

from fitting_room.build.checkpoint import Checkpoint
from fitting_room.build.writer import write_index
from fitting_room.catalogue.catalogue import Catalogue
from fitting_room.embedding.embedder import Embedder
from fitting_room.imaging import descriptors
from fitting_room.imaging.decode import ImageLimits, ImageRejected
from fitting_room.imaging.descriptors import DESCRIPTOR_LENGTH
from fitting_room.index.calibration import Calibration
from fitting_room.index.head import Head
from fitting_room.index.index import Index
from fitting_room.index.manifest import (
    IndexUnusable,
    build_lock,
    damaged,
    require_replaceable,
    restore,
)
from fitting_room.index.reduction import PCA, ReductionError
from fitting_room.index.vectors import FLOAT32, STORAGES
from fitting_room.util.progress import Listener, Stage, ignore
from fitting_room.util.tables import Lookup, Table, TableWriter, keys_of

#: Embeddings that a PCA is learned from at most: enough for some hundred directions, little memory.
PCA_SAMPLE = 20_000
#: A PCA is learned anew, from all pictures, once the catalogue is this many times as large as the
#: sample it was learned from (and that was not the full sample).
PCA_OUTGROWN = 2
BLOCK = 8_192
#: What a likeness is worth is measured anew once the catalogue has grown or shrunk by this share.
CALIBRATION_OUTGROWN = 0.1
#: Rejected pictures that are named; all are counted.
MAX_FAILURES_NAMED = 1_000

_NOWHERE, _OLD, _JOURNAL = 0, 1, 2


class BuildError(Exception):
    """An index cannot be built; the text says what to do."""


@dataclass(frozen=True, slots=True)
class BuildSummary:
    """What a build did. ``items`` are in the index; ``failed`` pictures could not be used, of which
    ``failures`` names the first, and why; ``reused`` embeddings came from an earlier build;
    ``images_per_second`` counts what was embedded now over the time that took. ``head`` says what
    became of a head that the earlier index had: ``"kept"``, ``"dropped"`` (it does not fit the new
    embeddings) or ``"none"``."""

    items: int
    dropped: int
    repaired: int
    failed: int
    backbone: str
    dimension: int
    seconds: float
    images_per_second: float
    reused: int
    head: str = "none"
    failures: tuple[tuple[str, str], ...] = ()


def build_index(
    catalogue: Catalogue,
    embedder: Embedder,
    folder: Path,
    *,
    pca: int | None = None,
    storage: str = FLOAT32,
    limits: ImageLimits,
    listener: Listener = ignore,
) -> BuildSummary:
    """Embed what is new or changed in ``catalogue`` and put a complete index at ``folder``, with
    its embeddings in one of :data:`fitting_room.index.vectors.STORAGES`.

    Raises :class:`BuildError` when another build of the same index is running or no picture at
    all could be used, ``IndexUnusable`` when ``folder`` holds something else than an index, and
    ``ReductionError`` for a ``pca`` that the embeddings do not allow.
    """
    folder = folder.resolve()  # through a link: what it points to is replaced, not the link
    require_replaceable(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with build_lock(folder).acquire(timeout=0):
            restore(folder)
            for left in folder.parent.glob(f".{folder.name}.new-*"):
                shutil.rmtree(left, ignore_errors=True)  # by a build that was killed
            build = _Build(
                catalogue,
                embedder,
                folder,
                pca=pca,
                storage=storage,
                limits=limits,
                listener=listener,
            )
            return build.run()
    except Timeout as error:
        raise BuildError(
            f"{folder}: another build of this index is running. Wait for it."
        ) from error


class _Build:
    """The state of one build. Of each item: the digest of its picture (``digests``, 16 bytes),
    where its embedding is (``origin``) and in which row there (``row``): some thirty bytes, for
    there may be millions."""

    def __init__(
        self,
        catalogue: Catalogue,
        embedder: Embedder,
        folder: Path,
        *,
        pca: int | None,
        storage: str,
        limits: ImageLimits,
        listener: Listener,
    ) -> None:
        self.catalogue, self.embedder, self.folder = catalogue, embedder, folder
        self.pca_dimension, self.limits, self.listener = pca, limits, listener
        if pca is not None and not 1 <= pca <= embedder.dimension:
            raise ReductionError(
                f"--pca {pca}: {embedder.selection.backbone.name} has embeddings of "
                f"{embedder.dimension} dimensions; give a number from 1 to that."
            )
        self.storage = storage
        self.started = time.perf_counter()
        identity = embedder.selection.identity
        self.checkpoint = Checkpoint(
            folder.with_name(f".{folder.name}.journal"),
            {**identity, "appearance": descriptors.VERSION},
            embedder.dimension,
        )
        self.had_head = False
        self.old_digests = np.empty(0, "S16")
        self.old = self._usable_old_index()
        self.images = catalogue.items["image"].array
        self.digests = np.zeros(len(catalogue), "S16")
        self.origin = np.zeros(len(catalogue), np.int8)
        self.row = np.zeros(len(catalogue), np.int64)
        self.failures: dict[int, ImageRejected] = {}
        self.failed = 0
        self.known = [(_JOURNAL, Lookup(self.checkpoint.digests))]
        if self.old is not None:
            self.known.insert(0, (_OLD, Lookup(self.old_digests)))

    def _usable_old_index(self) -> Index | None:
        """The index that is there, if its embeddings may stand in the new one."""
        try:
            old = Index.open(self.folder, items=False)
            self.had_head = old.head is not None
            old.require(self.embedder.selection.identity)
            stored = old.manifest["storage"]
            if STORAGES.index(stored) > STORAGES.index(self.storage):
                return None  # its embeddings have lost what the new index is to keep
            if not {"digest", "signature"} <= set(old.columns):
                return None
            if old.pca is not None:
                outgrown = len(self.catalogue) >= PCA_OUTGROWN * old.pca.fitted_on
                if old.dimension != self.pca_dimension or (
                    outgrown and old.pca.fitted_on < PCA_SAMPLE
                ):
                    return None
            old.verify()  # a damaged file must not live on in the next index
            self.old_digests = _digests_of(old)
        except IndexUnusable:
            return None
        return old

    def _place(self, item: int) -> tuple[int, int] | None:
        """Where the embedding of an item's picture is, and in which row there. What this build
        embeds is not known until the next."""
        for origin, digests in self.known:
            row = int(digests.rows(self.digests[item : item + 1])[0])
            if row >= 0:
                return origin, row
        return None

    def run(self) -> BuildSummary:
        pending = self._pending()
        embedded, seconds = self._embed(pending)
        found = np.flatnonzero(self.origin)
        if len(found) == 0:
            example = next(iter(self.failures.values()), "the catalogue is empty")
            raise BuildError(f"None of the catalogue's pictures could be used: {example}")
        self._write(found)
        self.checkpoint.discard()
        report = self.catalogue.report
        return BuildSummary(
            items=len(found),
            dropped=sum(report.dropped.values()),
            repaired=sum(report.repaired.values()),
            failed=self.failed,
            backbone=self.embedder.selection.backbone.name,
            dimension=self.pca_dimension or self.embedder.dimension,
            seconds=round(time.perf_counter() - self.started, 3),
            images_per_second=round(embedded / seconds, 1) if embedded else 0.0,
            reused=len(found) - embedded,
            head="kept" if self._head else "dropped" if self.had_head else "none",
            failures=tuple(self._failures_by_id()),
        )

    def _failures_by_id(self) -> Iterator[tuple[str, str]]:
        ids = self.catalogue.items["id"]
        for row, rejected in sorted(self.failures.items()):
            yield str(ids.iloc[row]), rejected.reason

    def _pending(self) -> Sequence[int] | np.ndarray:
        """Items whose picture must be read: all but those whose file is as it was."""
        if self.old is None:
            return range(len(self.catalogue))
        file = ["image", "signature"]
        now = np.concatenate([keys_of(block[file]) for block in self.catalogue.table.blocks()])
        rows = Lookup(self.old.keys(file)).rows(now)
        as_it_was = rows >= 0
        self.digests[as_it_was] = self.old_digests[rows[as_it_was]]
        self.origin[as_it_was] = _OLD
        self.row[as_it_was] = rows[as_it_was]
        return np.flatnonzero(~as_it_was)

    def _embed(self, pending: Sequence[int] | np.ndarray) -> tuple[int, float]:
        """Read the pending pictures and embed those that are not known; answers how many were
        embedded and the seconds it took."""
        stage = Stage("Looking at pictures", len(pending), "picture", self.listener)
        embedded = 0
        try:
            items = map(int, pending)
            for item, outcome in self.embedder.stream(items, self._load):
                if isinstance(outcome, ImageRejected):
                    self.failed += 1
                    if len(self.failures) < MAX_FAILURES_NAMED:
                        self.failures[item] = outcome
                elif outcome is None:
                    place = self._place(item)
                    assert place is not None  # noqa: S101  (else _load would have opened it)
                    self.origin[item], self.row[item] = place
                else:
                    self.origin[item] = _JOURNAL
                    self.row[item] = self.checkpoint.append(
                        self.digests[item], outcome.embeddings[0], outcome.descriptors
                    )
                    embedded += 1
                stage.advance()
                if stage.done % BLOCK == 0:
                    self.catalogue.table.release()
        finally:
            self.checkpoint.flush()  # also when it is stopped: nothing that is done gets lost
        return embedded, time.perf_counter() - stage.started

    def _load(self, item: int) -> Image.Image | None:
        name = str(self.images[item])
        data = self.catalogue.store.read(name, self.limits.max_bytes)
        self.digests[item] = hashlib.blake2b(data, digest_size=16).digest()
        if self._place(item) is not None:
            return None
        return self.embedder.open(data, name=name, limits=self.limits)

    @property
    def _head(self) -> Head | None:
        """The earlier index's head, which fits as long as its embeddings stand."""
        return None if self.old is None else self.old.head

    def _calibration(self, count: int) -> Calibration | None:
        """What is known of the worth of a likeness, while the catalogue is about the same."""
        if self.old is None or abs(count - len(self.old)) > CALIBRATION_OUTGROWN * len(self.old):
            return None
        return self.old.calibration

    def _write(self, found: np.ndarray) -> None:
        pca, reduce = self._reduction(found)
        items = self._found_items()
        stage = Stage("Writing the index", len(found), "item", self.listener)

        def blocks() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            for start in range(0, len(found), BLOCK):
                block = found[start : start + BLOCK]
                yield reduce(block), self._descriptors(block)
                if self.old is not None:
                    self.old.release()
                stage.advance(len(found[start : start + BLOCK]))

        report = self.catalogue.report
        write_index(
            self.folder,
            blocks=blocks(),
            items=items,
            dimension=pca.dimension if pca else self.embedder.dimension,
            pca=pca,
            head=self._head,
            calibrated=self._calibration(len(found)),
            previous=None if self.old is None else self.old.calibration,
            storage=self.storage,
            before=self.old,
            listener=self.listener,
            manifest={
                "identity": self.embedder.selection.identity,
                "chosen_because": self.embedder.selection.why,
                "advice": self.embedder.selection.advice,
                "catalogue": {
                    "location": str(self.catalogue.location),
                    "fingerprint": self.catalogue.fingerprint,
                    "report": report.as_dict(),
                },
                "counts": {
                    "rows": report.rows,
                    "items": len(found),
                    "repaired": sum(report.repaired.values()),
                    "dropped": sum(report.dropped.values()),
                    "failed": self.failed,
                },
                "failures": [{"id": i, "reason": r} for i, r in self._failures_by_id()],
            },
        )

    def _found_items(self) -> Table:
        """The table of the items whose pictures could be used, with the digests of these."""
        columns = list(self.catalogue.items.columns)
        columns.insert(3, "digest")
        with TableWriter(columns) as writer:
            for block in self.catalogue.table.blocks():
                here = slice(block.index[0], block.index[-1] + 1)
                items = block.assign(digest=_as_text(self.digests[here]))[columns]
                writer.append(items[self.origin[here] != _NOWHERE])
        return writer.table

    def _reduction(
        self, found: np.ndarray
    ) -> tuple[PCA | None, Callable[[np.ndarray], np.ndarray]]:
        """The PCA of the new index, if any, and what fetches its rows for some items."""
        if self.pca_dimension is None:
            return None, self._vectors
        old = self.old.pca if self.old is not None else None
        if old is None:
            sample = np.random.default_rng(0).choice(
                found, min(PCA_SAMPLE, len(found)), replace=False
            )
            pca = PCA.fit(self._vectors(np.sort(sample)), self.pca_dimension)
            return pca, lambda items: pca(self._vectors(items))

        return old, lambda items: self._vectors(items, old)

    def _vectors(self, items: np.ndarray, reduction: PCA | None = None) -> np.ndarray:
        """The rows of some items. ``reduction`` is the old index's, whose own rows have it
        already."""
        dimension = reduction.dimension if reduction else self.embedder.dimension
        result = np.empty((len(items), dimension), np.float32)
        for origin, fetch in ((_OLD, self._old_rows), (_JOURNAL, self.checkpoint.embeddings)):
            inside = self.origin[items] == origin
            if inside.any():
                vectors = fetch(self.row[items[inside]])
                if reduction is not None and origin == _JOURNAL:
                    vectors = reduction(vectors)
                result[inside] = vectors
        return result

    def _descriptors(self, items: np.ndarray) -> np.ndarray:
        """What the pictures of some items look like, uint8 ``(len(items), APPEARANCE)``."""
        result = np.empty((len(items), DESCRIPTOR_LENGTH), np.uint8)
        inside = self.origin[items] == _OLD
        if inside.any():
            assert self.old is not None  # noqa: S101  (rows of it were handed out)
            result[inside] = self.old.descriptors[self.row[items[inside]]]
        if not inside.all():
            result[~inside] = self.checkpoint.descriptors(self.row[items[~inside]])
        return result

    def _old_rows(self, rows: np.ndarray) -> np.ndarray:
        assert self.old is not None  # noqa: S101  (rows of it were handed out)
        return np.asarray(self.old.vectors[rows])


def _digests_of(index: Index) -> np.ndarray:
    """The digests of an index's pictures, ``S16`` ``(N,)``. Raises :class:`IndexUnusable` where its
    table holds anything else."""
    parts = []
    for block in index.blocks(["digest"]):
        try:
            values = [bytes.fromhex(str(text)) for text in block["digest"]]
        except ValueError as error:
            raise damaged(index.folder, f"no digest: {error}") from error
        if any(len(value) != 16 for value in values):
            raise damaged(index.folder, "a digest of another length")
        parts.append(np.array(values, "S16"))
    return np.concatenate(parts)


def _as_text(digests: np.ndarray) -> list[str]:
    text = digests.tobytes().hex()
    return [text[start : start + 32] for start in range(0, len(text), 32)]
