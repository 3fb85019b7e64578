"""The max-sim kernel says what its reference says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu.bank.errors import DimensionError
from gpu.ops.max_sim.codes import token_bytes
from gpu.ops.max_sim.op import max_sim
from gpu.ops.max_sim.reference import max_sim_rows


@given(
    st.integers(1, 70),
    st.integers(1, 7),
    st.lists(st.integers(0, 11), max_size=6),
    st.integers(0, 2**32 - 1),
)
def test_the_kernel_equals_the_reference(dim: int, n_query: int, counts: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    offsets = np.cumsum([0, *counts])
    codes = rng.integers(0, 256, (int(offsets[-1]), token_bytes(dim)), dtype=np.uint8)
    query = rng.normal(size=(n_query, dim)).astype(np.float32)
    query /= np.linalg.norm(query, axis=1, keepdims=True)
    found = max_sim(codes, offsets, query)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, max_sim_rows(codes, offsets, query), atol=1e-5)
    assert np.isnan(found).tolist() == [count == 0 for count in counts]


def test_a_score_does_not_depend_on_what_stands_beside_it() -> None:
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 256, (50, 96), dtype=np.uint8)
    query = rng.normal(size=(5, 384)).astype(np.float32)
    together = max_sim(codes, np.array([0, 7, 7, 30, 50]), query)
    alone = [max_sim(codes[a:b], np.array([0, b - a]), query)[0] for a, b in ((0, 7), (7, 30), (30, 50))]
    np.testing.assert_array_equal(together[[0, 2, 3]], alone)


def test_parts_in_several_threads_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    offsets = np.cumsum([0, *rng.integers(0, 9, 40)])
    codes = rng.integers(0, 256, (int(offsets[-1]), 96), dtype=np.uint8)
    query = rng.normal(size=(5, 384)).astype(np.float32)
    whole = max_sim(codes, offsets, query)
    monkeypatch.setattr("gpu.ops.max_sim.op._LEAST", 1.0)
    monkeypatch.setattr("gpu.side_by_side.usable_cores", lambda: 4)
    np.testing.assert_array_equal(max_sim(codes, offsets, query), whole)


def test_read_only_codes_are_taken() -> None:
    codes = np.frombuffer(bytes(24), dtype=np.uint8).reshape(2, 12)
    assert max_sim(codes, np.array([0, 2]), np.ones((1, 48), np.float32)).shape == (1,)


def test_codes_of_another_dimension_are_refused() -> None:
    with pytest.raises(DimensionError):
        max_sim(np.zeros((1, 3), np.uint8), np.array([0, 1]), np.ones((1, 16), np.float32))


@pytest.mark.parametrize("query", [np.ones((0, 8)), np.full((1, 8), np.nan), np.full((2, 8), np.inf), np.ones(8)])
def test_a_question_without_meaning_is_refused(query: np.ndarray) -> None:
    with pytest.raises(ValueError, match="at least one token"):
        max_sim(np.zeros((1, 2), np.uint8), np.array([0, 1]), query.astype(np.float32))


@pytest.mark.parametrize("offsets", [[], [0], [1, 2], [0, 1], [0, 2, 1, 2]])
def test_offsets_that_do_not_fit_are_refused(offsets: list[int]) -> None:
    with pytest.raises(ValueError, match="offsets"):
        max_sim(np.zeros((2, 2), np.uint8), np.array(offsets, np.int64), np.ones((1, 8), np.float32))
