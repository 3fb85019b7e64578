"""What goes with something erased, and what may not be torn apart."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from memsvc.core.errors import Conflict
from memsvc.exports.plan import Plan, _check_merged, _with_derived

A, B, C, D = (UUID(int=number) for number in range(1, 5))


def test_what_was_derived_goes_along_however_far() -> None:
    sources = {B: {A}, C: {B, D}}
    assert _with_derived({A}, sources) == {A, B, C}
    assert _with_derived({D}, sources) == {C, D}
    assert _with_derived(set(), sources) == set()


@pytest.mark.parametrize(("gone", "is_torn"), [({A}, True), ({B}, True), ({A, B}, False), ({C}, False)])
def test_what_is_merged_is_not_torn(gone: set[UUID], is_torn: bool) -> None:
    if is_torn:
        with pytest.raises(Conflict):
            _check_merged(gone, {A: B})
    else:
        _check_merged(gone, {A: B})


def test_a_text_is_read_in_the_light_of_what_is_taken() -> None:
    plan = Plan(
        gone={A},
        contexts={(B, 1): A, (C, 2): B},
        texts={(A, 1): "a", (B, 1): "b", (B, 2): "b, said again", (C, 2): "c"},
        current={A: 1, B: 2, C: 2},
        embedded={(A, 1), (B, 1), (B, 2), (C, 2)},
    )
    assert plan.unread() == [(B, 1)]
    assert replace(plan, embedded=plan.embedded - {(C, 2)}).unread() == [(B, 1), (C, 2)]
    assert [plan.before((B, 1)), plan.before((C, 2)), plan.before((A, 1))] == ["", "b, said again", ""]
