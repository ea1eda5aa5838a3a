"""What an index says of the network that made it, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: The key of a network in 8 bits: the sha256 of the file that holds it.
IN_8_BITS = "int8"


def plain_network(identity: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The network whose weights these were before they were quantised: what a head that takes its
    embeddings takes, too, of the same network in 8 bits."""
    if identity is None:
        return None
    return {key: value for key, value in identity.items() if key != IN_8_BITS}
