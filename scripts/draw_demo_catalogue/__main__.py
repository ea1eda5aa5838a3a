"""Draw the bundled demo catalogue and the sample pictures.

    pip install -r scripts/requirements.txt
    python -m scripts.draw_demo_catalogue

With the same versions of the renderer and of Pillow, on the same kind of processor, it writes the
same bytes again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from scripts.draw_demo_catalogue.catalogue import write_catalogue
from scripts.draw_demo_catalogue.samples import write_samples

DATA = Path(__file__).resolve().parents[2] / "data"


def main() -> int:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--catalogue", type=Path, default=DATA / "demo")
    parser.add_argument("--samples", type=Path, default=DATA / "samples")
    parser.add_argument("--only-samples", action="store_true")
    options = parser.parse_args()
    if not options.only_samples:
        print(f"{write_catalogue(options.catalogue)} items: {options.catalogue}")
    print(f"{write_samples(options.samples)} samples: {options.samples}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
