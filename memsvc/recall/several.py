"""Recall over several namespaces side by side, and one answer out of theirs.

The rule of the merge. Scores of hits are sums of standard deviations inside their own namespace: they say how far a
memory stands out there, not whether that namespace knows anything. So the best hit of each namespace gets the log-odds
of its confidence, which rests on raw evidence and means the same everywhere, and the others follow at their distance
to it:

    score = log(confidence / (1 - confidence)) + own score - best own score

Inside a namespace the order stays; between namespaces the surer one leads. Equal scores are ordered by id.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from sqlalchemy import Connection

from memsvc.auth.principal import Principal
from memsvc.core.errors import InvalidInput
from memsvc.namespaces import repository as namespaces
from memsvc.recall import share
from memsvc.recall.found import Found
from memsvc.recall.question import Question
from memsvc.recall.service import Answer

NAMESPACES_MAX = 32

_SIDE_BY_SIDE = 8  # of one request at the same time, so that it does not keep others from the threads
_PAGE = 500
_SUREST = 1e-6

Recall = Callable[[UUID, Question], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Located:
    """A hit, the namespace that it is from, and its score in the whole answer."""

    path: str
    found: Found
    score: float


@dataclass(frozen=True, slots=True)
class Gathered:
    """One answer over the namespaces `seqs` names, each with its head `seq`.

    `capped` says by origin how many memories of an untrusted source gave way to others (`memsvc.recall.share`);
    `timings_ms` has for each phase the time of the slowest namespace, and as `total` that of all together.
    """

    hits: Sequence[Located]
    confidence: float
    seqs: dict[str, int]
    degraded: Sequence[str]
    timings_ms: dict[str, float]
    eligible: int
    answers: Sequence[Answer]
    capped: Mapping[str, int] = field(default_factory=dict)


async def gather(recall: Recall, tenant_id: UUID, question: Question, paths: Sequence[str]) -> Gathered:
    """Asks every namespace and merges the answers.

    Args:
        recall: asks one namespace.
        question: its path is not looked at.
        paths: distinct; that the caller may read them was checked before. None gives an empty answer.

    Raises:
        What `recall` raises.
    """
    begun = time.perf_counter()
    gate = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def ask(path: str) -> Answer:
        async with gate:
            return await recall(tenant_id, replace(question, path=path))

    if len(paths) == 1:
        answers = [await ask(paths[0])]
    else:
        answers = await asyncio.gather(*(ask(path) for path in paths))
    return merge(paths, answers, question.top_k, (time.perf_counter() - begun) * 1e3)


def merge(paths: Sequence[str], answers: Sequence[Answer], top_k: int, total_ms: float) -> Gathered:
    """One answer out of several; see the module for the rule. One alone stays as it is.

    Args:
        paths: of the namespaces, distinct.
        answers: of each.
        total_ms: what asking took.
    """
    pairs = list(zip(paths, answers, strict=True))
    single = len(pairs) == 1
    hits = [
        Located(path, one, one.hit.score + (0.0 if single else _shift(answer)))
        for path, answer in pairs
        for one in answer.found
    ]
    if not single:
        # Of equal scores those of one answer stay in its order: a later telling has the score of what it goes before.
        places = [place for answer in answers for place in range(len(answer.found))]
        ids = [hit.found.hit.memory_id.bytes for hit in hits]
        hits = [hits[at] for at in sorted(range(len(hits)), key=lambda at: (-hits[at].score, places[at], ids[at]))]
    kept, left_out = (hits[:top_k], Counter[str]()) if single else share.capped(hits, top_k, lambda h: h.found.memory)
    for answer in answers:
        left_out.update(answer.capped)
    phases = {phase for answer in answers for phase in answer.timings_ms}
    timings = {phase: max(a.timings_ms.get(phase, 0.0) for a in answers) for phase in sorted(phases)}
    return Gathered(
        hits=kept,
        capped=dict(left_out),
        confidence=max((answer.confidence for answer in answers), default=0.0),
        seqs={path: answer.seq for path, answer in pairs},
        degraded=sorted({name for answer in answers for name in answer.degraded}),
        timings_ms={**timings, "total": timings.get("total", 0.0) if single else total_ms},
        eligible=sum(answer.eligible for answer in answers),
        answers=answers,
    )


def _shift(answer: Answer) -> float:
    """What brings the best hit's score to the log-odds of the answer's confidence."""
    if not answer.found:
        return 0.0
    sure = min(max(answer.confidence, _SUREST), 1.0 - _SUREST)
    return math.log(sure / (1.0 - sure)) - max(one.hit.score for one in answer.found)


def check(principal: Principal, paths: Sequence[str]) -> None:
    """Refuses namespaces that the key does not reach.

    Raises:
        Forbidden: there is one among them, whether it exists or not.
    """
    for path in paths:
        principal.require_namespace(path)


def below(connection: Connection, principal: Principal, prefix: str) -> list[str]:
    """The namespaces whose path begins with `prefix` and which the key may read, by path.

    Raises:
        InvalidInput: there are more than one recall may ask.
    """
    found: list[str] = []
    for start in _starts(principal.namespaces, prefix):
        after = None
        while True:
            page = namespaces.paths(connection, principal.tenant_id, start, after, _PAGE)
            found += [path for path in page if principal.may(path) and path not in found]
            if len(found) > NAMESPACES_MAX:
                raise InvalidInput.field(
                    "/namespace_prefix",
                    "too_many",
                    f"stands for more than {NAMESPACES_MAX} namespaces; give a longer one",
                )
            if len(page) < _PAGE:
                break
            after = page[-1]
    return sorted(found)


def _starts(patterns: Sequence[str], prefix: str) -> list[str]:
    """With what the paths begin that a key's patterns and a prefix have in common; none covers another."""
    fixed = [pattern.partition("*")[0].removesuffix("/") for pattern in patterns]
    starts = {
        own if own.startswith(prefix) else prefix for own in fixed if own.startswith(prefix) or prefix.startswith(own)
    }
    return [start for start in sorted(starts) if not any(start != o and start.startswith(o) for o in starts)]
