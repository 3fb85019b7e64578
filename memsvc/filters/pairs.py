"""The (field, value) equalities of a memory as hashes, which is all that the bank keeps of them.

A pair says "field equals value"; a pair of a list (tags, lists in metadata) says "the list has the value".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.bank.filters import pair_hash
from lifecycle.policy import Derived
from memsvc.filters.ast import FIELD_TYPES, Field, FieldType
from memsvc.filters.grammar import MAX_PATH_KEYS
from memsvc.filters.values import spell

PLAIN_FIELDS = tuple(name for name, kind in FIELD_TYPES.items() if kind in (FieldType.STRING, FieldType.BOOL))
_LIST_FIELDS = tuple(name for name, kind in FIELD_TYPES.items() if kind is FieldType.TAGS)
_NESTED_FIELDS = ("source", "metadata")
_ELEMENT = "e"


def row_pairs(described: Mapping[str, Any]) -> NDArray[np.uint64]:
    """Hashes of everything about a memory that a filter can test for equality.

    Args:
        described: values by column name (`external_id`, `user_id`, ..., `pinned`, `tags`, `source`, `metadata`). What
            is missing or None makes no pair; other names are ignored.

    Returns:
        uint64 `[n]`, ascending, unique.
    """
    found = set()
    for name in PLAIN_FIELDS:
        spelled = spell(described.get(name))
        if spelled is not None:
            found.add(pair_hash(name, spelled))
    for name in _LIST_FIELDS:
        for tag in described.get(name) or ():
            found.add(pair_hash(name, f"{_ELEMENT}s{tag}"))
    for name in _NESTED_FIELDS:
        inner = described.get(name)
        if inner:
            found.update(_inner_hashes(name, inner))
    return np.array(sorted(found), dtype=np.uint64)


def equality_hash(field: Field, value: object) -> int:
    """The pair of "field equals value"; for tags, "has the tag"."""
    if field.type is FieldType.TAGS:
        return element_hash(field, value)
    return pair_hash(_name(field), spell(value) or "")


def element_hash(field: Field, value: object) -> int:
    """The pair of "the list has the value"."""
    return pair_hash(_name(field), f"{_ELEMENT}{spell(value)}")


MADE = tuple(pair_hash("derived", spell(level.value) or "") for level in Derived)
"""Everything that a job made of other memories has one of these pairs."""


def _name(field: Field) -> str:
    return ".".join((field.name, *map(_escape, field.path)))


def _escape(key: str) -> str:
    """A key as one step of a path: dots inside stay inside; the separator of `pair_hash` cannot be forged."""
    if "\\" in key or "." in key or "\x1f" in key:
        return key.replace("\\", "\\\\").replace(".", "\\.").replace("\x1f", "\\u")
    return key


def _inner_hashes(root: str, value: Mapping[str, Any]) -> Iterator[int]:
    """Pairs of every scalar and list element as deep as a filter can ask."""
    waiting: list[tuple[str, Mapping[str, Any], int]] = [(root, value, 1)]
    while waiting:
        prefix, members, depth = waiting.pop()
        for key, member in members.items():
            name = f"{prefix}.{_escape(key)}"
            if isinstance(member, Mapping):
                if depth < MAX_PATH_KEYS:
                    waiting.append((name, member, depth + 1))
                continue
            for spelled in _spellings(member):
                yield pair_hash(name, spelled)


def _spellings(member: object) -> Iterator[str]:
    if isinstance(member, list | tuple):
        for element in member:
            spelled = spell(element)
            if spelled is not None:
                yield _ELEMENT + spelled
        return
    spelled = spell(member)
    if spelled is not None:
        yield spelled
