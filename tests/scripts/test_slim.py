"""What is taken out of an environment for the small image."""

from __future__ import annotations

import re
from pathlib import Path

from scripts.slim import NOT_TO_SERVE, UNUSED, slim
from tests.conftest import PROJECT

GOES = [
    "fastapi_offline/static/redoc.standalone.js",
    "numpy/random/_generator.pyi",
    "openvino/libs/libopenvino_intel_gpu_plugin.so",
    "openvino/libs/libopenvino_onnx_frontend.so.2641",
    "pandas/tests/io/test_csv.py",
    "pyarrow/_s3fs.cpython-313-x86_64-linux-gnu.so",
    "pyarrow/include/arrow/api.h",
    "pyarrow/libarrow_flight.so.2600",
    "pydantic/v1/main.py",
    "pyarrow/libarrow_python.so",
    "pyarrow/libarrow_python.so.2600.1.0",
    "scipy/sparse/linalg/tests/data.npz",
    "torch/bin/test_api",
]
GOES_TO_SERVE = [
    "altair/__init__.py",
    "openvino/libs/libopenvino_pytorch_frontend.so.2641",
    "pip/__init__.py",
    "pip-26.0.dist-info/METADATA",
    "streamlit/static/static/js/PlotlyChart.D9Z0_fxz.js",
]
STAYS = [
    "fastapi_offline/static/swagger-ui-bundle.js",
    "openvino/libs/libopenvino_intel_cpu_plugin.so",
    "openvino/libs/libopenvino_ir_frontend.so.2641",
    "pandas/testing.py",
    "pipeline/__init__.py",
    "pyarrow/libarrow.so.2600",
    "pyarrow/libarrow_python.so.2600",
    "streamlit/static/static/js/DataFrame.-f9-1zS0.js",
    "streamlit/testing/v1/app_test.py",
    "torch/testing/__init__.py",
]


def test_what_is_unused_goes_and_the_rest_stays(tmp_path: Path) -> None:
    for name in (*GOES, *GOES_TO_SERVE, *STAYS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"12345")
    assert slim(tmp_path, UNUSED) == 5 * len(GOES)
    assert left_in(tmp_path) == {*GOES_TO_SERVE, *STAYS}
    assert slim(tmp_path, NOT_TO_SERVE) == 5 * len(GOES_TO_SERVE)
    assert left_in(tmp_path) == set(STAYS)
    assert slim(tmp_path, UNUSED) == 0


def left_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_page_draws_none_of_the_charts_that_are_taken_out() -> None:
    """Whoever adds one to the page takes it off the list."""
    drawn = re.compile(
        r"altair|plotly|narwhals|st\.(\w+_chart|map|graphviz\w*|pydeck\w*)\(|^import pydeck",
        re.MULTILINE,
    )
    for path in (PROJECT / "fitting_room").rglob("*.py"):
        assert not drawn.search(path.read_text("utf-8")), path
