"""Fitting Room: a picture goes in, the catalogue items that look most like it come out."""

from fitting_room.catalogue.catalogue import CatalogueError, load_catalogue
from fitting_room.facade import FittingRoom, Match
from fitting_room.imaging.decode import ImageRejected, open_image
from fitting_room.imaging.features import Features
from fitting_room.index.scoring import SimilarityOptions
from fitting_room.settings import Settings

__all__ = [
    "CatalogueError",
    "Features",
    "FittingRoom",
    "ImageRejected",
    "Match",
    "Settings",
    "SimilarityOptions",
    "load_catalogue",
    "open_image",
]
__version__ = "0.1.0"
