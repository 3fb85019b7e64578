"""The job `rewind`: every memory of a namespace as it was at a moment, from the versions that the database keeps.

For when somebody, or some agent, has spoilt a namespace: the other namespaces go on, which a restored backup would not
let them. Nothing is deleted: what was edited or hidden since gets one more version, which says what the old one said,
with its text, analysis and vectors; what was written since is forgotten, which `restore` takes back. So an undo takes
all of it back. What was erased stays erased: nothing is left of it to bring back.

Not rewound: links, feedback and uses, which have no versions; merges, whose members stand by themselves afterwards; and
memories under a legal hold, which stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, and_, or_, select, update

from gpu.bank.records import State
from lifecycle.policy import Policy
from lifecycle.steps import BY, Aim, Step
from memsvc.memories import merged, superseded
from memsvc.memories import repository as memories
from memsvc.memories.draft import DESCRIBED, pair_bytes
from memsvc.memories.ledger import Ledger, Stored
from memsvc.models.conditions import VERSION_AMONG, among
from memsvc.models.tables import MEMORY, VERSION
from memsvc.namespaces.repository import NamespaceRow

KIND = "rewind"
_REWIND, _HIDE = "rewind", "hide"
_REASON = "rewound"


@dataclass(frozen=True, slots=True)
class Rewind:
    """The job; see `memsvc.jobs.work.Work` and `Dated`.

    Attributes:
        moment: to which; None only for what needs none.
    """

    moment: datetime | None = None

    @property
    def kind(self) -> str:
        """See `Task`."""
        return KIND

    @property
    def is_bounded(self) -> bool:
        """See `Task`: half of a namespace at one moment and half at another is of use to nobody."""
        return False

    def at(self, moment: datetime) -> Rewind:
        """See `Dated`."""
        return Rewind(moment)

    def plan(self, connection: Connection, namespace: NamespaceRow, policy: Policy, now: datetime) -> Aim:
        """See `Task`. What was written or changed after the run began is none of its business."""
        if self.moment is None:
            raise ValueError("a rewind needs a moment")
        then = VERSION.alias("then")
        query = (
            select(
                *(MEMORY.c[name] for name in ("id", "version", "content_version", "merged_into", "legal_hold")),
                *(MEMORY.c[name].label(f"now_{name}") for name in DESCRIBED),
                then.c.version.label("then_version"),
                then.c.content_version.label("then_content_version"),
                *(then.c[name].label(f"then_{name}") for name in DESCRIBED),
            )
            .outerjoin(
                then,
                and_(
                    then.c.tenant_id == MEMORY.c.tenant_id,
                    then.c.memory_id == MEMORY.c.id,
                    then.c.recorded_from <= self.moment,
                    or_(then.c.recorded_to.is_(None), then.c.recorded_to > self.moment),
                ),
            )
            .where(
                MEMORY.c.tenant_id == namespace.tenant_id,
                MEMORY.c.namespace_id == namespace.id,
                MEMORY.c.updated_at > self.moment,
                MEMORY.c.updated_at <= now,
            )
            .order_by(MEMORY.c.id)
        )
        changed = [(row, step) for row in connection.execute(query) if (step := _step(row._mapping)) is not None]
        steps = [step for row, step in changed if not row.legal_hold]
        newer = memories.superseders(
            connection, namespace.tenant_id, [row.id for row, _ in changed if row.now_state == State.SUPERSEDED],
            by_jobs=True,
        )  # fmt: skip
        report = {
            "rewound": sum(step.action == _REWIND for step in steps),
            "hidden": sum(step.action == _HIDE for step in steps),
            "held": len(changed) - len(steps),
        }
        return Aim([_because(step, newer.get(step.memory_id, set())) for step in steps], report)

    def apply(self, ledger: Ledger, steps: Sequence[Step], policy: Policy, now: datetime) -> Sequence[Step]:
        """See `Task`. A memory that was changed or put under a hold meanwhile is left to the next plan."""
        return _put_back(ledger, steps, lambda step: step.why.get("version"))

    def revert(self, ledger: Ledger, steps: Sequence[Step]) -> Sequence[Step]:
        """See `Work`: what was hidden is shown again, and what was rewound says again what it said last."""
        done = _put_back(ledger, steps, lambda step: step.after["version"])
        for step in done:
            if BY in step.why and memories.by_ids(ledger.connection, *ledger.namespace.key, [UUID(step.why[BY])]):
                superseded.relink(ledger, step.memory_id, UUID(step.why[BY]))
        return done


def _step(row: RowMapping) -> Step | None:
    """What has to be done to a memory; None for one that is as it was."""
    if row["now_state"] == State.QUARANTINED:
        return None  # only an admin lets it out
    if row["then_version"] is None:
        if row["now_state"] == State.FORGOTTEN:
            return None
        return Step(row["id"], _HIDE, {"version": row["version"]}, {"version": row["version"] + 1})
    then = _by_itself({name: row[f"then_{name}"] for name in DESCRIBED})
    now = _by_itself({name: row[f"now_{name}"] for name in DESCRIBED})
    if then == now and row["then_content_version"] == row["content_version"]:
        return None
    why = {"version": row["then_version"]}
    return Step(row["id"], _REWIND, {"version": row["version"]}, {"version": row["version"] + 1}, why)


def _by_itself(values: dict[str, Any]) -> dict[str, Any]:
    """Described columns of a memory that is merged into no other."""
    return {**values, "state": int(State.ACTIVE)} if values["state"] == State.MERGED else values


def _because(step: Step, newer: Iterable[UUID]) -> Step:
    """The step with the memory whose claim it takes the precedence from, so that an undo gives it back."""
    first = min(newer, default=None)
    if first is None:
        return step
    return Step(step.memory_id, step.action, step.before, step.after, {**step.why, BY: str(first)})


def _put_back(ledger: Ledger, steps: Sequence[Step], version_of: Callable[[Step], int | None]) -> list[Step]:
    """Gives memories one more version each, which says what an earlier one said; without one, hides them.

    Returns:
        What was done, with the version that it made.
    """
    key = ledger.namespace.key
    stored = memories.by_ids(ledger.connection, *key, [step.memory_id for step in steps])
    right = [step for step in steps if _is_as_planned(stored.get(step.memory_id), step)]
    if merged.stand_alone(ledger, [stored[step.memory_id] for step in right]):
        stored = memories.by_ids(ledger.connection, *key, [step.memory_id for step in right])
    wanted = [(step.memory_id, version) for step in right if (version := version_of(step)) is not None]
    query = select(VERSION).where(VERSION.c.tenant_id == key[0], VERSION_AMONG)
    rows = ledger.connection.execute(query, among(wanted)) if wanted else ()
    then = {row.memory_id: row._mapping for row in rows}
    done = []
    for step in right:
        memory = stored[step.memory_id]
        row = then.get(step.memory_id)
        if row is None and version_of(step) is not None:
            continue  # no such version: left, and said so
        values = {**memory.described, "state": int(State.FORGOTTEN)}
        if row is not None:
            values = _by_itself({name: row[name] for name in DESCRIBED})
        if memory.row["state"] == State.SUPERSEDED and values["state"] != State.SUPERSEDED:
            superseded.relink(ledger, memory.id, None)
        if memory.row["evicted"] and values["state"] != State.ARCHIVED:
            _no_longer_evicted(ledger, memory)
        made = ledger.revise(
            memory, values, None, None, pair_bytes(values, memory.row["external_id"]), _REASON,
            text_of=None if row is None else row["content_version"],
        )  # fmt: skip
        done.append(Step(step.memory_id, step.action, step.before, {**step.after, "version": made}, step.why))
    return done


def _is_as_planned(memory: Stored | None, step: Step) -> bool:
    return memory is not None and memory.row["version"] == step.before["version"] and not memory.row["legal_hold"]


def _no_longer_evicted(ledger: Ledger, memory: Stored) -> None:
    ledger.connection.execute(
        update(MEMORY)
        .where(MEMORY.c.tenant_id == ledger.namespace.tenant_id, MEMORY.c.id == memory.id)
        .values(evicted=False)
    )
