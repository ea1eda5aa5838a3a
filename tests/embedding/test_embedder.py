"""Pictures -> unit vectors, one by one and as an endless stream."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fitting_room.embedding.embedder import PREPARED_TOGETHER, Embedder
from fitting_room.embedding.engine import EngineError
from fitting_room.embedding.weights import BackboneError
from fitting_room.imaging.decode import ImageRejected, open_image
from fitting_room.imaging.features import Features, normalise
from fitting_room.imaging.preprocess import prepare, prepare_all
from fitting_room.settings import Settings
from tests.conftest import COLOURS, DEMO

MANY = 1_000
#: What may be read ahead of the consumer at most. How much it is, is the embedder's own affair;
#: that it does not grow with the stream is not.
READ_AHEAD = 80


def coloured(number: int) -> Image.Image:
    return Image.new("RGB", (12, 16), (number % 256, number // 4 % 256, 7 * number % 256))


def threads_of_embedders() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("embed")]


# --- embed ----------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3, 4, 5, 13])
def test_embeddings_are_float32_rows_of_length_one(embedder: Embedder, count: int) -> None:
    vectors = embedder.embed([coloured(i) for i in range(count)])
    assert vectors.dtype == np.float32
    assert vectors.shape == (count, 4)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_no_pictures_give_no_rows_of_the_right_width(embedder: Embedder) -> None:
    vectors = embedder.embed([])
    assert vectors.shape == (0, 4)
    assert vectors.dtype == np.float32


def test_rows_are_in_the_order_of_the_pictures(embedder: Embedder) -> None:
    pictures = [Image.new("RGB", (12, 16), colour) for colour in COLOURS]
    together = embedder.embed(pictures)
    for row, picture in zip(together, pictures, strict=True):
        np.testing.assert_allclose(row, embedder.embed([picture])[0], atol=1e-6)


def test_the_packaged_network_tells_garments_apart(settings: Settings) -> None:
    embedder = Embedder.load("efficientnet_lite0", cache=settings.engines_folder)
    pictures = [open_image(DEMO / "images" / f"{i}.jpg") for i in range(10001, 10011)]
    vectors = embedder.embed(pictures)
    assert vectors.shape == (10, 1280)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    cosines = vectors @ vectors.T
    np.testing.assert_allclose(np.diag(cosines), 1, atol=1e-5)
    assert (cosines[~np.eye(10, dtype=bool)] < 0.98).all()


def test_load_passes_on_what_cannot_be_had() -> None:
    with pytest.raises(BackboneError):
        Embedder.load("resnet51")
    with pytest.raises(EngineError):
        Embedder.load("efficientnet_lite0", engine="tensorrt")


# --- stream ---------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 4, 5, 100])
def test_a_stream_embeds_what_embed_embeds_in_order(embedder: Embedder, count: int) -> None:
    numbers, outcomes = [], []
    for number, outcome in embedder.stream(range(count), coloured):
        numbers.append(number)
        assert isinstance(outcome, Features)
        outcomes.append(outcome.embeddings)
    assert numbers == list(range(count))
    expected = embedder.embed([coloured(i) for i in range(count)])
    np.testing.assert_allclose(np.reshape(outcomes, (count, 4)), expected, atol=1e-6)


def test_a_stream_keeps_its_order_when_a_later_picture_is_ready_first(embedder: Embedder) -> None:
    later_is_ready = threading.Event()

    def load(number: int) -> Image.Image:
        if number == 0:
            assert later_is_ready.wait(20)
        if number == PREPARED_TOGETHER * embedder.engine.batch_size:
            later_is_ready.set()
        return coloured(number)

    found = [number for number, _ in embedder.stream(range(20), load)]
    assert found == list(range(20))


def test_a_rejected_picture_is_its_own_outcome_and_the_stream_goes_on(embedder: Embedder) -> None:
    def load(number: int) -> Image.Image:
        if number % 3 == 1:
            raise ImageRejected(f"number {number} is bad")
        return coloured(number)

    found = dict(embedder.stream(range(20), load))
    assert len(found) == 20
    for number, outcome in found.items():
        if number % 3 == 1:
            assert isinstance(outcome, ImageRejected)
            assert outcome.reason == f"number {number} is bad"
        else:
            expected = embedder.embed([coloured(number)])[0]
            assert isinstance(outcome, Features)
            np.testing.assert_allclose(outcome.embeddings[0], expected, atol=1e-6)


def test_what_has_nothing_to_embed_is_none_and_costs_the_network_nothing(
    embedder: Embedder,
) -> None:
    found = dict(embedder.stream(range(12), lambda n: coloured(n) if n in (2, 9) else None))
    assert [n for n, outcome in found.items() if outcome is not None] == [2, 9]
    assert embedder.engine.seen == 2  # type: ignore[attr-defined]


def counted(count: int, taken: list[int]) -> Iterator[int]:
    for number in range(count):
        taken.append(number)
        yield number


def test_a_stream_reads_ahead_no_further_than_a_few_batches(embedder: Embedder) -> None:
    taken: list[int] = []
    for consumed, _ in enumerate(embedder.stream(counted(MANY, taken), coloured), 1):
        assert len(taken) - consumed <= READ_AHEAD
    assert len(taken) == MANY


@pytest.mark.parametrize("leave", ["close", "exception"])
def test_leaving_a_stream_early_stops_the_work(embedder: Embedder, leave: str) -> None:
    taken: list[int] = []
    loaded: list[int] = []

    def load(number: int) -> Image.Image:
        loaded.append(number)
        return coloured(number)

    stream = embedder.stream(counted(MANY, taken), load)
    next(stream)
    if leave == "close":
        stream.close()  # type: ignore[attr-defined]
    else:
        with pytest.raises(KeyboardInterrupt):
            stream.throw(KeyboardInterrupt)  # type: ignore[attr-defined]
    assert threads_of_embedders() == []
    assert len(loaded) <= len(taken) <= READ_AHEAD


def test_another_error_of_the_loader_reaches_the_consumer(embedder: Embedder) -> None:
    def load(number: int) -> Image.Image:
        if number == 30:
            raise PermissionError("number 30")
        return coloured(number)

    found = []
    with pytest.raises(PermissionError, match="number 30"):
        for number, _ in embedder.stream(range(MANY), load):
            found.append(number)
    assert found == list(range(len(found)))
    assert len(found) <= 30
    assert threads_of_embedders() == []


def test_an_error_of_the_source_reaches_the_consumer(embedder: Embedder) -> None:
    def source() -> Iterator[int]:
        yield from range(6)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(embedder.stream(source(), coloured))
    assert threads_of_embedders() == []


def test_one_embedder_serves_several_streams_at_once(embedder: Embedder) -> None:
    first = embedder.stream(range(0, 40), coloured)
    second = embedder.stream(range(100, 140), coloured)
    pairs = list(zip(first, second, strict=True))
    assert [(a, b) for (a, _), (b, _) in pairs] == [(i, i + 100) for i in range(40)]
    for (a, outcome), _ in pairs:
        assert isinstance(outcome, Features)
        expected = embedder.embed([coloured(a)])
        np.testing.assert_allclose(outcome.embeddings, expected, atol=1e-6)


# --- the way to the network's input -----------------------------------------------------------


@pytest.mark.parametrize("size", [(60, 80), (240, 320), (168, 224), (3000, 4000)])
def test_a_product_photograph_fills_the_input(size: tuple[int, int]) -> None:
    pixels = prepare(Image.new("RGB", size, (200, 30, 40)), (224, 168))
    assert pixels.shape == (224, 168, 3)
    assert pixels.dtype == np.uint8
    assert (pixels == (200, 30, 40)).all()


def test_a_wide_picture_is_laid_on_white_above_and_below() -> None:
    pixels = prepare(Image.new("RGB", (160, 40), "red"), (120, 80))
    # 160 x 40 keeps its proportions as 80 x 20.
    assert (pixels[50:70] == (255, 0, 0)).all()
    assert (pixels[:50] == 255).all()
    assert (pixels[70:] == 255).all()


def test_a_tall_picture_is_laid_on_white_at_both_sides() -> None:
    pixels = prepare(Image.new("RGB", (20, 120), "red"), (120, 80))
    assert (pixels[:, 30:50] == (255, 0, 0)).all()
    assert (pixels[:, :30] == 255).all()
    assert (pixels[:, 50:] == 255).all()


@pytest.mark.parametrize("size", [(300, 300), (400, 100), (100, 400), (300, 400)])
def test_nothing_is_cut_off(size: tuple[int, int]) -> None:
    """Whatever lies at the four edges of a picture is still there."""
    width, height = size
    picture = Image.new("RGB", size, "black")
    edge = 20
    picture.paste((255, 0, 0), (0, 0, width, edge))
    picture.paste((0, 255, 0), (0, height - edge, width, height))
    picture.paste((0, 0, 255), (0, edge, edge, height - edge))
    picture.paste((255, 255, 0), (width - edge, edge, width, height - edge))
    pixels = prepare(picture, (224, 168)).astype(int)
    for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)):
        assert (np.abs(pixels - colour).sum(axis=2) < 30).any(), colour


def test_a_circle_stays_round() -> None:
    x, y = np.meshgrid(np.arange(400), np.arange(200))
    circle = ((x - 200) ** 2 + (y - 100) ** 2 < 80**2)[:, :, None] * np.array([255, 0, 0])
    pixels = prepare(Image.fromarray(circle.astype(np.uint8)), (224, 168)).astype(int)
    inside = (pixels[:, :, 0] > 128) & (pixels[:, :, 1] < 128)
    assert abs(int(inside.any(axis=0).sum()) - int(inside.any(axis=1).sum())) <= 1


@pytest.mark.parametrize("size", [(8, 4000), (4000, 8)])
def test_a_strip_is_still_a_picture(size: tuple[int, int]) -> None:
    """Such a picture passes all limits; at the input's scale it is less than a pixel thin."""
    pixels = prepare(Image.new("RGB", size, "red"), (224, 168))
    assert pixels.shape == (224, 168, 3)
    assert (pixels != 255).any()


