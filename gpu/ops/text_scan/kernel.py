"""Exact and approximate substring search over the text arena, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.native import all_owned, fast_jit, jit, page_of, uint8_at, uint32_at

_HEADER = 64
_ASCII = 128
_TABLE = 256
"""Masks of a short pattern: one for each ASCII character, and a small hash table of 128 for all others."""
MOST_BITS = 64
"""Characters of a pattern that one machine word holds."""


@fast_jit
def _may_hold(text: NDArray[np.uint8], first: int, end: int, gap: int, one: np.uint8, other: np.uint8) -> bool:
    """Whether byte `one`, and `other` `gap` later, stand anywhere from `first` to `end`; many places at once."""
    here, there = text[first:end], text[first + gap : end + gap]
    found = np.uint8(0)
    for i in range(here.shape[0]):
        found |= np.uint8(here[i] == one) & np.uint8(there[i] == other)
    return bool(found)


@jit
def _occurs_at(text: NDArray[np.uint8], at: int, pattern: NDArray[np.uint8]) -> bool:
    for j in range(pattern.shape[0]):  # noqa: SIM110 - compiled code knows no generators
        if text[at + j] != pattern[j]:
            return False
    return True


@jit
def _find(text: NDArray[np.uint8], first: int, end: int, pattern: NDArray[np.uint8], probe: NDArray[np.int64]) -> Any:
    """First place at or after `first` where the pattern stands, or -1."""
    low, gap = probe[0], probe[1]
    one, other = pattern[low], pattern[low + gap]
    n = end - pattern.shape[0] + 1 - first
    if n <= 0:
        return -1
    # Slices from their own zero: no index can be negative, which compiled code would have to check.
    here, there = text[first + low : first + low + n], text[first + low + gap : first + low + gap + n]
    for i in range(n):
        if here[i] == one and there[i] == other and _occurs_at(text, first + i, pattern):
            return first + i
    return -1


@jit
def _is_hopeless(
    text: NDArray[np.uint8], first: int, end: int, size: int, probes: NDArray[np.int64], number: int
) -> bool:
    """Whether a text cannot hold pattern `number`, by two of its bytes alone."""
    last = end - size + 1
    if last <= first:
        return True
    low = probes[number, 0]
    one, other = np.uint8(probes[number, 2]), np.uint8(probes[number, 3])
    return not _may_hold(text, first + low, last + low, probes[number, 1], one, other)


@jit
def _is_word(text: NDArray[np.uint8], at: int, end: int) -> bool:
    """Whether the character that starts at `at` can be part of a word."""
    byte = text[at]
    if byte < _ASCII:
        return bool(48 <= byte <= 57 or 65 <= byte <= 90 or byte == 95 or 97 <= byte <= 122)
    if byte == 0xC2:  # U+0080 to U+00BF
        return False
    if at + 1 < end:
        following = text[at + 1]
        if byte == 0xE2 and (following == 0x80 or (following == 0x81 and at + 2 < end and text[at + 2] < 0xB0)):
            return False  # U+2000 to U+206F
        if byte == 0xE3 and following == 0x80:  # U+3000 to U+303F
            return False
    return True


@jit
def _is_break(text: NDArray[np.uint8], first: int, end: int, at: int) -> bool:
    """Whether no word goes on over the border before `at`."""
    if at <= first or at >= end:
        return True
    before = at - 1
    while before > first and text[before] & 0xC0 == 0x80:
        before -= 1
    return not (_is_word(text, before, end) and _is_word(text, at, end))


@jit
def _count(
    text: NDArray[np.uint8], first: int, end: int, pattern: NDArray[np.uint8], probe: NDArray[np.int64]
) -> tuple[Any, Any]:
    """How often the pattern stands in a text without overlap, and whether one of all its places is of whole words."""
    count = 0
    whole = False
    free = first
    at = _find(text, first, end, pattern, probe)
    while at >= 0:
        if at >= free:
            count += 1
            free = at + pattern.shape[0]
        if not whole:
            whole = _is_break(text, first, end, at) and _is_break(text, first, end, at + pattern.shape[0])
        at = _find(text, at + 1, end, pattern, probe)
    return count, whole


@jit
def _open_text(
    entries: NDArray[np.int64], page: int, prefix: int, first: Any, size: Any
) -> tuple[NDArray[np.uint8], Any, Any]:
    """The page of the arena that holds a text, and where in it the text starts and ends."""
    room = entries[page, 2]
    start = first - entries[page, 1]
    return uint8_at(entries[page, 0] + _HEADER + prefix * room, room), start, min(start + size, room)


@jit
def count_pages(
    entries: NDArray[np.int64],
    owner: int,
    prefixes: NDArray[np.int64],
    text_entries: NDArray[np.int64],
    patterns: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    probes: NDArray[np.int64],
    eligible: NDArray[np.uint8],
    counts: NDArray[np.int32],
    whole: NDArray[np.uint8],
) -> bool:
    """Write how often each pattern stands in each eligible text.

    Args:
        entries: the attribute pages.
        owner: who must own the pages.
        prefixes: bytes per element before the columns first_text, n_text of the attribute pages and bytes of the arena.
        text_entries: pages of the text arena.
        patterns: the patterns' bytes, one after the other.
        offsets: int64 `[n_patterns + 1]`, their bounds.
        probes: int64 `[n_patterns, 4]`: where a rare byte of the pattern stands, how much later another one does, and
            the two bytes.
        eligible: uint8 `[n_slots]`.
        counts: int32 `[n_patterns, n_slots]`.
        whole: uint8 `[n_patterns, n_slots]`.

    Returns:
        False if a page belongs to somebody else.
    """
    if not (all_owned(entries, owner) and all_owned(text_entries, owner)):
        return False
    n_slots = eligible.shape[0]
    text_page = 0
    for p in range(entries.shape[0]):
        address, start, capacity = entries[p, 0], entries[p, 1], entries[p, 2]
        n = min(capacity, n_slots - start)
        if n <= 0:
            break
        firsts = uint32_at(address + _HEADER + prefixes[0] * capacity, n)
        sizes = uint32_at(address + _HEADER + prefixes[1] * capacity, n)
        for i in range(n):
            slot = start + i
            size = np.int64(sizes[i]) if eligible[slot] else 0
            if size == 0:
                for q in range(probes.shape[0]):
                    counts[q, slot] = 0
                    whole[q, slot] = 0
                continue
            text_page = page_of(text_entries, text_page, np.int64(firsts[i]))
            text, first, end = _open_text(text_entries, text_page, prefixes[2], np.int64(firsts[i]), size)
            for q in range(probes.shape[0]):
                counts[q, slot] = 0
                whole[q, slot] = 0
                if _is_hopeless(text, first, end, offsets[q + 1] - offsets[q], probes, q):
                    continue
                found = _count(text, first, end, patterns[offsets[q] : offsets[q + 1]], probes[q])
                counts[q, slot] = found[0]
                whole[q, slot] = found[1]
    return True


@jit
def _decoded(text: NDArray[np.uint8], at: int, end: int) -> tuple[Any, Any]:
    """The code point that starts at a byte beyond ASCII, and where the next character starts."""
    byte = np.int64(text[at])
    if byte >= 0xF0:
        size, code = 4, byte & 0x07
    elif byte >= 0xE0:
        size, code = 3, byte & 0x0F
    elif byte >= 0xC0:
        size, code = 2, byte & 0x1F
    else:
        return byte, at + 1
    for i in range(at + 1, min(at + size, end)):
        code = code << 6 | np.int64(text[i]) & 0x3F
    return code, min(at + size, end)


@jit
def _place(keys: NDArray[np.int32], code: Any) -> Any:
    """Where a character beyond ASCII has its mask, or where it would be put."""
    at = code & (_ASCII - 1)
    while keys[at] != 0 and keys[at] != code:
        at = (at + 1) & (_ASCII - 1)
    return at


@jit
def _masks(characters: NDArray[np.int32]) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """For each character the bits of its places in a short pattern; those beyond ASCII by a hash table."""
    masks = np.zeros(_TABLE, np.uint64)
    keys = np.zeros(_ASCII, np.int32)
    for j in range(characters.shape[0]):
        code: Any = np.int64(characters[j])
        at = code
        if code >= _ASCII:
            place = _place(keys, code)
            keys[place] = code
            at = _ASCII + place
        masks[at] |= np.uint64(1) << np.uint64(j)
    return masks, keys


@jit
def _all_masks(
    characters: NDArray[np.int32], offsets: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """The same for every pattern; zeros for one that is too long."""
    n = offsets.shape[0] - 1
    masks = np.zeros((n, _TABLE), np.uint64)
    keys = np.zeros((n, _ASCII), np.int32)
    for q in range(n):
        if offsets[q + 1] - offsets[q] <= MOST_BITS:
            masks[q], keys[q] = _masks(characters[offsets[q] : offsets[q + 1]])
    return masks, keys


@jit
def _fewest_edits(
    text: NDArray[np.uint8], first: int, end: int, size: int, masks: NDArray[np.uint64], keys: NDArray[np.int32]
) -> Any:
    """Fewest edits over all substrings for a pattern of at most 64 characters: a column of the table in two words."""
    one = np.uint64(1)
    top = np.uint64(size - 1)
    rises = ~np.uint64(0)
    falls = np.uint64(0)
    score: Any = np.int64(size)
    best: Any = np.int64(size)
    at = first
    while at < end:
        byte = text[at]
        if byte < _ASCII:
            equal = masks[byte]
            at += 1
        else:
            code, at = _decoded(text, at, end)
            place = _place(keys, code)
            equal = masks[_ASCII + place] if keys[place] == code else np.uint64(0)
        vertical = equal | falls
        horizontal = (((equal & rises) + rises) ^ rises) | equal
        up = falls | ~(horizontal | rises)
        down = rises & horizontal
        score += np.int64((up >> top) & one) - np.int64((down >> top) & one)
        best = min(best, score)
        up <<= one
        down <<= one
        rises = down | ~(vertical | up)
        falls = up & vertical
    return best


@jit
def _fewest_edits_of_long(
    text: NDArray[np.uint8], first: int, end: int, characters: NDArray[np.int32], k: int, column: NDArray[np.int32]
) -> Any:
    """The same for a longer pattern, by the table's columns, each only as far down as a cost of `k` reaches."""
    size = characters.shape[0]
    for row in range(size + 1):
        column[row] = row
    best: Any = np.int64(size)
    reach = min(k, size)  # beyond this row every cost is above k
    at = first
    while at < end:
        code: Any = np.int64(text[at])
        if code < _ASCII:
            at += 1
        else:
            code, at = _decoded(text, at, end)
        deepest = min(reach + 1, size)
        above: Any = np.int64(0)
        for row in range(1, deepest + 1):
            left = np.int64(column[row]) if row <= reach else np.int64(k + 1)
            cost = min(min(left, np.int64(column[row - 1])) + 1, above + np.int64(characters[row - 1] != code))
            column[row] = min(cost, k + 1)
            above = left
        reach = deepest
        while column[reach] > k:
            reach -= 1
        if reach == size:
            best = min(best, np.int64(column[size]))
    return best


