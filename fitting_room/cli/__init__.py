"""The command line."""

from fitting_room.cli.commands import main

__all__ = ["main"]
