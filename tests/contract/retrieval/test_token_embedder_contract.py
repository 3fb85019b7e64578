"""What every embedder with states of tokens promises, run on each of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from retrieval.embedders import packaged
from retrieval.embedders.batching import BatchingEmbedder
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.embedders.onnx import OnnxEmbedder
from retrieval.errors import EmbedderUnavailableError
from retrieval.ports import Embedder, TokenEmbedder
from retrieval.types import EmbeddingSpace, Passage

TEXT = "Yes, on Friday!"
BEFORE = "Shall we visit the lighthouse together?"
LONG = " ".join(f"On day {day} Ada wrote down what grew in bed number {day % 7}." for day in range(120))


class Both(Embedder, TokenEmbedder):
    """The type of what is tested."""


@pytest.fixture(
    scope="module",
    params=[
        "hashing",
        "batched",
        pytest.param("cls", marks=pytest.mark.model),
        pytest.param("mean", marks=pytest.mark.model),
        pytest.param("prefixed", marks=pytest.mark.model),
    ],
)
def embedder(request: pytest.FixtureRequest) -> Iterator[Both]:
    if request.param == "batched":
        batching = BatchingEmbedder(HashingEmbedder(64), document_workers=2)
        yield batching
        batching.close()
        return
    default = packaged.locate()
    made = {
        "hashing": lambda: HashingEmbedder(64),
        "cls": lambda: OnnxEmbedder(default),
        "mean": lambda: packaged.load("all-MiniLM-L6-v2-int8"),
        "prefixed": lambda: OnnxEmbedder(replace(default, query_prefix="Search for passages like this one: ")),
    }
    try:
        found = made[request.param]()
    except EmbedderUnavailableError as error:
        pytest.skip(str(error))
    yield found


def test_without_what_was_said_before_the_views_are_the_embedding(embedder: Both) -> None:
    for text in ("", TEXT, LONG, "…"):
        encoded = embedder.encode_documents([Passage(text)])[0]
        assert encoded.views.tobytes() == embedder.embed_documents([text])[0].tobytes()
        assert embedder.encode_query(text).views.tobytes() == embedder.embed_query(text).tobytes()


def test_every_word_of_the_text_has_a_unit_state_and_nothing_else_has(embedder: Both) -> None:
    for before in ("", BEFORE, LONG):
        (encoded,) = embedder.encode_documents([Passage("Ada planted three apple trees.", before)])
        assert encoded.tokens is not None
        assert encoded.tokens.shape == (5, embedder.space.dim)
        assert encoded.tokens.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(encoded.tokens, axis=1), 1.0, atol=1e-5)
        assert encoded.views.shape == (1, embedder.space.dim)


def test_a_question_has_the_states_of_its_own_words(embedder: Both) -> None:
    encoded = embedder.encode_query("Where are the apple trees?")
    assert encoded.views.shape == (1, embedder.space.dim)
    assert encoded.tokens is not None
    assert encoded.tokens.shape == (5, embedder.space.dim)


def test_what_was_said_before_colours_the_views_and_the_states(embedder: Both) -> None:
    alone, after, again = embedder.encode_documents([Passage(TEXT), Passage(TEXT, BEFORE), Passage(TEXT, BEFORE)])
    assert alone.tokens is not None
    assert after.tokens is not None
    assert again.tokens is not None
    assert not np.allclose(alone.views, after.views, atol=1e-3)
    assert not np.allclose(alone.tokens, after.tokens, atol=1e-3)
    assert after.views.tobytes() == again.views.tobytes()
    assert after.tokens.tobytes() == again.tokens.tobytes()


def test_only_the_end_of_what_was_said_before_counts(embedder: Both) -> None:
    whole, end = embedder.encode_documents([Passage(TEXT, LONG + " " + LONG), Passage(TEXT, "Ada! " + LONG)])
    assert whole.views.tobytes() == end.views.tobytes()


def test_words_in_the_overlap_of_windows_have_one_state(embedder: Both) -> None:
    counts = []
    for before in ("", BEFORE):
        (encoded,) = embedder.encode_documents([Passage(LONG, before)])
        assert len(encoded.views) > 1
        assert encoded.tokens is not None
        counts.append(len(encoded.tokens))
    assert counts == [len(LONG.split(" "))] * 2


def test_a_text_without_words_has_no_states(embedder: Both) -> None:
    for text in ("", " ", "…", "?!", "🙂"):
        (encoded,) = embedder.encode_documents([Passage(text, BEFORE)])
        assert encoded.tokens is not None
        assert encoded.tokens.shape == (0, embedder.space.dim)
        assert embedder.encode_query(text).tokens is not None


def test_a_plain_embedder_that_is_shared_has_no_states_and_no_ear_for_what_was_said() -> None:
    class Plain:
        def __init__(self) -> None:
            self.inner = HashingEmbedder(16)
            self.given: list[str] = []

        @property
        def space(self) -> EmbeddingSpace:
            return self.inner.space

        def embed_documents(self, texts: list[str]) -> list[np.ndarray]:
            self.given += texts
            return self.inner.embed_documents(texts)

        def embed_query(self, text: str) -> np.ndarray:
            return self.inner.embed_query(text)

    plain = Plain()
    shared = BatchingEmbedder(plain)
    alone, after = shared.encode_documents([Passage(TEXT), Passage(TEXT, BEFORE)])
    assert alone is after
    assert plain.given == [TEXT]
    assert alone.tokens is None
    assert shared.encode_query(TEXT).tokens is None
    assert not shared.reads_context
    shared.close()


@pytest.mark.model
def test_the_words_put_before_a_question_have_no_states() -> None:
    plain = packaged.locate()
    bare = OnnxEmbedder(plain).encode_query("Where are the apple trees?")
    prefixed = OnnxEmbedder(replace(plain, query_prefix="Search for passages like this one: ")).encode_query(
        "Where are the apple trees?"
    )
    assert bare.tokens is not None
    assert prefixed.tokens is not None
    nearest = (prefixed.tokens @ bare.tokens.T).argmax(axis=1)
    assert nearest.tolist() == [0, 1, 2, 3, 4]
    assert not np.allclose(bare.views, prefixed.views, atol=1e-3)


@pytest.mark.model
def test_a_window_smaller_than_the_overlap_still_ends() -> None:
    tiny = OnnxEmbedder(replace(packaged.locate(), window_tokens=8, overlap_tokens=8))
    (encoded,) = tiny.encode_documents([Passage("one two three four five six seven eight nine ten", BEFORE)])
    assert encoded.tokens is not None
    assert len(encoded.tokens) == 10
