"""Where a catalogue's files lie, read by name and never outside it."""

from fitting_room.catalogue.stores.columns import ColumnStore, has_pictures
from fitting_room.catalogue.stores.folder import FolderStore
from fitting_room.catalogue.stores.mounts import MountedStore
from fitting_room.catalogue.stores.names import (
    is_container_name,
    is_picture_name,
    is_plain_name,
    is_unread_name,
)
from fitting_room.catalogue.stores.opening import open_store
from fitting_room.catalogue.stores.places import is_address, is_trusted, remember_place
from fitting_room.catalogue.stores.remote import RemoteStore
from fitting_room.catalogue.stores.store import Container, ImageStore, Listing, StoreError
from fitting_room.catalogue.stores.tars import TarStore
from fitting_room.catalogue.stores.zips import ZipStore

__all__ = [
    "ColumnStore",
    "Container",
    "FolderStore",
    "ImageStore",
    "Listing",
    "MountedStore",
    "RemoteStore",
    "StoreError",
    "TarStore",
    "ZipStore",
    "has_pictures",
    "is_address",
    "is_container_name",
    "is_picture_name",
    "is_plain_name",
    "is_trusted",
    "is_unread_name",
    "open_store",
    "remember_place",
]
