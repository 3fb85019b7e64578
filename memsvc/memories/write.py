"""Writing many memories at once: create, or edit by `external_id`. One memory is a list of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from gpu.bank.records import State
from lifecycle.trust import Trust
from memsvc.core.clock import Clock
from memsvc.core.errors import FieldError, InvalidInput, ServiceError
from memsvc.core.ids import new_id
from memsvc.index.keeper import Keeper
from memsvc.limits.limiter import Limiter
from memsvc.memories import merged, repository
from memsvc.memories.context import ATTEMPTS, NOTHING, Before, Befores, ContextMoved, Readers, Reading, check
from memsvc.memories.draft import Circumstances, Draft, Encoding, Outdated, Prepared, described
from memsvc.memories.draft import pair_bytes as pair_bytes
from memsvc.memories.ledger import Ledger, Stored
from memsvc.memories.once import Claim, Once, Outcome
from memsvc.memories.prepare import Preparer
from memsvc.memories.sequence import sequence_of
from memsvc.memories.vetting import vetted, vetted_again
from memsvc.namespaces import policies
from memsvc.namespaces import repository as namespaces
from memsvc.screening.rules import Rules, in_force
from memsvc.screening.screen import flags_after, screened

Count = Callable[[str, int], None]
"""Told what was done (`create`, `edit`, `forget`, `restore`, `unmerge`, `quarantine`, `unquarantine`, `erase`,
`revoke`) to how many memories."""


@dataclass(frozen=True, slots=True)
class Author:
    """On whose behalf something is written: the tenant that the key belongs to, a name for the history, and the key.

    `trust` is the most that what it writes may be trusted.
    """

    tenant_id: UUID
    name: str
    key_id: UUID | None = None
    trust: Trust = Trust.AGENT


class Remember:
    """Writes drafts into a namespace."""

    def __init__(
        self,
        once: Once,
        clock: Clock,
        preparer: Preparer,
        keeper: Keeper,
        count: Count,
        limiter: Limiter,
    ) -> None:
        self._once = once
        self._clock = clock
        self._preparer = preparer
        self._keeper = keeper
        self._count = count
        self._limiter = limiter
        self._readers = Readers(preparer)

    def __call__(
        self,
        author: Author,
        path: str,
        drafts: Sequence[Draft | ServiceError],
        *,
        session_id: str | None = None,
        claim: Claim | None = None,
    ) -> Outcome:
        """Write every valid draft, durably and findably; refused ones keep their place in the answer.

        Args:
            path: the namespace, made if it is not there.
            drafts: what to write, or why an item was refused already.
            session_id: a conversation that goes on: its first turn follows the session's last memory.

        Returns:
            `{"namespace_id", "items": [{"status", "id", "version"} | {"status", "problem"}], "seq"}`. An item whose
            text waits for the model has `degraded`, too.

        Raises:
            EmbedderUnavailable: too many texts wait for the model; nothing was written.
            Conflict: the namespace's vectors come from a model that this process does not have.
            RateLimited, QuotaExceeded: this is more than the tenant or the key may write; nothing was written.
        """
        kept = self._once.replay(author.tenant_id, claim)
        if kept is not None:
            return kept
        with self._once.read(author.tenant_id) as connection:
            known = namespaces.find(connection, author.tenant_id, path)
        rules = in_force(self._preparer.screening, None if known is None else known.settings)
        spaces = self._preparer.spaces(known)
        checked = [self._check(draft, rules, spaces[0]) for draft in drafts]
        texts = [draft.content for draft in checked if isinstance(draft, Draft) and draft.vector is None]
        self._limiter.embed(author.tenant_id, author.key_id, [text for text in texts if text is not None])
        outcome, replayed = self._written(author, path, checked, session_id, claim, spaces)
        if not replayed:
            statuses = [item["status"] for item in outcome["items"]]
            self._count("create", statuses.count(201))
            self._count("edit", statuses.count(200))
        if outcome["seq"] > 0:
            self._keeper.written((author.tenant_id, UUID(outcome["namespace_id"])), outcome["seq"])
        return outcome

    def _written(
        self,
        author: Author,
        path: str,
        drafts: Sequence[Draft | ServiceError],
        session_id: str | None,
        claim: Claim | None,
        spaces: tuple[UUID, ...],
    ) -> tuple[Outcome, bool]:
        """Prepare and write; again if meanwhile a conversation became another one than was read, or the spaces did."""
        refused: frozenset[int] = frozenset()
        quota = self._limiter.quota(author.tenant_id)
        attempt = 1
        while True:
            made = self._prepare(author.tenant_id, path, drafts, refused, spaces, in_context=attempt < ATTEMPTS)
            is_last = attempt >= ATTEMPTS

            def unit(connection: Connection, made: _Made = made, is_last: bool = is_last) -> Outcome:
                now = self._clock.now()
                default = self._preparer.embedders.default
                namespace = namespaces.ensure(connection, author.tenant_id, path, default, now)
                check(connection, author.tenant_id, made.befores)
                ledger = Ledger(connection, namespace, now, author.name)
                call = _Call(ledger, drafts, self._preparer, made, session_id, author.trust)
                items = call.run()
                readings = self._readers.of_edited(connection, author.tenant_id, call.edited)
                if is_last:  # a reader keeps what it is until its next chance: what it was read after is still there
                    readings = [reading for reading in readings if reading in made.readings]
                self._readers.store(ledger, readings, made.readings)
                quota.check(connection, namespace, ledger.growth)
                head = ledger.flush()
                if head == 0:  # everything was refused: nothing is left behind
                    namespaces.remove_unused(connection, namespace)
                return {"namespace_id": str(namespace.id), "items": items, "seq": head}

            try:
                return self._once.write(author.tenant_id, claim, unit)
            except Outdated as moved:
                if isinstance(moved, ContextMoved):
                    refused |= moved.refused
                attempt += 1
                with self._once.read(author.tenant_id) as connection:
                    spaces = self._preparer.spaces(namespaces.find(connection, author.tenant_id, path))

    def _prepare(
        self,
        tenant_id: UUID,
        path: str,
        drafts: Sequence[Draft | ServiceError],
        refused: frozenset[int],
        spaces: tuple[UUID, ...],
        *,
        in_context: bool,
    ) -> _Made:
        """Read every text, and again those that were read in the light of one that is edited."""
        befores, readings = [NOTHING] * len(drafts), list[Reading]()
        if in_context and self._preparer.reads_context and _may_stand_in_context(drafts):
            befores, readings = self._look(tenant_id, path, drafts, refused)
        texts = [draft if isinstance(draft, Draft) else Draft(None) for draft in drafts]
        prepared = self._preparer.prepare(texts, [before.text for before in befores], spaces, may_wait=True)
        return _Made(prepared, befores, self._readers.encode(readings))

    def _look(
        self, tenant_id: UUID, path: str, drafts: Sequence[Draft | ServiceError], refused: frozenset[int]
    ) -> tuple[list[Before], list[Reading]]:
        """What is before each draft, and who was read in the light of a memory that a draft edits."""
        named = [d.external_id for d in drafts if isinstance(d, Draft) and d.external_id is not None]
        with self._once.read(tenant_id) as connection:
            namespace = namespaces.find(connection, tenant_id, path)
            inside = None if namespace is None else namespace.id
            known = {} if inside is None else repository.by_external_ids(connection, tenant_id, inside, named)
            finder = Befores(connection, tenant_id, inside, self._clock.now(), known)
            befores = finder.of(drafts, refused)
            edited = {memory_id: before.text for memory_id, before in finder.edited.items()}
            return befores, self._readers.of_edited(connection, tenant_id, edited)

    def _check(self, draft: Draft | ServiceError, rules: Rules, space_id: UUID) -> Draft | ServiceError:
        if isinstance(draft, ServiceError):
            return draft
        try:
            self._preparer.check_vector(draft, space_id)
            return screened(draft, rules)
        except InvalidInput as error:
            return error


def check_interval(values: Mapping[str, Any]) -> None:
    """Refuse an edit after which a memory would be true at no time.

    Raises:
        InvalidInput: `valid_to` is not later than `valid_from`.
    """
    since, until = values["valid_from"], values["valid_to"]
    if since is not None and until is not None and until <= since:
        raise InvalidInput.field("/valid_to", "interval", "must be later than the memory's valid_from")


def problem_item(error: ServiceError) -> dict[str, Any]:
    """The place of a refused item in a batch's answer."""
    errors = [{"pointer": e.pointer, "code": e.code, "message": e.message} for e in error.errors]
    return {
        "status": error.status,
        "problem": {"code": error.code, "title": error.title, "detail": error.detail, "errors": errors},
    }


