"""Imported once, by the process that servers are forked from: a service was open in it and is closed again.

Only the one thread of Python's must be left: a fork takes no other one along.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import memsvc.commands.server
import memsvc_client.cli.main
from benchmarks.faults import plants
from memsvc.core.settings import Settings
from memsvc.main import create_app
from memsvc.wiring import Container

__all__ = ["memsvc", "memsvc_client", "plants"]

with tempfile.TemporaryDirectory(prefix="memsvc-warm-") as _folder:
    _container = Container(Settings(data_dir=Path(_folder), embedder="hashing:64", reranker="none"))
    try:
        _container.start()
        create_app(_container, is_started=True)
    finally:
        _container.close()
