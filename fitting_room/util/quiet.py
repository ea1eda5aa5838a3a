"""No word to anybody: what libraries report of their use is switched off before they are loaded."""

from __future__ import annotations

import os
import sys
from typing import Any

#: Variables by which libraries, some only of extras, are told to report nothing.
VARIABLES = ("DO_NOT_TRACK", "HF_HUB_DISABLE_TELEMETRY", "WANDB_DISABLED")
#: What OpenVINO reports with, if it is there. It asks a host for each import and each conversion,
#: and keeps a client id in the user's home; no variable switches it off, and its command to do so
#: writes into the home as well and reports that.
_TELEMETRY = "openvino_telemetry"


def report_nothing() -> None:
    """Switch the telemetry of libraries off, in this process and in those that it starts.

    OpenVINO does without its telemetry where that is not installed, and an entry of ``None`` in
    ``sys.modules`` is Python's way of saying so. What was loaded before, by whoever uses this
    package as a library, is left as it is.
    """
    modules: dict[str, Any] = sys.modules
    modules.setdefault(_TELEMETRY, None)
    for variable in VARIABLES:
        os.environ.setdefault(variable, "1")
