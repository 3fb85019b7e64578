"""Changes to one namespace inside one transaction.

A `Ledger` collects new memories and versions, then writes them with one statement for each table and takes their
places in the change log last. An erasure is carried out at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import Connection, Table, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gpu.bank.records import State
from lifecycle.policy import Level
from lifecycle.trust import Trust
from memsvc.limits.repository import NOTHING as NOTHING_USED
from memsvc.limits.repository import Usage
from memsvc.memories import merged_vectors, restating
from memsvc.memories.draft import DESCRIBED, INITIAL_STABILITY_S, Encoding, LinkDraft, Outdated, Prepared, Vectors
from memsvc.memories.residue import content_bytes, take_out
from memsvc.memories.sequence import sequence_of
from memsvc.models import ChangeOp, Relation
from memsvc.models.ids import given, one_of, one_of_given
from memsvc.models.sealed import keyring_of
from memsvc.models.tables import (
    ANALYSIS,
    CHANGE,
    EMBEDDING,
    LINK,
    MEMORY,
    NAMESPACE,
    PENDING,
    TOKEN_EMBEDDING,
    TOMBSTONE,
    VERSION,
)
from memsvc.models.tenant import Beside
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow
from memsvc.sealing.rows import SEALED, Sealing
from retrieval.types import TextAnalysis

OUT_OF_RECALLS = frozenset({State.ARCHIVED, State.SUPERSEDED})
"""States in which a job took a memory out of recalls: it is read by its id, and changed once it is restored."""
_TICK = timedelta(microseconds=1)
_CHUNK = 400  # keys of one statement
_CONTEXT = TOKEN_EMBEDDING.c.context_id
_COUNT = TOKEN_EMBEDDING.c.n_tokens
# Made once: building one costs more than running it.
_INTO = {
    table.name: insert(table) for table in (MEMORY, VERSION, ANALYSIS, EMBEDDING, TOKEN_EMBEDDING, PENDING, CHANGE)
}
_UNSETTLED = [
    update(MEMORY)
    .where(one_of_given(column), MEMORY.c.novelty.is_not(None))
    .values(surprise=None, novelty=None, nearest_id=None)
    for column in (MEMORY.c.id, MEMORY.c.nearest_id)  # one each: an OR is found by no index
]


@dataclass(frozen=True, slots=True)
class Stored:
    """A memory as the transaction found it: its row and its text."""

    row: Mapping[str, Any]
    content: str

    @property
    def id(self) -> UUID:
        """The memory's id."""
        identifier: UUID = self.row["id"]
        return identifier

    @property
    def described(self) -> dict[str, Any]:
        """Its described columns."""
        return {name: self.row[name] for name in DESCRIBED}

    def is_expired(self, now: datetime) -> bool:
        """Whether its time to live has ended."""
        expires_at = self.row["expires_at"]
        return expires_at is not None and expires_at <= now

    def is_shown(self, now: datetime) -> bool:
        """Whether it is there for ordinary readers: active, and its time to live has not ended."""
        return bool(self.row["state"] == State.ACTIVE) and not self.is_expired(now)

    def is_there(self, now: datetime) -> bool:
        """Whether whoever knows its id may change it: shown, or merged into another."""
        return self.row["state"] in (State.ACTIVE, State.MERGED) and not self.is_expired(now)

    def is_known(self, now: datetime) -> bool:
        """Whether whoever knows its id may read it: there, archived or superseded."""
        return self.is_there(now) or (self.row["state"] in OUT_OF_RECALLS and not self.is_expired(now))


