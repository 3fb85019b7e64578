"""An order of time that does not depend on how it was asked for, and that no link contradicts."""

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gpu.bank.records import UNKNOWN_US
from retrieval.channels.chronology import in_order
from tests.fixtures.situated_memories import Situated, view_of

clocks = st.sampled_from((UNKNOWN_US, 1, 2, 3)) | st.integers(0, 9)


@st.composite
def stores(draw: st.DrawFn, *, clock: st.SearchStrategy[int] = clocks) -> list[Situated]:
    n = draw(st.integers(1, 9))
    places = st.integers(0, n)  # one of them is not there
    return [
        Situated(
            "x",
            occurred_us=draw(clock),
            conversation=draw(st.integers(0, 2)),
            follows=tuple(draw(st.lists(places, max_size=2))),
            recorded_us=draw(st.integers(0, 9)),
        )
        for _ in range(n)
    ]


@settings(max_examples=150)
@given(stores(), st.randoms(use_true_random=False))
def test_everything_asked_for_comes_back_once_in_the_same_order(memories: list[Situated], random: object) -> None:
    asked = np.arange(len(memories), dtype=np.int64)
    with view_of(memories) as view:
        expected = in_order(view, asked).tolist()
        assert sorted(expected) == asked.tolist()
        shuffled = np.random.default_rng(random.randint(0, 9)).permutation(asked)  # type: ignore[attr-defined]
        assert in_order(view, shuffled).tolist() == expected


RING_BESIDE_A_LATER_ONE = [
    Situated("x", occurred_us=0),
    Situated("x", occurred_us=1),
    Situated("x", occurred_us=0, follows=(3,)),
    Situated("x", occurred_us=0, follows=(2,)),
]
LATER_OVER_ONE_WITHOUT_A_CLOCK = [
    Situated("x", occurred_us=5),
    Situated("x", occurred_us=UNKNOWN_US, follows=(0,)),
    Situated("x", occurred_us=3, follows=(1,)),
]
FOLLOWS_ONE_WRITTEN_LATE = [
    Situated("x", occurred_us=UNKNOWN_US, recorded_us=9),
    Situated("x", occurred_us=7),
    Situated("x", occurred_us=3, follows=(0,)),
]


@settings(max_examples=150)
@given(stores())
@example(RING_BESIDE_A_LATER_ONE)
@example(LATER_OVER_ONE_WITHOUT_A_CLOCK)
@example(FOLLOWS_ONE_WRITTEN_LATE)
def test_known_clocks_are_never_contradicted(memories: list[Situated]) -> None:
    with view_of(memories) as view:
        order = in_order(view, np.arange(len(memories), dtype=np.int64)).tolist()
    times = [memories[slot].occurred_us for slot in order if memories[slot].occurred_us != UNKNOWN_US]
    assert times == sorted(times)


@settings(max_examples=150)
@given(st.lists(st.lists(st.integers(0, 100), max_size=2), min_size=1, max_size=9), st.integers(0, 1))
def test_without_clocks_a_follower_comes_after_what_it_follows(links: list[list[int]], conversation: int) -> None:
    n = len(links)
    # Links lead to memories with a higher number, so that there is no ring.
    follows = [tuple(i + 1 + link % (n - i - 1) for link in own) if i < n - 1 else () for i, own in enumerate(links)]
    memories = [Situated("x", follows=own, conversation=conversation) for own in follows]
    with view_of(memories) as view:
        order = in_order(view, np.arange(n, dtype=np.int64)).tolist()
    for slot, own in enumerate(follows):
        assert all(order.index(earlier) < order.index(slot) for earlier in own)
