"""Questions embedded by torch lie where the same model puts them on the processor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from retrieval.embedders import packaged
from retrieval.embedders.batched_questions import BatchedQuestions
from retrieval.errors import EmbedderUnavailableError

QUESTIONS = [
    "Who sold the piano?",
    "What did Melanie paint on the day after the charity race, and whom did she give it to?",
    "kayak",
    "When is the next appointment with the dentist in Turin?",
    "How do I rotate the API keys of the staging cluster without downtime?",
    "",
    "naïve café 東京 🎹",
    "word " * 400,
]


@pytest.fixture(scope="module")
def batched() -> BatchedQuestions:
    return BatchedQuestions(packaged.locate(), device="cpu")


@pytest.mark.model
def test_they_are_close_to_those_of_the_processor(batched: BatchedQuestions) -> None:
    alone = packaged.load()
    vectors = batched(QUESTIONS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(QUESTIONS), 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    cosines = [float(row @ alone.embed_query(text)) for row, text in zip(vectors, QUESTIONS, strict=True)]
    assert min(cosines) > 0.98, cosines


@pytest.mark.model
def test_the_batch_makes_no_difference_in_full_precision(batched: BatchedQuestions) -> None:
    together = batched(QUESTIONS)
    for row, text in zip(together, QUESTIONS, strict=True):
        np.testing.assert_allclose(row, batched([text])[0], atol=2e-5)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "model.onnx"
    broken.write_bytes(b"no model")
    with pytest.raises(EmbedderUnavailableError, match="cannot be loaded into torch"):
        BatchedQuestions(replace(packaged.locate(), model_file=broken), device="cpu")
