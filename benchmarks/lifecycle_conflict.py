"""What the rules that find outdated memories make of texts with known contradictions, and of texts without.

Of a set whose questions name outdated facts (`metadata.superseded`): the share of these questions whose outdated facts
are all found and whose right answers all stay; right answers that are wrongly found, also of questions without a
contradiction. Of any other set every pair that is found is written out, to be judged by reading. Nothing but the text,
the speaker and the time of a memory is read.

Run: OMP_NUM_THREADS=1 python -m benchmarks.lifecycle_conflict --data FOLDER
"""

from __future__ import annotations

import argparse
import gzip
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from benchmarks._results import save
from lifecycle.conflict import Dated, Supersession, dated, supersessions

SETS = ("factconsolidation", "locomo_dev", "realmem")


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets")
    folder: Path = parser.parse_args().data
    figures = {name: measured(folder / name) for name in SETS}
    for name, found in figures.items():
        print(name, {key: value for key, value in found.items() if key != "pairs"})
    print(save("lifecycle_conflict", figures, command="python -m benchmarks.lifecycle_conflict --data FOLDER"))


def measured(folder: Path) -> dict[str, Any]:
    """Figures of one set."""
    rows = _lines(folder / "corpus.jsonl.gz")
    start = time.process_time()
    namespaces: defaultdict[str, list[Dated]] = defaultdict(list)
    for number, row in enumerate(rows):
        namespaces[row["namespace"]].append(_dated(number, row))
    found: dict[int, Supersession] = {}
    for memories in namespaces.values():
        found.update((memory.int, one) for memory, one in supersessions(memories).items())
    taken = time.process_time() - start
    figures: dict[str, Any] = {
        "memories": len(rows),
        "memories with claims": sum(bool(memory.claims) for part in namespaces.values() for memory in part),
        "superseded": len(found),
        "ms a memory": round(taken / len(rows) * 1e3, 3),
        "attributes": dict(Counter(e.older.label for one in found.values() for e in one.evidence).most_common()),
    }
    places = {row["id"]: number for number, row in enumerate(rows)}
    questions = _lines(folder / "queries.jsonl.gz")
    judged = _judged(questions, places, found)
    if judged:
        return {**figures, **judged}
    pairs = [
        {
            "older": rows[older]["content"],
            "newer": rows[one.newer.id.int]["content"],
            "why": one.evidence[0].older.label,
        }
        for older, one in sorted(found.items())
    ]
    return {**figures, "pairs": pairs}


def _judged(questions: list[dict[str, Any]], places: dict[str, int], found: dict[int, Supersession]) -> dict[str, Any]:
    """Whether the questions' outdated facts are found and their right answers are not; nothing if none names any."""
    outdated = [(q, q.get("metadata", {}).get("superseded", [])) for q in questions]
    marked = [(q, facts) for q, facts in outdated if facts]
    if not marked:
        return {}

    def is_found(facts: list[str]) -> list[bool]:
        return [places[fact] in found for fact in facts]

    right = [all(is_found(facts)) and not any(is_found(q["gold"])) for q, facts in marked]
    facts = {fact for _, of_one in marked for fact in of_one}
    gold = {fact for q in questions for fact in q["gold"]} - facts
    return {
        "questions with outdated facts": len(marked),
        "all outdated found, no answer": round(sum(right) / len(right), 4),
        "outdated facts": len(facts),
        "outdated facts found": round(sum(is_found(sorted(facts))) / len(facts), 4),
        "answers": len(gold),
        "answers wrongly found": sum(is_found(sorted(gold))),
    }


def _dated(number: int, row: dict[str, Any]) -> Dated:
    at = None if row["occurred_at"] is None else datetime.fromisoformat(row["occurred_at"])
    moment = at if at is None or at.tzinfo is not None else at.replace(tzinfo=UTC)
    speaker = (row.get("metadata") or {}).get("speaker")
    recorded_at = moment or datetime(2024, 1, 1, tzinfo=UTC)
    return dated(
        UUID(int=number), row["content"], speaker, valid_from=None, occurred_at=moment, recorded_at=recorded_at
    )


def _lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rb") as lines:
        return [orjson.loads(line) for line in lines]


if __name__ == "__main__":
    main()
