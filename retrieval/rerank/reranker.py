"""The rerank stage: spends a budget of cross-encoder calls where the order of the first stage is in doubt.

Which memories are shown is settled before the first call, from the fused scores s₁ ≥ s₂ ≥ ... alone, so that all pairs
can run side by side and the same question over the same memories always shows the same pairs:

    shown = { i : i <= floor  or  s_i >= s_k - gap * std(s₁ ... s₃₀) },  at most `candidates`,   k = max(top_k, 10)

A memory that lies `gap` deviations under the last one that would be answered hardly ever makes its way up: with
gap = 0.75 a tenth of the calls is saved at the quality of always showing 20 (`docs/decisions/0006-rerank.md`). Each
passage of a long memory is a call of its own. First passages come before all second ones; when calls or words run out,
what comes after is not shown. What a rerank costs is thus bounded whatever the memories are.

The stage gives logits and what a learned fusion needs beside them; it never reorders anything itself, because where
questions are long chat messages the cross-encoder alone ranks worse than the first stage.

Sources: Nogueira and Cho 2019 (arXiv:1901.04085); stopping by the gap to the k-th best as in the threshold algorithm,
Fagin, Lotem and Naor 2003 (doi:10.1016/S0022-0000(03)00026-6), with a measured bound in the place of a proved one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.analysis.terms import stems, term_id
from retrieval.ports import PairScorer
from retrieval.rerank.shown import ShownText
from retrieval.rerank.windows import best_windows
from retrieval.types import Profile

logger = logging.getLogger(__name__)

GAP = 0.75
_SPREAD_OVER = 30
_FEWEST_SHOWN = 10

TextsOf = Callable[[NDArray[np.int64]], list[ShownText]]
"""Slots int64 `[m]` to what is shown of them, in the same order."""

WeightsOf = Callable[[NDArray[np.uint32]], NDArray[np.float32]]
"""Hashed terms uint32 `[t]` to what each is worth, float32 `[t]` (an idf)."""


@dataclass(frozen=True, slots=True)
class CallBudget:
    """What one recall may spend.

    Attributes:
        candidates: most memories shown.
        calls: most pairs scored; more than `candidates` leaves room for second passages of long memories.
        words: most words in all pairs together: the time a pair takes grows with its length.
        passages: most passages shown of one memory.
    """

    candidates: int
    calls: int
    words: int
    passages: int = 2


BUDGETS: Mapping[Profile, CallBudget] = {
    Profile.BALANCED: CallBudget(candidates=8, calls=10, words=1_300),
    Profile.THOROUGH: CallBudget(candidates=40, calls=52, words=6_400),
}
"""By profile; a profile that is not listed (fast) is not reranked."""


@dataclass(frozen=True, slots=True)
class Reranked:
    """What the cross-encoder says about candidates, best first by the first stage.

    Attributes:
        slots: int64 `[n]`, all candidates as they came.
        logits: float32 `[n]`, the best over the passages shown; NaN where none was scored.
        calls: pairs that were asked for.
        complete: False if the scorer failed or time ran out before all of them were scored.
        question_words: words of the question; on long ones a cross-encoder is trusted less.
        took_ms: time spent.
    """

    slots: NDArray[np.int64]
    logits: NDArray[np.float32]
    calls: int
    complete: bool
    question_words: int
    took_ms: float

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Which candidates have a logit, bool `[n]`."""
        return np.isfinite(self.logits)

    @property
    def ranks(self) -> NDArray[np.int64]:
        """Rank by logit from 1, equal ones in the order of the first stage, int64 `[n]`; 0 where there is no logit."""
        ranks = np.zeros(self.logits.size, dtype=np.int64)
        order = np.argsort(-self.logits, kind="stable")[: int(self.scored.sum())]  # NaN sorts last
        ranks[order] = np.arange(1, order.size + 1)
        return ranks

    @property
    def best(self) -> float:
        """The best logit of the question; NaN if there is none."""
        return float(self.logits[self.scored].max()) if self.scored.any() else float("nan")

    @property
    def spread(self) -> float:
        """Standard deviation of the logits; 0 if there are fewer than two."""
        return float(self.logits[self.scored].std()) if self.scored.any() else 0.0


