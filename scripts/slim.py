"""Takes out of an environment what serving never uses, for the small image.

    python scripts/slim.py /opt/venv/lib/python3.13/site-packages

Each line of :data:`UNUSED` is a pattern of paths below ``site-packages``. Nothing that is imported
is among them: ``scripts/try_core.py`` tries the page, a search and a build afterwards.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

UNUSED = (
    # OpenVINO: graphics cards and neural processors; converters of other programs' networks, since
    # the network comes in OpenVINO's own form; what C++ is compiled with.
    "openvino/libs/*intel_gpu*", "openvino/libs/*intel_npu*", "openvino/libs/cache.json",
    *(f"openvino/libs/*{kind}_frontend*" for kind in
      ("gguf", "jax", "onnx", "paddle", "pytorch", "tensorflow", "tensorflow_lite")),
    "openvino/include", "openvino/cmake", "openvino/tools",
    # Arrow: remote procedure calls and query plans; what C++ is compiled with.
    "pyarrow/*flight*", "pyarrow/*substrait*", "pyarrow/include", "pyarrow/includes", "pyarrow/src",
    # Notebooks' widgets of a library that Streamlit brings.
    "pydeck/nbextension",
    # The libraries' own tests.
    *(f"{library}/**/tests" for library in ("numpy", "pandas", "pyarrow", "scipy")),
    # What installs, which nobody does in a container.
    "pip", "pip-*.dist-info", "setuptools", "setuptools-*.dist-info",
)  # fmt: skip


def slim(packages: Path) -> int:
    """Remove what is unused below a ``site-packages``; returns how many bytes that were."""
    removed = 0
    for pattern in UNUSED:
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
    print(f"{slim(Path(sys.argv[1])) / 1e6:,.0f} MB of what serving never uses were removed")
