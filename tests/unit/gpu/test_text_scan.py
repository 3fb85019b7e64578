"""Substring search over the text arena against plain Python, exact and with typos."""

import numpy as np
import pytest

from gpu.bank.errors import PageOwnershipError
from gpu.bank.pages import PagePool
from gpu.bank.segment import Segment
from gpu.ops.text_scan.op import count_scan, near_scan
from gpu.ops.text_scan.reference import count_rows, edit_rows
from retrieval.analysis.folding import folded_text
from tests.fixtures.bank_records import random_batch, with_texts

ALPHABET = "abcdeé. _ßЖж中文字🙂’«\n"


def segment_of(texts: list[str]) -> Segment:
    """A segment with these texts; what no row uses holds letters that would show in a result."""
    segment = Segment(PagePool(), 8)
    segment.append(with_texts(random_batch(np.random.default_rng(0), list(range(len(texts)))), texts))
    for page in segment.texts.table.pages:
        page.column("bytes")[max(0, segment.texts.length - page.start) :] = ord("a")
    return segment


def counted(texts: list[str], patterns: list[str], eligible: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    counts = np.full((len(patterns), len(texts)), -7, np.int32)
    whole = np.full((len(patterns), len(texts)), 7, np.uint8)
    mask = np.ones(len(texts), np.uint8) if eligible is None else eligible
    count_scan(segment_of(texts).snapshot(5), [pattern.encode() for pattern in patterns], mask, counts, whole)
    return counts, whole


def edits(texts: list[str], patterns: list[str], k: int, eligible: np.ndarray | None = None) -> np.ndarray:
    out = np.full((len(patterns), len(texts)), 77, np.uint8)
    mask = np.ones(len(texts), np.uint8) if eligible is None else eligible
    near_scan(segment_of(texts).snapshot(5), [pattern.encode() for pattern in patterns], k, mask, out)
    return out


def random_texts(rng: np.random.Generator, n: int, longest: int) -> list[str]:
    return ["".join(rng.choice(list(ALPHABET), rng.integers(0, longest))) for _ in range(n)]


def test_a_hundred_thousand_substrings_are_counted_as_python_counts_them() -> None:
    rng = np.random.default_rng(3)
    texts = [folded_text(text) for text in random_texts(rng, 60, 250)]
    patterns = []
    while len(patterns) < 100_000:
        text = texts[rng.integers(len(texts))]
        if text:
            at = int(rng.integers(len(text)))
            pattern = text[at : at + int(rng.integers(1, 30))]
            patterns.append(pattern if rng.random() < 0.8 else pattern[::-1])
    counts, whole = counted(texts, patterns)
    for p, pattern in enumerate(patterns):
        assert counts[p].tolist() == [text.count(pattern) for text in texts], pattern
    some = rng.choice(len(patterns), 400, replace=False).tolist()
    assert (
        whole[some].tolist()
        == count_rows(texts, [patterns[p] for p in some], np.ones(len(texts), np.bool_))[1].tolist()
    )


@pytest.mark.parametrize("n", [0, 1, 7, 100, 1023])
def test_count_scan(n: int) -> None:
    rng = np.random.default_rng(n)
    texts = random_texts(rng, n, 90)
    patterns = ["a", "ab", "é", "中文", "Ж", "🙂’", " ", "aa", "zzz", "abcdeé. _ß" * 12]
    eligible = rng.integers(0, 2, n).astype(np.uint8)
    counts, whole = counted(texts, patterns, eligible)
    expected = count_rows(texts, patterns, eligible.astype(bool))
    assert counts.tolist() == expected[0].tolist()
    assert whole.tolist() == expected[1].tolist()


def test_matches_never_reach_over_the_border_between_two_memories() -> None:
    counts, _ = counted(["xab", "aby", "ab"], ["bab", "ba", "ab"])
    assert counts.tolist() == [[0, 0, 0], [0, 0, 0], [1, 1, 1]]


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        ("an art fair", "art", 1), ("a party", "art", 0), ("a party of art", "art", 1), ("art", "art", 1),
        ("smart_art", "art", 0), ("see #42.", "#42", 1), ("see #421", "#42", 0), ("x#42", "#42", 1),
        ("the ‘art’", "art", 1), ("«art»", "art", 1), ("artø", "art", 0), ("øart", "art", 0), ("、art。", "art", 1),
        ("ba a a", "a a", 1), ("/usr/lib", "usr/li", 0), ("/usr/lib", "/usr", 1),
    ],
)  # fmt: skip
def test_whole_words(text: str, pattern: str, expected: int) -> None:
    assert counted([text], [pattern])[1].tolist() == [[expected]]


