"""Which equalities a memory carries, and that different ones never look alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memsvc.filters.ast import Field
from memsvc.filters.pairs import element_hash, equality_hash, row_pairs


def pairs(**described: Any) -> set[int]:
    return set(row_pairs(described).tolist())


def test_every_equal_able_field_makes_its_pairs() -> None:
    strings = ("external_id", "user_id", "agent_id", "session_id", "speaker", "place", "outcome", "language")
    found = row_pairs(
        {
            **dict.fromkeys(strings, "x"),
            "pinned": False,
            "tags": ["t", "u", "t"],
            "metadata": {"a": 1, "b": {"c.d": True}, "l": ["x", 2, None, [3]], "n": None},
            "source": {"app": "chat"},
            "kind": 1,
            "content": "never hashed",
        }
    )
    expected = {equality_hash(Field(name), "x") for name in strings} | {
        equality_hash(Field("pinned"), False),
        equality_hash(Field("tags"), "t"),
        equality_hash(Field("tags"), "u"),
        equality_hash(Field("metadata", ("a",)), 1),
        equality_hash(Field("metadata", ("b", "c.d")), True),
        element_hash(Field("metadata", ("l",)), "x"),
        element_hash(Field("metadata", ("l",)), 2),
        equality_hash(Field("source", ("app",)), "chat"),
    }
    assert set(found.tolist()) == expected
    assert found.dtype == np.uint64
    assert (np.diff(found.astype(object)) > 0).all(), "ascending and unique"


def test_nothing_said_makes_no_pair() -> None:
    assert row_pairs({"user_id": None, "tags": [], "metadata": {}, "source": None}).shape == (0,)


def test_a_number_is_one_number_however_it_is_written() -> None:
    assert pairs(metadata={"a": 1}) == pairs(metadata={"a": 1.0})
    assert pairs(metadata={"a": 0}) == pairs(metadata={"a": -0.0})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {"a": True}),
        ({"a": 1}, {"a": "1"}),
        ({"a": True}, {"a": "true"}),
        ({"a": "x"}, {"a": ["x"]}),
        ({"a.b": "x"}, {"a": {"b": "x"}}),
        ({"a\\": {"b": 1}}, {"a\\.b": 1}),
        ({"a": 2**53}, {"a": 2**53 + 1}),
        ({"a\x1fs": "x"}, {"a": "s\x1fsx"}),
        ({"a": "es"}, {"a": ["s"]}),
    ],
)
def test_what_differs_never_looks_alike(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert not pairs(metadata=one) & pairs(metadata=other)


def test_source_and_metadata_are_kept_apart() -> None:
    assert not pairs(metadata={"a": "x"}) & pairs(source={"a": "x"})


def test_depth_beyond_any_filter_is_skipped_without_recursion() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = {"a": deep}
    assert row_pairs({"metadata": deep}).shape == (0,)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), _json, max_size=5))
def test_any_metadata_has_pairs_that_do_not_depend_on_its_order(metadata: dict[str, Any]) -> None:
    turned = dict(reversed(metadata.items()))
    assert row_pairs({"metadata": metadata}).tolist() == row_pairs({"metadata": turned}).tolist()
