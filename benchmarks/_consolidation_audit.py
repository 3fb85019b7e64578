"""Looks at what `kill_consolidation` left behind, by SQL and its log alone."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from sqlalchemy import Connection, select

from benchmarks._audit import faults
from memsvc.models import ChangeOp
from memsvc.models.tables import CHANGE, LINK, MEMORY, VERSION

_TOKEN = re.compile(r"m(\d+)v(\d+)")
Token = tuple[int, int]
"""Number of a memory, and of its text."""


@dataclass
class _Known:
    """What the log allows a memory to be: texts, and whether it may be gone."""

    texts: set[int] = field(default_factory=set)
    may_be_gone: bool = True


def broken(connection: Connection, log: Path, start: Mapping[int, int]) -> dict[str, int]:
    """Promises that were broken, with how often; empty if all were kept.

    Args:
        start: the memories that were there first, and the texts that they had.
    """
    found = Counter(faults(connection))
    written = connection.execute(
        select(VERSION.c.memory_id, VERSION.c.version, VERSION.c.content, VERSION.c.derived, CHANGE.c.seq)
        .join(CHANGE, (CHANGE.c.tenant_id == VERSION.c.tenant_id) & (CHANGE.c.memory_id == VERSION.c.memory_id)
              & (CHANGE.c.version == VERSION.c.version) & (CHANGE.c.op == int(ChangeOp.PUT)))
        .where(VERSION.c.content.is_not(None))
        .order_by(CHANGE.c.seq)
    ).all()  # fmt: skip
    texts: defaultdict[UUID, list[tuple[int, set[Token]]]] = defaultdict(list)
    for row in written:
        texts[row.memory_id].append((row.seq, _tokens(row.content)))
    found.update(_of_gists(connection, texts))
    said = Counter(token for row in written if row.derived is None for token in _tokens(row.content))
    there = {row.memory_id: row for row in written if row.derived is None}
    stands = {number: text for row in there.values() for number, text in _tokens(row.content)}
    found.update(_of_clients(log, start, stands))
    known = {number for number, _ in said}
    told = {token for row in written if row.derived is not None for token in _tokens(row.content)}
    found["a gist with words of an erased memory"] += sum(number not in known for number, _ in told)
    return {name: count for name, count in found.items() if count}


def _of_gists(connection: Connection, texts: Mapping[UUID, list[tuple[int, set[Token]]]]) -> dict[str, int]:
    """A gist says what all that it is linked to said when it was written: by the order of the change log."""
    below: defaultdict[UUID, set[UUID]] = defaultdict(set)
    for made, source in connection.execute(
        select(LINK.c.from_id, LINK.c.to_id).where(LINK.c.relation == "derived_from")
    ):
        below[made].add(source)
    found = Counter[str]()
    for row in connection.execute(select(MEMORY.c.id, MEMORY.c.source).where(MEMORY.c.derived.is_not(None))):
        found["a gist in part"] += row.source["sources"] != len(below[row.id])
        seq, says = texts[row.id][-1]
        expected: set[Token] = set()
        for source in below[row.id]:
            before = [tokens for at, tokens in texts[source] if at < seq]
            expected |= before[-1] if before else set()
        found["a gist of something else than its sources were"] += says != expected
    return found


def _of_clients(log: Path, start: Mapping[int, int], stands: Mapping[int, int]) -> dict[str, int]:
    known: defaultdict[int, _Known] = defaultdict(_Known)
    for number, text in start.items():
        known[number] = _Known({text}, may_be_gone=False)
    gone = set()
    for line in log.read_text().splitlines():
        match line.split():
            case ["adding" | "editing", number, text]:
                known[int(number)].texts.add(int(text))
            case ["added" | "edited", number, text]:
                known[int(number)] = _Known({int(text)}, may_be_gone=False)
            case ["erasing", number]:
                known[int(number)].may_be_gone = True
            case ["erased", number]:
                gone.add(int(number))
    return {
        "an erasure that is lost": len(gone & stands.keys()),
        "a write that is lost": sum(
            number not in stands and not one.may_be_gone for number, one in known.items() if number not in gone
        ),
        "a text that nobody wrote last": sum(text not in known[number].texts for number, text in stands.items()),
    }


def _tokens(text: str) -> set[Token]:
    return {(int(number), int(version)) for number, version in _TOKEN.findall(text)}
