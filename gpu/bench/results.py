"""What was measured, as lines of a table."""

from __future__ import annotations

import csv
import platform
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import torch
import triton

from gpu.faiss_library import faiss

FOLDER = Path(__file__).with_name("results")


@dataclass(frozen=True, slots=True)
class Measured:
    """One line.

    Attributes:
        op, shape: what was measured.
        ms: milliseconds; None for a line that is about something else.
        floor_ms: milliseconds that it cannot be faster than: of reading the data once, or of the bare products.
        aim: how many times the floor are aimed at.
        more: whatever else was measured; names that end in `_ms` are times of the same work done another way.
    """

    op: str
    shape: str
    ms: float | None
    floor_ms: float | None
    aim: float | None
    more: dict[str, float | None] = field(default_factory=dict)

    def row(self) -> dict[str, object]:
        """As a line of the table."""
        shown = {name: _shown(value, ".4g") for name, value in self.more.items()}
        ratio = self.ms / self.floor_ms if self.ms is not None and self.floor_ms else None
        return {
            "op": self.op,
            "shape": self.shape,
            "ms": _shown(self.ms, ".4g"),
            "floor_ms": _shown(self.floor_ms, ".4g"),
            "of_floor": _shown(ratio, ".3f"),
            "aim": _shown(self.aim, "g"),
            **shown,
        }


def _shown(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def save(name: str, lines: Iterable[Measured], bytes_per_ms: float, folder: Path = FOLDER) -> Path:
    """Writes a table with the device, versions and time of day in every line."""
    about = {
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine(),
        "copy_gb_per_s": f"{bytes_per_ms / 1e6:.0f}",
        "torch": torch.__version__,
        "triton": triton.__version__,
        "faiss": getattr(faiss(), "__version__", ""),
        "python": platform.python_version(),
        "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    rows = [{**line.row(), **about} for line in lines]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.csv"
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def load(folder: Path) -> list[dict[str, str]]:
    """All lines of the tables of a folder, by name of the table; what was not measured is empty."""
    lines = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="") as file:
            lines += list(csv.DictReader(file))
    return lines
