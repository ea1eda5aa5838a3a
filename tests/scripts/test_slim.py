"""What is taken out of an environment for the small image."""

from __future__ import annotations

from pathlib import Path

from scripts.slim import slim

GOES = [
    "openvino/libs/libopenvino_intel_gpu_plugin.so",
    "openvino/libs/libopenvino_pytorch_frontend.so.2641",
    "pandas/tests/io/test_csv.py",
    "pip/__init__.py",
    "pip-26.0.dist-info/METADATA",
    "pyarrow/include/arrow/api.h",
    "pyarrow/libarrow_flight.so.2600",
    "scipy/sparse/linalg/tests/data.npz",
]
STAYS = [
    "openvino/libs/libopenvino_intel_cpu_plugin.so",
    "openvino/libs/libopenvino_ir_frontend.so.2641",
    "pandas/testing.py",
    "pipeline/__init__.py",
    "pyarrow/libarrow.so.2600",
    "streamlit/testing/v1/app_test.py",
]


def test_what_is_unused_goes_and_the_rest_stays(tmp_path: Path) -> None:
    for name in (*GOES, *STAYS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"12345")
    assert slim(tmp_path) == 5 * len(GOES)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == set(STAYS)
    assert slim(tmp_path) == 0
