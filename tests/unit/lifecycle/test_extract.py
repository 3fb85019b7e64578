"""Gists out of sentences: what they cover, and how near to the best that is."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.extract import Said, best, gist, sentences, term_weights, value

_WORDS = ["garden", "Oslo", "bicycle", "violin", "42", "harbour", "bakery", "ship"]
_sentence = st.lists(st.sampled_from(_WORDS), min_size=1, max_size=6).map(" ".join)
_texts = st.lists(_sentence, min_size=1, max_size=7)


@given(_texts, st.integers(5, 20))
@settings(max_examples=150, deadline=None)
def test_a_gist_is_within_its_bound_of_the_best_and_its_budget(texts: list[str], words: int) -> None:
    sources = [Said(text) for text in texts]
    found = sentences(sources, words)
    weights = term_weights(found, sources)
    chosen = [found[place] for place in best(found, weights, words)]
    assert sum(sentence.words for sentence in chosen) <= words
    most = max(
        value(part, weights)
        for size in range(len(found) + 1)
        for part in combinations(found, size)
        if sum(sentence.words for sentence in part) <= words
    )
    assert value(chosen, weights) >= 0.316 * most


@given(_texts, _texts)
@settings(max_examples=100, deadline=None)
def test_what_is_covered_has_falling_gains(texts: list[str], more: list[str]) -> None:
    sources = [Said(text) for text in [*texts, *more]]
    found = sentences(sources, 60)
    weights = term_weights(found, sources)
    small, large, one = found[: len(texts)], found[:-1], found[-1:]

    def gain(chosen: list[object]) -> float:
        return value([*chosen, *one], weights) - value(chosen, weights)  # type: ignore[list-item]

    assert gain(list(small)) >= gain(list(large)) - 1e-9 >= -1e-9


def test_names_and_numbers_come_first_and_speakers_stay() -> None:
    sources = [
        Said("It was nice weather and nice food there. Then we met Torvald at pier 17.", "Ada"),
        Said("Ben: It was nice weather."),
    ]
    assert gist(sources, 7) == "Ada: Then we met Torvald at pier 17."
    assert "Ben: It was nice weather." in gist(sources, 40).splitlines()


def test_a_gist_of_gists_keeps_who_said_what() -> None:
    first = gist([Said("I bought a boat in Bergen.", "Ada"), Said("I sold mine in Oslo.", "Ben")], 40)
    assert gist([Said(first)], 40) == first == "Ada: I bought a boat in Bergen.\nBen: I sold mine in Oslo."


@given(st.lists(st.text(max_size=300), min_size=1, max_size=4), st.integers(5, 30))
@settings(max_examples=150, deadline=None)
def test_any_text_gives_a_bounded_gist(texts: list[str], words: int) -> None:
    made = gist([Said(text) for text in texts], words)
    assert made.strip()
    assert len(made) <= words * 24 + 64 * 200
    assert made == gist([Said(text) for text in texts], words)
