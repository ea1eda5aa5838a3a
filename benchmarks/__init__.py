"""The benchmarks: see docs/performance.md, and ``python -m benchmarks.run --help``."""

import sys
from pathlib import Path

# They import each other by bare names, as `python benchmarks/page.py` finds them.
sys.path.append(str(Path(__file__).resolve().parent))
