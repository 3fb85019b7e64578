"""One recall from the request to the answer: bring the bank up to date, search it, fetch what was found."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from uuid import UUID

from gpu import tracing
from lifecycle.asked_for import asks_for_past
from lifecycle.policy import Policy
from lifecycle.telling_order import LOOKED_AT
from memsvc.core.clock import Clock, from_us
from memsvc.core.errors import InvalidInput, Unavailable
from memsvc.db.engine import Database
from memsvc.filters.ast import names
from memsvc.index.keeper import Held, Keeper, Switched
from memsvc.namespaces import policies
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow
from memsvc.recall.found import Found, newer_first
from memsvc.recall.hot import HotAnswers, is_cacheable, is_timeless
from memsvc.recall.question import Question
from memsvc.recall.scope import Scopes
from memsvc.recall.searching import Searching
from memsvc.recall.tellings import asks_for_now, later_tellings
from retrieval.pipeline import Recaller
from retrieval.types import Encoded, Query, Resolved
from retrieval.types import Question as ReadQuestion


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found, and how.

    `explained` says what was read out of the question, and which further hops were made; `capped` by origin how many
    memories of an untrusted source gave way to others.
    """

    found: Sequence[Found]
    confidence: float
    seq: int
    degraded: Sequence[str]
    timings_ms: dict[str, float]
    eligible: int
    explained: dict[str, Any] = field(default_factory=dict)
    namespace_id: UUID | None = None
    capped: Mapping[str, int] = field(default_factory=dict)


Embed = Callable[[UUID, str], Future[Encoded]]
"""Starts to encode a tenant's question."""


@dataclass(frozen=True, slots=True)
class Way:
    """How namespaces of one embedding space are asked: the stages of a recall with the model of that space."""

    recaller: Recaller
    embed: Embed

    @classmethod
    def of(cls, recaller: Recaller) -> Way:
        """Without a cache of questions that processes share."""
        return cls(recaller, lambda tenant_id, text: recaller.embed(text))


Factors = Callable[[NamespaceRow], Mapping[str, float]]
"""What feedback taught about the weights of channels in a namespace."""


Resolve = Callable[[NamespaceRow, Sequence[str]], Sequence[Resolved]]
"""What each name of a question stands for in a namespace."""


_TRIES = 3
"""How often a recall begins: once more for each time that the namespace switches to another model meanwhile."""


