"""Any service that speaks the OpenAI embeddings protocol (`POST {base_url}/embeddings`): hosted, or a local server.

Documents are cut into windows of words before they are sent, because a remote tokenizer is unknown here; the limit is
in characters, safely below the model's token limit for any script.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from pydantic import SecretStr
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from retrieval.embedders._text import encodable
from retrieval.embedders._vectors import unit_rows
from retrieval.errors import EmbedderAnswerError, EmbedderRefusedError, EmbedderUnavailableError
from retrieval.types import EmbeddingSpace

_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_LONGEST_RETRY_AFTER_S = 30.0


class _RetryableError(Exception):
    """A failure that may pass; carries how long the server asked us to wait."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class OpenAIEmbedder:
    """Client of an OpenAI-compatible embeddings endpoint. Thread-safe; close it when done."""

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        dim: int,
        api_key: SecretStr | None = None,
        query_prefix: str = "",
        document_prefix: str = "",
        batch_texts: int = 64,
        window_chars: int = 2000,
        overlap_chars: int = 200,
        timeout_s: float = 10.0,
        attempts: int = 4,
        first_wait_s: float = 0.25,
        longest_wait_s: float = 8.0,
    ) -> None:
        """Prepares the client; nothing is sent yet.

        Args:
            base_url: up to and including the version, e.g. `https://host/v1`.
            model: the model's name at that service.
            dim: dimension that its vectors must have.
            api_key: sent as a bearer token; never logged.
            query_prefix: put before a question.
            document_prefix: put before each window of a document.
            batch_texts: most texts in one request.
            window_chars: longest piece of a document.
            overlap_chars: characters that neighbouring pieces share.
            timeout_s: limit for connecting, and for each read.
            attempts: tries in all, the first included.
            first_wait_s: first wait between tries; it doubles each time, with jitter, and `Retry-After` raises it.
            longest_wait_s: limit of the waits, `Retry-After` aside.
        """
        if not 0 <= overlap_chars < window_chars:
            raise ValueError("overlap_chars must be smaller than window_chars")
        headers = {"Authorization": f"Bearer {api_key.get_secret_value()}"} if api_key else {}
        self._http = httpx.Client(base_url=base_url.rstrip("/"), headers=headers, timeout=timeout_s)
        self._model = model
        self._dim = dim
        self._query_prefix = query_prefix
        self._document_prefix = document_prefix
        self._batch_texts = batch_texts
        self._window = window_chars
        self._overlap = overlap_chars
        self._attempts = attempts
        self._wait = wait_exponential(multiplier=first_wait_s, max=longest_wait_s) + wait_random(0, first_wait_s)

    @property
    def space(self) -> EmbeddingSpace:
        """The space of its vectors."""
        return EmbeddingSpace(self._model, self._dim)

    def embed_documents(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """See `retrieval.ports.Embedder`."""
        if not texts:
            return []
        pieces = [[self._document_prefix + piece for piece in self._pieces(text)] for text in texts]
        flat = [piece for of_text in pieces for piece in of_text]
        rows = np.concatenate(
            [self._embed(flat[at : at + self._batch_texts]) for at in range(0, len(flat), self._batch_texts)]
        )
        ends = np.cumsum([len(of_text) for of_text in pieces])
        return np.split(rows, ends[:-1])

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See `retrieval.ports.Embedder`."""
        row: NDArray[np.float32] = self._embed([self._query_prefix + text[: self._window]])[0]
        return row

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _pieces(self, text: str) -> Iterator[str]:
        start = 0
        while len(text) - start > self._window:
            end = start + self._window
            space = text.rfind(" ", start + self._window // 2, end)
            end = end if space < 0 else space
            yield text[start:end]
            start = max(end - self._overlap, start + 1)
        yield text[start:]

    def _embed(self, texts: list[str]) -> NDArray[np.float32]:
        retrying = Retrying(
            stop=stop_after_attempt(self._attempts),
            wait=self._wait_for,
            retry=retry_if_exception_type(_RetryableError),
            reraise=True,
        )
        # Services refuse an empty input; a space is the shortest text that all of them take.
        body = {"model": self._model, "input": [encodable(text) or " " for text in texts], "encoding_format": "float"}
        try:
            answer = retrying(self._post, body)
        except _RetryableError as error:
            raise EmbedderUnavailableError(f"the embedding service cannot be used: {error}") from error
        return self._vectors(answer, len(texts))

    def _wait_for(self, state: RetryCallState) -> float:
        failure = state.outcome.exception() if state.outcome else None
        asked = failure.retry_after_s if isinstance(failure, _RetryableError) else None
        return max(self._wait(state), min(asked or 0.0, _LONGEST_RETRY_AFTER_S))

    def _post(self, body: dict[str, Any]) -> Any:
        try:
            response = self._http.post("/embeddings", json=body)
        except httpx.TransportError as error:
            raise _RetryableError(type(error).__name__) from error
        if response.status_code == _TOO_MANY_REQUESTS or response.status_code >= _SERVER_ERROR:
            raise _RetryableError(f"status {response.status_code}", _retry_after_s(response))
        if not response.is_success:
            raise EmbedderRefusedError(f"the embedding service answered with status {response.status_code}")
        try:
            return response.json()
        except ValueError as error:
            raise EmbedderAnswerError("the embedding service answered without JSON") from error

    def _vectors(self, answer: Any, count: int) -> NDArray[np.float32]:
        try:
            items = sorted(answer["data"], key=lambda item: item["index"])
            positions = [item["index"] for item in items]
            rows = [[float(number) for number in item["embedding"]] for item in items]
        except (KeyError, TypeError, ValueError) as error:
            raise EmbedderAnswerError("the embedding service's answer has not the form of the protocol") from error
        if positions != list(range(count)):
            raise EmbedderAnswerError(f"asked for {count} vectors, the answer numbers {len(positions)} otherwise")
        if any(len(row) != self._dim for row in rows):
            raise EmbedderAnswerError(f"a vector has not the configured dimension {self._dim}")
        return unit_rows(rows, self._dim)


def _retry_after_s(response: httpx.Response) -> float | None:
    try:
        return max(0.0, float(response.headers["Retry-After"]))
    except (KeyError, ValueError):  # absent, or a date: then our own waits decide
        return None
