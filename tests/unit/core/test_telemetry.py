"""No telemetry leaves the machine: onnxruntime keeps what it would report in the home folder, so none is there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_runtime_of_models_collects_nothing(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    environment.pop("XDG_CACHE_HOME", None)
    subprocess.run([sys.executable, "-c", "import memsvc, onnxruntime"], env=environment, cwd=tmp_path, check=True)
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []
