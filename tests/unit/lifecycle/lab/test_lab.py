"""The lab: lives that follow their rules, courses that follow the service's own functions, and fair comparisons."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from gpu.bank.records import Kind
from lifecycle.fading import Faded, due_level
from lifecycle.lab.compare import KEPT, at_budget, faster, side_by_side
from lifecycle.lab.course import TERMS, Fading, Latest, lived
from lifecycle.lab.life import DAY_S, Known, Life, made_up, replayed
from lifecycle.lab.picture import MissingError, draw
from lifecycle.policy import Level, Policy
from memsvc.commands import app
from memsvc.commands.lab import a_namespace, named_policies
from memsvc.core.errors import StartupRefused
from memsvc_client.types import Memory

FADES = Policy(below={Level.WARM: 0.6, Level.COLD: 0.3, Level.ARCHIVED: 0.1, Level.FORGOTTEN: 0.02}, share_per_run=1.0)


def life_of(kinds: list[Kind], needs: list[tuple[float, int]], days: int, **columns: object) -> Life:
    """Memories that are written at the beginning, and (day, place) of needs."""
    n = len(kinds)
    made = Life(
        kinds=np.array(kinds, np.uint8),
        written_s=np.zeros(n),
        importances=np.full(n, 0.5),
        outdated_s=np.full(n, np.inf),
        is_held=np.zeros(n, np.bool_),
        needed_s=np.array([day * DAY_S for day, _ in needs]),
        needed=np.array([place for _, place in needs], np.int64),
        classes=np.zeros(len(needs), np.uint8),
        length_s=days * DAY_S,
    )
    return replace(made, **columns)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def life() -> Life:
    return made_up(60, 3)


def test_a_made_up_life_is_the_same_for_the_same_seed_and_follows_its_rules(life: Life) -> None:
    again, other = made_up(60, 3), made_up(60, 4)
    assert np.array_equal(life.written_s, again.written_s)
    assert np.array_equal(life.needed, again.needed)
    assert not np.array_equal(life.needed[:20], other.needed[:20])
    assert np.all(np.diff(life.written_s) >= 0)
    assert np.all(np.diff(life.needed_s) >= 0)
    assert np.all(life.needed_s >= life.written_s[life.needed])  # nothing is needed before it is there
    assert np.all(life.needed_s < life.outdated_s[life.needed])  # nor after something newer is true
    assert set(life.classes.tolist()) == {0, 1, 2, 3}
    assert np.isfinite(life.outdated_s).any()


def test_a_memory_falls_on_the_night_on_which_the_service_would_let_it_fall() -> None:
    course = lived(life_of([Kind.EPISODIC], [], 40), Fading(FADES))
    for night, counts in enumerate(course.counts, start=1):
        memory = Faded(Kind.EPISODIC, Level(int(counts.argmax())), 0.0, 7 * DAY_S, 0.5)
        assert due_level(memory, FADES, night * DAY_S) is memory.level
        assert course.bytes[night - 1] == TERMS.bytes[memory.level]
        assert course.retention[night - 1] == pytest.approx([math.exp(-night / 7)] * 3)
    assert course.counts[-1].tolist() == [0, 0, 0, 0, 1]


def test_what_is_used_stays_and_what_is_gone_is_not_found() -> None:
    needs = [(float(day), 0) for day in range(3, 60, 3)] + [(59.5, 1)]
    course = lived(life_of([Kind.EPISODIC] * 2, needs, 60), Fading(FADES))
    assert course.needs[:-1].min() == 1.0
    assert course.needs[-1] == 0.0
    assert course.counts[-1].tolist() == [1, 0, 0, 0, 1]
    assert course.found == pytest.approx((len(needs) - 1) / len(needs))
    assert course.by_class == {"recent": round(course.found, 4)}


def test_the_share_of_a_run_bounds_a_night_and_what_is_held_stays() -> None:
    many = life_of([Kind.EPISODIC] * 100, [], 60, is_held=np.arange(100) < 7)
    policy = replace(FADES, share_per_run=0.05)
    fallen = 100 - lived(many, Fading(policy)).counts[:, 0]
    assert max(np.diff(fallen)) == 5
    assert fallen[-1] == 93


def test_of_a_cold_memory_as_much_is_found_as_its_code_is_worth() -> None:
    course = lived(life_of([Kind.PROCEDURAL], [(200.0, 0)], 201), Fading(FADES))
    assert course.needs.tolist() == [TERMS.worth[Level.COLD]]


def test_bytes_of_what_is_outdated_are_told() -> None:
    stale = lived(life_of([Kind.SEMANTIC] * 2, [], 4, outdated_s=np.array([2.5 * DAY_S, np.inf])), Fading(KEPT)).stale
    assert stale.tolist() == [0.0, 0.0, 0.5, 0.5]


def test_the_latest_are_kept_up_to_the_bytes(life: Life) -> None:
    course = lived(life, Latest(50 * TERMS.bytes[0]))
    assert course.counts[:, 0].max() == 50
    assert course.bytes.max() <= 50 * TERMS.bytes[0]


@pytest.mark.parametrize("budget", [0.3, 0.6, 1.0])
def test_ways_are_compared_at_the_same_bytes(life: Life, budget: float) -> None:
    whole = lived(life, Fading(KEPT)).mean_bytes
    point = at_budget(life, FADES, budget, whole)
    assert point.is_met(whole)
    assert point.course.mean_bytes >= 0.9 * budget * whole
    used, written = (side_by_side(life, {}, (budget,))[name][0] for name in ("used last", "written last"))
    for one in (used, written):
        assert one.is_met(whole)
        assert one.course.mean_bytes >= 0.9 * budget * whole
    assert used.course.found >= written.course.found


def test_a_policy_that_hides_nothing_says_that_it_cannot_take_less(life: Life) -> None:
    whole = lived(life, Fading(KEPT)).mean_bytes
    point = at_budget(life, Policy(), 0.1, whole)
    assert not point.is_met(whole)
    assert lived(life, Fading(faster(Policy(), 1e-4))).mean_bytes <= point.course.mean_bytes * 1.01


def test_uses_of_a_real_namespace_are_laid_out_between_writing_and_last_use() -> None:
    known = [
        Known(Kind.SEMANTIC, 1000.0 + 5 * DAY_S, 0.5, 0, None),
        Known(Kind.EPISODIC, 1000.0, 0.7, 4, 1000.0 + 8 * DAY_S, is_held=True, outdated_s=1000.0 + 9 * DAY_S),
    ]
    life = replayed(known, 1000.0 + 10 * DAY_S)
    assert life.kinds.tolist() == [Kind.EPISODIC, Kind.SEMANTIC]
    assert (life.needed_s / DAY_S).tolist() == [2, 4, 6, 8]
    assert life.needed.tolist() == [0] * 4
    assert (life.length_s, life.is_held[0], life.outdated_s[0]) == (10 * DAY_S, True, 9 * DAY_S)
    assert lived(life, Fading(KEPT)).found == 1.0
    with pytest.raises(ValueError, match="no memories"):
        replayed([], 0.0)


# --- the command ---------------------------------------------------------------------------------------------------


def test_the_command_prints_a_table_and_json_and_draws(tmp_path: Path) -> None:
    picture = tmp_path / "lab.png"
    words = ["lab", "--days", "20", "--budget", "0.5", "--out", str(picture)]
    shown = CliRunner().invoke(app, words)
    assert shown.exit_code == 0, shown.output
    assert "keep all" in shown.output
    assert "at equal bytes" in shown.output
    assert picture.read_bytes().startswith(b"\x89PNG")
    mine = '{"below": {"archived": 0.2}}'
    found = json.loads(CliRunner().invoke(app, [*words[:5], "--policy", f"mine={mine}", "--json"]).output)
    assert list(found["policies"]) == ["keep all", "mine"]
    assert found["policies"]["keep all"]["found"] == 1.0


@pytest.mark.parametrize(
    "said", ["nobody", "x={", "x=/no/such/file", 'x={"below": {"tepid": 1}}', 'x={"mood": 1}', "x=[]"]
)
def test_a_policy_that_cannot_be_read_is_refused(said: str) -> None:
    with pytest.raises(StartupRefused):
        named_policies([said])


def test_without_matplotlib_it_says_what_to_install(
    life: Life, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingError, match=r"memsvc\[lab\]"):
        draw(tmp_path / "lab.png", "", {"x": lived(life, Fading(KEPT))}, {})


def test_a_namespace_is_replayed_from_what_the_service_lists() -> None:
    class Client:
        def list(self, **asked: object) -> list[Memory]:
            assert asked["namespace"] == "user/ada"
            at = "2026-01-01T00:00:00Z"
            fields = {"id": "1", "namespace": "user/ada", "content": "", "kind": "episodic", "importance": 0.5}
            return [Memory.model_validate({**fields, "recorded_at": at, "recall_count": 2, "last_recalled_at": at})]

    life, title = a_namespace(Client(), "user/ada")
    assert (len(life), len(life.needed)) == (1, 2)
    assert "user/ada" in title
    with pytest.raises(StartupRefused, match="no memories"):
        a_namespace(type("Empty", (), {"list": lambda self, **asked: []})(), "user/ada")
