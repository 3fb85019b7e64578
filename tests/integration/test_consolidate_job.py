"""The job that makes memories out of others: what it makes and keeps up, what it leaves, and taking it back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from gpu.bank.records import Kind, State
from lifecycle.extract import Said
from lifecycle.steps import Step
from lifecycle.summariser import SummariserError
from lifecycle.trust import Trust
from memsvc.commands.jobs import writing_tools
from memsvc.filters.grammar import parse
from memsvc.jobs.kinds import every_kind
from memsvc.jobs.repository import Run
from memsvc.jobs.runner import Runner
from memsvc.memories.draft import Draft, LinkDraft
from memsvc.models import Relation
from memsvc.models.tables import JOB_EFFECT, LINK, MEMORY, TOKEN_EMBEDDING, TOMBSTONE, VERSION
from memsvc.recall.question import Question
from retrieval.pipeline import Recaller
from retrieval.types import Profile
from tests.fixtures.storage_service import PATH, HeldClock, Service, anywhere, service_on

BEGIN = datetime(2026, 1, 5, 9, tzinfo=UTC)  # a Monday
TOPICS = ["garden", "bicycle", "violin", "kitchen", "harbour", "library", "mountain", "bakery"]


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def service(database_url: str, tmp_path: Path, clock: HeldClock) -> Iterator[Service]:
    with service_on(database_url, tmp_path, clock=clock, jobs="off") as made:
        yield made


def talk(service: Service, day: int, texts: list[str], *, hour: int = 0, **fields: Any) -> list[UUID]:
    """A session, a minute between its turns."""
    start = BEGIN + timedelta(days=day, hours=hour)
    session = fields.pop("session_id", f"s{day}-{hour}")
    drafts = [
        Draft(text, {"speaker": "Ada", "session_id": session, "occurred_at": start + timedelta(minutes=n), **fields})
        for n, text in enumerate(texts)
    ]
    return [UUID(item["id"]) for item in service.remember(drafts)["items"]]


def days(service: Service, number: int) -> dict[int, list[UUID]]:
    """Sessions of four turns on so many days."""
    return {
        day: talk(
            service, day, [f"We saw {word} number {day * 4 + n} in Town{day}." for n, word in enumerate(TOPICS[:4])]
        )
        for day in range(number)
    }


def consolidate(service: Service, *, is_dry: bool = False, share: float = 1.0, **gists: Any) -> Run:
    policy = {"share_per_run": share, "gists": gists}
    service.container.jobs.set_care(service.tenant_id, PATH, policy, {})
    run_id = service.container.jobs.ask(service.author, PATH, "consolidate", is_dry=is_dry).run.id
    service.container.scheduler.round()
    found = seen(service, run_id)
    assert found.problem is None
    return found


def undo(service: Service, run: Run) -> Run:
    run_id = service.container.jobs.undo(service.author, run.id, anywhere).run.id
    service.container.scheduler.round()
    return seen(service, run_id)


def seen(service: Service, run_id: UUID) -> Run:
    return service.container.jobs.one(service.tenant_id, run_id, anywhere).run


def effects(service: Service, run: Run) -> dict[UUID, Step]:
    found = service.container.jobs.effects(service.tenant_id, run.id, anywhere, None, 1_000)
    return {step.memory_id: step for step in found}


def made(service: Service, level: str | None = None) -> dict[UUID, Any]:
    """Memories that the job made, with what they say."""
    query = (
        select(MEMORY, VERSION.c.content, VERSION.c.writer)
        .join(VERSION, (VERSION.c.memory_id == MEMORY.c.id) & (VERSION.c.version == MEMORY.c.content_version))
        .where(MEMORY.c.derived.is_not(None) if level is None else MEMORY.c.derived == level)
        .order_by(MEMORY.c.occurred_at, MEMORY.c.id)
    )
    with service.look() as connection:
        return {row.id: row for row in connection.execute(query)}


def links(service: Service) -> dict[UUID, set[UUID]]:
    found: dict[UUID, set[UUID]] = {}
    with service.look() as connection:
        query = select(LINK.c.from_id, LINK.c.to_id).where(LINK.c.relation == "derived_from")
        for row in connection.execute(query):
            found.setdefault(row.from_id, set()).add(row.to_id)
    return found


def leaves(below: Mapping[UUID, set[UUID]], memory: UUID) -> set[UUID]:
    if memory not in below:
        return {memory}
    return {leaf for one in below[memory] for leaf in leaves(below, one)}


def everything(service: Service) -> list[Any]:
    with service.look() as connection:
        return [
            connection.execute(select(table).order_by(*table.primary_key)).all() for table in (MEMORY, VERSION, LINK)
        ]


def test_every_episode_is_reached_from_the_top(service: Service) -> None:
    by_day = days(service, 14)
    run = consolidate(service)
    assert run.counts == {"make": 16}
    below = links(service)
    assert [len(made(service, level)) for level in ("session", "day", "week", "month")] == [14, 0, 2, 0]
    assert set().union(*(leaves(below, week) for week in made(service, "week"))) == {
        one for turns in by_day.values() for one in turns
    }
    for gist in made(service).values():
        assert gist.writer == "job consolidate"
        assert gist.source["sources"] == len(below[gist.id])
        assert (gist.kind, gist.state, gist.session_id) == (Kind.EPISODIC, State.ACTIVE, None)
        assert all(line.startswith("Ada: We saw ") for line in gist.content.splitlines())
    assert service.differences() == 0


def test_a_second_run_changes_nothing(service: Service) -> None:
    days(service, 8)
    consolidate(service)
    before = everything(service)
    assert consolidate(service).counts == {}
    assert everything(service) == before


def test_a_correction_reaches_every_ancestor_and_nothing_else(service: Service) -> None:
    by_day = days(service, 8)
    consolidate(service)
    before, below = made(service), links(service)
    service.edit(by_day[2][1], "We saw bicycle number 9 in Trondheim.")
    run = consolidate(service)
    above = {memory for memory in before if by_day[2][1] in leaves(below, memory)}
    assert len(above) == 2
    assert run.counts == {"revise": 2}
    after = made(service)
    assert {memory for memory in after if after[memory] != before[memory]} == above
    assert all("Trondheim" in after[memory].content for memory in above if after[memory].derived == "session")
    assert links(service) == below


@pytest.mark.parametrize("how", ["forget", "erase"])
def test_nothing_of_what_is_gone_stays(service: Service, how: str) -> None:
    by_day = days(service, 7)
    secret = service.add(
        "The code is Xylophone77.", session_id="s2-0", speaker="Ada", occurred_at=BEGIN + timedelta(days=2, minutes=9)
    )
    consolidate(service)
    assert sum("Xylophone77" in gist.content for gist in made(service).values()) >= 1
    getattr(service, how)(secret)
    if how == "erase":
        assert not any("Xylophone77" in gist.content for gist in made(service).values())
    run = consolidate(service)
    # What is erased takes with it at once all that was made of it; what is forgotten may come back.
    assert run.counts == ({"make": 2} if how == "erase" else {"remove": 2, "make": 2})
    with service.look() as connection:
        texts = connection.execute(select(VERSION.c.content).where(VERSION.c.memory_id != secret)).scalars()
        assert not any("Xylophone77" in (text or "") for text in texts)
    below = links(service)
    assert set().union(*(leaves(below, week) for week in made(service, "week"))) == {
        one for turns in by_day.values() for one in turns
    }
    assert consolidate(service).counts == {}
    assert service.differences() == 0


def test_what_comes_late_joins_what_is_there(service: Service, clock: HeldClock) -> None:
    days(service, 3)
    consolidate(service)
    before = made(service, "session")
    late = talk(service, 1, ["We also saw a lighthouse."], session_id="s1-0", hour=1)
    assert consolidate(service).counts == {"revise": 2}
    after, below = made(service, "session"), links(service)
    assert list(after) == list(before)
    (grown,) = [memory for memory in after if late[0] in below[memory]]
    assert "lighthouse" in after[grown].content
    clock.move(60.0)
    assert consolidate(service).counts == {}


def test_what_is_not_over_is_not_rolled_up(service: Service, clock: HeldClock) -> None:
    clock.moment = BEGIN + timedelta(minutes=30)
    talk(service, 0, [f"We saw {word} in Town{n}." for n, word in enumerate(TOPICS)])
    assert consolidate(service).counts == {}
    clock.move(3 * 3600.0)
    assert consolidate(service).counts == {"make": 1}


def test_what_several_sessions_say_becomes_a_fact(service: Service) -> None:
    told = [talk(service, day, ["I live in Oslo.", f"Some {TOPICS[day]} talk."])[0] for day in (0, 1, 2)]
    talk(service, 3, ["I live in Oslo, I think?"])
    consolidate(service, levels=["fact"])
    (fact,) = made(service).values()
    assert (fact.content, fact.kind, fact.speaker, fact.derived) == ("I live in Oslo", Kind.SEMANTIC, "Ada", "fact")
    assert fact.source["support"] == 3
    assert fact.trust == Trust.AGENT.rank
    assert links(service) == {fact.id: set(told)}
    talk(service, 20, ["I moved to Bergen."])
    consolidate(service, levels=["fact"])
    assert made(service) == {}


def test_what_worked_several_times_becomes_a_procedure(service: Service) -> None:
    for day in range(4):
        outcome = "failure" if day == 1 else "success"
        session = f"deploy{day}"
        talk(service, day, [f"Run the tests of build {day}"], outcome="success", session_id=session)
        talk(service, day, ["Push the image"], hour=1, outcome=outcome, session_id=session)
    consolidate(service, levels=["procedure"])
    (one,) = made(service).values()
    assert (one.kind, one.outcome, one.derived) == (Kind.PROCEDURAL, "success", "procedure")
    assert one.content == "1. Run the tests of build 3\n2. Push the image"
    assert (one.source["support"], one.source["success"]) == (4, 0.75)


def test_what_somebody_took_over_is_theirs(service: Service) -> None:
    by_day = days(service, 4)
    consolidate(service, levels=["session"])
    edited, pinned, hidden, plain = made(service)
    service.edit(edited, "What I want to remember of that day.")
    service.edit(pinned, pinned=True)
    service.forget(hidden)
    before = made(service)
    for turns in by_day.values():
        service.edit(turns[0], "Something else altogether in Tromso.")
    assert consolidate(service, levels=["session"]).counts == {"revise": 1}
    after = made(service)
    assert [memory for memory in after if after[memory] != before[memory]] == [plain]
    for turns in by_day.values():
        service.forget(turns[0])
    consolidate(service, levels=["session"])
    assert {edited, pinned, hidden} <= made(service).keys()
    assert plain not in made(service)


def test_an_undo_takes_away_what_a_run_made(service: Service) -> None:
    days(service, 4)
    before = everything(service)
    run = consolidate(service)
    kept = next(iter(made(service)))
    service.edit(kept, "Mine now.")
    assert undo(service, run).counts == {"undo": 4, "skipped": 1}
    assert list(made(service)) == [kept]
    service.erase(kept)
    assert everything(service) == before
    with service.look() as connection:
        assert connection.execute(select(func.count()).select_from(JOB_EFFECT)).scalar_one() == 0
        assert connection.execute(select(func.count()).select_from(TOMBSTONE)).scalar_one() == 5
    assert service.differences() == 0


def test_a_dry_run_writes_nothing_and_says_what_would_be_made(service: Service) -> None:
    by_day = days(service, 4)
    before = everything(service)
    run = consolidate(service, is_dry=True)
    assert everything(service) == before
    assert run.counts == {"make": 5}
    told = effects(service, run)
    assert len(told) == 5
    assert set(told) <= {one for turns in by_day.values() for one in turns}
    assert sorted(step.after["level"] for step in told.values()) == ["session"] * 4 + ["week"]
    assert "Town" not in str(told)


def test_runs_are_bounded_and_meet_in_the_end(service: Service) -> None:
    days(service, 14)
    counts = [consolidate(service, share=0.1).counts.get("make", 0) for _ in range(5)]
    assert counts == [5, 6, 5, 0, 0]
    assert [len(made(service, level)) for level in ("session", "week")] == [14, 2]


def test_sources_that_changed_since_the_plan_are_left_for_the_next_run(service: Service) -> None:
    by_day = days(service, 6)
    service.container.jobs.set_care(service.tenant_id, PATH, {"share_per_run": 1.0}, {})
    runner = service.container.scheduler._runner

    def meanwhile(point: str) -> None:
        if point == "prepared":
            service.edit(by_day[0][0], "Something else.")
            service.erase(by_day[1][0])
            service.forget(by_day[2][0])

    runner._at = meanwhile
    run_id = service.container.jobs.ask(service.author, PATH, "consolidate", is_dry=False).run.id
    service.container.scheduler.round()
    assert seen(service, run_id).counts == {"make": 3, "skipped": 4}
    runner._at = lambda point: None
    assert consolidate(service).counts == {"make": 4}
    assert consolidate(service).counts == {}
    assert service.differences() == 0


def test_users_and_tenants_are_never_mixed(service: Service) -> None:
    for user in ("ada", "ben"):
        talk(service, 0, [f"{user} saw {word}." for word in TOPICS[:4]], user_id=user)
    other = service.container.keys.anonymous
    assert other is not None
    consolidate(service)
    gists = made(service)
    assert sorted(gist.user_id for gist in gists.values()) == ["ada", "ben"]
    assert all(gist.user_id in gist.content for gist in gists.values())
    assert all(("ben" in gist.content) != ("ada" in gist.content.replace("Ada", "")) for gist in gists.values())


def ask(service: Service, text: str, **more: Any) -> list[UUID]:
    question = Question(
        PATH, text, more.pop("top_k", 10), frozenset(), None, None, None, None, None, Profile.FAST, None, None, **more
    )
    return [one.hit.memory_id for one in service.container.recall(service.tenant_id, question).found]


def archive(service: Service, clock: HeldClock, memories: Iterable[UUID]) -> None:
    """Has the policy archive certain memories and nothing else."""
    short = update(MEMORY).where(MEMORY.c.id.in_(list(memories))).values(stability_s=1.0)
    service.meddle(lambda connection: connection.execute(short))
    clock.move(60.0)
    below = {"warm": None, "cold": None, "archived": 0.1}
    service.container.jobs.set_care(service.tenant_id, PATH, {"share_per_run": 1.0, "below": below}, {})
    service.container.jobs.ask(service.author, PATH, "fade", is_dry=False)
    service.container.scheduler.round()


def scored(service: Service, text: str, **more: Any) -> list[tuple[UUID, float]]:
    """What somebody wrote among the hits, with its scores."""
    asked = Question(PATH, text, 10, frozenset(), None, None, None, None, None, Profile.FAST, None, None)
    found = service.container.recall(service.tenant_id, replace(asked, **more)).found
    return [(one.id, one.hit.score) for one in found if not one.is_made]


def test_what_somebody_wrote_is_ranked_as_if_nothing_had_been_made(service: Service, clock: HeldClock) -> None:
    by_day = days(service, 7)
    texts = ["Ada We saw garden bicycle violin kitchen in Town3", "number 9", "Town5 number 21 violin", "Who saw what?"]
    before = [scored(service, text) for text in texts]
    consolidate(service)
    assert [scored(service, text) for text in texts] == before
    # Of two days gists alone are left: they take places, and change nothing of what is written and active.
    archive(service, clock, [*by_day[2], *by_day[3]])
    written = {"derived": {"exists": False}}
    for text in texts:
        found = scored(service, text)
        assert found == scored(service, text, condition=parse(written), raw_condition=written)[: len(found)]


def test_a_second_search_is_made_only_where_made_ones_may_be_missed(
    service: Service, clock: HeldClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    recaller = service.container.recaller
    searched: list[int] = []

    def counted(analysed: Any, *others: Any) -> Any:
        searched.append(analysed.query.top_k)
        return Recaller.recall(recaller, analysed, *others)

    def searches(text: str, **more: Any) -> int:
        searched.clear()
        ask(service, text, **more)
        return len(searched)

    by_day = days(service, 7)
    monkeypatch.setattr(recaller, "recall", counted)
    assert searches("violin in Town3", top_k=40) == 1  # nothing was made
    consolidate(service)
    assert searches("violin in Town3") == 1
    assert searches("violin in Town3", top_k=40) == 2
    archive(service, clock, by_day[3])
    assert searches("violin in Town3") == 2
    assert searches("violin in Town3", descends=True) == 3
    assert searches("What is a violin?") == 1  # what is true in general


def test_roll_ups_have_no_token_codes(service: Service) -> None:
    written = days(service, 7)
    consolidate(service)
    with service.look() as connection:
        coded = set(connection.execute(select(TOKEN_EMBEDDING.c.memory_id)).scalars())
    assert not coded & set(made(service))
    assert coded <= {one for ids in written.values() for one in ids}


def test_a_gist_stands_where_it_belongs_once_its_sources_are_archived(service: Service, clock: HeldClock) -> None:
    by_day = days(service, 7)
    consolidate(service)
    gists, below = made(service), links(service)
    text = "Ada We saw garden bicycle violin kitchen in Town3"
    assert not set(ask(service, text)) & set(gists)
    archive(service, clock, by_day[3])
    found = ask(service, text)
    (gist,) = set(found) & set(gists)
    assert leaves(below, gist) - {gist} == set(by_day[3])
    assert found[0] == gist


def test_gists_stand_behind_all_that_somebody_wrote(service: Service) -> None:
    by_day = days(service, 7)
    texts = ["Ada We saw garden bicycle violin kitchen in Town3", "We saw number 9", "Town5 number 21 violin"]
    consolidate(service)
    gists, below = made(service), links(service)
    for text in texts:
        assert not set(ask(service, text)) & set(gists)
        found = ask(service, text, top_k=60)
        assert [one in gists for one in found] == [False] * sum(map(len, by_day.values())) + [True] * len(gists)
        for place, one in enumerate(found):
            sources = [found.index(leaf) for leaf in leaves(below, one) if leaf in found and leaf != one]
            assert one not in gists or not sources or min(sources) < place


def test_a_recall_that_descends_finds_what_was_archived(service: Service, clock: HeldClock) -> None:
    by_day = days(service, 7)
    wanted = by_day[3][2]
    consolidate(service)
    clock.move(40 * 86_400.0)
    service.container.jobs.set_care(service.tenant_id, PATH, {"share_per_run": 1.0, "below": {"archived": 0.1}}, {})
    service.container.jobs.ask(service.author, PATH, "fade", is_dry=False)
    service.container.scheduler.round()
    text = "violin number 14 in Town3"
    assert set(ask(service, text)) == set(made(service))
    found = ask(service, text, descends=True, top_k=3)
    assert len(found) == 3
    assert found[0] == wanted
    assert consolidate(service).counts == {}


def test_what_was_made_can_be_left_out_or_asked_for(service: Service) -> None:
    days(service, 7)
    consolidate(service)
    for condition, wanted in (({"derived": {"exists": False}}, 0), ({"derived": "week"}, 1)):
        question = Question(
            PATH, "We saw a violin", 50, frozenset(), parse(condition), condition, None, None, None, Profile.FAST,
            None, None,
        )  # fmt: skip
        found = service.container.recall(service.tenant_id, question).found
        assert sum(one.memory.derived is not None for one in found) == wanted
        assert len(found) == (28 if wanted == 0 else 1)


def test_other_jobs_leave_what_was_made(service: Service) -> None:
    for day in range(3):
        talk(service, day, ["I live in Oslo."])
    consolidate(service, levels=["fact"])
    (fact,) = made(service)
    talk(service, 20, ["I moved to Bergen."])
    service.container.jobs.ask(service.author, PATH, "conflict", is_dry=False)
    service.container.scheduler.round()
    assert made(service)[fact].state == State.ACTIVE
    consolidate(service, levels=["fact"])
    assert made(service) == {}


def test_a_worker_writes_what_a_server_would(service: Service, clock: HeldClock) -> None:
    days(service, 7)
    container = service.container
    tools = cache(partial(writing_tools, container.settings, container.database, clock))
    run_id = container.jobs.ask(service.author, PATH, "consolidate", is_dry=True).run.id
    container.jobs.set_care(service.tenant_id, PATH, {"share_per_run": 1.0}, {})
    works = every_kind(tools, lambda: container.changer._eraser)
    Runner(container.database, clock, works).run(service.tenant_id, run_id)
    assert seen(service, run_id).counts == {"make": 8}
    run_id = container.jobs.ask(service.author, PATH, "consolidate", is_dry=False).run.id
    Runner(container.database, clock, works).run(service.tenant_id, run_id)
    assert seen(service, run_id).counts == {"make": 8}
    tools().preparer.embedders.close()
    assert consolidate(service).counts == {}
    assert service.differences() == 0


class _Broken:
    """A summariser that answers a few times."""

    name, most_at_once = "broken", 2

    def __init__(self, answers: int) -> None:
        self.answers = answers

    def summarise(self, sources: Sequence[Said], words: int) -> str:
        self.answers -= 1
        if self.answers < 0:
            raise SummariserError("gone")
        return f"A gist of {len(sources)}."

    def close(self) -> None:
        """Nothing to do."""


def test_a_model_that_stops_answering_leaves_whole_gists(service: Service, clock: HeldClock) -> None:
    days(service, 7)
    container = service.container
    container.jobs.set_care(service.tenant_id, PATH, {"share_per_run": 1.0}, {})
    tools = replace(container.scheduler._runner._works["consolidate"]._tools(), summariser=_Broken(5))  # type: ignore[attr-defined]
    runner = Runner(container.database, clock, every_kind(lambda: tools, lambda: container.changer._eraser))
    run_id = container.jobs.ask(service.author, PATH, "consolidate", is_dry=False).run.id
    runner.run(service.tenant_id, run_id)
    run = seen(service, run_id)
    assert (run.problem, run.counts) == ("SummariserError", {"make": 4})
    assert [gist.content for gist in made(service).values()] == ["A gist of 4."] * 4
    tools.summariser.answers = 9
    run_id = container.jobs.ask(service.author, PATH, "consolidate", is_dry=False).run.id
    runner.run(service.tenant_id, run_id)
    assert seen(service, run_id).counts == {"make": 4}


def test_what_users_link_as_derived_is_theirs(service: Service) -> None:
    told = days(service, 1)[0]
    note = UUID(
        service.remember([Draft("My own summary.", {}, links=(LinkDraft(Relation.DERIVED_FROM, told[0]),))])["items"][
            0
        ]["id"]
    )
    consolidate(service)
    service.forget(told[0])
    consolidate(service)
    with service.look() as connection:
        assert connection.execute(select(MEMORY.c.derived, MEMORY.c.state).where(MEMORY.c.id == note)).one() == (
            None,
            State.ACTIVE,
        )
