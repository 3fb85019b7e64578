"""What a filter means, in plain Python: tested on rows that SQL cannot look into, and what all else is held against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from memsvc.filters.ast import And, Clause, FieldType, Node, Not, Op, Or

_MISSING = object()


def passes(node: Node, memory: Mapping[str, Any]) -> bool:
    """Whether a memory (values by column name) passes a filter."""
    match node:
        case And():
            return all(passes(part, memory) for part in node.parts)
        case Or():
            return any(passes(part, memory) for part in node.parts)
        case Not():
            return not passes(node.part, memory)
        case Clause():
            return _clause(node, memory)


def _clause(clause: Clause, memory: Mapping[str, Any]) -> bool:
    if clause.op is Op.NE:
        return not _clause(Clause(clause.field, Op.EQ, clause.value), memory)
    if clause.op is Op.NIN:
        return not _clause(Clause(clause.field, Op.IN, clause.value), memory)
    found = _find(clause, memory)
    if clause.op is Op.EXISTS:
        there = found is not _MISSING and (clause.field.type is not FieldType.TAGS or bool(found))
        return there is clause.value
    if found is _MISSING:
        return False
    if clause.field.type is FieldType.TAGS:
        return any(tag in clause.values for tag in found)
    if clause.op is Op.CONTAINS:
        if clause.field.type is FieldType.STRING:
            return clause.value in found
        return isinstance(found, list) and any(_same(element, clause.value) for element in found)
    if clause.op in (Op.EQ, Op.IN):
        return any(_same(found, value) for value in clause.values)
    return _ordered(clause.op, found, clause.value)


def _find(clause: Clause, memory: Mapping[str, Any]) -> Any:
    found = memory[clause.field.name]
    for key in clause.field.path:
        found = found.get(key) if isinstance(found, dict) else None
    return _MISSING if found is None else found


def _group(value: object) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return type(value).__name__


def _same(one: object, other: object) -> bool:
    return _group(one) == _group(other) and one == other


def _ordered(op: Op, found: Any, value: Any) -> bool:
    if _group(found) != _group(value):
        return False
    return bool({Op.GT: found > value, Op.GTE: found >= value, Op.LT: found < value, Op.LTE: found <= value}[op])
