"""What every scorer of pairs promises, run on each of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from retrieval.ports import PairScorer
from retrieval.rerank import packaged
from retrieval.rerank.lexical import LexicalPairScorer
from retrieval.rerank.sentence_transformer_cross_encoder import SentenceTransformerCrossEncoder
from retrieval.rerank.shared import SharedPairScorer

QUESTION = "Where are the apple trees?"
TEXTS = [
    "Ada planted three apple trees behind the house.",
    "The train to Lisbon leaves at nine.",
    "tea",
    " ".join(f"On day {day} Ada wrote down what grew in bed number {day % 7}." for day in range(120)),
]


def _tiny_cross_encoder(folder: Path) -> Path:
    """A BERT of two small layers with weights by chance: what it answers means nothing, but always the same."""
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    words = sorted({word.strip(".?").lower() for text in [QUESTION, *TEXTS] for word in text.split()})
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words, ".", "?"]))
    torch.manual_seed(1)
    config = transformers.BertConfig(
        vocab_size=len(words) + 7,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        num_labels=1,
        initializer_range=0.5,
    )
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


@pytest.fixture(
    scope="module",
    params=[
        "lexical",
        "shared",
        pytest.param("packaged", marks=pytest.mark.model),
        pytest.param("sentence_transformer", marks=[pytest.mark.model, pytest.mark.slow]),
    ],
)
def scorer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PairScorer]:
    if request.param == "lexical":
        yield LexicalPairScorer()
    elif request.param == "shared":
        shared = SharedPairScorer(LexicalPairScorer(), workers=2, pairs_per_run=2)
        yield shared
        shared.close()
    elif request.param == "packaged":
        yield packaged.load()
    else:
        pytest.importorskip("sentence_transformers")
        folder = _tiny_cross_encoder(tmp_path_factory.mktemp("cross-encoder"))
        yield SentenceTransformerCrossEncoder(str(folder), name="tiny", device="cpu")


def test_one_finite_logit_for_each_text(scorer: PairScorer) -> None:
    scores = scorer.score(QUESTION, TEXTS)
    assert scores.shape == (len(TEXTS),)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    assert scorer.name


def test_no_texts_no_scores(scorer: PairScorer) -> None:
    assert scorer.score(QUESTION, []).shape == (0,)


def test_neighbours_do_not_change_a_score(scorer: PairScorer) -> None:
    together = scorer.score(QUESTION, TEXTS)
    alone = np.concatenate([scorer.score(QUESTION, [text]) for text in TEXTS])
    assert together.tobytes() == alone.tobytes()


def test_many_threads_get_their_own_answers(scorer: PairScorer) -> None:
    questions = [f"{QUESTION} {number}" for number in range(6)]
    alone = [scorer.score(question, TEXTS[:2]) for question in questions]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda question: scorer.score(question, TEXTS[:2]), questions))
    for one, other in zip(alone, together, strict=True):
        assert one.tobytes() == other.tobytes()


def test_nothing_is_scored_after_the_end(scorer: PairScorer) -> None:
    assert np.isnan(scorer.score(QUESTION, TEXTS, ends_at_s=time.monotonic() - 1.0)).all()


def test_an_end_in_the_future_changes_nothing(scorer: PairScorer) -> None:
    timed = scorer.score(QUESTION, TEXTS, ends_at_s=time.monotonic() + 60.0)
    assert timed.tobytes() == scorer.score(QUESTION, TEXTS).tobytes()


@pytest.mark.parametrize("text", ["", " ", "\n\t", "…", "🙂", "\x00", "京都", "\ud800"])
def test_odd_texts_still_have_a_score(scorer: PairScorer, text: str) -> None:
    assert np.isfinite(scorer.score(QUESTION, [text])).all()
    assert np.isfinite(scorer.score(text, ["tea"])).all()
