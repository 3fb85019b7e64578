"""Made-up memories that look like text: real English words, by natural frequency, with topics, names and facts.

Words come from the vocabulary of the packaged model, which is ordered by how common they are. A memory of a topic takes
half its words from it. Vectors lie where the model puts such texts: around the embedded description of the topic, with
noise. Facts are whole sentences that are embedded themselves, so that real questions have real answers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.embedders import packaged
from retrieval.ports import Embedder

TOPICS = 300
NOISE = 0.6
"""Length of the noise beside a unit topic vector: cosines inside a topic come out near 0.7, as the model's do."""
_TOPIC_WORDS = 40
_ZIPF = 1.05
_COMMON = 100  # words that no topic owns

_FIRST = (
    "Ada",
    "Bruno",
    "Chiara",
    "Dmitri",
    "Elif",
    "Farid",
    "Greta",
    "Hamid",
    "Ines",
    "Jonas",
    "Kemal",
    "Lucia",
    "Mona",
    "Nadia",
    "Omar",
    "Priya",
    "Rosa",
    "Sven",
    "Tariq",
    "Vera",
)
_LAST = (
    "Abbott",
    "Bergmann",
    "Castillo",
    "Dawson",
    "Eriksen",
    "Fontaine",
    "Gupta",
    "Hoffman",
    "Ivanov",
    "Johansson",
    "Keller",
    "Lombardi",
    "Moreau",
)
_CITY = (
    "Lisbon",
    "Oslo",
    "Kyoto",
    "Denver",
    "Nairobi",
    "Zagreb",
    "Montreal",
    "Hobart",
    "Seville",
    "Tallinn",
    "Bergen",
    "Quito",
    "Cork",
    "Aarhus",
    "Turin",
)
_TRADE = (
    "baker",
    "surveyor",
    "nurse",
    "welder",
    "translator",
    "botanist",
    "pilot",
    "carpenter",
    "librarian",
    "chemist",
    "diver",
    "tailor",
)
_ANIMAL = (
    "parrot",
    "greyhound",
    "tortoise",
    "ferret",
    "hamster",
    "donkey",
    "goldfish",
    "beagle",
    "canary",
    "rabbit",
)
_MADE = (
    "cello",
    "sailboat",
    "kayak",
    "telescope",
    "greenhouse",
    "bookcase",
    "guitar",
    "windmill",
    "quilt",
    "bicycle",
)


@dataclass(frozen=True, slots=True)
class Fact:
    """A sentence to remember, and the question that it answers."""

    text: str
    question: str


class Corpus:
    """Texts, vectors and questions, the same for the same seed."""

    def __init__(self, seed: int, embedder: Embedder, *, topics: int = TOPICS) -> None:
        """Draws the topics and embeds their descriptions."""
        self._rng = np.random.default_rng(seed)
        self._words = np.array(vocabulary(), dtype=object)
        ranks = np.arange(1, len(self._words) + 1, dtype=np.float64)
        self._chances = ranks**-_ZIPF / (ranks**-_ZIPF).sum()
        self._topics = self._rng.integers(_COMMON, len(self._words), (topics, _TOPIC_WORDS))
        self._embedder = embedder
        described = [" ".join(self._words[row[:20]]) for row in self._topics]
        self._centroids = np.stack([rows[0] for rows in embedder.embed_documents(described)])

    def texts(self, n: int, words: int = 25) -> tuple[list[str], NDArray[np.float32]]:
        """`n` memories of so many words with a unit vector each, float32 `[n, dim]`."""
        rng = self._rng
        of = rng.integers(0, len(self._topics), n)
        common = rng.choice(len(self._words), (n, words), p=self._chances)
        special = np.take_along_axis(self._topics[of], rng.integers(0, _TOPIC_WORDS, (n, words)), axis=1)
        chosen = self._words[np.where(rng.random((n, words)) < 0.5, special, common)]
        noise = rng.standard_normal((n, self._centroids.shape[1]), dtype=np.float32)
        noise *= NOISE / np.linalg.norm(noise, axis=1, keepdims=True)
        vectors = self._centroids[of] + noise
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return [" ".join(row) for row in chosen], vectors

    def questions(self, n: int) -> list[str]:
        """`n` different questions of 8 to 14 words about topics."""
        asked: dict[str, None] = {}
        while len(asked) < n:
            topic = self._topics[self._rng.integers(len(self._topics))]
            words = self._words[self._rng.choice(topic, int(self._rng.integers(3, 6)), replace=False)]
            asked[f"what do we know about {' and '.join(words)}?"] = None
        return list(asked)

    def facts(self, n: int) -> tuple[list[Fact], NDArray[np.float32]]:
        """`n` facts about different people, with the model's own vectors, float32 `[n, dim]`."""
        made = facts(n, self._rng)
        rows = self._embedder.embed_documents([fact.text for fact in made])
        return made, np.stack([row[0] for row in rows])


def facts(n: int, rng: np.random.Generator) -> list[Fact]:
    """`n` facts, each about another person.

    Raises:
        ValueError: there are not so many people.
    """
    people = [f"{first} {last}" for first in _FIRST for last in _LAST]
    if n > 2 * len(people):
        raise ValueError(f"at most {2 * len(people)} facts")
    order = rng.permutation(2 * len(people))[:n]
    return [_fact(people[i // 2], bool(i % 2), rng) for i in order]


def _fact(person: str, about_work: bool, rng: np.random.Generator) -> Fact:
    if about_work:
        city, trade, year = rng.choice(_CITY), rng.choice(_TRADE), rng.integers(1990, 2024)
        return Fact(
            f"{person} left for {city} in {year} to work there as a {trade}, and still writes home every Sunday.",
            f"Which city did {person} move to for work?",
        )
    made, animal = rng.choice(_MADE), rng.choice(_ANIMAL)
    return Fact(
        f"{person} spent the whole summer building a {made} in the garage, mostly watched by an old {animal}.",
        f"What did {person} build in the garage?",
    )


def vocabulary() -> list[str]:
    """English words of three letters and more, the most common ones first."""
    model = packaged.locate()
    entries: dict[str, int] = json.loads(model.tokenizer_file.read_text(encoding="utf-8"))["model"]["vocab"]
    words = [word for word in entries if word.isascii() and word.isalpha() and word.islower() and len(word) >= 3]
    return sorted(words, key=entries.__getitem__)


def rounded(vector: Sequence[float]) -> list[float]:
    """A vector as a client would send it: six decimals."""
    return [round(float(value), 6) for value in vector]
