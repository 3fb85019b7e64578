"""Quality of recall against its latency: ours by profile, and what others reach, as a picture.

    python -m benchmarks.quality plot

Draws the figures of `results/quality.json` into `results/quality_latency.png`. Points of other systems were measured by
us on the same kind of machine (two cores), on all ten conversations of LoCoMo where nothing else is said; ours are on
the four conversations of `locomo_dev`. The same figures give the same picture, byte for byte with the same matplotlib.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from benchmarks import _results
from benchmarks.quality import fitted
from benchmarks.quality.report import asked, refused
from benchmarks.quality.run import NAME, PROFILES
from benchmarks.quality.sets import AVERAGED, Json

PICTURE = "quality_latency.png"
CONVERSATIONS = "locomo_dev"
DPI = 110


@dataclass(frozen=True, slots=True)
class Peer:
    """Another system on LoCoMo: recall@10 in percent (adversarial questions left out) and median search time."""

    name: str
    p50_ms: float
    recall_at_10: float
    on_all_ten: bool = True


PEERS = (
    Peer("bm25s", 0.1, 54.9),
    Peer("txtai hybrid", 9.1, 58.9),
    Peer("BM25 + mpnet, RRF", 47.0, 62.7),
    Peer("SuperLocalMemory", 182.0, 50.4),
    Peer("hindsight", 1126.0, 76.6),
    Peer("hindsight (our four)", 1126.0, 78.1, on_all_ten=False),
)
BASELINES = {"BM25": 55.4, "dense (MiniLM)": 50.5, "best simple fusion": 60.8}
"""Mean nDCG@10 of simple ways over the seven sets."""


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the picture; ends with code 2 if the figures rest on a fit to their own data."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality plot", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--name", default=NAME, help="name of the file of figures")
    parser.add_argument("--out", type=Path, default=_results.RESULTS / PICTURE)
    options = parser.parse_args(argv)
    saved = orjson.loads((_results.RESULTS / f"{options.name}.json").read_bytes())
    try:
        refused(saved["figures"])
    except fitted.SameDataError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    draw(saved, options.out)
    print(f"saved {options.out}, {options.out.stat().st_size / 1000:.0f} kB")


def draw(saved: Json, out: Path) -> None:
    """Two panels: LoCoMo with peers, and the mean over the sets.

    Args:
        saved: a result of `run`.
        out: of the PNG.
    """
    import matplotlib as mpl  # a dependency of the plot alone

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    with mpl.rc_context(
        {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "memsvc"}
    ):
        figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), dpi=DPI, layout="constrained")
        _conversations(left, saved)
        _means(right, saved)
        machine = saved["machine"]
        where = f"{machine['cores']} cores of {machine['cpu']}, {saved['date'][:10]}{asked(saved)}"
        figure.supxlabel(
            f"median time of a search by one client, embedding included, ms (log scale); {where}", fontsize=8
        )
        figure.savefig(out, metadata={"Software": None})
        plt.close(figure)


def _conversations(axes: Any, saved: Json) -> None:
    axes.set_title("LoCoMo: recall@10 of the evidence, %", loc="left", fontweight="bold")
    for peer in PEERS:
        face = "tab:gray" if peer.on_all_ten else "white"
        axes.scatter(peer.p50_ms, peer.recall_at_10, s=34, color=face, edgecolors="tab:gray", zorder=2)
        _name(axes, peer.name, peer.p50_ms, peer.recall_at_10, "dimgray", above=peer.recall_at_10 > 77)
    points = [
        (profile, of["sets"][CONVERSATIONS]["p50_ms"], of["sets"][CONVERSATIONS]["recall@10"])
        for profile, of in _profiles(saved)
        if CONVERSATIONS in of["sets"]
    ]
    _ours(axes, points)
    axes.text(
        0.02,
        0.02,
        "grey: other systems, all ten conversations (hollow: our four), their own search call\n"
        "blue: memsvc, the four conversations of locomo_dev, over HTTP",
        transform=axes.transAxes,
        fontsize=7,
        color="dimgray",
    )
    axes.set_xscale("log")
    axes.set_xlim(0.05, 6000)
    axes.set_ylim(40, 90)
    axes.grid(alpha=0.25)


def _means(axes: Any, saved: Json) -> None:
    points = [
        (profile, statistics.median(one["p50_ms"] for one in of["sets"].values()), of["mean_ndcg@10"])
        for profile, of in _profiles(saved)
        if "mean_ndcg@10" in of
    ]
    count = next((of["mean_of"] for _, of in _profiles(saved) if "mean_of" in of), 0)
    axes.set_title(f"Mean nDCG@10 of {count} sets, %", loc="left", fontweight="bold")
    simple = BASELINES if count == len(AVERAGED) else {}
    for name, value in simple.items():
        axes.axhline(value, color="tab:gray", linewidth=0.8, linestyle="--", zorder=1)
        axes.text(
            0.99, value + 0.2, name, fontsize=7, color="dimgray", ha="right", transform=axes.get_yaxis_transform()
        )
    _ours(axes, points)
    axes.set_xscale("log")
    axes.set_xlim(3, 3000)
    values = [*simple.values(), *(point[2] for point in points)] or [50.0]
    axes.set_ylim(min(values) - 3, max(values) + 3)
    axes.grid(alpha=0.25)


def _profiles(saved: Json) -> list[tuple[str, Json]]:
    there = saved["figures"]["profiles"]
    return [(name, there[name]) for name in PROFILES if name in there]


def _ours(axes: Any, points: Sequence[tuple[str, float, float]]) -> None:
    if not points:
        return
    axes.plot([x for _, x, _ in points], [y for *_, y in points], color="tab:blue", linewidth=1, zorder=3)
    for number, (name, x, y) in enumerate(points):
        axes.scatter(x, y, s=46, color="tab:blue", zorder=4)
        _name(axes, f"memsvc {name}", x, y, "tab:blue", above=number % 2 == 0)


def _name(axes: Any, text: str, x: float, y: float, color: str, *, above: bool) -> None:
    place = (0, 7) if above else (0, -13)
    axes.annotate(text, (x, y), place, textcoords="offset points", ha="center", fontsize=8, color=color)


if __name__ == "__main__":
    main()
