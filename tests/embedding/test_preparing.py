"""Pictures that are opened and prepared in processes ahead of an accelerator."""

from __future__ import annotations

import dataclasses
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fitting_room.build.builder import build_index
from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.embedding import preparing
from fitting_room.embedding.backbones import Selection
from fitting_room.embedding.cuda_engine import CudaEngine
from fitting_room.embedding.embedder import PREPARED_TOGETHER, Embedder, Outcome
from fitting_room.embedding.preparing import Loaded, Preparer, PreparerEnded, Unopened
from fitting_room.imaging.decode import DEFAULT_LIMITS, ImageLimits, ImageRejected
from fitting_room.imaging.features import Features
from fitting_room.index.index import Index
from tests.conftest import DEMO
from tests.embedding.conftest import tiny_selection

#: Sources that go to a process together.
GROUP = 16
SMALL = ImageLimits(max_bytes=200_000, max_pixels=10_000)


def files() -> list[tuple[str, bytes]]:
    """Pictures of many kinds, and some that are refused: one after the other by who opens it."""
    with Image.open(DEMO / "images" / "10001.webp") as image:
        garment = image.convert("RGB")
    noise = np.random.default_rng(0).integers(0, 256, (90, 60, 3), np.uint8)
    turned, profile = Image.Exif(), Image.open(DEMO / "images" / "10002.webp").convert("RGB")
    turned[0x0112] = 6
    made = {
        "plain.jpg": (garment, "JPEG", {}),
        "turned.jpg": (garment, "JPEG", {"exif": turned}),
        "clear.png": (garment.convert("RGBA"), "PNG", {}),
        "grey.png": (garment.convert("L"), "PNG", {}),
        "photograph.jpg": (Image.fromarray(noise), "JPEG", {}),
        "white.png": (Image.new("RGB", (40, 40), "white"), "PNG", {}),
        "scans.jpg": (profile, "JPEG", {"progressive": True}),
    }
    found = []
    for name, (picture, kind, how) in made.items():
        file = io.BytesIO()
        picture.save(file, kind, **how)
        found.append((name, file.getvalue()))
    cut = found[0][1][:-40]
    return [*found, ("cut.jpg", cut), ("text.jpg", b"no picture"), ("empty.jpg", b"")]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Selection:
    return tiny_selection(tmp_path_factory.mktemp("ahead") / "tiny.pth", seed=1)


def card(selection: Selection, of_head: Embedder | None = None) -> Embedder:
    """An embedder as it is on a machine with a card, with small batches and two processes."""
    engine = CudaEngine(selection, device="cpu")
    engine.batch_size, engine.streams, engine.preparers = GROUP // PREPARED_TOGETHER, 1, 2
    return Embedder(selection, engine, of_head)


@pytest.fixture
def embedder(network: Selection, tmp_path: Path) -> Embedder:
    return card(network, card(tiny_selection(tmp_path / "other.pth", seed=2)))


def load(source: tuple[str, bytes]) -> Loaded:
    return Unopened(source[1], source[0], DEFAULT_LIMITS)


def opened_here(embedder: Embedder, sources: Sequence[tuple[str, bytes]]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for name, data in sources:
        try:
            image = embedder.open(data, name=name)
            outcomes.append(embedder.describe([image], views=True)[0])
        except ImageRejected as rejected:
            outcomes.append(rejected)
    return outcomes


def assert_same(first: Outcome, second: Outcome) -> None:
    if isinstance(second, ImageRejected):
        assert isinstance(first, ImageRejected)
        assert str(first) == str(second)
        return
    assert isinstance(first, Features)
    assert isinstance(second, Features)
    for field in dataclasses.fields(Features):
        one, other = getattr(first, field.name), getattr(second, field.name)
        if field.name == "descriptors" or not isinstance(other, np.ndarray):
            np.testing.assert_array_equal(one, other, field.name)
        else:
            np.testing.assert_allclose(one, other, atol=1e-5, err_msg=field.name)


def test_a_picture_has_the_same_features_in_a_process_as_here(embedder: Embedder) -> None:
    """Also as a query, one by one: colours, orientations, cuts of photographs, notes, refusals."""
    sources = files() * 2
    found = list(embedder.stream(sources, load, views=True))
    assert [source for source, _ in found] == sources
    wanted = opened_here(embedder, sources)
    for (_, outcome), other in zip(found, wanted, strict=True):
        assert_same(outcome, other)
    assert any(isinstance(o, Features) and len(o.embeddings) > 1 for o in wanted)
    assert any(isinstance(o, Features) and o.note for o in wanted)


def test_limits_go_with_a_file(embedder: Embedder) -> None:
    data = files()[0][1]
    sources = [DEFAULT_LIMITS, SMALL] * 8
    outcomes = [o for _, o in embedder.stream(sources, lambda s: Unopened(data, "one", s))]
    assert [isinstance(o, Features) for o in outcomes] == [True, False] * 8
    assert "0.01 megapixels" in str(outcomes[1])


def test_pictures_refusals_and_nothing_may_be_among_the_files(embedder: Embedder) -> None:
    data = files()[0][1]

    def mixed(number: int) -> Loaded:
        if number % 4 == 0:
            raise ImageRejected("not this one", name=str(number))
        if number % 4 == 1:
            return None
        return embedder.open(data) if number % 4 == 2 else Unopened(data, None, DEFAULT_LIMITS)

    outcomes = [outcome for _, outcome in embedder.stream(range(16), mixed)]
    for number in range(0, 16, 4):
        assert str(outcomes[number]) == f"{number}: not this one"
        assert outcomes[number + 1] is None
        assert_same(outcomes[number + 2], outcomes[number + 3])


def test_a_few_files_and_pictures_that_are_open_start_no_process(
    embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "Preparer", None)
    assert len(list(embedder.stream(files(), load))) == 10
    picture = embedder.open(files()[0][1])
    assert len(list(embedder.stream(range(40), lambda _: picture))) == 40


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Preparer]]:
    """The processes that a test started. None is left over."""
    every: list[Preparer] = []
    unchanged = Preparer.__init__

    def remember(self: Preparer, hello: dict[str, object]) -> None:
        every.append(self)
        unchanged(self, hello)

    monkeypatch.setattr(Preparer, "__init__", remember)
    yield every
    assert all(preparer.process.returncode is not None for preparer in every)


