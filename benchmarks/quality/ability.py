"""What an ability is: made-up memories, questions with known answers, and how the answers are scored.

An ability is spoken to the service through its public API (`Speaker`), so it measures what a user gets, whatever
happens inside. `play` writes an ability into a fresh namespace, asks its questions and scores the answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Protocol

Json = dict[str, Any]

BATCH = 500
FIRST_DAY = datetime(2024, 3, 4, 9, tzinfo=UTC)
ASKED_AT = datetime(2025, 6, 2, 12, tzinfo=UTC)
"""The "now" of every question, after all that the memories tell."""


class Speaker(Protocol):
    """Whoever can post to the API: a connection to a server, or the application in this process."""

    def post(self, path: str, body: Json) -> Json:
        """The answer to a POST; raises if it is not a success."""
        ...


class Measure(StrEnum):
    """How the answer to one question is scored, always 0 to 1."""

    ABOVE = "above"
    """1 if a right memory stands above every look-alike; nothing right found is 0."""
    FOUND = "found"
    """Share of the right memories among the hits."""
    FIRST = "first"
    """1 if the first so many hits are exactly the right memories."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A question with a known answer.

    Attributes:
        text: what is asked.
        type: by which results are told apart.
        gold: external ids of the right memories.
        against: external ids of look-alikes (for `Measure.ABOVE`).
        measure: how it is scored.
    """

    text: str
    type: str
    gold: frozenset[str]
    against: frozenset[str] = frozenset()
    measure: Measure = Measure.ABOVE

    def score(self, found: Sequence[str]) -> float:
        """Score of a ranking of external ids, best first."""
        if self.measure is Measure.FOUND:
            return len(self.gold.intersection(found)) / len(self.gold)
        if self.measure is Measure.FIRST:
            return float(set(found[: len(self.gold)]) == self.gold)
        rank = {name: place for place, name in enumerate(found)}
        best = min((rank[name] for name in self.gold if name in rank), default=None)
        return float(best is not None and all(rank.get(name, len(found)) > best for name in self.against))


@dataclass(frozen=True, slots=True)
class Ability:
    """Memories in the order in which they are written, and questions about them.

    Attributes:
        name: of the ability.
        memories: bodies as `/v1/memories:batch` takes them, each with an `external_id`. `links` name the other memory
            by its external id, which must stand before.
        asks: the questions.
        chance: expected score of a service that finds the memories but cannot tell right ones from look-alikes.
        needs: names of the channels that exist for it.
    """

    name: str
    memories: tuple[Json, ...]
    asks: tuple[Ask, ...]
    chance: float
    needs: tuple[str, ...]


@dataclass(slots=True)
class Played:
    """Scores of one ability: all, by type, and for each question with what was found."""

    name: str
    chance: float
    found: list[list[str]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    channels: set[str] = field(default_factory=set)

    @property
    def score(self) -> float:
        """Mean over the questions."""
        return sum(self.scores) / len(self.scores)

    def by_type(self) -> dict[str, float]:
        """Mean by type of question."""
        of: dict[str, list[float]] = {}
        for name, score in zip(self.types, self.scores, strict=True):
            of.setdefault(name, []).append(score)
        return {name: sum(scores) / len(scores) for name, scores in sorted(of.items())}


def play(
    speaker: Speaker,
    ability: Ability,
    namespace: str,
    *,
    profile: str = "balanced",
    top_k: int = 10,
    write: bool = True,
) -> Played:
    """Writes an ability's memories into a fresh namespace, asks its questions and scores what comes back.

    Args:
        write: False if the memories are there already.
    """
    if write:
        tell(speaker, ability, namespace)
    played = Played(ability.name, ability.chance)
    for ask in ability.asks:
        body = {
            "namespace": namespace,
            "query": ask.text,
            "top_k": max(top_k, len(ask.gold)),
            "asked_at": ASKED_AT.isoformat(),
            "profile": profile,
            "explain": True,
        }
        answer = speaker.post("/v1/recall", body)
        found = [hit["memory"]["external_id"] for hit in answer["hits"]]
        played.found.append(found)
        played.scores.append(ask.score(found))
        played.types.append(ask.type)
        played.channels.update(*(hit["channels"] for hit in answer["hits"]))
    return played


def tell(speaker: Speaker, ability: Ability, namespace: str) -> dict[str, str]:
    """Writes the memories in order; returns ids by external id.

    Raises:
        RuntimeError: a memory was refused.
    """
    ids: dict[str, str] = {}
    waiting: list[Json] = []

    def flush() -> None:
        if not waiting:
            return
        answer = speaker.post("/v1/memories:batch", {"namespace": namespace, "memories": list(waiting)})
        for item in answer["items"]:
            if item["status"] >= 300:
                raise RuntimeError(f"a memory of {ability.name} was refused: {item}")
            ids[item["external_id"]] = item["id"]
        waiting.clear()

    for memory in ability.memories:
        if len(waiting) >= BATCH or any(link["to"] not in ids for link in memory.get("links", ())):
            flush()
        waiting.append(_linked(memory, ids))
    flush()
    return ids


def _linked(memory: Json, ids: Mapping[str, str]) -> Json:
    if "links" not in memory:
        return memory
    links = [{"relation": link["relation"], "memory_id": ids[link["to"]]} for link in memory["links"]]
    return {**memory, "links": links}
