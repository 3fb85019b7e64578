"""What the allocator keeps: asked of the real one, in a process of its own."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_ARENAS = """
import ctypes, sys, threading
from memsvc.core import heap

if sys.argv[1] == "shared":
    heap.share_arenas()
all_there = threading.Barrier(8)

def hold() -> None:
    kept = [bytearray(2_000) for _ in range(1_000)]
    all_there.wait()

threads = [threading.Thread(target=hold) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc = ctypes.CDLL(None)
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")
@pytest.mark.parametrize(("how", "at_most"), [("shared", 2), ("alone", None)])
def test_threads_share_two_arenas(how: str, at_most: int | None) -> None:
    told = subprocess.run([sys.executable, "-c", _ARENAS, how], check=True, capture_output=True, text=True).stdout
    arenas = told.count("<heap nr=")
    assert arenas <= at_most if at_most else arenas > 2
