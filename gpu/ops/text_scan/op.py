"""Substrings of the memories' texts: exact ones counted, and near ones with the fewest edits."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.bank.errors import PageOwnershipError
from gpu.bank.layouts import ATTRIBUTES, TEXT
from gpu.bank.segment import SegmentSnapshot
from gpu.ops.text_scan import kernel

MOST_EDITS = 8
"""Largest number of edits that `near_scan` takes."""
MOST_CHARACTERS = 4096
"""Longest pattern that `near_scan` takes."""

_PREFIXES = np.concatenate([ATTRIBUTES.prefixes("first_text", "n_text"), TEXT.prefixes("bytes")])
_COMMON = b" etaoinsrhldcumfpgwybvk"
"""Bytes of folded English text from the commonest on; everything else is rarer."""


def count_scan(
    segment: SegmentSnapshot,
    patterns: Sequence[bytes],
    eligible: NDArray[np.uint8],
    counts: NDArray[np.int32],
    whole: NDArray[np.uint8],
) -> None:
    """Count substrings in the text of each eligible memory.

    Args:
        segment: what to scan.
        patterns: UTF-8 of folded text, none empty.
        eligible: uint8 `[n_slots]`, from the filter scan.
        counts: int32 `[n_patterns, n_slots]`, overwritten: how often, counted from the left without overlap.
        whole: uint8 `[n_patterns, n_slots]`, overwritten: 1 if at one place or more no word goes on over either end.

    Raises:
        ValueError: a pattern is empty, or an array has another shape.
        PageOwnershipError: a page does not belong to this segment.
    """
    _check(segment, patterns, eligible, counts, whole)
    if segment.n_slots == 0 or not patterns:
        return
    flat, offsets = _joined(patterns)
    fine = kernel.count_pages(
        segment.attributes.entries, segment.attributes.owner, _PREFIXES, segment.texts.entries,
        flat, offsets, _probes(patterns), eligible, counts, whole,
    )  # fmt: skip
    if not fine:
        raise PageOwnershipError("an attribute or text page belongs to somebody else")


def near_scan(
    segment: SegmentSnapshot,
    patterns: Sequence[bytes],
    k: int,
    eligible: NDArray[np.uint8],
    out: NDArray[np.uint8],
) -> None:
    """Fewest edits (a character put in, left out or replaced) of patterns against any substring of each text.

    Args:
        segment: what to scan.
        patterns: UTF-8 of folded text, none empty, each of at most 4096 characters.
        k: how many edits count, 0 to 8.
        eligible: uint8 `[n_slots]`, from the filter scan.
        out: uint8 `[n_patterns, n_slots]`, overwritten: the fewest edits, or `k + 1` for more than `k` and for memories
            that are not eligible.

    Raises:
        ValueError: a pattern is empty or too long, `k` is out of range, or an array has another shape.
        PageOwnershipError: a page does not belong to this segment.
    """
    _check(segment, patterns, eligible, out)
    if not 0 <= k <= MOST_EDITS:
        raise ValueError(f"k must be between 0 and {MOST_EDITS}")
    decoded = [pattern.decode("utf-8", "surrogatepass") for pattern in patterns]
    if any(len(pattern) > MOST_CHARACTERS for pattern in decoded):
        raise ValueError(f"a pattern has at most {MOST_CHARACTERS} characters")
    out.fill(k + 1)
    if segment.n_slots == 0 or not patterns:
        return
    characters = np.array([ord(character) for pattern in decoded for character in pattern], np.int32)
    offsets = np.zeros(len(decoded) + 1, np.int64)
    np.cumsum([len(pattern) for pattern in decoded], out=offsets[1:])
    pieces = [piece for pattern in decoded for piece in _pieces(pattern, k + 1)]
    flat, piece_offsets = _joined(pieces)
    fine = kernel.near_pages(
        segment.attributes.entries, segment.attributes.owner, _PREFIXES, segment.texts.entries,
        characters, offsets, flat, piece_offsets, _probes(pieces), k, eligible, out,
    )  # fmt: skip
    if not fine:
        raise PageOwnershipError("an attribute or text page belongs to somebody else")


def _check(
    segment: SegmentSnapshot, patterns: Sequence[bytes], eligible: NDArray[np.uint8], *outs: NDArray[Any]
) -> None:
    if not all(patterns):
        raise ValueError("a pattern must not be empty")
    if eligible.shape != (segment.n_slots,):
        raise ValueError(f"eligible must be [{segment.n_slots}]")
    for out in outs:
        if out.shape != (len(patterns), segment.n_slots):
            raise ValueError(f"the result must be [{len(patterns)}, {segment.n_slots}]")


def _pieces(pattern: str, count: int) -> list[bytes]:
    """`count` pieces of about equal length. `count - 1` edits leave at least one of them as it is."""
    bounds = [len(pattern) * piece // count for piece in range(count + 1)]
    return [pattern[low:high].encode("utf-8", "surrogatepass") for low, high in pairwise(bounds)]


def _joined(patterns: Sequence[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """All bytes in a row, with bounds."""
    offsets = np.zeros(len(patterns) + 1, np.int64)
    np.cumsum([len(pattern) for pattern in patterns], out=offsets[1:])
    return np.frombuffer(bytearray(b"".join(patterns)), np.uint8), offsets


def _probes(patterns: Sequence[bytes]) -> NDArray[np.int64]:
    """For each pattern where one of its two rarest bytes stands, how much later the other, and both; int64 `[n, 4]`."""
    probes = np.zeros((len(patterns), 4), np.int64)
    for number, pattern in enumerate(patterns):
        if pattern:
            rarest = sorted(range(len(pattern)), key=lambda at: (-_RARITY[pattern[at]], at))[:2]
            low, high = min(rarest), max(rarest)
            probes[number] = low, high - low, pattern[low], pattern[high]
    return probes


def _rarity() -> list[int]:
    """How rare each byte is taken to be; first bytes of characters beyond ASCII say little, the later ones more."""
    rarity = [len(_COMMON)] * 256
    for rank, byte in enumerate(_COMMON):
        rarity[byte] = rank
    rarity[0x80:0xC0] = [len(_COMMON) // 2] * 0x40
    rarity[0xC0:] = [1] * 0x40
    return rarity


_RARITY = _rarity()
