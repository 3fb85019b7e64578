"""Divides a filter into what the bank's scan evaluates exactly and the rest, which SQL turns into a set of memories."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from typing import TypeVar

import numpy as np

from gpu.bank.filters import NumberColumn, Range, ScanFilter, TimeColumn
from gpu.bank.records import Kind, State
from memsvc.core.clock import to_us
from memsvc.filters.ast import And, Clause, FieldType, Node, Not, Op, Or
from memsvc.filters.pairs import MADE, element_hash, equality_hash

_PAIR_TYPES = (FieldType.STRING, FieldType.TAGS, FieldType.BOOL, FieldType.JSON)
# `recorded_at` is not here: rows know when their version was recorded, the field says when the memory first was.
_TIMES = {
    "occurred_at": TimeColumn.OCCURRED,
    "valid_from": TimeColumn.VALID_FROM,
    "valid_to": TimeColumn.VALID_TO,
    "expires_at": TimeColumn.EXPIRES,
}
_NUMBERS = {"importance": NumberColumn.IMPORTANCE, "trust": NumberColumn.TRUST}
_FIRST_US = to_us(datetime.min.replace(tzinfo=UTC))
_LAST_US = to_us(datetime.max.replace(tzinfo=UTC))
_ORDER = (Op.EQ, Op.GT, Op.GTE, Op.LT, Op.LTE)

Code = TypeVar("Code", bound=IntEnum)


def split(node: Node) -> tuple[ScanFilter, Node | None]:
    """The conjuncts that a scan can evaluate, and the conjunction of the others.

    A memory passes the filter exactly if its row passes the scan and the memory itself passes the rest. The caller adds
    `now_us`, `as_of_us`, `valid_at_us` and the memories that pass the rest as `allowed` (`dataclasses.replace`).

    Args:
        node: a parsed filter; if it names no state, `parse` has restricted it to active memories.
    """
    parts = _Parts()
    rest = tuple(conjunct for conjunct in _conjuncts(node, negated=False) if not parts.take(conjunct))
    scan = ScanFilter(
        kinds=frozenset() if len(parts.kinds) == len(Kind) else parts.kinds,
        states=parts.states,
        any_pairs=tuple(parts.any_pairs),
        no_pairs=tuple(parts.no_pairs),
        ranges=tuple(parts.ranges),
    )
    return scan, None if not rest else rest[0] if len(rest) == 1 else And(rest)


def _conjuncts(node: Node, *, negated: bool) -> list[Node]:
    """The filter (or its negation) as a list of conditions that must all hold."""
    match node:
        case And() if not negated:
            return [conjunct for part in node.parts for conjunct in _conjuncts(part, negated=False)]
        case Or() if negated:
            return [conjunct for part in node.parts for conjunct in _conjuncts(part, negated=True)]
        case Or() if len(node.parts) == 1:
            return _conjuncts(node.parts[0], negated=False)
        case Not():
            return _conjuncts(node.part, negated=not negated)
        case Clause() if negated and node.op in _OPPOSITE:
            return [Clause(node.field, _OPPOSITE[node.op], node.value)]
        case _:
            return [Not(node) if negated else node]


_OPPOSITE = {Op.EQ: Op.NE, Op.NE: Op.EQ, Op.IN: Op.NIN, Op.NIN: Op.IN}


@dataclass(slots=True)
class _Parts:
    """Collects what a scan can evaluate."""

    kinds: frozenset[Kind] = frozenset(Kind)
    states: frozenset[State] = frozenset(State)
    any_pairs: list[tuple[int, ...]] = field(default_factory=list)
    no_pairs: list[int] = field(default_factory=list)
    ranges: list[Range] = field(default_factory=list)

    def take(self, node: Node) -> bool:
        """Add a condition; False if a scan cannot evaluate it."""
        if isinstance(node, Clause) and node.field.type is FieldType.KIND:
            return self._take_kinds(node)
        if isinstance(node, Clause) and node.field.type is FieldType.STATE:
            return self._take_states(node)
        refused = _refused_pairs(node)
        if refused is not None:
            self.no_pairs.extend(refused)
            return True
        wanted = _wanted_pairs(node)
        if wanted:
            self.any_pairs.append(tuple(dict.fromkeys(wanted)))
            return True
        ranged = _range(node) if isinstance(node, Clause) else None
        if ranged is not None:
            self.ranges.append(ranged)
        return ranged is not None

    def _take_kinds(self, clause: Clause) -> bool:
        left = self.kinds & _members(clause, Kind)
        if left:  # to the scan no kinds means all of them; a contradiction goes to SQL
            self.kinds = left
        return bool(left)

    def _take_states(self, clause: Clause) -> bool:
        left = self.states & _members(clause, State)
        if left:
            self.states = left
        return bool(left)


def _members(clause: Clause, codes: type[Code]) -> frozenset[Code]:
    if clause.op is Op.EXISTS:
        return frozenset(codes) if clause.value else frozenset()
    named = frozenset(code for code in codes if code in clause.values)
    return named if clause.op in (Op.EQ, Op.IN) else frozenset(codes) - named


def _wanted_pairs(node: Node) -> list[int]:
    """Pairs of which one is enough, or none if the condition cannot be said so."""
    if isinstance(node, Or):
        parts = [_wanted_pairs(part) for part in node.parts]
        return [pair for part in parts for pair in part] if all(parts) else []
    if not isinstance(node, Clause) or node.field.type not in _PAIR_TYPES:
        return []
    if node.op in (Op.EQ, Op.IN):
        return [equality_hash(node.field, value) for value in node.values]
    if _is_made(node) and node.value:
        return list(MADE)
    if node.op is Op.CONTAINS and node.field.type in (FieldType.TAGS, FieldType.JSON):
        return [element_hash(node.field, node.value)]
    return []


def _refused_pairs(node: Node) -> list[int] | None:
    """Pairs that must all be absent, or None if the condition cannot be said so."""
    if isinstance(node, Not):
        return _wanted_pairs(node.part) or None
    if isinstance(node, Clause) and _is_made(node) and not node.value:
        return list(MADE)
    if isinstance(node, Clause) and node.field.type in _PAIR_TYPES and node.op in (Op.NE, Op.NIN):
        return [equality_hash(node.field, value) for value in node.values]
    return None


def _is_made(clause: Clause) -> bool:
    """Whether it asks if a job made the memory: all that there can be is known."""
    return clause.op is Op.EXISTS and clause.field.name == "derived"


def _range(clause: Clause) -> Range | None:
    if clause.op not in _ORDER:
        return None
    if clause.field.name in _TIMES and isinstance(clause.value, datetime):
        low, high = _time_bounds(clause.op, to_us(clause.value))
        return Range(_TIMES[clause.field.name], low, high)
    if clause.field.name in _NUMBERS and isinstance(clause.value, float):
        return Range(_NUMBERS[clause.field.name], *_number_bounds(clause.op, np.float32(clause.value)))
    return None


def _time_bounds(op: Op, us: int) -> tuple[int, int]:
    """Inclusive bounds, exact integers inside the years 1 to 9999, so that no bound meets the marks for "unknown"."""
    match op:
        case Op.EQ:
            return us, us
        case Op.GT:
            return us + 1, _LAST_US
        case Op.GTE:
            return us, _LAST_US
        case Op.LT:
            return _FIRST_US, us - 1
        case _:
            return _FIRST_US, us


def _number_bounds(op: Op, value: np.float32) -> tuple[float, float]:
    """Inclusive bounds between the float32 values that the bank holds."""
    match op:
        case Op.EQ:
            return float(value), float(value)
        case Op.GT:
            return float(np.nextafter(value, np.float32(math.inf))), math.inf
        case Op.GTE:
            return float(value), math.inf
        case Op.LT:
            return -math.inf, float(np.nextafter(value, np.float32(-math.inf)))
        case _:
            return -math.inf, float(value)
