"""Real sets as callers of the service would bring them: what is written, what is asked, and in which order.

The sets are not part of this repository. A set is a folder with `corpus.jsonl.gz` and `queries.jsonl.gz`; the folder of
all of them is given with `--data` or MEMSVC_BENCH_DATA. Labels are never sent: of the metadata of a row, only what a
caller would know (`SENT`). Answers and metadata of questions are not sent either.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.models_data import SETS, DataSet, load

Json = dict[str, Any]

AVERAGED = SETS
"""The sets over which figures are averaged; the others are judged by figures of their own."""
SENT = frozenset({"session", "speaker", "session_index"})
UNANSWERABLE = "adversarial"
"""Type of questions that nothing in the set answers: left out of recall, asked for the confidence."""
VARIABLE = "MEMSVC_BENCH_DATA"


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a set.

    Attributes:
        gold: ids of the right rows.
        outdated: ids of rows that a right one has replaced, where the set marks them.
    """

    id: str
    type: str
    namespace: str
    text: str
    asked_at: str | None
    gold: frozenset[str]
    outdated: frozenset[str]

    @property
    def is_answerable(self) -> bool:
        """Whether the set holds an answer."""
        return self.type != UNANSWERABLE

    def body(self, namespace: str, **more: Any) -> Json:
        """As `/v1/recall` takes it."""
        now = {} if self.asked_at is None else {"asked_at": utc(self.asked_at)}
        return {"namespace": namespace, "query": self.text, **now, **more}


@dataclass(frozen=True, slots=True)
class Step:
    """Rows to write into a namespace, and the questions that are asked once they are there."""

    namespace: str
    rows: tuple[Json, ...]
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Set:
    """A set, in the order in which it is played.

    Attributes:
        grows: whether rows are written between the questions, so that each profile needs namespaces of its own.
    """

    name: str
    steps: tuple[Step, ...]
    grows: bool

    def part(self, number: int, parts: int) -> Set:
        """One of the parts into which several servers share the set.

        All rows and every `parts`-th question from `number` on; of a set that grows every `parts`-th namespace.
        """
        if self.grows:
            names = list(dict.fromkeys(step.namespace for step in self.steps))[number::parts]
            return replace(self, steps=tuple(step for step in self.steps if step.namespace in names))
        places = itertools.count()
        steps = [
            replace(step, questions=tuple(q for q in step.questions if next(places) % parts == number))
            for step in self.steps
        ]
        return replace(self, steps=tuple(steps))


def read(folder: Path, limit: int | None = None) -> Set:
    """A set from its folder.

    Args:
        limit: keep about so many questions, evenly over the set, and all rows of the namespaces that they ask.
    """
    data = load(folder)
    every = 1 if limit is None else max(1, len(data.queries) // limit)
    steps = tuple(_steps(data, set(range(0, len(data.queries), every))))
    return Set(folder.name, steps, len(steps) > len({step.namespace for step in steps}))


def _steps(data: DataSet, kept: set[int]) -> Iterator[Step]:
    asked_of = {data.queries[at]["namespace"] for at in kept}
    for episode in data.episodes:
        if episode.namespace not in asked_of:
            continue
        rows = sorted(episode.added, key=lambda at: _session(data.corpus[at]))  # stable: as they stand within a session
        questions = tuple(_question(data.queries[at]) for at in episode.asked if at in kept)
        yield Step(episode.namespace, tuple(memory(data.corpus[at]) for at in rows), questions)


def _session(row: Json) -> int:
    return int((row.get("metadata") or {}).get("session_index") or 0)


def _question(query: Json) -> Question:
    return Question(
        id=query["id"],
        type=query.get("type") or "",
        namespace=query["namespace"],
        text=query["text"],
        asked_at=query.get("asked_at"),
        gold=frozenset(query["gold"]),
        outdated=frozenset((query.get("metadata") or {}).get("superseded") or ()),
    )


def memory(row: Json) -> Json:
    """A row as `/v1/memories:batch` takes it."""
    body = {"content": row["content"], "kind": row["kind"], "external_id": row["id"]}
    if row.get("occurred_at"):
        body["occurred_at"] = utc(row["occurred_at"])
    known = {name: value for name, value in (row.get("metadata") or {}).items() if name in SENT}
    return {**body, "metadata": known} if known else body


def utc(stamp: str) -> str:
    """A time with a zone: UTC where the set gives none."""
    return stamp if stamp.endswith("Z") or "+" in stamp[10:] else stamp + "+00:00"


def add_options(parser: argparse.ArgumentParser) -> None:
    """`--data`, `--set` and `--limit`."""
    parser.add_argument("--data", type=Path, help=f"folder of the sets; default: {VARIABLE} of the environment")
    parser.add_argument("--set", action="append", help="one of the sets; default: all")
    parser.add_argument("--limit", type=int, help="about so many questions of each set")


def folders(options: argparse.Namespace) -> list[Path]:
    """Folders of the sets that are asked for; ends the command with code 2 and what to do if they are not there."""
    named = options.data or os.environ.get(VARIABLE)
    if not named:
        print(f"where are the sets? Give their folder with --data or {VARIABLE}", file=sys.stderr)
        sys.exit(2)
    there = {path.parent.name: path.parent for path in sorted(Path(named).glob("*/queries.jsonl.gz"))}
    wanted = options.set or list(there)
    if missing := [name for name in wanted if name not in there]:
        print(f"not in {named}: {', '.join(missing)}", file=sys.stderr)
        sys.exit(2)
    if not there:
        print(f"{named} holds no folder with queries.jsonl.gz", file=sys.stderr)
        sys.exit(2)
    return [there[name] for name in wanted]
