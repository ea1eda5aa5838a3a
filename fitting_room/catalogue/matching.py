"""Which pictures the rows of a table belong to: by the column that finds them best."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fitting_room.catalogue.picture_names import PictureNames, is_reference, references
from fitting_room.catalogue.reading_options import DEFAULT_READING, ReadingOptions

#: Rows that a column is tried on, and of how many of its values a column without a telling name
#: must find the picture.
SAMPLE, ENOUGH = 1_000, 0.5
#: A folder with more pictures than this is none of a single product.
MOST_IN_FOLDER = 30

#: Columns of ids and of pictures, by their letters and digits alone, the likeliest first.
ID_COLUMNS = (
    "id", "itemid", "productid", "articleid", "uniqid", "handle", "sku", "variantsku", "item",
    "article", "product", "productcode", "articlecode", "code", "asin", "ean", "gtin", "upc",
    "barcode", "ref", "reference", "key", "number", "no", "nr", "stylenumber", "styleid", "style",
    "objectid", "uid", "uuid", "pid",
)  # fmt: skip
IMAGE_COLUMNS = (
    "filename", "image", "images", "imagepath", "filepath", "path", "file", "imagefile",
    "imagename", "imagesrc", "imagelink", "imageurl", "imageurls", "mainimage", "featuredimage",
    "productimage", "img", "imgurl", "imgpath", "imgsrc", "picture", "pictures", "photo", "photos",
    "variantimage", "additionalimagelink", "link", "url", "src", "thumbnail", "primaryimage",
)  # fmt: skip

_Find = Callable[[PictureNames, str], list[str]]
#: Ways from a cell to pictures, the plainest first, and how each is said.
WAYS: dict[str, _Find] = {
    "the picture's name": PictureNames.named,
    "the number in the picture's name": PictureNames.numbered,
    "the beginning of the picture's name": PictureNames.additions,
    "the picture's folder": PictureNames.inside,
}
NAMED, NUMBERED, ADDITIONS, INSIDE = WAYS


class ColumnError(ValueError):
    """A column that was asked for is not there; the text names those that are."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The column ``pictures`` whose values find their pictures by ``way`` (one of :data:`WAYS`);
    ``others`` name further pictures of the same rows. ``ids`` is the column of ids, if any.
    ``found`` of the ``tried`` different values of a sample found a picture."""

    pictures: str
    way: str
    found: int
    tried: int
    ids: str | None = None
    others: tuple[str, ...] = ()


def letters_of(column: str) -> str:
    """A column's name by its letters and digits alone, in lower case."""
    return re.sub(r"[\W_]+", "", column.casefold())


def column_named(columns: Iterable[str], wanted: str) -> str:
    """The column that a user means, whatever the case. Raises :class:`ColumnError`."""
    columns = list(columns)
    for same in (str, str.casefold, letters_of):
        found = [column for column in columns if same(column) == same(wanted)]
        if len(found) == 1:
            return found[0]
    shown = ", ".join(columns[:20])
    raise ColumnError(f"there is no column {wanted!r:.60}. There are: {shown:.600}")


def choose_columns(
    cells: pd.DataFrame, pictures: PictureNames, options: ReadingOptions = DEFAULT_READING
) -> Choice | None:
    """How the rows of a table find their pictures, or ``None`` where they do not. Raises
    :class:`ColumnError` for a column of ``options`` that is not there."""
    columns = [str(column) for column in cells.columns]
    ids = options.id_column and column_named(columns, options.id_column)
    wanted = options.image_column and column_named(columns, options.image_column)
    candidates = [wanted] if wanted else columns
    choice = _best(_sampled(cells, SAMPLE), candidates, pictures, ids, told=bool(wanted))
    if choice is None and len(cells) > SAMPLE:
        # Perhaps a table of many rows beside few pictures; only where a name is telling.
        telling = [c for c in candidates if wanted or c == ids or _rank(c) is not None]
        choice = _best(cells, telling, pictures, ids, told=bool(wanted))
    if choice is None:
        return None
    others = () if wanted else _further(cells, choice.pictures, pictures)
    ids = ids or _id_column(cells, choice)
    return Choice(choice.pictures, choice.way, choice.found, choice.tried, ids, others)


def _sampled(cells: pd.DataFrame, count: int) -> pd.DataFrame:
    if len(cells) <= count:
        return cells
    return cells.iloc[np.linspace(0, len(cells) - 1, count).astype(int)]


def _rank(column: str) -> int | None:
    """How likely a column's name says that it is an id or a picture; 0 is the likeliest."""
    letters = letters_of(column)
    for names in (ID_COLUMNS, IMAGE_COLUMNS):
        if letters in names:
            return names.index(letters)
    if letters.endswith(("id", "sku", "code")) or letters.startswith(("image", "img", "picture")):
        return len(ID_COLUMNS)
    return None


