"""The tables of a catalogue: which there are, which are parts of one, and which one counts."""

from __future__ import annotations

import gzip
import io
import posixpath
import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import BinaryIO

import pandas as pd

from fitting_room.catalogue.matching import Choice, ColumnError, choose_columns, names_files
from fitting_room.catalogue.picture_names import PictureNames
from fitting_room.catalogue.reading_options import ReadingOptions
from fitting_room.catalogue.stores import ImageStore, StoreError
from fitting_room.catalogue.tables import (
    Rows,
    SourceTable,
    TableError,
    columns_of,
    is_table_name,
    read_table,
)

#: Tables that are tried at most, parts of one table, and bytes of a large one that it is judged by.
MOST_TRIED, MOST_PARTS, SAMPLE_BYTES = 40, 100_000, 2**20
#: Of more such files in one folder each describes something of its own, and none is a table.
MOST_IN_FOLDER = 20
_SINGLE = (".json", ".txt")
_NUMBERS = re.compile(r"\d+")
#: Files that are no tables whatever they hold.
_NO_TABLES = re.compile(
    r"(readme|license|licence|requirements|note|notes|changelog|links|classes|copying)[^/]*"
    r"\.txt|(package|package-lock|tsconfig|manifest|dataset_infos?|state)\.json|.*_stats\.json",
    re.I,
)


@dataclass(frozen=True, slots=True)
class TableGroup:
    """A table in one file, or in several ``names`` with the same ``columns`` that are its parts."""

    names: tuple[str, ...]
    columns: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        return posixpath.dirname(self.names[0])


class Scopes:
    """The pictures below each folder, by what tables may call them; each is made once."""

    def __init__(self, pictures: Collection[str]) -> None:
        self._pictures = pictures
        self._made: dict[str, PictureNames] = {}

    def below(self, prefix: str) -> PictureNames:
        if prefix not in self._made:
            inside = [name for name in self._pictures if name.startswith(prefix)]
            self._made[prefix] = PictureNames(inside)
        return self._made[prefix]

    def of(self, folder: str) -> Iterator[PictureNames]:
        """Where the pictures of a table in ``folder`` may lie, the likeliest first: in ``images``
        beside it, in its folder, anywhere."""
        prefix, most = folder and folder + "/", 0
        for scope in dict.fromkeys((prefix + "images/", prefix, "")):
            if len(names := self.below(scope)) > most:
                most = len(names)
                yield names


@dataclass(frozen=True, slots=True, eq=False)
class MatchedTable:
    """A table whose rows find pictures by the columns of ``choice``. ``parts`` are the number of
    rows of each file and the pictures that these may name."""

    group: TableGroup
    source: SourceTable
    choice: Choice
    parts: tuple[tuple[int, PictureNames], ...]


@dataclass(slots=True)
class TablesTried:
    """Why tables were not read, by name, in the order in which they were tried; which of them mean
    to be tables and are damaged, and of those whose rows find no picture the first rows."""

    not_read: dict[str, str] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)
    without_pictures: list[tuple[TableGroup, SourceTable]] = field(default_factory=list)

    def refuse(self, group: TableGroup, reason: str) -> None:
        """Note a table that cannot be read. A text that is no table is none."""
        if not group.names[0].lower().endswith(".txt"):
            self.not_read |= dict.fromkeys(group.names, reason)
        if not group.names[0].lower().endswith(_SINGLE):
            self.damaged.append(group.names[0])

    def without(self, group: TableGroup, sample: SourceTable, rows: float) -> None:
        """Note a table of about so many rows, of which none finds a picture."""
        reason = f"none of its {rows:,.0f} rows finds a picture"
        self.not_read |= dict.fromkeys(group.names, reason)
        self.without_pictures.append((group, sample))


def table_groups(
    store: ImageStore, names: Collection[str], sidecars: Collection[str], tried: TablesTried
) -> list[TableGroup]:
    """The tables among ``names``, those nearest to the top first. Files in one depth with names
    that differ in numbers or folders alone, and with the same columns, are one table."""
    candidates = sorted(_candidates(names, sidecars, tried), key=lambda n: (n.count("/"), n))
    alike: dict[tuple[int, str], list[str]] = defaultdict(list)
    for name in candidates:
        masked = _NUMBERS.sub("0", posixpath.basename(name)).casefold()
        alike[name.count("/"), masked].append(name)
    groups: list[TableGroup] = []
    for of in list(alike.values()):
        if len(groups) >= MOST_TRIED:
            tried.not_read |= dict.fromkeys(of, "so many tables are not tried")
            continue
        groups += _parts(store, of[:MOST_PARTS], tried)
    return groups


