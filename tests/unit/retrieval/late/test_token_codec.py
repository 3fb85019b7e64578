"""What the codes of token states keep."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpu.ops.max_sim.op import max_sim
from retrieval.late.codec import TokenCodec


def states(n: int, dim: int, seed: int = 0, *, around: float = 0.0) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).normal(size=(n, dim)) + around
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@given(st.integers(1, 67), st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_every_coordinate_gets_its_nearest_level(dim: int, n: int, seed: int) -> None:
    codec = TokenCodec(dim)
    tokens = states(n, dim, seed)
    codes = codec.encode(tokens)
    assert codes.shape == (n, -(-dim // 4))
    assert codes.dtype == np.uint8
    turned = codec.turned(tokens) * np.sqrt(dim)
    levels = np.array([-1.5104, -0.4528, 0.4528, 1.5104])
    nearest = levels[np.abs(turned[..., None] - levels).argmin(axis=-1)]
    found = codec.decode(codes) * np.sqrt(dim)
    assert np.abs(found - turned).max(initial=0.0) <= np.abs(nearest - turned).max(initial=0.0) + 1e-3


def test_turning_keeps_angles() -> None:
    codec = TokenCodec(384)
    tokens = states(20, 384)
    turned = codec.turned(tokens)
    np.testing.assert_allclose(turned @ turned.T, tokens @ tokens.T, atol=1e-5)


def test_the_mean_is_taken_out() -> None:
    mean = np.full(384, 0.05, np.float32)
    tokens = states(20, 384, around=2.0)
    turned = TokenCodec(384, mean).turned(tokens)
    centred = tokens - mean
    expected = centred @ centred.T / np.outer(np.linalg.norm(centred, axis=1), np.linalg.norm(centred, axis=1))
    np.testing.assert_allclose(turned @ turned.T, expected, atol=1e-5)


def test_dot_products_are_off_by_as_much_as_is_stated() -> None:
    codec = TokenCodec(384)
    kept, asked = states(500, 384, 1), codec.turned(states(300, 384, 2))
    exact = asked @ codec.turned(kept).T
    coded = asked @ codec.decode(codec.encode(kept)).T
    assert np.std(coded - 0.88 * exact) == pytest.approx(0.32 / np.sqrt(384), rel=0.05)
    itself = (codec.turned(kept) * codec.decode(codec.encode(kept))).sum(axis=1)
    assert itself.mean() == pytest.approx(0.88, abs=0.01)


def test_codes_are_what_max_sim_reads() -> None:
    codec = TokenCodec(50)
    kept, asked = states(9, 50, 1), codec.turned(states(4, 50, 2))
    expected = (asked @ codec.decode(codec.encode(kept)).T).max(axis=1).mean()
    found = max_sim(codec.encode(kept), np.array([0, 9]), asked)
    assert found[0] == pytest.approx(expected, abs=1e-6)


def test_a_token_is_nearest_to_itself() -> None:
    codec = TokenCodec(384)
    tokens = states(100, 384, 3)
    products = codec.turned(tokens) @ codec.decode(codec.encode(tokens)).T
    assert products.argmax(axis=1).tolist() == list(range(100))


def test_the_codes_of_a_state_never_change() -> None:
    """Stored codes are read with the rotation of today: another one would turn them into noise."""
    tokens = np.eye(2, 10, dtype=np.float32)
    assert TokenCodec(10).encode(tokens).tolist() == [[245, 174, 4], [142, 91, 2]]


def test_a_state_that_equals_the_mean_has_a_code() -> None:
    mean = states(1, 16)
    assert TokenCodec(16, mean[0]).encode(mean).shape == (1, 4)
    assert np.isfinite(TokenCodec(16, mean[0]).turned(mean)).all()


def test_states_of_another_dimension_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        TokenCodec(16).encode(states(2, 8))
    with pytest.raises(ValueError, match="shape"):
        TokenCodec(16, np.zeros(8, np.float32))