@jit
def _edits(
    text: NDArray[np.uint8],
    first: int,
    end: int,
    pattern: NDArray[np.int32],
    masks: NDArray[np.uint64],
    keys: NDArray[np.int32],
    k: int,
    column: NDArray[np.int32],
) -> Any:
    """Fewest edits over all substrings of a text, at most `k + 1`."""
    if pattern.shape[0] <= MOST_BITS:
        return min(_fewest_edits(text, first, end, pattern.shape[0], masks, keys), k + 1)
    return min(_fewest_edits_of_long(text, first, end, pattern, k, column), k + 1)


@jit
def _any_piece(
    text: NDArray[np.uint8],
    first: int,
    end: int,
    pieces: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    probes: NDArray[np.int64],
    low: int,
    high: int,
) -> bool:
    """Whether a text holds one of the pieces `low : high` exactly."""
    for piece in range(low, high):
        low_byte, size = offsets[piece], offsets[piece + 1] - offsets[piece]
        if size == 0:
            return True
        if _is_hopeless(text, first, end, size, probes, piece):
            continue
        if _find(text, first, end, pieces[low_byte : low_byte + size], probes[piece]) >= 0:
            return True
    return False


@jit
def near_pages(
    entries: NDArray[np.int64],
    owner: int,
    prefixes: NDArray[np.int64],
    text_entries: NDArray[np.int64],
    characters: NDArray[np.int32],
    offsets: NDArray[np.int64],
    pieces: NDArray[np.uint8],
    piece_offsets: NDArray[np.int64],
    probes: NDArray[np.int64],
    k: int,
    eligible: NDArray[np.uint8],
    out: NDArray[np.uint8],
) -> bool:
    """Write the fewest edits of each pattern against any substring of each eligible text, `k + 1` for more than `k`.

    Args:
        entries: the attribute pages.
        owner: who must own the pages.
        prefixes: bytes per element before the columns first_text, n_text of the attribute pages and bytes of the arena.
        text_entries: pages of the text arena.
        characters: the patterns' code points, one pattern after the other.
        offsets: int64 `[n_patterns + 1]`, their bounds.
        pieces: UTF-8 of the `k + 1` pieces of each pattern; a text that holds none of them exactly is left out.
        piece_offsets: int64 `[n_patterns * (k + 1) + 1]`, their bounds. An empty piece lets every text through.
        probes: int64 `[n_patterns * (k + 1), 4]`, see `count_pages`.
        k: edits.
        eligible: uint8 `[n_slots]`.
        out: uint8 `[n_patterns, n_slots]`, `k + 1` everywhere.

    Returns:
        False if a page belongs to somebody else.
    """
    if not (all_owned(entries, owner) and all_owned(text_entries, owner)):
        return False
    n_slots, n_patterns = eligible.shape[0], offsets.shape[0] - 1
    masks, keys = _all_masks(characters, offsets)
    column = np.empty(np.max(np.diff(offsets)) + 1, np.int32)
    text_page = 0
    for p in range(entries.shape[0]):
        address, start, capacity = entries[p, 0], entries[p, 1], entries[p, 2]
        n = min(capacity, n_slots - start)
        if n <= 0:
            break
        firsts = uint32_at(address + _HEADER + prefixes[0] * capacity, n)
        sizes = uint32_at(address + _HEADER + prefixes[1] * capacity, n)
        for i in range(n):
            slot = start + i
            if not eligible[slot]:
                continue
            size = np.int64(sizes[i])
            if size == 0:
                for q in range(n_patterns):
                    out[q, slot] = min(offsets[q + 1] - offsets[q], k + 1)
                continue
            text_page = page_of(text_entries, text_page, np.int64(firsts[i]))
            text, first, end = _open_text(text_entries, text_page, prefixes[2], np.int64(firsts[i]), size)
            for q in range(n_patterns):
                if _any_piece(text, first, end, pieces, piece_offsets, probes, q * (k + 1), (q + 1) * (k + 1)):
                    pattern = characters[offsets[q] : offsets[q + 1]]
                    out[q, slot] = _edits(text, first, end, pattern, masks[q], keys[q], k, column)
    return True
