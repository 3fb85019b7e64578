"""Faults can be planted in the code as it is today, and two of them a day are: what is there for each one sees it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from benchmarks.faults import sabotage
from benchmarks.faults.plants import PLANTS, Plant, changed, function
from benchmarks.faults.rows import ROWS

TODAY = datetime.now(UTC).toordinal()


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


def test_every_quick_fault_comes_round() -> None:
    quick = {one.name for one in PLANTS.values() if one.caught_by not in ROWS}
    assert {one.name for day in range(len(quick)) for one in sabotage.of_the_day(TODAY + day)} == quick


@pytest.mark.slow
@pytest.mark.parametrize("place", range(sabotage.A_DAY))
def test_the_faults_of_the_day_are_seen(place: int) -> None:
    planted = sabotage.of_the_day(TODAY)[place]
    assert sabotage.detect(planted.caught_by, (planted.name,), seed=7).has_failed, planted.name
