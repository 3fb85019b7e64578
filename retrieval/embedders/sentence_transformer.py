"""Any sentence-transformers model by name or folder (optional extra `sentence-transformers`).

Texts run one at a time unless `batch_size` says otherwise: in a batch, padding and the shape of the matrix products
change the last bits of a vector (in bf16 the third digit), and a text's vector must not depend on its neighbours.
"""

from __future__ import annotations

import importlib
import importlib.util
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.embedders._text import encodable
from retrieval.embedders._vectors import unit_rows
from retrieval.errors import EmbedderUnavailableError
from retrieval.types import EmbeddingSpace

_FAST_BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})


class SentenceTransformerEmbedder:
    """Runs a sentence-transformers model; one vector for each window of a document. Thread-safe: one run at a time."""

    def __init__(
        self,
        model: str,
        *,
        name: str | None = None,
        query_prefix: str = "",
        window_tokens: int | None = None,
        overlap_tokens: int = 32,
        device: str | None = None,
        bf16: bool | None = None,
        batch_size: int = 1,
    ) -> None:
        """Loads the model.

        Args:
            model: hub name or folder.
            name: name in the embedding space (default: the last part of `model`).
            query_prefix: put before a question.
            window_tokens: longest input, special tokens included (default: the model's own limit).
            overlap_tokens: tokens that neighbouring windows share.
            device: torch device (default: chosen by the library).
            bf16: compute in bfloat16; None switches it on where the CPU multiplies bfloat16 in hardware.
            batch_size: windows in one run; see the module's note before raising it.

        Raises:
            EmbedderUnavailableError: the extra is not installed, or the model cannot be loaded.
        """
        library = _import("sentence_transformers")
        try:
            self._model: Any = library.SentenceTransformer(model, device=device)
        except (OSError, ValueError) as error:
            raise EmbedderUnavailableError("the sentence-transformers model cannot be loaded") from error
        if cpu_multiplies_bf16() if bf16 is None else bf16:
            self._model.bfloat16()
        # Named otherwise since release 5.
        dimension = (
            getattr(self._model, "get_embedding_dimension", None) or self._model.get_sentence_embedding_dimension
        )
        self._space = EmbeddingSpace(name or Path(model).name, int(dimension()))
        self._prefix = query_prefix
        self._window = window_tokens or int(self._model.max_seq_length)
        self._overlap = overlap_tokens
        self._batch_size = batch_size
        self._lock = threading.Lock()

    @property
    def space(self) -> EmbeddingSpace:
        """The space of its vectors."""
        return self._space

    def embed_documents(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """See `retrieval.ports.Embedder`."""
        with self._lock:
            windows = [list(self._windows(encodable(text))) for text in texts]
            rows = self._encode([window for of_text in windows for window in of_text])
        ends = np.cumsum([len(of_text) for of_text in windows])
        return np.split(rows, ends[:-1]) if texts else []

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See `retrieval.ports.Embedder`."""
        with self._lock:
            row: NDArray[np.float32] = self._encode([self._prefix + encodable(text)])[0]
        return row

    def _encode(self, texts: list[str]) -> NDArray[np.float32]:
        if not texts:
            return np.empty((0, self._space.dim), dtype=np.float32)
        rows = self._model.encode(
            texts,
            batch_size=self._batch_size,
            convert_to_numpy=True,
            show_progress_bar=False,
            normalize_embeddings=True,
        )
        return unit_rows(rows, self._space.dim)

    def _windows(self, text: str) -> Iterator[str]:
        """Cuts a text where its tokens say so; the cuts are made in the text, because the library takes texts."""
        encoding = self._model.tokenizer(
            text,
            truncation=True,
            max_length=self._window,
            stride=self._overlap,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        for offsets in encoding["offset_mapping"]:
            spans = [(start, end) for start, end in offsets if end > start]
            yield text[spans[0][0] : spans[-1][1]] if spans else text


def cpu_multiplies_bf16() -> bool:
    """Whether this CPU has bfloat16 products in hardware; without them bf16 is slower than fp32."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return False
    for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("flags"):
            return not _FAST_BF16_FLAGS.isdisjoint(line.split())
    return False


def _import(name: str) -> Any:
    if importlib.util.find_spec(name) is None:
        raise EmbedderUnavailableError(
            f"this embedder needs the package {name}: pip install 'memsvc[sentence-transformers]'"
        )
    return importlib.import_module(name)
