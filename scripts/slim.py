"""Takes out of an environment what this program never uses, for the images.

    python scripts/slim.py /opt/venv/lib/python3.13/site-packages
    python scripts/slim.py /opt/venv/lib/python3.13/site-packages --to-serve

Each line is a pattern of paths below ``site-packages``. ``scripts/try_core.py`` tries the page, a
search and a build afterwards.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

#: What neither serving nor building nor training uses.
UNUSED = (
    # OpenVINO: graphics cards and neural processors; readers of other networks than torch's and its
    # own; what C++ is compiled with.
    "openvino/libs/*intel_gpu*", "openvino/libs/*intel_npu*", "openvino/libs/cache.json",
    *(f"openvino/libs/*{kind}_frontend*" for kind in
      ("gguf", "jax", "onnx", "paddle", "tensorflow", "tensorflow_lite")),
    "openvino/include", "openvino/cmake",
    # Arrow: remote procedure calls, its own way to buckets (ours is fsspec),
    # second and third names of one library, and what C++ and Cython are compiled with.
    "pyarrow/*flight*", "pyarrow/*s3*.so*", "pyarrow/libarrow_python*.so",
    "pyarrow/libarrow_python*.so.*.*.*", "pyarrow/include", "pyarrow/includes", "pyarrow/src",
    # The second of two pages to try an API on, and models of another age.
    "fastapi_offline/static/redoc*", "pydantic/v1",
    # Widgets of notebooks, which a library of Streamlit's brings.
    "pydeck/nbextension",
    # Torch: its tests as programs, and what C++ is compiled with.
    "torch/test", "torch/bin/*[tT]est*", "torch/bin/protoc*", "torch/include",
    # What compilers and readers of types want of Python's libraries.
    "**/*.pyi", "**/*.pyx", "**/*.pxd",
    # The libraries' own tests.
    *(f"{library}/**/tests" for library in
      ("networkx", "numpy", "pandas", "pyarrow", "scipy", "sklearn", "sympy")),
)  # fmt: skip
#: Elements of Streamlit that the page has none of: charts and diagrams, each with its scripts.
_CHARTS = ("DeckGlJsonChart", "EChartsChart", "GraphVizChart", "PlotlyChart", "cytoscape", "elk-",
           "embed")  # fmt: skip
#: What serving does without beside: what converts a network of torch's, charts, what installs.
NOT_TO_SERVE = (
    "openvino/libs/*pytorch_frontend*", "openvino/tools",
    *(f"streamlit/static/static/js/{name}*" for name in _CHARTS),
    "altair", "altair-*.dist-info", "narwhals", "narwhals-*.dist-info", "pydeck",
    "pydeck-*.dist-info",
    "_distutils_hack", "distutils-precedence.pth", "pip", "pip-*.dist-info", "pkg_resources",
    "setuptools", "setuptools-*.dist-info",
)  # fmt: skip


def slim(packages: Path, patterns: Iterable[str]) -> int:
    """Remove what is unused below a ``site-packages``; returns how many bytes that were."""
    removed = 0
    for pattern in patterns:
        for path in sorted(packages.glob(pattern)):
            if not path.exists():  # it was in a folder that has just gone
                continue
            files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
            removed += sum(file.stat().st_size for file in files)
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    return removed


if __name__ == "__main__":
    chosen = UNUSED + (NOT_TO_SERVE if "--to-serve" in sys.argv else ())
    print(f"{slim(Path(sys.argv[1]), chosen) / 1e6:,.0f} MB that nothing uses were removed")
