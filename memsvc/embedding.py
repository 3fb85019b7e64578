"""Builds the embedders that the settings name. The only place where a model is chosen; no request can."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Self
from uuid import UUID

from memsvc.core.errors import Conflict, StartupRefused
from memsvc.core.settings import Settings
from memsvc.db.engine import Database
from memsvc.db.tenancy import SERVICE
from memsvc.namespaces import repository as namespaces
from retrieval.embedders import packaged
from retrieval.embedders.batching import BatchingEmbedder, OnRun
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.embedders.openai import OpenAIEmbedder
from retrieval.embedders.sentence_transformer import SentenceTransformerEmbedder
from retrieval.errors import EmbedderError
from retrieval.ports import Embedder


class Embedders:
    """The embedding models of this process, by the spaces of their vectors.

    Args:
        models: the first is that of namespaces that are new.

    Attributes:
        default: its space.
    """

    def __init__(self, models: Mapping[UUID, BatchingEmbedder]) -> None:
        self._models = dict(models)
        self.default = next(iter(self._models))

    @classmethod
    def opened(cls, database: Database, models: Sequence[BatchingEmbedder], now: datetime) -> Self:
        """Models with their spaces in a database, which are made if they are new."""
        spaces = [model.space for model in models]
        ids = database.write(
            SERVICE, lambda connection: [namespaces.ensure_space(connection, s.model, s.dim, now) for s in spaces]
        )
        return cls(dict(zip(ids, models, strict=True)))

    def __iter__(self) -> Iterator[UUID]:
        return iter(self._models)

    def __contains__(self, space_id: UUID) -> bool:
        return space_id in self._models

    def __len__(self) -> int:
        return len(self._models)

    def of(self, space_id: UUID) -> BatchingEmbedder:
        """The model of a space that something is to be written in.

        Raises:
            Conflict: this process does not have it.
        """
        if space_id not in self._models:
            raise Conflict(
                "the vectors of this namespace come from another embedding model; configure that model again, "
                "as MEMSVC_EMBEDDER or MEMSVC_EMBEDDER_SECOND"
            )
        return self._models[space_id]

    @property
    def read_context(self) -> bool:
        """Whether what was said before a text makes a difference to any of them."""
        return any(model.reads_context for model in self._models.values())

    def close(self) -> None:
        """Ends their threads."""
        for model in self._models.values():
            model.close()


def build_embedders(
    settings: Settings, on_run: OnRun = lambda lane, texts, seconds: None, first: BatchingEmbedder | None = None
) -> list[BatchingEmbedder]:
    """The embedders in force, shared by all requests: one, or two where a second one is set.

    Args:
        settings: which.
        on_run: told of each run of a model.
        first: used instead of the one that the settings name.

    Raises:
        StartupRefused: a setting names nothing known, its model cannot be loaded, or both name the same.
    """
    made = [first or _built("MEMSVC_EMBEDDER", settings.embedder, settings, on_run)]
    if settings.embedder_second is not None:
        try:
            made.append(_built("MEMSVC_EMBEDDER_SECOND", settings.embedder_second, settings, on_run))
        except StartupRefused:
            made[0].close()
            raise
    if len({embedder.space for embedder in made}) < len(made):
        for embedder in made:
            embedder.close()
        raise StartupRefused("MEMSVC_EMBEDDER_SECOND names the model of MEMSVC_EMBEDDER; leave it out")
    return made


def _built(variable: str, value: str, settings: Settings, on_run: OnRun) -> BatchingEmbedder:
    source, _, name = value.partition(":")
    try:
        return BatchingEmbedder(
            _load(variable, source, name, settings),
            document_workers=settings.embedder_threads,
            query_workers=settings.embedder_threads,
            texts_per_run=64 if source == "openai" else 1,
            on_run=on_run,
        )
    except EmbedderError as error:
        raise StartupRefused(f"{variable}={value}: {error}") from error


def _load(variable: str, source: str, name: str, settings: Settings) -> Embedder:
    match source:
        case "packaged":
            return packaged.load(name)
        case "sentence-transformers" if name:
            return SentenceTransformerEmbedder(name)
        case "openai" if name:
            return _remote(variable, name, settings)
        case "hashing":
            return HashingEmbedder(int(name) if name.isdecimal() else 384)
    raise StartupRefused(
        f"{variable} must be packaged:<name>, sentence-transformers:<name or path>, openai:<model> or hashing:<dim>"
    )


def _remote(variable: str, model: str, settings: Settings) -> Embedder:
    if settings.embedder_url is None or settings.embedder_dim is None:
        raise StartupRefused(f"{variable}=openai:... needs MEMSVC_EMBEDDER_URL and MEMSVC_EMBEDDER_DIM")
    return OpenAIEmbedder(
        base_url=settings.embedder_url,
        model=model,
        dim=settings.embedder_dim,
        api_key=settings.embedder_api_key,
    )
