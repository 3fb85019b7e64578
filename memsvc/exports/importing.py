"""Writes an export into a namespace that has no memories: all of it or nothing.

What was erased on this server since does not come back, nor what was derived from it. Ids stay where the tenant is the
one of the export and has none of them any more; else each memory gets a new one, in the same order. Vectors of another
model are made anew, as are those of texts that were read in the light of something erased. What comes in is screened
and vetted like what is written (`memsvc.exports.vetting`), and counted in the quotas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import IO, Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, Table, insert, select, update
from sqlalchemy.exc import IntegrityError

from memsvc.audit import trail
from memsvc.core.clock import Clock
from memsvc.core.errors import Conflict
from memsvc.core.ids import new_id
from memsvc.core.secrets import Secrets
from memsvc.db.engine import Database
from memsvc.exports.parts import (
    ALIASES,
    ANALYSES,
    EMBEDDINGS,
    ENTITIES,
    MEMORIES,
    PARTS,
    TOKENS,
    VECTORS,
    VERSIONS,
    Part,
    mapped,
)
from memsvc.exports.plan import Plan, Text, planned, rows
from memsvc.exports.sealing import Opened, opened
from memsvc.exports.vetting import Vetting, looked_through, settled
from memsvc.index.keeper import Keeper
from memsvc.limits.limiter import Limiter
from memsvc.limits.repository import Usage
from memsvc.memories.draft import Encoding, pair_bytes
from memsvc.memories.ledger import Ledger, analysis_columns
from memsvc.memories.prepare import Preparer
from memsvc.memories.residue import tombstone
from memsvc.memories.write import Author
from memsvc.models import ChangeOp
from memsvc.models.ids import one_of
from memsvc.models.tables import CHANGE, EMBEDDING, MEMORY, NAMESPACE, TOKEN_EMBEDDING, TOMBSTONE
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow
from memsvc.sealing.rows import Sealing
from retrieval.types import Passage

_CHUNK = 500
_ENCODED_AT_ONCE = 256

log = structlog.get_logger("memsvc.exports")


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an export.

    Attributes:
        memories: how many were written.
        erased: how many were left out, because they were erased, or derived from what was.
        ids_kept: whether they have the ids of the export.
        reembedded: texts that were read by the model again.
        redacted: texts of which screening blackened something.
        quarantined: memories that went into quarantine.
        seq: the namespace's last change.
    """

    memories: int
    erased: int
    ids_kept: bool
    reembedded: int
    redacted: int
    quarantined: int
    seq: int


