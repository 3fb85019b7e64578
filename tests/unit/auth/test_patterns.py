"""Namespace patterns."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memsvc.auth.principal import is_pattern, pattern_matches

SEGMENT = st.sampled_from(["a", "b", "*"])
PATTERN = st.builds(
    lambda parts, rest: "/".join([*parts, "**"] if rest or not parts else parts),
    st.lists(SEGMENT, max_size=3),
    st.booleans(),
)
PATHS = ["/".join(parts) for n in range(1, 5) for parts in itertools.product("abc", repeat=n)]


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("**", "a/b/c", True),
        ("user/ada", "user/ada", True),
        ("user/ada", "user/ada/x", False),
        ("user/ada", "user/adam", False),
        ("user/*", "user/ada", True),
        ("user/*", "user", False),
        ("user/*", "user/ada/x", False),
        ("user/**", "user", True),
        ("user/**", "user/ada/x", True),
        ("user/**", "users/ada", False),
        ("*/x/**", "a/x/y/z", True),
        ("*/x/**", "a/y", False),
        ("a.c", "abc", False),
        ("[ab]", "a", False),
    ],
)
def test_matching(pattern: str, path: str, expected: bool) -> None:
    assert pattern_matches(pattern, path) is expected


@pytest.mark.parametrize("text", ["", "/", "a//b", "/a", "a/", "**/a", "a**", "a*", "*a/b", "a/**/b", "a/\x00"])
def test_what_is_no_pattern(text: str) -> None:
    assert not is_pattern(text)


@given(PATTERN, PATTERN)
def test_a_covered_pattern_reaches_nothing_more(wide: str, narrow: str) -> None:
    assert is_pattern(wide)
    covered = {path for path in PATHS if pattern_matches(narrow, path)} <= {
        p for p in PATHS if pattern_matches(wide, p)
    }
    assert pattern_matches(wide, wide)
    if pattern_matches(wide, narrow):
        assert covered
