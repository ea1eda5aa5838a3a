"""Pictures of what benchmarks measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any


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


#: Colours that the colour-blind tell apart (Paul Tol's), for the methods in their order.
_COLOURS = ("#4477aa", "#66ccee", "#228833", "#ccbb44", "#ee6677", "#aa3377", "#bbbbbb", "#000000")
_MARKS = "osD^v<>PX"


def draw_recall(results: Sequence[dict[str, Any]], path: Path) -> None:
    """Milliseconds against recall, a panel a set: of each method the settings that none of its own
    beats in both. Recall is drawn by what is missing to 1, since all lie close to it."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(
        1, len(results), sharey=True, squeeze=False, figsize=(4.2 * len(results), 4.6), dpi=90
    )
    names = list(dict.fromkeys(row["method"] for result in results for row in result["ways"]))
    handles: dict[str, Any] = {}
    for result, axes in zip(results, panels[0], strict=True):
        for name in dict.fromkeys(row["method"] for row in result["ways"]):
            front = _front([row for row in result["ways"] if row["method"] == name])
            place, ours = names.index(name), name.startswith("ours")
            (handles[name],) = axes.plot(
                [max(1 - row["recall@10"], 3e-4) for row in front],
                [row["median ms"] for row in front],
                color="#cc3311" if ours else _COLOURS[place % len(_COLOURS)],
                marker="*" if ours else _MARKS[place % len(_MARKS)],
                linestyle=":" if len(front) == 1 else "-",
                linewidth=2 if ours else 1,
                markersize=8 if ours else 4,
                markerfacecolor="none" if name.endswith("exact") else None,
            )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(0.2, 2.5e-4)
        axes.set_xticks([0.1, 0.05, 0.01, 0.001], ["0.9", "0.95", "0.99", "0.999"])
        axes.minorticks_off()
        axes.grid(True, alpha=0.3)
        axes.set_xlabel("recall@10")
        axes.set_title(
            f"{result['set']}\n{result['items']:,} x {result['dimension']}, {result['metric']}",
            fontsize=9,
        )
        axes.spines[["top", "right"]].set_visible(False)
    panels[0][0].set_ylabel("ms a query, one thread (lower is better)")
    columns = min(6, 2 * len(results))
    figure.legend(
        handles.values(), handles, loc="lower center", ncol=columns, frameon=False, fontsize=8
    )
    lines = -(-len(handles) // columns)
    figure.tight_layout(rect=(0, 0.02 + 0.045 * lines, 1, 1))
    figure.savefig(path)
    pyplot.close(figure)


def _front(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The settings that no other is quicker than at the same recall, by recall."""
    front: list[dict[str, Any]] = []
    for row in sorted(rows, key=lambda row: (-row["recall@10"], row["median ms"])):
        if not front or row["median ms"] < front[-1]["median ms"]:
            front.append(row)
    return front[::-1]
