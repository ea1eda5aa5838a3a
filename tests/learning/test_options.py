"""Options of a training that make no sense."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fitting_room.learning.options import TrainingError, TrainingOptions, check_options
from fitting_room.learning.train import train


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": "magic"}, r"magic.*proxies.*supcon"),
        ({"epochs": 0}, "--epochs"),
        ({"batch_size": 1}, "--batch-size"),
        ({"dimension": 10**9}, "--dimension"),
        ({"seed": -1}, "--seed"),
        ({"holdout": 1}, "--holdout"),
        ({"columns": ()}, "--columns"),
        ({"photographs": Path("street")}, "--mapping"),
        ({"mapping": Path("mapping.json")}, "--photographs"),
        ({"finetune_blocks": 1}, "--save-weights"),
        ({"finetune_blocks": 1, "save_weights": Path("w.pth")}, "safetensors"),
    ],
)
def test_options_that_make_no_sense_are_refused(changes: dict[str, Any], message: str) -> None:
    options = replace(TrainingOptions(), **changes)
    with pytest.raises(TrainingError, match=message):
        check_options(options)
    with pytest.raises(TrainingError, match=message):  # before anything is opened
        train("nowhere", "nowhere", options)


def test_the_default_options_make_sense() -> None:
    check_options(TrainingOptions())
