"""The command that prepares an index for a machine without torch: ``fitting-room convert``."""

from __future__ import annotations

import argparse
import json

from fitting_room.cli.output import say, show
from fitting_room.facade import FittingRoom
from fitting_room.settings import Settings


def convert(options: argparse.Namespace, settings: Settings) -> int:
    """Have the cache hold the networks that searching an index takes, in OpenVINO's form. Where
    that folder is copied to, torch is not needed."""
    folders = FittingRoom.convert(options.index, settings)
    if options.json:
        show(json.dumps({"networks": [str(folder) for folder in folders]}))
    else:
        show(*folders)
        say(f"Copy them into {settings.engines_folder.name}/ of another machine's cache.")
    return 0
