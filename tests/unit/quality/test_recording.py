"""Recorded lists give the service's own ranking again, and what is left out of them is left out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality.ablate import ALL, Case, record_ability, replayed, worth
from benchmarks.quality.generated import joint
from benchmarks.quality.latency import channels
from benchmarks.quality.local import LocalService, local
from benchmarks.quality.recording import Recorded, recording
from retrieval.fusion import Fusion, ReciprocalRanks

ABILITY = joint(4, 1)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    with local(tmp_path_factory.mktemp("recorded") / "data", embedder="hashing:64", reranker="none") as made:
        yield made


@pytest.fixture(scope="module")
def played(service: LocalService) -> tuple[list[Case], Fusion]:
    with recording(service) as recorder:
        return list(record_ability(service, recorder, ABILITY)), recorder.fusion


def test_all_lists_fused_again_are_what_was_served(played: tuple[list[Case], Fusion]) -> None:
    cases, fusion = played
    for case in cases:
        assert case.served
        assert tuple(case.fused(fusion)[:10]) == case.served


def test_a_channel_that_is_left_out_is_not_fused(played: tuple[list[Case], Fusion]) -> None:
    cases, _ = played
    recorded: Recorded = cases[0].recorded
    names = sorted(recorded.lines)
    assert {"semantic", "keyword"} <= set(names)
    without = recorded.results(without=["keyword"])
    assert sorted(without) == [name for name in names if name != "keyword"]
    alone = recorded.results(only=["keyword"])["keyword"]
    listed = [cases[0].names[str(one)] for one in recorded.fused(ReciprocalRanks(), only=["keyword"])]
    assert listed == cases[0].listed("keyword")
    assert np.array_equal(alone.score_of(alone.slots), alone.scores)
    assert np.all(np.diff(alone.scores) <= 0)


def test_scores_that_were_not_recorded_are_not_made_up(played: tuple[list[Case], Fusion]) -> None:
    recorded = played[0][0].recorded
    result = recorded.results()["keyword"]
    with pytest.raises(KeyError, match="not recorded"):
        result.score_of(np.array([10_000]))


def test_figures_of_a_replay(played: tuple[list[Case], Fusion]) -> None:
    cases, fusion = played
    figures = replayed(cases, fusion, "score")
    assert figures["replay_equals_served"] == 100.0
    assert figures["served"] == figures["replayed"]
    keyword = figures["channels"]["keyword"]
    assert keyword["removal"][ALL]["questions"] == len(ABILITY.asks)
    judged = worth({"sets": {}, "abilities": {"joint": figures}})["keyword"]
    costs = [of for of, loss in keyword["removal"].items() if loss["interval"][0] > 0]
    assert list(judged["costs_on"]) == [f"joint: {of}" for of in costs]


def test_the_service_is_itself_again_afterwards(service: LocalService, played: tuple[list[Case], Fusion]) -> None:
    assert "recall" not in vars(service.container.recaller)
    body = {"namespace": "quality/ability", "query": "door code", "profile": "fast", "explain": True}
    before = service.post("/v1/recall", body)
    with channels(service, frozenset({"keyword"})):
        narrow = service.post("/v1/recall", body)
    after = service.post("/v1/recall", body)
    assert {name for hit in narrow["hits"] for name in hit["channels"]} == {"keyword"}
    assert [hit["memory"]["id"] for hit in after["hits"]] == [hit["memory"]["id"] for hit in before["hits"]]
    assert {name for hit in after["hits"] for name in hit["channels"]} >= {"keyword", "semantic"}


def test_settings_of_the_environment_do_not_reach_a_local_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMSVC_BENCH_DATA", "somewhere")
    monkeypatch.setenv("MEMSVC_EMBEDDER", "nonsense")
    with local(tmp_path / "data", embedder="hashing:64", reranker="none") as made:
        assert made.container.settings.embedder == "hashing:64"
