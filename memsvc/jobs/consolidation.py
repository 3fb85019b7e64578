"""The job `consolidate`: what several episodes amount to becomes a memory of its own; see `lifecycle.derivation`.

What should be is worked out from all memories each time, and only what differs is written. A memory that is there is
the one that should be if it is made of the same, and is revised if it gained sources or one of them was corrected. If
it lost one it is erased and made anew under another id: no version keeps words of what it has no link to any more. What
somebody edited, pinned or hid is theirs, and stays.

Texts are worded and read by the model between plan and transaction (`prepare`); the transaction checks that every
source is what it was when they were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from lifecycle.derivation import ROLLUPS, Derivation, derivations
from lifecycle.extract import Said
from lifecycle.policy import Policy
from lifecycle.steps import Step
from lifecycle.summariser import Summariser
from memsvc.core.ids import new_id
from memsvc.core.secrets import Secrets
from memsvc.filters.values import DECIMALS
from memsvc.jobs.derivation_plan import MAKE, Making, Member, Plan, Worded, shown
from memsvc.memories import derived
from memsvc.memories import repository as memories
from memsvc.memories.derived import There
from memsvc.memories.draft import Circumstances, Draft, LinkDraft, Prepared, described
from memsvc.memories.ledger import Ledger, Stored
from memsvc.memories.prepare import Preparer
from memsvc.memories.residue import tombstone
from memsvc.memories.vetting import doubts
from memsvc.memories.write import pair_bytes
from memsvc.models import Relation
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow

KIND = "consolidate"
_ROLLUP_STABILITY_S = 90 * 86_400.0
"""A roll-up is there to outlast what it was made of: it begins as what is held true does."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What texts are made with."""

    preparer: Preparer
    summariser: Summariser
    secrets: Secrets


class Consolidate:
    """The job; see `memsvc.jobs.work.Work` and `Prepares`.

    Args:
        tools: asked for when there is something to do: a process that only does other work needs no model.
    """

    kind = KIND
    is_bounded = True

    def __init__(self, tools: Callable[[], Tools]) -> None:
        self._tools = tools

    @property
    def most_at_once(self) -> int:
        """See `Prepares`."""
        return self._tools().summariser.most_at_once

    def plan(self, connection: Connection, namespace: NamespaceRow, policy: Policy, now: datetime) -> Sequence[Step]:
        """See `Work`. First what is to go, then what is to come, each after what it is made of."""
        tools = self._tools()
        for space_id in namespace.spaces:
            tools.preparer.embedders.of(space_id)  # before there is anything to word
        sources = list(derived.sources(connection, namespace, now))
        wanted = derivations(sources, policy.gists, now, tools.summariser.name)
        return Plan(derived.there(connection, namespace)).steps(wanted)

    def prepare(
        self, read: Callable[[], AbstractContextManager[Connection]], namespace: NamespaceRow, steps: Sequence[Step]
    ) -> Sequence[Step]:
        """See `Prepares`. A step whose sources are gone by now is left as it is, and not done."""
        tools, making = self._tools(), [step for step in steps if isinstance(step, Making)]
        ids = {member.id for step in making for member in step.members} | {step.memory_id for step in making}
        with read() as connection:
            stored = memories.by_ids(connection, *namespace.key, ids)
            spaces = tools.preparer.spaces(namespaces.get(connection, *namespace.key))
        said = {memory.id: Said(memory.content, memory.row["speaker"]) for memory in stored.values()}
        texts: dict[UUID, str] = {}
        for step in making:
            members = [said.get(member.id) for member in step.members]
            told = [one for one in members if one is not None]
            if len(told) == len(members):
                texts[step.memory_id] = step.derivation.text or tools.summariser.summarise(told, step.derivation.words)
                said[step.memory_id] = Said(texts[step.memory_id], step.derivation.speaker)
        drafts = {
            step.memory_id: Draft(texts[step.memory_id], _values(step.derivation, step.members))
            for step in making
            if step.memory_id in texts
        }
        new = {made: draft for made, draft in drafts.items() if not _says(stored.get(made), draft)}
        prepared = dict(zip(new, tools.preparer.prepare(list(new.values()), None, spaces), strict=True))
        return [
            replace(step, worded=Worded(texts[step.memory_id], _kept(step.derivation, prepared.get(step.memory_id))))
            if isinstance(step, Making) and step.memory_id in texts
            else step
            for step in steps
        ]

    def apply(self, ledger: Ledger, steps: Sequence[Step], policy: Policy, now: datetime) -> Sequence[Step]:
        """See `Work`. Every source is looked at again: what is made of something else than it is now is not written.

        So is nothing of what was read for other embedding spaces than the namespace has by now.
        """
        tools = self._tools()
        ids = {step.memory_id for step in steps}
        ids |= {member.id for step in steps if isinstance(step, Making) for member in step.members}
        stored = memories.by_ids(ledger.connection, *ledger.namespace.key, ids)
        there = derived.there(ledger.connection, ledger.namespace, ids)
        made: dict[UUID, bytes] = {}
        done = []
        for step in steps:
            known = there.get(step.memory_id)
            if known is not None and (known.is_held or shown(known) != step.before):
                continue
            if isinstance(step, Making):
                stand = (_stands(one, stored.get(one.id), there.get(one.id), made, now) for one in step.members)
                is_new = step.action == MAKE
                if is_new != (known is None) or not all(stand) or not _write(ledger, step, stored.get(step.memory_id)):
                    continue
                made[step.memory_id] = step.derivation.digest
            elif known is not None:
                _erase(ledger, tools, step.memory_id)
            else:
                continue
            done.append(step)
        return done

    def revert(self, ledger: Ledger, steps: Sequence[Step]) -> Sequence[Step]:
        """See `Work`. What a run wrote is erased: what a gist said before it was corrected is not true any more."""
        there = derived.there(ledger.connection, ledger.namespace, {step.memory_id for step in steps})
        done = []
        for step in steps:
            known = there.get(step.memory_id)
            if known is None or known.is_held or shown(known) != step.before:
                continue
            _erase(ledger, self._tools(), step.memory_id)
            done.append(step)
        return done


