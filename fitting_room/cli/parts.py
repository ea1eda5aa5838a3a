"""`fitting-room search --part`: the parts of pictures that show several garments."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from fitting_room.cli.output import complain, show
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageRejected
from fitting_room.imaging.features import Features

#: The number that lists the parts instead of choosing one.
LIST = 0


def list_parts(fitting_room: FittingRoom, pictures: Iterable[Path], *, as_json: bool) -> int:
    """Print the parts of each picture with their numbers; the exit status."""
    status = 1
    for picture in pictures:
        try:
            parts = fitting_room.parts(picture)
        except ImageRejected as rejected:
            complain(f"{picture}: {rejected.reason}")
            if as_json:
                show(json.dumps({"query": str(picture), "error": rejected.reason}))
            continue
        status = 0
        if as_json:
            rows = [
                {
                    "box": [round(e, 4) for e in p.box],
                    "kind": p.kind,
                    "evidence": round(p.evidence, 4),
                }
                for p in parts
            ]
            show(json.dumps({"query": str(picture), "parts": rows}))
            continue
        show(f"{picture}" if parts else f"{picture}: one garment")
        for number, part in enumerate(parts, 1):
            left, top, right, bottom = (f"{edge:.0%}" for edge in part.box)
            show(f"{number:4}  {part.kind}: {left} to {right} across, {top} to {bottom} down")
    return status


def describe_part(
    fitting_room: FittingRoom, pictures: Iterable[Path], number: int
) -> Iterator[tuple[Path, Features | ImageRejected]]:
    """The features of one part of each picture, by its number from 1 on. A picture that cannot be
    used, or has fewer parts, comes with the reason."""
    for picture in pictures:
        try:
            image = fitting_room.open_picture(picture)
            parts = fitting_room.parts(image)
            if number > len(parts):
                count = "one garment" if not parts else f"{len(parts)} parts"
                raise ImageRejected(f"There is no part {number}: this picture shows {count}.")
            yield picture, fitting_room.describe([parts[number - 1].cut_from(image)])[0]
        except ImageRejected as rejected:
            yield picture, rejected