def test_every_network_gets_its_own_size(embedder: Embedder) -> None:
    shapes = []

    class Engine:
        name, batch_size, streams = "shapes", 4, 1

        def __call__(self, pixels: np.ndarray) -> np.ndarray:
            shapes.append(pixels.shape)
            return np.ones((len(pixels), 4), np.float32)

    selection = embedder.selection
    other = replace(selection, backbone=replace(selection.backbone, input_size=(20, 30)))
    Embedder(other, Engine()).embed([coloured(0)])
    assert shapes == [(1, 20, 30, 3)]


# --- normalise ------------------------------------------------------------------------------


def test_rows_get_length_one_and_keep_their_direction() -> None:
    vectors = normalise(np.array([[3.0, 4.0], [0.0, -1e-3], [1e10, 0.0]]))
    np.testing.assert_allclose(vectors, [[0.6, 0.8], [0, -1], [1, 0]], atol=1e-6)
    assert vectors.dtype == np.float32


def test_a_row_of_zeros_stays_zero() -> None:
    vectors = normalise(np.array([[0.0, 0.0], [1.0, 0.0]]))
    np.testing.assert_array_equal(vectors, [[0, 0], [1, 0]])


def test_normalising_does_not_change_its_input() -> None:
    given = np.array([[3.0, 4.0]], np.float32)
    normalise(given)
    np.testing.assert_array_equal(given, [[3, 4]])


@pytest.mark.parametrize("fast", [False, True])
def test_pictures_are_prepared_together_as_they_are_one_by_one(fast: bool) -> None:
    generator = np.random.default_rng(0)
    sizes = [(60, 80), (300, 200), (60, 80), (168, 224), (5, 200), (300, 200)]
    pictures = [
        Image.fromarray(generator.integers(0, 255, (height, width, 3), dtype=np.uint8))
        for width, height in sizes
    ]
    together = prepare_all(pictures, (224, 168), fast=fast)
    for prepared, picture in zip(together, pictures, strict=True):
        np.testing.assert_array_equal(prepared, prepare(picture, (224, 168), fast=fast))