class RecallService:
    """Answers questions over one namespace.

    Args:
        ways: by embedding space; the first is that of new namespaces. A namespace of a space that is none of these is
            asked without a vector.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        keeper: Keeper,
        ways: Mapping[UUID, Way],
        factors: Factors = lambda namespace: {},
        resolve: Resolve = lambda namespace, names: (),
        *,
        hot: HotAnswers | None = None,
    ) -> None:
        self._hot = hot
        self._factors = factors
        self._resolve = resolve
        self._database = database
        self._clock = clock
        self._keeper = keeper
        self._ways = dict(ways)
        self._first = next(iter(self._ways.values()))
        self._scopes = Scopes()

    def __call__(self, tenant_id: UUID, question: Question) -> Answer:
        """The memories that matter, best first. An unknown namespace is an empty one.

        Raises:
            InvalidInput: `min_seq` is ahead of the namespace, or `as_of` in the future.
            Unavailable: the namespace switched from model to model all the time.
        """
        with tracing.step("recall", profile=question.profile.value, top_k=question.top_k):
            for _ in range(_TRIES):
                with suppress(Switched):
                    return self._answer(tenant_id, question)
        raise Unavailable("the namespace is switching to another embedding model; ask again", retry_after_s=1)

    def _answer(self, tenant_id: UUID, question: Question) -> Answer:
        begun = time.perf_counter()
        now = self._clock.now()
        if question.as_of is not None and question.as_of > now:
            raise InvalidInput.field("/as_of", "in_the_future", "lies in the future")
        may_be_hot = self._hot is not None and is_cacheable(question)
        # The longest part: the rest goes on beside it. Where it may not be needed, or which model has to read it is not
        # known yet, it waits for that.
        is_known = len(self._ways) == 1 and not may_be_hot
        coming = self._first.embed(tenant_id, question.text) if is_known else None
        with self._database.read(tenant_id) as connection:
            namespace = namespaces.find(connection, tenant_id, question.path)
            head = 0 if namespace is None else namespace.head_seq
            if question.min_seq is not None and question.min_seq > head:
                raise InvalidInput.field("/min_seq", "not_reached", "is ahead of the namespace's last change")
            if namespace is None:
                return Answer((), 0.0, 0, (), {"total": _ms_since(begun)}, 0)
            place = self._hot.place(connection, namespace, question) if self._hot and may_be_hot else None
            kept = self._hot.find(connection, namespace, place, now) if self._hot and place else None
            if kept is not None:
                found, hot = kept
                timings = {"total": _ms_since(begun)}
                return Answer(found, hot.confidence, namespace.head_seq, (), timings, hot.eligible)
            scan = self._scopes.scan(
                connection,
                namespace,
                question.condition,
                question.raw_condition,
                kinds=question.kinds,
                now=now,
                as_of=question.as_of,
                valid_at=question.valid_at,
                min_trust=question.min_trust,
                sees_quarantined=question.sees_quarantined,
            )
        way = self._ways.get(namespace.space_id, self._first)
        coming = coming or way.embed(tenant_id, question.text)
        policy = policies.of(namespace)
        is_of_now = _is_of_now(question, policy)
        self._keeper.catch_up(namespace.key, namespace.head_seq)
        located = time.perf_counter()
        top_k = max(question.top_k, LOOKED_AT) if is_of_now else question.top_k
        query = Query(
            text=question.text,
            asked_at=question.asked_at or now,
            top_k=top_k,
            scan=scan,
            profile=question.profile,
            deadline_s=None if question.deadline_s is None else max(0.0, question.deadline_s - (located - begun)),
            with_vectors=question.with_vectors or is_of_now,
            explains=question.explains,
        )
        analysed = way.recaller.analyse(query, partial(self._resolve, namespace), coming)
        if namespace.space_id not in self._ways:
            analysed = replace(analysed, reading=None)  # the namespace's vectors come from another model
        searching = time.perf_counter()
        searches = Searching(
            self._database,
            way.recaller,
            namespace,
            Held(self._keeper, namespace.key, namespace.space_id),
            analysed,
            self._factors(namespace),
            question.as_of,
            now,
            names_made=question.condition is not None and names(question.condition, "derived"),
        )
        recall, hits = searches.find(top_k, descends=question.descends)
        if is_of_now and asks_for_now(analysed.question):
            later = later_tellings(hits, question.text, analysed.question.names, policy.later_first)
            hits = newer_first(hits, later)
        capped: Mapping[str, int] = {}
        if namespace.has_external:
            hits, capped = searches.shared_out(hits, question.top_k, descends=question.descends)
        timings = {
            **recall.timings_ms,
            "locate": (located - begun) * 1e3,
            "search": _ms_since(searching) - recall.timings_ms["embed_wait"] - recall.timings_ms["fetch"],
            "total": _ms_since(begun),
        }
        hits = hits[: question.top_k]
        if self._hot and place and not recall.degraded and is_timeless(question, analysed.question):
            self._hot.keep(namespace, place, now, hits, recall)
        return Answer(
            hits,
            recall.confidence,
            namespace.head_seq,
            recall.degraded,
            timings,
            recall.eligible,
            explained(analysed.question, recall.trail),
            namespace.id,
            capped,
        )


def _is_of_now(question: Question, policy: Policy) -> bool:
    """Whether what was told later may go first, as far as the request says."""
    asks_for_then = question.as_of is not None or question.valid_at is not None or asks_for_past(question.text)
    return policy.later_first > 0.0 and not asks_for_then


def explained(question: ReadQuestion, trail: Sequence[str]) -> dict[str, Any]:
    """What was read out of a question, and the trail of further hops, as an explanation shows them."""
    shown: dict[str, Any] = {
        "type": question.type.value,
        "names": list(question.names),
        "spans": [[_instant(start), _instant(end)] for start, end in question.spans.tolist()],
        "order": None if question.order is None else question.order.value,
        "anchor": question.anchor,
        "phrases": list(question.phrases),
        "identifiers": list(question.identifiers),
        "kind_hint": None if question.kind_hint is None else question.kind_hint.name.lower(),
    }
    return {"question": shown, "trail": list(trail)}


def _instant(moment_us: int) -> str | None:
    """An end of a span; None where it lies beyond the calendar."""
    try:
        return from_us(moment_us).isoformat().replace("+00:00", "Z")
    except (OverflowError, ValueError):
        return None


def _ms_since(begun: float) -> float:
    return (time.perf_counter() - begun) * 1e3
