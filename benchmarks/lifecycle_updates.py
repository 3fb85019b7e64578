"""How often free-form updates are recognised, and how often something is hidden that stays true.

1,000 pairs of texts in which the second changes what the first says, and 1,000 in which both stay true, made by
`benchmarks._updates` in two halves of different wording, go through the same rules as the job `conflict`. Figures are
by half and sort; of the first half, what was missed or wrongly hidden can be looked at.

Run: python -m benchmarks.lifecycle_updates [--show]
"""

from __future__ import annotations

import argparse
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from benchmarks import _updates
from benchmarks._results import save
from benchmarks._updates import Pair
from lifecycle.conflict import Dated, dated, supersession

NUMBER = 500
SEED = 18
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--show", action="store_true", help="print what went wrong in the first half")
    show = parser.parse_args().show
    figures: dict[str, Any] = {}
    for half in _updates.parts():
        updates, stays = _updates.updates(half, NUMBER, SEED), _updates.stays(half, NUMBER, SEED)
        figures[half] = {"updates": _figures(half, updates, "recognised"), "stays": _figures(half, stays, "hidden")}
        if half == "first":
            wrong = [pair for pair in (*updates, *stays) if is_superseded(half, pair) != pair.is_update]
            if show:
                for pair in wrong:
                    print(f"{pair.sort}: {pair.older!r} / {pair.newer!r}")
        print(half, figures[half])
    print(save("lifecycle_updates", figures, command="python -m benchmarks.lifecycle_updates", seed=SEED))


def is_superseded(half: str, pair: Pair) -> bool:
    """Whether the rules let the second text supersede the first."""
    speaker = _updates.SPEAKER[half]
    return supersession(_memory(1, pair.newer, speaker), _memory(0, pair.older, speaker)) is not None


def _figures(half: str, pairs: list[Pair], what: str) -> dict[str, Any]:
    found = Counter(pair.sort for pair in pairs if is_superseded(half, pair))
    every = Counter(pair.sort for pair in pairs)
    return {
        "pairs": len(pairs),
        "distinct": len({(pair.older, pair.newer) for pair in pairs}),
        f"{what} in percent": round(100 * sum(found.values()) / len(pairs), 2),
        "by sort in percent": {sort: round(100 * found[sort] / number, 1) for sort, number in every.items()},
    }


def _memory(number: int, text: str, speaker: str) -> Dated:
    at = _BEGIN + timedelta(days=number)
    return dated(UUID(int=number), text, speaker, valid_from=None, occurred_at=at, recorded_at=at)


if __name__ == "__main__":
    main()
