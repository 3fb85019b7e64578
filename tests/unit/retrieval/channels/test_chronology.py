"""Which memory came first, with clocks, without, in conversations and over links."""

import numpy as np
import pytest

from gpu.bank.records import UNKNOWN_US
from retrieval.channels.chronology import in_order
from tests.fixtures.situated_memories import Situated, view_of


def ordered(memories: list[Situated], asked: list[int] | None = None) -> list[int]:
    with view_of(memories) as view:
        return in_order(view, np.array(range(len(memories)) if asked is None else asked, np.int64)).tolist()


def speaking_of(*spans: tuple[int, int], occurred: int = UNKNOWN_US) -> Situated:
    return Situated("x", occurred_us=occurred, spans=spans)


def at(time: int | None, conversation: int = 0, follows: tuple[int, ...] = (), recorded: int = 0) -> Situated:
    occurred = UNKNOWN_US if time is None else time
    return Situated("x", occurred_us=occurred, conversation=conversation, follows=follows, recorded_us=recorded)


@pytest.mark.parametrize(
    ("memories", "expected"),
    [
        ([], []),
        ([at(5)], [0]),
        ([at(5), at(3), at(9)], [1, 0, 2]),
        ([at(5), at(5), at(3)], [2, 0, 1]),  # equal clocks: order of writing
        ([speaking_of((7, 9), (4, 5)), at(3), at(6)], [1, 0, 2]),  # no clock: the first time that the text speaks of
        ([speaking_of((7, 9), occurred=2), at(3), at(3)], [0, 1, 2]),
        ([speaking_of((UNKNOWN_US, 9), (8, 9)), at(6), at(9)], [1, 0, 2]),
        ([at(None, recorded=7), at(5), at(9)], [1, 0, 2]),  # no clock: when it was recorded
        ([at(5, 1), at(None, 1), at(50, 1), at(9, 2)], [0, 1, 3, 2]),  # at the last known time before it
        ([at(None, 1), at(50, 1), at(9, 2)], [2, 0, 1]),  # or the first after it
        ([at(None, 1, recorded=8), at(None, 1, recorded=20), at(9, 2)], [0, 1, 2]),  # or when its conversation began
        ([at(9, 1), at(None, 2, recorded=10), at(None, 1)], [0, 2, 1]),  # never from another conversation
        ([at(None, follows=(1,)), at(None, follows=(2,)), at(None)], [2, 1, 0]),
        ([at(5), at(None, follows=(0,), recorded=100), at(9)], [0, 1, 2]),  # right after what it follows
        ([at(5, follows=(1,)), at(5)], [1, 0]),  # equal clocks: the link decides
        ([at(5, follows=(1,)), at(6), at(5)], [0, 2, 1]),  # a link that clocks contradict
        ([at(None, follows=(1,)), at(None, follows=(0,))], [0, 1]),  # a ring
        ([at(None, follows=(0,)), at(None)], [0, 1]),  # itself
        ([at(None, follows=(1, 2)), at(None, follows=(2,)), at(30), at(None, recorded=20)], [3, 2, 1, 0]),
        ([at(None, follows=(99,)), at(None)], [0, 1]),  # a memory that is not there
    ],
)
def test_order(memories: list[Situated], expected: list[int]) -> None:
    assert ordered(memories) == expected


def test_only_what_is_asked_for_comes_back_and_the_rest_still_counts() -> None:
    chain = [at(None, follows=(i + 1,)) for i in range(29)] + [at(None)]
    assert ordered(chain, [3, 20, 11]) == [20, 11, 3]
    assert ordered([at(8, 1), at(None, 1), at(5, 2)], [1, 2]) == [2, 1]


def test_chains_of_links_are_followed_only_so_far() -> None:
    chain = [at(None, follows=(i + 1,)) for i in range(99)] + [at(None)]
    assert ordered(chain, [0, 31]) == [31, 0]
    assert ordered(chain, [0, 99]) == [0, 99]
