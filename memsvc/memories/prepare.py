"""From text to what is stored beside it. Runs before the transaction: no database waits for a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import structlog

from gpu import tracing
from memsvc.core.errors import EmbedderUnavailable, InvalidInput
from memsvc.memories.draft import Circumstances, Draft, Encoding, Prepared
from memsvc.screening.rules import Rules
from retrieval.analysis.analyser import TextAnalyser
from retrieval.embedders.batching import BatchingEmbedder
from retrieval.errors import EmbedderBusyError, EmbedderClosedError, EmbedderError
from retrieval.late.codec import TokenCodec
from retrieval.screening import screen
from retrieval.types import Encoded, Passage

log = structlog.get_logger("memsvc.memories")


class Preparer:
    """Analyses and embeds the texts of drafts: one run of the model a text gives its vectors and its token codes.

    A draft that brings its own vector is not read by the model at all, so that it has no token codes: such writes stay
    as fast as they are, and late interaction does not see them.

    Attributes:
        on_postponed: called when texts were left to be read later.
        on_answered: called when texts were read.
    """

    def __init__(self, analyser: TextAnalyser, embedder: BatchingEmbedder, screening: Rules | None = None) -> None:
        self.screening: Rules = screening or {}
        """What is looked for in texts where a namespace says nothing else."""
        self.on_postponed: Callable[[], None] = lambda: None
        self.on_answered: Callable[[], None] = lambda: None
        self.analyser = analyser
        self.embedder = embedder
        self._codec = TokenCodec.of(embedder.space) if embedder.reads_context else None

    @property
    def reads_context(self) -> bool:
        """Whether what was said before a text makes a difference."""
        return self.embedder.reads_context

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

    def prepare(
        self, drafts: Sequence[Draft], befores: Sequence[str] | None = None, *, may_wait: bool = False
    ) -> list[Prepared | None]:
        """One result for each draft, None for those without content.

        Args:
            drafts: what is to be written.
            befores: the text in whose light each draft is read, "" for none (default: none for all).
            may_wait: see `encode`.

        Raises:
            EmbedderUnavailable: see `encode`; nothing has been written.
        """
        befores = befores or [""] * len(drafts)
        wanted = [i for i, d in enumerate(drafts) if d.content is not None and d.vector is None]
        passages = [Passage(drafts[i].content or "", befores[i]) for i in wanted]
        made = dict(zip(wanted, self.encode(passages, may_wait=may_wait), strict=True))
        with tracing.step("analysis", texts=len(drafts)):
            return [self._one(draft, made.get(i)) for i, draft in enumerate(drafts)]

    def encode(self, passages: Sequence[Passage], *, may_wait: bool = False) -> list[Encoding]:
        """What the model makes of each text.

        Args:
            passages: the texts.
            may_wait: if the model gives no usable answer, they are pending: whoever stores them stores that
                (`Ledger`), and `memsvc.memories.backlog` has them read when it does.

        Raises:
            EmbedderUnavailable: the model gave no answer, or too much waits for it already.
        """
        try:
            with tracing.step("embedding", texts=len(passages)):
                made = self.embedder.encode_documents(passages) if passages else []
        except EmbedderError as error:
            # Too much work is no reason to take on more, and a process that ends leaves nothing behind.
            if may_wait and not isinstance(error, EmbedderBusyError | EmbedderClosedError):
                log.warning("embedding_postponed", texts=len(passages), error=type(error).__name__)
                self.on_postponed()
                return [Encoding(np.empty((0, self.embedder.space.dim), np.float16)) for _ in passages]
            raise EmbedderUnavailable(
                "the embedding model does not answer; nothing was written", retry_after_s=5
            ) from error
        if made:
            self.on_answered()
        return [self._coded(encoded) for encoded in made]

    def _coded(self, encoded: Encoded) -> Encoding:
        codes = None if self._codec is None or encoded.tokens is None else self._codec.encode(encoded.tokens)
        return Encoding(encoded.views.astype(np.float16), codes)

    def _one(self, draft: Draft, encoding: Encoding | None) -> Prepared | None:
        if draft.content is None:
            return None
        if encoding is None:
            supplied = np.asarray(draft.vector, dtype=np.float64)
            unit = (supplied / np.linalg.norm(supplied)).astype(np.float32)
            encoding = Encoding(unit.astype(np.float16)[None, :])
        return self.analysed(draft.content, Circumstances.of(draft.fields), encoding)

    def analysed(self, content: str, circumstances: Circumstances, encoding: Encoding) -> Prepared:
        """A text that the model has read, analysed."""
        analysis = self.analyser.analyse(content, **circumstances._asdict())
        return Prepared(circumstances, analysis, encoding, self.noticed(content, circumstances))

    @staticmethod
    def noticed(content: str, circumstances: Circumstances) -> tuple[str, ...]:
        """What screening notices in a text, and in what stands beside it wherever it is shown."""
        said = (content, circumstances.speaker, circumstances.place)
        return screen("\n".join(part for part in said if part))

    def said_in(self, prepared: Prepared, content: str, circumstances: Circumstances) -> Prepared:
        """The same in the circumstances that the memory has in the end: an edit need not name who spoke, or when."""
        if circumstances == prepared.circumstances:
            return prepared
        return self.analysed(content, circumstances, prepared.encoding)
