"""Embeddings and items on disk, and the search in them.

An index is a folder: ``vectors.npy`` (float32 unit rows, memory-mapped), ``items.parquet`` (the
catalogue's table, one row per vector), ``manifest.json`` (what made it, and a checksum for each
file) and, where the vectors were reduced, ``pca.npz``. It is written under another name and put in
place at once, so that a reader sees the old one or the new one and nothing between.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import os
import shutil
import sys
import uuid
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fitting_room.embedder import normalise

FORMAT = "fitting-room-index"
FORMAT_VERSION = 1
VECTORS, ITEMS, MANIFEST, PCA_FILE = "vectors.npy", "items.parquet", "manifest.json", "pca.npz"

MAX_MANIFEST_BYTES = 64 * 2**20
MAX_DIMENSION = 65_536
#: How far a float32 score may be from the exact one: sums of some thousand products of unit
#: vectors, each rounded to 2**-24.
SCORE_ERROR = 4e-6
#: Scores (queries x items) computed at once; bounds the memory of a search to 4 bytes each.
SCORES_AT_ONCE = 32_000_000
#: Below this share of the catalogue a filter's rows are gathered and searched by themselves.
SPARSE_FILTER = 0.2

#: Columns of ``items`` that are the index's own and say nothing of the goods.
INTERNAL_COLUMNS = frozenset({"image", "signature", "digest"})

#: Values wanted by column: any of a column's values, all of the columns.
Where = Mapping[str, str | Sequence[str]]


class IndexUnusable(Exception):  # noqa: N818
    """An index that is not there, is damaged, or was made by another network; says what to do."""


class FilterError(ValueError):
    """A filter names a column that the catalogue does not have."""


class ReductionError(ValueError):
    """A PCA to more dimensions than there are pictures or numbers in an embedding."""


@dataclass(frozen=True, slots=True)
class PCA:
    """A linear reduction: ``x -> normalise((x - mean) @ components.T)``. ``components`` is float32
    ``(d, D)``, ``mean`` ``(D,)``; ``fitted_on`` counts the embeddings it was learned from."""

    mean: np.ndarray
    components: np.ndarray
    fitted_on: int

    @classmethod
    def fit(cls, vectors: np.ndarray, dimension: int) -> PCA:
        """Learn the ``dimension`` directions of greatest variance. Raises
        :class:`ReductionError` when there are fewer embeddings, or they have fewer dimensions."""
        from sklearn import decomposition

        if dimension < 1 or dimension > min(vectors.shape):
            raise ReductionError(
                f"--pca {dimension} needs embeddings of at least that many dimensions and at least "
                f"that many pictures; there are {vectors.shape[0]} of {vectors.shape[1]}."
            )
        fitted = decomposition.PCA(dimension, svd_solver="covariance_eigh").fit(vectors)
        return cls(
            np.asarray(fitted.mean_, np.float32),
            np.asarray(fitted.components_, np.float32),
            len(vectors),
        )

    @property
    def dimension(self) -> int:
        return len(self.components)

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        return normalise((vectors - self.mean) @ self.components.T)


@dataclass(frozen=True, slots=True)
class Hits:
    """The result for one query: rows of the index and their cosine similarities, best first."""

    rows: np.ndarray
    similarities: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)


class Index:
    """An opened index. Immutable and safe to share between threads.

    ``vectors`` is float32 ``(N, D)`` with unit rows, ``items`` the table of ``N`` items.
    """

    def __init__(
        self,
        folder: Path,
        manifest: dict[str, Any],
        vectors: np.ndarray,
        items: pd.DataFrame,
        pca: PCA | None,
    ) -> None:
        self.folder = folder
        self.manifest = manifest
        self.vectors = vectors
        self.items = items
        self.pca = pca

    @classmethod
    def open(cls, folder: str | Path) -> Index:
        """Open an index; the vectors are mapped, not read. Raises :class:`IndexUnusable`."""
        folder = Path(folder)
        for attempt in range(5):
            try:
                index = cls._open(folder)
                # Put in place anew between the first file and the last? Then read once more.
                if _read_manifest(folder).get("build") == index.manifest.get("build"):
                    return index
            except IndexUnusable:
                if attempt == 4:
                    if not folder.exists() and _previous(folder).is_dir():
                        return cls._open(_previous(folder))
                    raise
        raise IndexUnusable(f"{folder}: the index is being replaced all the time. Try again.")

    @classmethod
    def _open(cls, folder: Path) -> Index:
        manifest = _read_manifest(folder)
        items_count, dimension = manifest["counts"]["items"], manifest["dimension"]
        for name, entry in manifest["files"].items():
            try:
                size = (folder / name).stat().st_size
            except OSError as error:
                raise _damaged(folder, f"{name} is missing") from error
            if size != entry["bytes"]:
                raise _damaged(folder, f"{name} has another size than it was written with")
        if not {VECTORS, ITEMS} <= set(manifest["files"]):
            raise _damaged(folder, "the manifest does not name all files")
        # Small files are read in full anyway, so they are checked in full.
        for name in (ITEMS, PCA_FILE):
            if name in manifest["files"]:
                _check_sum(folder, name, manifest)
        try:
            vectors = np.load(folder / VECTORS, mmap_mode="r", allow_pickle=False)
            items = pd.read_parquet(folder / ITEMS)
            pca = _read_pca(folder) if PCA_FILE in manifest["files"] else None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise _damaged(folder, str(error)) from error
        if not isinstance(vectors, np.ndarray):  # an archive under the name of an array
            raise _damaged(folder, f"{VECTORS} is no array")
        if vectors.dtype != np.float32 or vectors.shape != (items_count, dimension):
            raise _damaged(folder, f"{VECTORS} holds {vectors.dtype} {vectors.shape}")
        if len(items) != items_count or not {"id", "image"} <= set(items.columns):
            raise _damaged(folder, f"{ITEMS} does not hold the items of the manifest")
        if pca is not None and pca.dimension != dimension:
            raise _damaged(folder, f"{PCA_FILE} does not fit the vectors")
        return cls(folder, manifest, vectors, items, pca)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def dimension(self) -> int:
        return int(self.manifest["dimension"])

    @property
    def identity(self) -> dict[str, Any]:
        """Which network, weights and preprocessing made it."""
        identity: dict[str, Any] = self.manifest["identity"]
        return identity

    def verify(self) -> None:
        """Read every file and compare its checksum. Raises :class:`IndexUnusable`."""
        for name in self.manifest["files"]:
            _check_sum(self.folder, name, self.manifest)

    def require(self, identity: Mapping[str, Any]) -> None:
        """Raise :class:`IndexUnusable` unless queries of that network may be asked here."""
        if dict(identity) == self.identity:
            return
        raise IndexUnusable(
            f"{self.folder}: this index was made by {_in_words(self.identity)} and cannot be "
            f"searched with {_in_words(identity)}. Build it again with: fitting-room build "
            f"CATALOGUE --index {self.folder} --backbone {identity.get('backbone')}"
        )

    def search(self, queries: np.ndarray, n: int, where: Where | None = None) -> list[Hits]:
        """The ``n`` most similar items for each query, by exact cosine similarity.

        ``queries`` is float32 ``(Q, D0)`` where ``D0`` is the embedding's dimension (the index
        applies its own PCA). Fewer than ``n`` hits come back when the catalogue, or what the
        filter leaves of it, is smaller. Of equally similar items the earlier one comes first.

        Raises :class:`FilterError` for an unknown column and ``ValueError`` for ``n`` below 1 or
        queries of another dimension.
        """
        if n < 1:
            raise ValueError("n must be at least 1")
        queries = np.atleast_2d(queries)
        if self.pca is not None:
            if queries.shape[1] != self.pca.components.shape[1]:
                raise ValueError(f"a query has {self.pca.components.shape[1]} dimensions here")
            queries = self.pca(queries)
        queries = normalise(queries)
        if queries.shape[1] != self.dimension:
            raise ValueError(f"a query has {self.dimension} dimensions here")
        mask = self.mask(where) if where else None
        vectors, rows = self.vectors, None
        if mask is not None:
            rows = np.flatnonzero(mask)
            if len(rows) < SPARSE_FILTER * len(self):
                vectors, mask = self.vectors[rows], None
        hits = []
        step = max(1, SCORES_AT_ONCE // max(1, len(vectors)))
        for start in range(0, len(queries), step):
            part = queries[start : start + step]
            # One query is a matrix-vector product, which reads the vectors once and fastest.
            scores = vectors @ part[0] if len(part) == 1 else part @ vectors.T
            for query, of_query in zip(part, np.atleast_2d(scores), strict=True):
                if mask is not None:
                    of_query[~mask] = -np.inf
                near = _near_top(of_query, n if rows is None else min(n, len(rows)))
                exact = _exact_scores(vectors, near, query)
                best = np.argsort(-exact, kind="stable")[:n]
                found = near[best] if rows is None or mask is not None else rows[near[best]]
                hits.append(Hits(found, np.clip(exact[best], -1.0, 1.0).astype(np.float32)))
        return hits

    def mask(self, where: Where) -> np.ndarray:
        """Which items a filter lets through, bool ``(N,)``. Raises :class:`FilterError`."""
        mask = np.ones(len(self), dtype=bool)
        for column, wanted in where.items():
            if column not in self.filter_columns:
                known = ", ".join(self.filter_columns)
                raise FilterError(f"The catalogue has no column {column!r}. It has: {known}.")
            values = [wanted] if isinstance(wanted, str) else [str(value) for value in wanted]
            mask &= self.items[column].isin(values).to_numpy(dtype=bool)
        return mask

    @property
    def filter_columns(self) -> list[str]:
        """The columns that a filter may name."""
        return [str(column) for column in self.items.columns if column not in INTERNAL_COLUMNS]


def _near_top(scores: np.ndarray, n: int) -> np.ndarray:
    """Positions, ascending, of all ``scores`` that may be among the ``n`` greatest once they are
    computed exactly. Takes time linear in their number."""
    if n >= len(scores):
        return np.arange(len(scores))
    least = np.partition(scores, len(scores) - n)[len(scores) - n]
    return np.flatnonzero(scores >= least - SCORE_ERROR)


def _exact_scores(vectors: np.ndarray, rows: np.ndarray, query: np.ndarray) -> np.ndarray:
    """Cosines of some rows in float64, each summed in the same order: equal rows get equal scores,
    which a matrix product does not promise, so that ties can be told and broken by position."""
    wanted = query.astype(np.float64)
    scores = np.empty(len(rows), np.float64)
    for start in range(0, len(rows), 1024):
        block = slice(start, start + 1024)
        scores[block] = np.multiply(vectors[rows[block]], wanted).sum(axis=1)
    return scores


# --- reading ----------------------------------------------------------------------------------


#: What a manifest's identity says in words; the preprocessing is compared as it is.
_IDENTITY_TEXTS = ("backbone", "weights", "weights_sha256")


def _damaged(folder: Path, what: str) -> IndexUnusable:
    return IndexUnusable(f"{folder}: the index is damaged ({what}). Build it again.")


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        with path.open("rb") as file:
            data = file.read(MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        raise IndexUnusable(
            f"{folder}: there is no index here. Build one with: fitting-room build CATALOGUE "
            f"--index {folder}"
        ) from error
    try:
        if len(data) > MAX_MANIFEST_BYTES:
            raise ValueError("manifest.json is too large")
        manifest = json.loads(data)
        if manifest["format"] != FORMAT:
            raise ValueError("manifest.json is of something else")
        version = manifest["format_version"]
        files = manifest["files"]
        sound = (
            isinstance(manifest["identity"], dict)
            and all(isinstance(manifest["identity"][key], str) for key in _IDENTITY_TEXTS)
            and isinstance(manifest["catalogue"]["location"], str)
            and isinstance(manifest["catalogue"]["report"], dict)
            and isinstance(manifest["created"], str)
            and isinstance(manifest["chosen_because"], str)
            and isinstance(manifest["failures"], list)
            and isinstance(manifest["counts"]["failed"], int)
            and manifest["counts"]["items"] > 0
            and 0 < manifest["dimension"] <= MAX_DIMENSION
            and set(files) <= {VECTORS, ITEMS, PCA_FILE}
            and all(e["bytes"] >= 0 and isinstance(e["sha256"], str) for e in files.values())
        )
        if not sound:
            raise ValueError("manifest.json makes no sense")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(folder, str(error)) from error
    if version != FORMAT_VERSION:
        raise IndexUnusable(
            f"{folder}: the index has format {version}, this program reads {FORMAT_VERSION}. "
            "Build it again."
        )
    return dict(manifest)


def _check_sum(folder: Path, name: str, manifest: dict[str, Any]) -> None:
    try:
        with (folder / name).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _damaged(folder, f"{name} cannot be read") from error
    if found != manifest["files"][name]["sha256"]:
        raise _damaged(folder, f"{name} is not what was written")


def _read_pca(folder: Path) -> PCA:
    with np.load(folder / PCA_FILE, allow_pickle=False) as file:
        return PCA(file["mean"], file["components"], int(file["fitted_on"]))


def _in_words(identity: Mapping[str, Any]) -> str:
    return (
        f"{identity.get('backbone')} with weights {identity.get('weights')} "
        f"({str(identity.get('weights_sha256'))[:8]})"
    )


# --- writing ----------------------------------------------------------------------------------


@contextmanager
def work_folder(folder: Path) -> Iterator[Path]:
    """A new folder beside ``folder``, on the same disk, that is gone afterwards."""
    path = folder.with_name(f".{folder.name}.new-{uuid.uuid4().hex[:8]}")
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def write_index(
    folder: Path,
    *,
    vectors: Iterator[np.ndarray],
    items: pd.DataFrame,
    dimension: int,
    pca: PCA | None,
    manifest: Mapping[str, Any],
) -> None:
    """Write an index and put it in place of ``folder`` as a whole.

    ``vectors`` are blocks of float32 unit rows, as many rows together as ``items`` has.
    ``manifest`` carries ``identity``, ``catalogue`` and ``counts``; the rest is added here.
    """
    with work_folder(folder) as new:
        target = np.lib.format.open_memmap(
            new / VECTORS, mode="w+", dtype=np.float32, shape=(len(items), dimension)
        )
        row = 0
        for block in vectors:
            target[row : row + len(block)] = block
            row += len(block)
        if row != len(items):
            raise ValueError(f"{row} vectors for {len(items)} items")
        target.flush()
        del target
        items.to_parquet(new / ITEMS, index=False)
        if pca is not None:
            np.savez(
                new / PCA_FILE, mean=pca.mean, components=pca.components, fitted_on=pca.fitted_on
            )
        files = {path.name: _file_entry(path) for path in sorted(new.iterdir())}
        full = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "build": uuid.uuid4().hex,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "dimension": dimension,
            "pca": None if pca is None else {"dimension": dimension, "fitted_on": pca.fitted_on},
            **manifest,
            "files": files,
        }
        text = json.dumps(full, indent=1, ensure_ascii=False)
        (new / MANIFEST).write_text(text, encoding="utf-8")
        for path in new.iterdir():
            _sync(path)
        _put_in_place(new, folder)


def _file_entry(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def require_replaceable(folder: Path) -> None:
    """Raise :class:`IndexUnusable` unless an index may be put at ``folder``: nothing is there, or
    a folder of nothing but an index's files, whole or not."""
    if not folder.exists():
        return
    files = {path.name for path in folder.iterdir()} if folder.is_dir() else {folder.name}
    # What file managers leave in any folder they show is nobody's work.
    files = {name for name in files if not name.startswith(".") and name != "Thumbs.db"}
    others = files - {VECTORS, ITEMS, MANIFEST, PCA_FILE}
    # A manifest alone is that of some web app rather than ours.
    if others or files == {MANIFEST} or not folder.is_dir():
        named = ", ".join(sorted(others or files)[:3])
        raise IndexUnusable(
            f"{folder}: there is something else than an index ({named}). Name another place."
        )


