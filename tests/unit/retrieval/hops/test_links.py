"""Where bridges lead to, against a plain reading of the formula."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu.bank.filters import ScanFilter
from retrieval.analysis.terms import stems, term_id
from retrieval.hops.bridges import Bridge, rarity
from retrieval.hops.links import links_of
from tests.fixtures.bank_records import memory_id
from tests.fixtures.told import told_bank


def _bridge(text: str, source: int, *, is_name: bool = True) -> Bridge:
    terms = np.array(sorted({term_id(stem) for stem in stems(text)}), np.uint32)
    return Bridge(text, terms, 1.0, source, is_name)


def _plain(texts: list[str], bridges: list[Bridge]) -> dict[int, tuple[float, int]]:
    counts = [Counter(term_id(stem) for stem in stems(text)) for text in texts]
    lengths = [sum(count.values()) for count in counts]
    mean = sum(lengths) / len(texts)
    df = Counter(term for count in counts for term in count)
    best: dict[int, tuple[float, int]] = {}
    for number, bridge in enumerate(bridges):
        terms = bridge.terms.tolist()
        idf = {t: math.log1p((len(texts) - df[t] + 0.5) / (df[t] + 0.5)) for t in terms}
        holders = [d for d in range(len(texts)) if all(counts[d][t] for t in terms)]
        others = [d for d in holders if d != bridge.source]
        rare = rarity(len(others) + (bridge.source >= 0), len(texts))
        for d in others:
            about = sum(
                idf[t] / sum(idf.values()) * counts[d][t] / (counts[d][t] + 0.9 * (0.6 + 0.4 * lengths[d] / mean))
                for t in terms
            )
            link = (1.0 if bridge.is_name else 0.5) * rare * about
            if link > best.get(d, (0.0, 0))[0]:
                best[d] = (link, number)
    return best


WORDS = ["ada", "lovelace", "bowden", "kite", "note", "ferry"]


@settings(max_examples=60)
@given(
    texts=st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join), min_size=3, max_size=12),
    wanted=st.lists(
        st.tuples(st.lists(st.sampled_from(WORDS), min_size=1, max_size=2), st.integers(-1, 2), st.booleans()),
        min_size=1,
        max_size=4,
    ),
)
def test_links_are_those_of_the_formula(texts: list[str], wanted: list[tuple[list[str], int, bool]]) -> None:
    bridges = [
        _bridge(" ".join(words), source if source < 0 or set(words) <= set(texts[source].split()) else -1, is_name=name)
        for words, source, name in wanted
    ]
    expected = _plain(texts, bridges)
    with told_bank(texts).view(ScanFilter()) as view:
        links = links_of(view, bridges)
    assert links.slots.tolist() == sorted(expected)
    for slot, strength in zip(links.slots.tolist(), links.strengths.tolist(), strict=True):
        assert strength == pytest.approx(expected[slot][0], rel=1e-4)


def test_a_memory_about_a_name_links_more_strongly_than_one_that_names_it_in_passing() -> None:
    texts = [
        "The book is by Mark Bowden.",
        "Mark Bowden: Mark Bowden is an author.",
        "A long list of guests at the dinner of the year, with many names, among them Mark Bowden and other people.",
        *(f"filler {number}" for number in range(20)),
    ]
    with told_bank(texts).view(ScanFilter()) as view:
        links = links_of(view, [_bridge("mark bowden", 0)])
    assert links.slots.tolist() == [1, 2]
    assert links.strengths[0] > links.strengths[1]
    assert not links.alone.any()


def test_a_bridge_that_one_other_memory_holds_is_a_thread() -> None:
    texts = ["the key of amber is cobalt", "the key of cobalt is dune", *(f"filler {number}" for number in range(9))]
    with told_bank(texts).view(ScanFilter()) as view:
        links = links_of(view, [_bridge("cobalt", 0, is_name=False)])
    assert links.slots.tolist() == [1]
    assert links.alone.tolist() == [True]


def test_no_bridge_leads_to_what_the_filter_hides() -> None:
    texts = ["amber cobalt", "cobalt dune", "cobalt ember", *(f"filler {number}" for number in range(9))]
    allowed = np.frombuffer(b"".join(memory_id(i) for i in (0, 2)), np.uint8).reshape(2, 16)
    with told_bank(texts).view(replace(ScanFilter(), allowed=allowed)) as view:
        assert links_of(view, [_bridge("cobalt", 0)]).slots.tolist() == [2]
        assert links_of(view, [_bridge("dune", -1)]).slots.tolist() == []
