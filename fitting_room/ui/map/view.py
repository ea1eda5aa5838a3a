"""What a visitor has set on the map, and how it stands in the map's address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: The parameters of the address.
BY, PART, ONLY, PAGE = "by", "part", "only", "page"
#: The largest place in the component's units.
LAST = 65535

Params = dict[str, list[str]]
Box = tuple[int, int, int, int]


@dataclass(slots=True)
class MapView:
    """``column`` is the one that the points are coloured by. ``part`` is the rectangle whose items
    are listed, its left, top, right and bottom edges in the component's units, ``only`` the value
    of the column that is shown by itself in it ("" for those without one), ``page`` a page of that
    list. ``address`` are the parameters that were read or written last."""

    column: str = ""
    part: Box | None = None
    only: str | None = None
    page: int = 1
    address: Params | None = None
    #: The visitor did something here since the address was written.
    acted: bool = False

    def choose(self, part: Box | None, only: str | None = None) -> None:
        """List the items of a part, or none."""
        self.part, self.only, self.page = part, only if part is not None else None, 1
        self.acted = True

    def colour_by(self, column: str) -> None:
        """Colour the points by another column. What was shown by itself is a value of the old."""
        self.column, self.only, self.acted = column, None, True

    def read(self, address: Params, columns: Mapping[str, Sequence[str]]) -> None:
        """Follow an address, which anybody may have written, where the visitor came by it: what
        makes no sense is ignored. ``columns`` are those that points may be coloured by."""
        if self.acted or address == self.address:
            return
        first = {name: values[0] for name, values in address.items() if values}
        if first.get(BY) in columns:
            self.column = first[BY]
        self.choose(box_of(first.get(PART, "").split(",")))
        if self.part is not None and first.get(ONLY) in {"", *columns.get(self.column, ())}:
            self.only = first[ONLY]
        page = first.get(PAGE, "")
        self.page = int(page) if page.isascii() and page.isdigit() and 0 < len(page) < 5 else 1

    def params(self, usual: str) -> Params:
        """The address; the ``usual`` column is not named."""
        params = {BY: [self.column]} if self.column != usual else {}
        if self.part is not None:
            params[PART] = [",".join(map(str, self.part))]
            if self.only is not None:
                params[ONLY] = [self.only]
            if self.page > 1:
                params[PAGE] = [str(self.page)]
        return params


def box_of(edges: object) -> Box | None:
    """A part of the map by its edges, numbers or their texts, or ``None`` where they are none."""
    if not isinstance(edges, list) or len(edges) != 4:
        return None
    numbers = [_number(edge) for edge in edges]
    left, top, right, bottom = (number if number is not None else -1 for number in numbers)
    return (
        (left, top, right, bottom) if left >= 0 <= top and left < right and top < bottom else None
    )


def _number(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 5:
        value = int(value)
    return value if type(value) is int and 0 <= value <= LAST else None