@dataclass(frozen=True, slots=True)
class _Made:
    """What was made of a call's texts before the transaction, and of those that were read in the light of one of them.

    Attributes:
        prepared, befores: one for each draft.
        readings: texts that were read again.
    """

    prepared: Sequence[Prepared | None]
    befores: Sequence[Before]
    readings: Mapping[Reading, Encoding]


def _may_stand_in_context(drafts: Sequence[Draft | ServiceError]) -> bool:
    """Whether any draft is in a conversation, or edits a memory that may be in one."""
    return any(
        d.external_id is not None or sequence_of(d.fields.get("session_id"), d.fields.get("metadata") or {}) is not None
        for d in drafts
        if isinstance(d, Draft)
    )


class _Call:
    """One call's drafts on their way into the ledger.

    Attributes:
        edited: new texts of memories that were there, as far as the call has come.
    """

    def __init__(
        self,
        ledger: Ledger,
        drafts: Sequence[Draft | ServiceError],
        preparer: Preparer,
        made: _Made,
        session_id: str | None,
        credential: Trust,
    ) -> None:
        self.edited: dict[UUID, str] = {}
        self._ledger = ledger
        self._drafts = drafts
        self._preparer = preparer
        self._made = made
        self._session_id = session_id
        self._credential = credential
        tenant, namespace = ledger.namespace.key
        valid = [d for d in drafts if isinstance(d, Draft)]
        named = [d.external_id for d in valid if d.external_id is not None]
        self._now = ledger.now
        self._rules = in_force(preparer.screening, ledger.namespace.settings)
        self._policy = policies.of(ledger.namespace)
        self._known = repository.by_external_ids(ledger.connection, tenant, namespace, named)
        parting = (self._parting(draft) for draft in valid)
        if merged.stand_alone(ledger, [stored for stored in parting if stored is not None]):
            self._known = repository.by_external_ids(ledger.connection, tenant, namespace, named)
        targets = {link.to_id for d in valid for link in d.links}
        self._targets = repository.existing(ledger.connection, tenant, namespace, targets, self._now)
        self._ids: dict[int, UUID] = {}
        self._created: set[int] = set()
        self._seen: set[str] = set()

    def _parting(self, draft: Draft) -> Stored | None:
        """The memory that a draft edits, if it may not stay merged with others."""
        stored = None if draft.external_id is None else self._known.get(draft.external_id)
        if stored is None or stored.row["merged_into"] is not None:
            return stored
        return stored if says_other(stored, draft.content, draft.named(self._now)) else None

    def run(self) -> list[dict[str, Any]]:
        """Answers of all items, in order."""
        earlier = None
        if self._session_id is not None:
            earlier = repository.last_of_session(
                self._ledger.connection, *self._ledger.namespace.key, self._session_id, self._now
            )
        items = [self._item(i, draft) for i, draft in enumerate(self._drafts)]
        self._order(earlier)
        return items

    def _item(self, index: int, draft: Draft | ServiceError) -> dict[str, Any]:
        if isinstance(draft, ServiceError):
            return problem_item(draft)
        prepared = self._prepared(index)
        stored = self._known.get(draft.external_id) if draft.external_id is not None else None
        try:
            self._check(draft, stored)
            item = self._create(draft, prepared) if stored is None else self._revise(stored, draft, prepared)
        except InvalidInput as refusal:
            return problem_item(refusal)
        if stored is None:
            self._created.add(index)
        self._ids[index] = UUID(item["id"])
        self._ledger.link(self._ids[index], draft.links)
        return item

    def _prepared(self, index: int) -> Prepared:
        """What was made of a draft's text, with the memory in whose light it was read.

        Raises:
            ContextMoved: that was a draft of this call which was refused.
        """
        prepared, before = self._made.prepared[index], self._made.befores[index]
        if prepared is None:
            raise RuntimeError("a draft without content reached the ledger")
        if before.index is not None and before.index not in self._ids:
            raise ContextMoved([before.index])
        context_id = before.memory_id if before.index is None else self._ids[before.index]
        return replace(prepared, encoding=replace(prepared.encoding, context_id=context_id))

    def _check(self, draft: Draft, stored: Stored | None) -> None:
        """Refuse what does not go with the rest of the call or with what is there.

        Raises:
            InvalidInput: a repeated external id, or a link that leads nowhere or to the memory itself.
        """
        if draft.external_id is not None:
            if draft.external_id in self._seen:
                error = FieldError("/external_id", "duplicate", "stands twice in this call")
                raise InvalidInput("the external_id stands twice in this call", errors=(error,))
            self._seen.add(draft.external_id)
        if any(link.to_id not in self._targets for link in draft.links):
            error = FieldError("/links", "unknown_memory", "names a memory that is not in this namespace")
            raise InvalidInput("a link names a memory that is not in this namespace", errors=(error,))
        if stored is not None and any(link.to_id == stored.id for link in draft.links):
            error = FieldError("/links", "own_memory", "leads from the memory to itself")
            raise InvalidInput("a link leads from the memory to itself", errors=(error,))

    def _create(self, draft: Draft, prepared: Prepared) -> dict[str, Any]:
        memory_id = new_id()
        named = draft.named(self._ledger.now)
        if self._policy.ttl_s is not None and "expires_at" not in named:
            named["expires_at"] = self._ledger.now + timedelta(seconds=self._policy.ttl_s)
        most = named.get("trust", Trust.TRUSTED.rank)
        values = described(named | {"flags": list(draft.flags)})
        values = vetted(values, self._ledger.writer, self._credential, prepared.findings, self._policy, most)
        pairs = pair_bytes(values, draft.external_id)
        self._ledger.create(memory_id, draft.external_id, values, draft.content or "", prepared, pairs)
        return {"status": 201, "id": str(memory_id), "version": 1, **lacking(prepared.encoding.is_pending)}

    def _revise(self, stored: Stored, draft: Draft, prepared: Prepared) -> dict[str, Any]:
        """An edit. It is there for readers afterwards, whatever had become of the memory."""
        values = {**stored.described, **draft.named(self._now), "state": int(State.ACTIVE)}
        if stored.is_expired(self._now) and values["expires_at"] == stored.row["expires_at"]:
            values["expires_at"] = None
        check_interval(values)
        values["flags"] = flags_after(stored, draft, self._rules)
        text = NewText(draft.content or "", prepared)
        findings = prepared.findings if says_other(stored, text.content, values) else None
        values = vetted_again(stored.described, values, self._ledger.writer, self._credential, findings, self._policy)
        version = revise(self._ledger, stored, values, text, self._preparer, "edited")
        is_new = text.content != stored.content
        if is_new:
            self.edited[stored.id] = text.content
        is_pending = is_new and prepared.encoding.is_pending
        return {"status": 200, "id": str(stored.id), "version": version, **lacking(is_pending)}

    def _order(self, before_first: UUID | None) -> None:
        """Order links between the turns of a conversation; a refused turn is stepped over.

        Only a new turn follows what was there before: one that is said again keeps its place.
        """
        for index, draft in enumerate(self._drafts):
            if not isinstance(draft, Draft) or draft.follows is None or index not in self._ids:
                continue
            earlier = next((self._ids[i] for i in range(draft.follows, -1, -1) if i in self._ids), None)
            if earlier is None and index in self._created:
                earlier = before_first
            if earlier is not None and earlier != self._ids[index]:
                self._ledger.follow(self._ids[index], earlier)