class Importing:
    """Imports for all tenants."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        secrets: Secrets,
        preparer: Preparer,
        keeper: Keeper,
        limiter: Limiter,
    ) -> None:
        self._database = database
        self._clock = clock
        self._secrets = secrets
        self._preparer = preparer
        self._keeper = keeper
        self._limiter = limiter

    def __call__(self, author: Author, path: str, file: IO[bytes]) -> Imported:
        """Checks a file, then writes what is in it.

        Raises:
            InvalidInput: it is no export of this server's, a line of it cannot be read, or screening rejects it.
            Conflict: the namespace has memories, or what is in the export was erased in part.
            QuotaExceeded: there is no room for it.
            EmbedderUnavailable: the model gave no answer; nothing was written.
        """
        tenant = author.tenant_id
        export = opened(file, self._secrets)
        plan = planned(export)
        with self._database.read(tenant) as connection:
            there = namespaces.find(connection, tenant, path)
            _check_empty(connection, tenant, there)
            erased = self._erased(connection, tenant, plan.memory_ids)
            is_ours = export.manifest["tenant"] == str(tenant) and not _any_there(connection, tenant, plan.memory_ids)
        if erased:
            plan = planned(export, erased)
        space_id = self._space(export.manifest["space"])
        space = self._preparer.embedders.of(space_id).space
        is_other = export.manifest["space"] != {"model": space.model, "dim": space.dim}
        settings = settled(export.manifest["settings"], {} if there is None else there.settings)
        prepare = self._preparer
        vetting = looked_through(export, plan, settings, prepare.screening, author.trust, prepare.noticed)
        whole = (text for text in plan.texts if text[0] not in plan.gone)
        again = list(whole) if is_other else plan.unread(vetting.redacted)
        encodings = self._encoded(plan, again, space_id)
        analyses = {
            text: analysis_columns(prepare.analysed(plan.texts[text], circumstances, encodings[text]).analysis)
            for text, circumstances in vetting.redacted.items()
        }
        ids = _ids(plan, is_kept=is_ours)
        writing = _Writing(export, plan, ids, encodings, analyses, vetting, is_other)
        quota = self._limiter.quota(tenant)

        def unit(connection: Connection) -> tuple[UUID, int]:
            now = self._clock.now()
            namespace = namespaces.ensure(connection, tenant, path, space_id, now)
            _check_empty(connection, tenant, namespace)
            if settled(export.manifest["settings"], namespace.settings) != settings:
                raise Conflict("the screening of the namespace was changed meanwhile; try again")
            quota.check(connection, namespace, plan.growth)
            _settle(connection, namespace, settings, export.manifest, space_id, now)
            changed = namespaces.get(connection, *namespace.key)
            seq = writing.run(connection, changed or namespace, now, author.name)
            trail.append(
                connection, tenant, "import", author.name, now, key_id=author.key_id, subject=namespace.id,
                facts={"seq": seq},
            )  # fmt: skip
            return namespace.id, seq

        try:
            namespace_id, seq = self._database.write(tenant, unit)
        except IntegrityError as error:
            log.warning("import_conflicts", tenant_id=str(tenant), error=type(error).__name__)
            raise Conflict(
                "somebody wrote some of these memories meanwhile, or the export lacks some; try again"
            ) from None
        self._keeper.written((tenant, namespace_id), seq)
        taken = len(plan.memory_ids) - len(plan.gone)
        return Imported(taken, len(plan.gone), is_ours, len(again), len(vetting.redacted), len(vetting.held), seq)

    def _erased(self, connection: Connection, tenant_id: UUID, memory_ids: Sequence[UUID]) -> set[UUID]:
        """Those of the memories that bear a tombstone here."""
        digests = {tombstone(self._secrets, one): one for one in memory_ids}
        query = select(TOMBSTONE.c.digest).where(TOMBSTONE.c.tenant_id == tenant_id)
        known = connection.execution_options(yield_per=_CHUNK).execute(query).scalars()
        return {digests[digest] for digest in known if digest in digests}

    def _space(self, told: Mapping[str, Any]) -> UUID:
        """The embedding space that an export is taken into: its own, if this process has the model."""
        for space_id in self._preparer.embedders:
            space = self._preparer.embedders.of(space_id).space
            if told == {"model": space.model, "dim": space.dim}:
                return space_id
        return self._preparer.embedders.default

    def _encoded(self, plan: Plan, again: Sequence[Text], space_id: UUID) -> dict[Text, Encoding]:
        made: dict[Text, Encoding] = {}
        for start in range(0, len(again), _ENCODED_AT_ONCE):
            part = again[start : start + _ENCODED_AT_ONCE]
            passages = [Passage(plan.texts[text], plan.before(text)) for text in part]
            made.update(zip(part, self._preparer.encode(passages, (space_id,)), strict=True))
        return made


@dataclass(frozen=True, slots=True)
class _Writing:
    """An export on its way into a database; may be done more than once."""

    export: Opened
    plan: Plan
    ids: Mapping[UUID, UUID]
    encodings: Mapping[Text, Encoding]
    analyses: Mapping[Text, Mapping[str, Any]]
    vetting: Vetting
    is_other_space: bool

    def run(self, connection: Connection, namespace: NamespaceRow, now: datetime, writer: str) -> int:
        """Writes every row; returns the namespace's head `seq`."""
        entities: dict[UUID, UUID] = {}
        for part in PARTS:
            own = (
                {"tenant_id": namespace.tenant_id}
                | ({"namespace_id": namespace.id} if "namespace_id" in part.table.c else {})
                | ({"space_id": namespace.space_id} if "space_id" in part.table.c else {})
            )
            made = (own | row for row in self._taken(part, entities))
            _insert(connection, part.table, made)
        self._encode(connection, namespace)
        Sealing.of(connection, namespace.tenant_id, (), list(self.ids.values()), now)
        if self.vetting.has_external:
            namespaces.mark_external(connection, namespace)
        changes = ((self.ids[one], version) for one, version in self._versions())
        head = _log(connection, namespace, now, list(changes), self.plan.growth)
        if not (self.encodings and self.plan.pivots):
            return head
        ledger = Ledger(connection, namespace, now, writer)
        for pivot in self.plan.pivots:
            ledger.remerge(self.ids[pivot])
        return max(head, ledger.flush())

    def _versions(self) -> Iterator[tuple[UUID, int]]:
        for row in rows(self.export, MEMORIES):
            if row["id"] in self.ids:
                yield row["id"], row["version"]

    def _taken(self, part: Part, entities: dict[UUID, UUID]) -> Iterator[dict[str, Any]]:
        """Rows as they are to be written: with their new ids, and without those of what is left out."""
        vectors = self._vectors() if part is EMBEDDINGS else None
        for row in rows(self.export, part):
            if vectors is not None:
                row["vector"] = next(vectors)
            if part in (EMBEDDINGS, TOKENS) and self._is_made_anew((row["memory_id"], row["version"])):
                continue
            if part is ENTITIES:
                row["id"] = entities.setdefault(row["id"], new_id())
            if part is ALIASES:
                row["entity_id"] = entities[row["entity_id"]]
            row = self._vetted(part, row)
            is_alone = part is MEMORIES and row["nearest_id"] is not None and row["nearest_id"] not in self.ids
            row = mapped(part, row, self.ids)
            if is_alone:  # how surprising it was rests on what is left out
                row |= {"surprise": None, "novelty": None}
            named = [name for name in part.ids if name not in ("merged_into", "nearest_id", "context_id")]
            if all(row[name] is not None for name in named):
                yield row

    def _vetted(self, part: Part, row: dict[str, Any]) -> dict[str, Any]:
        """A row as screening and vetting leave it."""
        if part is MEMORIES:
            return self.vetting.of_memory(row)
        if part is VERSIONS:
            return self._version(row)
        return {**row, **self.analyses.get((row["memory_id"], row["version"]), {})} if part is ANALYSES else row

    def _version(self, row: dict[str, Any]) -> dict[str, Any]:
        made = self.vetting.of_version(row)
        if row["content"] is not None:
            made["content"] = self.plan.texts[row["memory_id"], row["version"]]
        external_id = self.plan.external_ids.get(row["memory_id"])
        return made if made == row else made | {"pairs": pair_bytes(made, external_id)}

    def _is_made_anew(self, text: Text) -> bool:
        return self.is_other_space or text in self.encodings

    def _vectors(self) -> Iterator[bytes]:
        size, whole = 2 * int(self.export.manifest["space"]["dim"]), self.export.places[VECTORS][1]
        first = 8 + int.from_bytes(self.export.read(VECTORS, 0, 8), "little")
        for offset in range(first, whole, size):
            yield self.export.read(VECTORS, offset, size)

    def _encode(self, connection: Connection, namespace: NamespaceRow) -> None:
        for (memory_id, version), encoding in self.encodings.items():
            key = {
                "tenant_id": namespace.tenant_id, "memory_id": self.ids[memory_id], "version": version,
                "space_id": namespace.space_id,
            }  # fmt: skip
            read = encoding.of[namespace.space_id]
            views = read.views.astype("<f2")
            connection.execute(
                insert(EMBEDDING), [{**key, "view": view, "vector": row.tobytes()} for view, row in enumerate(views)]
            )
            if (codes := read.token_codes) is not None:
                context = self.plan.contexts.get((memory_id, version))
                told = {"n_tokens": codes.shape[0], "codes": codes.tobytes()}
                in_light_of = None if context is None else self.ids.get(context)
                connection.execute(insert(TOKEN_EMBEDDING), [{**key, **told, "context_id": in_light_of}])


