"""Fitting Room: a picture goes in, the catalogue items that look most like it come out."""

from typing import Any

from fitting_room.catalogue.catalogue import CatalogueError, load_catalogue
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageRejected, open_image
from fitting_room.imaging.features import Features
from fitting_room.index.scoring import SimilarityOptions
from fitting_room.search.searcher import Match
from fitting_room.settings import Settings
from fitting_room.util.aliases import OLD_CLASSES, warn_renamed
from fitting_room.util.quiet import report_nothing

__all__ = [
    "CatalogueError", "Features", "FittingRoom", "ImageRejected", "Match", "Settings",
    "SimilarityOptions", "load_catalogue", "open_image",
]  # fmt: skip
__version__ = "0.2.0"

report_nothing()


def __getattr__(name: str) -> Any:
    if name not in OLD_CLASSES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warn_renamed(name, OLD_CLASSES[name])
    return globals()[OLD_CLASSES[name]]