@dataclass(slots=True)
class Ledger:
    """What this transaction does to `namespace`, whose row it holds locked."""

    connection: Connection
    namespace: NamespaceRow
    now: datetime
    writer: str
    _memories: list[dict[str, Any]] = field(default_factory=list)
    _updates: list[dict[str, Any]] = field(default_factory=list)
    _closes: list[dict[str, Any]] = field(default_factory=list)
    _versions: list[dict[str, Any]] = field(default_factory=list)
    _analyses: list[dict[str, Any]] = field(default_factory=list)
    _outdated: list[tuple[UUID, int]] = field(default_factory=list)
    _embeddings: list[dict[str, Any]] = field(default_factory=list)
    _tokens: list[dict[str, Any]] = field(default_factory=list)
    _pending: list[dict[str, Any]] = field(default_factory=list)
    _links: list[dict[str, Any]] = field(default_factory=list)
    _changes: list[dict[str, Any]] = field(default_factory=list)
    _remerged: set[UUID] = field(default_factory=set)
    _beside: set[UUID] = field(default_factory=set)
    _anew: list[UUID] = field(default_factory=list)
    _is_marked: bool = False
    _erased: Usage = NOTHING_USED
    _sealing: Sealing = field(init=False)
    _is_external: bool = False

    def create(
        self,
        memory_id: UUID,
        external_id: str | None,
        values: Mapping[str, Any],
        content: str,
        prepared: Prepared,
        pairs: bytes,
        stability_s: float | None = None,
    ) -> None:
        """A memory that was not there; its stability is the one of its kind if none is given."""
        self._memories.append(
            {
                **self._ids(id=memory_id),
                **values,
                "sequence_id": _sequence(values),
                "external_id": external_id,
                "version": 1,
                "content_version": 1,
                "recorded_at": self.now,
                "updated_at": self.now,
                "stability_s": stability_s or INITIAL_STABILITY_S[values["kind"]],
                "last_recalled_at": None,
                "recall_count": 0,
            }
        )
        self._version(memory_id, 1, 1, values, content, self.now, "created", pairs)
        if values.get("derived") is not None and not (self.namespace.has_derived or self._is_marked):
            namespaces.mark_derived(self.connection, self.namespace)
            self._is_marked = True
        self._derived(memory_id, 1, prepared)

    def revise(
        self,
        stored: Stored,
        values: Mapping[str, Any],
        content: str | None,
        prepared: Prepared | None,
        pairs: bytes,
        reason: str,
        text_of: int | None = None,
    ) -> int:
        """A new version of a memory; `content` and `prepared` only if the text changes. Returns the version.

        Args:
            text_of: the version with which an earlier text of the memory came in, to stand again as it was analysed
                and embedded then.
        """
        version = int(stored.row["version"]) + 1
        before = int(stored.row["content_version"])
        content_version = version if prepared is not None else text_of or before
        if content_version not in (version, before):
            self._anew.append(stored.id)
        since = max(
            self.now, stored.row["updated_at"] + _TICK
        )  # no version has an empty interval, whatever the clock does
        self._updates.append(
            {
                "b_id": stored.id,
                **{f"b_{k}": v for k, v in values.items()},
                "b_sequence_id": _sequence(values),
                "b_version": version,
                "b_content_version": content_version,
                "b_updated_at": since,
            }
        )
        self._closes.append({"b_id": stored.id, "b_version": stored.row["version"], "b_to": since})
        self._version(stored.id, version, content_version, values, content, since, reason, pairs)
        if prepared is not None:
            self._derived(stored.id, version, prepared)
            self._anew.append(stored.id)
        return version

    @property
    def is_sealing(self) -> bool:
        """Whether what is written is encrypted, and with it what was there and was not yet."""
        return keyring_of(self.connection.dialect) is not None

    def restate(self, memory_ids: Collection[UUID], state: State, reason: str) -> int:
        """Puts memories into a state of which nothing else changes, at once; returns how many were in another.

        For a ledger that does not seal; none of them may wait for another version in it.
        """
        moved = restating.restate(
            self.connection, self.namespace.tenant_id, memory_ids, int(state), now=self.now, reason=reason,
            writer=self.writer,
        )  # fmt: skip
        for memory_id, version in moved:
            self._change(ChangeOp.PUT, memory_id, version)
        return len(moved)

    def version_of(self, stored: Stored) -> int:
        """The version of a memory that stands once everything so far is written."""
        made = [update["b_version"] for update in self._updates if update["b_id"] == stored.id]
        return int(made[-1] if made else stored.row["version"])

    def link(self, from_id: UUID, links: Sequence[LinkDraft]) -> None:
        """Links from one memory to others."""
        self._links += [
            {
                "tenant_id": self.namespace.tenant_id,
                "from_id": from_id,
                "relation": link.relation.value,
                "to_id": link.to_id,
                "created_at": self.now,
            }
            for link in dict.fromkeys(links)
        ]

    def follow(self, later: UUID, earlier: UUID) -> None:
        """`later` comes after `earlier`."""
        self.link(later, [LinkDraft(Relation.FOLLOWS, earlier)])

    def unlink(self, from_id: UUID, link: LinkDraft) -> None:
        """Takes a link between memories that are there away, at once; without it, nothing."""
        tenant = self.namespace.tenant_id
        gone = self.connection.execute(
            LINK.delete().where(
                LINK.c.tenant_id == tenant,
                LINK.c.from_id == from_id,
                LINK.c.relation == link.relation.value,
                LINK.c.to_id == link.to_id,
            )
        )
        if gone.rowcount and not any(change["memory_id"] == from_id for change in self._changes):
            version = select(MEMORY.c.version).where(MEMORY.c.tenant_id == tenant, MEMORY.c.id == from_id)
            self._change(ChangeOp.PUT, from_id, self.connection.execute(version).scalar_one())

    def encoding(self, stored: Stored) -> Encoding:
        """What the models made of a memory's text, as it stands in the namespace's embedding spaces.

        A text that lacks vectors in one of them is pending, and so is the same text wherever it is stored again.
        """
        vectors, tokens = (
            self.connection.execute(
                select(*columns)
                .where(
                    table.c.tenant_id == self.namespace.tenant_id,
                    table.c.memory_id == stored.id,
                    table.c.version == stored.row["content_version"],
                    table.c.space_id.in_(self.namespace.spaces),
                    *more,
                )
                .order_by(*order)
            ).all()
            for table, columns, more, order in (
                (EMBEDDING, (EMBEDDING.c.space_id, EMBEDDING.c.vector), (EMBEDDING.c.view >= 0,), (EMBEDDING.c.view,)),
                (TOKEN_EMBEDDING, (TOKEN_EMBEDDING.c.space_id, _COUNT, TOKEN_EMBEDDING.c.codes, _CONTEXT), (), ()),
            )
        )
        codes = {
            row.space_id: np.frombuffer(row.codes, dtype=np.uint8).reshape(row.n_tokens, -1 if row.n_tokens else 0)
            for row in tokens
        }
        of: dict[UUID, list[bytes]] = {}
        for row in vectors:
            of.setdefault(row.space_id, []).append(row.vector)
        if not set(self.namespace.complete_spaces) <= of.keys():
            return Encoding({})
        made = {
            space_id: Vectors(np.frombuffer(b"".join(rows), dtype="<f2").reshape(len(rows), -1), codes.get(space_id))
            for space_id, rows in of.items()
        }
        return Encoding(made, next((row.context_id for row in tokens if row.context_id is not None), None))

    def reencode(self, memory_id: UUID, version: int, encoding: Encoding) -> None:
        """Other vectors and token codes for a text that stays, in the namespace's spaces; no new version.

        Args:
            memory_id: a memory that is there.
            version: the version that the text belongs to (`content_version`), current or not.
            encoding: what takes the place of what is there.
        """
        self._outdated.append((memory_id, version))
        self._anew.append(memory_id)
        self._encoded(memory_id, version, encoding)
        self._rewritten(memory_id)

    def embed_beside(self, memory_id: UUID, version: int, encoding: Encoding) -> None:
        """Vectors of a text that is there for the space that the namespace keeps beside; recalls see nothing of them.

        Args:
            memory_id: a memory that is there.
            version: the version that the text belongs to (`content_version`); it has none in that space.
            encoding: for that space alone.
        """
        self._beside.add(memory_id)
        self._rows(memory_id, version, encoding)

    def switch(self, left: Beside) -> None:
        """Recalls search the space beside from now on, at once; the one that they searched is kept beside as `left`.

        How surprising memories were follows from vectors: it is worked out again.
        """
        own = NAMESPACE.c.tenant_id == self.namespace.tenant_id, NAMESPACE.c.id == self.namespace.id
        self.connection.execute(
            update(NAMESPACE)
            .where(*own)
            .values(
                space_id=self.namespace.beside_id, beside_id=self.namespace.space_id, beside=int(left),
                is_to_switch=False,
            )
        )  # fmt: skip
        self.connection.execute(
            update(MEMORY)
            .where(
                MEMORY.c.tenant_id == self.namespace.tenant_id,
                MEMORY.c.namespace_id == self.namespace.id,
                MEMORY.c.novelty.is_not(None),
            )
            .values(surprise=None, novelty=None, nearest_id=None)
        )
        self._change(ChangeOp.SWITCH, None, None)

    def takes(self, encoding: Encoding) -> bool:
        """Whether a text was read for the embedding spaces that the namespace has now.

        While one of them is still growing it may lack that one: who makes it will come by. One that waits for its
        vectors was not read at all.
        """
        return encoding.is_pending or set(self.namespace.complete_spaces) <= encoding.of.keys() <= set(
            self.namespace.spaces
        )

    def reread(self, memory_id: UUID, version: int, prepared: Prepared) -> None:
        """Another analysis and other vectors for a text that stays, of a version as in `reencode`; no new version."""
        self.reanalyse(memory_id, version, prepared.analysis)
        self.reencode(memory_id, version, prepared.encoding)

    def reanalyse(self, memory_id: UUID, version: int, analysis: TextAnalysis) -> None:
        """Another analysis for a text that stays with its vectors, of a version as in `reencode`; no new version."""
        own = (ANALYSIS.c.memory_id == memory_id, ANALYSIS.c.version == version)
        self.connection.execute(ANALYSIS.delete().where(ANALYSIS.c.tenant_id == self.namespace.tenant_id, *own))
        self._analysed(memory_id, version, analysis)
        self._rewritten(memory_id)

    def remerge(self, pivot_id: UUID) -> None:
        """The merged vector of a memory is made anew with the next `flush`, from what is merged into it then."""
        self._remerged.add(pivot_id)

    def relevel(self, memory_id: UUID, level: Level) -> None:
        """Puts a memory at a level (active, warm or cold), at once; no new version. The change log tells the banks."""
        self.connection.execute(
            update(MEMORY)
            .where(MEMORY.c.tenant_id == self.namespace.tenant_id, MEMORY.c.id == memory_id)
            .values(level=int(level))
        )
        self._change(ChangeOp.RETIER, memory_id, None)

    def erase(self, digests: Mapping[UUID, bytes], erasure_id: UUID) -> Counter[str]:
        """Take memories out of every table, and begin a new epoch. Their places in the change log stay, without ids.

        Args:
            digests: what is kept of each memory's id.
            erasure_id: the erasure that they belong to.

        Returns:
            How many rows of each table are gone.
        """
        tenant = self.namespace.tenant_id
        size = content_bytes(self.connection, tenant, list(digests))
        counts = take_out(self.connection, self.namespace, list(digests))
        self._erased = Usage(self._erased.memories + counts[MEMORY.name], self._erased.bytes + size)
        into = (
            postgresql.insert(TOMBSTONE) if self.connection.dialect.name == "postgresql" else sqlite.insert(TOMBSTONE)
        )
        rows = [
            {"tenant_id": tenant, "digest": digest, "erased_at": self.now, "erasure_id": erasure_id}
            for digest in digests.values()
        ]
        # One is there already if a restored backup had brought the memory back.
        self.connection.execute(into.on_conflict_do_nothing(index_elements=["tenant_id", "digest"]), rows)
        namespaces.begin_epoch(self.connection, self.namespace)
        self._unsettle(list(digests))
        for memory_id in digests:
            self._change(ChangeOp.ERASE, memory_id, None)
        return counts

    @property
    def growth(self) -> Usage:
        """What the namespace will hold more once everything so far is written."""
        size = sum(len(version["content"].encode()) for version in self._versions if version["content"] is not None)
        return Usage(len(self._memories) - self._erased.memories, size - self._erased.bytes)

    @property
    def leaves_pending(self) -> bool:
        """Whether a text waits for the model."""
        return bool(self._pending)

    def flush(self) -> int:
        """Write everything; returns the namespace's head `seq` after it."""
        self._sealing = self._sealed()
        self._insert(MEMORY, self._memories)
        self._sealing.store()
        self._apply_updates()
        self._insert(VERSION, self._versions)
        self._insert(ANALYSIS, self._analyses)
        self._delete_outdated()
        self._insert(EMBEDDING, self._embeddings)
        self._insert(TOKEN_EMBEDDING, self._tokens)
        self._insert(PENDING, self._pending)
        self._insert_links()

        self._remake_merged()
        self._unsettle(self._anew)
        if not self._changes:
            return self.namespace.head_seq
        growth = self.growth
        head = namespaces.advance(
            self.connection, self.namespace, len(self._changes), memories=growth.memories, size=growth.bytes
        )
        first = head - len(self._changes) + 1
        self._insert(CHANGE, [{**change, "seq": first + i} for i, change in enumerate(self._changes)])
        return head

    def _ids(self, **own: UUID) -> dict[str, UUID]:
        return {"tenant_id": self.namespace.tenant_id, "namespace_id": self.namespace.id, **own}

    def _version(
        self,
        memory_id: UUID,
        version: int,
        content_version: int,
        values: Mapping[str, Any],
        content: str | None,
        since: datetime,
        reason: str,
        pairs: bytes,
    ) -> None:
        if values["trust"] < Trust.AGENT.rank and not (self.namespace.has_external or self._is_external):
            namespaces.mark_external(self.connection, self.namespace)
            self._is_external = True
        self._versions.append(
            {
                **self._ids(memory_id=memory_id),
                **values,
                "sequence_id": _sequence(values),
                "version": version,
                "content_version": content_version,
                "content": content,
                "recorded_from": since,
                "recorded_to": None,
                "reason": reason,
                "writer": self.writer,
                "pairs": pairs,
            }
        )
        self._change(ChangeOp.PUT, memory_id, version)

    def _derived(self, memory_id: UUID, version: int, prepared: Prepared) -> None:
        """What analysis and embedding found in the text of this version."""
        self._analysed(memory_id, version, prepared.analysis)
        self._encoded(memory_id, version, prepared.encoding)

    def _analysed(self, memory_id: UUID, version: int, analysis: TextAnalysis) -> None:
        key = {"tenant_id": self.namespace.tenant_id, "memory_id": memory_id, "version": version}
        self._analyses.append(key | analysis_columns(analysis))

    def _encoded(self, memory_id: UUID, version: int, encoding: Encoding) -> None:
        """Vectors of a text in every space that the namespace has, or that it waits for them.

        Raises:
            Outdated: it was read for other spaces: the namespace has switched, or begun to keep one beside.
        """
        if not self.takes(encoding):
            raise Outdated
        self._rows(memory_id, version, encoding)

    def _rows(self, memory_id: UUID, version: int, encoding: Encoding) -> None:
        key = {"tenant_id": self.namespace.tenant_id, "memory_id": memory_id, "version": version}
        if encoding.is_pending:
            waiting = {"since": self.now, "due_at": self.now, "attempts": 0}
            self._pending.append({**key, "namespace_id": self.namespace.id, **waiting})
        for space_id, made in encoding.of.items():
            space = {**key, "space_id": space_id}
            rows = np.ascontiguousarray(made.views, dtype="<f2")
            self._embeddings += [{**space, "view": view, "vector": row.tobytes()} for view, row in enumerate(rows)]
            codes = made.token_codes
            if codes is not None:
                tokens = {"n_tokens": codes.shape[0], "context_id": encoding.context_id, "codes": codes.tobytes()}
                self._tokens.append({**space, **tokens})

    def _rewritten(self, memory_id: UUID) -> None:
        """A place in the log for a memory of which what is stored beside its versions is another; one is enough."""
        if not any(c["memory_id"] == memory_id and c["op"] == ChangeOp.REWRITE for c in self._changes):
            self._change(ChangeOp.REWRITE, memory_id, None)

    def _change(self, op: ChangeOp, memory_id: UUID | None, version: int | None) -> None:
        self._changes.append(
            {**self._ids(), "op": int(op), "memory_id": memory_id, "version": version, "recorded_at": self.now}
        )

    def _insert(self, table: Table, rows: list[dict[str, Any]]) -> None:
        if rows:
            into = _INTO[table.name]
            self.connection.execute(into, self._sealing.rows(table, rows) if table in SEALED else rows)

    def _sealed(self) -> Sealing:
        """What encrypts the rows that wait, where that is on."""
        made = [row["id"] for row in self._memories]
        written = [row["memory_id"] for row in (*self._versions, *self._embeddings, *self._tokens)]
        return Sealing.of(self.connection, self.namespace.tenant_id, made, written, self.now)

    def _insert_links(self) -> None:
        """Links that are there already stay as they are; a memory that gets one must reach the bank again."""
        if not self._links:
            return
        self._change_linked()
        into = postgresql.insert(LINK) if self.connection.dialect.name == "postgresql" else sqlite.insert(LINK)
        self.connection.execute(into.on_conflict_do_nothing(), self._links)

    def _change_linked(self) -> None:
        """A place in the log for memories that get a link and nothing else."""
        tenant = self.namespace.tenant_id
        changed = {change["memory_id"] for change in self._changes}
        waiting = list(dict.fromkeys(link["from_id"] for link in self._links if link["from_id"] not in changed))
        for start in range(0, len(waiting), _CHUNK):
            part = waiting[start : start + _CHUNK]
            there = select(LINK.c.from_id, LINK.c.relation, LINK.c.to_id).where(
                LINK.c.tenant_id == tenant, LINK.c.from_id.in_(part)
            )
            known = {tuple(row) for row in self.connection.execute(there)}
            gaining = [
                link["from_id"]
                for link in self._links
                if link["from_id"] in part and (link["from_id"], link["relation"], link["to_id"]) not in known
            ]
            versions = (
                select(MEMORY.c.id, MEMORY.c.version)
                .where(MEMORY.c.tenant_id == tenant, MEMORY.c.id.in_(gaining))
                .order_by(MEMORY.c.id)
            )
            for memory_id, version in self.connection.execute(versions).all() if gaining else ():
                self._change(ChangeOp.PUT, memory_id, version)

    def _delete_outdated(self) -> None:
        """Take out the vectors that others take the place of, in whatever space."""
        of_version: dict[int, list[UUID]] = {}
        for memory_id, version in self._outdated:
            of_version.setdefault(version, []).append(memory_id)
        for version, memory_ids in of_version.items():
            for table in (EMBEDDING, TOKEN_EMBEDDING):
                self.connection.execute(
                    table.delete().where(
                        one_of(table.c.memory_id, self.namespace.tenant_id, memory_ids),
                        table.c.version == version,
                    )
                )
            self.connection.execute(
                PENDING.delete().where(
                    one_of(PENDING.c.memory_id, self.namespace.tenant_id, memory_ids), PENDING.c.version == version
                )
            )

    def _remake_merged(self) -> None:
        """Merged vectors of memories that were merged or separated, or of which a part has other vectors now."""
        reread = [memory_id for memory_id, _ in self._outdated]
        for pivot_id in merged_vectors.remade(self.connection, self.namespace, self._remerged, reread):
            self._rewritten(pivot_id)
        beside = self.namespace.spaces[1:]
        if self._beside and beside:
            merged_vectors.remade(self.connection, self.namespace, (), self._beside, beside)

    def _unsettle(self, memory_ids: Sequence[UUID]) -> None:
        """Forget how surprising memories were that have other vectors now, or that rest on one that has, or is gone."""
        for unsettled in _UNSETTLED if memory_ids else ():
            self.connection.execute(unsettled, given(self.namespace.tenant_id, memory_ids))

    def _apply_updates(self) -> None:
        if not self._updates:
            return
        tenant = self.namespace.tenant_id
        columns = [*DESCRIBED, "sequence_id", "version", "content_version", "updated_at"]
        self.connection.execute(
            update(MEMORY)
            .where(MEMORY.c.tenant_id == tenant, MEMORY.c.id == bindparam("b_id"))
            .values({name: bindparam(f"b_{name}") for name in columns}),
            self._sealing.rows(MEMORY, self._updates, "b_"),
        )
        self.connection.execute(
            update(VERSION)
            .where(
                VERSION.c.tenant_id == tenant,
                VERSION.c.memory_id == bindparam("b_id"),
                VERSION.c.version == bindparam("b_version"),
            )
            .values(recorded_to=bindparam("b_to")),
            self._closes,
        )


def _sequence(values: Mapping[str, Any]) -> int | None:
    """The conversation that described columns put a memory into."""
    return sequence_of(values["session_id"], values["metadata"])


def analysis_columns(analysis: TextAnalysis) -> dict[str, Any]:
    """What was found in a text, as the table `analysis` has it."""
    return {
        "analyser_version": analysis.version,
        "length": analysis.terms.length,
        "term_ids": analysis.terms.ids.astype("<u4").tobytes(),
        "term_freqs": analysis.terms.freqs.astype("<u2").tobytes(),
        "mentions": list(analysis.mentions),
        "mention_ids": analysis.mention_ids.astype("<u8").tobytes(),
        "speaker_id": int(np.uint64(analysis.speaker_id).astype(np.int64)) or None,
        "told": [list(one) for one in analysis.told] or None,
        "spans": analysis.spans.astype("<i8").tobytes(),
        "place_ids": analysis.place_ids.astype("<u8").tobytes(),
    }
