"""From text to what is stored beside it. Runs before the transaction: no database waits for a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

import numpy as np
import structlog
from numpy.typing import NDArray

from gpu import tracing
from memsvc.core.errors import EmbedderUnavailable, InvalidInput
from memsvc.embedding import Embedders
from memsvc.memories.draft import Circumstances, Draft, Encoding, Prepared, Vectors
from memsvc.namespaces.repository import NamespaceRow
from memsvc.screening.rules import Rules
from retrieval.analysis.analyser import TextAnalyser
from retrieval.errors import EmbedderBusyError, EmbedderClosedError, EmbedderError
from retrieval.late.codec import TokenCodec
from retrieval.screening import screen
from retrieval.types import Encoded, Passage

log = structlog.get_logger("memsvc.memories")


class Preparer:
    """Analyses and embeds the texts of drafts: one run of a model a text gives its vectors and its token codes.

    A draft that brings its own vector is not read by the model of the active space at all, so that it has no token
    codes there: such writes stay as fast as they are, and late interaction does not see them. The model of a space
    that is kept beside reads it like any other.

    Attributes:
        on_postponed: called when texts were left to be read later.
        on_answered: called when texts were read.
    """

    def __init__(self, analyser: TextAnalyser, embedders: Embedders, screening: Rules | None = None) -> None:
        self.screening: Rules = screening or {}
        """What is looked for in texts where a namespace says nothing else."""
        self.on_postponed: Callable[[], None] = lambda: None
        self.on_answered: Callable[[], None] = lambda: None
        self.analyser = analyser
        self.embedders = embedders
        models = {space_id: embedders.of(space_id) for space_id in embedders}
        self._codecs = {
            space_id: TokenCodec.of(model.space) if model.reads_context else None for space_id, model in models.items()
        }

    @property
    def reads_context(self) -> bool:
        """Whether what was said before a text makes a difference."""
        return self.embedders.read_context

    def spaces(self, namespace: NamespaceRow | None) -> tuple[UUID, ...]:
        """The embedding spaces of what is written into a namespace; None: into one that is not there yet."""
        return (self.embedders.default,) if namespace is None else namespace.spaces

    def check_vector(self, draft: Draft, space_id: UUID) -> None:
        """Refuse a supplied vector that cannot stand in an embedding space.

        Raises:
            InvalidInput: wrong dimension, not finite, or without a direction.
            Conflict: the space is that of a model that this process does not have.
        """
        if draft.vector is None:
            return
        dim = self.embedders.of(space_id).space.dim
        if draft.vector.shape != (dim,):
            raise InvalidInput.field("/embedding", "wrong_dimension", f"must have {dim} numbers")
        norm = float(np.linalg.norm(draft.vector.astype(np.float64)))
        if not np.isfinite(norm) or norm < 1e-6:
            raise InvalidInput.field("/embedding", "no_direction", "must be finite and not zero")

    def prepare(
        self,
        drafts: Sequence[Draft],
        befores: Sequence[str] | None = None,
        spaces: Sequence[UUID] | None = None,
        *,
        may_wait: bool = False,
    ) -> list[Prepared | None]:
        """One result for each draft, None for those without content.

        Args:
            drafts: what is to be written.
            befores: the text in whose light each draft is read, "" for none (default: none for all).
            spaces: in which they get vectors, first the active one (default: that of new namespaces).
            may_wait: see `encode`.

        Raises:
            EmbedderUnavailable: see `encode`; nothing has been written.
            InvalidInput: a supplied vector is none of the active space.
            Conflict: this process does not have the model of one of the spaces.
        """
        befores = befores or [""] * len(drafts)
        active, *beside = spaces or self.spaces(None)
        for draft in drafts:
            self.check_vector(draft, active)
        texts = [Passage(draft.content or "", before) for draft, before in zip(drafts, befores, strict=True)]
        read = [i for i, draft in enumerate(drafts) if draft.content is not None and draft.vector is None]
        made = dict(zip(read, self.encode([texts[i] for i in read], (active, *beside), may_wait=may_wait), strict=True))
        supplied = {i: d.vector for i, d in enumerate(drafts) if d.content is not None and d.vector is not None}
        # These do not wait for a model that is away: their vectors are here, and nobody keeps them meanwhile.
        others = self.encode([texts[i] for i in supplied], beside)
        for (i, vector), other in zip(supplied.items(), others, strict=True):
            made[i] = Encoding({active: _supplied(vector), **other.of})
        with tracing.step("analysis", texts=len(drafts)):
            return [self._one(draft, made.get(i)) for i, draft in enumerate(drafts)]

    def encode(self, passages: Sequence[Passage], spaces: Sequence[UUID], *, may_wait: bool = False) -> list[Encoding]:
        """What the models of some spaces make of each text.

        Args:
            passages: the texts.
            may_wait: if the model gives no usable answer, they are pending: whoever stores them stores that
                (`Ledger`), and `memsvc.memories.backlog` has them read when it does.

        Raises:
            EmbedderUnavailable: a model gave no answer, or too much waits for it already.
            Conflict: this process does not have the model of one of the spaces.
        """
        try:
            read = {space_id: self._read(space_id, passages) for space_id in spaces}
        except EmbedderError as error:
            # Too much work is no reason to take on more, and a process that ends leaves nothing behind.
            if may_wait and not isinstance(error, EmbedderBusyError | EmbedderClosedError):
                log.warning("embedding_postponed", texts=len(passages), error=type(error).__name__)
                self.on_postponed()
                return [Encoding({}) for _ in passages]
            raise EmbedderUnavailable(
                "the embedding model does not answer; nothing was written", retry_after_s=5
            ) from error
        if passages and read:
            self.on_answered()
        return [Encoding({space_id: made[i] for space_id, made in read.items()}) for i in range(len(passages))]

    def _read(self, space_id: UUID, passages: Sequence[Passage]) -> list[Vectors]:
        embedder = self.embedders.of(space_id)
        with tracing.step("embedding", texts=len(passages)):
            made = embedder.encode_documents(passages) if passages else []
        return [_coded(encoded, self._codecs[space_id]) for encoded in made]

    def _one(self, draft: Draft, encoding: Encoding | None) -> Prepared | None:
        if draft.content is None or encoding is None:
            return None
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


def _coded(encoded: Encoded, codec: TokenCodec | None) -> Vectors:
    codes = None if codec is None or encoded.tokens is None else codec.encode(encoded.tokens)
    return Vectors(encoded.views.astype(np.float16), codes)


def _supplied(vector: NDArray[np.float32]) -> Vectors:
    exact = np.asarray(vector, dtype=np.float64)
    unit = (exact / np.linalg.norm(exact)).astype(np.float32)
    return Vectors(unit.astype(np.float16)[None, :])
