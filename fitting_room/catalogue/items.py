"""A table's rows and the pictures that belong to them -> items, and what became of the rest."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from fitting_room.catalogue.addresses import are_pages
from fitting_room.catalogue.matching import ADDITIONS, INSIDE, WAYS, Choice
from fitting_room.catalogue.picture_names import (
    PictureNames,
    bases_of,
    is_reference,
    key_of,
    references,
    without_ending,
)
from fitting_room.catalogue.schema import RESERVED_COLUMNS
from fitting_room.catalogue.source_tables import MatchedTable
from fitting_room.catalogue.tables import Rows, SourceTable

#: Characters of an id at most, and of a cell, which is cut: what a spreadsheet's cell can hold.
LONGEST_ID, LONGEST_CELL = 500, 32_767
#: Pictures that one item has at most; what is more is counted as left out.
MOST_PICTURES = 200

LONG_ID = f"an id of more than {LONGEST_ID} characters"
LONG_CELL = f"a cell of more than {LONGEST_CELL:,} characters, which was cut"
NO_PICTURE, NO_ID, OCCURS = "no picture", "no id", "the id occurs before"
MORE_OF_ITEM = "more rows of an item above"


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """``table`` has one row for each picture of an item, as :class:`Catalogue` has them, without
    signatures. ``dropped`` and ``merged`` give row numbers of the source by reason; ``ids`` has the
    id of each row of the source, for naming it."""

    table: pd.DataFrame
    ids: pd.Series
    dropped: Rows = field(default_factory=dict)
    merged: Rows = field(default_factory=dict)


def claimed(matched: MatchedTable) -> list[list[str]]:
    """The pictures of each row of a table, by the columns that were chosen."""
    cells, choice = matched.source.cells, matched.choice
    scopes = [names for count, names in matched.parts for _ in range(count)]
    find = WAYS[choice.way]
    result: list[list[str]] = []
    for cell, names in zip(cells[choice.pictures].tolist(), scopes, strict=True):
        refs = references(cell) if isinstance(cell, str) else []
        if len(refs) == 1:
            result.append(find(names, refs[0])[:MOST_PICTURES])
        else:
            result.append(_unique([name for ref in refs for name in find(names, ref)]))
    for column in choice.others:
        for row, cell in enumerate(cells[column].tolist()):
            refs = references(cell) if isinstance(cell, str) else []
            more = [n for r in refs if is_reference(r) for n in scopes[row].named(r)]
            result[row] = _unique([*result[row], *more])
    return result


def _unique(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(names))[:MOST_PICTURES] if len(names) > 1 else list(names)


def make_items(
    source: SourceTable, claims: list[list[str]], choice: Choice, pictures: PictureNames
) -> Items:
    """The items of a table, each once with all of its pictures: of several rows with one id the
    first counts, and the others fill what it leaves empty where the rows name pictures themselves.
    """
    ids = _ids(source.cells, choice.ids, claims)
    reasons = np.full(len(ids), "", object)
    for reason, rows in source.unusable.items():
        reasons[rows] = reason
    usable = reasons == ""
    # Without a column of ids, it is the picture that gives a row its id.
    reasons[usable & (ids == "").to_numpy(bool)] = NO_PICTURE if choice.ids is None else NO_ID
    usable = reasons == ""
    reasons[usable & (ids.str.len() > LONGEST_ID).to_numpy(bool)] = LONG_ID
    usable = reasons == ""
    numbers, first = _grouped(ids, usable)
    of_item = claims
    if len(first) < len(ids):
        of_item = [[] for _ in first]
        for row, number in enumerate(numbers.tolist()):
            if number >= 0 and claims[row]:
                of_item[number] += claims[row]
    _add_additions(of_item, ids, first, choice, pictures)
    named = choice.ids != choice.pictures or bool(choice.others)
    # The last one is for the rows of no item, whose number is -1.
    without = np.array([*(not names for names in of_item), True], bool)
    reasons[usable & without[numbers]] = NO_PICTURE
    later = usable & ~without[numbers]
    later[first] = False
    merged: list[int] = np.flatnonzero(later).tolist() if named else []
    if not named:
        reasons[later] = OCCURS
    cells = _filled(source.cells, numbers, merged, first)
    table = _table(cells, ids, [_unique(n) if len(n) > 1 else n for n in of_item], first, choice)
    dropped: Rows = {}
    for row in np.flatnonzero(reasons != "").tolist():
        dropped.setdefault(str(reasons[row]), []).append(row)
    return Items(table, ids, dropped, {MORE_OF_ITEM: merged} if merged else {})


def _ids(cells: pd.DataFrame, column: str | None, claims: list[list[str]]) -> pd.Series:
    """The id of each row: what its column says, without what spreadsheets add (an apostrophe in
    front, ``.0`` behind every one), or the name of its picture where there is no such column."""
    if column is None:
        first = [names[0] if names else "" for names in claims]
        stems = [without_ending(posixpath.basename(name)) for name in first]
        named = {name: stem for name, stem in zip(first, stems, strict=True) if name}
        if len(set(named.values())) < len(named):  # of one name in several folders
            stems = [without_ending(name) for name in first]
        return pd.Series(stems, dtype="str")
    ids = cells[column].fillna("").str.strip()
    quoted = ids.str.startswith("'")
    if quoted.any():
        ids = ids.where(~quoted, ids.str.removeprefix("'"))
    some = ids[ids != ""]
    if len(some) and some.str.fullmatch(r"\d+\.0").all():
        ids = ids.str.removesuffix(".0")
    return ids.reset_index(drop=True)


def _grouped(ids: pd.Series, usable: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The number of each row's item, -1 where the row is not usable, and each item's first row."""
    numbers = np.full(len(ids), -1)
    rows = np.flatnonzero(usable)
    codes, _ = pd.factorize(ids.iloc[rows])
    numbers[rows] = codes
    _, places = np.unique(codes, return_index=True)
    return numbers, rows[places]


