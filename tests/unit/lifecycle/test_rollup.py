"""The roll-up of a stream: everything is reached, nothing twice, ratios hold, and what is complete stays."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.policy import Derived, Gists
from lifecycle.rollup import Episode, Node, cuts, groups, leaves, rollup

BEGIN = datetime(2026, 1, 5, 9, tzinfo=UTC)
NEVER = datetime(2100, 1, 1, tzinfo=UTC)

_gists = st.tuples(st.integers(2, 5), st.integers(0, 8)).map(lambda p: Gists(least=p[0], ratio=2 * p[0] - 1 + p[1]))
_turns = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 600), st.sampled_from([None, 1, 2])), min_size=1, max_size=120
)


def stream(turns: list[tuple[int, int, int | None]]) -> list[Episode]:
    rng = np.random.default_rng(1)
    return [
        Episode(
            UUID(int=n + 1),
            ("ada", None),
            None if session is None else day * 10 + session,
            BEGIN + timedelta(days=day, minutes=minute),
            rng.standard_normal(4).astype(np.float32),
        )
        for n, (day, minute, session) in enumerate(turns)
    ]


def shape(nodes: list[Node]) -> list[tuple[str, tuple[int, ...]]]:
    return [(node.level.value, tuple(leaf.id.int for leaf in leaves(node))) for node in nodes]


@given(_turns, _gists)
@settings(max_examples=200, deadline=None)
def test_every_episode_lies_below_one_top_at_most(turns: list[tuple[int, int, int | None]], gists: Gists) -> None:
    episodes = stream(turns)
    nodes = rollup(episodes, gists, NEVER)
    inside = {below for node in nodes for below in node.below}
    assert len(inside) == sum(len(node.below) for node in nodes)
    tops = [node for node in nodes if node not in inside] + [one for one in episodes if one not in inside]
    reached = [leaf.id for top in tops for leaf in leaves(top)]
    assert sorted(reached) == [one.id for one in episodes]
    for node in nodes:
        assert gists.least <= len(node.below) < gists.ratio + gists.least
        assert [piece.moment for piece in node.below] == sorted(piece.moment for piece in node.below)
    assert len(nodes) <= 2 * len(episodes) / gists.least
    seen: set[object] = set()
    for node in nodes:
        assert all(isinstance(piece, Episode) or piece in seen for piece in node.below)
        seen.add(node)


@given(_turns, _gists, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_arrival_makes_no_difference(
    turns: list[tuple[int, int, int | None]], gists: Gists, shuffler: random.Random
) -> None:
    episodes = stream(turns)
    expected = shape(rollup(episodes, gists, NEVER))
    shuffler.shuffle(episodes)
    assert shape(rollup(episodes, gists, NEVER)) == expected


def test_what_is_complete_stays_when_more_comes() -> None:
    turns = [(day, minute, 1) for day in range(21) for minute in range(0, 40, 4)]
    episodes = stream(turns)
    before = shape(rollup(episodes[:100], Gists(), BEGIN + timedelta(days=10, hours=12)))
    after = shape(rollup(episodes, Gists(), BEGIN + timedelta(days=21)))
    assert set(before) <= set(after)


def test_a_session_is_cut_where_it_changes_and_where_it_was_silent() -> None:
    def vector(topic: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return np.eye(3, dtype=np.float32)[topic]

    topics = [0] * 6 + [1] * 7 + [2] * 5
    session = [
        Episode(UUID(int=n), (None, None), 1, BEGIN + timedelta(minutes=n), vector(topic))
        for n, topic in enumerate(topics)
    ]
    assert cuts(session, Gists()) == [0, 6, 13, 18]
    late = [Episode(one.id, one.scope, 1, one.moment + timedelta(hours=3 if n > 3 else 0), one.vector)
            for n, one in enumerate(session[:8])]  # fmt: skip
    assert cuts(late, Gists()) == [0, 4, 8]


def test_two_users_never_share_a_node() -> None:
    episodes = [
        Episode(UUID(int=n), (user, None), 1, BEGIN + timedelta(minutes=n))
        for n in range(12)
        for user in [("ada", "ben")[n % 2]]
    ]
    nodes = rollup(episodes, Gists(), NEVER)
    assert [{leaf.scope for leaf in leaves(node)} for node in nodes] == [{("ada", None)}, {("ben", None)}]


def test_levels_that_are_off_pass_everything_on() -> None:
    episodes = stream([(day, minute, 1) for day in range(7) for minute in range(4)])
    nodes = rollup(episodes, Gists(levels=frozenset({Derived.WEEK})), NEVER)
    assert [node.level for node in nodes] == [Derived.WEEK] * 3
    assert sum(len(node.below) for node in nodes) == 28


def test_a_stream_costs_its_ratio() -> None:
    for number in (1_000, 10_000):
        turns = [(n // 40, n % 40, 1) for n in range(number)]
        nodes = rollup(stream(turns), Gists(), NEVER)
        assert number / 11 <= len(nodes) <= number / 5
    assert groups(23, Gists()) == [0, 10, 20, 23]
    assert groups(22, Gists()) == [0, 10, 22]
