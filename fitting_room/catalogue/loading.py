"""How the items of one opened place are found: by a table, by files beside the pictures, or by the
folders that they lie in."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from fitting_room.catalogue import layouts
from fitting_room.catalogue.addresses import url_column
from fitting_room.catalogue.folders import classes_of, read_folders
from fitting_room.catalogue.items import Items, claimed, cut_cells, make_items
from fitting_room.catalogue.matching import (
    NAMED,
    Choice,
    ColumnError,
    column_named,
    id_column,
    likeliest_column,
)
from fitting_room.catalogue.picture_names import PictureNames, without_ending
from fitting_room.catalogue.place import CatalogueError
from fitting_room.catalogue.reading_options import NO_TABLE, ReadingOptions
from fitting_room.catalogue.sidecars import find_sidecars, read_sidecars
from fitting_room.catalogue.source_tables import (
    MatchedTable,
    Scopes,
    TableGroup,
    TablesTried,
    choose_table,
    match_table,
    read_group,
    table_groups,
)
from fitting_room.catalogue.stores import ImageStore, StoreError
from fitting_room.catalogue.tables import SourceTable, TableError, is_table_name

#: Ids and names of pictures that are shown where none of them agree.
SHOWN = 3
#: Endings of files that may be tables and mostly are none.
_MAYBE = (".txt", ".json")


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What was found in a place: the items, the rows that they come from, how these were read, in
    sentences, and why tables were not."""

    items: Items
    source: SourceTable
    read_as: list[str]
    tables_not_read: dict[str, str] = field(default_factory=dict)


