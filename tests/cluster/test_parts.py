"""What a build on a cluster is made of, without one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitting_room.cluster import worker as workers
from fitting_room.cluster.progress_file import Done, ProgressFile
from fitting_room.cluster.results import results_of, why_broken
from fitting_room.cluster.stream import once, threads_for
from fitting_room.cluster.worker import PictureTask, PictureWorker
from fitting_room.imaging.decode import ImageLimits, ImageRejected
from fitting_room.imaging.features import Features
from fitting_room.index.added import picture_digest
from fitting_room.util import threads
from tests.conftest import colour_embedder


@pytest.fixture(autouse=True)
def _all_cores_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_given", [])


def task(folder: Path, **changes: object) -> PictureTask:
    values = {"threads": 1, "cache": folder, **changes}
    return PictureTask(colour_embedder, str(folder), ImageLimits(), **values)  # type: ignore[arg-type]


def test_a_worker_describes_what_is_not_known_and_says_what_is_wrong_with_the_rest(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = picture_digest((shop / "images" / "2.jpg").read_bytes())
    ray = SimpleNamespace(get=lambda of: of)
    monkeypatch.setitem(__import__("sys").modules, "ray", ray)
    images = ["images/1.jpg", "images/2.jpg", "images/none.jpg"]
    worker = PictureWorker(task(shop, known=np.array([known], "S32"), threads=3))
    (columns,) = worker(pa.table({"row": [7, 8, 9], "image": images}))
    (one, two, three) = results_of(columns, 4)
    assert (one[0], two[0], three[0]) == (7, 8, 9)
    assert isinstance(one[2], Features)
    (expected,) = colour_embedder().describe([colour_embedder().open(shop / images[0])])
    np.testing.assert_allclose(one[2].embeddings, expected.embeddings, atol=1e-6)
    np.testing.assert_array_equal(one[2].descriptors, expected.descriptors)
    assert one[1] == picture_digest((shop / images[0]).read_bytes())
    assert two[1:] == (known, None)
    assert isinstance(three[2], ImageRejected)
    assert three[2].name == "images/none.jpg"
    assert threads.cores() == 3


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"version": "0.1"}, "0.1 where the build was started"), ({}, "There is nothing")],
)
def test_a_worker_that_cannot_work_says_why(
    tmp_path: Path, changes: dict[str, object], why: str
) -> None:
    worker = PictureWorker(task(tmp_path / "nowhere", **changes))
    (columns,) = worker(pa.table({"row": [0], "image": ["1.jpg"]}))
    reason = why_broken(columns)
    assert reason is not None
    assert why in reason
    assert reason.startswith(workers.socket.gethostname())


@pytest.mark.parametrize(
    ("cores", "expected"), [([1, 1], 1), ([2], 2), ([6, 6], 3), ([8, 16], 4), ([7], 1), ([], 4)]
)
def test_workers_leave_few_processors_over(cores: list[int], expected: int) -> None:
    assert threads_for(cores) == expected


def test_rows_that_come_again_are_dropped() -> None:
    came = np.zeros(4, bool)
    assert once({"row": np.array([1, 2])}, came)["row"].tolist() == [1, 2]
    assert once({"row": np.array([2, 3])}, came)["row"].tolist() == [3]
    assert came.tolist() == [False, True, True, True]


ROWS = st.sets(st.integers(0, 5_000), min_size=1, max_size=60).map(sorted)


@given(ROWS, st.integers(0, 60), st.dictionaries(st.integers(0, 99), st.text(), max_size=3))
def test_what_was_done_is_read_as_it_was_written(
    rows: list[int], plain: int, failed: dict[int, str]
) -> None:
    read = Done.from_json(Done(np.array(rows), plain, failed).to_json())
    assert (read.rows.tolist(), read.plain, read.failed) == (rows, plain, failed)


def test_a_torn_end_and_another_builds_file_are_not_believed(tmp_path: Path) -> None:
    file = ProgressFile(tmp_path / "done", "mine")
    assert list(file.read()) == []
    file.write([])
    file.append(Done(np.array([0, 1]), 2))
    file.append(Done(np.array([5]), 0, {5: "It is damaged."}))
    with file.path.open("a") as handle:
        handle.write('{"rows": [[7,')
    assert [one.rows.tolist() for one in file.read()] == [[0, 1], [5]]
    file.write(list(file.read()))
    file.append(Done(np.array([7]), 1))
    assert [one.rows.tolist() for one in file.read()] == [[0, 1], [5], [7]]
    assert list(ProgressFile(file.path, "another's").read()) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"rows": [], "plain": 0, "failed": []}', "7"])
def test_other_text_is_no_block_of_rows(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Done.from_json(text)
