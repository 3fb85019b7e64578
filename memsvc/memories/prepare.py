"""From text to what is stored beside it. Runs before the transaction: no database waits for a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from memsvc.core.errors import EmbedderUnavailable, InvalidInput
from memsvc.memories.draft import Draft, Prepared
from retrieval.analysis.analyser import TextAnalyser
from retrieval.errors import EmbedderError
from retrieval.ports import Embedder


class Preparer:
    """Analyses and embeds the texts of drafts."""

    def __init__(self, analyser: TextAnalyser, embedder: Embedder) -> None:
        self.analyser = analyser
        self.embedder = embedder

    def check_vector(self, draft: Draft) -> None:
        """Refuse a supplied vector that cannot stand in the embedder's space.

        Raises:
            InvalidInput: wrong dimension, not finite, or without a direction.
        """
        if draft.vector is None:
            return
        dim = self.embedder.space.dim
        if draft.vector.shape != (dim,):
            raise InvalidInput.field("/embedding", "wrong_dimension", f"must have {dim} numbers")
        norm = float(np.linalg.norm(draft.vector.astype(np.float64)))
        if not np.isfinite(norm) or norm < 1e-6:
            raise InvalidInput.field("/embedding", "no_direction", "must be finite and not zero")

    def prepare(self, drafts: Sequence[Draft]) -> list[Prepared | None]:
        """One result for each draft, None for those without content.

        Raises:
            EmbedderUnavailable: the model gave no answer; nothing has been written.
        """
        wanted = [i for i, d in enumerate(drafts) if d.content is not None and d.vector is None]
        try:
            made = self.embedder.embed_documents([drafts[i].content or "" for i in wanted]) if wanted else []
        except EmbedderError as error:
            raise EmbedderUnavailable(
                "the embedding model does not answer; nothing was written", retry_after_s=5
            ) from error
        vectors: dict[int, NDArray[np.float32]] = dict(zip(wanted, made, strict=True))
        return [self._one(draft, vectors.get(i)) for i, draft in enumerate(drafts)]

    def _one(self, draft: Draft, vectors: NDArray[np.float32] | None) -> Prepared | None:
        if draft.content is None:
            return None
        if vectors is None:
            supplied = np.asarray(draft.vector, dtype=np.float64)
            vectors = (supplied / np.linalg.norm(supplied)).astype(np.float32)[None, :]
        speaker = draft.fields.get("speaker")
        return Prepared(speaker, self.analyser.analyse(draft.content, speaker=speaker), vectors.astype(np.float16))

    def said_by(self, prepared: Prepared, content: str, speaker: str | None) -> Prepared:
        """The same with the speaker that the memory has in the end: an edit need not name who spoke."""
        if speaker == prepared.speaker:
            return prepared
        return replace(prepared, speaker=speaker, analysis=self.analyser.analyse(content, speaker=speaker))
