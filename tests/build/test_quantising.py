"""Networks in 8 bits: made with the catalogue's pictures, carried by its index."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fitting_room.build import quantising
from fitting_room.build.quantising import Precision, in_8_bits
from fitting_room.build.sample import write_sample
from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.cluster.networks import send
from fitting_room.embedding import converted, quantised
from fitting_room.embedding.backbone import Selection
from fitting_room.embedding.backbones import select
from fitting_room.embedding.embedder import Embedder
from fitting_room.embedding.engine import EngineError
from fitting_room.embedding.weights import BackboneError
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageLimits
from fitting_room.imaging.preprocess import prepare
from fitting_room.index.index import Index
from fitting_room.index.manifest import HEAD_NETWORK, NETWORK, IndexUnusable
from fitting_room.settings import Settings
from tests.conftest import write_items
from tests.imaging.garments import framed, shirt

pytest.importorskip("nncf")

SIZE = (64, 48)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> FittingRoom:
    """An index in 8 bits, whose head, the packaged one, brings a network of its own: it sees
    larger pictures."""
    folder = tmp_path_factory.mktemp("int8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quantised, "CALIBRATION_PICTURES", 6)
        return build(write_items(folder / "shop"), folder / "index", settings)


@pytest.fixture
def index(built: FittingRoom, tmp_path: Path) -> Path:
    """A copy of that index, to change."""
    shutil.copytree(built.index.folder, tmp_path / "index")
    return tmp_path / "index"


@pytest.fixture
def catalogue(built: FittingRoom) -> Path:
    return Path(built.catalogue_location)


def build(catalogue: Path, index: Path, settings: Settings, **options: Any) -> FittingRoom:
    settings = replace(settings, precision=options.pop("precision", "int8"))
    options = {"backbone": "efficientnet_lite0", "input_size": SIZE} | options
    return FittingRoom.build(catalogue, index, settings=settings, **options)


@pytest.fixture
def _without_nncf(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that can read such networks and make none."""
    monkeypatch.setattr(quantised, "missing_module", lambda name: name == "nncf")


@pytest.fixture
def _without_float_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        pytest.fail("the network in 32 bits was asked for")

    monkeypatch.setattr(converted, "load", refuse)


