"""What the question recalls, and when the recollection says nothing."""

from dataclasses import replace

import numpy as np
import pytest

from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.bank.pages import PagePool
from retrieval.channels.associative import AssociativeChannel
from tests.fixtures.told_memories import DIM, Told, asked, batch_of, found_by_both, view_of, without

CHANNEL = AssociativeChannel()


def groups_of_rows(rng: np.random.Generator, groups: int, each: int) -> np.ndarray:
    """Unit rows around a few directions."""
    centres = rng.standard_normal((groups, DIM))
    rows = np.repeat(centres, each, axis=0) + 0.4 * rng.standard_normal((groups * each, DIM))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def bank_with(rows: np.ndarray) -> NamespaceBank:
    batch = batch_of([Told(f"memory {i}") for i in range(len(rows))])
    bank = NamespaceBank(PagePool(), DIM)
    bank.put(replace(batch, vectors=rows.astype(np.float16), view_offsets=np.arange(len(rows) + 1)))
    return bank


def cue(rng: np.random.Generator, row: np.ndarray) -> np.ndarray:
    """Half of a row, in unit length."""
    half = row * (rng.permutation(DIM) < DIM // 2)
    return (half / np.linalg.norm(half)).astype(np.float32)


def test_half_a_cue_comes_back_to_its_group() -> None:
    rng = np.random.default_rng(0)
    rows = groups_of_rows(rng, 10, 8)
    plain = completed = 0.0
    with bank_with(rows).view(ScanFilter()) as view:
        for group in range(10):
            query = without(asked("?"), vector=cue(rng, rows[group * 8]))
            seeds = found_by_both(query, view)
            result = CHANNEL.search(query, view, 8, seeds)
            assert result is not None
            completed += np.mean(result.slots // 8 == group)
            plain += np.mean(seeds["semantic"].slots[:8] // 8 == group)
    assert completed >= 9.9
    assert completed >= plain


def test_different_questions_recall_different_memories() -> None:
    rng = np.random.default_rng(1)
    rows = groups_of_rows(rng, 10, 8)
    with bank_with(rows).view(ScanFilter()) as view:
        heads = []
        for group in (2, 7):
            query = without(asked("?"), vector=cue(rng, rows[group * 8]))
            result = CHANNEL.search(query, view, 10, {})
            assert result is not None
            heads.append(set(result.slots[:8].tolist()))
    assert not heads[0] & heads[1]


def test_it_is_the_same_with_and_without_the_semantic_channel() -> None:
    rng = np.random.default_rng(2)
    with bank_with(groups_of_rows(rng, 4, 20)).view(ScanFilter()) as view:
        query = without(asked("?"), vector=cue(rng, groups_of_rows(rng, 1, 1)[0]))
        alone = CHANNEL.search(query, view, 10, {})
        beside = CHANNEL.search(query, view, 10, found_by_both(query, view))
        assert alone is not None
        assert beside is not None
        assert alone.slots.tolist() == beside.slots.tolist()
        assert alone.scores.tobytes() == beside.scores.tobytes()


def test_the_score_is_the_likeness_to_the_completed_pattern_above_the_least() -> None:
    rng = np.random.default_rng(3)
    rows = groups_of_rows(rng, 3, 10)
    with bank_with(rows).view(ScanFilter()) as view:
        query = without(asked("?"), vector=cue(rng, rows[0]))
        result = CHANNEL.search(query, view, 30, {})
        assert result is not None
        assert result.slots.size == 29  # the least likely has 0
        assert 0.0 < result.scores[-1] <= result.scores[0] <= 2.0
        everything = result.score_of(np.arange(30))
        assert everything.min() == 0.0
        assert (result.mean, result.std) == pytest.approx((everything.mean(), everything.std()), abs=1e-6)


def test_it_abstains_without_a_vector_and_where_all_memories_are_alike() -> None:
    alike = tuple(Told("the same words every time") for _ in range(40))
    with view_of(alike) as view:
        query = asked("the same words")
        assert CHANNEL.search(query, view, 10, {}) is None
        assert CHANNEL.search(without(query, vector=None), view, 10, {}) is None
    rng = np.random.default_rng(4)
    rows = np.ones(DIM) / np.sqrt(DIM) + 0.002 * rng.standard_normal((60, DIM))
    with bank_with(rows / np.linalg.norm(rows, axis=1, keepdims=True)).view(ScanFilter()) as view:
        assert CHANNEL.search(without(asked("?"), vector=cue(rng, rows[0])), view, 10, {}) is None
    with view_of(()) as view:
        assert CHANNEL.search(asked("?"), view, 10, {}) is None


EXACT = np.eye(DIM, dtype=np.float32)[0]


def test_a_completion_that_stays_at_the_cue_says_nothing() -> None:
    rows = np.eye(DIM, dtype=np.float32)[:5]
    rows[1] = (rows[0] + rows[1]) / np.sqrt(2)
    with bank_with(rows).view(ScanFilter()) as view:
        assert CHANNEL.search(without(asked("?"), vector=EXACT), view, 10, {}) is None
