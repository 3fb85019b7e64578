"""What late interaction scores, what it leaves alone, and when it says nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.bank.pages import PagePool
from gpu.bank.records import State
from gpu.bank.view import BankView
from retrieval.channels.late_interaction import LateInteractionChannel
from retrieval.late.codec import TokenCodec
from retrieval.types import AnalysedQuery, Passage
from tests.fixtures.bank_records import offsets_of
from tests.fixtures.told_memories import DIM, EMBEDDER, Told, asked, batch_of, made_up

CODEC = TokenCodec(DIM)
MEMORIES = tuple(
    Told(text)
    for text in (
        "the red kettle is on the stove",
        "a kettle",
        "the blue teapot is broken",
        "red paint for the garden door",
        "nothing of that at all",
    )
)


@contextmanager
def view_of(
    memories: Sequence[Told], *, without: Sequence[int] = (), scan: ScanFilter | None = None
) -> Iterator[BankView]:
    """A bank whose memories have token codes, but for some."""
    encoded = [one.tokens for one in EMBEDDER.encode_documents([Passage(m.text) for m in memories])]
    codes = [
        np.empty((0, CODEC.token_bytes), np.uint8) if i in without or tokens is None else CODEC.encode(tokens)
        for i, tokens in enumerate(encoded)
    ]
    batch = replace(
        batch_of(memories), tokens=np.concatenate(codes), token_offsets=offsets_of(np.array([len(c) for c in codes]))
    )
    bank = NamespaceBank(PagePool(), DIM)
    bank.put(batch)
    with bank.view(scan or ScanFilter()) as view:
        yield view


def question(text: str) -> AnalysedQuery:
    return replace(asked(text), tokens=EMBEDDER.encode_query(text).tokens)


def by_hand(text: str, memory: str) -> float:
    words, kept = EMBEDDER.encode_query(text).tokens, EMBEDDER.encode_documents([Passage(memory)])[0].tokens
    assert words is not None
    assert kept is not None
    return float((CODEC.turned(words) @ CODEC.decode(CODEC.encode(kept)).T).max(axis=1).mean())


def test_every_memory_of_a_small_namespace_is_scored_by_its_words() -> None:
    with view_of(MEMORIES) as view:
        result = LateInteractionChannel(CODEC).search(question("red kettle"), view, 100, {})
        assert result is not None
        expected = np.array([by_hand("red kettle", memory.text) for memory in MEMORIES])
        assert result.slots.tolist() == np.argsort(-expected).tolist()
        assert result.slots[0] == 0
        np.testing.assert_allclose(result.scores, np.sort(expected)[::-1], atol=1e-5)
        np.testing.assert_allclose(result.score_of(np.array([3, 0, 3])), expected[[3, 0, 3]], atol=1e-5)
        assert result.mean == pytest.approx(expected.mean(), abs=1e-5)
        assert result.std == pytest.approx(expected.std(), abs=1e-5)
        assert result.evidence == pytest.approx(expected.max(), abs=1e-5)


def test_in_a_larger_one_the_best_of_the_others_are_scored() -> None:
    channel = LateInteractionChannel(CODEC, pool=3, scan_all=4)
    one = made_up([0.0, 0.1, 0.9, 0.2, 0.8])
    two = made_up([0.0, 0.2, 0.1, 0.3, 0.9])
    with view_of(MEMORIES) as view:
        result = channel.search(question("red kettle"), view, 100, {"semantic": one, "keyword": two})
        assert result is not None
        assert sorted(result.slots.tolist()) == [2, 3, 4]
        assert result.mean == pytest.approx(result.scores.mean(), abs=1e-6)
        assert result.score_of(np.array([0]))[0] == pytest.approx(by_hand("red kettle", MEMORIES[0].text), abs=1e-5)
        assert channel.search(question("red kettle"), view, 100, {}) is None


def test_it_lists_no_more_than_asked() -> None:
    with view_of(MEMORIES) as view:
        result = LateInteractionChannel(CODEC).search(question("red kettle"), view, 2, {})
        assert result is not None
        assert result.slots.size == result.scores.size == 2


def test_a_memory_without_codes_has_no_score() -> None:
    with view_of(MEMORIES, without=[0, 3]) as view:
        result = LateInteractionChannel(CODEC).search(question("red kettle"), view, 100, {})
        assert result is not None
        assert sorted(result.slots.tolist()) == [1, 2, 4]
        assert np.isneginf(result.score_of(np.array([0, 3]))).all()
        assert np.isfinite(result.mean)


def test_a_memory_that_the_filter_keeps_out_has_no_score() -> None:
    memories = (replace(MEMORIES[0], state=State.FORGOTTEN), *MEMORIES[1:])
    scan = ScanFilter(states=frozenset({State.ACTIVE}))
    with view_of(memories, scan=scan) as view:
        result = LateInteractionChannel(CODEC).search(question("red kettle"), view, 100, {})
        assert result is not None
        assert 0 not in result.slots
        assert np.isneginf(result.score_of(np.array([0]))).all()


def test_equal_scores_go_by_slot() -> None:
    with view_of([MEMORIES[1]] * 4) as view:
        result = LateInteractionChannel(CODEC).search(question("kettle"), view, 100, {})
        assert result is not None
        assert result.slots.tolist() == [0, 1, 2, 3]


def test_it_abstains_without_states_of_tokens() -> None:
    channel = LateInteractionChannel(CODEC)
    with view_of(MEMORIES) as view:
        assert channel.search(asked("red kettle"), view, 100, {}) is None
        assert channel.search(question("?!"), view, 100, {}) is None
    with view_of(MEMORIES, without=range(5)) as view:
        assert channel.search(question("red kettle"), view, 100, {}) is None
