"""``fitting-room serve``."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys

from fitting_room.cli.commands import UsageError
from fitting_room.databases.address import is_address
from fitting_room.facade import open_index
from fitting_room.settings import HOME, Settings

#: Addresses that stand for all that a machine has, and name none.
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - what is compared with
#: Addresses that nobody reaches from another machine.
LOCAL = ("localhost", "127.0.0.1", "::1")


def serve(options: argparse.Namespace, settings: Settings) -> int:
    """Open the page in the browser: on an index, or on the demo catalogue."""
    environment = dict(os.environ)
    address, port = options.address or settings.address, options.port or settings.port
    if options.owner:
        if address not in LOCAL:
            raise UsageError(
                "--owner lets whoever reaches the page mark look-alikes, so it goes with this "
                "machine's own address: leave out --address. A second server without --owner "
                "shows the same index to others."
            )
        environment["FITTING_ROOM_OWNER"] = "1"
    if options.api == "off":
        environment["FITTING_ROOM_API"] = "0"
    if options.index is not None:
        open_index(options.index)  # say now what is wrong with it, not in the page
        place = options.index if is_address(options.index) else options.index.resolve()
        environment["FITTING_ROOM_INDEX"] = str(place)
    command = [
        sys.executable, "-m", "streamlit", "run", str(HOME / "app.py"),
        f"--server.port={port}", f"--server.address={address}",
    ]  # fmt: skip
    if address not in EVERYWHERE:
        command.append(f"--browser.serverAddress={address}")
    server = subprocess.Popen(command, env=environment)  # noqa: S603
    previous = signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    try:
        status = server.wait()
        return status if status >= 0 else 128 - status  # as a shell says that a signal ended it
    except KeyboardInterrupt:
        server.terminate()
        server.wait()
        return 0
    finally:
        signal.signal(signal.SIGTERM, previous)
