"""What evaluations said of networks is found again, and which networks are worth their time."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitting_room.embedding.backbones import get_backbone
from fitting_room.evaluation import records
from fitting_room.evaluation.records import EvaluationRecord, comparable, keep, pareto

RECORD = EvaluationRecord("resnet50", "a" * 64, (224, 168), "precision@4, shop", 0.5, 10)


def test_a_record_is_kept_in_place_of_the_earlier_one(tmp_path: Path) -> None:
    for record in (RECORD, replace(RECORD, backbone="xception"), replace(RECORD, precision=0.75)):
        keep(record, tmp_path / "cache")
    kept = [one for one in records.records(tmp_path / "cache") if one.protocol == RECORD.protocol]
    assert kept == [replace(RECORD, backbone="xception"), replace(RECORD, precision=0.75)]


def test_a_network_has_a_record_for_each_size_of_its_input(tmp_path: Path) -> None:
    larger = replace(RECORD, input_size=(288, 216), precision=0.6)
    for record in (RECORD, larger):
        keep(record, tmp_path)
    assert records.records(tmp_path)[-2:] == [RECORD, larger]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"records": [{}]}', '{"records": 3}', "[" * 10**5]
)
def test_a_damaged_file_is_as_none_and_is_written_anew(text: str, tmp_path: Path) -> None:
    (tmp_path / records.FILE).write_text(text, "utf-8")
    published = records.records(tmp_path)
    keep(RECORD, tmp_path)
    assert records.records(tmp_path) == [*published, RECORD]


def test_published_figures_are_of_registered_weights_and_stand_in_the_docs() -> None:
    content = json.loads(records.PUBLISHED.read_text("utf-8"))
    document = (Path(__file__).parents[2] / content["source"]).read_text("utf-8")
    for record in records._read(records.PUBLISHED):
        sources = get_backbone(record.backbone).weights
        assert record.weights_sha256 in [source.sha256 for source in sources]
        assert f"{record.precision:.3f}" in document
        assert any(f", {name}, " in record.protocol for name in content["commands"])


def test_networks_are_compared_in_the_protocol_that_most_of_them_have() -> None:
    other = replace(RECORD, protocol="another")
    found = [RECORD, replace(RECORD, backbone="xception"), other]
    assert comparable(found, ["resnet50", "xception"]) == RECORD.protocol
    assert comparable(found, ["resnet50"]) == "another"  # the last of as good ones
    assert comparable(found, ["none"]) is None


@given(
    st.dictionaries(st.text(max_size=3), st.tuples(st.floats(0, 9), st.floats(0, 1)), min_size=1)
)
def test_the_front_beats_all_others_and_none_of_itself(points) -> None:
    front = pareto(points)
    assert front

    def beats(one: str, other: str) -> bool:
        (time, precision), (of_other, others) = points[one], points[other]
        return time <= of_other and precision >= others and points[one] != points[other]

    for name in points:
        assert (name in front) == (not any(beats(one, name) for one in points))
        assert name in front or any(beats(one, name) for one in front)