def _candidates(
    names: Collection[str], sidecars: Collection[str], tried: TablesTried
) -> Iterator[str]:
    singles: dict[str, list[str]] = defaultdict(list)
    for name in names:
        if not is_table_name(name) or name in sidecars:
            continue
        base = posixpath.basename(name)
        if _NO_TABLES.fullmatch(base):
            continue
        if base.lower().endswith(_SINGLE):
            singles[posixpath.dirname(name)].append(name)
        else:
            yield name
    for of in singles.values():
        if len(of) <= MOST_IN_FOLDER:
            yield from of
        else:
            tried.not_read |= dict.fromkeys(sorted(of), "one of many such files in its folder")


def _parts(store: ImageStore, names: list[str], tried: TablesTried) -> Iterator[TableGroup]:
    """Names that look like parts of one table, by the columns that they have."""
    by_columns: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name in names:
        try:
            columns = () if len(names) == 1 else tuple(columns_of(_opener(store, name), name))
        except (TableError, StoreError, OSError) as error:
            tried.not_read[name] = str(error)
            continue
        by_columns[columns].append(name)
    for columns, of in by_columns.items():
        yield TableGroup(tuple(of), columns)


def choose_table(
    store: ImageStore,
    groups: list[TableGroup],
    scopes: Scopes,
    options: ReadingOptions,
    tried: TablesTried,
) -> MatchedTable | None:
    """The table whose rows find most pictures, read whole. Of equals it is the one with the most
    different rows, then the one that says most, then the one nearest to the top."""
    best: tuple[tuple[float, ...], TableGroup] | None = None
    if len(groups) == 1:
        return _only(store, groups[0], scopes, options, tried)
    for place, group in enumerate(groups):
        if (score := _score(store, group, scopes, options, tried)) is None:
            continue
        order = (*score, -place)
        worse = group
        if best is None or order > best[0]:
            worse, best = (group if best is None else best[1]), (order, group)
        if worse is not best[1]:
            tried.not_read |= dict.fromkeys(worse.names, "another table finds more pictures")
    return None if best is None else match_table(store, best[1], scopes, options)


def _only(
    store: ImageStore,
    group: TableGroup,
    scopes: Scopes,
    options: ReadingOptions,
    tried: TablesTried,
) -> MatchedTable | None:
    """A table without a rival, read whole at once, or ``None`` where it finds no picture."""
    try:
        source, counts = read_group(store, group)
    except (TableError, StoreError, OSError) as error:
        tried.refuse(group, str(error).removeprefix(f"{group.names[0]}: "))
        return None
    matched = match_source(source, counts, group, scopes, options)
    if matched is None:
        tried.without(group, source, len(source.cells))
    return matched


def _score(
    store: ImageStore,
    group: TableGroup,
    scopes: Scopes,
    options: ReadingOptions,
    tried: TablesTried,
) -> tuple[float, ...] | None:
    """How well a table finds pictures, judged by its first rows: the share of the pictures that it
    finds, how different its rows are, how many columns say something else than where files are.
    ``None`` where it finds none."""
    try:
        whole, sample = _sample(store, group)
        choice, scope = _choice(sample.cells, group, scopes, options)
    except (TableError, StoreError, OSError) as error:
        tried.refuse(group, str(error))
        return None
    except ColumnError:  # of another table, then
        choice, scope = None, None
    if choice is None or scope is None:
        tried.without(group, sample, len(sample.cells) * whole)
        return None
    share = choice.found / max(1, choice.tried)
    covered = min(1.0, share * whole * len(sample.cells) / len(scope))
    used = {choice.pictures, choice.ids, *choice.others}
    left = sample.cells.drop(columns=used & set(sample.cells.columns))
    says = sum(not names_files(left[column].dropna().tolist()) for column in left)
    return round(covered, 2), choice.tried / len(sample.cells), says


