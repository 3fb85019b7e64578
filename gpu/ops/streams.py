"""Work beside other work on one device."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import torch

_cuda: Any = torch.cuda  # its types are incomplete


class Beside:
    """A second stream that begins where the current one is; without a device everything happens in turn.

    Whoever uses it takes all memory before, on the current stream, and lets that one wait at the end: memory that is
    given back afterwards is then free on both. Events are all it is made of, so that it can be captured into a graph.
    """

    def __init__(self, device: torch.device) -> None:
        """Begins behind what was launched on the current stream of a device."""
        self._device = device
        self._stream = _side_of(device) if device.type == "cuda" else None
        if self._stream is not None:
            self._stream.wait_stream(_cuda.current_stream(device))

    def active(self) -> AbstractContextManager[Any]:
        """Launches on the second stream."""
        stream: AbstractContextManager[Any] = nullcontext() if self._stream is None else _cuda.stream(self._stream)
        return stream

    def mark(self) -> Any:
        """Where the second stream is now, to be waited for."""
        return None if self._stream is None else self._stream.record_event()

    def wait_for(self, mark: Any) -> None:
        """Lets the current stream wait until the second one was at a mark."""
        if mark is not None:
            _cuda.current_stream(self._device).wait_event(mark)


@cache
def _side_of(device: torch.device) -> Any:
    return _cuda.Stream(device)