@dataclass(frozen=True, slots=True)
class NewText:
    """The text of an edit, analysed and embedded."""

    content: str
    prepared: Prepared


def lacking(is_pending: bool) -> dict[str, Any]:
    """What an item's answer says beside the rest: which channels do not find it yet."""
    return {"degraded": ["semantic"]} if is_pending else {}


def says_other(stored: Stored, content: str | None, named: Mapping[str, Any]) -> bool:
    """Whether a memory says something else after an edit: in other words, or of other circumstances."""
    changed = Circumstances.of({**stored.row, **named}) != Circumstances.of(stored.row)
    return changed or (content is not None and content != stored.content)


def revise(
    ledger: Ledger, stored: Stored, values: dict[str, Any], text: NewText | None, preparer: Preparer, reason: str
) -> int:
    """A new version if anything changes, else nothing. Returns the version that stands.

    The same words of somebody else, from elsewhere or of another time are analysed anew; their vectors stay.
    """
    pairs = pair_bytes(values, stored.row["external_id"])
    circumstances = Circumstances.of(values)
    if text is not None and text.content != stored.content:
        prepared = preparer.said_in(text.prepared, text.content, circumstances)
        return ledger.revise(stored, values, text.content, prepared, pairs, reason)
    if circumstances != Circumstances.of(stored.row):
        prepared = preparer.analysed(stored.content, circumstances, ledger.encoding(stored))
        return ledger.revise(stored, values, stored.content, prepared, pairs, reason)
    if values == stored.described:
        return int(stored.row["version"])
    return ledger.revise(stored, values, None, None, pairs, reason)
