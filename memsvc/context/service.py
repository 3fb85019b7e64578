"""From the hits of a recall to a packed context."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from gpu.bank.records import State
from lifecycle.trust import Trust
from memsvc.memories.vetting import doubts
from memsvc.recall.several import Located
from retrieval.packing.pack import BlockOrder, Candidate, Packed, pack
from retrieval.packing.rendering import Remembered
from retrieval.packing.tokens import counter


def packed(
    hits: Sequence[Located], tokenizer: str, budget: int, order: BlockOrder, previous: Collection[UUID]
) -> Packed:
    """The best block of at most `budget` tokens out of the hits; places in it are those of the hits.

    Raises:
        EmbedderUnavailableError: the vocabulary of the tokenizer is not installed.
    """
    return pack([_candidate(hit) for hit in hits], counter(tokenizer), budget, order=order, previous=previous)


def _candidate(hit: Located) -> Candidate:
    memory = hit.found.memory
    shown = Remembered(
        memory_id=hit.found.hit.memory_id,
        content=memory.text,
        recorded_at=memory.recorded_at,
        occurred_at=memory.occurred_at,
        speaker=memory.speaker,
        place=memory.place,
        quoted=bool(doubts(memory.flags)) or memory.trust < Trust.AGENT.rank or memory.state_now == State.QUARANTINED,
    )
    return Candidate(shown, hit.score, hit.found.vector)