def _ids(plan: Plan, *, is_kept: bool) -> dict[UUID, UUID]:
    """The id that each memory gets which is taken."""
    taken = sorted((one for one in plan.memory_ids if one not in plan.gone), key=lambda one: one.bytes)
    made = taken if is_kept else sorted((new_id() for _ in taken), key=lambda one: one.bytes)
    return dict(zip(taken, made, strict=True))


def _check_empty(connection: Connection, tenant_id: UUID, namespace: NamespaceRow | None) -> None:
    if namespace is None:
        return
    one = select(MEMORY.c.id).where(MEMORY.c.tenant_id == tenant_id, MEMORY.c.namespace_id == namespace.id).limit(1)
    if connection.execute(one).one_or_none() is not None:
        raise Conflict("the namespace has memories; import into one that has none")


def _any_there(connection: Connection, tenant_id: UUID, memory_ids: Sequence[UUID]) -> bool:
    query = select(MEMORY.c.id).where(one_of(MEMORY.c.id, tenant_id, memory_ids)).limit(1)
    return connection.execute(query).one_or_none() is not None


def _settle(
    connection: Connection,
    namespace: NamespaceRow,
    settings: Mapping[str, Any],
    manifest: Mapping[str, Any],
    space_id: UUID,
    now: datetime,
) -> None:
    """The namespace's own row; its vectors come from a model of this server.

    It keeps no other space beside: it had no memories, so there is nothing in it. Another active one is a change that
    banks follow, like a switch: they may have the namespace, and an export may have no memories.
    """
    if namespace.space_id != space_id:
        seq = namespaces.advance(connection, namespace, 1)
        own = {"tenant_id": namespace.tenant_id, "namespace_id": namespace.id, "seq": seq, "recorded_at": now}
        switch = {"op": int(ChangeOp.SWITCH), "memory_id": None, "version": None}
        connection.execute(insert(CHANGE), [own | switch])
    connection.execute(
        update(NAMESPACE)
        .where(NAMESPACE.c.tenant_id == namespace.tenant_id, NAMESPACE.c.id == namespace.id)
        .values(
            settings=settings,
            has_derived=manifest["has_derived"],
            space_id=space_id,
            beside_id=None,
            beside=None,
            is_to_switch=False,
        )
    )


def _insert(connection: Connection, table: Table, made: Iterator[dict[str, Any]]) -> None:
    while part := list(islice(made, _CHUNK)):
        connection.execute(insert(table), part)


def _log(
    connection: Connection, namespace: NamespaceRow, now: datetime, written: Sequence[tuple[UUID, int]], growth: Usage
) -> int:
    """A change for each memory; returns the head."""
    if not written:
        return namespace.head_seq
    head = namespaces.advance(connection, namespace, len(written), memories=growth.memories, size=growth.bytes)
    own = {"tenant_id": namespace.tenant_id, "namespace_id": namespace.id, "op": int(ChangeOp.PUT), "recorded_at": now}
    first = head - len(written) + 1
    _insert(
        connection,
        CHANGE,
        (
            {**own, "seq": first + at, "memory_id": memory_id, "version": version}
            for at, (memory_id, version) in enumerate(written)
        ),
    )
    return head