def _put_in_place(new: Path, folder: Path) -> None:
    """Give ``new`` the name ``folder``; what had it before is left under the name ``new``."""
    require_replaceable(folder)
    try:
        if folder.exists():
            if not _exchange(new, folder):
                folder.rename(_previous(folder))
                new.rename(folder)
                restore(folder)
        else:
            new.rename(folder)
    except OSError as error:
        raise IndexUnusable(
            f"{folder}: the new index could not be put in place ({error}). "
            "Close the programs that have it open and build again."
        ) from error


def _previous(folder: Path) -> Path:
    """Where an index stands for the moment between two renames, and after a kill just then."""
    return folder.with_name(f".{folder.name}.previous")


def restore(folder: Path) -> None:
    """Clear up after a replacement by two renames: an index that was only moved aside gets its
    name back, one that was replaced goes. Only for who holds the lock of the build."""
    if _previous(folder).exists():
        if folder.exists():
            shutil.rmtree(_previous(folder), ignore_errors=True)
        else:
            _previous(folder).rename(folder)


def _exchange(first: Path, second: Path) -> bool:
    """Swap two names in one step, where the system can: no moment without an index, and a kill
    at any point leaves a whole one. Python's ``os`` has no call for it."""
    if sys.platform == "win32":
        return False
    library = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(first), os.fsencode(second)
    if sys.platform.startswith("linux") and hasattr(library, "renameat2"):
        at_cwd, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE: renameat2(2)
        done = library.renameat2(at_cwd, names[0], at_cwd, names[1], exchange)
    elif sys.platform == "darwin" and hasattr(library, "renamex_np"):
        done = library.renamex_np(*names, 2)  # RENAME_SWAP
    else:
        return False
    if done == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):  # a file system that cannot
        return False
    raise OSError(number, os.strerror(number))
