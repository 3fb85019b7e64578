"""Answers in the shapes that the client of mem0 hands on."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from memsvc.recall.several import Located as Hit

_SUREST = 1e-6


def memory_out(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A memory, from the fields of `MemoryOut`."""
    return {
        "id": fields["id"],
        "memory": fields["content"],
        "user_id": fields["user_id"],
        "agent_id": fields["agent_id"],
        "app_id": (fields["source"] or {}).get("app_id"),
        "run_id": fields["session_id"],
        "hash": hashlib.md5(fields["content"].encode(), usedforsecurity=False).hexdigest(),
        "metadata": fields["metadata"],
        "categories": fields["tags"],
        "created_at": fields["occurred_at"] or fields["recorded_at"],
        "updated_at": fields["updated_at"],
        "expiration_date": None if fields["expires_at"] is None else fields["expires_at"].date(),
    }


def scores(hits: Sequence[Hit], confidence: float) -> list[float]:
    """A score from 0 to 1 for each hit, in their order.

    The best hit has the confidence of the answer, the others lie below it by their distance, as log-odds: the rule by
    which `memsvc.recall.several` sets answers of several namespaces beside each other.
    """
    if not hits:
        return []
    sure = min(max(confidence, _SUREST), 1.0 - _SUREST)
    shift = math.log(sure / (1.0 - sure)) - hits[0].score
    return [1.0 / (1.0 + math.exp(-min(max(hit.score + shift, -500.0), 500.0))) for hit in hits]


def history_out(memory_id: UUID, versions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every version of a memory as the change that made it, oldest first, from the fields of `VersionOut`."""
    changes: list[dict[str, Any]] = []
    before: str | None = None
    for version in versions:
        event = "ADD" if before is None else "DELETE" if version["state"] == "forgotten" else "UPDATE"
        changes.append(
            {
                "id": f"{memory_id}:{version['version']}",
                "memory_id": memory_id,
                "event": event,
                "old_memory": before,
                "new_memory": None if event == "DELETE" else version["content"],
                "metadata": version["metadata"],
                "categories": version["tags"],
                "created_at": versions[0]["recorded_from"],
                "updated_at": version["recorded_from"],
            }
        )
        before = version["content"]
    return changes


def page_out(results: Sequence[Mapping[str, Any]], count: int, page: int, page_size: int, url: str) -> dict[str, Any]:
    """One page of a list that is counted through."""

    def link(number: int) -> str:
        return f"{url}?page={number}&page_size={page_size}"

    return {
        "count": count,
        "next": link(page + 1) if page * page_size < count else None,
        "previous": link(page - 1) if page > 1 else None,
        "results": list(results),
    }
