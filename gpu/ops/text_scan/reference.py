"""The meaning of the text scans, in plain Python over decoded texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_PUNCTUATION = ((0x80, 0xBF), (0x2000, 0x206F), (0x3000, 0x303F))


def count_rows(
    texts: Sequence[str], patterns: Sequence[str], eligible: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """How often each pattern occurs in each text (from the left, without overlap), and whether once as whole words.

    Returns:
        int32 `[n_patterns, n]` and uint8 `[n_patterns, n]`; 0 for a text that is not eligible.
    """
    counts = np.zeros((len(patterns), len(texts)), np.int32)
    whole = np.zeros((len(patterns), len(texts)), np.uint8)
    for p, pattern in enumerate(patterns):
        for i in np.flatnonzero(eligible).tolist():
            text = texts[i]
            counts[p, i] = text.count(pattern)
            places = [at for at in range(len(text)) if text.startswith(pattern, at)]
            whole[p, i] = any(_is_whole(text, at, at + len(pattern)) for at in places)
    return counts, whole


def edit_rows(texts: Sequence[str], patterns: Sequence[str], k: int, eligible: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Fewest edits of characters that turn each pattern into some substring of each text, at most `k + 1`.

    Sellers' table: `d[i][j]` is the least cost of the pattern's first `i` characters ending at the text's `j`-th, with
    `d[0][j] = 0`.

    Returns:
        uint8 `[n_patterns, n]`; `k + 1` for more than `k` edits and for a text that is not eligible.
    """
    out = np.full((len(patterns), len(texts)), k + 1, np.uint8)
    for p, pattern in enumerate(patterns):
        for i in np.flatnonzero(eligible).tolist():
            column = list(range(len(pattern) + 1))
            best = column[-1]
            for character in texts[i]:
                above = 0
                for row, wanted in enumerate(pattern, start=1):
                    left = column[row]
                    column[row] = min(left + 1, column[row - 1] + 1, above + (wanted != character))
                    above = left
                best = min(best, column[-1])
            out[p, i] = min(best, k + 1)
    return out


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether no word goes on over either end of `text[start:end]`."""
    opens = start == 0 or not (_is_word(text[start - 1]) and _is_word(text[start]))
    closes = end == len(text) or not (_is_word(text[end - 1]) and _is_word(text[end]))
    return opens and closes


def _is_word(character: str) -> bool:
    """Letters, digits and `_` of ASCII, and all that lies beyond but the three blocks of punctuation."""
    code = ord(character)
    if code < 0x80:
        return character.isalnum() or character == "_"
    return not any(low <= code <= high for low, high in _PUNCTUATION)
