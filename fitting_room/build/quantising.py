"""Whether a catalogue's networks compute in 8 bits, and the files that hold them.

The file of an index that is there is taken again, so that what it holds of the pictures stays of
use. A new one lies beside the index until that is built: a build that was stopped goes on with it.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fitting_room.catalogue.catalogue import Catalogue
from fitting_room.embedding import quantised
from fitting_room.embedding.backbone import Selection
from fitting_room.embedding.engine import EngineError
from fitting_room.imaging.decode import ImageLimits, ImageRejected, open_image
from fitting_room.imaging.preprocess import prepare
from fitting_room.imaging.trimming import trimmed
from fitting_room.index import manifest as names
from fitting_room.index.data import check_file, current_version
from fitting_room.index.manifest import IndexUnusable, Manifest, read_manifest
from fitting_room.util.files import beside
from fitting_room.util.identities import IN_8_BITS, plain_network
from fitting_room.util.progress import Listener, Stage, ignore

#: Networks whose precision@4 falls by less than 0.005 in 8 bits: ``benchmarks/precision.py``.
ACCEPTED = frozenset({"efficientnet_lite0"})
#: Pictures from which on ``auto`` makes a network of 8 bits: that takes as long as embedding some
#: thousands in 32.
WORTHWHILE_FROM = 10_000
#: Pictures that are tried at most, where some cannot be opened.
_TRIED = 2 * quantised.CALIBRATION_PICTURES


@dataclass(frozen=True, slots=True)
class Precision:
    """What is asked for, one of :data:`fitting_room.embedding.engine.PRECISIONS`, on an ``engine``,
    and where the ``cache`` of converted networks is."""

    wanted: str
    engine: str
    cache: Path | None


def in_8_bits(
    catalogue: Catalogue,
    network: Selection,
    of_head: Selection | None,
    folder: Path,
    precision: Precision,
    *,
    limits: ImageLimits,
    listener: Listener = ignore,
) -> tuple[Selection, Selection | None]:
    """The network of the index at ``folder`` and that of its head, if it brings one, in 8 bits
    where that is asked for, where the index that is there has them, or where ``auto`` finds it
    worthwhile. Raises ``BackboneError`` where one cannot be made, :class:`EngineError` where the
    engine has no 8 bits."""
    there = _there(folder)
    if (why := _why(precision, network, there, len(catalogue))) is None:
        return network, of_head
    if precision.engine not in ("auto", "openvino"):
        raise EngineError(
            f"In 8 bits OpenVINO computes, and the engine {precision.engine} does not. Take "
            "FITTING_ROOM_ENGINE=openvino, or another precision."
        )
    kept = {} if there is None else there[1]

    def made(name: str, selection: Selection) -> Selection:
        path = _same(kept.get(name), selection) or _same(_beside(folder) / name, selection)
        if path is None and precision.wanted == "auto" and quantised.lacks_nncf():
            return selection  # it was in 8 bits, and is lost; nobody asked for them in words
        if path is None:
            path = _beside(folder) / name
            pixels = _calibration(catalogue, selection, limits, listener)
            quantised.quantise(selection, pixels, path, precision.cache)
        file = quantised.file_of(path)
        return replace(selection, quantised=file, why=f"{selection.why}; {why}")

    of_head = None if of_head is None else made(names.HEAD_NETWORK, of_head)
    return made(names.NETWORK, network), of_head


def discard(folder: Path) -> None:
    """Remove the networks that waited beside the index at ``folder`` until it was built."""
    shutil.rmtree(_beside(folder), ignore_errors=True)


def _beside(folder: Path) -> Path:
    return beside(folder, "networks")


def _there(folder: Path) -> tuple[Manifest, dict[str, Path]] | None:
    """The manifest of the index that is there, and its sound files of 8 bits."""
    try:
        version = current_version(folder)
        manifest = read_manifest(folder, version / names.MANIFEST)
    except IndexUnusable:
        return None
    sound = {}
    for name in (names.NETWORK, names.HEAD_NETWORK):
        with suppress(IndexUnusable, KeyError):
            check_file(folder, version / name, manifest.files[name])
            sound[name] = version / name
    return manifest, sound


def _why(
    precision: Precision,
    network: Selection,
    there: tuple[Manifest, Mapping[str, Any]] | None,
    pictures: int,
) -> str | None:
    """Why 8 bits are taken, as the end of a sentence, or ``None`` where they are not."""
    if precision.wanted == quantised.INT8:
        return "in 8 bits, as asked for"
    if precision.wanted != "auto" or precision.engine not in ("auto", "openvino"):
        return None
    if there is not None and plain_network(there[0].identity) == network.identity:
        return "in 8 bits, as before" if IN_8_BITS in there[0].identity else None
    pays = (
        network.backbone.name in ACCEPTED
        and pictures >= WORTHWHILE_FROM
        and quantised.is_quick_in_int8()
        and quantised.lacks_nncf() is None
    )
    return "in 8 bits, in which this processor is quickest" if pays else None


def _same(path: Path | None, selection: Selection | None) -> Path | None:
    """The file, where it holds that network."""
    if path is None or selection is None or not path.is_file():
        return None
    return path if quantised.network_of(path) == selection.identity else None


def _calibration(
    catalogue: Catalogue, selection: Selection, limits: ImageLimits, listener: Listener
) -> np.ndarray:
    """Some hundred pictures of a catalogue as the network takes them, uint8 ``(n, H, W, 3)``, drawn
    at random and always the same. Raises :class:`EngineError` where none can be opened."""
    images = catalogue.items["image"].array
    order = np.random.default_rng(0).permutation(len(images))[:_TRIED]
    stage = Stage("Measuring ranges", quantised.CALIBRATION_PICTURES, "picture", listener)
    backbone, pixels = selection.backbone, []
    for item in order:
        with suppress(ImageRejected):
            name = str(images[item])
            data = catalogue.store.read(name, limits.max_bytes)
            image = open_image(data, name=name, limits=limits, side=backbone.working_side)
            pixels.append(prepare(trimmed(image), backbone.input_size))  # as it is embedded
            stage.advance()
        if len(pixels) == quantised.CALIBRATION_PICTURES:
            break
    if not pixels:
        raise EngineError(
            "No picture of the catalogue can be opened, so 8 bits cannot be measured."
        )
    return np.stack(pixels)
