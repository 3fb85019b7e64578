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

FOLDER = Path(__file__).with_name("results")


@dataclass(frozen=True, slots=True)
class Measured:
    """One line: milliseconds, the milliseconds that reading the data once takes, and whatever else was measured."""

    op: str
    shape: str
    ms: float
    floor_ms: float
    aim: float | None
    more: dict[str, float | None] = field(default_factory=dict)

    def row(self) -> dict[str, object]:
        """As a line of the table."""
        shown = {name: "" if value is None else f"{value:.4g}" for name, value in self.more.items()}
        return {
            "op": self.op,
            "shape": self.shape,
            "ms": f"{self.ms:.4f}",
            "floor_ms": f"{self.floor_ms:.4f}",
            "of_floor": f"{self.ms / self.floor_ms:.3f}",
            "aim": "" if self.aim is None else f"{self.aim:g}",
            **shown,
        }


def save(name: str, lines: Iterable[Measured], bytes_per_ms: float, folder: Path = FOLDER) -> Path:
    """Writes a table with the device, versions and time of day in every line."""
    about = {
        "device": torch.cuda.get_device_name(),
        "copy_gb_per_s": f"{bytes_per_ms / 1e6:.0f}",
        "torch": torch.__version__,
        "triton": triton.__version__,
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
