"""Numbers of a query in the table of a batch."""

from __future__ import annotations

from enum import IntEnum

N_TIMES, N_NUMBERS, N_LISTS = 5, 2, 5


class Field(IntEnum):
    """Where each number of a query is; from `KINDS` on they are the question's own, see `questions.pack`.

    Attributes:
        RECORDS: address of the records of its namespace.
        N_GROUPS: how many there are.
        FIRST_CHUNK: the first program that works for it.
        OWNER: who must own the pages.
        MASK_IN: address of a mask to obey, uint8 by slot, or 0.
        MASK_OUT: address of a mask to write, or 0.
        STARTS: for each list the first of its chunks among all scores, -1 if it is not asked for.
        IDS, SPANS: where its ids and spans are in the table.
        N_GROUPED, N_IDS: how many ids are no terms, and how many there are.
        N_SPANS: how many spans.
        KINDS, STATES: bits of what is let through.
        BOUNDED: bits of the columns with bounds: times, then numbers.
        LOWEST, HIGHEST: the bounds of each, int64 or bits of float32.
        FLAT, SLOPE: BM25's penalty for every memory and for each of its tokens, bits of float32.
        NOW: the time for retention.
    """

    RECORDS = 0
    N_GROUPS = 1
    FIRST_CHUNK = 2
    OWNER = 3
    MASK_IN = 4
    MASK_OUT = 5
    STARTS = 6
    IDS = STARTS + N_LISTS
    N_GROUPED = IDS + 1
    N_IDS = IDS + 2
    SPANS = IDS + 3
    N_SPANS = IDS + 4
    KINDS = IDS + 5
    STATES = KINDS + 1
    BOUNDED = KINDS + 2
    LOWEST = KINDS + 3
    HIGHEST = LOWEST + N_TIMES + N_NUMBERS
    FLAT = HIGHEST + N_TIMES + N_NUMBERS
    SLOPE = FLAT + 1
    NOW = FLAT + 2


FIELDS = Field.NOW + 1
"""How many there are: an even number, so that what follows in a table begins at a multiple of 16 bytes."""
