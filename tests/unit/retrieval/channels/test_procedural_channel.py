"""What the procedural channel finds, in which order, and when it has nothing to say."""

import numpy as np
import pytest

from gpu.bank.records import Kind, State
from retrieval.channels.procedural import ProceduralChannel, outcome_weights
from retrieval.types import ChannelResult
from tests.fixtures.situated_memories import Situated, question, view_of

NAN = float("nan")


def done(text: str, outcome: float = NAN, state: State = State.ACTIVE) -> Situated:
    return Situated(text, outcome=outcome, kind=Kind.PROCEDURAL, state=state)


PROCEDURES = (
    done("the disk was full: deleted the old logs", 0.0),
    done("the disk was full: moved the archive away", 1.0),
    done("the disk was full: asked for a larger one", 0.5),
    done("the disk was full: waited for help"),
    *(done(f"the printer did not work: tried step {i}", 1.0) for i in range(12)),
)
OTHERS = (Situated("the disk was full on Monday"), Situated("rain"))
TEXT = "What to do when the disk is full?"


def found(
    memories: tuple[Situated, ...] = (*PROCEDURES, *OTHERS), hint: Kind | None = Kind.PROCEDURAL, text: str = TEXT
) -> ChannelResult | None:
    with view_of(memories) as view:
        return ProceduralChannel().search(question(text, kind_hint=hint), view, 100)


def test_what_worked_comes_first_and_what_failed_last() -> None:
    same = tuple(done("the disk was full", outcome) for outcome in (0.0, 1.0, 0.5, NAN))
    result = found((*same, *PROCEDURES[4:], *OTHERS))
    assert result is not None
    assert result.slots.tolist() == [1, 3, 2, 0]
    assert (result.scores / result.scores[0]).tolist() == pytest.approx([1.0, 0.9, 0.8, 0.5])


def test_procedures_of_the_situation_come_first_and_no_other_kind_at_all() -> None:
    result = found()
    assert result is not None
    assert set(result.slots[:4].tolist()) == {0, 1, 2, 3}
    assert result.slots[0] == 1
    assert result.slots.size < 8
    assert result.score_of(np.array([16, 17])).tolist() == [0.0, 0.0]


def test_procedures_are_compared_with_procedures_alone() -> None:
    talk = tuple(Situated(f"what to do when the disk is full, asked {i} times") for i in range(40))
    result = found((*PROCEDURES, *talk))
    assert result is not None
    assert set(result.slots[:4].tolist()) == {0, 1, 2, 3}


def test_a_better_fit_beats_a_better_outcome() -> None:
    result = found(text="printer did not work step 3")
    assert result is not None
    assert result.slots[0] == 7


@pytest.mark.parametrize(
    ("memories", "hint"),
    [
        ((*PROCEDURES, *OTHERS), None),
        ((*PROCEDURES, *OTHERS), Kind.SEMANTIC),
        (OTHERS, Kind.PROCEDURAL),
        ((), Kind.PROCEDURAL),
        ((done("the disk was full"), done("the printer"), done("a cat"), *OTHERS), Kind.PROCEDURAL),
        (
            (done("full", 1.0, State.FORGOTTEN), done("the disk was full"), done("the printer"), done("a cat")),
            Kind.PROCEDURAL,
        ),
    ],
)
def test_it_abstains(memories: tuple[Situated, ...], hint: Kind | None) -> None:
    assert found(memories, hint) is None


def test_a_namespace_of_procedures_alone_needs_no_hint() -> None:
    assert found(PROCEDURES, None) is not None


def test_outcomes_between_are_weighed_between() -> None:
    assert outcome_weights(np.array([0.0, 0.25, 0.5, 0.75, 1.0, NAN])).tolist() == pytest.approx(
        [0.5, 0.65, 0.8, 0.9, 1.0, 0.9]
    )
