"""What the report says of the questions that were asked."""

from __future__ import annotations

import pytest

from benchmarks.quality.report import asked


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ({"profiles": {"fast": {"limit": None}, "thorough": {"limit": None}}}, ""),
        ({"profiles": {"fast": {"limit": 5}, "thorough": {"limit": 5}}}, ", about 5 questions of each set"),
        (
            {"profiles": {"fast": {"limit": None}, "balanced": {"limit": 5}, "thorough": {"limit": 5}}},
            ", about 5 questions of each set with balanced and thorough",
        ),
        ({"limit": 7}, ", about 7 questions of each set"),
        ({"limit": None}, ""),
    ],
)
def test_how_many_questions_were_asked_is_said(figures: dict[str, object], expected: str) -> None:
    assert asked({"figures": figures}) == expected
