"""The cross-encoder that comes as a package: which file it is, what it reads, and what it can tell apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from retrieval.analysis.folding import folded_text
from retrieval.errors import EmbedderUnavailableError
from retrieval.rerank import packaged
from retrieval.rerank.onnx_cross_encoder import OnnxCrossEncoder

pytestmark = pytest.mark.model

QUESTION = "When did Caroline go to the support group?"
ANSWER = "8 May 2023: Caroline: I went to a support group yesterday and it was so powerful."


@pytest.fixture(scope="module")
def scorer() -> OnnxCrossEncoder:
    return packaged.load()


def test_an_answer_scores_above_chatter(scorer: OnnxCrossEncoder) -> None:
    answer, near, chatter = scorer.score(
        QUESTION, [ANSWER, "Caroline: I like the people of the group.", "The train leaves at nine."]
    )
    assert answer > near > chatter
    assert answer > 0.0 > chatter


def test_folding_does_not_change_a_score(scorer: OnnxCrossEncoder) -> None:
    texts = [ANSWER, "Café  Müller\nopened in ZÜRICH", "JSON: {'Key': 42}", "naïve — “quotes”"]
    assert scorer.score(QUESTION, texts).tobytes() == scorer.score(QUESTION, [folded_text(t) for t in texts]).tobytes()


def test_what_lies_beyond_the_windows_is_not_read(scorer: OnnxCrossEncoder) -> None:
    text = " ".join(["garden"] * 256)
    assert scorer.score(QUESTION, [text]) == scorer.score(QUESTION, [text + " " + ANSWER])
    assert scorer.score("tree " * 96, [ANSWER]) == scorer.score("tree " * 96 + QUESTION, [ANSWER])
    assert scorer.score("tree " * 95, [ANSWER]) != scorer.score("tree " * 95 + "house", [ANSWER])


def test_a_pair_is_put_together_as_the_model_was_trained(scorer: OnnxCrossEncoder) -> None:
    """Against the tokenizer's own template of pairs: special tokens, and which side a token is on."""
    seen: dict[str, np.ndarray] = {}
    inner = scorer._session

    class Spy:
        def run(self, names: object, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
            seen.update(inputs)
            return inner.run(names, inputs)  # type: ignore[no-any-return]

    scorer._session = Spy()
    try:
        scorer.score(QUESTION, [ANSWER])
    finally:
        scorer._session = inner
    expected = scorer._tokenizer.encode(QUESTION, ANSWER)
    assert seen["input_ids"].tolist() == [expected.ids]
    assert seen["token_type_ids"].tolist() == [expected.type_ids]
    assert seen["attention_mask"].tolist() == [expected.attention_mask]


def test_question_and_text_are_told_apart(scorer: OnnxCrossEncoder) -> None:
    assert scorer.score(QUESTION, [ANSWER]) != scorer.score(ANSWER, [QUESTION])


def test_an_unknown_name_says_which_there_are() -> None:
    with pytest.raises(EmbedderUnavailableError, match=packaged.DEFAULT_MODEL):
        packaged.locate("nothing")


def test_another_file_than_the_pinned_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = replace(packaged.MODELS[packaged.DEFAULT_MODEL], tokenizer_sha256="0" * 64)
    monkeypatch.setitem(packaged.MODELS, "other", entry)
    with pytest.raises(EmbedderUnavailableError, match="pinned version"):
        packaged.locate("other")


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = replace(packaged.MODELS[packaged.DEFAULT_MODEL], package="not_there_at_all", distribution="some-package")
    monkeypatch.setitem(packaged.MODELS, "other", entry)
    with pytest.raises(EmbedderUnavailableError, match="pip install"):
        packaged.locate("other")


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    model = packaged.locate()
    broken = tmp_path / "model.onnx"
    broken.write_bytes(b"no model")
    with pytest.raises(EmbedderUnavailableError, match="cannot be loaded"):
        OnnxCrossEncoder(replace(model, model_file=broken))
    with pytest.raises(EmbedderUnavailableError, match="has no file"):
        OnnxCrossEncoder(replace(model, tokenizer_file=tmp_path / "gone.json"))


def test_scores_are_float32_and_finite_for_any_length(scorer: OnnxCrossEncoder) -> None:
    scores = scorer.score(QUESTION, ["word " * length for length in (0, 1, 7, 100, 600)])
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
