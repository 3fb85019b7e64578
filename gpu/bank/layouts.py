"""What lies in the pages of a namespace."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gpu.bank.pages import Layout


class Tier(StrEnum):
    """How exactly a code page keeps its vectors, most exact first; `gpu.tiers.codecs` says what codes mean."""

    FP16 = "fp16"
    INT8 = "int8"
    INT4 = "int4"
    BIT1 = "bit1"


BITS = {Tier.FP16: 16, Tier.INT8: 8, Tier.INT4: 4, Tier.BIT1: 1}
"""Bits of a dimension."""
TIERS = (Tier.FP16, Tier.INT8, Tier.INT4)
"""The tiers of rows in host memory, by the number that a row has for its own. One bit finds too little there: nothing
scores its candidates exactly (docs/decisions/0013-precision-tiers.md)."""
_PIECE = 16
"""Bytes of which the code of a row takes a multiple: so each begins where a device can load 16 bytes at once."""

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
    ("sequences", "uint64"),
    ("speakers", "uint64"),
    ("memory_id", "uint8", 16),
    ("versions", "int32"),
    ("importances", "float32"),
    ("stabilities", "float32"),
    ("trusts", "float32"),
    ("outcomes", "float32"),
    ("lengths", "uint32"),
    ("first_view", "uint32"),
    ("n_views", "uint32"),
    ("first_term", "uint32"),
    ("n_terms", "uint32"),
    ("first_pair", "uint32"),
    ("n_pairs", "uint32"),
    ("first_entity", "uint32"),
    ("n_entities", "uint32"),
    ("first_span", "uint32"),
    ("n_spans", "uint32"),
    ("first_place", "uint32"),
    ("n_places", "uint32"),
    ("first_link", "uint32"),
    ("n_links", "uint32"),
    ("first_text", "uint32"),
    ("n_text", "uint32"),
    ("first_token", "uint32"),
    ("n_tokens", "uint32"),
    ("first_code", "uint32"),
    ("n_code", "uint32"),
    ("kinds", "uint8"),
    ("states", "uint8"),
    ("tiers", "uint8"),
    smallest_page=16,
    largest_page=8192,
)
"""One element for each memory version: its slot is its position.

`died` is the write epoch that replaced the row: a reader of epoch `e` sees rows with `died > e`. The `first_*` and
`n_*` columns are ranges in the code pages and the arenas. A row has its vectors either in half precision (`first_view`)
or as codes of the tier that `tiers` names by its place in `TIERS` (`first_code`), never both.
"""

TERMS = Layout(("ids", "uint32"), ("freqs", "uint16"), smallest_page=128, largest_page=65536)
"""Arena of distinct hashed terms with frequencies."""
PAIRS = Layout(("ids", "uint64"), smallest_page=64, largest_page=32768)
"""Arena of hashed (field, value) pairs."""
ENTITIES = Layout(("ids", "uint64"), smallest_page=32, largest_page=32768)
"""Arena of hashed mentions."""
SPANS = Layout(("bounds", "int64", 2), smallest_page=16, largest_page=16384)
"""Arena of the times that texts speak of: `[start, end)` in microseconds."""
PLACES = Layout(("ids", "uint64"), smallest_page=16, largest_page=16384)
"""Arena of hashed places."""
LINKS = Layout(("targets", "uint8", 16), ("relations", "uint8"), smallest_page=16, largest_page=16384)
"""Arena of outgoing links. A target of zeros is a link to a memory that was erased."""
TEXT = Layout(("bytes", "uint8"), smallest_page=1024, largest_page=1 << 20)
"""Arena of folded texts, UTF-8."""
CODED = Layout(("words", "uint64"), smallest_page=64, largest_page=1 << 17)
"""Arena of the vectors below half precision: see `gpu.bank.coding`. Of words, so that 31 bits reach 16 GiB of them."""


def token_bytes(dim: int) -> int:
    """Bytes of the late-interaction code of one token: two bits a dimension."""
    return -(-dim // 4)


def tokens(dim: int) -> Layout:
    """Layout of the arena of token codes."""
    return Layout(("codes", "uint8", token_bytes(dim)), smallest_page=64, largest_page=8192)


def code_bytes(tier: Tier, dim: int) -> int:
    """Bytes that the code of one row takes in a page; those beyond the code itself are zero."""
    return -(-dim * BITS[tier] // (8 * _PIECE)) * _PIECE


def row_words(tier: Tier, dim: int) -> int:
    """Words of 8 bytes that a row takes in the arena of codes: scale and error, then its code."""
    return 1 + code_bytes(tier, dim) // 8


def codes(tier: Tier, dim: int) -> Layout:
    """Layout of the code pages of one tier: one element for each view, the slot of its memory beside the codes.

    Below fp16 `scale` and `error` are those of `gpu.tiers.ranking.corrected`: the dot product of a query with
    `scale * value(code)` is the estimate, and `error` the squared length of what that leaves out of the row. Apart from
    the codes, since a scan of the coarsest tier would read them 16 bytes at a time and use four.
    """
    if tier is Tier.FP16:
        return Layout(("slot", "int32"), ("vectors", "float16", dim), smallest_page=16, largest_page=4096)
    return Layout(
        ("slot", "int32"),
        ("scale", "float32"),
        ("error", "float32"),
        ("codes", "uint8", code_bytes(tier, dim)),
        smallest_page=16,
        largest_page=4096,
    )


@dataclass(frozen=True, slots=True)
class Arena:
    """One variable-length part of a row: where its range stands, and which columns of a batch it comes from.

    Attributes:
        pages: name of the page list, the same in a segment and its snapshots.
        first, count: attribute columns with the range's position and length.
        offsets: the batch's offsets.
        columns: column of the arena -> column of the batch.
    """

    pages: str
    first: str
    count: str
    offsets: str
    columns: dict[str, str]


ARENAS = {
    "vectors": Arena("codes", "first_view", "n_views", "view_offsets", {"vectors": "vectors"}),
    "terms": Arena("terms", "first_term", "n_terms", "term_offsets", {"ids": "term_ids", "freqs": "term_freqs"}),
    "pairs": Arena("pairs", "first_pair", "n_pairs", "pair_offsets", {"ids": "pairs"}),
    "entities": Arena("entities", "first_entity", "n_entities", "entity_offsets", {"ids": "entity_ids"}),
    "spans": Arena("spans", "first_span", "n_spans", "span_offsets", {"bounds": "spans"}),
    "places": Arena("places", "first_place", "n_places", "place_offsets", {"ids": "place_ids"}),
    "links": Arena(
        "links", "first_link", "n_links", "link_offsets", {"targets": "link_targets", "relations": "link_relations"}
    ),
    "texts": Arena("texts", "first_text", "n_text", "text_offsets", {"bytes": "texts"}),
    "tokens": Arena("tokens", "first_token", "n_tokens", "token_offsets", {"codes": "tokens"}),
    "coded": Arena("coded", "first_code", "n_code", "code_offsets", {"words": "codes"}),
}
"""Every variable-length part of a row, by the name that readers know it by."""
