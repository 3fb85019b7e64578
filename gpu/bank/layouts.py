"""What lies in the pages of a namespace."""

from __future__ import annotations

from enum import StrEnum

from gpu.bank.pages import Layout


class Tier(StrEnum):
    """How exactly a code page keeps its vectors."""

    FP16 = "fp16"


LIVE_EPOCH = (1 << 63) - 1
"""`died` of a row that nothing has replaced."""
ERASED_EPOCH = 0
"""`died` of an erased row: gone for every reader, also for those that took their snapshot before."""

ATTRIBUTES = Layout(
    ("occurred_us", "int64"),
    ("valid_from_us", "int64"),
    ("valid_to_us", "int64"),
    ("recorded_from_us", "int64"),
    ("recorded_to_us", "int64"),
    ("expires_us", "int64"),
    ("last_recalled_us", "int64"),
    ("died", "int64"),
    ("memory_id", "uint8", 16),
    ("versions", "int32"),
    ("importances", "float32"),
    ("stabilities", "float32"),
    ("trusts", "float32"),
    ("lengths", "uint32"),
    ("first_view", "uint32"),
    ("n_views", "uint32"),
    ("first_term", "uint32"),
    ("n_terms", "uint32"),
    ("first_pair", "uint32"),
    ("n_pairs", "uint32"),
    ("first_entity", "uint32"),
    ("n_entities", "uint32"),
    ("kinds", "uint8"),
    ("states", "uint8"),
    smallest_page=16,
    largest_page=8192,
)
"""One element for each memory version: its slot is its position. Independent of how its vectors are kept.

`died` is the write epoch that replaced the row: a reader of epoch `e` sees rows with `died > e`. The `first_*` and
`n_*` columns are ranges in the code pages and the arenas.
"""

TERMS = Layout(("ids", "uint32"), ("freqs", "uint16"), smallest_page=128, largest_page=65536)
"""Arena of distinct hashed terms with frequencies."""
PAIRS = Layout(("ids", "uint64"), smallest_page=64, largest_page=32768)
"""Arena of hashed (field, value) pairs."""
ENTITIES = Layout(("ids", "uint64"), smallest_page=32, largest_page=32768)
"""Arena of hashed mentions."""


def codes(tier: Tier, dim: int) -> Layout:
    """Layout of the code pages of one tier: one element for each view, the slot of its memory beside the codes."""
    if tier is not Tier.FP16:  # pragma: no cover - the only tier so far
        raise ValueError(f"no codec for tier {tier}")
    return Layout(("slot", "int32"), ("vectors", "float16", dim), smallest_page=16, largest_page=4096)
