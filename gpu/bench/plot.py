"""The tables as one picture: how many times the floor each shape takes, beside torch and faiss on the same data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gpu.bench import results

_BARS = (("ms", "memsvc", "#1f6feb"), ("torch_ms", "torch", "#b0b7c3"), ("faiss_gpu_ms", "faiss-gpu", "#e08e2b"))
"""Columns of the tables, what they are called, and their colours."""
_HEIGHT = 0.26


def draw(folder: Path = results.FOLDER) -> Path:
    """Writes `times_the_floor.png` beside the tables; a line of the aim stands where there is one.

    Raises:
        ModuleNotFoundError: matplotlib is not installed (`memsvc[dev]`).
        ValueError: the tables hold no times.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import patches, pyplot

    lines = [line for line in results.load(folder) if line["ms"] and line["floor_ms"]]
    if not lines:
        raise ValueError(f"no times in {folder}")
    figure, axes = pyplot.subplots(figsize=(10, 1.2 + 0.75 * len(lines)), layout="constrained")
    for at, line in enumerate(lines):
        _bars(axes, at, line)
    axes.set_yticks(range(len(lines)), [f"{line['op']}\n{line['shape']}" for line in lines], fontsize=8)
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.set_xscale("log")
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.set_xlabel("times the floor (what the device cannot be faster than); dotted: aim")
    axes.set_title(", ".join(sorted({line["device"] for line in lines})))
    drawn = [(name, colour) for column, name, colour in _BARS if any(line.get(column) for line in lines)]
    axes.legend([patches.Patch(color=colour) for _, colour in drawn], [name for name, _ in drawn], fontsize=8)
    path = folder / "times_the_floor.png"
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
    return path


def _bars(axes: Any, at: int, line: dict[str, str]) -> None:
    floor = float(line["floor_ms"])
    for place, (column, _, colour) in enumerate(_BARS):
        if value := line.get(column):
            ratio = float(value) / floor
            axes.barh(at + (place - 1) * _HEIGHT, ratio, _HEIGHT, color=colour)
            axes.text(ratio, at + (place - 1) * _HEIGHT, f" {ratio:.2f}", va="center", fontsize=7)
    if line["aim"]:
        axes.plot([float(line["aim"])] * 2, [at - 0.45, at + 0.45], ":", color="black", linewidth=1)


if __name__ == "__main__":
    print(draw())
