"""Cross-encoders as ONNX files, run on the CPU by onnxruntime.

    score(q, d) = w · BERT([CLS] q [SEP] d [SEP]) + b        (a logit)

Every pair is run by itself. A model with int8 weights quantises its activations by their range over the whole input
tensor, so that even in a batch of equal length, without any padding, a pair's score depends on its neighbours
(measured: up to 1.2 of a logit, `docs/decisions/0006-rerank.md`). Alone, the same pair always gives the same bits, with
any number of threads. onnxruntime lets go of the interpreter while it computes, so pairs run side by side in threads:
`retrieval.rerank.shared` does that.

Source: Nogueira and Cho 2019 (arXiv:1901.04085); the models are those of Reimers and Gurevych's MS MARCO collection.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from retrieval.embedders._text import encodable
from retrieval.errors import EmbedderAnswerError, EmbedderUnavailableError

_runtime: Any = onnxruntime  # it ships without types
_CLS, _SEP = "[CLS]", "[SEP]"


@dataclass(frozen=True, slots=True)
class CrossEncoderModel:
    """A cross-encoder on disk and how much it is shown.

    Attributes:
        name: of the model.
        model_file: the ONNX file; its first output is `[pairs, 1]`.
        tokenizer_file: `tokenizer.json` of the `tokenizers` library, with the special tokens of BERT.
        question_tokens: longest part of a question that is read.
        text_tokens: longest part of a text that is read; who has longer texts shows windows of them.
    """

    name: str
    model_file: Path
    tokenizer_file: Path
    question_tokens: int = 96
    text_tokens: int = 256


class OnnxCrossEncoder:
    """Scores pairs of question and text with an ONNX model, one after the other. Thread-safe."""

    def __init__(self, model: CrossEncoderModel) -> None:
        """Loads the model.

        Raises:
            EmbedderUnavailableError: a file is missing or cannot be read as a model or tokenizer.
        """
        for path in (model.model_file, model.tokenizer_file):
            if not path.is_file():
                raise EmbedderUnavailableError(f"the cross-encoder {model.name} has no file {path.name}")
        self._model = model
        self._tokenizer = _tokenizer(model)
        self._cls, self._sep = (_special(self._tokenizer, token, model) for token in (_CLS, _SEP))
        self._session = _session(model)
        self._inputs = frozenset(item.name for item in self._session.get_inputs())

    @property
    def name(self) -> str:
        """See `retrieval.ports.PairScorer`."""
        return self._model.name

    def score(self, query: str, texts: Sequence[str], *, ends_at_s: float | None = None) -> NDArray[np.float32]:
        """See `retrieval.ports.PairScorer`."""
        scores = np.full(len(texts), np.nan, dtype=np.float32)
        question = self._tokens(query, self._model.question_tokens)
        for at, text in enumerate(texts):
            if ends_at_s is not None and time.monotonic() >= ends_at_s:
                break
            scores[at] = self._run(question, self._tokens(text, self._model.text_tokens))
        return scores

    def _tokens(self, text: str, limit: int) -> list[int]:
        ids: list[int] = self._tokenizer.encode(encodable(text), add_special_tokens=False).ids
        return ids[:limit]

    def _run(self, question: list[int], text: list[int]) -> float:
        ids = np.array([[self._cls, *question, self._sep, *text, self._sep]], dtype=np.int64)
        segments = np.zeros_like(ids)
        segments[0, len(question) + 2 :] = 1
        known = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": segments}
        try:
            answer = self._session.run(None, {name: known[name] for name in self._inputs})[0]
        except Exception as error:  # onnxruntime's errors share no base class below Exception
            raise EmbedderAnswerError(f"the cross-encoder {self.name} failed") from error
        logit = float(answer[0, 0])
        if not np.isfinite(logit):
            raise EmbedderAnswerError(f"the cross-encoder {self.name} gave no finite score")
        return logit


def _tokenizer(model: CrossEncoderModel) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_file(str(model.tokenizer_file))
    except Exception as error:  # the library raises bare Exception for an unreadable file
        raise EmbedderUnavailableError(f"the tokenizer of {model.name} cannot be read") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _special(tokenizer: Tokenizer, token: str, model: CrossEncoderModel) -> int:
    number: int | None = tokenizer.token_to_id(token)
    if number is None:
        raise EmbedderUnavailableError(f"the tokenizer of {model.name} knows no {token}")
    return number


def _session(model: CrossEncoderModel) -> Any:
    options = _runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads leave the cores to others
    try:
        return _runtime.InferenceSession(str(model.model_file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base class below Exception
        raise EmbedderUnavailableError(f"the model file of {model.name} cannot be loaded") from error