class Reranker:
    """Has the best candidates read by a cross-encoder. Thread-safe, no state of its own."""

    def __init__(
        self,
        scorer: PairScorer,
        budgets: Mapping[Profile, CallBudget] = BUDGETS,
        *,
        gap: float = GAP,
        patience_s: float = 30.0,
    ) -> None:
        """Puts the parts together.

        Args:
            scorer: the cross-encoder; in a service one that is shared (`retrieval.rerank.shared`), because only such a
                one keeps to a deadline when the model hangs.
            budgets: what a recall of a profile may spend; none for a profile that is not listed.
            gap: see the module; in standard deviations, >= 0.
            patience_s: how long a recall without a deadline waits at most.
        """
        self._scorer = scorer
        self._budgets = dict(budgets)
        self._gap = gap
        self._patience_s = patience_s

    @property
    def name(self) -> str:
        """The cross-encoder's name."""
        return self._scorer.name

    def reads(self, profile: Profile) -> bool:
        """Whether recalls of a profile are reranked at all."""
        return profile in self._budgets

    def rerank(
        self,
        question: str,
        slots: NDArray[np.int64],
        scores: NDArray[np.float64],
        texts_of: TextsOf,
        *,
        profile: Profile = Profile.BALANCED,
        top_k: int = 10,
        ends_at_s: float | None = None,
        weights_of: WeightsOf | None = None,
    ) -> Reranked | None:
        """Scores the candidates whose order is in doubt.

        Args:
            question: as it was asked.
            slots: int64 `[n]`, candidates best first.
            scores: float64 `[n]`, their fused scores, descending.
            texts_of: gives the texts of the candidates that are shown.
            profile: chooses the budget.
            top_k: how many memories will be answered.
            ends_at_s: when the answer must be there, on the clock of `time.monotonic`.
            weights_of: what terms are worth, to choose passages of long memories by; all the same without it.

        Returns:
            None where the profile has no budget or there is nothing to put in order. It never raises for what the
            scorer or `texts_of` raises: what is missing is NaN, and `complete` is False.
        """
        budget = self._budgets.get(profile)
        if budget is None or slots.size < 2:
            return None
        begun = time.monotonic()
        shown = min(doubtful(scores, top_k=top_k, gap=self._gap), budget.candidates, budget.calls)
        logits = np.full(slots.size, np.nan, dtype=np.float32)
        calls, complete = 0, False
        try:
            owners, pairs = self._pairs(question, texts_of(slots[:shown]), budget, weights_of)
            calls = len(pairs)
            ends = begun + self._patience_s if ends_at_s is None else ends_at_s
            found = self._scorer.score(question, pairs, ends_at_s=ends)
            complete = bool(np.isfinite(found).all())
            np.fmax.at(logits, owners, found)  # the best of its passages; NaN gives way to any number
        except Exception as error:  # whatever it is, a recall without a rerank is still a recall
            logger.warning("the rerank failed and is left out: %s", type(error).__name__, exc_info=error)
        if not complete:
            logger.warning("the rerank is incomplete: %d of %d memories scored", np.isfinite(logits).sum(), shown)
        return Reranked(slots, logits, calls, complete, len(question.split()), (time.monotonic() - begun) * 1e3)

    def _pairs(
        self, question: str, texts: list[ShownText], budget: CallBudget, weights_of: WeightsOf | None
    ) -> tuple[NDArray[np.int64], list[str]]:
        """What is shown, the first passage of each memory before all second ones, and whose passage it is."""
        weights = _term_weights(question, weights_of)
        passages = [best_windows(shown.text, weights, most=budget.passages) for shown in texts]
        turns = [
            (turn, owner)
            for turn in range(budget.passages)
            for owner, of_memory in enumerate(passages)
            if turn < len(of_memory)
        ][: budget.calls]
        words = np.cumsum([len(passages[owner][turn].split()) for turn, owner in turns])
        turns = turns[: max(1, int(np.searchsorted(words, budget.words, side="right")))]
        owners = np.array([owner for _, owner in turns], dtype=np.int64)
        return owners, [texts[owner].part(passages[owner][turn]) for turn, owner in turns]


def doubtful(scores: NDArray[np.float64], *, top_k: int, gap: float = GAP) -> int:
    """How many of the best candidates could still be answered; see the module for the rule.

    Args:
        scores: float64 `[n]`, descending.
        top_k: how many memories will be answered.
        gap: in standard deviations of the best 30 scores.
    """
    k = max(top_k, _FEWEST_SHOWN)
    if scores.size <= k:
        return int(scores.size)
    floor = scores[k - 1] - gap * float(scores[:_SPREAD_OVER].std())
    return max(k, int(np.count_nonzero(scores >= floor)))


def _term_weights(question: str, weights_of: WeightsOf | None) -> dict[str, float]:
    terms = list(dict.fromkeys(stems(question)))
    if weights_of is None or not terms:
        return dict.fromkeys(terms, 1.0)
    worth = weights_of(np.array([term_id(term) for term in terms], dtype=np.uint32)).tolist()
    return {term: weight for term, weight in zip(terms, worth, strict=True) if weight > 0.0}
