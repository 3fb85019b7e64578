"""Places: stable ids, and what a text names by rule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.analysis.places import asked_place_ids, place_id, place_ids, places
from tests.fixtures.growth import assert_linear

ANY_TEXT = st.text(st.characters())


def test_ids_never_change() -> None:
    assert place_id("Paris") == 8409295815345927861


@pytest.mark.parametrize("name", ["cafe luna", "Café  Luna", "CAFE LUNA.", "the Café Luna", "“Cafe Luna”"])
def test_spelling_makes_no_difference(name: str) -> None:
    assert place_id(name) == place_id("Cafe Luna")


def test_a_place_is_known_by_itself_and_its_parts() -> None:
    expected = sorted(map(place_id, ("Cafe Luna, Paris, France", "Cafe Luna", "Paris", "France")))
    ids = place_ids("Cafe Luna, Paris, France", "")
    assert ids.dtype == np.uint64
    assert ids.tolist() == expected


@pytest.mark.parametrize("place", [None, "", " ", ","])
def test_no_place_has_no_parts(place: str | None) -> None:
    assert len(place_ids(place, "nothing here")) <= 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I moved to Berlin, Germany. It is cold.", {"Berlin", "Germany"}),
        ("We met near the Golden Gate Bridge with Anna.", {"Golden Gate Bridge"}),
        ("I talked to Anna about the University of Oxford", set()),
        ("a flight from Paris to New York", {"Paris", "New York"}),
        ("I'm from Sweden", {"Sweden"}),
        ("In Paris, Anna said hi", {"Paris"}),
        ("In May, in French, at Christmas, at Noon", set()),
        ("I was at the gym and later in my garden", {"gym", "garden"}),
        ("We are visiting São Paulo!", {"São Paulo"}),
        ("He lives in St. Louis.", {"St. Louis"}),
        ("tell me about May", set()),
        ("住在北京", set()),
    ],
)
def test_places_that_a_text_names(text: str, expected: set[str]) -> None:
    assert set(places(text)) == expected


def test_a_question_in_lower_case_may_name_a_place() -> None:
    asked = set(asked_place_ids("what did i eat in the san francisco bay").tolist())
    assert {place_id("san francisco"), place_id("San Francisco Bay")} <= asked


@given(ANY_TEXT, ANY_TEXT)
def test_any_text_has_distinct_sorted_ids(place: str, text: str) -> None:
    for ids in (place_ids(place, text), asked_place_ids(text)):
        assert ids.tolist() == sorted(set(ids.tolist()))
        assert len(ids) <= 64
    assert 0 <= place_id(text) < 2**64


@pytest.mark.parametrize(
    "unit", ["in A", "in ", "A ", "from A to ", "in A of of ", "A-", "a.", "in A, ", "go to ", "in the "]
)
def test_long_texts_take_linear_time(unit: str) -> None:
    assert_linear(
        lambda text: (place_ids(None, text), asked_place_ids(text)), lambda size: unit * (size // len(unit)), 131_072
    )