def match_table(
    store: ImageStore, group: TableGroup, scopes: Scopes, options: ReadingOptions
) -> MatchedTable | None:
    """A table read whole, with the columns that find its pictures, or ``None`` where none does.
    Raises :class:`TableError`, which names the file, and ``ColumnError``."""
    source, counts = read_group(store, group)
    return match_source(source, counts, group, scopes, options)


def match_source(
    source: SourceTable,
    counts: list[int],
    group: TableGroup,
    scopes: Scopes,
    options: ReadingOptions,
) -> MatchedTable | None:
    """:func:`match_table` of what was read, whose files have ``counts`` rows."""
    choice, scope = _choice(source.cells, group, scopes, options)
    if choice is None:
        return None
    if len(counts) == 1:
        return MatchedTable(group, source, choice, ((counts[0], scope),))
    # What a part names lies beside it, where anything does; else the parts share one place.
    folders = [posixpath.dirname(name) for name in group.names]
    own = [scopes.below(folder and folder + "/") for folder in folders]
    parts = [(n, names if len(names) else scope) for n, names in zip(counts, own, strict=True)]
    return MatchedTable(group, source, choice, tuple(parts))


def read_group(store: ImageStore, group: TableGroup) -> tuple[SourceTable, list[int]]:
    """The rows of all parts of a table, and how many each has. Raises :class:`TableError`, which
    names the file."""
    parts = []
    for name in group.names:
        try:
            parts.append(read_table(_opener(store, name), name))
        except TableError as error:
            raise TableError(f"{name}: {error}") from error
    counts = [len(part.cells) for part in parts]
    if len(parts) == 1:
        return parts[0], counts
    starts = [sum(counts[:place]) for place in range(len(counts))]
    repaired = _shifted([part.repaired for part in parts], starts)
    unusable = _shifted([part.unusable for part in parts], starts)
    cells = pd.concat([part.cells for part in parts], ignore_index=True)
    notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
    return SourceTable(cells, repaired, unusable, notes), counts


def _shifted(of_parts: list[Rows], starts: list[int]) -> Rows:
    result: Rows = defaultdict(list)
    for rows, start in zip(of_parts, starts, strict=True):
        for reason, numbers in rows.items():
            result[reason] += [start + number for number in numbers]
    return dict(result)


def _choice(
    cells: pd.DataFrame, group: TableGroup, scopes: Scopes, options: ReadingOptions
) -> tuple[Choice | None, PictureNames]:
    """The columns of a table that find pictures, and where these lie."""
    best: tuple[Choice | None, PictureNames] = None, PictureNames(())
    for names in scopes.of(group.folder):
        choice = choose_columns(cells, names, options)
        if choice is not None and (best[0] is None or choice.found > best[0].found):
            best = choice, names
        if choice is not None and choice.found == choice.tried:
            break
    return best


def _sample(store: ImageStore, group: TableGroup) -> tuple[float, SourceTable]:
    """The first rows of a table, and how many times as many there may be."""
    name = group.names[0]
    opener = _opener(store, name)
    if not _is_text(name):
        return float(len(group.names)), read_table(opener, name)
    with opener() as file:
        size = file.seek(0, io.SEEK_END)
    if size <= SAMPLE_BYTES:
        return float(len(group.names)), read_table(opener, name)
    with opener() as file:
        packed = name.lower().endswith(".gz")
        readable: BinaryIO = gzip.GzipFile(fileobj=file) if packed else file  # type: ignore[assignment]
        start = readable.read(SAMPLE_BYTES)
    start = start[: start.rfind(b"\n") + 1] or start
    ratio = size * (4 if packed else 1) / len(start)
    plain = re.sub(r"\.gz$", "", name, flags=re.I)
    return ratio * len(group.names), read_table(partial(io.BytesIO, start), plain)


def _is_text(name: str) -> bool:
    plain = re.sub(r"\.gz$", "", name.lower())
    return plain.endswith((".csv", ".tsv", ".tab", ".psv", ".txt", ".jsonl", ".ndjson"))


def _opener(store: ImageStore, name: str) -> partial[BinaryIO]:
    return partial(store.open, name)
