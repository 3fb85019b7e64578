"""Abilities beyond similarity, with answers that are known because they were made: order, threads, context, places,
exact text, outcomes, sources, names. Each is measured through the API; what it must reach is in the table below.

An ability whose channels are not in force is skipped: the answers' own timings say which channels there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.quality.ability import Ability, Played, play
from benchmarks.quality.generated import MAKERS, Clocks, order
from retrieval.embedders import packaged
from retrieval.embedders.batching import BatchingEmbedder
from tests.fixtures.service import Caller, Service, serving

SIZE = 12
SEED = 5

WANTED = {
    "order, clocks": (1.0, ("temporal",)),
    "order, equal clocks": (0.9, ("temporal",)),
    "order, no clocks": (0.9, ("temporal",)),
    "what where when": (0.95, ("place", "temporal")),
    "exact text": (0.95, ("exact",)),
    "procedural outcome": (0.95, ("procedural",)),
    "gist to sources": (0.9, ("consolidation",)),
    "entity with alias": (0.9, ("entity",)),
    "association": (0.9, ("spreading",)),
}
"""What an ability must score with hashed embeddings, which know nothing of meaning, and the channels it needs."""


class Spoken:
    """A caller of the application in this process, as the generators want it."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.caller.ask("POST", path, json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("abilities"), reranker="none") as made:
        yield made


@pytest.fixture(scope="module")
def spoken(service: Service) -> Spoken:
    return Spoken(service.tenant("abilities"))


@pytest.fixture(scope="module")
def channels(spoken: Spoken) -> set[str]:
    """Names of the channels in force, as far as a plain question shows them."""
    namespace = "made/which"
    spoken.post(
        "/v1/memories:batch", {"namespace": namespace, "memories": [{"content": "Agnes sold a piano in Oslo."}]}
    )
    asked = {"namespace": namespace, "query": "Who sold a piano?", "explain": True, "profile": "thorough"}
    return set(spoken.post("/v1/recall", asked)["explanation"]["timings_ms"])


def scored(spoken: Spoken, name: str, profile: str = "balanced") -> Played:
    namespace = f"made/{name.replace(' ', '-').replace(',', '')}/{profile}"
    return play(spoken, MAKERS[name](SIZE, SEED), namespace, profile=profile)


@pytest.mark.parametrize("name", WANTED)
def test_an_ability_reaches_what_it_must(spoken: Spoken, channels: set[str], name: str) -> None:
    wanted, needs = WANTED[name]
    if missing := set(needs) - channels:
        pytest.skip(f"not in force: {', '.join(sorted(missing))}")
    played = scored(spoken, name, "fast")
    assert played.score >= wanted, played.by_type()


def test_order_cannot_be_told_where_nothing_tells_it(spoken: Spoken) -> None:
    everything = 200  # so that both of what is asked for and its look-alike are found
    played = play(spoken, order(24, SEED, Clocks.SHUFFLED), "made/shuffled", profile="fast", top_k=everything)
    assert played.score == pytest.approx(0.5, abs=0.12), played.by_type()


def test_a_key_is_found_in_the_context_that_is_asked_for(spoken: Spoken) -> None:
    by_type = scored(spoken, "joint recall", "fast").by_type()
    assert by_type["in the memory"] >= 0.95


def test_threads_are_followed_by_the_thorough_profile(spoken: Spoken, channels: set[str]) -> None:
    if not channels & {"hops", "hop"}:
        pytest.skip("no further hops in force")
    by_type = scored(spoken, "threads", "thorough").by_type()
    assert min(by_type.values()) >= 0.9, by_type


def assert_same_rankings(spoken: Spoken, ability: Ability, profile: str) -> None:
    """Written twice into namespaces of their own, and asked once more: always the same."""
    namespaces = [f"made/same/{ability.name.split(',')[0].replace(' ', '-')}/{profile}/{turn}" for turn in range(2)]
    one, other = (play(spoken, ability, namespace, profile=profile) for namespace in namespaces)
    again = play(spoken, ability, namespaces[0], profile=profile, write=False)
    assert one.found == other.found == again.found


@pytest.mark.parametrize("profile", ["fast", "thorough"])
@pytest.mark.parametrize("name", ["order, clocks", "joint recall", "exact text"])
def test_the_same_seeds_and_data_give_the_same_ranking(spoken: Spoken, name: str, profile: str) -> None:
    assert_same_rankings(spoken, MAKERS[name](3, SEED), profile)


@pytest.mark.model
@pytest.mark.slow
def test_the_same_ranking_with_the_models(tmp_path: Path) -> None:
    ability = MAKERS["joint recall"](2, SEED)
    with serving(tmp_path, embedder=BatchingEmbedder(packaged.load())) as service:
        assert_same_rankings(Spoken(service.tenant()), ability, "balanced")
