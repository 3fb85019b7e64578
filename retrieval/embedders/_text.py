"""What a text needs before any model may see it."""

from __future__ import annotations


def encodable(text: str) -> str:
    """Replaces halves of surrogate pairs, which neither a tokenizer nor JSON can carry, by question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")
