"""Work on a device that is recorded once and played for every batch: a launch instead of hundreds.

A batch is filled up to the nearest recorded shape. What is longer or larger than any is worked on without a record.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROWS = (1, 4, 16, 64, 128, 256)
_LENGTHS = (8, 16, 24, 32, 48, 64)

Work = Callable[[Any, Any], Any]
"""From tokens int64 `[n, length]` and which are there, bool of the same shape, to float32 `[n, dim]`; on the device."""


@dataclass(frozen=True, slots=True)
class _Record:
    """One shape: where its input is written, where its answer lies afterwards, and what is played."""

    ids: Any
    mask: Any
    out: Any
    graph: Any


class Recorded:
    """Work in every recorded shape, on a CUDA device, beside what others do there. One caller at a time."""

    def __init__(self, torch: Any, work: Work, device: str) -> None:
        """Records; takes seconds."""
        self._torch = torch
        self._work = work
        self._device = device
        self._memory = torch.cuda.graph_pool_handle()  # only one record plays at a time
        with torch.inference_mode():
            self._records = {(rows, length): self._record(rows, length) for rows in _ROWS[::-1] for length in _LENGTHS}
        torch.cuda.synchronize(device)
        self._stream = torch.cuda.Stream(device)  # of its own: to wait for it is not to wait for a search

    def __call__(self, ids: NDArray[np.int64], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        """What the work makes of a batch, float32 `[n, dim]` on the host.

        Args:
            ids, mask: `[n, length]`; at least one token is there in each row.
        """
        n, length = ids.shape
        shape = fitting(n, length)
        with self._torch.inference_mode(), self._torch.cuda.stream(self._stream):
            if shape is None:
                out = self._work(self._sent(ids), self._sent(mask))
            else:
                record = self._records[shape]
                record.ids.copy_(self._sent(filled(ids, shape)))
                record.mask.copy_(self._sent(filled(mask, shape)))
                record.graph.replay()
                out = record.out[:n]
            found: NDArray[np.float32] = out.cpu().numpy()
        return found

    def _record(self, rows: int, length: int) -> _Record:
        torch = self._torch
        ids = torch.zeros((rows, length), dtype=torch.int64, device=self._device)
        mask = torch.ones((rows, length), dtype=torch.bool, device=self._device)
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):  # libraries choose what they run before it is recorded
            self._work(ids, mask)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._memory, capture_error_mode="thread_local"):
            out = self._work(ids, mask)
        return _Record(ids, mask, out, graph)

    def _sent(self, values: NDArray[Any]) -> Any:
        return self._torch.from_numpy(values).pin_memory().to(self._device, non_blocking=True)


def fitting(n: int, length: int) -> tuple[int, int] | None:
    """The smallest recorded shape that such a batch goes into."""
    rows = next((rows for rows in _ROWS if rows >= n), None)
    longest = next((longest for longest in _LENGTHS if longest >= length), None)
    return None if rows is None or longest is None else (rows, longest)


def filled(values: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """A batch with further rows and columns. The first column of a further row is 1, so that something is there."""
    n, length = values.shape
    out = np.zeros(shape, values.dtype)
    out[:n, :length] = values
    out[n:, 0] = 1
    return out