@dataclass
class CatalogueReader:
    """Finds the items of one place. ``names`` are all of its files but those of ``passed_over``,
    by the reason; ``embedded`` gives the pictures in each row of tables that hold these themselves.
    """

    store: ImageStore
    location: str
    names: dict[str, str]
    pictures: dict[str, str]
    reading: ReadingOptions
    embedded: Mapping[str, Callable[[], list[list[str]]]] = field(default_factory=dict)
    passed_over: Mapping[str, Sequence[str]] = field(default_factory=dict)
    tried: TablesTried = field(default_factory=TablesTried)

    @cached_property
    def scopes(self) -> Scopes:
        return Scopes(self.pictures)

    def find(self) -> Found:
        """The items. Raises :class:`CatalogueError`."""
        try:
            found = self._find()
        except (TableError, ColumnError, StoreError) as error:
            raise CatalogueError(f"{self.location}: {error}") from error
        return found

    def _find(self) -> Found:
        if self.reading.table is not None:
            named = self.reading.table
            none = named == NO_TABLE
            return self._by_folders() if none else self._by_table(self._required(named))
        if self.embedded:
            return self._by_embedded()
        if lists := layouts.in_shop_files(self.names):
            return self._by_in_shop(lists)
        return self._by_any_table()

    def _by_any_table(self) -> Found:
        if (
            matched := layouts.match_abo(self.store, self.names, self.scopes, self.reading)
        ) is not None:
            return self._by_table(matched, [f"Read as {layouts.ABO}."])
        sidecars = find_sidecars(self.names, self.pictures)
        beside = set() if sidecars is None else {n for of in sidecars.of.values() for n in of}
        groups = table_groups(self.store, self.names, beside, self.tried)
        matched = choose_table(self.store, groups, self.scopes, self.reading, self.tried)
        if matched is not None:
            return self._by_table(matched)
        if sidecars is not None:
            return self._by_sidecars(sidecars.of)
        self._refuse_tables_without_pictures()
        return self._by_folders()

    # --- the forms ----------------------------------------------------------------------------

    def _by_table(self, matched: MatchedTable, read_as: list[str] | None = None) -> Found:
        names, choice = matched.group.names, matched.choice
        pictures = self.scopes.below("")
        claims = claimed(matched)
        source = cut_cells(matched.source)
        if choice.ids is None:
            source = _with_classes(source, claims)
        scope = matched.parts[0][1] if len(matched.parts) == 1 else pictures
        items = make_items(source, claims, choice, scope)
        table = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1:,} like it"
        sentences = [*(read_as or []), f"Table: {table}. {_in_words(choice)}", *source.notes]
        return self._found(items, source, sentences)

    def _by_embedded(self) -> Found:
        """A table that holds the bytes of its pictures."""
        names = sorted(self.embedded)
        source, _ = read_group(self.store, TableGroup(tuple(names)))
        claims = [of for name in names for of in self.embedded[name]()]
        if len(claims) != len(source.cells):
            raise TableError(f"{names[0]}: its rows and its pictures are not as many")
        ids = id_column(source.cells, self.reading, claims)
        choice = Choice("", NAMED, len(claims), len(claims), ids)
        source = cut_cells(source)
        items = make_items(source, claims, choice, PictureNames(()))
        where = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1:,} like it"
        shown = f"ids by the column `{ids}`" if ids else "ids by the pictures' names"
        sentence = f"Table with pictures in it: {where or self.location}; {shown}."
        return self._found(items, source, [sentence, *source.notes])

    def _by_in_shop(self, lists: list[str]) -> Found:
        found = read_folders(self.pictures)
        found = layouts.add_in_shop(self.store, lists, found)
        return self._of_folders(found.source, found.claims, f"Read as {layouts.IN_SHOP}.", lists)

    def _by_sidecars(self, of: dict[str, tuple[str, ...]]) -> Found:
        names = sorted(self.pictures)
        source = read_sidecars(self.store, of, names)
        claims = [[name] for name in names]
        items = make_items(source, claims, Choice("", NAMED, 0, 0, None), PictureNames(()))
        sentence = f"Attributes: {len(of):,} pictures have a file of their own beside them."
        return self._found(items, source, [sentence, *source.notes])

    def _by_folders(self) -> Found:
        found = read_folders(self.pictures)
        said = [c for c in ("class", "group") if c in found.source.cells]
        sentence = "No table: " + (
            f"{' and '.join(said)} by the folders' names."
            if said
            else "pictures without attributes."
        )
        return self._of_folders(found.source, found.claims, sentence, [])

    def _of_folders(
        self, source: SourceTable, claims: list[list[str]], sentence: str, used: list[str]
    ) -> Found:
        choice = Choice("id", NAMED, len(claims), len(claims), "id")
        items = make_items(source, claims, choice, PictureNames(()))
        for name in self.names:
            if is_table_name(name) and name not in used and not name.lower().endswith(".txt"):
                self.tried.not_read.setdefault(name, "not used")
        return self._found(items, source, [sentence, *source.notes])

    def _found(self, items: Items, source: SourceTable, read_as: list[str]) -> Found:
        return Found(items, source, read_as, self.tried.not_read)

    # --- tables that find nothing -------------------------------------------------------------

    def _required(self, table: str) -> MatchedTable:
        """The table that the user named. Raises :class:`CatalogueError`."""
        group = TableGroup((self._named(table),))
        matched = match_table(self.store, group, self.scopes, self.reading)
        if matched is None:
            source, _ = read_group(self.store, group)
            raise CatalogueError(self._none_finds(group.names[0], source))
        for name in self.names:
            if is_table_name(name) and name != group.names[0] and "/" not in name:
                self.tried.not_read.setdefault(name, "another table was named")
        return matched

    def _named(self, table: str) -> str:
        wanted = table.replace("\\", "/").removeprefix("./")
        found = [name for name in self.names if name == wanted]
        found = found or [
            n for n in self.names if posixpath.basename(n) == posixpath.basename(wanted)
        ]
        if not found:
            there = ", ".join(sorted(filter(is_table_name, self.names))[:5]) or "none"
            raise CatalogueError(
                f"{self.location}: there is no table {table!r:.100}. Tables there: {there}."
            )
        return min(found, key=lambda name: (name.count("/"), name))

    def _refuse_tables_without_pictures(self) -> None:
        """Raise :class:`CatalogueError` where a table means to describe pictures and is damaged, or
        none of its rows finds one: a catalogue without its attributes is not what anybody wants."""
        for reason, names in self.passed_over.items():
            if tables := [n for n in names if is_table_name(n) and not n.lower().endswith(_MAYBE)]:
                raise CatalogueError(
                    f"{posixpath.join(self.location, tables[0])}: not read: {reason}. Put "
                    f"the table itself there, or leave tables out with --table {NO_TABLE}."
                )
        for name in self.tried.damaged:
            raise CatalogueError(
                f"{posixpath.join(self.location, name)}: {self.tried.not_read[name]} To build "
                f"without any table: --table {NO_TABLE}"
            )
        for group, sample in self.tried.without_pictures:
            if len(sample.cells) == 1 and group.names[0].lower().endswith(".json"):
                continue  # one object: settings of something
            if likeliest_column(sample.cells, self.reading) is not None:
                raise CatalogueError(self._none_finds(group.names[0], sample))

    def _none_finds(self, name: str, source: SourceTable) -> str:
        cells, where = source.cells, posixpath.join(self.location, name)
        if len(cells) == 0:
            return f"{where}: this table has no rows."
        if (urls := url_column(cells)) is not None:
            return (
                f"{where}: its pictures are addresses (column `{urls}`) and not here. Download "
                f"them with: fitting-room fetch {where} --to FOLDER"
            )
        if not self.pictures:
            left_out = "".join(
                f" {len(names):,} left out: {reason} (e.g. {names[0]})."
                for reason, names in self.passed_over.items()
            )
            return f"{where}: no pictures found beside this table of {len(cells):,} rows.{left_out}"
        column = self.reading.image_column or self.reading.id_column
        column = (
            column_named(cells.columns, column) if column else likeliest_column(cells, self.reading)
        )
        column = column or str(cells.columns[0])
        ids = ", ".join(str(value)[:60] for value in cells[column].dropna().head(SHOWN))
        stems = [without_ending(posixpath.basename(n)) for n in sorted(self.pictures)[:SHOWN]]
        return (
            f"{where}: none of its rows finds a picture. In its column `{column}` stand {ids}; the "
            f"pictures are called {', '.join(stems)}. Say with --image-column which column names "
            f"the pictures, or leave tables out with --table {NO_TABLE}."
        )


def _with_classes(source: SourceTable, claims: list[list[str]]) -> SourceTable:
    """A table whose rows name pictures and nothing else, with the classes that these lie in."""
    if any(str(column).casefold() == "class" for column in source.cells.columns):
        return source
    classes = classes_of([names[0] if names else "" for names in claims])
    if len(set(classes) - {None}) < 2:
        return source  # one folder for all is no class
    cells = source.cells.assign(**{"class": pd.Series(classes, source.cells.index, dtype="str")})
    return SourceTable(cells, source.repaired, source.unusable, source.notes)


def _in_words(choice: Choice) -> str:
    text = f"Pictures by the column `{choice.pictures}` ({choice.way})"
    if choice.others:
        text += " and " + ", ".join(f"`{column}`" for column in choice.others[:5])
    if choice.ids is None:
        return text + "; ids by the pictures' names."
    return text + (
        f"; ids by `{choice.ids}`." if choice.ids != choice.pictures else ", which has the ids."
    )
