"""Changing one memory that is there: edit, forget, restore, erase."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from gpu.bank.records import State
from lifecycle.policy import Level
from lifecycle.retention import Grade
from memsvc.audit import trail
from memsvc.core.clock import Clock
from memsvc.core.errors import Conflict, NotFound, PreconditionFailed, ServiceError
from memsvc.core.secrets import Secrets
from memsvc.db.engine import Database
from memsvc.erasures.eraser import Eraser
from memsvc.index.keeper import Keeper
from memsvc.limits.limiter import Limiter
from memsvc.memories import merged, recalls, repository, superseded, withdrawal
from memsvc.memories.context import ATTEMPTS, NOTHING, Before, Befores, Readers, Reading, check
from memsvc.memories.draft import Circumstances, Draft, Encoding, Outdated
from memsvc.memories.ledger import OUT_OF_RECALLS, Ledger, Stored
from memsvc.memories.once import Claim, Once, Outcome
from memsvc.memories.prepare import Preparer
from memsvc.memories.residue import tombstone
from memsvc.memories.sequence import sequence_of
from memsvc.memories.vetting import vetted_again
from memsvc.memories.write import Author, Count, NewText, check_interval, lacking, revise, says_other
from memsvc.namespaces import policies
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow
from memsvc.screening.rules import Rules, in_force
from memsvc.screening.screen import flags_after, screened

_SHOWN = frozenset({State.ACTIVE, State.MERGED})
_HIDDEN = frozenset({State.FORGOTTEN}) | OUT_OF_RECALLS
_QUARANTINED = frozenset({State.QUARANTINED})
QUARANTINED, RELEASED = "quarantined", "unquarantined"
"""What the reasons of versions begin with that an admin put into quarantine, or let out of it."""
_TOLD = frozenset({"quarantine", "unquarantine"})
"""What the audit trail tells of: an admin decided what others see. An erasure tells of itself."""
_REASONS = {"forget": "forgotten", "restore": "restored"}

Allowed = Callable[[str], bool]
"""Whether the caller may touch a namespace of its tenant, by path."""


@dataclass(frozen=True, slots=True)
class _Read:
    """The text of an edit, what it was read after, and what was read again because of it."""

    text: NewText
    before: Before
    readings: Mapping[Reading, Encoding]


def _tried(attempt: Callable[[int], Outcome]) -> Outcome:
    """The outcome of the first attempt (they count from 1) during which the conversation stayed what it was.

    Raises:
        Conflict: there was none.
    """
    for number in range(1, ATTEMPTS + 1):
        try:
            return attempt(number)
        except Outdated:
            continue
    raise Conflict("the conversation went on at the same moment; try again")


def _check_hold(stored: Stored) -> None:
    """Refuses to hide or erase what has to be kept.

    Raises:
        Conflict: it is under a legal hold.
    """
    if stored.row["legal_hold"]:
        raise Conflict("the memory is under a legal hold; an admin can release it")


def _refusal(stored: Stored, states: frozenset[State], now: datetime) -> ServiceError:
    """Why a memory in another than the wanted states cannot be changed, to whoever may know that it is there."""
    state = State(stored.row["state"])
    if not stored.is_known(now) or states in (_HIDDEN, _QUARANTINED):
        return NotFound("there is no such memory")
    return Conflict(f"the memory is {state.name.lower()}; restore it first")


def _vetted(
    ledger: Ledger, stored: Stored, values: dict[str, Any], author: Author, findings: Sequence[str] | None
) -> dict[str, Any]:
    policy = policies.of(ledger.namespace)
    return vetted_again(stored.described, values, author.name, author.trust, findings, policy)


class Changer:
    """Changes single memories. One that is unknown, foreign, out of reach or forgotten raises the same `NotFound`."""

    def __init__(
        self,
        database: Database,
        once: Once,
        clock: Clock,
        preparer: Preparer,
        keeper: Keeper,
        eraser: Eraser,
        secrets: Secrets,
        count: Count,
        limiter: Limiter,
    ) -> None:
        self._database = database
        self._once = once
        self._clock = clock
        self._preparer = preparer
        self._keeper = keeper
        self._eraser = eraser
        self._secrets = secrets
        self._count = count
        self._limiter = limiter
        self._readers = Readers(preparer)

    def edit(
        self, author: Author, memory_id: UUID, allowed: Allowed, draft: Draft, if_match: int | None, claim: Claim | None
    ) -> Outcome:
        """Change what the draft names; without any difference no version is made.

        Raises:
            InvalidInput: what is named does not go with what is there.
            NotFound: there is no such active memory.
            PreconditionFailed: `if_match` is not its version.
            RateLimited, QuotaExceeded: the new text is more than the tenant or the key may write.
        """
        kept = self._once.replay(author.tenant_id, claim)
        if kept is not None:
            return kept

        def attempt(number: int) -> Outcome:
            seen = self._find(author, memory_id, allowed)  # before the model works: the id may be wrong
            namespace = self._namespace(author.tenant_id, seen)
            spaces = self._preparer.spaces(namespace)
            self._preparer.check_vector(draft, spaces[0])
            rules = in_force(self._preparer.screening, None if namespace is None else namespace.settings)
            said = screened(draft, rules)
            if number == 1 and said.content is not None and said.vector is None:
                self._limiter.embed(author.tenant_id, author.key_id, [said.content])
            read = self._read(author.tenant_id, seen, said, spaces, in_context=number < ATTEMPTS)

            def change(ledger: Ledger, stored: Stored) -> int:
                if read is None:
                    values = {**stored.described, **said.named(ledger.now)}
                    check_interval(values)
                    values["flags"] = flags_after(stored, said, rules)
                    findings = None
                    if says_other(stored, None, values):
                        findings = self._preparer.noticed(stored.content, Circumstances.of(values))
                    values = _vetted(ledger, stored, values, author, findings)
                    return revise(ledger, stored, values, None, self._preparer, "edited")
                return self._rewrite(ledger, author, stored, said, read, rules, is_last=number == ATTEMPTS)

            def parts(stored: Stored) -> bool:
                return says_other(stored, said.content, said.named(self._clock.now()))

            return self._apply(author, memory_id, allowed, _SHOWN, change, if_match, claim, "edit", parts)

        return _tried(attempt)

    def _read(
        self, tenant_id: UUID, seen: Stored, draft: Draft, spaces: Sequence[UUID], *, in_context: bool
    ) -> _Read | None:
        """Read the new text after what is before it, and again what was read after the old one."""
        content = draft.content
        if content is None:
            return None
        before, readings = NOTHING, list[Reading]()
        if in_context and self._preparer.reads_context:
            sequence = sequence_of(seen.row["session_id"], seen.row["metadata"])
            with self._database.read(tenant_id) as connection:
                if sequence is not None and draft.vector is None:
                    befores = Befores(connection, tenant_id, seen.row["namespace_id"], self._clock.now(), {})
                    before = befores.earlier(sequence, seen.id)
                if content != seen.content:
                    readings = self._readers.of_edited(connection, tenant_id, {seen.id: content})
        prepared = self._preparer.prepare([draft], [before.text], spaces, may_wait=True)[0]
        if prepared is None:
            raise RuntimeError("a draft with content was not prepared")
        encoding = replace(prepared.encoding, context_id=before.memory_id)
        text = NewText(content, replace(prepared, encoding=encoding))
        return _Read(text, before, self._readers.encode(readings))

    def _rewrite(
        self,
        ledger: Ledger,
        author: Author,
        stored: Stored,
        draft: Draft,
        read: _Read,
        rules: Rules,
        *,
        is_last: bool,
    ) -> int:
        """The edit of a memory's text, and the new vectors of what was read after it."""
        values = {**stored.described, **draft.named(ledger.now)}
        check_interval(values)
        values["flags"] = flags_after(stored, draft, rules)
        tenant = ledger.namespace.tenant_id
        check(ledger.connection, tenant, [read.before])
        is_other = says_other(stored, read.text.content, values)
        values = _vetted(ledger, stored, values, author, read.text.prepared.findings if is_other else None)
        version = revise(ledger, stored, values, read.text, self._preparer, "edited")
        if stored.content != read.text.content:
            readings = self._readers.of_edited(ledger.connection, tenant, {stored.id: read.text.content})
            if is_last:  # a reader keeps what it is until its next chance: what it was read after is still there
                readings = [reading for reading in readings if reading in read.readings]
            self._readers.store(ledger, readings, read.readings)
        return version

    def forget(
        self, author: Author, memory_id: UUID, allowed: Allowed, if_match: int | None, claim: Claim | None
    ) -> Outcome:
        """Hide a memory; `restore` brings it back.

        Raises:
            NotFound: there is no such active memory.
            PreconditionFailed: `if_match` is not its version.
            Conflict: it is under a legal hold.
        """

        def change(ledger: Ledger, stored: Stored) -> int:
            _check_hold(stored)
            return self._put(ledger, stored, State.FORGOTTEN, "forget")

        return self._apply(author, memory_id, allowed, _SHOWN, change, if_match, claim, "forget")

    def restore(
        self, author: Author, memory_id: UUID, allowed: Allowed, if_match: int | None, claim: Claim | None
    ) -> Outcome:
        """Bring a forgotten, archived or superseded memory back; no run supersedes it before somebody edits it.

        That is a use of it: it does not fade away again at once, and the bank has it exactly.

        Raises:
            NotFound: there is no such memory that is hidden.
            PreconditionFailed: `if_match` is not its version.
        """

        def change(ledger: Ledger, stored: Stored) -> int:
            recalls.judged(ledger.connection, author.tenant_id, {memory_id: Grade.USED}, ledger.now)
            if stored.row["level"] != Level.ACTIVE:
                ledger.relevel(memory_id, Level.ACTIVE)
            if stored.row["state"] == State.SUPERSEDED:
                values = superseded.brought_back(ledger, stored)
                return revise(ledger, stored, values, None, self._preparer, _REASONS["restore"])
            return self._put(ledger, stored, State.ACTIVE, "restore")

        return self._apply(author, memory_id, allowed, _HIDDEN, change, if_match, claim, "restore")

    def quarantine(
        self, author: Author, memory_id: UUID, allowed: Allowed, reason: str, if_match: int | None, claim: Claim | None
    ) -> Outcome:
        """Hide a memory until `unquarantine`; what jobs derived from it is withdrawn with it.

        Raises:
            NotFound: there is no such memory.
            PreconditionFailed: `if_match` is not its version.
        """

        def change(ledger: Ledger, stored: Stored) -> int:
            withdrawal.withdraw(ledger, self._secrets, [memory_id], f"{QUARANTINED}: {reason}")
            values = {**stored.described, "state": int(State.QUARANTINED)}
            if stored.row["state"] == State.SUPERSEDED:
                values = {**superseded.brought_back(ledger, stored), "state": int(State.QUARANTINED)}
            return revise(ledger, stored, values, None, self._preparer, f"{QUARANTINED}: {reason}")

        states = frozenset({State.ACTIVE, State.MERGED}) | OUT_OF_RECALLS
        return self._apply(author, memory_id, allowed, states, change, if_match, claim, "quarantine", lambda _: True)

    def unquarantine(
        self, author: Author, memory_id: UUID, allowed: Allowed, reason: str, if_match: int | None, claim: Claim | None
    ) -> Outcome:
        """Let a memory out of quarantine; what was noticed in it stays noted.

        Raises:
            NotFound: there is no such memory in quarantine.
            PreconditionFailed: `if_match` is not its version.
        """

        def change(ledger: Ledger, stored: Stored) -> int:
            values = {**stored.described, "state": int(State.ACTIVE)}
            return revise(ledger, stored, values, None, self._preparer, f"{RELEASED}: {reason}")

        return self._apply(author, memory_id, allowed, _QUARANTINED, change, if_match, claim, "unquarantine")

    def unmerge(
        self, author: Author, memory_id: UUID, allowed: Allowed, if_match: int | None, claim: Claim | None
    ) -> Outcome:
        """Take a memory out of the one that it is merged into, or out of one all that are merged into it.

        What is taken out is not merged again before somebody edits it.

        Raises:
            NotFound: there is no such memory.
            Conflict: it is not merged.
            PreconditionFailed: `if_match` is not its version.
        """

        def change(ledger: Ledger, stored: Stored) -> int:
            if not merged.split(ledger, stored):
                raise Conflict("the memory is not merged with any other")
            return ledger.version_of(stored)

        return self._apply(author, memory_id, allowed, _SHOWN, change, if_match, claim, "unmerge")

    def erase(
        self, author: Author, memory_id: UUID, allowed: Allowed, if_match: int | None, claim: Claim | None
    ) -> Outcome:
        """Remove a memory in any state, with every version, vector and link, from the database and the bank.

        What jobs derived from it goes with it. It is an erasure, with a receipt, like those that `memsvc.erasures`
        carries out.

        Raises:
            NotFound: there is no such memory.
            PreconditionFailed: `if_match` is not its version.
            Conflict: it is under a legal hold.
        """
        tenant = author.tenant_id

        def attempt(number: int) -> Outcome:
            with self._database.read(tenant) as connection:
                found = repository.located(connection, tenant, memory_id)
            within = found is not None and allowed(found[1].path)
            plan = self._eraser.plan(tenant, [memory_id] if within else [])

            def change(ledger: Ledger, stored: Stored) -> int:
                _check_hold(stored)
                self._eraser.erase_now(ledger, [memory_id], plan, author.key_id)
                return int(stored.row["version"])

            return self._apply(
                author, memory_id, allowed, None, change, if_match, claim, "erase", lambda _: True, scrub=True
            )

        return _tried(attempt)

    def _namespace(self, tenant_id: UUID, seen: Stored) -> NamespaceRow | None:
        with self._database.read(tenant_id) as connection:
            return namespaces.get(connection, tenant_id, seen.row["namespace_id"])

    def _put(self, ledger: Ledger, stored: Stored, state: State, op: str) -> int:
        return revise(ledger, stored, {**stored.described, "state": int(state)}, None, self._preparer, _REASONS[op])

    def _find(self, author: Author, memory_id: UUID, allowed: Allowed) -> Stored:
        with self._database.read(author.tenant_id) as connection:
            found = repository.located(connection, author.tenant_id, memory_id)
        if found is None or not allowed(found[1].path):
            raise NotFound("there is no such memory")
        now = self._clock.now()
        if not found[0].is_there(now):
            raise _refusal(found[0], _SHOWN, now)
        return found[0]

    def _apply(
        self,
        author: Author,
        memory_id: UUID,
        allowed: Allowed,
        states: frozenset[State] | None,
        change: Callable[[Ledger, Stored], int],
        if_match: int | None,
        claim: Claim | None,
        op: str,
        parts: Callable[[Stored], bool] = lambda stored: False,
        *,
        scrub: bool = False,
    ) -> Outcome:
        """Find the memory under its namespace's lock, check, change, and make the change findable.

        Args:
            parts: whether the change parts a memory from those that are merged into it.
        """
        tenant = author.tenant_id
        quota = self._limiter.quota(tenant)

        def unit(connection: Connection) -> Outcome:
            found = repository.located(connection, tenant, memory_id, lock=True)
            if found is None or not allowed(found[1].path):
                raise NotFound("there is no such memory")
            stored, namespace = found
            now = self._clock.now()
            if states is not None and (State(stored.row["state"]) not in states or stored.is_expired(now)):
                raise _refusal(stored, states, now)
            if if_match is not None and stored.row["version"] != if_match:
                raise PreconditionFailed("the memory has another version; read it again and repeat the change")
            ledger = Ledger(connection, namespace, now, author.name)
            is_apart = op != "unmerge" and (stored.row["merged_into"] is not None or parts(stored))
            if is_apart and merged.stand_alone(ledger, [stored]):
                stored = repository.by_ids(connection, *namespace.key, [memory_id])[memory_id]
            version = change(ledger, stored)
            quota.check(connection, namespace, ledger.growth)
            item = {"status": 200, "id": str(memory_id), "version": version, **lacking(ledger.leaves_pending)}
            outcome = {"namespace_id": str(namespace.id), "items": [item], "seq": ledger.flush()}
            if op in _TOLD:
                # The digest that its tombstone would have: the trail outlives the memory and must not name it then.
                subject = tombstone(self._secrets, memory_id).hex()
                kind = f"memory.{op}"
                trail.append(connection, tenant, kind, author.name, now, key_id=author.key_id, subject=subject)
            return outcome

        outcome, replayed = self._once.write(tenant, claim, unit, scrub=scrub)
        if not replayed:
            self._count(op, 1)
        self._keeper.written((tenant, UUID(outcome["namespace_id"])), outcome["seq"])
        return outcome
