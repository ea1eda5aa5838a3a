"""A public catalogue comes whole, or not at all with the reason why. Kaggle is never called."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.catalogue.download import DATASETS, DownloadError, download

NAME = "fashion-product-images-small"

Answer = Callable[[str], object]


@pytest.fixture
def kaggle(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], list[str]]:
    """Puts a stand-in for kagglehub in place that answers downloads so, and lists the handles."""

    def answer_with(answer: Answer) -> list[str]:
        handles: list[str] = []

        def dataset_download(handle: str) -> object:
            handles.append(handle)
            return answer(handle)

        module = ModuleType("kagglehub")
        module.dataset_download = dataset_download  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "kagglehub", module)
        return handles

    return answer_with


@pytest.fixture
def downloaded(shop: Path, tmp_path: Path) -> Path:
    """A download as Kaggle gives it: all of it twice, once in a folder below."""
    folder = tmp_path / "kaggle-cache" / "versions" / "1"
    shutil.copytree(shop, folder)
    shutil.copytree(shop, folder / "myntradataset")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def failure(to: Path, name: str = NAME) -> str:
    with pytest.raises(DownloadError) as caught:
        download(name, to)
    return str(caught.value)


def test_the_catalogue_is_put_in_place_whole_and_once(
    kaggle: Callable[[Answer], list[str]], downloaded: Path, shop: Path, tmp_path: Path
) -> None:
    handles = kaggle(lambda _: str(downloaded))
    before = contents(downloaded)
    folder = download(NAME, tmp_path / "data" / "public")
    assert folder == tmp_path / "data" / "public" / NAME
    assert handles == [DATASETS[NAME]]
    assert contents(folder) == contents(shop)
    assert len(load_catalogue(folder)) == 10
    assert contents(downloaded) == before, "kagglehub's own cache is left as it was"
    assert list(folder.parent.iterdir()) == [folder], "nothing else is left behind"


def test_a_table_below_the_top_of_the_download_is_found(
    kaggle: Callable[[Answer], list[str]], shop: Path, tmp_path: Path
) -> None:
    (tmp_path / "version" / "inner").mkdir(parents=True)
    shop.rename(tmp_path / "version" / "inner" / "catalogue")
    kaggle(lambda _: tmp_path / "version")
    assert len(load_catalogue(download(NAME, tmp_path / "data"))) == 10


def test_what_is_there_already_is_left_and_nobody_called(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    shop.rename(tmp_path / NAME)
    before = contents(tmp_path / NAME)
    assert download(NAME, tmp_path) == tmp_path / NAME
    assert contents(tmp_path / NAME) == before


def test_a_second_fetch_brings_nothing_again(
    kaggle: Callable[[Answer], list[str]], downloaded: Path, tmp_path: Path
) -> None:
    handles = kaggle(lambda _: downloaded)
    assert download(NAME, tmp_path / "data") == download(NAME, tmp_path / "data")
    assert len(handles) == 1


@pytest.mark.parametrize("name", ["", "shoes", "../" + NAME, NAME.upper()])
def test_an_unknown_name_is_refused_and_the_known_ones_named(tmp_path: Path, name: str) -> None:
    assert NAME in failure(tmp_path / "data", name)
    assert not (tmp_path / "data").exists()


def test_without_kagglehub_the_command_that_brings_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    assert "pip install kagglehub" in failure(tmp_path)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionError("Max retries exceeded"),
        RuntimeError("403 Forbidden"),
        ValueError("x" * 100_000),
        KeyError("DatasetHandle"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_failed_download_is_refused_with_the_way_around_it(
    kaggle: Callable[[Answer], list[str]], tmp_path: Path, error: Exception
) -> None:
    def fail(_: str) -> None:
        raise error

    kaggle(fail)
    text = failure(tmp_path / "data")
    assert type(error).__name__ in text
    assert DATASETS[NAME] in text
    assert str(tmp_path / "data" / NAME) in text, "where to unpack it by hand"
    assert len(text) < 1_000
    assert not (tmp_path / "data" / NAME).exists()


def test_a_download_without_a_table_is_refused(
    kaggle: Callable[[Answer], list[str]], downloaded: Path, tmp_path: Path
) -> None:
    for table in downloaded.rglob("styles.csv"):
        table.unlink()
    kaggle(lambda _: downloaded)
    assert "styles.csv" in failure(tmp_path / "data")
    assert not (tmp_path / "data" / NAME).exists()


def test_a_download_without_pictures_is_refused(
    kaggle: Callable[[Answer], list[str]], downloaded: Path, tmp_path: Path
) -> None:
    shutil.rmtree(downloaded / "images")
    kaggle(lambda _: downloaded)
    assert "images" in failure(tmp_path / "data")
    assert not (tmp_path / "data" / NAME).exists()


def test_a_copy_that_breaks_off_leaves_nothing_and_the_next_one_works(
    kaggle: Callable[[Answer], list[str]],
    downloaded: Path,
    shop: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kaggle(lambda _: downloaded)

    def run_out_of_space(_: Path, to: Path) -> None:
        Path(to).mkdir()
        (Path(to) / "1.jpg").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("fitting_room.catalogue.download.shutil.copytree", run_out_of_space)
        with pytest.raises((DownloadError, OSError), match="No space left"):
            download(NAME, tmp_path / "data")
    assert not (tmp_path / "data" / NAME).exists()
    assert contents(download(NAME, tmp_path / "data")) == contents(shop)


def test_another_folder_in_the_way_is_not_touched(
    kaggle: Callable[[Answer], list[str]], downloaded: Path, tmp_path: Path
) -> None:
    (tmp_path / "data" / NAME).mkdir(parents=True)
    (tmp_path / "data" / NAME / "thesis.txt").write_text("precious")
    kaggle(lambda _: downloaded)
    assert re.search(r"in the way", failure(tmp_path / "data"))
    assert contents(tmp_path / "data" / NAME) == {"thesis.txt": b"precious"}
