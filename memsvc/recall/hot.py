"""When what a recall found may be given again, and how it becomes an answer; see `memsvc.caches.recalls`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import orjson
import xxhash
from sqlalchemy import Connection

from memsvc.caches.recalls import Hot, HotRecalls
from memsvc.entities import repository as entities
from memsvc.memories import repository
from memsvc.memories.fading import shown_fading
from memsvc.namespaces import policies
from memsvc.namespaces.repository import NamespaceRow
from memsvc.recall.found import Found
from memsvc.recall.question import Question
from retrieval.types import Question as ReadQuestion
from retrieval.types import Recall

Place = tuple[bytes, bytes]
"""What a question is kept under, and how its namespace stands."""


def is_cacheable(question: Question) -> bool:
    """Whether a question may be answered with what it found before.

    Not one about the past of the service, and none that wants more than memories in an order.
    """
    return question.as_of is None and not question.with_vectors and not question.explains


def is_timeless(question: Question, read: ReadQuestion) -> bool:
    """Whether a question means the same a few seconds later: "yesterday" does only beside its own `asked_at`."""
    return question.asked_at is not None or (len(read.spans) == 0 and read.order is None)


class HotAnswers:
    """Finds and keeps what recalls found."""

    def __init__(self, kept: HotRecalls, factors: Callable[[NamespaceRow], Mapping[str, float]]) -> None:
        self._kept = kept
        self._factors = factors

    def place(self, connection: Connection, namespace: NamespaceRow, question: Question) -> Place:
        """Where to look: decisions about names and what feedback taught leave no trace in the change log."""
        digest = self._kept.digest(
            namespace.id,
            question.text,
            question.top_k,
            sorted(question.kinds),
            question.raw_condition,
            question.valid_at,
            question.asked_at,
            question.profile.value,
            question.descends,
            question.min_trust.value,
            question.sees_quarantined,
        )
        decisions = sorted(map(repr, entities.decisions(connection, namespace)))
        stands = [
            namespace.head_seq, namespace.epoch, namespace.has_derived, namespace.space_id, dict(namespace.settings),
            decisions, sorted(self._factors(namespace).items()),
        ]  # fmt: skip
        said = orjson.dumps(stands, option=orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY, default=repr)
        return digest, xxhash.xxh3_128_digest(said)

    def find(
        self, connection: Connection, namespace: NamespaceRow, place: Place, now: datetime
    ) -> tuple[list[Found], Hot] | None:
        """The memories as they are stored now, in the order in which they were found; None if any is not there."""
        digest, state = place
        hot = self._kept.find(namespace.tenant_id, digest, state, now)
        if hot is None:
            return None
        keys = [(hit.memory_id, hit.version) for hit in hot.hits]
        rows = repository.versions(connection, namespace.tenant_id, keys)
        policy = policies.of(namespace)
        found: list[Found] = []
        for hit in hot.hits:
            row = rows.get((hit.memory_id, hit.version))
            if row is None or (row.expires_at and row.expires_at <= now):
                return None
            found.append(Found(hit, row, shown_fading(cast("Mapping[str, Any]", row._mapping), policy, now)))
        return found, hot

    def keep(
        self, namespace: NamespaceRow, place: Place, now: datetime, found: Sequence[Found], recall: Recall
    ) -> None:
        """Keep what was found, as it was ordered in the end."""
        digest, state = place
        hot = Hot([one.hit for one in found], recall.confidence, recall.eligible)
        self._kept.keep(namespace.tenant_id, digest, state, now, hot)
