"""Public catalogues, brought from their homes with kagglehub."""

from __future__ import annotations

import shutil
from pathlib import Path

#: The table of such a data set.
CSV_NAME = "styles.csv"
#: Name -> the data set's handle on Kaggle.
DATASETS = {"fashion-product-images-small": "paramaggarwal/fashion-product-images-small"}


class DownloadError(Exception):
    """A catalogue could not be downloaded; the text says why and what to do."""


def download(name: str, to: Path) -> Path:
    """Download a public catalogue into a folder of its name in ``to``, unless it is there already,
    and return that folder.

    Raises :class:`DownloadError` for an unknown name, when kagglehub is not installed, and when the
    download fails.
    """
    if name not in DATASETS:
        raise DownloadError(f"There is no catalogue {name!r}. Known: {', '.join(DATASETS)}.")
    target = to / name
    if (target / CSV_NAME).is_file():
        return target
    try:
        import kagglehub
    except ImportError as error:
        raise DownloadError("fetch needs kagglehub. Run: pip install kagglehub") from error
    handle = DATASETS[name]
    try:
        downloaded = Path(kagglehub.dataset_download(handle))
    except Exception as error:
        # kagglehub raises what its many layers raise; whatever it was, this is what helps.
        raise DownloadError(
            f"{handle} could not be downloaded ({type(error).__name__}: {str(error)[:200]}). "
            "Is there a connection to kaggle.com? Otherwise download the data set there with a "
            f"browser, unpack it to {target}, and build from that folder."
        ) from error
    try:
        return _put_in_place(downloaded, target)
    except OSError as error:
        raise DownloadError(f"{target}: could not be put in place ({error}).") from error


def _put_in_place(downloaded: Path, target: Path) -> Path:
    """Copy the csv and the pictures out of kagglehub's own cache, whole or not at all. The data
    set holds everything twice; only the outer copy is taken."""
    table = min(downloaded.rglob(CSV_NAME), key=lambda path: len(path.parts), default=None)
    if table is None:
        raise DownloadError(f"{downloaded}: the download holds no {CSV_NAME}.")
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    shutil.copy2(table, unfinished / CSV_NAME)
    shutil.copytree(table.parent / "images", unfinished / "images")
    if target.exists():
        raise DownloadError(f"{target}: this folder is in the way, without {CSV_NAME}. Move it.")
    unfinished.rename(target)
    return target
