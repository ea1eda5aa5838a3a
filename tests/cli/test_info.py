"""`fitting-room info` and `serve`, and the command as a program of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fitting_room.index.data import current_version
from fitting_room.index.manifest import MANIFEST
from tests.index.made import manifest_values

# --- info -------------------------------------------------------------------------------------


def test_info_says_what_an_index_holds(run: Any, catalogue: Path, index: Path) -> None:
    ran = run("info", "--index", index)
    assert ran.status == 0
    for named in ("10 items", str(catalogue), "efficientnet_lite0", "1280", "10 rows read"):
        assert named in ran.out


def test_info_in_json_is_the_manifest(run: Any, index: Path) -> None:
    ran = run("info", "--index", index, "--json")
    assert ran.status == 0
    manifest = manifest_values(current_version(index) / MANIFEST)
    manifest["counts"]["studio"] = manifest["counts"]["plain_background"]
    manifest["appearance"] = manifest["descriptors"]
    assert ran.lines == [manifest]


@pytest.mark.parametrize("name", ["vectors.npy", "items.parquet", "manifest.json"])
def test_info_finds_a_changed_byte(run: Any, index: Path, tmp_path: Path, name: str) -> None:
    damaged = shutil.copytree(index, tmp_path / "damaged")
    path = current_version(damaged) / name
    data = bytearray(path.read_bytes())
    data[-10] ^= 255
    path.write_bytes(data)
    ran = run("info", "--index", damaged)
    assert (ran.status, ran.out) == (1, "")
    assert "damaged" in ran.err


def test_info_names_the_pictures_that_failed(run: Any, catalogue: Path, tmp_path: Path) -> None:
    shop = shutil.copytree(catalogue, tmp_path / "shop")
    (shop / "images" / "3.jpg").write_bytes(b"no picture")
    run("build", shop, "--index", tmp_path / "index")
    ran = run("info", "--index", tmp_path / "index")
    assert "could not be used" in ran.out
    assert "  3: This is not a picture" in ran.out


def test_info_on_a_manifest_with_something_missing_is_no_crash(
    run: Any, index: Path, tmp_path: Path
) -> None:
    """An index may come from somebody else, or from a disk that lost a block."""
    copy = shutil.copytree(index, tmp_path / "copy")
    whole = manifest_values(current_version(copy) / MANIFEST)
    for path in (
        ("created",),
        ("chosen_because",),
        ("failures",),
        ("advice",),
        ("counts", "failed"),
        ("catalogue", "report"),
        ("identity", "weights_sha256"),
    ):
        manifest = json.loads(json.dumps(whole))
        place = manifest
        for key in path[:-1]:
            place = place[key]
        del place[path[-1]]
        (current_version(copy) / MANIFEST).write_text(json.dumps(manifest), "utf-8")
        assert run("info", "--index", copy).status in (0, 1), path


def test_info_on_a_manifest_that_makes_no_sense_names_the_field(
    run: Any, index: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(index, tmp_path / "copy")
    path = current_version(copy) / MANIFEST
    manifest = manifest_values(path)
    path.write_text(json.dumps({**manifest, "failures": [1]}), "utf-8")
    ran = run("info", "--index", copy)
    assert ran.status == 1
    assert "failures" in ran.err


# --- serve ------------------------------------------------------------------------------------


def test_serve_without_the_index_fails_before_the_page_is_started(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("the page was started"))
    ran = run("serve", "--index", tmp_path / "nowhere")
    assert ran.status == 1
    assert "nowhere" in ran.err


def test_serve_starts_the_page_on_the_index_and_passes_on_its_status(
    run: Any, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[list[str], dict[str, str]]] = []

    class Server:
        def __init__(self, command: list[str], *, env: dict[str, str], **_: object) -> None:
            started.append((command, env))

        def wait(self) -> int:
            return 3

    monkeypatch.setattr(subprocess, "Popen", Server)
    monkeypatch.chdir(index.parent)
    assert run("serve", "--index", index.name, "--port", 8765).status == 3
    ((command, environment),) = started
    assert environment["FITTING_ROOM_INDEX"] == str(index)
    assert "--server.port=8765" in command
    assert "--server.address=localhost" in command
    assert "--browser.serverAddress=localhost" in command
    assert Path(next(part for part in command if part.endswith("app.py"))).is_file()


def test_serve_for_all_names_no_address_to_open(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []

    class Server:
        def __init__(self, command: list[str], **_: object) -> None:
            started.append(command)

        def wait(self) -> int:
            return 0

    monkeypatch.setattr(subprocess, "Popen", Server)
    assert run("serve", "--address", "0.0.0.0").status == 0
    assert "--server.address=0.0.0.0" in started[0]
    assert not any("browser.serverAddress" in part for part in started[0])


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1"])
def test_serve_for_the_owner_and_without_the_api(
    run: Any, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    started: list[dict[str, str]] = []

    class Server:
        def __init__(self, _: list[str], *, env: dict[str, str], **__: object) -> None:
            started.append(env)

        def wait(self) -> int:
            return 0

    monkeypatch.setattr(subprocess, "Popen", Server)
    assert run("serve", "--owner", "--address", address).status == 0
    assert run("serve").status == 0
    assert run("serve", "--api", "off").status == 0
    assert started[0]["FITTING_ROOM_OWNER"] == "1"
    assert "FITTING_ROOM_OWNER" not in started[1]
    assert "FITTING_ROOM_API" not in started[1]
    assert started[2]["FITTING_ROOM_API"] == "0"


@pytest.mark.parametrize("address", ["0.0.0.0", "192.168.1.7", "shop.example"])
def test_the_owners_page_is_for_this_machine_alone(
    run: Any, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("the page was started"))
    ran = run("serve", "--owner", "--address", address)
    assert ran.status == 2
    assert "leave out --address" in ran.err


# --- as a program -----------------------------------------------------------------------------


def console_script() -> str:
    script = shutil.which("fitting-room", path=str(Path(sys.executable).parent))
    if script is None:
        pytest.skip("the package is not installed")
    return script


def test_the_console_script_searches(catalogue: Path, index: Path) -> None:
    query = catalogue / "images" / "2.jpg"
    command = [console_script(), "search", str(query), str(catalogue / "styles.csv"),
               "--index", str(index), "-n", "2", "--json"]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")
    assert ran.returncode == 0, ran.stderr
    good, bad = (json.loads(line) for line in ran.stdout.splitlines())
    assert good["matches"][0]["id"] == "2"
    assert set(bad) == {"query", "error"}
    assert "Traceback" not in ran.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break in another way")
def test_a_closed_pipe_is_no_crash(catalogue: Path, index: Path) -> None:
    command = [console_script(), "search", str(catalogue), "--index", str(index), "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()  # as `| head` does
        complaints = process.stderr.read()
        assert process.wait() == 1
    assert complaints == ""


def test_a_search_needs_no_torch(catalogue: Path, index: Path) -> None:
    """It takes seconds to import; a converted network answers without it."""
    code = (
        "import sys; from fitting_room import cli; "
        "status = cli.main(sys.argv[1:]); assert 'torch' not in sys.modules; sys.exit(status)"
    )
    query = str(catalogue / "images" / "2.jpg")
    command = [sys.executable, "-c", code, "search", query, "--index", str(index), "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")
    assert ran.returncode == 0, ran.stderr


def test_serve_listens_where_the_settings_say_unless_the_command_does(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a container is told by variables."""
    started: list[list[str]] = []

    class Server:
        def __init__(self, command: list[str], **_: object) -> None:
            started.append(command)

        def wait(self) -> int:
            return 0

    monkeypatch.setattr(subprocess, "Popen", Server)
    monkeypatch.setenv("FITTING_ROOM_ADDRESS", "0.0.0.0")
    monkeypatch.setenv("FITTING_ROOM_PORT", "7860")
    assert run("serve").status == 0
    assert run("serve", "--address", "127.0.0.1", "--port", "80").status == 0
    assert {"--server.address=0.0.0.0", "--server.port=7860"} < set(started[0])
    assert {"--server.address=127.0.0.1", "--server.port=80"} < set(started[1])
    assert run("serve", "--owner").status == 2  # others reach it


def test_a_server_that_a_signal_ended_has_the_status_that_shells_give(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Server:
        def __init__(self, *_: object, **__: object) -> None: ...

        def wait(self) -> int:
            return -15

    monkeypatch.setattr(subprocess, "Popen", Server)
    assert run("serve").status == 143
