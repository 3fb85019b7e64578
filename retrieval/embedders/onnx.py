"""Embedding models as ONNX files, run on the CPU by onnxruntime.

Every window of tokens is run by itself. A model with int8 weights quantises its activations by their range over the
whole input tensor, so that in a padded batch a text's vector depends on its neighbours (measured: cosine 0.995 between
the two, `docs/decisions/0002-default-embedding-model.md`). Alone, the same text always gives the same bytes, and from
about 64 tokens on batches are no faster on a CPU anyway. Several threads may call one embedder: onnxruntime lets go of
the interpreter while it computes.

One run gives both the vector of a window and the states of its tokens. A text is read in the light of what was said
before it: the first window is `[CLS] end of what was said before [SEP] text [SEP]`, and the vector pooled from it (with
`Pooling.MEAN` over the text's own tokens) is the text's view; the states of what was said before are dropped.
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
from retrieval.types import EmbeddingSpace, Encoded, Passage

_runtime: Any = onnxruntime  # it ships without types

_CONTEXT_SHARE = 4
"""What was said before takes at most one part in so many of a window."""
_WORD_MARKS = "\u0120\u2581"
"""What tokenizers write for the space before a word."""


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
        context_tokens: most tokens of what was said before a text that are read with it.
    """

    name: str
    model_file: Path
    tokenizer_file: Path
    dim: int
    pooling: Pooling
    window_tokens: int
    overlap_tokens: int
    query_prefix: str = ""
    context_tokens: int = 64


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
        self._tokenizer = _tokenizer(model)
        self._before, self._after = _frame(self._tokenizer)
        self._room = model.window_tokens - len(self._before) - len(self._after)
        self._says = _saying(self._tokenizer)
        self._session = _session(model, intra_op_threads)
        self._inputs = frozenset(item.name for item in self._session.get_inputs())

    @property
    def space(self) -> EmbeddingSpace:
        """The space of its vectors."""
        return EmbeddingSpace(self._model.name, self._model.dim)

    def embed_documents(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """See `retrieval.ports.Embedder`."""
        return [encoded.views for encoded in self.encode_documents([Passage(text) for text in texts])]

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See `retrieval.ports.Embedder`."""
        row: NDArray[np.float32] = self.encode_query(text).views[0]
        return row

    def encode_documents(self, passages: Sequence[Passage]) -> list[Encoded]:
        """See `retrieval.ports.TokenEmbedder`."""
        return [self._encode(self._windows(passage)) for passage in passages]

    def encode_query(self, text: str) -> Encoded:
        """See `retrieval.ports.TokenEmbedder`."""
        prefix = self._model.query_prefix
        encoding = self._tokenizer.encode(prefix + encodable(text))
        asked = sum(start < len(prefix) for start, end in encoding.offsets if end)
        ids = _content(encoding)[: self._room]
        return self._encode([_Window(self._framed(ids), len(self._before), len(ids), asked)])

    def _encode(self, windows: Sequence[_Window]) -> Encoded:
        views, tokens = zip(*(self._run(window) for window in windows), strict=True)
        return Encoded(unit_rows(np.stack(views), self._model.dim), np.concatenate(tokens))

    def _run(self, window: _Window) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The pooled state of a window (not scaled), and unit states of its content tokens that are new."""
        ids = np.asarray([window.ids], dtype=np.int64)
        known = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        states = self._session.run(None, {name: known[name] for name in self._inputs})[0][0]
        own = slice(window.start + window.seen, window.start + window.length)
        kept = states[own][self._says[ids[0, own]]]
        return self._pooled(states, window), unit_rows(kept, self._model.dim)

    def _pooled(self, states: NDArray[np.float32], window: _Window) -> NDArray[np.float32]:
        if window.start > len(self._before):  # what was said before lends its light, not its words
            own = states[window.start : window.start + window.length + len(self._after)]
        else:
            own = states
        pooled: NDArray[np.float32] = states[0] if self._model.pooling is Pooling.CLS else own.mean(axis=0)
        return pooled

    def _windows(self, passage: Passage) -> list[_Window]:
        """The overlapping windows of a text, as many as it takes; what was said before goes into the first."""
        ids = _content(self._tokenizer.encode(encodable(passage.text)))
        before = self._context(passage.before)
        lead = [*before, *self._after] if before else []
        windows: list[_Window] = []
        at = seen = 0
        while True:
            part = ids[at : at + self._room - len(lead)]
            start = len(self._before) + len(lead)
            windows.append(_Window(self._framed([*lead, *part]), start, len(part), seen))
            at += len(part)
            if at >= len(ids):
                return windows
            seen = min(self._model.overlap_tokens, len(part) - 1)
            at, lead = at - seen, []

    def _context(self, text: str) -> list[int]:
        """The last tokens of what was said before."""
        most = min(self._model.context_tokens, self._model.window_tokens // _CONTEXT_SHARE)
        return _content(self._tokenizer.encode(encodable(text)))[-most:] if text and most else []

    def _framed(self, ids: list[int]) -> list[int]:
        return [*self._before, *ids, *self._after]


@dataclass(frozen=True, slots=True)
class _Window:
    """What goes through the model at once.

    Attributes:
        ids: token ids, special ones included.
        start: where the text's own tokens begin.
        length: how many they are.
        seen: how many of them, at their beginning, are not to be kept: they stand in the window before.
    """

    ids: list[int]
    start: int
    length: int
    seen: int


def _content(encoding: Encoding) -> list[int]:
    """The ids without the special ones that the tokenizer puts around a text."""
    return [i for i, special in zip(encoding.ids, encoding.special_tokens_mask, strict=True) if not special]


def _frame(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """Ids of the special tokens before and after a text."""
    encoding = tokenizer.encode("a")
    inside = encoding.special_tokens_mask.index(0)
    return encoding.ids[:inside], encoding.ids[inside + encoding.special_tokens_mask.count(0) :]


def _saying(tokenizer: Tokenizer) -> NDArray[np.bool_]:
    """For each token id whether it has a letter or digit: only such tokens take part in late interaction."""
    special = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    says = np.zeros(max(tokenizer.get_vocab().values(), default=0) + 1, dtype=np.bool_)
    for token, i in tokenizer.get_vocab().items():
        says[i] = token not in special and any(map(str.isalnum, token.strip(_WORD_MARKS)))
    return says


def _tokenizer(model: OnnxModel) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_file(str(model.tokenizer_file))
    except Exception as error:  # the library raises bare Exception for an unreadable file
        raise EmbedderUnavailableError(f"the tokenizer of {model.name} cannot be read") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()  # windows are cut here, so that what overlaps is known
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
