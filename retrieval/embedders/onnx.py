"""Embedding models as ONNX files, run on the CPU by onnxruntime.

Every window of tokens is run by itself. A model with int8 weights quantises its activations by their range over the
whole input tensor, so that in a padded batch a text's vector depends on its neighbours (measured: cosine 0.995 between
the two, `docs/decisions/0002-default-embedding-model.md`). Alone, the same text always gives the same bytes, and from
about 64 tokens on batches are no faster on a CPU anyway. Several threads may call one embedder: onnxruntime lets go of
the interpreter while it computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from retrieval.embedders._text import encodable
from retrieval.embedders._vectors import unit_rows
from retrieval.errors import EmbedderUnavailableError
from retrieval.types import EmbeddingSpace

_runtime: Any = onnxruntime  # it ships without types


class Pooling(StrEnum):
    """How token states become one vector."""

    CLS = "cls"
    MEAN = "mean"


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """A model on disk and how its authors want it used.

    Attributes:
        name: goes into the embedding space; a change that changes vectors needs a new name.
        model_file: the ONNX file; its first output is `[batch, tokens, dim]`.
        tokenizer_file: `tokenizer.json` of the `tokenizers` library.
        dim: dimension of its vectors.
        pooling: how token states become one vector.
        window_tokens: longest input, special tokens included; a longer document becomes overlapping windows.
        overlap_tokens: tokens that two neighbouring windows share.
        query_prefix: put before a question (never before a document).
    """

    name: str
    model_file: Path
    tokenizer_file: Path
    dim: int
    pooling: Pooling
    window_tokens: int
    overlap_tokens: int
    query_prefix: str = ""


class OnnxEmbedder:
    """Turns texts into unit vectors with an ONNX model; one vector for each window of a document. Thread-safe."""

    def __init__(self, model: OnnxModel, *, intra_op_threads: int = 1) -> None:
        """Loads the model.

        Args:
            model: files and use.
            intra_op_threads: threads inside one run. One is right when several texts are embedded side by side.

        Raises:
            EmbedderUnavailableError: a file is missing or cannot be read as a model or tokenizer.
        """
        for path in (model.model_file, model.tokenizer_file):
            if not path.is_file():
                raise EmbedderUnavailableError(f"the embedding model {model.name} has no file {path.name}")
        self._model = model
        self._tokenizer = _windowing_tokenizer(model)
        self._session = _session(model, intra_op_threads)
        self._inputs = frozenset(item.name for item in self._session.get_inputs())

    @property
    def space(self) -> EmbeddingSpace:
        """The space of its vectors."""
        return EmbeddingSpace(self._model.name, self._model.dim)

    def embed_documents(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """See `retrieval.ports.Embedder`."""
        return [self._embed(_windows(self._tokenizer.encode(encodable(text)))) for text in texts]

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See `retrieval.ports.Embedder`."""
        encoding = self._tokenizer.encode(self._model.query_prefix + encodable(text))
        row: NDArray[np.float32] = self._embed([encoding.ids])[0]
        return row

    def _embed(self, windows: list[list[int]]) -> NDArray[np.float32]:
        return unit_rows(np.stack([self._run(ids) for ids in windows]), self._model.dim)

    def _run(self, ids: list[int]) -> NDArray[np.float32]:
        tokens = np.asarray([ids], dtype=np.int64)
        known = {"input_ids": tokens, "attention_mask": np.ones_like(tokens), "token_type_ids": np.zeros_like(tokens)}
        states = self._session.run(None, {name: known[name] for name in self._inputs})[0][0]
        pooled: NDArray[np.float32] = states[0] if self._model.pooling is Pooling.CLS else states.mean(axis=0)
        return pooled


def _windows(encoding: Encoding) -> list[list[int]]:
    return [encoding.ids, *(part.ids for part in encoding.overflowing)]


def _windowing_tokenizer(model: OnnxModel) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_file(str(model.tokenizer_file))
    except Exception as error:  # the library raises bare Exception for an unreadable file
        raise EmbedderUnavailableError(f"the tokenizer of {model.name} cannot be read") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(model.window_tokens, stride=model.overlap_tokens)
    return tokenizer


def _session(model: OnnxModel, intra_op_threads: int) -> Any:
    options = _runtime.SessionOptions()
    options.intra_op_num_threads = intra_op_threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads leave the cores to others
    try:
        return _runtime.InferenceSession(str(model.model_file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base class below Exception
        raise EmbedderUnavailableError(f"the model file of {model.name} cannot be loaded") from error
