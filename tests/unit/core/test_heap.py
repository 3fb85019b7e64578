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


_PEAK = """
import sys, time
import psutil
from memsvc.core import heap

resident = lambda: psutil.Process().memory_info().rss / 2**20
if sys.argv[1] == "trimmed":
    heap.trim_regularly(every_s=0.05)
held = [bytearray(2_000) for _ in range(30_000)]
peak = resident()
held = held[::1_000]  # what lies between them is free, and at no arena's end
until = time.monotonic() + (20 if sys.argv[1] == "trimmed" else 1)
while resident() > peak - 30 and time.monotonic() < until:
    time.sleep(0.02)
print(peak - resident())
"""
glibc_only = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")


@glibc_only
@pytest.mark.parametrize("how", ["trimmed", "left alone"])
def test_a_peak_goes_back_to_the_system_though_something_of_it_is_still_used(how: str) -> None:
    told = subprocess.run([sys.executable, "-c", _PEAK, how], check=True, capture_output=True, text=True).stdout
    given_back_mib = float(told)
    assert given_back_mib > 30 if how == "trimmed" else given_back_mib < 10


@glibc_only
@pytest.mark.parametrize(("how", "at_most"), [("shared", 2), ("alone", None)])
def test_threads_share_two_arenas(how: str, at_most: int | None) -> None:
    told = subprocess.run([sys.executable, "-c", _ARENAS, how], check=True, capture_output=True, text=True).stdout
    arenas = told.count("<heap nr=")
    assert arenas <= at_most if at_most else arenas > 2
