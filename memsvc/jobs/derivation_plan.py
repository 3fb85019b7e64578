"""What the job `consolidate` is to do: what should be beside what is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from lifecycle.derivation import ROLLUPS, Derivation, Source
from lifecycle.matching import matches
from lifecycle.policy import Derived
from lifecycle.steps import BY, Step
from memsvc.core.ids import new_id
from memsvc.memories.derived import There
from memsvc.memories.draft import Prepared

MAKE, REVISE, REMOVE = "make", "revise", "remove"


@dataclass(frozen=True, slots=True)
class Member:
    """What a memory is made of, as the plan saw it; the digest is None for one that somebody else looks after."""

    id: UUID
    digest: bytes | None


@dataclass(frozen=True, slots=True)
class Worded:
    """What a memory is to say; without `prepared` it says that already."""

    text: str
    prepared: Prepared | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Making(Step):
    """A step that makes or revises a memory; `worded` is there once it is prepared."""

    derivation: Derivation
    members: tuple[Member, ...]
    worded: Worded | None = None


class Plan:
    """Brings what should be and what is there together."""

    def __init__(self, there: Mapping[UUID, There]) -> None:
        self._there = there
        self._ids: dict[Derivation, UUID | None] = {}
        self._held: set[UUID] = set()
        self._anchors: set[UUID] = set()

    def steps(self, wanted: Iterable[Derivation]) -> list[Step]:
        """First what is to go, from the top down, then what is to come, each after what it is made of."""
        by_level: dict[Derived, list[Derivation]] = {level: [] for level in Derived}
        for one in wanted:
            by_level[one.level].append(one)
        making: list[Step] = []
        kept: set[UUID] = set()
        for level in (Derived.FACT, Derived.PROCEDURE, *ROLLUPS):
            making += self._level(by_level[level], level, kept)
        going = [one for one in self._there.values() if one.id not in kept and not one.is_held]
        return [Step(one.id, REMOVE, shown(one), {}) for one in sorted(going, key=_from_the_top)] + making

    def _level(self, wanted: Sequence[Derivation], level: Derived, kept: set[UUID]) -> list[Step]:
        """Steps of one level; all below it are known."""
        members = [self._members(one) for one in wanted]
        there = {one.id: one.sources for one in self._there.values() if one.level is level}
        found = matches([frozenset(member.id for member in part) for part in members], there)
        steps = []
        for place, (one, part) in enumerate(zip(wanted, members, strict=True)):
            known = self._there[found[place]] if place in found else None
            if known is not None and known.is_held:
                kept.add(known.id)
                self._held.add(known.id)
                self._ids[one] = None if known.is_hidden else known.id
            elif part:
                steps += self._step(one, part, known, kept)
        return steps

    def _step(self, one: Derivation, members: tuple[Member, ...], known: There | None, kept: set[UUID]) -> list[Step]:
        stays = known is not None and known.is_whole and known.sources <= {member.id for member in members}
        self._ids[one] = made = known.id if known is not None and stays else new_id()
        before = shown(known) if known is not None and stays else {}
        if before:
            kept.add(made)
        after = {"level": one.level.value, "sources": len(members), "digest": one.digest.hex()}
        if before == after:
            return []
        numbers = {"support": one.support, "success": one.success, "trust": one.trust}
        why = {name: number for name, number in numbers.items() if number is not None}
        return [
            Making(
                made,
                REVISE if before else MAKE,
                before,
                after,
                {**why, BY: str(self._anchor(one))},
                derivation=one,
                members=members,
            )
        ]

    def _members(self, one: Derivation) -> tuple[Member, ...]:
        """What a memory is made of, but for what somebody hid."""
        found = []
        for piece in one.below:
            made = piece.id if isinstance(piece, Source) else self._ids.get(piece)
            if made is not None:
                found.append(Member(made, None if made in self._held else piece.digest))
        return tuple(found)

    def _anchor(self, one: Derivation) -> UUID:
        """The source that a report names: one that it has named for nothing else, if there is one."""
        leaves = [leaf.id for leaf in one.leaves()]
        free = next((leaf for leaf in leaves if leaf not in self._anchors), leaves[0])
        self._anchors.add(free)
        return free


def _from_the_top(one: There) -> tuple[int, UUID]:
    """What was made of others goes before them."""
    return -list(Derived).index(one.level) if one.level in ROLLUPS else 0, one.id


def shown(one: There) -> dict[str, Any]:
    """A memory as a report has it."""
    return {"level": one.level.value, "sources": len(one.sources), "digest": one.digest}
