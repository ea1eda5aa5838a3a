"""Fitting Room: a picture goes in, the catalogue items that look most like it come out."""

from fitting_room.catalogue import CatalogueError, load_catalogue
from fitting_room.embedder import Features
from fitting_room.images import ImageRejected, open_image
from fitting_room.ranking import Ranking
from fitting_room.room import FittingRoom, Match
from fitting_room.settings import Settings

__all__ = [
    "CatalogueError",
    "Features",
    "FittingRoom",
    "ImageRejected",
    "Match",
    "Ranking",
    "Settings",
    "load_catalogue",
    "open_image",
]
__version__ = "0.1.0"
