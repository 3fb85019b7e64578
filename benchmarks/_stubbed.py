"""The `memsvc` command with an embedder that takes a fixed time for each text, and no core meanwhile.

    MEMSVC_EMBEDDER=hashing:384 python -m benchmarks._stubbed serve

So a model on another machine looks from here. Vectors are hashed words, of the packaged model's dimension.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from unittest.mock import patch

from memsvc_client.cli.main import main
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.types import Encoded, Passage

COST_S = 0.005
"""About what the packaged model took for a question on one core (`namespace_100k`)."""
SETTING = "hashing:384"


class FixedCost(HashingEmbedder):
    """Hashed vectors, each text after the same time."""

    def encode_documents(self, passages: Sequence[Passage]) -> list[Encoded]:
        """See `retrieval.ports.TokenEmbedder`."""
        by = time.perf_counter() + COST_S * len(passages)
        encoded = super().encode_documents(passages)
        time.sleep(max(0.0, by - time.perf_counter()))
        return encoded

    def encode_query(self, text: str) -> Encoded:
        """See `retrieval.ports.TokenEmbedder`."""
        by = time.perf_counter() + COST_S
        encoded = super().encode_query(text)
        time.sleep(max(0.0, by - time.perf_counter()))
        return encoded


if __name__ == "__main__":
    with patch("memsvc.embedding.HashingEmbedder", FixedCost):
        main()
