"""No channel keeps an index of its own: with every object thrown away and the bank rebuilt, answers are the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.quality.ability import ASKED_AT, Ability, tell
from benchmarks.quality.generated import MAKERS
from tests.fixtures.service import Caller, serving

SIZE = 3
SEED = 11
PROFILES = ("fast", "thorough")
ABILITIES = {name: make(SIZE, SEED) for name, make in MAKERS.items()}

Answers = dict[tuple[str, str, str], dict[str, Any]]


class Spoken:
    def __init__(self, caller: Caller) -> None:
        self.caller = caller

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.caller.ask("POST", path, json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def namespace(name: str) -> str:
    return "made/" + name.replace(",", "").replace(" ", "-")


def write(caller: Caller, ability: Ability) -> None:
    """Its memories, and then changes of every kind: the rebuilt bank has a past too."""
    path = namespace(ability.name)
    ids = tell(Spoken(caller), ability, path)
    edited, forgotten, restored, erased = list(ids.values())[-4:]
    assert caller.edit(edited, content="Xenia Oakley changed her mind about the trampoline.").status_code == 200
    assert caller.forget(forgotten).status_code == 200
    assert caller.forget(restored).status_code == 200
    assert caller.restore(restored).status_code == 200
    assert caller.erase(erased).is_success


def answers(caller: Caller) -> Answers:
    """All that a caller sees of every answer, but for the time that it took."""
    asked = {"top_k": 20, "asked_at": ASKED_AT.isoformat()}
    found: Answers = {}
    for name, ability in ABILITIES.items():
        for profile in PROFILES:
            for ask in ability.asks[:5]:
                body = {"namespace": namespace(name), "query": ask.text, "profile": profile, **asked}
                answer = Spoken(caller).post("/v1/recall", body)
                found[name, profile, ask.text] = answer
    return found


def ranking(answer: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Memories in order, each with what every channel said of it."""
    return [
        (hit["memory"]["id"], {name: channel["rank"] for name, channel in hit["channels"].items()})
        for hit in answer["hits"]
    ]


def scores(answer: dict[str, Any]) -> list[float]:
    every = [answer["confidence"]]
    for hit in answer["hits"]:
        every += [hit["score"], *(hit["channels"][name]["score"] for name in sorted(hit["channels"]))]
    return every


def test_rebuilt_from_the_database_everything_answers_the_same(tmp_path: Path) -> None:
    with serving(tmp_path, reranker="none") as service:
        caller = service.tenant()
        for ability in ABILITIES.values():
            write(caller, ability)
        secret, fed = caller.secret, answers(caller)
    with serving(tmp_path, reranker="none") as service:
        rebuilt = answers(Caller(service, secret))
    assert any(answer["hits"] for answer in fed.values())
    for key, answer in fed.items():
        assert ranking(rebuilt[key]) == ranking(answer), key
        assert rebuilt[key]["degraded"] == answer["degraded"] == []
        # Sums over all memories may differ in the last bits: edits have moved rows in the bank that was fed.
        assert scores(rebuilt[key]) == pytest.approx(scores(answer), rel=1e-5, abs=1e-6), key
