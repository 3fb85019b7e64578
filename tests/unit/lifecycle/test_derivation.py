"""What should be made of a namespace: marks of what is made, and what a change of a source changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.derivation import Derivation, Source, derivations
from lifecycle.matching import matches
from lifecycle.policy import Derived, Gists
from lifecycle.rollup import Episode

BEGIN = datetime(2026, 1, 5, 9, tzinfo=UTC)
NEVER = datetime(2100, 1, 1, tzinfo=UTC)
ROLLUPS = Gists(levels=frozenset({Derived.SESSION, Derived.WEEK}))


def sources(days: int = 14) -> list[Source]:
    found = []
    for number in range(4 * days):
        moment = BEGIN + timedelta(days=number // 4, minutes=number % 4)
        episode = Episode(UUID(int=number + 1), ("ada", None), number // 4, moment)
        found.append(Source(episode, f"text {number}", "Ada", None, True, moment, None, 1.0, 0.5))
    return found


def digests(given: list[Source], wording: str = "w", gists: Gists = ROLLUPS) -> dict[frozenset[int], bytes]:
    return {
        frozenset(leaf.id.int for leaf in one.leaves()): one.digest for one in derivations(given, gists, NEVER, wording)
    }


@pytest.mark.parametrize(
    "change",
    [
        {"text": "other"},
        {"speaker": "Ben"},
        {"speaker": None},
        {"importance": 0.6},
        {"expires_at": NEVER},
        {"occurred_at": None},
    ],
)
def test_a_change_of_a_source_reaches_what_is_above_it_and_nothing_else(change: dict[str, object]) -> None:
    before = sources()
    after = [*before[:9], replace(before[9], **change), *before[10:]]  # type: ignore[arg-type]
    one, other = digests(before), digests(after)
    assert one.keys() == other.keys()
    changed = {leaves for leaves in one if one[leaves] != other[leaves]}
    assert changed == {leaves for leaves in one if 10 in leaves}
    assert len(changed) == 2


def test_another_wording_or_budget_changes_everything() -> None:
    base = digests(sources())
    for other in (digests(sources(), "v"), digests(sources(), gists=replace(ROLLUPS, words=81))):
        assert all(base[leaves] != other[leaves] for leaves in base)


def test_what_is_made_has_the_least_trust_and_the_first_end() -> None:
    given = [replace(source, trust=0.9) for source in sources()]
    given[3] = replace(given[3], trust=0.2, expires_at=NEVER)
    given[5] = replace(given[5], trust=0.1)
    above = [one for one in derivations(given, ROLLUPS, NEVER, "w") if given[3] in one.leaves()]
    assert [(one.level, one.trust, one.expires_at) for one in above] == [
        (Derived.SESSION, 0.2, NEVER),
        (Derived.WEEK, 0.1, NEVER),
    ]


def test_nothing_is_made_of_sources_of_different_tiers() -> None:
    given = [replace(source, trust=trust) for source, trust in zip(sources(), [1.0, 0.0, 2.0] * 99, strict=False)]
    made = derivations(given, replace(ROLLUPS, least=2), NEVER, "w")
    assert {one.trust for one in made} == {0.0, 1.0, 2.0}
    assert all({leaf.trust for leaf in one.leaves()} == {one.trust} for one in made)


def test_only_episodes_are_rolled_up() -> None:
    given = [replace(source, is_episode=False, outcome="unknown") for source in sources()]
    assert derivations(given, Gists(), NEVER, "w") == []


def test_members_come_before_what_is_made_of_them() -> None:
    seen: set[Derivation] = set()
    for one in derivations(sources(), Gists(), NEVER, "w"):
        assert all(isinstance(piece, Source) or piece in seen for piece in one.below)
        seen.add(one)


_set = st.frozensets(st.integers(0, 9).map(lambda n: UUID(int=n)), min_size=1)


@given(st.lists(_set, max_size=6, unique=True), st.permutations(list(range(6))))
def test_what_did_not_change_is_matched_with_itself(wanted: list[frozenset[UUID]], order: list[int]) -> None:
    there = {UUID(int=100 + n): wanted[n] for n in order if n < len(wanted)}
    assert matches(wanted, there) == {n: UUID(int=100 + n) for n in range(len(wanted))}


@given(st.lists(_set, max_size=6), st.lists(_set, max_size=6))
def test_a_match_shares_something_and_is_used_once(wanted: list[frozenset[UUID]], old: list[frozenset[UUID]]) -> None:
    there = {UUID(int=100 + n): members for n, members in enumerate(old)}
    found = matches(wanted, there)
    assert len(set(found.values())) == len(found)
    assert all(wanted[place] & there[one] for place, one in found.items())
    left = [members for one, members in there.items() if one not in found.values()]
    assert not any(wanted[place] & members for place in range(len(wanted)) if place not in found for members in left)


@pytest.mark.parametrize(("rank", "is_ended"), [(2.0, True), (1.0, True), (0.0, False)])
def test_a_fact_of_less_trusted_tellings_ends_with_what_is_trusted_as_much_or_more(rank: float, is_ended: bool) -> None:
    def told(number: int, text: str, trust: float) -> Source:
        moment = BEGIN + timedelta(days=number)
        return Source(Episode(UUID(int=number + 1), ("ada", None), number, moment), text, "Ada", None, True, moment,
                      None, trust, 0.5)  # fmt: skip

    facts = Gists(levels=frozenset({Derived.FACT}))
    oslo = [told(number, "I live in Oslo.", 1.0) for number in range(3)]
    made = derivations([*oslo, told(5, "I moved to Bergen.", rank)], facts, NEVER, "w")
    assert [one.text for one in made] == ([] if is_ended else ["I live in Oslo"])
