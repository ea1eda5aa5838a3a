"""Which networks are at hand on this machine, and what is known of each without making it."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fitting_room.embedding import families
from fitting_room.embedding.backbone import Selection
from fitting_room.embedding.backbones import backbone_names, get_backbone, select
from fitting_room.embedding.engine import EngineError, make_engine
from fitting_room.embedding.open_clip_networks import HUB_CONFIG
from fitting_room.embedding.weights import BackboneError, lacks_torch, missing_module

#: A network is measured for so many seconds, and with so many pictures at most, after its first.
SECONDS, MOST_PICTURES = 1.0, 50
#: Repositories of a hub's cache that are looked at.
MOST_REPOSITORIES = 500


@dataclass(frozen=True, slots=True)
class NetworkAtHand:
    """A network, its weights' file where that is on this machine, and what it takes: ``bytes`` of
    the file, ``milliseconds`` a picture, one at a time. ``why_not`` says what it lacks."""

    name: str
    dimension: int | None = None
    input_size: tuple[int, int] | None = None
    reads_words: bool = False
    weights: Path | None = None
    sha256: str | None = None
    bytes: int | None = None
    parameters: int | None = None
    milliseconds: float | None = None
    why_not: str | None = None


def networks_at_hand(names: list[str] | None = None) -> list[str]:
    """The names of the networks of the registry, and of those of libraries whose weights are in
    the hub's cache."""
    return names or [*backbone_names(), *_in_hub_cache()]


def look_at(
    name: str, weights: str | None = None, *, cache: Path | None = None, timed: bool = False
) -> NetworkAtHand:
    """What is known of a network; ``timed`` also runs it, its conversion kept in ``cache``. Nothing
    is downloaded. A network that cannot be had says why."""
    try:
        backbone = get_backbone(name, timeout=0)
    except BackboneError as error:
        return NetworkAtHand(name, why_not=str(error))
    seen = NetworkAtHand(name, backbone.dimension, backbone.input_size, backbone.reads_words)
    try:
        here = next((source.name for source in backbone.weights if source.find()), None)
        if weights is None and here is None:
            return replace(seen, why_not="weights not here")
        selection = select(name, weights or here, timeout=0)
        path = backbone.find(selection.weights)
        seen = replace(
            seen, weights=path, sha256=selection.weights.sha256, bytes=path.stat().st_size
        )
        return replace(seen, **_measured(selection, cache)) if timed else seen
    except (BackboneError, EngineError, OSError) as error:
        return replace(seen, why_not=str(error))


def _measured(selection: Selection, cache: Path | None) -> dict[str, Any]:
    """How many numbers the network has, and the median time that a picture takes."""
    engine = make_engine(selection, cache=cache)
    picture = np.random.default_rng(0).integers(
        0, 256, (1, *selection.backbone.input_size, 3), dtype=np.uint8
    )
    engine(picture)
    seconds: list[float] = []
    until = time.perf_counter() + SECONDS
    while len(seconds) < MOST_PICTURES and (time.perf_counter() < until or not seconds):
        started = time.perf_counter()
        engine(picture)
        seconds.append(time.perf_counter() - started)
    module = selection.backbone.module(selection.weights)
    parameters = sum(one.numel() for one in module.parameters())
    return {"milliseconds": 1000 * statistics.median(seconds), "parameters": parameters}


def _in_hub_cache() -> list[str]:
    """Networks of timm and open_clip with weights in the hub's cache, by looking at its folders
    alone."""
    if lacks_torch() or missing_module("huggingface_hub"):
        return []
    from huggingface_hub import constants

    folders = sorted(Path(constants.HF_HUB_CACHE).glob("models--*--*"))[:MOST_REPOSITORIES]
    names = [folder.name.removeprefix("models--") for folder in folders]
    repositories = [name.replace("--", "/", 1) for name in names]
    of_clip = _clip_repositories()
    found: list[str] = []
    for folder, repository in zip(folders, repositories, strict=True):
        files = {path.name for path in folder.glob("snapshots/*/*")}
        if tags := of_clip.get(repository):
            found += tags
        elif HUB_CONFIG in files:
            found.append(f"open_clip:hf-hub:{repository}")
        elif "config.json" in files and not repository.startswith("timm/"):
            found.append(f"timm:hf-hub:{repository}")
        elif repository.startswith("timm/"):
            found.append(f"timm:{repository.removeprefix('timm/')}")
    return [name for name in found if _is_at_hand(name)]


def _is_at_hand(name: str) -> bool:
    """Whether a library knows a network and its weights are here: a hub's cache holds much else."""
    try:
        return families.is_of_library(name) and families.weights_of(name).find() is not None
    except BackboneError:
        return False


def _clip_repositories() -> dict[str, list[str]]:
    """The names of open_clip's published weights by the repository that holds them."""
    if missing_module("open_clip"):
        return {}
    import open_clip

    found: dict[str, list[str]] = {}
    for model, tag in open_clip.list_pretrained():
        place = str((open_clip.get_pretrained_cfg(model, tag) or {}).get("hf_hub", ""))
        found.setdefault(place.rpartition("/")[0], []).append(f"open_clip:{model}/{tag}")
    return found
