"""The client of a remote embedding service against a real HTTP server that misbehaves on purpose."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from retrieval.embedders.openai import OpenAIEmbedder
from retrieval.errors import EmbedderAnswerError, EmbedderRefusedError, EmbedderUnavailableError

Answer = tuple[int, bytes, dict[str, str]]
GOOD_ROW = [3.0, 0.0, 4.0]


def answer_of(*rows: Any, status: int = 200) -> Answer:
    data = [{"index": index, "embedding": row} for index, row in enumerate(rows)]
    return status, orjson.dumps({"data": data}), {}


class Service:
    """Hands out prepared answers in order (the last one again and again) and keeps what it was sent."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.bodies.append(orjson.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                outer.headers.append(dict(self.headers))
                status, body, headers = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Keeps the test output quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def service() -> Iterator[Service]:
    running = Service()
    yield running
    running.close()


@pytest.fixture
def connect(service: Service) -> Iterator[Callable[..., OpenAIEmbedder]]:
    made: list[OpenAIEmbedder] = []

    def make(**options: Any) -> OpenAIEmbedder:
        settings: dict[str, Any] = {"base_url": service.url, "model": "m", "dim": 3, "first_wait_s": 0.001}
        made.append(OpenAIEmbedder(**{**settings, **options}))
        return made[-1]

    yield make
    for client in made:
        client.close()


Connect = Callable[..., OpenAIEmbedder]


def test_vectors_are_scaled_to_unit_length(service: Service, connect: Connect) -> None:
    service.answers = [answer_of(GOOD_ROW)]
    assert connect().embed_query("x").tolist() == pytest.approx([0.6, 0.0, 0.8])


def test_sends_model_key_and_prefix(service: Service, connect: Connect) -> None:
    service.answers = [answer_of(GOOD_ROW)]
    connect(api_key=SecretStr("sk-1"), query_prefix="query: ").embed_query("tea")
    assert service.bodies[0]["model"] == "m"
    assert service.bodies[0]["input"] == ["query: tea"]
    assert service.headers[0]["Authorization"] == "Bearer sk-1"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_tries_again_after_a_passing_failure(service: Service, connect: Connect, status: int) -> None:
    service.answers = [(status, b"", {}), (status, b"", {}), answer_of(GOOD_ROW)]
    connect().embed_query("x")
    assert len(service.bodies) == 3


def test_gives_up_after_the_set_number_of_tries(service: Service, connect: Connect) -> None:
    service.answers = [(503, b"", {})]
    with pytest.raises(EmbedderUnavailableError, match="503"):
        connect(attempts=2).embed_query("x")
    assert len(service.bodies) == 2


def test_waits_as_long_as_the_server_asks(service: Service, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waits.append)
    service.answers = [(429, b"", {"Retry-After": "7"}), answer_of(GOOD_ROW)]
    connect().embed_query("x")
    assert waits == [7.0]


@pytest.mark.parametrize("status", [400, 401, 404])
def test_does_not_repeat_what_was_refused(service: Service, connect: Connect, status: int) -> None:
    service.answers = [(status, b'{"error": "no"}', {})]
    with pytest.raises(EmbedderRefusedError, match=str(status)):
        connect().embed_query("x")
    assert len(service.bodies) == 1


def test_no_server_is_a_clear_error(connect: Connect) -> None:
    with pytest.raises(EmbedderUnavailableError):
        connect(base_url="http://127.0.0.1:9/v1", attempts=2).embed_query("x")


@pytest.mark.parametrize(
    "answer",
    [
        answer_of([1.0, 0.0]),
        answer_of([0.0, 0.0, 0.0]),
        answer_of(GOOD_ROW, GOOD_ROW),
        answer_of(),
        answer_of(["a", "b", "c"]),
        (200, b'{"data": [{"index": 0, "embedding": [NaN, 1, 2]}]}', {}),
        (200, b'{"data": [{"index": 0, "embedding": [Infinity, 1, 2]}]}', {}),
        (200, b'{"data": [{"index": 5, "embedding": [1, 1, 2]}]}', {}),
        (200, b'{"data": "nothing"}', {}),
        (200, b"{}", {}),
        (200, b"[]", {}),
        (200, b"not json", {}),
    ],
    ids=["dimension", "zero", "too-many", "none", "words", "nan", "inf", "index", "string", "empty", "list", "no-json"],
)
def test_an_unusable_answer_is_refused(service: Service, connect: Connect, answer: Answer) -> None:
    service.answers = [answer]
    with pytest.raises(EmbedderAnswerError):
        connect().embed_query("x")


def test_a_batch_is_cut_into_requests(service: Service, connect: Connect) -> None:
    service.answers = [answer_of(GOOD_ROW, [1, 0, 0]), answer_of([0, 1, 0])]
    rows = connect(batch_texts=2).embed_documents(["a", "b", "c"])
    assert [len(body["input"]) for body in service.bodies] == [2, 1]
    assert [row.tolist() for row in rows[1:]] == [[[1, 0, 0]], [[0, 1, 0]]]


def test_a_long_document_is_cut_where_words_end(service: Service, connect: Connect) -> None:
    service.answers = [answer_of(*[GOOD_ROW] * 3)]
    text = " ".join(f"word{number:03d}" for number in range(30))
    (rows,) = connect(window_chars=100, overlap_chars=10).embed_documents([text])
    pieces = service.bodies[0]["input"]
    assert len(rows) == len(pieces) == 3
    assert all(len(piece) <= 100 for piece in pieces)
    assert pieces[0].endswith("word011")
    assert pieces[-1].endswith("word029")


def test_the_key_is_in_no_message(service: Service, connect: Connect) -> None:
    service.answers = [(401, b"bad key sk-secret", {})]
    with pytest.raises(EmbedderRefusedError) as caught:
        connect(api_key=SecretStr("sk-secret")).embed_query("private words")
    assert "sk-secret" not in repr(caught.value)
    assert "private" not in repr(caught.value)
