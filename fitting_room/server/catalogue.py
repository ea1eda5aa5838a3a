"""What the API shows of the catalogue and changes in it, as its threads compute it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from fitting_room.build.edit import EditSummary, add_items, remove_items
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import SUFFIXES
from fitting_room.search.facets import counted
from fitting_room.server.answering import row_of
from fitting_room.server.models import Column, Columns, ColumnValue, Edit, Rejected
from fitting_room.server.problems import Problem
from fitting_room.server.requests import Addition, Where
from fitting_room.server.service import Service


def picture(service: Service, item: str, number: int, *, large: bool) -> bytes:
    """A picture of an item as a JPEG, as large as a card's or as one that is looked at by itself.
    Raises ``Problem`` or ``ImageRejected``."""
    shared = service.shared()
    row = row_of(shared.fitting_room, item)
    rows = shared.fitting_room.index.rows_of_item(row)
    if number >= len(rows):
        raise Problem("no-picture", f"The item has {len(rows):,} pictures, numbered from 0 on.")
    (image,) = map(str, shared.fitting_room.index.store.cells("image", rows[number : number + 1]))
    return shared.make_preview(image) if large else shared.make_thumbnail(image)


def columns(service: Service, where: Where | None) -> Columns:
    """The columns that one may filter by, and how many items each value would leave. Raises
    ``FilterError``."""
    fitting_room = service.fitting_room()
    chosen = {c: [v] if isinstance(v, str) else v for c, v in (where or {}).items()}
    index = fitting_room.index
    index.filter(chosen)
    offered = {choice.column: choice for choice in service.choices(fitting_room)}
    found = counted(index.store, list(offered), chosen)

    def values_of(column: str) -> list[ColumnValue] | None:
        if column not in offered:
            return None
        counts = found.by_column[column]
        values = offered[column].values
        return [ColumnValue(value=value, items=counts.get(value, 0)) for value in values]

    return Columns(
        items=found.items,
        estimated=found.estimated,
        columns=[
            Column(
                column=column,
                distinct=len(offered[column].values)
                if column in offered
                else fitting_room.distinct(column),
                numeric=column in fitting_room.numeric,
                values=values_of(column),
            )
            for column in fitting_room.attributes
        ],
    )


def add(service: Service, addition: Addition) -> Edit:
    """Add an item, by its pictures, to the index. Raises ``EditError``, ``IndexUnusable`` or
    ``Problem``."""
    fitting_room = _editable(service)
    with tempfile.TemporaryDirectory(prefix="fitting-room-") as folder:
        paths = []
        for number, file in enumerate(addition.files):
            ending = Path(file.name).suffix.lower()
            path = Path(folder) / f"{number}{ending if ending in SUFFIXES else '.jpg'}"
            path.write_bytes(file.data)
            paths.append(path)
        summary = add_items(
            fitting_room.index.folder,
            paths,
            lambda: fitting_room.embedder,
            ids=[addition.item] * len(paths),
            attributes=addition.attributes,
            replacing=addition.replace,
            limits=fitting_room.limits,
        )
    names = {str(path): file.name for path, file in zip(paths, addition.files, strict=True)}
    rejected = [Rejected(file=names[path], reason=why) for path, why in summary.rejected]
    if not summary.added and not summary.replaced:
        said = " ".join(f"{one.file}: {one.reason}" for one in rejected)
        raise Problem("unusable-picture", f"Nothing was added. {said}")
    service.shared()  # whoever asks next finds it
    return _edit(summary, rejected)


def remove(service: Service, item: str) -> Edit:
    """Remove an item from the index. Raises ``EditError``, ``IndexUnusable`` or ``Problem``."""
    fitting_room = _editable(service)
    row_of(fitting_room, item)
    summary = remove_items(fitting_room.index.folder, [item])
    service.shared()
    return _edit(summary, [])


def _editable(service: Service) -> FittingRoom:
    """The index that is open. Raises ``Problem`` where it cannot be changed by hand."""
    fitting_room = service.fitting_room()
    if not fitting_room.is_local:
        raise Problem(
            "read-only",
            "The items of this server live in a database, which the API does not change. Add and "
            "remove items with the command line: fitting-room add | remove.",
        )
    return fitting_room


def _edit(summary: EditSummary, rejected: list[Rejected]) -> Edit:
    return Edit(
        items=summary.items,
        added=list(summary.added),
        replaced=list(summary.replaced),
        removed=list(summary.removed),
        rejected=rejected,
    )
