"""Builds the embedder that the settings name. The only place where a model is chosen; no request can."""

from __future__ import annotations

from memsvc.core.errors import StartupRefused
from memsvc.core.settings import Settings
from retrieval.embedders import packaged
from retrieval.embedders.batching import BatchingEmbedder, OnRun
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.embedders.openai import OpenAIEmbedder
from retrieval.embedders.sentence_transformer import SentenceTransformerEmbedder
from retrieval.errors import EmbedderError
from retrieval.ports import Embedder


def build_embedder(settings: Settings, on_run: OnRun = lambda lane, texts, seconds: None) -> BatchingEmbedder:
    """The embedder in force, shared by all requests; `on_run` is told of each run of its model.

    Raises:
        StartupRefused: the setting names nothing known, or its model cannot be loaded.
    """
    source, _, name = settings.embedder.partition(":")
    try:
        return BatchingEmbedder(
            _load(source, name, settings),
            document_workers=settings.embedder_threads,
            query_workers=settings.embedder_threads,
            texts_per_run=64 if source == "openai" else 1,
            on_run=on_run,
        )
    except EmbedderError as error:
        raise StartupRefused(f"MEMSVC_EMBEDDER={settings.embedder}: {error}") from error


def _load(source: str, name: str, settings: Settings) -> Embedder:
    match source:
        case "packaged":
            return packaged.load(name)
        case "sentence-transformers" if name:
            return SentenceTransformerEmbedder(name)
        case "openai" if name:
            return _remote(name, settings)
        case "hashing":
            return HashingEmbedder(int(name) if name.isdecimal() else 384)
    raise StartupRefused(
        "MEMSVC_EMBEDDER must be packaged:<name>, sentence-transformers:<name or path>, openai:<model> or hashing:<dim>"
    )


def _remote(model: str, settings: Settings) -> Embedder:
    if settings.embedder_url is None or settings.embedder_dim is None:
        raise StartupRefused("MEMSVC_EMBEDDER=openai:... needs MEMSVC_EMBEDDER_URL and MEMSVC_EMBEDDER_DIM")
    return OpenAIEmbedder(
        base_url=settings.embedder_url,
        model=model,
        dim=settings.embedder_dim,
        api_key=settings.embedder_api_key,
    )
