"""Exact and near substring search equals brute force, whatever the texts."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu.bank.pages import PagePool
from gpu.bank.segment import Segment
from gpu.ops.text_scan.op import count_scan, near_scan
from gpu.ops.text_scan.reference import count_rows, edit_rows
from tests.fixtures.bank_records import random_batch, with_texts

letters = st.sampled_from("ab_ é’ж中🙂") | st.characters(exclude_categories=("Cs",))
texts = st.lists(st.text(letters, max_size=40), min_size=1, max_size=6)
patterns = st.lists(st.text(letters, min_size=1, max_size=9) | st.text("ab", min_size=60, max_size=70), max_size=4)


def snapshot_of(contents: list[str]) -> Segment:
    segment = Segment(PagePool(), 8)
    segment.append(with_texts(random_batch(np.random.default_rng(0), list(range(len(contents)))), contents))
    return segment


@settings(max_examples=150)
@given(texts, patterns, st.data())
def test_counts_are_those_of_python(contents: list[str], wanted: list[str], data: st.DataObject) -> None:
    whole_text = "".join(contents)
    for _ in range(2):
        at = data.draw(st.integers(0, len(whole_text)))
        wanted = [*wanted, whole_text[at : at + 5] or "x"]
    segment = snapshot_of(contents)
    counts = np.empty((len(wanted), len(contents)), np.int32)
    whole = np.empty((len(wanted), len(contents)), np.uint8)
    mask = np.ones(len(contents), np.uint8)
    count_scan(segment.snapshot(5), [pattern.encode() for pattern in wanted], mask, counts, whole)
    expected = count_rows(contents, wanted, mask.astype(bool))
    assert counts.tolist() == expected[0].tolist()
    assert whole.tolist() == expected[1].tolist()


@settings(max_examples=150)
@given(texts, patterns, st.integers(0, 4), st.data())
def test_edits_are_those_of_brute_force(contents: list[str], wanted: list[str], k: int, data: st.DataObject) -> None:
    text = max(contents, key=len)
    at = data.draw(st.integers(0, len(text)))
    near = list(text[at : at + 12])
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(near)))
        near[place : place + data.draw(st.integers(0, 1))] = data.draw(st.text(letters, max_size=1))
    wanted = [*wanted, "".join(near) or "x"]
    segment = snapshot_of(contents)
    out = np.empty((len(wanted), len(contents)), np.uint8)
    mask = np.ones(len(contents), np.uint8)
    near_scan(segment.snapshot(5), [pattern.encode() for pattern in wanted], k, mask, out)
    assert out.tolist() == edit_rows(contents, wanted, k, mask.astype(bool)).tolist()