def _best(
    cells: pd.DataFrame,
    columns: Iterable[str],
    pictures: PictureNames,
    ids: str | None,
    *,
    told: bool,
) -> Choice | None:
    """The column and the way by which most different values of some rows find a picture."""
    values_of = {column: cells[column].dropna().drop_duplicates().tolist() for column in columns}
    best: tuple[tuple[float, ...], Choice] | None = None
    for way in WAYS:
        for place, (column, values) in enumerate(values_of.items()):
            rank = 0 if told or column == ids else _rank(column)
            found = _found(values, way, pictures)
            if not found or not _is_telling(way, found, len(values), len(cells), rank):
                continue
            likely = len(ID_COLUMNS) + 1 if rank is None else rank
            # What names files says so; that an id is the name of a file is a guess.
            explicit = way == NAMED and names_files(values) and found >= ENOUGH * len(values)
            order = (explicit, found, column == ids, -likely, -place)
            if best is None or order > best[0]:
                best = order, Choice(column, way, found, len(values))
        if best is not None and best[1].found >= ENOUGH * best[1].tried:
            break  # a way that is less plain would do no better
    return None if best is None else best[1]


def _found(values: list[str], way: str, pictures: PictureNames) -> int:
    """How many different pictures some values find, of those that they find first."""
    find, first = WAYS[way], set()
    for value in values:
        for reference in references(value):
            named = find(pictures, reference)
            if way == INSIDE and len(named) > MOST_IN_FOLDER:
                return 0
            if named:
                first.add(named[0])
                break
    return len(first)


def names_files(values: list[str]) -> bool:
    """Whether most values are names, paths or addresses of pictures."""
    some = values[:200]
    return sum(any(map(is_reference, references(value))) for value in some) > ENOUGH * len(some)


def _is_telling(way: str, found: int, values: int, rows: int, rank: int | None) -> bool:
    """Whether what a column finds is more than chance: a column of sizes may well find the
    pictures 36 to 48."""
    if rank is not None and way != INSIDE:
        return True
    share, different = found / values, values / rows
    enough = ENOUGH if way == NAMED or rank is not None else 0.9
    return share >= enough and different >= (0.1 if rank is not None else enough)


def _further(cells: pd.DataFrame, chosen: str, pictures: PictureNames) -> tuple[str, ...]:
    """Columns that name further pictures, as a table has them for the front and the back."""
    sample = _sampled(cells, SAMPLE)
    result = []
    for column in sample.columns:
        if column == chosen:
            continue
        values = sample[column].dropna().drop_duplicates().tolist()
        named = [ref for value in values[:200] for ref in references(value) if is_reference(ref)]
        if len(named) * 2 >= len(values[:200]) > 0 and any(map(pictures.named, named)):
            result.append(str(column))
    return tuple(result)


def likeliest_column(cells: pd.DataFrame, options: ReadingOptions = DEFAULT_READING) -> str | None:
    """The column whose name says most that it is an id or a picture, if one does."""
    if options.id_column:
        return column_named(map(str, cells.columns), options.id_column)
    ranked = [(rank, str(c)) for c in cells.columns if (rank := _rank(str(c))) is not None]
    return min(ranked, key=lambda pair: pair[0])[1] if ranked else None


def id_column(
    cells: pd.DataFrame, options: ReadingOptions, claims: Sequence[Sequence[str]]
) -> str | None:
    """The column of ids of a table that has its pictures in it, if there is one. Raises
    :class:`ColumnError`."""
    if options.id_column:
        return column_named(map(str, cells.columns), options.id_column)
    column = _likely_ids(cells)
    # A class that is called by a number, as data sets for learning have it, is no id.
    several = column is not None and cells[column].nunique() * 4 < sum(map(bool, claims))
    return None if several else column


def _id_column(cells: pd.DataFrame, choice: Choice) -> str | None:
    """The column of ids: the one that found the pictures, if that is no column of file names, or
    the one with the likeliest name that nearly every row has a value in."""
    values = cells[choice.pictures].dropna().head(200).tolist()
    if letters_of(choice.pictures) in ID_COLUMNS or not names_files(values):
        return choice.pictures
    return _likely_ids(cells)


def _likely_ids(cells: pd.DataFrame) -> str | None:
    by_letters = {letters_of(str(column)): str(column) for column in reversed(cells.columns)}
    for letters in ID_COLUMNS:
        column = by_letters.get(letters)
        if column is not None and cells[column].notna().mean() > ENOUGH:
            return column
    ending = [c for c in cells.columns if letters_of(str(c)).endswith(("id", "sku"))]
    unique = [str(c) for c in ending if cells[c].notna().all() and cells[c].is_unique]
    return unique[0] if unique else None
