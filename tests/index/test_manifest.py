"""What a manifest may say, and that an error names the field that is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fitting_room.index.manifest import (
    DESCRIPTORS,
    HEAD_FILE,
    ITEMS,
    MAP,
    SCALES,
    TRAINED,
    VECTORS,
    FileEntry,
    IndexOutdated,
    Manifest,
    read_manifest,
)
from tests.index.made import manifest_of

ENTRY = FileEntry(5, "0" * 64)
MANIFEST = manifest_of(
    12,
    5,
    build="b",
    created="2026-01-01T00:00:00+00:00",
    map={"basis": "x", "laid_out": 12, "changed": 0},
    files=dict.fromkeys((VECTORS, ITEMS, DESCRIPTORS, MAP), ENTRY),
)


def changed(name: str, value: Any) -> str:
    values = json.loads(json.dumps(MANIFEST.as_dict()))
    *parents, last = [part.replace("%", ".") for part in name.split(".")]
    place = values
    for parent in parents:
        place = place[parent]
    place[last] = value
    return json.dumps(values)


def test_it_comes_back_as_it_was() -> None:
    whole = replace(
        MANIFEST,
        advice="Use another",
        storage="int8",
        head={"loss": "none"},
        files={**MANIFEST.files, **dict.fromkeys((HEAD_FILE, TRAINED, SCALES), ENTRY)}
        | {"trained-scales.npy": ENTRY},
    )
    for manifest in (MANIFEST, whole):
        assert Manifest.from_json(json.dumps(manifest.as_dict())) == manifest


def test_its_keys_are_those_that_scripts_read() -> None:
    values = MANIFEST.as_dict()
    assert set(values) == {
        "format", "format_version", "descriptors", "build", "created", "identity", "chosen_because",
        "advice", "catalogue", "counts", "edits", "failures", "dimension", "storage", "pca", "head",
        "head_network",
        "calibration", "map", "files",
    }  # fmt: skip
    assert set(values["catalogue"]) == {"location", "fingerprint", "report"}
    assert values["files"][VECTORS] == {"bytes": 5, "sha256": "0" * 64}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("format", "app", "format must be 'fitting-room-index', and is 'app'"),
        ("format_version", 99, "format_version must be 4"),
        ("format_version", True, "format_version must be 4"),
        ("descriptors", -1, "descriptors must be"),
        ("build", None, "build must be text, and is None"),
        ("created", 5, "created must be text"),
        ("identity", [], "identity must be an object"),
        ("identity.weights", 3, "identity.weights must be text, and is 3"),
        ("advice", 3, "advice must be text or null"),
        ("catalogue", None, "catalogue must be an object"),
        ("catalogue.report", [], "catalogue.report must be an object"),
        ("counts", 12, "counts must be an object, and is 12"),
        ("counts.items", 0, "counts.items must be a positive whole number, and is 0"),
        ("counts.items", 12.0, "counts.items must be a whole number from 0 on, and is 12.0"),
        ("counts.items", True, "counts.items must be a whole number from 0 on"),
        ("counts.failed", -1, "counts.failed must be a whole number from 0 on"),
        ("counts.plain_background", None, "counts.plain_background must be a whole number"),
        ("failures", [3], "each of failures must be an object"),
        ("dimension", 10**18, "dimension must be a whole number from 1 to 65536"),
        ("storage", "int4", "storage must be 'float32' or 'float16' or 'int8', and is 'int4'"),
        ("storage", "int8", "files must name scales.npy, as storage says"),
        ("head", 3, "head must be an object or null"),
        ("head", {}, "files must name head.safetensors, as head says"),
        ("map", None, "files must not name map.npy, as map says"),
        ("map.basis", None, "map.basis must be text"),
        ("map.laid_out", 0, "map.laid_out must be a positive whole number"),
        ("map.changed", 1.5, "map.changed must be a whole number"),
        ("files", [], "files must be an object"),
        ("files", {}, "files must name descriptors.npy"),
        ("files.other", {"bytes": 1, "sha256": "0"}, "a name in files must be that of one of an"),
        ("files.vectors%npy", 3, "files.vectors.npy must be an object"),
        ("files.vectors%npy.sha256", {}, "files.vectors.npy.sha256 must be text, and is {}"),
        ("files.ann%faiss", {"bytes": 1, "sha256": "0"}, "files must name ann-encoder.safetensors"),
    ],
)
def test_the_field_that_is_wrong_is_named(name: str, value: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=r"^manifest\.json: ") as error:
        Manifest.from_json(changed(name, value))
    assert expected in str(error.value)


@pytest.mark.parametrize("text", ["", "[1]", '"text"', b"\xff\xfe\x00"])
def test_what_is_no_object_is_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Manifest.from_json(text)


@pytest.mark.parametrize("key", ["descriptors", "appearance"])
@pytest.mark.parametrize("head", [None, {}])
def test_an_index_that_saw_pictures_in_another_way_must_be_built_again(
    tmp_path: Path, key: str, head: object
) -> None:
    """Whatever else stands in it: format 3 had other keys."""
    values = json.loads(changed("head", head))
    del values["descriptors"]
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({**values, key: 1, "format_version": 3}), "utf-8")
    with pytest.raises(IndexOutdated) as error:
        read_manifest(tmp_path, path)
    assert "Build it again" in str(error.value)
    assert f"fitting-room build CATALOGUE --index {tmp_path}" in str(error.value)
    assert error.value.had_head == (head is not None)