def _kept(one: Derivation, prepared: Prepared | None) -> Prepared | None:
    """What is stored of a text that was read.

    A roll-up has no token codes. They would take most of its bytes in the bank, to judge it word by word; what it leads
    to is judged so itself.
    """
    if prepared is None or one.level not in ROLLUPS:
        return prepared
    return replace(prepared, encoding=prepared.encoding.without_tokens())


def _erase(ledger: Ledger, tools: Tools, memory_id: UUID) -> None:
    ledger.erase({memory_id: tombstone(tools.secrets, memory_id)}, new_id())


def _says(stored: Stored | None, draft: Draft) -> bool:
    """Whether a memory says already what it is to say, in the same circumstances."""
    if stored is None or stored.content != draft.content:
        return False
    return Circumstances.of(stored.row) == Circumstances.of(draft.fields)


def _values(one: Derivation, members: Sequence[Member]) -> dict[str, Any]:
    """Its described columns."""
    user_id, agent_id = one.scope
    numbers = {"support": one.support, "success": one.success}
    return described(
        {
            "kind": int(one.kind),
            "user_id": user_id,
            "agent_id": agent_id,
            "speaker": one.speaker,
            "outcome": None if one.success is None else "success",
            "occurred_at": one.occurred_at,
            "expires_at": one.expires_at,
            "importance": round(one.importance, DECIMALS),
            "trust": one.trust,
            "derived": one.level.value,
            "origin": f"job:{KIND}",
            "source": {
                "job": KIND,
                "sources": len(members),
                "digest": one.digest.hex(),
                **{name: number for name, number in numbers.items() if number is not None},
            },
        }
    )


def _stands(
    member: Member, stored: Stored | None, there: There | None, made: Mapping[UUID, bytes], now: datetime
) -> bool:
    """Whether what a memory is made of is still what it was."""
    if member.id in made:
        return made[member.id] == member.digest
    if stored is None or stored.is_expired(now):
        return False
    if there is not None:
        return not there.is_hidden and (member.digest is None or there.digest == member.digest.hex())
    return derived.is_source(stored, now) and derived.source(stored).digest == member.digest


def _flags(ledger: Ledger, step: Making, worded: Worded, stored: Stored | None) -> list[str]:
    """What its sources are flagged for, and what was noticed in its own words, or is of those that stay."""
    sources = derived.flags_of(ledger.connection, ledger.namespace.tenant_id, [one.id for one in step.members])
    if worded.prepared is not None:
        return sorted({*sources, *worded.prepared.findings})
    return sorted({*sources, *(() if stored is None else doubts(stored.row["flags"]))})


def _write(ledger: Ledger, step: Making, stored: Stored | None) -> bool:
    """Makes or revises a memory; False without a text, or if what is there cannot be revised to it."""
    one, worded = step.derivation, step.worded
    if worded is None or (worded.prepared is not None and not ledger.takes(worded.prepared.encoding)):
        return False
    values = _values(one, step.members)
    values["flags"] = _flags(ledger, step, worded, stored)
    pairs = pair_bytes(values, None)
    if stored is None:
        if worded.prepared is None:
            return False
        stability_s = _ROLLUP_STABILITY_S if one.level in ROLLUPS else None
        ledger.create(step.memory_id, None, values, worded.text, worded.prepared, pairs, stability_s)
    else:
        if worded.prepared is None and worded.text != stored.content:
            return False
        values = {**values, "state": stored.row["state"]}
        text = None if worded.prepared is None else worded.text
        ledger.revise(stored, values, text, worded.prepared, pairs, "consolidated")
    ledger.link(step.memory_id, [LinkDraft(Relation.DERIVED_FROM, member.id) for member in step.members])
    return True
