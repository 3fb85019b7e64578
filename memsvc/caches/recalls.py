"""Hot recalls: which memories a question found a moment ago, in which order and how sure.

Kept are ids, versions and scores, never a text: memories are read from the database for every answer, so that an
answer says nothing that is not stored, and what was erased cannot come back out of a cache. One holds as long as its
namespace stands where it stood (head `seq`, epoch, policy, decisions about names, what feedback taught), and no longer
than a few seconds: retention, times to live and "the day" of the clock move on by themselves, and may be that late.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from memsvc.caches.layered import Layered
from memsvc.core.clock import to_us
from memsvc.core.secrets import Secrets
from retrieval.types import ChannelScore, Hit

_LABEL = "hot-recall"
_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Hot:
    """What a question found, best first."""

    hits: Sequence[Hit]
    confidence: float
    eligible: int


class HotRecalls:
    """Thread-safe.

    Args:
        holds_s: how long one may be given again.
        variant: what else answers depend on, in this process: models, weights, release.
    """

    def __init__(self, kept: Layered, secrets: Secrets, *, holds_s: float, variant: bytes) -> None:
        self._kept = kept
        self._secrets = secrets
        self._holds_us = int(holds_s * _US)
        self._variant = variant

    def digest(self, *asked: Any) -> bytes:
        """What a question is kept under: everything about it that JSON can say, keyed."""
        said = orjson.dumps(asked, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
        return self._secrets.sign(_LABEL, len(self._variant).to_bytes(4, "big") + self._variant + said)

    def find(self, tenant_id: UUID, digest: bytes, state: bytes, now: datetime) -> Hot | None:
        """What was found for a question while the namespace stood like this, if that is not too long ago."""
        value = self._kept.get(tenant_id, digest)
        hot = None if value is None else self._read(value, state, now)
        if value is not None and hot is None:
            newer = self._kept.refresh(tenant_id, digest)
            hot = None if newer is None else self._read(newer, state, now)
        return hot

    def keep(self, tenant_id: UUID, digest: bytes, state: bytes, now: datetime, hot: Hot) -> None:
        """Keep what a question found; `now` is from before it was asked."""
        hits = [
            [hit.memory_id.hex, hit.version, hit.score, {name: [s.rank, s.score] for name, s in hit.channels.items()}]
            for hit in hot.hits
        ]
        said = [to_us(now), state.hex(), hot.confidence, hot.eligible, hits]
        self._kept.put(tenant_id, digest, orjson.dumps(said, option=orjson.OPT_SERIALIZE_NUMPY))

    def _read(self, value: bytes, state: bytes, now: datetime) -> Hot | None:
        try:
            at_us, stood, confidence, eligible, hits = orjson.loads(value)
            if stood != state.hex() or not 0 <= to_us(now) - at_us <= self._holds_us:
                return None
            return Hot([_hit(rank, *of) for rank, of in enumerate(hits, 1)], float(confidence), int(eligible))
        except (ValueError, TypeError, AttributeError):  # of another release
            return None


def _hit(rank: int, memory_id: str, version: int, score: float, channels: dict[str, list[Any]]) -> Hit:
    scores = {name: ChannelScore(place, float(own)) for name, (place, own) in channels.items()}
    return Hit(rank, float(score), UUID(memory_id), int(version), scores)