def _add_additions(
    of_item: list[list[str]],
    ids: pd.Series,
    first: np.ndarray,
    choice: Choice,
    pictures: PictureNames,
) -> None:
    """Give items the pictures that nobody claimed and whose names go on where theirs end."""
    if choice.way in (ADDITIONS, INSIDE):
        return
    taken = {name for names in of_item for name in names}
    free = [name for name in pictures.names if name not in taken]
    if not free:
        return
    owners: dict[str, int | None] = {}
    for number, names in enumerate(of_item):
        keys = {key_of(without_ending(posixpath.basename(name))) for name in names[:1]}
        if choice.ids is not None and choice.ids == choice.pictures:
            keys.add(key_of(without_ending(ids.iloc[first[number]])))
        for key in keys:
            owners[key] = None if key in owners else number  # of two it is nobody's
    formats = {without_ending(name) for name in taken}
    for name in free:
        if without_ending(name) in formats:
            continue  # the same picture in another format
        stem = key_of(without_ending(posixpath.basename(name)))
        owner = next((n for b in bases_of(stem) if (n := owners.get(b)) is not None), None)
        if owner is not None:
            of_item[owner].append(name)
            formats.add(without_ending(name))


def _filled(
    cells: pd.DataFrame, numbers: np.ndarray, merged: list[int], first: np.ndarray
) -> pd.DataFrame:
    """The first row of each item, with what it leaves empty from the item's further rows."""
    if not merged:
        return cells.iloc[first]
    usable = numbers >= 0
    filled = cells[usable].groupby(numbers[usable], sort=True).first()
    return filled.set_axis(first)


def _table(
    cells: pd.DataFrame, ids: pd.Series, of_item: list[list[str]], first: np.ndarray, choice: Choice
) -> pd.DataFrame:
    counts = [len(names) for names in of_item]
    items = np.repeat(np.arange(len(of_item)), counts)
    attributes = cells.drop(columns=_used(cells, choice))
    attributes = attributes.rename(columns=_free_names(attributes.columns))
    table = attributes if max(counts, default=1) == 1 == min(counts, default=1) else None
    table = attributes.iloc[items] if table is None else table
    table = table.reset_index(drop=True)
    table.insert(0, "id", ids.iloc[first[items]].to_numpy())
    names = [name for of in of_item for name in of]
    table.insert(1, "image", pd.Series(names, dtype="str"))
    return table.astype({"id": "str"})


def cut_cells(source: SourceTable) -> SourceTable:
    """A table whose cells have a length that an index and a page can bear; what was cut counts as
    repaired."""
    cut: dict[str, pd.Series] = {}
    rows: set[int] = set()
    for column in source.cells.columns:
        long = (source.cells[column].str.len() > LONGEST_CELL).to_numpy(bool)
        if long.any():
            cut[column] = source.cells[column].str.slice(0, LONGEST_CELL)
            rows |= set(np.flatnonzero(long).tolist())
    if not cut:
        return source
    cells, repaired = source.cells.assign(**cut), {**source.repaired, LONG_CELL: sorted(rows)}
    return SourceTable(cells, repaired, source.unusable, source.notes)


def _used(cells: pd.DataFrame, choice: Choice) -> list[str]:
    """Columns that say nothing more of an item once it has its id and its pictures."""
    used = (
        {choice.pictures, *choice.others} if choice.pictures != choice.ids else set(choice.others)
    )
    used |= {choice.ids} if choice.ids is not None else set()
    # The address of an item's page says where it is sold, also where it ends as its picture does.
    return [column for column in cells.columns if column in used and not are_pages(cells[column])]


def _free_names(columns: pd.Index) -> Mapping[str, str]:
    """Other names for columns that are called as the catalogue's own."""
    taken = {str(column) for column in columns}
    names = {}
    for column in map(str, columns):
        name = column
        while name in RESERVED_COLUMNS or (name != column and name in taken):
            name += "_"
        if name != column:
            names[column] = name
    return names
