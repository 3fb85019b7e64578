"""The rerank stage: which memories are shown, what comes back, and what a broken or late scorer does to it."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.bank.pages import PagePool
from gpu.bank.records import UNKNOWN_US
from retrieval.rerank.lexical import LexicalPairScorer
from retrieval.rerank.reranker import CallBudget, Reranked, Reranker, doubtful
from retrieval.rerank.shown import ShownText, day_in_words, shown_texts
from retrieval.types import Profile
from tests.fixtures.bank_records import random_batch, with_texts

QUESTION = "Where are the apple trees?"
SMALL = {Profile.BALANCED: CallBudget(candidates=4, calls=6, words=10_000)}


class Recording:
    """The lexical scorer, which keeps what it was shown."""

    name = "recording"

    def __init__(self, fails: Exception | None = None, reaches: int | None = None) -> None:
        self.shown: list[str] = []
        self._fails = fails
        self._reaches = reaches

    def score(self, query: str, texts: Sequence[str], *, ends_at_s: float | None = None) -> NDArray[np.float32]:
        self.shown.extend(texts)
        if self._fails:
            raise self._fails
        scores = LexicalPairScorer().score(query, texts)
        if self._reaches is not None:
            scores[self._reaches :] = np.nan
        return scores


def _texts(slots: NDArray[np.int64]) -> list[ShownText]:
    words = ("apple trees", "apple", "nothing", "trees and apple", "apples", "tree")
    return [ShownText(words[slot % len(words)], "8 May 2023" if slot % 2 else "") for slot in slots.tolist()]


def _run(scorer: Recording, n: int = 6, **options: object) -> Reranked:
    reranker = Reranker(scorer, SMALL)
    scores = np.linspace(1.0, 0.9, n)
    found = reranker.rerank(QUESTION, np.arange(n, dtype=np.int64), scores, _texts, **options)  # type: ignore[arg-type]
    assert found is not None
    return found


def test_the_budget_is_never_exceeded_and_the_rest_has_no_logit() -> None:
    scorer = Recording()
    found = _run(scorer)
    assert scorer.shown == ["apple trees", "8 May 2023: apple", "nothing", "8 May 2023: trees and apple"]
    assert found.calls == 4
    assert found.complete
    assert found.scored.tolist() == [True] * 4 + [False] * 2
    assert found.ranks.tolist() == [1, 3, 4, 2, 0, 0]  # the first and the fourth hold all terms: equal, in order
    assert found.best == found.logits[0] == pytest.approx(4.0)
    assert found.spread == pytest.approx(float(np.std([4.0, 0.0, -4.0, 4.0])))
    assert found.question_words == 5


def test_a_profile_without_a_budget_is_not_reranked() -> None:
    reranker = Reranker(Recording(), SMALL)
    slots, scores = np.arange(3), np.array([3.0, 2.0, 1.0])
    assert reranker.rerank(QUESTION, slots, scores, _texts, profile=Profile.FAST) is None
    assert reranker.rerank(QUESTION, slots[:1], scores[:1], _texts) is None


def test_second_passages_come_after_all_first_ones_and_the_best_counts() -> None:
    filler = " ".join(f"filler{number}" for number in range(300))
    long = f"trees {filler} apple trees {filler}"
    scorer = Recording()
    reranker = Reranker(scorer, {Profile.BALANCED: CallBudget(candidates=3, calls=4, words=10_000)})
    texts = [ShownText(long, "1 June 2020"), ShownText("tree"), ShownText(long)]
    found = reranker.rerank(QUESTION, np.arange(3), np.array([3.0, 2.9, 2.8]), lambda slots: texts)
    assert found is not None
    assert found.calls == 4
    assert [text == "tree" for text in scorer.shown] == [False, True, False, False]
    assert scorer.shown[0].startswith("1 June 2020: ")
    assert scorer.shown[3].startswith("1 June 2020: trees filler0")
    assert found.logits.tolist() == pytest.approx([4.0, 0.0, 4.0])  # the best passage, not the last


def test_words_bound_the_work_too() -> None:
    scorer = Recording()
    reranker = Reranker(scorer, {Profile.BALANCED: CallBudget(candidates=4, calls=6, words=3)})
    found = reranker.rerank(QUESTION, np.arange(4), np.linspace(1, 0.9, 4), _texts)
    assert found is not None
    assert found.calls == 2  # "apple trees" and "apple"; dates are not counted
    assert found.complete
    tiny = Reranker(scorer, {Profile.BALANCED: CallBudget(candidates=4, calls=6, words=0)})
    one = tiny.rerank(QUESTION, np.arange(4), np.linspace(1, 0.9, 4), _texts)
    assert one is not None
    assert one.calls == 1


@pytest.mark.parametrize("error", [ValueError("broken"), RuntimeError("out of memory"), OSError()])
def test_a_scorer_that_fails_leaves_the_rerank_out(error: Exception) -> None:
    found = _run(Recording(fails=error))
    assert not found.complete
    assert not found.scored.any()
    assert np.isnan(found.best)
    assert found.spread == 0.0
    assert found.ranks.tolist() == [0] * 6


def test_texts_that_cannot_be_had_leave_the_rerank_out() -> None:
    def gone(slots: NDArray[np.int64]) -> list[ShownText]:
        raise KeyError("texts")

    found = Reranker(Recording(), SMALL).rerank(QUESTION, np.arange(3), np.array([3.0, 2.0, 1.0]), gone)
    assert found is not None
    assert not found.complete
    assert found.calls == 0


def test_what_was_not_reached_in_time_is_said() -> None:
    found = _run(Recording(reaches=2), ends_at_s=time.monotonic() + 10.0)
    assert not found.complete
    assert found.scored.tolist() == [True, True, False, False, False, False]


def test_only_memories_near_the_last_one_answered_are_in_doubt() -> None:
    scores = np.concatenate([np.linspace(10.0, 9.0, 12), np.linspace(2.0, 1.0, 30)])
    assert doubtful(scores, top_k=10, gap=0.0) == 10
    assert doubtful(scores, top_k=10, gap=0.1) == 12
    assert doubtful(scores, top_k=3, gap=0.0) == 10  # never fewer than ten
    assert doubtful(scores, top_k=20, gap=0.0) == 20
    assert doubtful(scores[:5], top_k=10, gap=0.0) == 5
    steps = np.arange(40.0, 0.0, -1.0)  # the best 30 deviate by 8.66, so that a gap of 0.75 is 6.49 steps
    assert doubtful(steps, top_k=10, gap=0.75) == 16


@given(
    scores=st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=1, max_size=80).map(
        lambda values: np.array(sorted(values, reverse=True))
    ),
    top_k=st.integers(1, 60),
    gap=st.floats(0.0, 5.0),
)
def test_a_wider_gap_never_shows_fewer(scores: NDArray[np.float64], top_k: int, gap: float) -> None:
    shown = doubtful(scores, top_k=top_k, gap=gap)
    assert min(top_k, scores.size) <= shown <= scores.size
    assert shown <= doubtful(scores, top_k=top_k, gap=gap + 1.0)
    assert doubtful(scores * 2.0 + 3.0, top_k=top_k, gap=gap + 1e-3) >= shown  # no unit, no origin


@given(logits=st.lists(st.one_of(st.just(float("nan")), st.floats(-11, 11, width=32)), max_size=30))
def test_ranks_are_those_of_the_logits(logits: list[float]) -> None:
    values = np.array(logits, np.float32)
    ranks = Reranked(np.arange(values.size), values, 0, True, 3, 0.0).ranks
    finite = np.flatnonzero(np.isfinite(values))
    assert sorted(ranks[finite].tolist()) == list(range(1, finite.size + 1))
    assert (ranks[np.isnan(values)] == 0).all()
    for one in finite.tolist():
        for other in finite.tolist():
            if values[one] > values[other] or (values[one] == values[other] and one < other):
                assert ranks[one] < ranks[other]


def test_passages_are_weighed_by_what_terms_are_worth() -> None:
    filler = " ".join(f"filler{number}" for number in range(400))
    text = ShownText(f"apple {filler} tree {filler}")
    shown = []
    for worth in ([1.0, 9.0], [9.0, 1.0]):
        scorer = Recording()
        weights = np.array(worth, np.float32)
        reranker = Reranker(scorer, {Profile.BALANCED: CallBudget(2, 2, 10_000, passages=1)})
        reranker.rerank(
            "apple tree", np.arange(2), np.ones(2), lambda slots: [text, text], weights_of=lambda ids, w=weights: w
        )
        shown.append(scorer.shown[0])
    assert "tree" in shown[0].split()
    assert "apple" not in shown[0].split()
    assert "apple" in shown[1].split()


def test_texts_and_days_come_from_the_bank() -> None:
    bank = NamespaceBank(PagePool(), 8)
    batch = with_texts(random_batch(np.random.default_rng(1), [0, 1, 2]), ["käse und brot", "", "third"])
    batch.occurred_us[:] = [1_683_507_600_000_000, UNKNOWN_US, 0]
    bank.put(batch)
    with bank.view(ScanFilter()) as view:
        shown = shown_texts(view, np.array([2, 0, 1], np.int64))
    assert shown == [ShownText("third", "1 January 1970"), ShownText("käse und brot", "8 May 2023"), ShownText("")]
    assert shown[1].part("brot") == "8 May 2023: brot"
    assert shown[2].part("x") == "x"


@pytest.mark.parametrize(
    ("moment_us", "words"),
    [(0, "1 January 1970"), (-1, "31 December 1969"), (UNKNOWN_US, ""), (2**62, ""), (-(2**62), "")],
)
def test_days_in_words(moment_us: int, words: str) -> None:
    assert day_in_words(moment_us) == words
