"""Training from end to end: the index answers better, the head can be made again, and what cannot
be trained says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fitting_room.catalogue.catalogue import CatalogueError
from fitting_room.catalogue.schema import held_out
from fitting_room.index.data import current_version
from fitting_room.index.head import Head
from fitting_room.index.index import Index
from fitting_room.index.manifest import IndexUnusable
from fitting_room.index.scoring import SimilarityOptions
from fitting_room.learning.options import TrainingError
from fitting_room.learning.train import train
from fitting_room.learning.trainer import Trainer
from fitting_room.util.threads import OPENMP_WAITING
from tests.index.made import manifest_values
from tests.learning.conftest import QUICK, MadeUpShop


def test_a_trained_index_finds_the_right_labels(made_up: MadeUpShop) -> None:
    summary = made_up.train(holdout=5, epochs=20, patience=20)
    index = Index.open(made_up.index_folder)
    assert index.head is not None
    record = index.head.record
    assert record == index.manifest.head | {"kept_back": record["kept_back"]}
    assert summary.loss == record["loss"] == "proxies"
    assert summary.items == record["items"]
    assert summary.epochs == record["epochs_run"]
    assert summary.best_epoch == record["best_epoch"]
    assert summary.validation == record["validation"]
    assert summary.photographs == summary.skipped == 0
    assert summary.seconds > 0
    assert set(record["kept_back"]) <= set(index.items["id"])
    # Items that took no part, as queries, among those that did.
    kept_back = held_out(index.items["id"], 5)
    queries = np.flatnonzero(kept_back)

    def precision(options: SimilarityOptions) -> float:
        hits = index.search(index.features(queries), 4, options=options, exclude=kept_back)
        rows = np.stack([of_query.rows for of_query in hits])
        right = (made_up.kinds[rows] == made_up.kinds[queries, None]) & (
            made_up.colours[rows] == made_up.colours[queries, None]
        )
        return float(right.mean())

    untrained = precision(SimilarityOptions(colour=0, trained=False))
    assert precision(SimilarityOptions(colour=0)) > untrained + 0.2


def test_the_same_seed_gives_the_same_head(made_up: MadeUpShop) -> None:
    heads = []
    for seed in (1, 1, 2):
        state = torch.random.get_rng_state()
        made_up.train(seed=seed, epochs=1)
        assert torch.equal(torch.random.get_rng_state(), state)  # the program's own go on as before
        torch.rand(3)
        heads.append((current_version(made_up.index_folder) / "head.safetensors").read_bytes())
    assert heads[0] == heads[1]
    assert heads[0] != heads[2]


def test_an_index_or_a_catalogue_that_is_not_there_is_named(made_up: MadeUpShop) -> None:
    with pytest.raises(IndexUnusable, match="no index"):
        train(made_up.catalogue, made_up.index_folder / "nowhere", QUICK)
    with pytest.raises(CatalogueError, match="no such catalogue"):
        train(made_up.catalogue / "nowhere", made_up.index_folder, QUICK)


def test_a_catalogue_that_cannot_be_learned_leaves_the_index(made_up: MadeUpShop) -> None:
    manifest = current_version(made_up.index_folder) / "manifest.json"
    before = manifest.read_bytes()
    with pytest.raises(TrainingError, match="price"):
        made_up.train(columns=("price",))
    assert manifest.read_bytes() == before
    assert current_version(made_up.index_folder) == manifest.parent


def test_an_index_that_was_built_anew_meanwhile_is_left_alone(
    made_up: MadeUpShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, path = Trainer.run, current_version(made_up.index_folder) / "manifest.json"

    def rebuilt_while_training(self: Any, listener: Any) -> Any:
        head = run(self, listener)
        manifest = manifest_values(path)
        manifest["identity"]["weights"] = "others"
        path.write_text(json.dumps(manifest), "utf-8")
        return head

    monkeypatch.setattr(Trainer, "run", rebuilt_while_training)
    with pytest.raises(TrainingError, match="built anew"):
        made_up.train(epochs=1)
    assert Index.open(made_up.index_folder).head is None


# --- a head to start from, and one to take elsewhere ------------------------------------------


def test_a_head_is_saved_for_other_indexes(made_up: MadeUpShop, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    made_up.train(epochs=1, save_head=path)
    saved, kept = Head.load(path), Index.open(made_up.index_folder).head
    assert kept is not None
    np.testing.assert_array_equal(saved.hidden_weight, kept.hidden_weight)
    assert saved.network == kept.network == Index.open(made_up.index_folder).identity
    with pytest.raises(TrainingError, match=r"nowhere.*cannot be written"):
        made_up.train(epochs=1, save_head=tmp_path / "nowhere" / "h.safetensors")


def test_a_training_goes_on_from_a_head(made_up: MadeUpShop, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    first = made_up.train(epochs=8, save_head=path)
    from_nothing, gone_on = made_up.train(epochs=1), made_up.train(epochs=1, head=str(path))
    assert gone_on.validation["all_after"] > from_nothing.validation["all_after"]
    assert gone_on.validation["all_after"] >= first.validation["all_after"] - 0.1
    head = Index.open(made_up.index_folder).head
    assert head is not None
    assert head.record["started_from"] == path.name
    assert "name" not in head.record


def test_labels_that_the_head_did_not_know_are_learned_too(
    made_up: MadeUpShop, tmp_path: Path
) -> None:
    path = tmp_path / "kinds.safetensors"
    made_up.train(epochs=4, columns=("articleType",), save_head=path)
    made_up.train(epochs=4, head=str(path))
    head = Index.open(made_up.index_folder).head
    assert head is not None
    assert head.columns == ("articleType", "baseColour")


def test_a_head_for_another_network_is_no_start(made_up: MadeUpShop, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    made_up.train(epochs=1, save_head=path)
    with pytest.raises(TrainingError, match=r"no embeddings of the network.*--head fashion"):
        made_up.train(epochs=1, head="fashion")
    assert made_up.train(epochs=1, head="none").epochs == 1


def test_what_was_known_is_kept_where_nothing_better_is_learned(
    made_up: MadeUpShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.safetensors"
    made_up.train(epochs=8, save_head=path)
    monkeypatch.setattr("fitting_room.learning.trainer.PEAK_RATE_STARTED", 30.0)  # which ruins it
    summary = made_up.train(epochs=2, head=str(path))
    assert summary.best_epoch == 0
    head = Index.open(made_up.index_folder).head
    assert head is not None
    np.testing.assert_array_equal(head.hidden_weight, Head.load(path).hidden_weight)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere torch has another OpenMP")
def test_threads_without_work_leave_the_cores_to_others() -> None:
    # OpenMP says itself how it was set when it was loaded.
    code = "from fitting_room.learning.train import train; train('nowhere', 'nowhere')"
    environment = {k: v for k, v in os.environ.items() if k != OPENMP_WAITING}
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | {"OMP_DISPLAY_ENV": "TRUE"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in ended.stderr
    assert "no such catalogue" in ended.stderr
