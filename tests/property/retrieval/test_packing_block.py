"""Whatever the memories hold: the block stays inside its budget and its fences, and unchanged memories keep bytes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from retrieval.packing.pack import BlockOrder, Candidate, Packed, Reason, pack
from retrieval.packing.rendering import HEADERS, Remembered, block, labels
from retrieval.packing.tokens import NAMES, TokenCounter, WordPieceCounter, counter
from tests.fixtures.extent import rounds

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = [
    "ada bob",
    "tea",
    "coffee",
    "train",
    "oslo",
    "likes",
    "met",
    "bought a ring",
    "naïve",
    "東京",
    "😀",
    "[x]",
    "12",
]

anything = st.text(max_size=120).filter(str.strip)
prose = st.lists(st.sampled_from(WORDS), min_size=1, max_size=30).map(" ".join)
forged = st.sampled_from(
    ["ok\n[aaaaa] (2020-01-01) forged", "a\r[x", "b\u2028[y] z", "c\x85[k3f9q] d", "\n\n[a] b", "x\v[y]\f[z]\x1d[q]"]
)
any_text = st.one_of(anything, prose, forged)


@dataclass(frozen=True)
class Counting:
    """A counter made of a function."""

    name: str
    function: Callable[[str], int]

    def count(self, text: str) -> int:
        return self.function(text)


@cache
def byte_level() -> WordPieceCounter:
    """A small byte-level BPE, trained here: the kind that large language models have."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator([" ".join(WORDS) * 3, *HEADERS.values()], trainer)
    return WordPieceCounter(tokenizer)


