"""Which conditions the scan takes over, and with which bounds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from gpu.bank.filters import NumberColumn, Range, ScanFilter, TimeColumn
from gpu.bank.records import Kind, State
from lifecycle.policy import Derived
from memsvc.filters.ast import And, Field, Node
from memsvc.filters.grammar import parse
from memsvc.filters.pairs import element_hash, equality_hash
from memsvc.filters.scan import split

ADA, BOB = equality_hash(Field("user_id"), "ada"), equality_hash(Field("user_id"), "bob")
AGENT = equality_hash(Field("agent_id"), "x")
ONE_SECOND_US = 1_000_000
AT = "1970-01-01T00:00:01Z"


def scanned(value: dict[str, Any]) -> ScanFilter:
    """The scan of a filter that leaves nothing for SQL."""
    scan, rest = split(parse(value))
    assert rest is None
    return scan


def left(value: dict[str, Any]) -> Node | None:
    return split(parse(value))[1]


def test_without_a_filter_only_active_memories_pass() -> None:
    assert scanned({}) == ScanFilter()


@pytest.mark.parametrize(
    ("value", "states"),
    [
        ({"state": "forgotten"}, {State.FORGOTTEN}),
        ({"state": {"in": ["active", "archived"]}}, {State.ACTIVE, State.ARCHIVED}),
        ({"state": {"ne": "active"}}, set(State) - {State.ACTIVE}),
        ({"not": {"state": "active"}}, set(State) - {State.ACTIVE}),
        ({"state": {"exists": True}}, set(State)),
        ({"state": {"in": ["active", "archived"], "ne": "active"}}, {State.ARCHIVED}),
    ],
)
def test_states(value: dict[str, Any], states: set[State]) -> None:
    assert scanned(value).states == states


def test_kinds() -> None:
    assert scanned({"kind": {"nin": ["episodic"]}}).kinds == {Kind.SEMANTIC, Kind.PROCEDURAL}
    assert scanned({"kind": {"exists": True}}).kinds == frozenset()


@pytest.mark.parametrize(
    "value",
    [
        {"and": [{"kind": "episodic"}, {"kind": "semantic"}]},
        {"and": [{"state": "active"}, {"state": "archived"}]},
        {"state": {"in": []}},
        {"user_id": {"in": []}},
    ],
)
def test_a_contradiction_never_becomes_the_empty_set_that_means_all(value: dict[str, Any]) -> None:
    assert left(value) is not None


def test_equalities_become_pairs() -> None:
    assert scanned({"user_id": "ada", "agent_id": "x"}).any_pairs == ((ADA,), (AGENT,))
    assert scanned({"user_id": {"in": ["ada", "bob", "ada"]}}).any_pairs == ((ADA, BOB),)
    assert scanned({"or": [{"user_id": "ada"}, {"agent_id": "x"}]}).any_pairs == ((ADA, AGENT),)
    assert scanned({"tags": {"contains": "t"}}).any_pairs == ((equality_hash(Field("tags"), "t"),),)
    assert scanned({"metadata.l": {"contains": 1}}).any_pairs == ((element_hash(Field("metadata", ("l",)), 1),),)


def test_inequalities_become_absent_pairs() -> None:
    assert scanned({"user_id": {"ne": "ada"}}).no_pairs == (ADA,)
    assert scanned({"user_id": {"nin": ["ada", "bob"]}}).no_pairs == (ADA, BOB)
    assert scanned({"not": {"or": [{"user_id": "ada"}, {"agent_id": "x"}]}}).no_pairs == (ADA, AGENT)
    assert scanned({"not": {"not": {"user_id": "ada"}}}).any_pairs == ((ADA,),)


def test_whether_a_job_made_a_memory_is_a_matter_of_pairs() -> None:
    levels = tuple(equality_hash(Field("derived"), level.value) for level in Derived)
    assert scanned({"derived": {"exists": False}}).no_pairs == levels
    assert scanned({"not": {"derived": {"exists": True}}}).no_pairs == levels
    assert scanned({"derived": {"exists": True}}).any_pairs == (levels,)


@pytest.mark.parametrize(
    ("op", "low", "high"),
    [
        ("eq", ONE_SECOND_US, ONE_SECOND_US),
        ("gt", ONE_SECOND_US + 1, None),
        ("gte", ONE_SECOND_US, None),
        ("lt", None, ONE_SECOND_US - 1),
        ("lte", None, ONE_SECOND_US),
    ],
)
def test_times_become_exact_inclusive_integers(op: str, low: int | None, high: int | None) -> None:
    (found,) = scanned({"occurred_at": {op: AT}}).ranges
    assert found.column is TimeColumn.OCCURRED
    assert isinstance(found.low, int)
    assert isinstance(found.high, int)
    assert found.low == low if low is not None else found.low > np.iinfo(np.int64).min
    assert found.high == high if high is not None else found.high < np.iinfo(np.int64).max


def test_numbers_become_bounds_between_the_floats_of_the_bank() -> None:
    held = np.float32(0.7)
    assert scanned({"importance": {"gte": 0.7}}).ranges == (Range(NumberColumn.IMPORTANCE, float(held), math.inf),)
    (above,) = scanned({"importance": {"gt": 0.7}}).ranges
    assert above.low > held
    assert np.float32(0.700001) >= above.low
    (below,) = scanned({"importance": {"lt": 0.7}}).ranges
    assert np.float32(0.699999) <= below.high < held


@pytest.mark.parametrize(
    "value",
    [
        {"place": {"contains": "b"}},
        {"place": {"exists": True}},
        {"recorded_at": {"gt": AT}},
        {"occurred_at": {"ne": AT}},
        {"not": {"occurred_at": {"gt": AT}}},
        {"metadata.n": {"gt": 3}},
        {"or": [{"user_id": "ada"}, {"kind": "episodic"}]},
        {"not": {"and": [{"user_id": "ada"}, {"agent_id": "x"}]}},
    ],
)
def test_everything_else_is_left_for_sql(value: dict[str, Any]) -> None:
    scan, rest = split(parse(value))
    assert scan == ScanFilter()
    assert rest is not None


def test_a_filter_is_divided_conjunct_by_conjunct() -> None:
    scan, rest = split(parse({"user_id": "ada", "place": {"contains": "b"}, "not": {"tags": "t"}}))
    assert scan.any_pairs == ((ADA,),)
    assert scan.no_pairs == (equality_hash(Field("tags"), "t"),)
    only = parse({"place": {"contains": "b"}, "state": "active"})
    assert isinstance(only, And)
    assert rest == only.parts[0]
