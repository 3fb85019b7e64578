"""What every channel said about every candidate of a question, recorded once, so that it can be fused again offline.

`Recorder` sits between the service's channels and its fusion. It keeps, for each recall, the candidates (all that any
channel listed), and for each channel its list, its moments and its score of every candidate: all that a fusion may ask
for. `Recorded.fused` gives that to a fusion again, with channels left out.

A channel that goes on from what others found (its seeds) is left out or kept with the list that it made from all of
them: the replay says what the fusion would lose, not what else the channel would have found.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.local import LocalService
from retrieval.fusion import Fusion
from retrieval.types import ChannelResult


@dataclass(frozen=True, slots=True)
class Line:
    """One channel's say about one question's candidates.

    Attributes:
        listed: places among the candidates, in the order of its list, int64 `[l]`.
        scores: of every candidate, float32 `[m]`.
    """

    listed: NDArray[np.int64]
    scores: NDArray[np.float32]
    mean: float
    std: float
    evidence: float | None
    force: float = 1.0


@dataclass(frozen=True, slots=True)
class Recorded:
    """One question.

    Attributes:
        ids: of the candidates, by slot.
        slots: of the candidates, ascending, int64 `[m]`.
        lines: by channel; those that abstained are not in it.
        given: what the fusion was given beside the lists and the limit, by name.
    """

    ids: tuple[UUID, ...]
    slots: NDArray[np.int64]
    lines: Mapping[str, Line]
    arguments: tuple[Any, ...]
    given: Mapping[str, Any]

    def results(self, without: Collection[str] = (), only: Collection[str] | None = None) -> dict[str, ChannelResult]:
        """The channels' results as they were, some left out."""
        return {
            name: self._result(line)
            for name, line in self.lines.items()
            if name not in without and (only is None or name in only)
        }

    def fused(
        self, fusion: Fusion, without: Collection[str] = (), only: Collection[str] | None = None
    ) -> tuple[UUID, ...]:
        """The ranking of a fusion without some channels; equal scores by id, as the service settles them."""
        results = self.results(without, only)
        if not results:
            return ()
        ranking = fusion.fuse(results, self.slots.size, *self.arguments, **self.given)
        ids = [self.ids[place] for place in np.searchsorted(self.slots, ranking.slots)]
        order = sorted(range(len(ids)), key=lambda at: (-float(ranking.scores[at]), ids[at]))
        return tuple(ids[at] for at in order)

    def _result(self, line: Line) -> ChannelResult:
        def score_of(wanted: NDArray[np.int64]) -> NDArray[np.float32]:
            places = np.minimum(np.searchsorted(self.slots, wanted), self.slots.size - 1)
            if not np.array_equal(self.slots[places], wanted):
                raise KeyError("a fusion asked for memories that no channel listed; those were not recorded")
            return line.scores[places]

        slots, scores = self.slots[line.listed], line.scores[line.listed]
        return ChannelResult(slots, scores, line.mean, line.std, score_of, line.evidence, line.force)


class Recorder:
    """A fusion that hands on to the one it replaces, and keeps what it was given."""

    def __init__(self, fusion: Fusion) -> None:
        """Wraps a fusion."""
        self.fusion = fusion
        self._results: dict[str, ChannelResult] = {}
        self._rest: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})
        self.last: Recorded | None = None

    def fuse(self, results: Mapping[str, ChannelResult], limit: int, *more: Any, **given: Any) -> Any:
        """See `retrieval.fusion.Fusion`."""
        self._results, self._rest = dict(results), (more, given)
        return self.fusion.fuse(results, limit, *more, **given)

    def contributions(
        self, results: Mapping[str, ChannelResult], *more: Any, **given: Any
    ) -> dict[str, NDArray[np.float64]]:
        """See `retrieval.fusion.Fusion`."""
        return self.fusion.contributions(results, *more, **given)

    def take(self, view: Any) -> None:
        """Keeps what the channels said, as long as their view is open."""
        lists = [result.slots for result in self._results.values()]
        slots = np.unique(np.concatenate(lists)) if lists else np.empty(0, np.int64)
        lines = {
            name: Line(
                listed=np.searchsorted(slots, result.slots),
                scores=np.array(result.score_of(slots), dtype=np.float32),
                mean=result.mean,
                std=result.std,
                evidence=result.evidence,
                force=result.force,
            )
            for name, result in self._results.items()
        }
        ids = tuple(UUID(bytes=row.tobytes()) for row in view.memory_id(slots))
        self.last = Recorded(ids, slots, lines, *self._rest)
        self._results = {}


@contextmanager
def recording(service: LocalService) -> Iterator[Recorder]:
    """Puts a recorder into the service's recaller for a while; `recorder.last` is what the last recall said.

    Raises:
        LookupError: the recaller has no part that fuses.
    """
    recaller: Any = service.container.recaller
    names = [name for name, part in vars(recaller).items() if hasattr(part, "fuse")]
    if len(names) != 1:
        raise LookupError(f"expected one part of the recaller that fuses, found {names}")
    (name,) = names
    fusion, recall = getattr(recaller, name), recaller.recall
    recorder = Recorder(fusion)

    def recorded(analysed: Any, bank: Any, *more: Any, **given: Any) -> Any:
        with bank.view(analysed.query.scan) as view:
            answer = recall(analysed, view, *more, **given)
            recorder.take(view)
            return answer

    setattr(recaller, name, recorder)
    recaller.recall = recorded
    try:
        yield recorder
    finally:
        setattr(recaller, name, fusion)
        del recaller.recall