@pytest.fixture
def copied(built: FittingRoom, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The networks that are made are copies of those of the index, which are quicker to have;
    names those that were."""
    made = []

    def copy(_: object, pixels: np.ndarray, path: Path, __: object) -> None:
        assert len(pixels) == 2
        made.append(path.name)
        path.parent.mkdir(exist_ok=True)
        shutil.copy(built.index.data.version / path.name, path)

    monkeypatch.setattr(quantised, "CALIBRATION_PICTURES", 2)
    monkeypatch.setattr(quantised, "quantise", copy)
    return made


def first_found(fitting_room: FittingRoom, item: int) -> str:
    picture = fitting_room.picture(str(fitting_room.index.items["image"].iloc[item]))
    return fitting_room.search(picture, n=1)[0].id


@pytest.mark.usefixtures("_without_nncf", "_without_float_networks")
def test_an_index_carries_its_networks_and_is_searched_with_nothing_else(
    index: Path, settings: Settings, tmp_path: Path
) -> None:
    fitting_room = FittingRoom.open(index, replace(settings, cache=tmp_path / "empty"))
    assert {NETWORK, HEAD_NETWORK} <= set(fitting_room.index.manifest.files)
    assert fitting_room.embedder.engine.name == "openvino int8"
    assert fitting_room.embedder.of_head is not None
    assert fitting_room.embedder.of_head.engine.name == "openvino int8"
    for item in (0, 3):
        assert first_found(fitting_room, item) == fitting_room.index.items["id"].iloc[item]
    assert fitting_room.convert(index, settings) == []


def test_8_bits_say_nearly_the_same_as_32(built: FittingRoom, settings: Settings) -> None:
    images = [built.open_picture(built.picture(str(n))) for n in built.index.items["image"][:6]]
    exact = Embedder.load(
        "efficientnet_lite0", input_size=SIZE, precision="f32", cache=settings.engines_folder
    )
    cosines = (built.embedder.embed(images) * exact.embed(images)).sum(axis=1)
    assert cosines.min() > 0.9
    assert cosines.max() < 0.9999999  # or nothing was quantised


def test_items_lie_where_the_head_sees_them_with_its_own_network(built: FittingRoom) -> None:
    index = built.index
    assert index.head is not None and index.head_vectors is not None and index.trained is not None
    expected = index.head.project_items(index.head_vectors[:], index.descriptors[:], index.items)
    np.testing.assert_allclose(index.trained[:], expected, atol=0.01)


def test_an_explanation_and_single_pictures_are_of_the_same_network(built: FittingRoom) -> None:
    images = [built.open_picture(built.picture(str(n))) for n in built.index.items["image"][:5]]
    together = built.embedder.embed(images)
    alone = np.concatenate([built.embedder.embed([image]) for image in images])
    np.testing.assert_allclose(together, alone, atol=0.02)
    maps = built.embedder.feature_maps(images[:1])
    mean = maps.mean(axis=(1, 2))
    mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    assert float((mean * together[:1]).sum()) > 0.99


@pytest.mark.usefixtures("_without_nncf")
@pytest.mark.parametrize("precision", ["int8", "auto"])
def test_a_build_takes_the_networks_of_the_index_that_is_there(
    index: Path, catalogue: Path, settings: Settings, precision: str
) -> None:
    before = Index.open(index).identity
    again = build(catalogue, index, settings, precision=precision)
    assert again.summary is not None
    assert again.summary.reused == again.summary.pictures
    assert again.index.identity == before
    assert first_found(again, 1) == again.index.items["id"].iloc[1]


def test_another_precision_embeds_anew(index: Path, catalogue: Path, settings: Settings) -> None:
    again = build(catalogue, index, settings, precision="f32")
    assert again.summary is not None
    assert again.summary.reused == 0
    assert not {NETWORK, HEAD_NETWORK} & set(again.index.manifest.files)
    kept = build(catalogue, index, settings, precision="auto")
    assert kept.index.identity == again.index.identity


@pytest.mark.usefixtures("_without_nncf")
def test_without_nncf_nothing_is_made_and_the_extra_is_named(
    catalogue: Path, tmp_path: Path, settings: Settings
) -> None:
    with pytest.raises(BackboneError, match=r"pip install 'fitting-room\[int8\]'"):
        build(catalogue, tmp_path / "index", settings)
    assert not (tmp_path / "index").exists()


def test_a_build_that_was_stopped_goes_on_with_its_network(
    catalogue: Path, tmp_path: Path, settings: Settings, copied: list[str]
) -> None:
    stream, index = Embedder.stream, tmp_path / "index"

    def stopped(*arguments: Any, **options: Any) -> Any:
        yield next(iter(stream(*arguments, **options)))
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Embedder, "stream", stopped)
        with pytest.raises(KeyboardInterrupt):
            build(catalogue, index, settings, head="none")
    done = build(catalogue, index, settings, head="none")
    assert copied == [NETWORK]
    assert done.summary is not None
    assert done.summary.reused == 1
    assert [path.name for path in tmp_path.iterdir() if "networks" in path.name] == []


def test_a_changed_index_keeps_its_networks(
    index: Path, settings: Settings, tmp_path: Path
) -> None:
    opened = FittingRoom.open(index, settings)
    picture = tmp_path / "new.jpg"
    picture.write_bytes(opened.picture(str(opened.index.items["image"].iloc[0])))
    added = opened.add([picture], ids=["new"])
    removed = added.remove([str(opened.index.items["id"].iloc[1])])
    assert removed.index.identity == opened.index.identity
    removed.index.verify()
    sample = write_sample(removed.index, tmp_path / "sample", 3)
    assert {NETWORK, HEAD_NETWORK} <= set(sample.manifest.files)
    assert FittingRoom.open(tmp_path / "sample", settings).embedder.engine.name == "openvino int8"


@pytest.mark.parametrize("name", [NETWORK, HEAD_NETWORK])
def test_damage_is_told_and_repaired(
    index: Path, catalogue: Path, settings: Settings, name: str, copied: list[str]
) -> None:
    path = Index.open(index).data.version / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(IndexUnusable, match=name):
        FittingRoom.open(index, settings)
    again = build(catalogue, index, settings)
    assert copied == [name]
    again.index.verify()
    assert again.summary is not None
    assert again.summary.damaged == (name,)


@pytest.mark.usefixtures("_without_nncf")
def test_a_network_that_is_lost_is_not_missed_where_nobody_asked_for_it(
    index: Path, catalogue: Path, settings: Settings
) -> None:
    (Index.open(index).data.version / NETWORK).write_bytes(b"")
    again = build(catalogue, index, settings, precision="auto", head="none")
    assert NETWORK not in again.index.manifest.files
    assert again.summary is not None
    assert again.summary.reused == 0


@pytest.mark.parametrize("content", [b"", b"{}", b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_file_that_is_no_network_is_refused(tmp_path: Path, content: bytes) -> None:
    import openvino

    path = tmp_path / "network.safetensors"
    path.write_bytes(content)
    assert quantised.network_of(path) is None
    file = quantised.file_of(path)
    selection = replace(select("efficientnet_lite0"), quantised=file)
    with pytest.raises(BackboneError, match=r"network\.safetensors.*Build the index again"):
        quantised.load(selection, openvino.Core())


def test_a_network_that_would_take_all_memory_is_refused(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes right checksums, too, gets no more memory than a network takes."""
    import openvino
    from openvino import opset13
    from safetensors.numpy import save_file

    path = Index.open(index).data.version / NETWORK
    identity = quantised.network_of(path)
    pixels = opset13.parameter([-1, *SIZE, 3], np.uint8)
    mean = opset13.reduce_mean(opset13.convert(pixels, np.float32), [1, 2, 3], keep_dims=True)
    large = opset13.broadcast(mean, np.array([1, 2**20, 2**10, 1]), broadcast_spec="BIDIRECTIONAL")
    flat = opset13.reduce_mean(large, [1, 2], keep_dims=False)
    answer = opset13.tile(flat, np.array([1, 1280]))
    model = openvino.Model([answer], [pixels], "greedy")
    metadata = {"format": "fitting-room-int8 1", "network": json.dumps(identity)}
    save_file(quantised._written(model, path.parent), path, metadata)
    selection = replace(
        select("efficientnet_lite0", input_size=SIZE), quantised=quantised.file_of(path)
    )
    with pytest.raises(BackboneError, match="more memory"):
        quantised.load(selection, openvino.Core())


def test_another_networks_file_is_refused(built: FittingRoom) -> None:
    import openvino

    other = quantised.file_of(built.index.data.version / HEAD_NETWORK)
    selection = replace(built.embedder.selection, quantised=other)
    with pytest.raises(BackboneError, match="another network"):
        quantised.load(selection, openvino.Core())


def test_only_openvino_computes_in_8_bits(
    index: Path, catalogue: Path, settings: Settings, tmp_path: Path
) -> None:
    with_torch = replace(settings, engine="torch")
    with pytest.raises(EngineError, match="FITTING_ROOM_ENGINE=openvino"):
        FittingRoom.open(index, with_torch).embedder  # noqa: B018
    with pytest.raises(EngineError, match="FITTING_ROOM_ENGINE=openvino"):
        build(catalogue, tmp_path / "other", with_torch)


@pytest.mark.parametrize(
    ("changes", "taken"),
    [
        ({}, True),
        ({"quick": False}, False),
        ({"missing": True}, False),
        ({"most": 100}, False),
        ({"name": "efficientnet_lite2"}, False),
        ({"wanted": "bf16"}, False),
        ({"engine": "torch"}, False),
    ],
    ids=str,
)
def test_auto_takes_8_bits_where_they_pay(
    changes: dict[str, Any],
    taken: bool,
    catalogue: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def write(selection: Selection, pixels: np.ndarray, path: Path, cache: object) -> None:
        assert pixels.shape[1:] == (*selection.backbone.input_size, 3)
        path.parent.mkdir()
        path.write_bytes(b"a network")

    values = {"quick": True, "missing": False, "most": 1, "name": "efficientnet_lite0"} | changes
    monkeypatch.setattr(quantised, "is_quick_in_int8", lambda: values["quick"])
    monkeypatch.setattr(quantised, "missing_module", lambda _: values["missing"])
    monkeypatch.setattr(quantising, "WORTHWHILE_FROM", values["most"])
    monkeypatch.setattr(quantised, "quantise", write)
    precision = Precision(values.get("wanted", "auto"), values.get("engine", "auto"), None)
    selection = select(values["name"], input_size=SIZE)
    loaded = load_catalogue(catalogue)
    folder = tmp_path / "index"
    chosen, of_head = in_8_bits(loaded, selection, None, folder, precision, limits=ImageLimits())
    assert of_head is None
    assert (chosen.quantised is not None) == taken
    assert ("in 8 bits" in chosen.why) == taken


def test_ranges_are_measured_on_pictures_without_their_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As they are embedded."""
    inside = shirt("teal", "beige")
    (tmp_path / "shop").mkdir()
    framed(inside, 20, "black").save(tmp_path / "shop" / "1.png")
    measured: list[np.ndarray] = []

    def write(_: object, pixels: np.ndarray, path: Path, __: object) -> None:
        measured.append(pixels)
        path.parent.mkdir()
        path.write_bytes(b"a network")

    monkeypatch.setattr(quantised, "quantise", write)
    selection = select("efficientnet_lite0", input_size=SIZE)
    loaded = load_catalogue(tmp_path / "shop")
    wanted = Precision("int8", "auto", None)
    in_8_bits(loaded, selection, None, tmp_path / "index", wanted, limits=ImageLimits())
    off = measured[0][0].astype(float) - prepare(inside, SIZE)
    assert np.abs(off).mean() < 8  # edges are softer, as it was made smaller while it was opened


def test_instructions_that_are_switched_off_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "model name: x\nflags\t: avx2 avx_vnni")
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    assert quantised.is_quick_in_int8()
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert not quantised.is_quick_in_int8()
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_VNNI")
    assert quantised.is_quick_in_int8()
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA")
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "flags\t: avx2 fma")
    assert not quantised.is_quick_in_int8()


@pytest.mark.usefixtures("_without_nncf", "_without_float_networks")
def test_workers_of_a_cluster_get_the_same_networks(
    index: Path, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SimpleNamespace(put=lambda value: value, get=lambda reference: reference)
    monkeypatch.setitem(sys.modules, "ray", store)
    opened = FittingRoom.open(index, settings)
    elsewhere = replace(settings, cache=tmp_path / "worker")
    sent = send(opened.embedder, elsewhere)
    shutil.rmtree(index)
    for _ in range(2):  # another worker of the machine finds the files there
        embedder = sent.load()
        assert embedder.selection.identity == opened.index.identity
        assert embedder.head_network == opened.index.manifest.head_network
        assert embedder.engine.name == "openvino int8"
