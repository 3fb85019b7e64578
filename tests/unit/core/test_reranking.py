"""Which cross-encoder a setting means."""

from __future__ import annotations

import pytest

from memsvc.core.errors import StartupRefused
from memsvc.reranking import DEFAULT, build_reranker


def test_none_means_none() -> None:
    assert build_reranker("none", threads=1) is None


@pytest.mark.parametrize(
    "setting", ["", "packaged", "packaged:", "packaged:nothing", "openai:x", "sentence-transformers:", "None"]
)
def test_a_setting_that_names_nothing_refuses_to_start_and_says_so(setting: str) -> None:
    with pytest.raises(StartupRefused, match="MEMSVC_RERANKER"):
        build_reranker(setting, threads=1)


@pytest.mark.model
def test_the_default_is_loaded_and_shared() -> None:
    scorer = build_reranker(DEFAULT, threads=2)
    assert scorer is not None
    assert scorer.name == "ms-marco-MiniLM-L-12-v2"
    assert scorer.score("Where is the tea?", ["The tea is in the kitchen."])[0] > 0.0
    scorer.close()
