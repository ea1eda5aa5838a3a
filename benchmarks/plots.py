"""Pictures of what benchmarks measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def draw_soak(series: Sequence[dict[str, float]], path: Path) -> None:
    """Memory and the time of answers, over the minutes of a soak."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    minutes = [row["second"] / 60 for row in series]
    figure, (above, below) = pyplot.subplots(2, 1, sharex=True, figsize=(8, 4.5), dpi=90)
    above.plot(minutes, [row["megabytes"] for row in series], color="#4477aa", linewidth=1.2)
    above.set_ylim(bottom=0)
    above.set_ylabel("MB, all processes")
    for name, colour in (("p95", "#ee6677"), ("p50", "#228833")):
        below.plot(minutes, [row[name] for row in series], color=colour, label=name, linewidth=1)
    below.axhline(1, color="#8d8d8d", linestyle=":", linewidth=1)
    below.set_ylim(bottom=0)
    below.set_ylabel("seconds to an answer")
    below.set_xlabel("minutes")
    below.legend(loc="upper right", frameon=False)
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
