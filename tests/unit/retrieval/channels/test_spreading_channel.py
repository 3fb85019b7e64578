"""Where activation goes, what it costs to be a hub, and when there is nowhere to go."""

from typing import Any

import numpy as np
import pytest

from gpu.bank.filters import ScanFilter
from gpu.bank.records import Relation, State
from retrieval.analysis.mentions import mention_id
from retrieval.channels import incidence
from retrieval.channels.keyword import idf
from retrieval.channels.neighbourhood import Neighbourhood
from retrieval.channels.spreading import SpreadingChannel
from tests.fixtures.told_memories import Told, asked, made_up, view_of

FILLER = tuple(Told(f"something else happened, number {i}", ()) for i in range(60))
CHANNEL = SpreadingChannel()


def spread_from(
    memories: tuple[Told, ...], scores: list[float], limit: int = 100, scan: ScanFilter | None = None
) -> Any:
    memories = (*memories, *FILLER)
    with view_of(memories, scan) as view:
        padded = [*scores, *[0.0] * (len(memories) - len(scores))]
        return CHANNEL.search(asked("?"), view, limit, {"semantic": made_up(padded)})


def test_it_reaches_over_mentions_links_and_conversation_and_keeps_the_seeds() -> None:
    memories = (
        Told("the seed", ("Zed",), conversation=7, links=((Relation.FOLLOWS, 3),)),
        Told("said next", (), conversation=7),
        Told("mentions the same", ("Zed",)),
        Told("linked to", ()),
        Told("links back", (), links=((Relation.DERIVED_FROM, 0),)),
        Told("two steps away", (), links=((Relation.SAME_AS, 3),)),
        Told("in another conversation", (), conversation=8),
    )
    result = spread_from(memories, [1.0])
    assert result is not None
    assert result.slots[0] == 0
    assert sorted(result.slots.tolist()) == [0, 1, 2, 3, 4, 5]
    near, far = result.score_of(np.array([3, 5]))
    assert near > far > 0.0
    assert result.score_of(np.array([6])).tolist() == [0.0]
    assert (result.scores**2).sum() <= 1.0 + 1e-6


def test_a_rare_entity_leads_further_than_a_common_one() -> None:
    memories = (
        Told("seed", ("Rare", "Common")),
        Told("by the rare one", ("Rare",)),
        *(Told(f"by the common one {i}", ("Common",)) for i in range(4)),
    )
    result = spread_from(memories, [1.0])
    rare, common = result.score_of(np.array([1, 2]))
    assert rare > common > 0


def test_a_memory_shares_out_evenly_by_kind_and_then_by_rarity() -> None:
    memories = (
        Told("all kinds of ties", ("Rare", "Common"), conversation=1, links=((Relation.FOLLOWS, 2),)),
        Told("said next", (), conversation=1),
        Told("linked to", ()),
        Told("rare", ("Rare",)),
        *(Told(f"common {i}", ("Common",)) for i in range(4)),
        *FILLER,
    )
    with view_of(memories) as view:
        seed = np.array([0])
        around = Neighbourhood(view, seed, lambda s: np.ones(s.size), hub_share=0.1, most=50, most_entities=5)
        around.widen(seed)
        over = around.graph()
        shares = dict(zip(over.targets[: over.offsets[1]].tolist(), over.shares[: over.offsets[1]], strict=True))
        n = around.slots.size
        node = {slot: i for i, slot in enumerate(around.slots.tolist())}
        assert shares[node[1]] == pytest.approx(1 / 3)
        assert shares[node[2]] == pytest.approx(1 / 3)
        rare, common = shares[n], shares[n + 1]
        assert rare + common == pytest.approx(1 / 3)
        weights = idf(np.array([2, 5]), view.eligible)
        assert rare / common == pytest.approx(weights[0] / weights[1])


def test_a_hub_leads_nowhere() -> None:
    memories = (Told("seed", ("Hub",)), *(Told(f"a mention {i}", ("Hub",)) for i in range(7)))
    assert spread_from(memories, [1.0]) is None
    assert spread_from(memories[:5], [1.0]) is not None


def test_a_sample_names_only_what_is_surely_common(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incidence, "_SAMPLED_FROM", 1000)
    memories = tuple(
        Told(f"m {i}", ("Everywhere",) * (i % 2) + ("Often",) * (i % 25 == 0) + (f"N{i // 3}",)) for i in range(1200)
    )
    with view_of(memories) as view:
        assert incidence.surely_common(view, 0.05).tolist() == [mention_id("Everywhere")]
    with view_of(memories[:900]) as view:
        assert incidence.surely_common(view, 0.05).size == 0


def test_the_topic_decides_between_ways() -> None:
    memories = (Told("seed", ("Zed",)), Told("one", ("Zed",)), Told("other", ("Zed",)))
    with view_of((*memories, *FILLER)) as view:
        seeds = {"semantic": made_up([5.0, 0.0, 1.0, *[0.0] * len(FILLER)])}
        result = SpreadingChannel(seeds=1).search(asked("?"), view, 10, seeds)
    assert result is not None
    off_topic, on_topic = result.score_of(np.array([1, 2]))
    assert on_topic > off_topic > 0


def test_it_abstains_without_ties_or_seeds() -> None:
    assert spread_from((Told("a", ("Ada",)), Told("b", ("Bo",))), [1.0]) is None
    assert spread_from((Told("a", ("Ada",)), Told("b", ("Ada",))), [0.0, 0.0]) is None
    with view_of(()) as view:
        assert CHANNEL.search(asked("?"), view, 10, {}) is None


def test_what_the_filter_hides_is_no_way() -> None:
    memories = (
        Told("seed", (), links=((Relation.FOLLOWS, 1),), conversation=1),
        Told("hidden", (), links=((Relation.FOLLOWS, 2),), state=State.FORGOTTEN, conversation=1),
        Told("behind it", (), conversation=2),
    )
    assert spread_from(memories, [1.0]) is None
    result = spread_from(memories, [1.0], scan=ScanFilter(states=frozenset({State.ACTIVE, State.FORGOTTEN})))
    assert sorted(result.slots.tolist()) == [0, 1, 2]


def test_the_same_question_gives_the_same_bits() -> None:
    rng = np.random.default_rng(0)
    names = [f"N{i}" for i in range(60)]
    memories = tuple(Told(f"m {i}", tuple(rng.choice(names, 2)), conversation=int(i // 10) + 1) for i in range(300))
    scores = rng.random(300).tolist()
    first, again = (spread_from(memories, scores) for _ in range(2))
    assert first.slots.tolist() == again.slots.tolist()
    assert first.scores.tobytes() == again.scores.tobytes()


def test_the_neighbourhood_stays_within_its_size() -> None:
    rng = np.random.default_rng(1)
    names = [f"N{i}" for i in range(40)]
    memories = tuple(
        Told(f"m {i}", tuple(rng.choice(names, 3)), conversation=1, links=((Relation.FOLLOWS, int(rng.integers(300))),))
        for i in range(300)
    )
    with view_of(memories) as view:
        seeds = np.arange(10)
        around = Neighbourhood(view, seeds, lambda s: np.ones(s.size), hub_share=0.5, most=50, most_entities=5)
        around.widen(seeds)
        around.widen(around.slots[10:30])
        assert around.slots.size <= 50
        assert np.unique(around.slots).size == around.slots.size
        over = around.graph()
        sums = np.add.reduceat(over.shares, over.offsets[:-1][np.diff(over.offsets) > 0])
        assert sums == pytest.approx(1.0)
        assert len(over) <= 50 + 10
