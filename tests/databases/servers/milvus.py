"""The real Milvus: the standalone server that the package milvus brings.

It listens on every interface, and its configuration cannot change that. So it runs in a network of
its own that has nothing but a loopback, and a process stands between (:func:`between`): it opens a
port on 127.0.0.1 first, then leaves for that network, starts the server there, and passes on what
comes to the port.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

if TYPE_CHECKING:
    from milvus import MilvusServer

SCHEME = "milvus"
NOWHERE = "milvus://shop:s3cret@127.0.0.1:1/nowhere"
#: Seconds until the server must be there, on a machine that has much else to do.
PATIENCE = 240
#: What it does less of, or looks at more often, than a server of a size that is worth having.
QUICK = {
    "rootCoord.dmlChannelNum": 4,
    "proxy.timeTickInterval": 50,
    "queryCoord.checkInterval": 100,
    "queryCoord.distPullInterval": 100,
}
#: A pipe that everyone who uses the server holds open.
_HOLDERS, _RUNNING = "holders", "running.json"
_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
_GET_FLAGS, _SET_FLAGS, _UP, _NAME_AND_FLAGS = 0x8913, 0x8914, 1, "16sh14x"


@contextmanager
def running(folder: Path) -> Iterator[Callable[[str], str]]:
    """The server, and what makes the address of an index of a name. Workers that are given the same
    folder share one server, which ends with the last of them, even if that is killed."""
    from tests.databases.servers import require_linux_x86

    require_linux_x86("milvus")
    if find_spec("milvus") is None:
        pytest.skip("Milvus is not there: pip install milvus==2.3.5")
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        holder, port = _join(folder) or _start(folder)
    try:
        yield lambda name: f"milvus://127.0.0.1:{port}/{name}"
    finally:
        os.close(holder)


def _join(folder: Path) -> tuple[int, int] | None:
    """Hold the server that another worker has started, if it is still there."""
    try:
        running = json.loads((folder / _RUNNING).read_text())
        return os.open(running["holders"], os.O_WRONLY | os.O_NONBLOCK), running["port"]
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENXIO):
            raise
        return None


def _start(folder: Path) -> tuple[int, int]:
    """A server on a fresh folder: on an old one it would wait a minute for its old lease."""
    own = Path(mkdtemp(dir=folder))
    os.mkfifo(own / _HOLDERS)
    holder = os.open(own / _HOLDERS, os.O_RDWR)  # else it would wait for a reader
    code = f"import sys; from {__name__} import between; between(sys.argv[1])"
    with (own / "between.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(own)],
            cwd=Path(__file__).resolve().parents[3],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    assert process.stdout is not None
    answer = json.loads(process.stdout.readline() or "{}")
    if "port" not in answer:
        os.close(holder)
        process.wait()
        if "skip" in answer:
            pytest.skip(answer["skip"])
        pytest.fail(f"Milvus did not start:\n{_end_of_logs(own)}")
    said = {"port": answer["port"], "holders": str(own / _HOLDERS)}
    (folder / _RUNNING).write_text(json.dumps(said))
    return holder, int(answer["port"])


def _end_of_logs(folder: Path) -> str:
    logs = [folder / "between.log", *sorted((folder / "logs").glob("milvus-std*.log"))]
    return "\n".join(log.read_text("utf-8", "replace")[-2000:] for log in logs if log.exists())


def between(name: str) -> None:
    """Start the server on a folder, say where it is, and pass on until nobody holds it any more."""
    folder = Path(name)
    outside = socket.create_server(("127.0.0.1", 0))
    try:
        _leave_for_another_network()
    except OSError as error:
        _say(skip=f"Milvus needs a network of its own, and this system allows none: {error}")
        return
    from milvus import MilvusServer, MilvusServerConfig

    server = MilvusServer(MilvusServerConfig(), wait_for_started=False)
    server.set_base_dir(str(folder))
    for key, value in QUICK.items():
        server.config.set(key, value)
    server.start()
    try:
        _wait_for(server)
        threading.Thread(target=_accept, args=(outside, server.listen_port), daemon=True).start()
        with (folder / _HOLDERS).open("rb") as holders:
            _say(port=outside.getsockname()[1])
            holders.read()
    finally:
        server.server_proc.kill()  # asked to end, it takes longer than a minute
        server.server_proc.wait()
    shutil.rmtree(folder, ignore_errors=True)


def _say(**what: object) -> None:
    print(json.dumps(what), flush=True)


def _leave_for_another_network() -> None:
    """Put this process into a network with a loopback alone; the sockets that it has open stay
    where they are. Who is not root may where a user can have a namespace."""
    import fcntl

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_NETWORK | (0 if os.geteuid() == 0 else _NEW_USER)):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        loopback = struct.pack(_NAME_AND_FLAGS, b"lo", 0)
        answer = fcntl.ioctl(any_socket, _GET_FLAGS, loopback)
        flags = struct.unpack(_NAME_AND_FLAGS, answer)[1] | _UP
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack(_NAME_AND_FLAGS, b"lo", flags))


def _wait_for(server: MilvusServer) -> None:
    health = f"http://127.0.0.1:{server.webservice_port}/healthz"
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and server.server_proc.poll() is None:
        try:
            with urllib.request.urlopen(health, timeout=5) as answer:
                if b"OK" in answer.read():
                    return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"Milvus ended or was not there within {PATIENCE} seconds")


def _accept(outside: socket.socket, inside: int) -> None:
    while True:
        caller, _ = outside.accept()
        try:
            server = socket.create_connection(("127.0.0.1", inside))
        except OSError:
            caller.close()
            continue
        for source, target in ((caller, server), (server, caller)):
            threading.Thread(target=_pass_on, args=(source, target), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(1 << 18):
            target.sendall(piece)
    for one in (source, target):  # wakes the thread of the other direction
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
