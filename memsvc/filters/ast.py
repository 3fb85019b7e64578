"""A parsed filter: a small tree of frozen values, all checked, none of them SQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gpu.bank.records import State


class Op(StrEnum):
    """Comparisons. Every one is either true or false: a missing value never equals, exceeds or contains anything."""

    EQ = "eq"
    NE = "ne"
    IN = "in"
    NIN = "nin"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    CONTAINS = "contains"
    EXISTS = "exists"


class FieldType(StrEnum):
    """What a field holds, and so what it can be compared with."""

    KIND = "kind"
    STATE = "state"
    STRING = "string"
    TAGS = "tags"
    TIME = "time"
    NUMBER = "number"
    TRUST = "trust"
    BOOL = "bool"
    JSON = "json"


FIELD_TYPES: dict[str, FieldType] = {
    "kind": FieldType.KIND,
    "state": FieldType.STATE,
    "external_id": FieldType.STRING,
    "user_id": FieldType.STRING,
    "agent_id": FieldType.STRING,
    "session_id": FieldType.STRING,
    "speaker": FieldType.STRING,
    "place": FieldType.STRING,
    "tags": FieldType.TAGS,
    "outcome": FieldType.STRING,
    "language": FieldType.STRING,
    "occurred_at": FieldType.TIME,
    "valid_from": FieldType.TIME,
    "valid_to": FieldType.TIME,
    "recorded_at": FieldType.TIME,
    "expires_at": FieldType.TIME,
    "importance": FieldType.NUMBER,
    "trust": FieldType.TRUST,
    "origin": FieldType.STRING,
    "flags": FieldType.TAGS,
    "pinned": FieldType.BOOL,
    "derived": FieldType.STRING,
    "source": FieldType.JSON,
    "metadata": FieldType.JSON,
}
"""Every field that a filter may name; `source` and `metadata` with a path behind them."""

Scalar = str | int | float | bool | datetime


@dataclass(frozen=True, slots=True)
class Field:
    """A field, and for `source` and `metadata` the keys that lead to the value inside."""

    name: str
    path: tuple[str, ...] = ()

    @property
    def type(self) -> FieldType:
        """What it holds."""
        return FIELD_TYPES[self.name]


@dataclass(frozen=True, slots=True)
class Clause:
    """`field op value`. `in` and `nin` hold a tuple, `exists` a bool, every other comparison one scalar.

    Kinds and states are their integer codes, tiers of trust their ranks, times aware datetimes, metadata numbers ints
    wherever they are whole.
    """

    field: Field
    op: Op
    value: Scalar | tuple[Scalar, ...]

    @property
    def values(self) -> tuple[Scalar, ...]:
        """The value, or the values of a list, as a tuple."""
        return self.value if isinstance(self.value, tuple) else (self.value,)


@dataclass(frozen=True, slots=True)
class And:
    """All parts hold; true without parts."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one part holds."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Node


Node = And | Or | Not | Clause

ONLY_ACTIVE = Clause(Field("state"), Op.EQ, int(State.ACTIVE))
"""What a filter that names no state adds."""
NOT_QUARANTINED = Clause(Field("state"), Op.NE, int(State.QUARANTINED))
"""What only admins may leave out."""


def conjoin(*nodes: Node | None) -> Node:
    """All of the given filters; None counts as no condition."""
    parts: list[Node] = []
    for node in nodes:
        if isinstance(node, And):
            parts.extend(node.parts)
        elif node is not None:
            parts.append(node)
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def asks_for(node: Node, state: State) -> bool:
    """Whether the filter names a state among those that are wanted."""
    match node:
        case Clause():
            is_wanted = node.op in (Op.EQ, Op.IN) and int(state) in node.values
            return node.field.type is FieldType.STATE and is_wanted
        case Not():
            return False  # to leave it out, or all others: it is left out anyway
        case And() | Or():
            return any(asks_for(part, state) for part in node.parts)


def names(node: Node, field: str) -> bool:
    """Whether the filter says anything about a field."""
    match node:
        case Clause():
            return node.field.name == field
        case Not():
            return names(node.part, field)
        case And() | Or():
            return any(names(part, field) for part in node.parts)
