"""Every setting, its default and its environment variable, in one place.

The variable is ``FITTING_ROOM_`` and the setting's name in capitals: ``FITTING_ROOM_BACKBONE``.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePath
from typing import Any

import platformdirs

from fitting_room.catalogue.stores import is_address
from fitting_room.catalogue.stores.places import shown
from fitting_room.databases import address
from fitting_room.embedding.backbones import AUTO, check_name
from fitting_room.embedding.engine import ENGINES, PRECISIONS
from fitting_room.embedding.quantised import INT8
from fitting_room.embedding.weights import BackboneError
from fitting_room.imaging.decode import ImageLimits

PREFIX = "FITTING_ROOM_"
#: Above this Pillow itself refuses a picture (twice its ``Image.MAX_IMAGE_PIXELS``).
MOST_MEGAPIXELS = 178
#: Ports that a machine has.
MOST_PORTS = 65_535

_CHECKOUT = Path(__file__).resolve().parents[1]
#: Holds the page, the demo catalogue and the sample pictures: a checkout, or the copy that an
#: installed package carries.
HOME = _CHECKOUT if (_CHECKOUT / "app.py").is_file() else _CHECKOUT / "fitting_room" / "bundled"
DEMO = HOME / "data" / "demo"


class SettingsError(Exception):
    """An environment variable whose value makes no sense; names it and what is expected."""


def _cache_folder() -> Path:
    if HOME == _CHECKOUT:
        return HOME / "cache"
    return Path(platformdirs.user_cache_dir("fitting-room", appauthor=False))


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of the page and the command line."""

    #: The catalogue of the page, a path or an address, whose index is built at the first start;
    #: without it and without ``index``, the demo catalogue.
    catalogue: Path | str | None = None
    #: The index that the page searches, a folder or an address of a database:
    #: ``milvus://HOST:PORT/NAME``, ``postgresql://...``. Named alone, without ``catalogue``, it is
    #: never built. An address may hold a password, and is not shown.
    index: Path | str | None = field(default=None, repr=False)
    #: Indexes of the page and converted networks; may be deleted at any time.
    cache: Path = field(default_factory=_cache_folder)
    #: Pictures that the page offers to try.
    samples: Path = HOME / "data" / "samples"
    #: A file of other words for what the catalogue says (docs/words.md).
    synonyms: Path | None = None
    #: A name from ``fitting_room.embedding.backbones``, one of a library (``timm:resnet18``), or
    #: ``auto``.
    backbone: str = AUTO
    #: Weights of the backbone: a name ("V2") or a local file.
    weights: str | None = None
    #: ``auto``, ``openvino``, ``torch`` (on the CPU), ``cuda`` or ``mps``.
    engine: str = "auto"
    #: ``f32``, or quicker and less exact ``bf16``, ``f16`` or ``int8``, or ``auto``: what is
    #: quickest where it finds as well. An index that was built in 8 bits stays in them.
    precision: str = "auto"
    #: Seconds without progress after which a download of weights is given up.
    download_timeout: float = 5.0
    #: Limits of a picture: megabytes of the file and millions of pixels.
    max_megabytes: float = 32
    max_megapixels: float = 64
    #: Megabytes of uploads that are held for all visitors together at a time, and again of the
    #: pictures that their visits keep to show and to crop.
    max_held_megabytes: float = 512
    #: Beginnings of addresses, with blanks between, that an index built elsewhere may name for its
    #: pictures (:mod:`fitting_room.catalogue.stores.places`).
    places: str = ""
    #: Where ``fitting-room serve`` listens, unless the command says: an address of this machine, or
    #: ``0.0.0.0`` for all of them, and a port.
    address: str = "localhost"
    port: int = 8501
    #: Names, with blanks between, by which visitors may reach the page, besides this machine's own
    #: and the address that it listens on: ``shop.example *.shop.example``.
    hosts: str = ""
    #: Sites, with blanks between, that may show the page in a frame: ``https://shop.example``.
    frame_ancestors: str = ""
    #: Seconds after which the data of a visitor who has left are forgotten. Until then a broken
    #: connection finds the visit as it was.
    forget_after: float = 60
    #: Whether the page is the owner's, who marks groups of look-alikes on it: ``1`` or ``0``. It
    #: must listen on this machine alone.
    owner: bool = False
    #: Whether the HTTP API is there beside the page: ``1`` or ``0``.
    api: bool = True
    #: Tokens, with blanks between, that may change the catalogue through the API, or a file of
    #: them; without any, nobody may.
    api_tokens: str = field(default="", repr=False)
    api_tokens_file: Path | None = None
    #: Other sites, with blanks between, whose pages may ask the API: ``https://shop.example``.
    api_origins: str = ""
    #: Seconds that a request to the API may take to arrive, and again to be answered.
    api_timeout: float = 30

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """The defaults, changed by what the environment sets. Raises :class:`SettingsError`."""
        known = {PREFIX + setting.name.upper(): setting for setting in fields(cls)}
        values: dict[str, Any] = {}
        for variable, text in environment.items():
            if not variable.startswith(PREFIX) or not text:
                continue
            if variable not in known:
                names = ", ".join(sorted(known))
                raise SettingsError(f"{variable} is no setting. Known: {names}.")
            values[known[variable].name] = _parse(variable, str(known[variable].type), text)
        return cls(**values)

    def __post_init__(self) -> None:
        if (most := self.max_megapixels) > MOST_MEGAPIXELS:
            raise SettingsError(f"{PREFIX}MAX_MEGAPIXELS={most:g}: {MOST_MEGAPIXELS} at most.")
        try:
            check_name(self.backbone)
        except BackboneError as error:
            raise SettingsError(f"{PREFIX}BACKBONE={self.backbone:.100}: {error}") from error
        for name, value, known in (
            ("ENGINE", self.engine, ENGINES),
            ("PRECISION", self.precision, PRECISIONS),
        ):
            if value not in known:
                names = ", ".join(known)
                raise SettingsError(f"{PREFIX}{name}={value}: one of {names} is expected.")
        index = self.index
        if isinstance(index, str) and is_address(index) and not address.is_address(index):
            schemes = ", ".join(f"{scheme}://..." for scheme in address.ENGINES)
            raise SettingsError(
                f"{PREFIX}INDEX={shown(index)}: a folder is expected, or an address of a "
                f"database: {schemes}."
            )
        if self.catalogue is None and self.index is None:
            object.__setattr__(self, "catalogue", DEMO)

    @property
    def float_precision(self) -> str:
        """The precision of networks that are not in 8 bits, and of those before they are."""
        return "auto" if self.precision == INT8 else self.precision

    @property
    def limits(self) -> ImageLimits:
        return ImageLimits(
            max_bytes=int(self.max_megabytes * 2**20), max_pixels=int(self.max_megapixels * 1e6)
        )

    @property
    def most_held(self) -> int:
        """``max_held_megabytes`` in bytes."""
        return int(self.max_held_megabytes * 2**20)

    @property
    def index_folder(self) -> Path | str:
        """Where the page's index lies: as set, perhaps in a database, or in the cache under the
        catalogue's name."""
        if self.index is not None:
            return self.index
        catalogue = self.catalogue or DEMO
        if isinstance(catalogue, Path):
            with suppress(OSError, RuntimeError):  # a link that leads back to itself: told later
                catalogue = catalogue.resolve()
        digest = hashlib.sha256(os.fsencode(catalogue)).hexdigest()[:8]
        name = re.sub(r"[^\w.-]", "-", PurePath(catalogue).stem)
        return self.cache / f"{name or 'catalogue'}-{digest}"

    @property
    def engines_folder(self) -> Path:
        return self.cache / "networks"


def _parse(variable: str, kind: str, text: str) -> Path | float | int | str | bool:
    if kind.startswith("Path"):
        if "str" in kind and is_address(text):
            return text
        try:
            return Path(text).expanduser()
        except RuntimeError as error:
            raise SettingsError(f"{variable}={text}: {error}") from error
    if kind == "bool":
        if text not in ("0", "1"):
            raise SettingsError(f"{variable}={text}: 0 or 1 is expected.")
        return text == "1"
    if kind == "int":
        if not (text.isascii() and text.isdecimal() and 0 < int(text) <= MOST_PORTS):
            raise SettingsError(f"{variable}={text}: a number from 1 to {MOST_PORTS} is expected.")
        return int(text)
    if kind != "float":
        return text
    with suppress(ValueError):
        if 0 < (number := float(text)) < math.inf:
            return number
    raise SettingsError(f"{variable}={text}: a number above 0 is expected.")