def test_leaving_early_ends_the_processes(embedder: Embedder, started: list[Preparer]) -> None:
    stream = embedder.stream(files() * 10, load)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert 1 <= len(started) <= 2


def test_an_error_of_the_loader_reaches_the_consumer(
    embedder: Embedder, started: list[Preparer]
) -> None:
    def broken(number: int) -> Loaded:
        if number == 20:
            raise PermissionError("number 20")
        return Unopened(files()[0][1], None, DEFAULT_LIMITS)

    with pytest.raises(PermissionError, match="number 20"):
        list(embedder.stream(range(32), broken))
    assert started


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
def test_a_file_that_brings_a_process_down_is_rejected_alone(
    embedder: Embedder, started: list[Preparer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file at hand does: the process is killed when it is given that one."""
    unchanged = Preparer.take

    def take(self: Preparer, picture: Unopened) -> None:
        if picture.name == "text.jpg":
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
        unchanged(self, picture)

    monkeypatch.setattr(Preparer, "take", take)
    sources = (files() * 2)[:16]
    outcomes = [outcome for _, outcome in embedder.stream(sources, load, views=True)]
    wanted = opened_here(embedder, sources)
    assert str(outcomes[8]).startswith("text.jpg: The picture is damaged")
    for number in (*range(8), *range(9, 16)):
        assert_same(outcomes[number], wanted[number])


def test_a_process_that_does_not_start_is_an_error_and_no_refusal(
    embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    with pytest.raises(OSError, match="does not start"):
        list(embedder.stream((files() * 2)[:16], load))


def test_who_has_ended_says_so(network: Selection) -> None:
    preparer = Preparer({"sizes": [list(network.backbone.input_size)], "views": False})
    preparer.end()
    with pytest.raises(PreparerEnded):
        preparer.answer()


def test_an_index_is_the_same_with_a_card_as_without(
    network: Selection, tmp_path: Path, started: list[Preparer]
) -> None:
    shop = tmp_path / "shop"
    (shop / "images").mkdir(parents=True)
    rows = ["id,productDisplayName"]
    for number in range(20):
        data = (DEMO / "images" / f"{10_001 + number}.webp").read_bytes()
        (shop / "images" / f"{number}.webp").write_bytes(data)
        rows.append(f"{number},Item {number}")
    (shop / "styles.csv").write_text("\n".join(rows) + "\n", "utf-8")
    with_card, without = card(network), card(network)
    without.engine.batch_size = 64  # no batch is full
    for name, of_build in (("with", with_card), ("without", without)):
        build_index(load_catalogue(shop), of_build, tmp_path / name, limits=DEFAULT_LIMITS)
    first, second = (Index.open(tmp_path / name) for name in ("with", "without"))
    assert started
    assert first.items["id"].tolist() == second.items["id"].tolist()
    assert first.manifest.identity == second.manifest.identity
    np.testing.assert_array_equal(first.descriptors, second.descriptors)
    np.testing.assert_allclose(first.vectors, second.vectors, atol=1e-5)
    assert not [t for t in threading.enumerate() if t.name.startswith("embed")]
