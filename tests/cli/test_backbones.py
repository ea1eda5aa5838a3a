"""``fitting-room backbones``: what is at hand, how quick and how good it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from huggingface_hub import constants

from fitting_room.settings import Settings


@pytest.fixture(autouse=True)
def _own_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


def test_it_says_what_is_here_and_what_is_not(run: Any) -> None:
    done = run("backbones")
    assert done.status == 0
    lines = {line.split()[0]: line for line in done.out.splitlines()}
    assert next(iter(lines)) == "network"
    assert "224 x 168" in lines["efficientnet_lite0"]
    assert "0.231" in lines["efficientnet_lite0"]  # as docs/relevance.md has it
    assert "not here" in lines["resnet50"]
    assert "eighth" in done.err


def test_a_named_network_is_measured(run: Any, settings: Settings, tmp_path: Path) -> None:
    torch.save(timm.create_model("test_resnet").state_dict(), tmp_path / "mine.pth")
    options = ("--weights", tmp_path / "mine.pth", "--time", "--json")
    (content,) = run("backbones", "timm:test_resnet", *options).lines
    (network,) = content["networks"]
    assert network["at_hand"]
    assert network["parameters"] > 100_000
    assert 0 < network["milliseconds"] < 5_000
    assert network["precision"] is None
    assert network["dimension"] == timm.create_model("test_resnet").num_features


def test_what_is_wrong_with_a_named_network_is_said(run: Any) -> None:
    done = run("backbones", "timm:resnet19")
    assert done.status == 0
    assert "timm:resnet18" in done.err
    assert run("backbones", "resnet51").status == 2
    assert run("backbones", "--weights", "mine.pth").status == 2


def test_weights_in_the_hubs_cache_are_listed(run: Any, tmp_path: Path) -> None:
    root = tmp_path / "hub" / "models--timm--test_vit.r160_in1k"
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text("a" * 40, "utf-8")
    (root / "snapshots" / ("a" * 40)).mkdir(parents=True)
    torch.save({}, root / "snapshots" / ("a" * 40) / "pytorch_model.bin")
    (tmp_path / "hub" / "models--me--something-else").mkdir()
    assert "timm:test_vit.r160_in1k" in run("backbones").out
    assert "something-else" not in run("backbones").out


def test_an_evaluation_without_a_head_is_found_by_the_table(
    run: Any, index: Path, catalogue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FITTING_ROOM_CACHE", str(tmp_path / "cache"))
    columns = ("--columns", "gender,baseColour")
    for option in ((), ("--plain",)):
        assert run("evaluate", catalogue, "--index", index, *columns, *option).status == 0
    (content,) = run("backbones", "efficientnet_lite0", "--json").lines
    assert content["protocol"].startswith("precision@4, shop, ")
    assert content["networks"][0]["queries"] == 10