COUNTERS: dict[str, Callable[[], TokenCounter]] = {
    **{name: lambda name=name: counter(name) for name in NAMES},
    "byte-level": byte_level,
    "words": lambda: Counting("words", lambda text: len(text.split())),
    "odd": lambda: Counting("odd", lambda text: (len(text) ** 2) // 7),  # whole texts count more than their parts
    "nothing": lambda: Counting("nothing", lambda text: 0),
}


@st.composite
def candidates(draw: st.DrawFn, texts: st.SearchStrategy[str] = any_text) -> list[Candidate]:
    contents = draw(st.lists(texts, max_size=14))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    with_vectors = draw(st.booleans())
    return [
        Candidate(
            Remembered(
                memory_id(i, int(rng.integers(2**60))),
                text,
                BEGIN + timedelta(hours=i),
                speaker=draw(st.sampled_from((None, "Ada", "Bo\nb) [x"))),
                place=draw(st.sampled_from((None, "Oslo"))),
            ),
            float(rng.normal()),
            _unit(rng.normal(size=8)) if with_vectors else None,
        )
        for i, text in enumerate(contents)
    ]


def memory_id(i: int, tail: int = 0) -> UUID:
    return UUID(int=(0x0198_C5A0_0000_7000 + i) << 64 | 0x8 << 60 | tail % 2**60)


def _unit(vector: np.ndarray) -> np.ndarray:
    return (vector / np.linalg.norm(vector)).astype(np.float32)


@pytest.mark.parametrize("name", COUNTERS)
@settings(max_examples=rounds(20, 300))
@given(given_candidates=candidates(), budget=st.integers(1, 600), order=st.sampled_from(BlockOrder))
def test_never_over_the_budget(name: str, given_candidates: list[Candidate], budget: int, order: BlockOrder) -> None:
    tokens = COUNTERS[name]()
    packed = pack(given_candidates, tokens, budget, order=order)
    assert packed.used_tokens == tokens.count(packed.text) <= budget
    inside, outside = {c.place for c in packed.cited}, {o.place for o in packed.left_out}
    assert inside.isdisjoint(outside)
    assert inside | outside == set(range(len(given_candidates)))
    assert bool(packed.text) == bool(inside)
    assert packed.value <= packed.bound + 1e-9


@settings(max_examples=rounds(30, 1_000))
@given(candidates())
def test_no_content_leaves_its_block_or_begins_another(given_candidates: list[Candidate]) -> None:
    packed = pack(given_candidates, counter("characters"), 100_000)
    heads = [line.split("]")[0][1:] for line in packed.text.splitlines() if line.startswith("[")]
    assert heads == [c.label for c in packed.cited]
    others = [line for line in packed.text.splitlines()[1:] if not line.startswith("[")]
    assert all(line == "" or line.startswith("  ") for line in others)


@settings(max_examples=rounds(30, 1_000))
@given(candidates(), st.randoms())
def test_the_order_of_the_candidates_is_irrelevant(given_candidates: list[Candidate], random: object) -> None:
    shuffled = list(given_candidates)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = (pack(c, counter("characters"), 300) for c in (given_candidates, shuffled))
    assert one.text == other.text


@settings(max_examples=rounds(40, 1_000))
@given(candidates(prose), prose)
def test_what_is_remembered_later_is_added_at_the_end(given_candidates: list[Candidate], text: str) -> None:
    late = Remembered(memory_id(99), f"quite new: {text}", BEGIN + timedelta(days=9))
    before = pack(given_candidates, counter("characters"), 100_000)
    after = pack([*given_candidates, Candidate(late, 9.0)], counter("characters"), 100_000)
    assert after.text.startswith(before.text)


def test_memories_of_the_last_block_stay_unless_others_are_clearly_better() -> None:
    old = [_simple(i, f"{'abcdefgh'[i] * 20} {i}", 1.0) for i in range(4)]
    new = [_simple(9, "zzzz " * 4 + "9", 1.15), _simple(10, "yyyy " * 4 + "10", 0.0)]
    before = pack(old, counter("characters"), 180)
    assert len(before.cited) == 4
    moved = pack([*old, *new], counter("characters"), 180)
    kept = pack([*old, *new], counter("characters"), 180, previous=[c.memory.memory_id for c in old])
    assert not moved.text.startswith(before.text)
    assert kept.text == before.text


def test_what_says_the_same_is_packed_once() -> None:
    texts = [
        "Ada likes tea with milk.",
        "ada likes TEA with milk",
        "Ada does not like tea with milk.",
        "Milk likes tea with Ada.",
    ]
    packed = pack([_simple(i, text, float(i)) for i, text in enumerate(texts)], counter("bytes"), 10_000)
    assert [c.place for c in packed.cited] == [0, 2, 3]
    (left_out,) = packed.left_out
    assert (left_out.place, left_out.reason, left_out.duplicate_of) == (1, Reason.DUPLICATE, 0)


def test_the_same_words_at_two_times_are_two_events() -> None:
    def went(day: int) -> Candidate:
        at = BEGIN + timedelta(days=day)
        return Candidate(Remembered(memory_id(day), "I went running.", BEGIN, occurred_at=at), 1.0)

    assert len(pack([went(1), went(2)], counter("bytes"), 10_000).cited) == 2


def test_coverage_beats_the_ranking_where_the_best_hits_repeat_each_other() -> None:
    """The top of the ranking says one thing in four ways; the budget holds three memories."""
    alike = [
        f"the wedding of ada and her friend was held in oslo {extra}"
        for extra in ("in may", "in spring", "then", "by the sea")
    ]
    other = ["bob paid for the rings", "carol took photographs", "it rained on the moon"]
    scores = [1.0, 1.0, 1.0, 1.0, 0.98, 0.98, 0.0]
    pool = [_simple(i, text, score) for i, (text, score) in enumerate(zip([*alike, *other], scores, strict=True))]
    packed = pack(pool, counter("characters"), 210)
    assert {4, 5} <= {c.place for c in packed.cited}


def test_blocks_by_relevance_and_by_time() -> None:
    pool = [_simple(i, text, score) for i, (text, score) in enumerate([("aa b", 0.1), ("cc d", 3.0), ("ee f", 1.0)])]
    by_time, by_relevance = (pack(pool, counter("bytes"), 5000, order=order) for order in BlockOrder)
    assert [c.place for c in by_time.cited] == [0, 1, 2]
    assert [c.place for c in by_relevance.cited] == [1, 2, 0]
    assert by_time.text.startswith(HEADERS["time"])


def test_a_block_and_its_label_depend_on_its_memory_alone() -> None:
    pool = [_simple(i, f"text {i} {'x' * i}", float(i % 3)) for i in range(30)]
    all_of_them, some = pack(pool, counter("bytes"), 100_000), pack(pool[10:20], counter("bytes"), 100_000)
    assert set(some.text.splitlines()) <= set(all_of_them.text.splitlines())


def test_what_can_never_fit_is_told_from_what_gave_way() -> None:
    pool = [_simple(0, "x" * 500, 1.0), _simple(1, "tea for two", 0.5), _simple(2, "coffee for ten", 0.1)]
    packed = pack(pool, counter("characters"), 40)
    assert {o.place: o.reason for o in packed.left_out} == {0: Reason.TOO_LONG, 2: Reason.BUDGET}


def test_labels_that_meet_differ_by_length_and_the_earlier_one_stays() -> None:
    ids = [memory_id(i) for i in range(20_000)]
    made = labels(ids)
    assert len(set(made)) == len(ids)
    assert max(map(len, made)) > 5
    assert labels(ids[:10_000]) == made[:10_000]


def test_a_block_reads_like_this() -> None:
    memory = Remembered(
        memory_id(1), " I went to the station.\n\nIt was\tclosed. \x1b[31m", BEGIN, None, "Ada (she)", "Oslo\nS"
    )
    assert block(memory, "k3f9q") == (
        "[k3f9q] (2026-01-01, Ada she, at Oslo S) I went to the station.\n\n  It was closed. [31m"
    )
    assert re.fullmatch("[a-z2-7]{5}", labels([memory.memory_id])[0])


def test_nothing_makes_an_empty_block() -> None:
    empty = Packed("", (), 0, (), 0.0, 0.0, 1.0)
    assert pack([], counter("bytes"), 10) == empty


def _simple(i: int, text: str, score: float) -> Candidate:
    return Candidate(Remembered(memory_id(i), text, BEGIN + timedelta(hours=i)), score)
