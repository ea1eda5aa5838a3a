"""Pictures -> unit vectors, one by one and as an endless stream."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from fitting_room.embedding.embedder import DESCRIBED_TOGETHER, Embedder
from fitting_room.embedding.engine import EngineError
from fitting_room.embedding.weights import BackboneError
from fitting_room.imaging.decode import ImageRejected, open_image
from fitting_room.imaging.features import Features
from fitting_room.settings import Settings
from tests.conftest import COLOURS, DEMO

MANY = 1_000
#: What may be read ahead of the consumer at most. How much it is, is the embedder's own affair;
#: that it does not grow with the stream is not.
READ_AHEAD = 128


def coloured(number: int) -> Image.Image:
    return Image.new("RGB", (12, 16), (number % 256, number // 4 % 256, 7 * number % 256))


def threads_of_embedders() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("embed")]


# --- open -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(16, 12), (224, 168), (1024, 768)])
def test_what_was_opened_to_be_shown_is_no_other_picture(
    embedder: Embedder, size: tuple[int, int]
) -> None:
    """However large the network's input is, beside the size that pictures are shown at."""
    selection = embedder.selection
    backbone = replace(selection.backbone, input_size=size)
    embedder = Embedder(replace(selection, backbone=backbone), embedder.engine)
    file = BytesIO()
    values = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    Image.fromarray(values).resize((3000, 2000)).save(file, "JPEG")
    shown = embedder.open(file.getvalue(), to_show=True)
    assert min(shown.size) >= 512
    at_once = embedder.open(file.getvalue())
    assert np.array_equal(np.asarray(embedder.open(shown)), np.asarray(at_once))


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
    rows = embedder.embed(pictures)
    for row, picture in zip(rows, pictures, strict=True):
        np.testing.assert_allclose(row, embedder.embed([picture])[0], atol=1e-6)


def test_the_packaged_network_tells_garments_apart(settings: Settings) -> None:
    embedder = Embedder.load("efficientnet_lite0", cache=settings.engines_folder)
    pictures = [open_image(DEMO / "images" / f"{i}.webp") for i in range(10001, 10011)]
    vectors = embedder.embed(pictures)
    assert vectors.shape == (10, 1280)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    cosines = vectors @ vectors.T
    np.testing.assert_allclose(np.diag(cosines), 1, atol=1e-5)
    assert (cosines[~np.eye(10, dtype=bool)] < 0.98).all()


def test_a_network_without_feature_maps_is_an_error(embedder: Embedder) -> None:
    embedder.engine.feature_maps = lambda pixels: None  # type: ignore[method-assign]
    with pytest.raises(EngineError, match="no feature maps"):
        embedder.feature_maps([coloured(0)])


def test_load_passes_on_what_cannot_be_had() -> None:
    with pytest.raises(BackboneError):
        Embedder.load("resnet51")
    with pytest.raises(EngineError):
        Embedder.load("efficientnet_lite0", engine="tensorrt")


# --- queries and items ------------------------------------------------------------------------


def garment_jpeg(size: tuple[int, int]) -> bytes:
    """A catalogue picture, scaled to another size and saved again."""
    with Image.open(DEMO / "images" / "10001.webp") as image:
        buffer = BytesIO()
        image.convert("RGB").resize(size).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


@pytest.mark.parametrize("size", [(60, 80), (133, 177), (600, 800), (2400, 3200)])
def test_a_file_has_the_same_features_as_query_and_as_item(
    settings: Settings, size: tuple[int, int]
) -> None:
    embedder = Embedder.load("efficientnet_lite0", cache=settings.engines_folder)
    data = garment_jpeg(size)
    others = [garment_jpeg((60, 80)), garment_jpeg((300, 400))]
    item = dict(embedder.stream([*others, data], embedder.open))[data]
    (query,) = embedder.describe([embedder.open(data)])
    assert isinstance(item, Features)
    np.testing.assert_array_equal(query.descriptors, item.descriptors)
    np.testing.assert_allclose(query.embeddings, item.embeddings, atol=1e-3)


@pytest.mark.parametrize("size", [(60, 80), (300, 400), (2400, 3200)])
def test_a_picture_that_was_opened_is_the_same_when_it_is_opened_again(
    embedder: Embedder, size: tuple[int, int]
) -> None:
    """So that one decoded picture serves both to be shown and to be searched with."""
    opened = embedder.open(garment_jpeg(size))
    np.testing.assert_array_equal(np.asarray(embedder.open(opened)), np.asarray(opened))


@pytest.mark.parametrize("colour", ["black", "crimson"])
def test_a_frame_makes_no_other_picture(settings: Settings, colour: str) -> None:
    embedder = Embedder.load("efficientnet_lite0", cache=settings.engines_folder)
    plain = embedder.open(garment_jpeg((300, 400)))
    framed = Image.new("RGB", (324, 424), colour)
    framed.paste(plain, (12, 12))
    first, second, third = embedder.describe([plain, framed, framed.crop((12, 0, 312, 424))])
    for other in (second, third):
        assert float(first.embeddings[0] @ other.embeddings[0]) > 0.97
        assert np.abs(first.descriptors.astype(int) - other.descriptors).mean() < 4
    assert float(embedder.embed([framed])[0] @ second.embeddings[0]) == pytest.approx(1, abs=1e-3)
    assert framed.size == (324, 424)


def test_a_note_goes_with_the_features(embedder: Embedder) -> None:
    whole = garment_jpeg((300, 400))
    first, second = embedder.describe([embedder.open(data) for data in (whole, whole[:-2])])
    assert first.note is None
    assert str(second.note).startswith("The file ends too early.")


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
        if number == DESCRIBED_TOGETHER:
            later_is_ready.set()
        return coloured(number)

    numbers = [number for number, _ in embedder.stream(range(20), load)]
    assert numbers == list(range(20))


def test_a_rejected_picture_is_its_own_outcome_and_the_stream_goes_on(embedder: Embedder) -> None:
    def load(number: int) -> Image.Image:
        if number % 3 == 1:
            raise ImageRejected(f"number {number} is bad")
        return coloured(number)

    outcomes = dict(embedder.stream(range(20), load))
    assert len(outcomes) == 20
    for number, outcome in outcomes.items():
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
    outcomes = dict(embedder.stream(range(12), lambda n: coloured(n) if n in (2, 9) else None))
    assert [n for n, outcome in outcomes.items() if outcome is not None] == [2, 9]
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

    numbers = []
    with pytest.raises(PermissionError, match="number 30"):
        for number, _ in embedder.stream(range(MANY), load):
            numbers.append(number)
    assert numbers == list(range(len(numbers)))
    assert len(numbers) <= 30
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
