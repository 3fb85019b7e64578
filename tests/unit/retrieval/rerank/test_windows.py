"""Which passages of a long memory are shown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from retrieval.rerank.windows import best_windows

FILLER = " ".join(f"filler{number}" for number in range(400))


def test_a_short_text_is_shown_whole_as_it_is() -> None:
    assert best_windows("  Two  words ", {"word": 1.0}) == ["  Two  words "]


def test_the_passage_that_holds_the_question_is_shown() -> None:
    text = f"{FILLER} Ada planted apple trees {FILLER}"
    (best,) = best_windows(text, {"appl": 1.0, "tree": 1.0}, most=1)
    assert "apple trees" in best
    assert len(best.split()) == 150


def test_rare_terms_count_more_than_common_ones() -> None:
    text = f"{'common ' * 300} {FILLER} rare {FILLER}"
    (best,) = best_windows(text, {"common": 0.1, "rare": 5.0}, most=1)
    assert "rare" in best


def test_a_second_passage_is_disjoint_and_holds_something() -> None:
    text = f"apple {FILLER} apple tree {FILLER}"
    first, second = best_windows(text, {"appl": 1.0, "tree": 1.0}, most=2)
    assert "tree" in first
    assert second.startswith("apple filler0")
    assert len(best_windows(f"{FILLER} apple {FILLER}", {"appl": 1.0}, most=2)) == 1


def test_without_any_term_the_beginning_is_shown() -> None:
    assert best_windows(FILLER, {"appl": 1.0}) == [" ".join(FILLER.split()[:150])]
    assert best_windows(FILLER, {}) == [" ".join(FILLER.split()[:150])]


@given(
    words=st.lists(st.sampled_from(["apple", "tree", "x", "y", "z"]), max_size=60),
    window=st.integers(1, 12),
    step=st.integers(1, 12),
    most=st.integers(1, 4),
)
def test_passages_are_disjoint_parts_of_the_text(words: list[str], window: int, step: int, most: int) -> None:
    text = " ".join(f"{word}{number}" if word in "xyz" else word for number, word in enumerate(words))
    shown = best_windows(text, {"appl": 1.0, "tree": 2.0}, most=most, window_words=window, step_words=step)
    assert 1 <= len(shown) <= most
    assert all(part in text for part in shown)
    assert len(words) <= window or all(len(part.split()) == window for part in shown)
    assert len(words) <= window or sum(len(part.split()) for part in shown) <= len(words)


@given(words=st.lists(st.sampled_from(["apple", "x", "y"]), min_size=1, max_size=60), window=st.integers(1, 12))
def test_the_best_window_is_no_worse_than_any_other_that_was_tried(words: list[str], window: int) -> None:
    (best,) = best_windows(" ".join(words), {"appl": 1.0}, most=1, window_words=window, step_words=1)
    held = [words[at : at + window].count("apple") for at in range(max(1, len(words) - window + 1))]
    assert best.split().count("apple") == max(held)
