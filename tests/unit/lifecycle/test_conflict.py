"""Which memories newer ones supersede: pairs of texts, and the order of time."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.conflict import _MOST_LOOKS, Dated, begins, dated, same_value, supersession, supersessions
from lifecycle.trust import Trust

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def memory(number: int, text: str, day: int, *, speaker: str | None = "Ada", recorded: int = 0) -> Dated:
    at = BEGIN + timedelta(days=day)
    recorded_at = BEGIN + timedelta(days=100 + recorded)
    return dated(UUID(int=number), text, speaker, valid_from=None, occurred_at=at, recorded_at=recorded_at)


def superseded(*texts: str) -> set[int]:
    """Which of the texts, from old to new, are superseded."""
    found = supersessions(memory(number, text, number) for number, text in enumerate(texts))
    return {memory_id.int for memory_id in found}


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("I live in Oslo.", "I moved to Bergen."),
        ("I live in Oslo.", "I live in Bergen now."),
        ("I live in Oslo, Norway.", "Ada lives in Bergen."),
        ("Ada works at Fjord Labs.", "Ada's new job is at North Sea Bank"),
        ("I work for Fjord Labs.", "I no longer work for Fjord Labs."),
        ("I live in Oslo.", "I used to live in Oslo but now live in Bergen."),
        ("My phone number is 555 0101.", "my phone number is now 555 2222"),
        ("My phone number is 555 0101.", "I changed my phone number to 555 2222."),
        ("Ben's address is 5 Sea Lane.", "Ben's new address is 7 Hill Road."),
        ("The meeting is on Mondays.", "We switched the meeting to Tuesdays"),
        ("Our meeting is on Mondays.", "The meeting has been moved to Tuesdays."),
        ("The meeting is at 10:00.", "The meeting now starts at 11:00."),
        ("The launch is on 3 May.", "The launch was postponed from 3 May to 9 June."),
        ("The CEO of Fjord Labs is Ben Dahl.", "Cyd Lund is the CEO of Fjord Labs."),
        ("Ben Dahl is the CEO of Fjord Labs.", "Cyd Lund became the CEO of Fjord Labs."),
        ("The capital of Land is Town.", "The capital of Land is the city of Other."),
        ("The deadline of the report is Friday.", "The deadline of the report was moved to Monday."),
        ("Ben is married to Cyd Lund.", "Ben is married to Eva Moe."),
        ("Ben is 30 years old.", "Ben is 31 years old."),
        ("My new car is Volvo V60.", "My new car is Saab 900."),
        ("The type of music that Dale Evans plays is jazz.", "The type of music that Dale Evans plays is rock."),
        ("I work as a teacher.", "I now work as a nurse."),
        ("Ada's favourite colour is blue.", "Ada's favorite colour is now green."),
        ("My number is 555 0101.", "My new phone number is 555 2222."),
        ("The project deadline is Friday.", "The project deadline has been moved to Monday."),
        ("The Fjord Labs CEO is Ben Dahl.", "Cyd Lund is the new CEO of Fjord Labs."),
        ("Our standup is at 9am.", "Standup is now at 10am."),
        ("I work at Fjord Labs.", "I quit my job at Fjord Labs."),
        ("We use Slack for chat.", "We switched from Slack to Teams."),
        ("Ben's manager is Cyd Lund.", "Ben now reports to Eva Moe."),
        ("Ben studies at North College.", "Ben studies at South College."),
        ("My flight is at 9am.", "My flight was rescheduled to 11am."),
        ("My dentist is Dr. Smith.", "My new dentist is Dr. Jones."),
        ("The deadline is Monday.", "We moved the deadline to Friday."),
        ("I am a vegetarian.", "I'm no longer a vegetarian."),
        ("Standup is at 9:30.", "Standup moved to 10:00."),
        ("Ben works at Fjord Labs.", "Ben has left Fjord Labs."),
        ("The project is due Friday.", "The project is now due Monday."),
        ("I'm 30 years old.", "I'm 31 now."),
        ("My email is ada@a.example.", "My email address has changed to ada@b.example."),
        ("The price of the Pro plan is $20.", "The price of the Pro plan is now $25."),
        ("The Pro plan costs $20 a month.", "The Pro plan now costs $25 a month."),
        ("The status of order 1234 is packed.", "The status of order 1234 is shipped."),
        ("I live at 5 Sea Lane.", "I moved to 7 Hill Road."),
        ("My home is in Oslo.", "I've relocated to Bergen :)"),
        ("I live in Oslo.", "I moved to Bergen from Oslo."),
        ("We use Slack.", "We switched to Teams from Slack."),
        ("I use Python.", "I moved to Java from Python."),
        ("The Pro plan costs $20 a month.", "Quick update: The Pro plan went up to $25!"),
        ("The Pro plan is $20 a month.", "The Pro plan is $25 a month now."),
        ("The CEO of Fjord Labs is Ben Dahl.", "Cyd Lund replaced Ben Dahl as CEO of Fjord Labs."),
        ("Ben Dahl leads Fjord Labs as CEO.", "Fjord Labs appointed Cyd Lund as CEO."),
        ("Ben works at Fjord Labs.", "Ben left Fjord Labs for North Sea Bank."),
        ("Ben works as a nurse.", "Ben is no longer a nurse, but a pilot now."),
        ("I'm vegan.", "I've stopped being vegan."),
        ("My cell is 555 0101.", "My phone number is 555 2222 \N{SMILING FACE WITH SMILING EYES}"),
        ("Our book club meets on Mondays.", "Book club has switched to Tuesdays."),
    ],
)
def test_the_newer_supersedes(older: str, newer: str) -> None:
    assert superseded(older, newer) == {0}


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        # the same again, in more or fewer words
        ("I live in Oslo.", "I live in Oslo, Norway."),
        ("My phone is 555 0101.", "My phone is 555-0101."),
        ("My phone is +47 5550101.", "My phone is +475550101."),
        ("I live in New York.", "I live in New York City."),
        ("The CEO of Fjord Labs is Ben Dahl.", "Dahl is the CEO of Fjord Labs."),
        # true side by side
        ("I live in Oslo.", "I live in Norway."),
        # moves that are none of home
        ("I live in Oslo.", "I moved to Java from Python."),
        ("I live in Oslo.", "I moved to Java."),
        ("I live in Oslo.", "I moved from MySQL to Postgres."),
        ("I live in Oslo.", "We relocated to AWS."),
        ("I use Python.", "I moved to Oslo from Bergen."),
        ("I use Python.", "I moved to Java."),
        ("My home is in Oslo.", "My holiday home is in Rome."),
        ("The standup is on Mondays.", "We switched to Slack from Teams."),
        ("I'm a parent.", "I'm no longer a nurse."),
        ("The jacket is $20.", "The jacket is $25."),
        ("Cyd Lund is the CEO of Fjord Labs.", "Cyd Lund replaced Ben Dahl as CEO of Fjord Labs."),
        ("Ben works at Fjord Labs.", "Ben left Oslo for Bergen."),
        ("Oslo is located in Norway.", "Oslo is located in Europe."),
        ("Kyd was born in London.", "Kyd was born in England."),
        ("I like chess.", "I like hiking."),
        ("I love Oslo.", "I love Bergen now."),
        ("I visited Rome.", "I visited Paris."),
        ("I went to Rome.", "I went to Paris last week."),
        ("My son is Ben.", "My son is Tom."),
        ("Ben's daughter is Eva.", "Ben's daughter is Ida."),
        ("Ben's child is Eva.", "Ben's child is Ida."),
        ("I speak French.", "I speak Norwegian."),
        ("Ben speaks French.", "Ben speaks Norwegian."),
        ("My dog is called Rex.", "My dog is called Bella."),
        ("My cat is Tom.", "My new cat is Tim."),
        ("My hobby is chess.", "My new hobby is Go."),
        ("My friend lives in Oslo.", "My friend lives in Rome."),
        ("My friend is Ben.", "My new friend is Cyd."),
        ("My sister lives in Oslo.", "My sister lives in Rome."),
        ("Ben wrote Emma.", "Ben wrote Persuasion."),
        ("Ben owns Flat 5.", "Ben owns Flat 7."),
        ("Ben is a member of Fjord FC.", "Ben is a member of North FC."),
        ("Ben knows Cyd.", "Ben knows Eva."),
        ("Ben is famous for Emma.", "Ben is famous for Persuasion."),
        ("The restaurant that Ada likes is Noma.", "The restaurant that Ada likes is Maaemo."),
        ("The book that Ada read is Emma.", "The book that Ada read is Dune."),
        ("My favourite book is Emma.", "My favourite book is Dune."),
        ("Ben worked in the city of Oslo.", "Ben worked in the city of Bergen."),
        ("I met Ben in Oslo.", "I met Ben in Bergen."),
        ("I bought a car in Oslo.", "I bought a boat in Bergen."),
        ("I work at Fjord Labs.", "I also work at North Sea Bank."),
        # others, other things
        ("Ben lives in Oslo.", "Cyd lives in Rome."),
        ("My work phone is 12345.", "My home phone is 54321."),
        ("The capital of Land is Town.", "The capital of Other is City."),
        ("The CEO of Fjord Labs is Ben Dahl.", "The CTO of Fjord Labs is Cyd Lund."),
        ("Ben was born in Oslo.", "Ben lives in Rome."),
        ("Ben was born in Oslo.", "Ben died in Rome."),
        ("The meeting is on Monday.", "The party is on Friday."),
        ("The meeting is on Monday.", "The meeting is on Friday."),  # another one, for all that is known
        ("The meeting is on Mondays.", "The meeting is now at 10:00."),
        ("My car is red.", "My new bike is blue."),
        ("The price of the ticket is 10 dollars.", "The price of the ticket is 20 dollars."),
        ("Ben plays for Fjord FC.", "Ben plays for Norway."),
        ("I live in Oslo.", "I live in Building 7."),
        ("My wife is Cyd Lund.", "My wife is Norwegian."),
        ("My birthday is 3 May.", "My birthday is on Sunday this year."),
        ("I work at Fjord Labs.", "I work at Christmas."),
        ("Ben died in Oslo.", "Ben died in 1990."),
        ("Ben was born in Oslo.", "Ben was born in May 1990."),
        ("My phone is 555 0101.", "My phone is iPhone 12."),
        ("Ben turned 30.", "Ben turned 10 pages."),
        ("I use Slack.", "I now use Teams."),
        ("I moved to Oslo in 2019.", "I moved to Rome in 2015."),
        ("I live in Oslo.", "I moved to Rome ten years ago."),
        ("Ben's email is ben@a.example.", "Ben's email is full."),
        ("We use Slack for chat.", "We use Jira for tickets."),
        ("We use Slack for chat.", "We switched from Skype to Teams."),
        ("I am a vegetarian.", "I am now a mother."),
        ("Ben is tall.", "Ben is happy."),
        ("I work at Fjord Labs.", "I left Oslo."),
        ("My favourite colour is blue.", "My favourite colour is green."),
        # no statement
        ("I live in Oslo.", "Do you think that I live in Rome?"),
        ("I live in Oslo.", "I might move to Rome."),
        ("I live in Oslo.", "I want to live in Rome."),
        ("I live in Oslo.", "I dreamed that I lived in Rome."),
        ("I live in Oslo.", "If I moved to Rome, I'd be happy."),
        ("I live in Oslo.", "I used to live in Rome."),
        ("I live in Oslo.", "I don't live in Rome."),
        ("I live in Oslo.", "Ben says I live in Rome."),
        ("I live in Oslo.", "She moved to Rome."),
        ("I live in Oslo.", "I'm moving to Rome next year, maybe."),
        ("I live in Oslo.", "We moved to Slack for chat."),
        ("I live in Oslo.", "I moved to the kitchen."),
        ("I live in Oslo.", "I no longer live in Rome."),
        ("I work at Fjord Labs.", "I work at home."),
        ("I work at Fjord Labs.", "I'm planning a new job at North Sea Bank."),
        ("The CEO of Fjord Labs is Ben Dahl.", "The CEO of Fjord Labs is ill."),
        ("The CEO of Fjord Labs is Ben Dahl.", "The new CEO of Fjord Labs will be Cyd Lund."),
        # more is said than what is outdated
        ("I live in Oslo with Ben, who plays the trombone in a brass band.", "I moved to Bergen."),
        ("I live in Oslo. My phone is 555 0101.", "I moved to Bergen."),
        ("I no longer live in Oslo.", "I live in Bergen."),
    ],
)
def test_nothing_is_superseded(older: str, newer: str) -> None:
    assert superseded(older, newer) == set()


def test_all_claims_of_a_memory_must_be_outdated_by_one() -> None:
    assert superseded("I live in Oslo. My phone is 555 0101.", "I moved to Bergen. My phone is now 555 2222.") == {0}


def test_who_speaks_is_who_is_meant() -> None:
    ada, ben = memory(1, "I live in Oslo.", 1), memory(2, "I live in Rome.", 2, speaker="Ben")
    assert supersessions([ada, ben]) == {}
    unknown = [memory(1, "I live in Oslo.", 1, speaker=None), memory(2, "I live in Rome.", 2, speaker=None)]
    assert supersessions(unknown) == {}


def test_newer_is_by_validity_then_happening_then_recording() -> None:
    first, later = BEGIN, BEGIN + timedelta(days=1)

    def made(number: int, valid: datetime | None, occurred: datetime | None, recorded: datetime) -> Dated:
        text = f"I live in Town{number}."
        return dated(UUID(int=number), text, "Ada", valid_from=valid, occurred_at=occurred, recorded_at=recorded)

    for older, newer in [
        (made(1, first, later, later), made(2, later, first, first)),
        (made(1, first, first, later), made(2, first, later, first)),
        (made(1, None, first, later), made(2, None, later, first)),
        (made(1, None, first, first), made(2, None, first, later)),
        (made(1, None, None, first), made(2, None, None, later)),
        (made(1, first, None, later), made(2, None, None, later)),
    ]:
        assert {m.int: s.newer.id.int for m, s in supersessions([newer, older]).items()} == {1: 2}
    assert supersessions([made(1, None, first, first), made(2, None, first, first)]) == {}


def test_two_memories_are_judged_as_many_are() -> None:
    oslo, bergen = memory(1, "I live in Oslo.", 1), memory(2, "I moved to Bergen.", 2)
    assert supersession(bergen, oslo) is not None
    assert supersession(oslo, bergen) is None
    assert supersession(memory(2, "I moved to Bergen.", 1), oslo) is None
    assert supersession(bergen, memory(1, "I live in Oslo. We saw a whale in the harbour.", 1)) is None
    assert supersession(bergen, replace(oslo, is_fixed=True)) is None
    assert supersessions([bergen, replace(oslo, is_fixed=True)]) == {}


def test_begins_of_what_takes_a_place_and_says_nothing_else() -> None:
    plain = [memory(1, "I live in Oslo.", 1), memory(2, "I moved to Bergen.", 2)]
    assert begins(supersessions(plain)) == {UUID(int=2): BEGIN + timedelta(days=2)}
    more = [memory(1, "I live in Oslo.", 1), memory(2, "I moved to Bergen. My phone is 555 0101.", 2)]
    assert begins(supersessions(more)) == {}


_TOWNS = st.lists(st.tuples(st.sampled_from(["Oslo", "Bergen", "Rome"]), st.integers(0, 4)), max_size=8)


@given(_TOWNS, st.randoms())
def test_the_order_of_arrival_makes_no_difference(told: list[tuple[str, int]], random: object) -> None:
    memories = [memory(number, f"I live in {town}.", day) for number, (town, day) in enumerate(told)]
    shuffled = list(memories)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    found = {m: s.newer.id for m, s in supersessions(memories).items()}
    assert {m: s.newer.id for m, s in supersessions(shuffled).items()} == found
    last = max((m.place for m in memories), default=None)
    for one in memories:
        differs = any(other.place > one.place and other.claims[0].value != one.claims[0].value for other in memories)
        assert (one.id in found) is differs
        assert one.place != last or one.id not in found


def test_thousands_of_confirmations_cost_little() -> None:
    memories = [memory(n, "The capital of Land is Town.", 0, recorded=n) for n in range(3_000)]
    memories.append(memory(3_000, "The capital of Land is Other.", 1))
    start = time.process_time()
    assert len(supersessions(memories)) == 3_000
    assert time.process_time() - start < 5.0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("oslo", "oslo norway", True),
        ("555 0101", "5550101", True),
        ("+47 555-01-01", "+475550101", True),
        ("12", "1 2", False),
        ("oslo", "bergen", False),
        ("washington, d.c", "washington d.c", True),
    ],
)
def test_the_same_value(one: str, other: str, same: bool) -> None:
    assert same_value(one, other) is same


@pytest.mark.parametrize(
    ("older", "newer", "is_superseded"),
    [
        (Trust.AGENT, Trust.EXTERNAL, False),
        (Trust.TRUSTED, Trust.AGENT, False),
        (Trust.AGENT, Trust.AGENT, True),
        (Trust.EXTERNAL, Trust.AGENT, True),
        (Trust.EXTERNAL, Trust.EXTERNAL, True),
    ],
)
def test_what_is_trusted_less_outdates_nothing_that_is_trusted_more(
    older: Trust, newer: Trust, is_superseded: bool
) -> None:
    one = replace(memory(1, "I live in Oslo.", 1), trust=older.rank)
    other = replace(memory(2, "I moved to Bergen.", 2), trust=newer.rank)
    assert (supersession(other, one) is not None) is is_superseded
    assert (one.id in supersessions([one, other])) is is_superseded


def test_no_flood_of_what_is_trusted_less_stands_before_what_is_trusted() -> None:
    flood = [
        replace(memory(n, f"I live in Town{n % 2}.", n), trust=Trust.EXTERNAL.rank) for n in range(2, 2 * _MOST_LOOKS)
    ]
    one, other = memory(0, "I live in Oslo.", 0), memory(1, "I moved to Bergen.", 3 * _MOST_LOOKS)
    found = supersessions([one, *flood, other])
    assert found[one.id].newer is other
