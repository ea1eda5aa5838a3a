"""An index in words, whoever wrote its records."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fitting_room.index.description import IndexDescription, describe_index, validation_of
from fitting_room.index.manifest import CatalogueRecord, Counts, FileEntry
from tests.index.made import manifest_of


class MadeIndex(SimpleNamespace):
    """What a description reads of an index."""

    def __len__(self) -> int:
        return self.manifest.counts.embedded

    @property
    def sample(self) -> MadeIndex:
        return self

    @property
    def item_count(self) -> int:
        return self.manifest.counts.items

    @property
    def has_several_pictures(self) -> bool:
        return len(self) != self.item_count


def description_of(
    report: dict[str, Any] | None = None, record: dict[str, Any] | None = None, **changes: Any
) -> IndexDescription:
    manifest = manifest_of(1200, 64, **changes)
    if report is not None:
        manifest = manifest_of(1200, 64, catalogue=CatalogueRecord("/shop", "f", report), **changes)
    head = SimpleNamespace(columns=("gender", "season"), dimension=256, record=record)
    index = MadeIndex(
        manifest=manifest,
        identity=manifest.identity,
        dimension=manifest.dimension,
        pca=SimpleNamespace(mean=range(2048)),
        ann=None,
        head=None if record is None else head,
    )
    return describe_index(index, "ResNet50")  # type: ignore[arg-type]


def test_pictures_are_counted_where_items_have_several() -> None:
    assert description_of(items=950).items == "950 items with 1,200 pictures of /nowhere"


def test_the_network_and_the_embeddings_are_described() -> None:
    files = {"vectors.npy": FileEntry(3 * 2**20, "0" * 64)}
    description = description_of(files=files, created="2026-01-02T03:04:05")
    assert description.items == "1,200 items of /nowhere"
    assert description.network == (
        "ResNet50, weights IMAGENET1K_V1 (sha256 000000000000), 224 x 168 pixels: a test"
    )
    assert description.embeddings == "64 numbers each, reduced by PCA from 2048, kept as float32"
    assert description.searched == "all items, exactly"
    assert description.built == "2026-01-02 03:04 (UTC), 3.0 MiB"
    assert (description.trained, description.validation) == (None, ())


def test_rows_that_were_repaired_or_left_out_are_counted() -> None:
    description = description_of(
        {
            "repaired": {"unquoted comma": 2},
            "dropped": {"no picture": 7},
            "examples": {"no picture": list(range(7))},
            "empty": {"season": 3},
            "unlisted": 4,
        },
        counts=Counts(rows=1211, items=1200, failed=2),
        failures=[{"id": "9", "reason": "This is not a picture."}],
    )
    assert description.rows == 1211
    assert description.outcomes == (
        ("repaired: unquoted comma", 2, ()),
        ("left out: no picture", 7, ("0", "1", "2", "3", "4", "5", "6")),
        ("pictures without a row", 4, ()),
    )
    assert description.empty == {"season": 3}
    assert description.failed == 2
    assert description.failures == (("9", "This is not a picture."),)


def test_a_head_is_described_by_what_it_learned() -> None:
    record = {"items": 1080, "photographs": 341, "holdout": 10,
              "validation": {"all_before": 0.25, "all_after": 0.5, "gender_after": 1}}  # fmt: skip
    description = description_of(record=record)
    assert description.trained == (
        "here, on 1,080 items and 341 photographs: gender, season; 256 numbers each; evaluate it "
        "with --holdout 10"
    )
    assert description.validation == (("all", 0.25, 0.5), ("gender", None, 1))


@pytest.mark.parametrize("nonsense", [None, "many", [1], {"a": "b"}, 1.5])
def test_records_that_make_no_sense_are_left_out(nonsense: Any) -> None:
    report = dict.fromkeys(["repaired", "dropped", "examples", "empty", "unlisted"], nonsense)
    record = dict.fromkeys(["items", "photographs", "holdout", "validation"], nonsense)
    description = description_of(report, record, failures=[{}])
    assert (description.outcomes, description.empty) == ((), {})
    assert description.trained == "here, on some items: gender, season; 256 numbers each"
    assert description.validation == validation_of(nonsense) == ()
    assert description.failures == (("None", "None"),)
