"""What a build keeps on its way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fitting_room.build import checkpoint as module
from fitting_room.build.checkpoint import Checkpoint
from fitting_room.imaging.descriptors import DESCRIPTOR_LENGTH

IDENTITY = {"backbone": "colour", "weights_sha256": "0" * 64}


@pytest.fixture(autouse=True)
def _small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FLUSH_EVERY", 3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "checkpoint"


def vector(number: int) -> np.ndarray:
    return np.array([number, -number], np.float32)


def descriptors(number: int) -> np.ndarray:
    return np.full(DESCRIPTOR_LENGTH, number % 256, np.uint8)


def digest(number: int) -> str:
    return f"{number:032x}"


def fill(checkpoint: Checkpoint, numbers: range) -> None:
    for number in numbers:
        checkpoint.append(digest(number), vector(number), descriptors(number))


def assert_right(checkpoint: Checkpoint) -> None:
    """Every digest of an earlier build has its own embedding and its own descriptors."""
    numbers = [int(found, 16) for found in checkpoint.rows]
    rows = np.array(list(checkpoint.rows.values()), int)
    np.testing.assert_array_equal(
        checkpoint.embeddings(rows), np.reshape([vector(n) for n in numbers], (-1, 2))
    )
    np.testing.assert_array_equal(
        checkpoint.descriptors(rows),
        np.reshape([descriptors(n) for n in numbers], (-1, DESCRIPTOR_LENGTH)),
    )


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.npz"))


def test_what_was_appended_is_read_back(folder: Path) -> None:
    checkpoint = Checkpoint(folder, IDENTITY, 2)
    assert [checkpoint.append(digest(n), vector(n), descriptors(n)) for n in range(5)] == [
        0,
        1,
        2,
        3,
        4,
    ]
    checkpoint.flush()
    assert len(checkpoint) == 5
    assert_right(checkpoint)


def test_it_goes_on_after_it_was_opened_again(folder: Path) -> None:
    """Many times, so that there are more files than digits."""
    for start in range(0, 60, 5):
        checkpoint = Checkpoint(folder, IDENTITY, 2)
        assert list(checkpoint.rows) == [digest(n) for n in range(start)]
        fill(checkpoint, range(start, start + 5))
        checkpoint.flush()
        assert_right(checkpoint)
    assert len(Checkpoint(folder, IDENTITY, 2)) == 60


def test_a_kill_costs_no_more_than_what_was_not_flushed(folder: Path) -> None:
    fill(Checkpoint(folder, IDENTITY, 2), range(8))  # never flushed by hand
    checkpoint = Checkpoint(folder, IDENTITY, 2)
    assert list(checkpoint.rows) == [digest(n) for n in range(6)]
    assert_right(checkpoint)


def test_rows_come_in_any_order_and_more_than_once(folder: Path) -> None:
    checkpoint = Checkpoint(folder, IDENTITY, 2)
    fill(checkpoint, range(10))
    checkpoint.flush()
    wanted = np.array([9, 0, 4, 4, 2, 8, 0, 3])
    np.testing.assert_array_equal(checkpoint.embeddings(wanted)[:, 0], wanted)
    np.testing.assert_array_equal(checkpoint.descriptors(wanted)[:, 0], wanted)
    assert checkpoint.embeddings(wanted).dtype == np.float32
    nothing = np.array([], dtype=int)
    assert checkpoint.embeddings(nothing).shape == (0, 2)
    assert checkpoint.descriptors(nothing).shape == (0, DESCRIPTOR_LENGTH)


@pytest.mark.parametrize("torn", [0, 1, 2])
@pytest.mark.parametrize("content", [b"", b"torn", "half", "changed"])
def test_a_torn_file_is_dropped_and_the_others_stay_right(
    folder: Path, torn: int, content: bytes | str
) -> None:
    fill(Checkpoint(folder, IDENTITY, 2), range(9))
    path = files(folder)[torn]
    whole = path.read_bytes()
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "half":
        path.write_bytes(whole[: len(whole) // 2])
    else:
        at = whole.index(vector(3 * torn + 1).tobytes())
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
    checkpoint = Checkpoint(folder, IDENTITY, 2)
    lost = [digest(n) for n in range(3 * torn, 3 * torn + 3)]
    assert list(checkpoint.rows) == [digest(n) for n in range(9) if digest(n) not in lost]
    assert_right(checkpoint)
    # And the build goes on in it.
    fill(checkpoint, range(20, 27))
    checkpoint.flush()
    assert_right(checkpoint)
    again = Checkpoint(folder, IDENTITY, 2)
    assert list(again.rows) == [*checkpoint.rows, *map(digest, range(20, 27))]
    assert_right(again)


def test_a_half_written_file_is_not_taken_for_one(folder: Path) -> None:
    fill(Checkpoint(folder, IDENTITY, 2), range(3))
    (folder / "000000000003.part").write_bytes(b"half")
    assert len(Checkpoint(folder, IDENTITY, 2)) == 3


def test_what_another_network_left_is_thrown_away(folder: Path) -> None:
    fill(Checkpoint(folder, IDENTITY, 2), range(6))
    other = Checkpoint(folder, IDENTITY | {"weights_sha256": "1" * 64}, 2)
    assert len(other) == 0
    assert files(folder) == []
    assert len(Checkpoint(folder, IDENTITY, 2)) == 0


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b'{"backbone": '])
def test_without_a_readable_owner_all_is_thrown_away(folder: Path, content: bytes) -> None:
    fill(Checkpoint(folder, IDENTITY, 2), range(6))
    (folder / "checkpoint.json").write_bytes(content)
    assert len(Checkpoint(folder, IDENTITY, 2)) == 0


def test_embeddings_of_another_length_are_not_taken_over(folder: Path) -> None:
    fill(Checkpoint(folder, IDENTITY, 2), range(6))
    assert len(Checkpoint(folder, IDENTITY, 5)) == 0


def test_a_file_that_would_be_unpickled_is_dropped(folder: Path, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> object:
            return Path.write_text, (tmp_path / "marker", "the file ran code")

    fill(Checkpoint(folder, IDENTITY, 2), range(3))
    with (folder / "000000000.npz").open("wb") as file:
        np.savez(file, digests=np.array([Evil()]), vectors=np.array([[Evil(), Evil()]]))
    assert len(Checkpoint(folder, IDENTITY, 2)) == 0
    assert not (tmp_path / "marker").exists()


def test_discarded_it_leaves_nothing(folder: Path) -> None:
    checkpoint = Checkpoint(folder, IDENTITY, 2)
    fill(checkpoint, range(4))
    checkpoint.discard()
    assert not folder.exists()


def test_what_waits_is_written_after_some_seconds(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow network makes few embeddings in the time that a kill may cost."""
    monkeypatch.setattr(module, "FLUSH_EVERY", 1_000)
    now = 100.0
    checkpoint = Checkpoint(folder, IDENTITY, 2, clock=lambda: now)
    fill(checkpoint, range(1))
    now += module.FLUSH_SECONDS - 0.1
    fill(checkpoint, range(1, 2))
    assert files(folder) == []
    now += 0.1
    fill(checkpoint, range(2, 3))
    assert len(files(folder)) == 1
    fill(checkpoint, range(3, 4))  # counted anew from then on
    assert len(files(folder)) == 1
    now += module.FLUSH_SECONDS
    fill(checkpoint, range(4, 5))
    again = Checkpoint(folder, IDENTITY, 2)
    assert len(again.rows) == 5
    assert_right(again)


def test_what_somebody_else_put_there_stays(folder: Path) -> None:
    """An index may have the name of another's checkpoint."""
    folder.mkdir()
    (folder / "CURRENT").write_text("v-0123456789ab")
    checkpoint = Checkpoint(folder, IDENTITY, 2)
    fill(checkpoint, range(4))
    Checkpoint(folder, {"backbone": "another"}, 2).discard()
    assert [path.name for path in folder.iterdir()] == ["CURRENT"]


def test_a_build_that_embeds_nothing_leaves_nothing(folder: Path) -> None:
    Checkpoint(folder, IDENTITY, 2).flush()
    assert not folder.exists()
