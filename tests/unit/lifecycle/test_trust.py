"""Tiers of trust: their order, what sources claim, and whose words a memory holds."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.trust import Trust, claimed, lesser, origin, tier


def test_tiers_are_ordered_and_told_by_their_rank() -> None:
    ranks = [one.rank for one in Trust]
    assert ranks == sorted(ranks, reverse=True)
    assert [tier(one.rank) for one in Trust] == list(Trust)
    assert (tier(0.9), tier(-1.0), tier(5.0)) == (Trust.EXTERNAL, Trust.EXTERNAL, Trust.TRUSTED)
    assert lesser(Trust.AGENT, Trust.TRUSTED, Trust.EXTERNAL) is Trust.EXTERNAL


@pytest.mark.parametrize(
    ("source", "claim"),
    [
        (None, None),
        ({}, None),
        ({"type": "poem"}, None),
        ({"type": 7, "trust": ["trusted"]}, None),
        ({"type": "WEB"}, Trust.EXTERNAL),
        ({"trust": "trusted"}, Trust.TRUSTED),
        ({"type": "web", "trust": "trusted"}, Trust.EXTERNAL),
        ({"type": "operator", "trust": "agent"}, Trust.AGENT),
    ],
)
def test_what_a_source_claims(source: dict[str, Any] | None, claim: Trust | None) -> None:
    assert claimed(source) is claim


@pytest.mark.parametrize(
    ("source", "whose"),
    [
        (None, "key:ada"),
        ({"uri": "https://A.example:8/x"}, "source:a.example"),
        ({"url": "file:///etc/x"}, "source:file:///etc/x"),
        ({"uri": "http://[bad", "name": "n"}, "source:http://[bad"),
        ({"name": "press"}, "source:press"),
        ({"id": 7}, "key:ada"),
    ],
)
def test_whose_words_they_are(source: dict[str, Any] | None, whose: str) -> None:
    assert origin(source, "ada", Trust.AGENT) == whose
    assert origin(source, "ada", Trust.EXTERNAL) == "key:ada"
    assert len(origin({"name": "x" * 9_999}, "ada", Trust.AGENT)) == 256
