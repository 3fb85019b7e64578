"""Which conversation a memory belongs to."""

from __future__ import annotations

from typing import Any

import pytest
import xxhash

from memsvc.memories.sequence import sequence_of


@pytest.mark.parametrize(
    ("session_id", "metadata"),
    [
        ("s1", {}),
        ("s1", {"session_id": "other", "thread_id": 5}),
        (None, {"session_id": "s1", "session": "other"}),
        (None, {"session": "s1"}),
        (None, {"conversation_id": "s1", "thread_id": "other"}),
        (None, {"thread_id": "s1"}),
        (None, {"session": "", "thread_id": "s1"}),
        (None, {"session": ["a"], "conversation_id": None, "thread_id": "s1"}),
    ],
)
def test_the_same_name_is_the_same_conversation(session_id: str | None, metadata: dict[str, Any]) -> None:
    assert sequence_of(session_id, metadata) == sequence_of("s1", {})


def test_whole_numbers_are_names_too() -> None:
    assert sequence_of(None, {"session": 12}) == sequence_of("12", {})


@pytest.mark.parametrize("metadata", [{}, {"session": True}, {"session": 1.5}, {"session": ""}, {"topic": "s1"}])
def test_everything_else_names_none(metadata: dict[str, Any]) -> None:
    assert sequence_of(None, metadata) is None


def test_it_is_the_hash_as_a_signed_number() -> None:
    """Stored in rows: it never changes, and fits into 64 bits with a sign."""
    seen = set()
    for number in range(200):
        found = sequence_of(f"session {number}", {})
        assert found is not None
        assert found % 2**64 == xxhash.xxh3_64_intdigest(f"session {number}".encode())
        assert -(2**63) <= found < 2**63
        seen.add(found < 0)
    assert seen == {True, False}
