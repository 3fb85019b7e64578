"""Any sentence-transformers cross-encoder by name or folder (optional extra `sentence-transformers`).

Pairs run one at a time unless `batch_size` says otherwise: padding changes the last bits of a score, and a pair's score
must not depend on its neighbours.
"""

from __future__ import annotations

import importlib
import importlib.util
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.embedders._text import encodable
from retrieval.errors import EmbedderAnswerError, EmbedderUnavailableError


class SentenceTransformerCrossEncoder:
    """Runs a sentence-transformers `CrossEncoder` and gives its logits. Thread-safe: one run at a time."""

    def __init__(
        self,
        model: str,
        *,
        name: str | None = None,
        window_tokens: int = 355,
        device: str | None = None,
        batch_size: int = 1,
    ) -> None:
        """Loads the model.

        Args:
            model: hub name or folder; it must give one number for each pair.
            name: how it is called (default: the last part of `model`).
            window_tokens: longest pair, special tokens included; the rest is cut.
            device: torch device (default: chosen by the library).
            batch_size: pairs in one run; see the module's note before raising it.

        Raises:
            EmbedderUnavailableError: the extra is not installed, or the model cannot be loaded.
        """
        library, torch = _import("sentence_transformers"), _import("torch")
        try:
            self._model: Any = library.CrossEncoder(model, device=device, max_length=window_tokens, num_labels=1)
        except (OSError, ValueError) as error:
            raise EmbedderUnavailableError("the sentence-transformers cross-encoder cannot be loaded") from error
        self._name = name or Path(model).name
        self._batch_size = batch_size
        self._identity = torch.nn.Identity()  # without it some models answer probabilities instead of logits
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """See `retrieval.ports.PairScorer`."""
        return self._name

    def score(self, query: str, texts: Sequence[str], *, ends_at_s: float | None = None) -> NDArray[np.float32]:
        """See `retrieval.ports.PairScorer`. The time is looked at between batches."""
        scores = np.full(len(texts), np.nan, dtype=np.float32)
        question = encodable(query)
        for start in range(0, len(texts), self._batch_size):
            if ends_at_s is not None and time.monotonic() >= ends_at_s:
                break
            pairs = [(question, encodable(text)) for text in texts[start : start + self._batch_size]]
            scores[start : start + len(pairs)] = self._run(pairs)
        return scores

    def _run(self, pairs: list[tuple[str, str]]) -> NDArray[np.float32]:
        with self._lock:
            answer = self._model.predict(
                pairs,
                batch_size=self._batch_size,
                show_progress_bar=False,
                activation_fn=self._identity,
                convert_to_numpy=True,
            )
        logits = np.asarray(answer, dtype=np.float32).reshape(-1)
        if logits.size != len(pairs) or not np.isfinite(logits).all():
            raise EmbedderAnswerError(f"the cross-encoder {self._name} gave no usable scores")
        return logits


def _import(name: str) -> Any:
    if importlib.util.find_spec(name) is None:
        raise EmbedderUnavailableError(
            f"this cross-encoder needs the package {name}: pip install 'memsvc[sentence-transformers]'"
        )
    return importlib.import_module(name)
