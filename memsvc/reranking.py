"""Builds the cross-encoder that the settings name. The only place where it is chosen; no request can."""

from __future__ import annotations

from memsvc.core.errors import StartupRefused
from retrieval.errors import EmbedderError
from retrieval.ports import PairScorer
from retrieval.rerank import packaged
from retrieval.rerank.sentence_transformer_cross_encoder import SentenceTransformerCrossEncoder
from retrieval.rerank.shared import SharedPairScorer

NONE = "none"
DEFAULT = f"packaged:{packaged.DEFAULT_MODEL}"


def build_reranker(setting: str, *, threads: int) -> SharedPairScorer | None:
    """The cross-encoder in force, shared by all requests; to be closed at the end. None where the setting says so.

    Args:
        setting: `packaged:<name>`, `sentence-transformers:<name or path>` or `none`.
        threads: pairs that are scored side by side.

    Raises:
        StartupRefused: the setting names nothing known, or its model cannot be loaded.
    """
    if setting == NONE:
        return None
    source, _, name = setting.partition(":")
    try:
        return SharedPairScorer(_load(source, name), workers=threads)
    except EmbedderError as error:
        raise StartupRefused(f"MEMSVC_RERANKER={setting}: {error}") from error


def _load(source: str, name: str) -> PairScorer:
    match source:
        case "packaged":
            return packaged.load(name)
        case "sentence-transformers" if name:
            return SentenceTransformerCrossEncoder(name)
    raise StartupRefused("MEMSVC_RERANKER must be packaged:<name>, sentence-transformers:<name or path> or none")
