"""Saves figures beside what they were measured on: machine, versions, seed, date and command."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import orjson
import psutil

RESULTS = Path(__file__).parent / "results"
_VERSIONS_OF = (
    "memsvc",
    "fastapi",
    "sqlalchemy",
    "uvicorn",
    "numpy",
    "numba",
    "onnxruntime",
    "tokenizers",
    "torch",
    "sentence-transformers",
    "faiss-cpu",
)


def save(name: str, figures: dict[str, Any], *, command: str, seed: int | None = None) -> Path:
    """Writes `results/<name>.json`.

    Args:
        name: of the benchmark.
        figures: what was measured; anything JSON can say.
        command: what a reader runs to measure it again.
        seed: of the random numbers, if there were any.
    """
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    report = {
        "benchmark": name,
        "command": command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "machine": machine(),
        "versions": versions(),
        "revision": revision(),
        "figures": figures,
    }
    path.write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY) + b"\n")
    return path


def machine() -> dict[str, Any]:
    """What it ran on, load included: timings on a busy machine are not those of an idle one."""
    return {
        "cpu": _cpu(),
        "vector_units": _vector_units(),
        "cores": os.cpu_count(),
        "ram_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_1m": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "python": sys.version.split()[0],
    }


def versions() -> dict[str, str]:
    """Versions of the libraries that decide the figures, where installed."""
    found = {}
    for package in _VERSIONS_OF:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def revision() -> str | None:
    """The commit that was measured, marked if files differ from it; None outside a checkout."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(command, cwd=RESULTS.parent, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def _vector_units() -> list[str]:
    """What the processor can do that decides how fast models with whole numbers run."""
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text(encoding="utf-8") if cpuinfo.exists() else ""
    flags = set(next((line.split(":", 1)[1] for line in text.splitlines() if line.startswith("flags")), "").split())
    return [name for name in ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8") if name in flags]


def _cpu() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )
