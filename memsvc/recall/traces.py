"""What recalls answered, kept for an hour in memory so that feedback can say what was right. Never logged or stored.

Of a hit only its id, its namespace's path and the score of each channel are kept. A recall is kept as one string of
bytes: ids and scores as objects of their own would take most of the room.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Lock
from uuid import UUID

import numpy as np
import orjson
from numpy.typing import NDArray

from memsvc.core.clock import Clock
from memsvc.core.ids import new_id
from memsvc.recall.several import Located
from retrieval.adaptation import apart

KEPT_FOR = timedelta(hours=1)
RECALLS_MAX = 10_000
HITS_MAX = 250_000
"""Of all recalls together: about 20 MB with ten channels."""
_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class Trace:
    """One recall.

    Attributes:
        asked: paths of the namespaces that were asked.
        memory_ids: of its hits, best first.
        paths: the namespace of each.
        channels: names of the channels, ascending.
        scores: float32 `[n_channels, n_hits]`, -inf where a channel has no score.
    """

    tenant_id: UUID
    at: datetime
    asked: tuple[str, ...]
    memory_ids: tuple[UUID, ...]
    paths: tuple[str, ...]
    channels: tuple[str, ...]
    scores: NDArray[np.float32]

    def packed(self) -> bytes:
        """All but whose and when: a line of JSON, then the ids, the places of their paths and the scores."""
        paths = list(dict.fromkeys(self.paths))
        places = {path: place for place, path in enumerate(paths)}
        head = orjson.dumps([self.asked, paths, self.channels])
        homes = np.array([places[path] for path in self.paths], dtype=np.uint16)
        ids = b"".join(memory_id.bytes for memory_id in self.memory_ids)
        return b"".join((head, b"\n", ids, homes.tobytes(), self.scores.tobytes()))

    @classmethod
    def unpacked(cls, kept: _Kept) -> Trace:
        """What `packed` was made of."""
        head, body = kept.packed.split(b"\n", 1)
        asked, paths, channels = orjson.loads(head)
        n_hits = kept.n_hits
        ids, homes = body[: n_hits * _ID_BYTES], np.frombuffer(body, np.uint16, n_hits, n_hits * _ID_BYTES)
        scores = np.frombuffer(body, np.float32, offset=len(ids) + homes.nbytes)
        return cls(
            kept.tenant_id,
            kept.at,
            tuple(asked),
            tuple(UUID(bytes=ids[begin : begin + _ID_BYTES]) for begin in range(0, len(ids), _ID_BYTES)),
            tuple(paths[home] for home in homes.tolist()),
            tuple(channels),
            scores.reshape(len(channels), n_hits),
        )

    def among(self, there: Container[UUID]) -> Trace:
        """The same recall as if only these memories had been there to be found."""
        places = [place for place, memory_id in enumerate(self.memory_ids) if memory_id in there]
        return replace(
            self,
            memory_ids=tuple(self.memory_ids[place] for place in places),
            paths=tuple(self.paths[place] for place in places),
            scores=self.scores[:, places],
        )

    def apart(self, memory_id: UUID) -> dict[str, float]:
        """By channel name, how many standard deviations it set a hit apart from the others of its namespace."""
        place = self.memory_ids.index(memory_id)
        same = np.array([path == self.paths[place] for path in self.paths])
        own = int(same[:place].sum())
        return {name: float(apart(self.scores[row, same])[own]) for row, name in enumerate(self.channels)}


@dataclass(frozen=True, slots=True)
class _Kept:
    """A recall as it is kept; whose and when is told without reading it."""

    tenant_id: UUID
    at: datetime
    n_hits: int
    packed: bytes


class Traces:
    """The recalls of the last hour, the oldest dropped where there are too many. Thread-safe."""

    def __init__(self, clock: Clock, *, recalls_max: int = RECALLS_MAX, hits_max: int = HITS_MAX) -> None:
        self._clock = clock
        self._recalls_max = recalls_max
        self._hits_max = hits_max
        self._kept: OrderedDict[UUID, _Kept] = OrderedDict()
        self._hits = 0
        self._lock = Lock()

    def record(self, tenant_id: UUID, asked: Iterable[str], hits: Sequence[Located]) -> UUID:
        """Keeps what a recall answered; returns the recall's id."""
        recall_id, now = new_id(), self._clock.now()
        channels = sorted({name for hit in hits for name in hit.found.hit.channels})
        scores = np.full((len(channels), len(hits)), -np.inf, dtype=np.float32)
        rows = {name: row for row, name in enumerate(channels)}
        for place, hit in enumerate(hits):
            for name, score in hit.found.hit.channels.items():
                scores[rows[name], place] = score.score
        trace = Trace(
            tenant_id,
            now,
            tuple(asked),
            tuple(hit.found.hit.memory_id for hit in hits),
            tuple(hit.path for hit in hits),
            tuple(channels),
            scores,
        )
        kept = _Kept(tenant_id, now, len(hits), trace.packed())
        with self._lock:
            self._kept[recall_id] = kept
            self._hits += len(hits)
            self._drop(now)
        return recall_id

    def find(self, tenant_id: UUID, recall_id: UUID) -> Trace | None:
        """A recall of this tenant in the last hour, or None."""
        with self._lock:
            self._drop(self._clock.now())
            kept = self._kept.get(recall_id)
        return Trace.unpacked(kept) if kept is not None and kept.tenant_id == tenant_id else None

    def _drop(self, now: datetime) -> None:
        while self._kept:
            oldest = next(iter(self._kept.values()))
            too_many = len(self._kept) > self._recalls_max or self._hits > self._hits_max
            if not too_many and now - oldest.at <= KEPT_FOR:
                return
            self._kept.popitem(last=False)
            self._hits -= oldest.n_hits
