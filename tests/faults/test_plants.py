"""Faults can be planted in the code as it is today, and what is there for two of them sees them; all: `make faults`."""

from __future__ import annotations

import pytest

from benchmarks.faults import sabotage
from benchmarks.faults.plants import PLANTS, Plant, changed, function
from benchmarks.faults.rows import ROWS

QUICK = ("acknowledged before the commit", "numbers of the change log without the lock")


@pytest.mark.parametrize("planted", PLANTS.values(), ids=PLANTS)
def test_a_plant_changes_the_code_as_it_is(planted: Plant) -> None:
    for target, old, new in planted.edits:
        found = function(target)
        assert changed(found, old, new) != found.__code__


def test_a_plant_that_finds_nothing_to_change_is_an_error() -> None:
    with pytest.raises(ValueError, match="holds 0 times"):
        changed(changed, "this line is not there", "pass")


def test_what_must_see_a_fault_is_there() -> None:
    for planted in PLANTS.values():
        path, _, name = planted.caught_by.partition("::")
        if planted.caught_by not in ROWS:
            source = (sabotage.ROOT / path).read_text()
            assert not name or f"def {name.partition('[')[0]}(" in source, planted.caught_by


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_a_fault_is_seen(name: str) -> None:
    assert sabotage.detect(PLANTS[name].caught_by, (name,), seed=7).has_failed