@pytest.mark.parametrize("k", [0, 1, 2, 3, 8])
@pytest.mark.parametrize("n", [0, 1, 63, 300])
def test_near_scan(n: int, k: int) -> None:
    rng = np.random.default_rng(n + k)
    texts = random_texts(rng, n, 50)
    patterns = ["a", "abc", "é中", "Жж中文字🙂", "".join(rng.choice(list(ALPHABET), 64)), *texts[:3]]
    patterns = [pattern for pattern in patterns if pattern]
    eligible = rng.integers(0, 2, n).astype(np.uint8)
    got = edits(texts, patterns, k, eligible)
    assert got.tolist() == edit_rows(texts, patterns, k, eligible.astype(bool)).tolist()


@pytest.mark.parametrize("size", [63, 64, 65, 130])
def test_near_scan_of_long_patterns(size: int) -> None:
    rng = np.random.default_rng(size)
    texts = random_texts(rng, 12, 400)
    texts = [text for text in texts if len(text) > size]
    patterns = []
    for text in texts[:5]:
        pattern = list(text[7 : 7 + size])
        for _ in range(rng.integers(0, 4)):
            pattern[rng.integers(len(pattern))] = "q"
        del pattern[20 : 20 + int(rng.integers(0, 2))]
        patterns.append("".join(pattern))
    for k in (0, 2, 5):
        expected = edit_rows(texts, patterns, k, np.ones(len(texts), np.bool_))
        assert k < 5 or (expected <= k).any(axis=1).all()
        assert edits(texts, patterns, k).tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("lovelace", 0), ("lovelase", 1), ("lovlace", 1), ("lovellace", 1), ("lvelase", 2), ("zürich", 0), ("zurich", 1)],
)
def test_an_edit_of_any_character_counts_one(pattern: str, expected: int) -> None:
    assert edits(["ada lovelace went to zürich"], [pattern], 3).tolist() == [[expected]]


def test_characters_whose_codes_end_alike_are_told_apart() -> None:
    alike = [chr(0xE9 + 0x80 * step) for step in range(1, 41)]  # of one place in a table of 128
    pattern = "".join(alike)
    assert edits([pattern, pattern[:-1] + "x", pattern[1:], pattern[::-1]], [pattern], 3).tolist() == [[0, 1, 1, 4]]


def test_searching_refuses_what_it_cannot_do() -> None:
    with pytest.raises(ValueError, match="empty"):
        counted(["a"], [""])
    with pytest.raises(ValueError, match="empty"):
        edits(["a"], [""], 1)
    with pytest.raises(ValueError, match="k must"):
        edits(["a"], ["a"], 9)
    with pytest.raises(ValueError, match="k must"):
        edits(["a"], ["a"], -1)
    with pytest.raises(ValueError, match="at most"):
        edits(["a"], ["a" * 4097], 1)
    rows = segment_of(["a"]).snapshot(5)
    with pytest.raises(ValueError, match="result"):
        count_scan(rows, [b"a"], np.ones(1, np.uint8), np.empty((1, 2), np.int32), np.empty((1, 1), np.uint8))
    with pytest.raises(ValueError, match="eligible"):
        near_scan(rows, [b"a"], 1, np.ones(2, np.uint8), np.empty((1, 1), np.uint8))


@pytest.mark.parametrize("sort", ["attributes", "texts"])
def test_no_scan_reads_a_page_of_somebody_else(sort: str) -> None:
    segment = segment_of(["abc" * 100] * 50)
    getattr(segment, sort).table.pages[1].header[1] += 1
    rows, mask = segment.snapshot(5), np.ones(50, np.uint8)
    with pytest.raises(PageOwnershipError):
        count_scan(rows, [b"a"], mask, np.empty((1, 50), np.int32), np.empty((1, 50), np.uint8))
    with pytest.raises(PageOwnershipError):
        near_scan(rows, [b"abc"], 1, mask, np.empty((1, 50), np.uint8))


def test_an_erased_text_is_not_found() -> None:
    segment = segment_of(["the secret", "the rest", "a secret too"])
    segment.erase(np.array([0]))
    counts, whole = np.empty((1, 3), np.int32), np.empty((1, 3), np.uint8)
    count_scan(segment.snapshot(5), [b"secret"], np.ones(3, np.uint8), counts, whole)
    assert counts.tolist() == [[0, 0, 1]]
    out = np.empty((1, 3), np.uint8)
    near_scan(segment.snapshot(5), [b"secrett"], 1, np.ones(3, np.uint8), out)
    assert out.tolist() == [[2, 2, 1]]
