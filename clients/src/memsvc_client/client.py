"""The blocking client."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from datetime import datetime
from types import TracebackType
from typing import Any, BinaryIO, Self, Unpack
from uuid import uuid4

import httpx

from memsvc_client.audit import Audit
from memsvc_client.batching import BatchLimits, Ingest, OnProgress, encode_memory, encode_turn, ingest
from memsvc_client.connection import Connection, RetryPolicy
from memsvc_client.errors import MemsvcError
from memsvc_client.events import Event
from memsvc_client.inputs import (
    Brought,
    ContextOptions,
    Erased,
    Filter,
    MemoryChanges,
    MemoryFields,
    NewMemory,
    Order,
    RecallOptions,
    Rehearsed,
    Role,
    Trust,
    Turn,
    When,
)
from memsvc_client.pagination import Pager
from memsvc_client.protocol import Protocol
from memsvc_client.session import Scope, Session
from memsvc_client.transport import Transport
from memsvc_client.types import (
    BatchResult,
    Care,
    Change,
    Context,
    Due,
    Effect,
    Embedding,
    EntityGraph,
    EntityInfo,
    Erasure,
    ErasurePreview,
    FusionState,
    Hold,
    Imported,
    JobRun,
    Key,
    KeyLimits,
    Limits,
    Link,
    Memory,
    NamespaceInfo,
    NewKey,
    Readiness,
    Recall,
    ReceiptVerdict,
    Revision,
    Revocation,
    RevocationPreview,
    ServerVersion,
    Stats,
    Written,
)

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0
"""Between two looks at a run that is waited for."""


class Keys:
    """API keys of the tenant; needs a key with the role `admin`."""

    def __init__(self, transport: Transport, protocol: Protocol) -> None:
        self._transport, self._protocol = transport, protocol

    def create(
        self,
        name: str,
        *,
        roles: Sequence[Role],
        namespaces: Sequence[str] = ("**",),
        expires_at: When | None = None,
        networks: Sequence[str] | None = None,
        trust: Trust | None = None,
    ) -> NewKey:
        """Makes a key. Its secret is in this answer and nowhere else. Not tried again if the answer is lost.

        Args:
            name: What people call the key.
            roles: What it may do.
            namespaces: Patterns of the namespaces it may touch, such as `user/**`.
            expires_at: When it stops working.
            networks: Addresses that it may be used from, such as `10.0.0.0/8`; default anywhere.
            trust: How far what its holder says is to be believed; default `agent`.
        """
        call = self._protocol.create_key(name, roles, namespaces, expires_at, networks, trust)
        return self._transport.send(call)

    def rotate(self, key_id: str, *, overlap_s: int | None = None, expires_at: When | None = None) -> NewKey:
        """Makes the key that follows a key and may do the same. Not tried again if the answer is lost.

        Args:
            key_id: The old key.
            overlap_s: So long the old one goes on to work, in seconds; default a day.
            expires_at: When the new one stops working; default after as long as the old one was to live.

        Raises:
            NotFound: There is no such key.
            Conflict: Two keys of this client work already.
        """
        return self._transport.send(self._protocol.rotate_key(key_id, overlap_s, expires_at))

    def list(self) -> Pager[Key]:
        """All keys, without their secrets."""
        return Pager(self._transport.send, self._protocol.keys())

    def revoke(self, key_id: str) -> None:
        """Ends a key at once.

        Raises:
            NotFound: There is no such key.
        """
        self._transport.send(self._protocol.revoke_key(key_id))

    def set_limits(self, key_id: str, limits: Mapping[str, Any]) -> KeyLimits:
        """Sets the limits of a key, in the place of those set before.

        Args:
            key_id: Whose.
            limits: `requests_per_s`, `requests_burst`, `tokens_per_day`; None lifts one, what is not named is as the
                server has it.

        Raises:
            NotFound: There is no such key.
        """
        return self._transport.send(self._protocol.set_key_limits(key_id, limits))


class Embeddings:
    """Embedding models of a namespace: to another one while it is in use, and back. Needs the role `admin`."""

    def __init__(self, transport: Transport, protocol: Protocol) -> None:
        self._transport, self._protocol = transport, protocol

    def get(self, *, namespace: str | None = None) -> Embedding:
        """Which model's vectors recalls search, and how far it is with another one.

        Raises:
            NotFound: There is no such namespace.
        """
        return self._transport.send(self._protocol.embedding(namespace))

    def start(
        self, *, model: str | None = None, switch_when_complete: bool = True, namespace: str | None = None
    ) -> Embedding:
        """Begins to embed a namespace for another model of the server, or goes on with it.

        Args:
            model: Which; default the only other one.
            switch_when_complete: Whether the namespace switches by itself once every text has its vectors.
            namespace: Which; default the client's.

        Raises:
            Conflict: The server has no other model, or the namespace keeps vectors beside that are in the way.
            InvalidRequest: The server has no such model.
            NotFound: There is no such namespace.
        """
        call = self._protocol.change_embedding(
            namespace, "start", model=model, switch_when_complete=switch_when_complete
        )
        return self._transport.send(call)

    def switch(self, *, namespace: str | None = None) -> Embedding:
        """Has recalls search the vectors of the other model.

        Raises:
            Conflict: They are not complete, or there are none.
            NotFound: There is no such namespace.
        """
        return self._transport.send(self._protocol.change_embedding(namespace, "switch"))

    def back(self, *, namespace: str | None = None) -> Embedding:
        """Has recalls search the vectors of the model before the switch again.

        Raises:
            Conflict: They are not there any more.
            NotFound: There is no such namespace.
        """
        return self._transport.send(self._protocol.change_embedding(namespace, "back"))

    def drop(self, *, namespace: str | None = None) -> Embedding:
        """Deletes the vectors that are kept beside.

        Raises:
            NotFound: There is no such namespace.
        """
        return self._transport.send(self._protocol.change_embedding(namespace, "drop"))


class Jobs:
    """Work on a namespace: how its memories fade, what was done to them, and taking it back."""

    def __init__(self, transport: Transport, protocol: Protocol) -> None:
        self._transport, self._protocol = transport, protocol

    def policy(self, *, namespace: str | None = None) -> Care:
        """What is done to a namespace, and when."""
        return self._transport.send(self._protocol.care(namespace))

    def set_policy(
        self,
        policy: Mapping[str, Any] | None = None,
        *,
        schedules: Mapping[str, str | None] | None = None,
        screening: Mapping[str, str] | None = None,
        namespace: str | None = None,
    ) -> Care:
        """Sets what is done to a namespace, when, or what is looked for in its texts; what is not given stays as it is.

        Args:
            policy: See docs/lifecycle.md, such as `{"below": {"archived": 0.1}}`; set whole: what is not named in it is
                as by default.
            schedules: By kind of work: a cron line in UTC, or `every <seconds>s`; set whole: what is not named in it
                is on no schedule.
            screening: What is done about secrets and personal data, such as `{"credential": "redact"}`; set whole:
                what is not named in it is as by default. Needs the role `admin`.
            namespace: Which; default the client's.

        Raises:
            InvalidRequest: The policy makes no sense; `problem.errors` says where.
            NotFound: There is no such namespace.
        """
        return self._transport.send(self._protocol.set_care(namespace, policy, schedules, screening))

    def run(
        self,
        kind: str,
        *,
        dry_run: bool = False,
        as_of: datetime | None = None,
        wait_s: float = 60.0,
        namespace: str | None = None,
    ) -> JobRun:
        """Does work on a namespace now, or with `dry_run` only reports what it would do (see `effects`).

        Args:
            kind: Such as `fade`.
            dry_run: Changes nothing.
            as_of: The moment to which `rewind` goes back.
            wait_s: Wait so long for its end, in seconds; a run that is not over goes on.
            namespace: Which; default the client's.
        """
        return self.wait(
            self._transport.send(self._protocol.ask_for_run(namespace, kind, dry_run, as_of)), wait_s=wait_s
        )

    def wait(self, run: JobRun, *, wait_s: float = 60.0) -> JobRun:
        """The run after its end, or as it is after so many seconds."""
        by = time.monotonic() + wait_s
        pause_s = _FIRST_PAUSE_S
        while not run.is_over and time.monotonic() < by:
            time.sleep(min(pause_s, max(0.0, by - time.monotonic())))
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            run = self.get(run.id)
        return run

    def get(self, run_id: str) -> JobRun:
        """One run.

        Raises:
            NotFound: There is no such run.
        """
        return self._transport.send(self._protocol.run(run_id))

    def list(self, *, namespace: str | None = None, limit: int | None = None) -> Pager[JobRun]:
        """Runs of a namespace, the newest first; pages are fetched while iterating."""
        return Pager(self._transport.send, self._protocol.runs(namespace, None), limit=limit)

    def effects(self, run_id: str, *, limit: int | None = None) -> Pager[Effect]:
        """What a run did, or would do, to each memory, and why; pages are fetched while iterating."""
        return Pager(self._transport.send, self._protocol.effects(run_id, None), limit=limit)

    def undo(self, run_id: str, *, wait_s: float = 60.0) -> JobRun:
        """Takes back what a run did, within 30 days.

        Raises:
            Conflict: It is not over, changed nothing, or is too long ago.
        """
        return self.wait(self._transport.send(self._protocol.undo_run(run_id)), wait_s=wait_s)

    def cancel(self, run_id: str) -> JobRun:
        """Ends a run; what it did stays until it is undone."""
        return self._transport.send(self._protocol.cancel_run(run_id))


class Erasures:
    """Erasing for good: many memories at once, with a receipt; needs a key with the role `erase`."""

    def __init__(self, transport: Transport, protocol: Protocol) -> None:
        self._transport, self._protocol = transport, protocol

    def create(
        self,
        *,
        namespace: str | None = None,
        everywhere: bool = False,
        wait_s: float = 60.0,
        idempotency_key: str | None = None,
        **of: Unpack[Erased],
    ) -> Erasure:
        """Erases memories with their history and all that was derived from them. There is no way back.

        Args:
            namespace: Where; default the client's. Memories named by id, or by a receipt, need none.
            everywhere: In all namespaces that the key reaches.
            wait_s: Wait so long for its end, in seconds; one that is not over goes on.
            idempotency_key: The same key with the same arguments is the same erasure.
            of: What; exactly one.

        Raises:
            InvalidArgument: Nothing, or more than one thing, says what is to be erased.
        """
        call = self._protocol.ask_for_erasure(namespace, everywhere, of, idempotency_key)
        return self.wait(self._transport.send(call), wait_s=wait_s)

    def preview(
        self, *, namespace: str | None = None, everywhere: bool = False, **of: Unpack[Erased]
    ) -> ErasurePreview:
        """What `create` would erase now; changes nothing."""
        return self._transport.send(self._protocol.preview_erasure(namespace, everywhere, of))

    def wait(self, erasure: Erasure, *, wait_s: float = 60.0) -> Erasure:
        """The erasure after its end, or as it is after so many seconds."""
        by = time.monotonic() + wait_s
        pause_s = _FIRST_PAUSE_S
        while not erasure.is_over and time.monotonic() < by:
            time.sleep(min(pause_s, max(0.0, by - time.monotonic())))
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            erasure = self.get(erasure.id)
        return erasure

    def get(self, erasure_id: str) -> Erasure:
        """One erasure, with its receipt once it is over.

        Raises:
            NotFound: There is no such erasure.
        """
        return self._transport.send(self._protocol.erasure(erasure_id))

    def list(self, *, limit: int | None = None) -> Pager[Erasure]:
        """Erasures that the key reaches, the newest first, without receipts; pages are fetched while iterating."""
        return Pager(self._transport.send, self._protocol.erasures(None), limit=limit)

    def verify(self, receipt: Mapping[str, Any]) -> ReceiptVerdict:
        """Whether a receipt is genuine, and nothing of what it is of is back."""
        return self._transport.send(self._protocol.verify_receipt(receipt))


class MemoryClient:
    """A connection to a memsvc service, safe to share between threads. Close it, or use it in a `with` block.

    Args:
        base_url: Address of the service; else MEMSVC_URL, else http://127.0.0.1:8000.
        api_key: Bearer key; else MEMSVC_API_KEY; a service on loopback may need none.
        namespace: Used by calls that name none.
        timeout_s: Longest wait for an answer to one try, in seconds.
        retry: When to try again.
        http_transport: A transport of httpx to use in place of the network (tests, proxies).

    Raises:
        InvalidArgument: The URL or the key cannot be one.
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        namespace: str | None = None,
        timeout_s: float | None = 30.0,
        retry: RetryPolicy | None = None,
        http_transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._transport = Transport(Connection.resolve(base_url, api_key, timeout_s, retry), http_transport)
        self._protocol = Protocol(namespace)
        self.audit = Audit(self._transport, self._protocol)
        self.keys = Keys(self._transport, self._protocol)
        self.jobs = Jobs(self._transport, self._protocol)
        self.embedding = Embeddings(self._transport, self._protocol)
        self.erasures = Erasures(self._transport, self._protocol)

    def remember(
        self,
        content: str,
        *,
        namespace: str | None = None,
        idempotency_key: str | None = None,
        **fields: Unpack[MemoryFields],
    ) -> Written:
        """Writes one memory. An `external_id` that the namespace has already makes this an edit of that memory.

        Args:
            content: What to remember.
            namespace: Where; default the client's.
            idempotency_key: Own key against writing twice; made for the call if not given.
            fields: See `MemoryFields`.

        Raises:
            InvalidRequest: A field does not fit; `problem.errors` names it.
        """
        return self._transport.send(self._protocol.remember(content, namespace, idempotency_key, fields))

    def remember_many(
        self,
        memories: Iterable[NewMemory | Mapping[str, Any] | str],
        *,
        namespace: str | None = None,
        batch_items: int = 200,
        batch_bytes: int = 4 * 1024 * 1024,
        total: int | None = None,
        on_progress: OnProgress | None = None,
    ) -> BatchResult:
        """Writes any number of memories, in calls of bounded size. Safe to repeat when they have external ids.

        Args:
            memories: Dictionaries or plain texts; a generator is read as it is sent.
            namespace: Where; default the client's.
            batch_items: Most memories in one call, up to 1,000.
            batch_bytes: Most JSON in one call.
            total: How many there are, for the progress, where `memories` has no length.
            on_progress: Called after every call; see `progress_bar`.

        Returns:
            A result for each memory, in order; refused ones are in `failed`, nothing is raised for them.

        Raises:
            BatchInterrupted: A call failed after others had worked; `done` holds their results.
        """
        name = self._protocol.resolve(namespace)
        total = len(memories) if isinstance(memories, Sized) else total
        return self._run(
            ingest(
                map(encode_memory, memories),
                lambda batch: self._protocol.remember_batch(name, batch),
                BatchLimits(batch_items, batch_bytes),
                total=total,
                on_progress=on_progress,
            )
        )

    def remember_conversation(
        self,
        turns: Iterable[Turn | Mapping[str, Any]],
        *,
        session_id: str,
        namespace: str | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> BatchResult:
        """Writes the turns of a conversation, in order.

        Args:
            turns: See `Turn`; chat messages with `role` and `content` will do.
            session_id: The conversation.
            namespace: Where; default the client's.
            user_id: User that the turns belong to.
            agent_id: Agent that the turns belong to.
            on_progress: Called after every call.

        Raises:
            BatchInterrupted: A call failed after others had worked; `done` holds their results.
        """
        name = self._protocol.resolve(namespace)
        shared = {"session_id": session_id, "user_id": user_id, "agent_id": agent_id}
        total = len(turns) if isinstance(turns, Sized) else None
        return self._run(
            ingest(
                map(encode_turn, turns),
                lambda batch: self._protocol.conversation(name, shared, batch),
                BatchLimits(),
                total=total,
                on_progress=on_progress,
            )
        )

    def recall(self, query: str, *, namespace: str | None = None, **options: Unpack[RecallOptions]) -> Recall:
        """Asks for the memories that matter to a question.

        Args:
            query: The question, in plain language.
            namespace: Where; default the client's.
            options: See `RecallOptions`.
        """
        return self._transport.send(self._protocol.recall(query, namespace, options))

    def context(self, query: str, *, namespace: str | None = None, **options: Unpack[ContextOptions]) -> Context:
        """Asks for what is remembered about a question as one text for a prompt, cited and inside a token budget.

        Args:
            query: The question, in plain language.
            namespace: Where; default the client's.
            options: See `ContextOptions`.
        """
        return self._transport.send(self._protocol.context(query, namespace, options))

    def feedback(
        self, recall_id: str, *, used: Sequence[str] = (), useful: Sequence[str] = (), wrong: Sequence[str] = ()
    ) -> int:
        """Says what became of the hits of a recall, or of the memories of a context, within an hour of it.

        Args:
            recall_id: The answer's `id`.
            used: Ids of memories that went into what was done.
            useful: Ids of memories that helped.
            wrong: Ids of memories that were wrong for the question.

        Returns:
            For how many memories it was kept: those that are still there.

        Raises:
            NotFound: There was no such recall in the last hour.
        """
        return self._transport.send(self._protocol.feedback(recall_id, used, useful, wrong))

    def fusion(self, *, namespace: str | None = None) -> FusionState:
        """What the fusion of a namespace has learned from feedback."""
        return self._transport.send(self._protocol.fusion(namespace))

    def reset_fusion(self, *, namespace: str | None = None) -> FusionState:
        """Lets the fusion of a namespace begin again at the default weights."""
        return self._transport.send(self._protocol.reset_fusion(namespace))

    def get(self, memory_id: str) -> Memory:
        """One memory.

        Raises:
            NotFound: It does not exist, was erased, or is not for this key.
        """
        return self._transport.send(self._protocol.get(memory_id))

    def list(
        self,
        *,
        namespace: str | None = None,
        filter: Filter | None = None,
        order: Order | None = None,
        limit: int | None = None,
        page_size: int | None = 100,
        cursor: str | None = None,
    ) -> Pager[Memory]:
        """The memories of a namespace; pages are fetched while iterating.

        Args:
            namespace: Where; default the client's.
            filter: Which ones; see `Filter`.
            order: By the time of recording; default newest first.
            limit: Stop after this many.
            page_size: Memories fetched at a time, up to 200.
            cursor: Go on from a page's `next_cursor`.
        """
        size = page_size if limit is None or page_size is None else max(1, min(page_size, limit))
        calls = self._protocol.list(namespace, filter, order, size)
        return Pager(self._transport.send, calls, limit=limit, cursor=cursor)

    def edit(
        self,
        memory_id: str,
        *,
        if_version: int | None = None,
        idempotency_key: str | None = None,
        **changes: Unpack[MemoryChanges],
    ) -> Written:
        """Changes the named fields; the former state stays in the history. None clears a field.

        Args:
            memory_id: Which one.
            if_version: Only if this is still its version.
            idempotency_key: Own key against doing this twice.
            changes: See `MemoryChanges`.

        Raises:
            PreconditionFailed: The memory has another version by now.
        """
        return self._transport.send(self._protocol.edit(memory_id, if_version, idempotency_key, changes))

    def forget(self, memory_id: str, *, idempotency_key: str | None = None) -> Written:
        """Hides a memory from recall; `restore` brings it back."""
        return self._transport.send(self._protocol.forget(memory_id, idempotency_key))

    def restore(self, memory_id: str, *, idempotency_key: str | None = None) -> Written:
        """Brings a forgotten memory back."""
        return self._transport.send(self._protocol.restore(memory_id, idempotency_key))

    def quarantine(self, memory_id: str, reason: str, *, idempotency_key: str | None = None) -> Written:
        """Hides a memory from everyone but admins, with what was derived from it. Needs the role `admin`.

        Raises:
            NotFound: There is no such memory.
        """
        return self._transport.send(self._protocol.quarantine(memory_id, reason, idempotency_key))

    def unquarantine(self, memory_id: str, reason: str, *, idempotency_key: str | None = None) -> Written:
        """Lets a memory out of quarantine. Needs the role `admin`.

        Raises:
            NotFound: There is no such memory in quarantine.
        """
        return self._transport.send(self._protocol.unquarantine(memory_id, reason, idempotency_key))

    def revocation_preview(
        self, *, namespace: str | None = None, everywhere: bool = False, **of: Unpack[Brought]
    ) -> RevocationPreview:
        """What a revocation would take back; changes nothing. Needs the role `admin`."""
        return self._transport.send(self._protocol.revocation_preview(namespace, everywhere, of))

    def revoke(
        self,
        *,
        namespace: str | None = None,
        everywhere: bool = False,
        erase: bool = False,
        idempotency_key: str | None = None,
        **of: Unpack[Brought],
    ) -> Revocation:
        """Takes back everything that a key, a source or a session brought in, with what was derived from it.

        Needs the role `admin`; with `erase`, for good, `erase` too. `undo_revocation` brings back what is only hidden.
        """
        return self._transport.send(self._protocol.revocation(namespace, everywhere, erase, of, idempotency_key))

    def undo_revocation(self, revocation_id: str) -> Revocation:
        """Brings back what a revocation hid. Needs the role `admin`.

        Raises:
            NotFound: There is nothing that it hides.
        """
        return self._transport.send(self._protocol.undo_revocation(revocation_id))

    def unmerge(self, memory_id: str, *, idempotency_key: str | None = None) -> Written:
        """Takes a memory out of the one that stands for it, or out of one all that it stands for, for good.

        Raises:
            Conflict: It is not merged with any.
        """
        return self._transport.send(self._protocol.unmerge(memory_id, idempotency_key))

    def erase(self, memory_id: str) -> None:
        """Destroys a memory with its history. There is no way back.

        Raises:
            NotFound: There is no such memory.
        """
        self._transport.send(self._protocol.erase(memory_id))

    def history(self, memory_id: str) -> tuple[Revision, ...]:
        """Every version of a memory."""
        return self._transport.send(self._protocol.history(memory_id)).items

    def links(self, memory_id: str) -> tuple[Link, ...]:
        """How a memory hangs together with others."""
        return self._transport.send(self._protocol.links(memory_id)).items

    def due(
        self,
        *,
        namespace: str | None = None,
        horizon_s: int | None = None,
        limit: int | None = None,
        page_size: int | None = 100,
        cursor: str | None = None,
    ) -> Pager[Due]:
        """Important memories that are about to fade, those due first at the front; pages are fetched while iterating.

        Args:
            namespace: Where; default the client's.
            horizon_s: Also those that will be due within so many seconds.
            limit: Stop after this many.
            page_size: Memories fetched at a time, up to 200.
            cursor: Go on from a page's `next_cursor`.
        """
        calls = self._protocol.due(namespace, horizon_s, page_size)
        return Pager(self._transport.send, calls, limit=limit, cursor=cursor)

    def follow_due(
        self, *, namespace: str | None = None, horizon_s: int | None = None, after: str | None = None
    ) -> Iterator[Event[Due]]:
        """Important memories as they come to be due, first those that are; without an end, over lost connections.

        None is missed and none comes twice, unless somebody changes it while it is due.

        Args:
            namespace: Where; default the client's.
            horizon_s: Also those that will be due within so many seconds.
            after: Go on after the event of this `id`.
        """
        return self._transport.follow(self._protocol.follow_due(namespace, horizon_s), after)

    def changes(
        self,
        *,
        namespace: str | None = None,
        after: int | None = None,
        since: When | None = None,
        until: When | None = None,
        limit: int | None = None,
        page_size: int | None = 100,
    ) -> Pager[Change]:
        """What was changed in a namespace, oldest first; pages are fetched while iterating.

        Args:
            namespace: Where; default the client's.
            after: Only changes after the one of this `seq`.
            since: Only changes that were recorded then or later.
            until: Only changes that were recorded before then.
            limit: Stop after this many.
            page_size: Changes fetched at a time, up to 200.
        """
        calls = self._protocol.changes(namespace, after, since, until, page_size)
        return Pager(self._transport.send, calls, limit=limit)

    def follow_changes(
        self, *, namespace: str | None = None, since: When | None = None, after: str | None = None
    ) -> Iterator[Event[Change]]:
        """What was changed in a namespace, and what is from now on; without an end, over lost connections.

        None is missed and none comes twice.

        Args:
            namespace: Where; default the client's.
            since: Only changes that were recorded then or later.
            after: Go on after the event of this `id`, which is the `seq` of its change.
        """
        return self._transport.follow(self._protocol.follow_changes(namespace, since), after)

    def entities(
        self, *, namespace: str | None = None, limit: int | None = None, page_size: int | None = 100
    ) -> Pager[EntityInfo]:
        """Who and what the memories mention, those that most mention first; pages are fetched while iterating.

        Args:
            namespace: Where; default the client's.
            limit: Stop after this many.
            page_size: Entities fetched at a time, up to 200.
        """
        return Pager(self._transport.send, self._protocol.entities(namespace, page_size), limit=limit)

    def entity(self, entity_id: str, *, namespace: str | None = None) -> EntityInfo:
        """One entity, by its id or that of any of its names.

        Raises:
            NotFound: No memory of the namespace mentions it.
        """
        return self._transport.send(self._protocol.entity(entity_id, namespace))

    def entity_graph(self, entity_id: str, *, namespace: str | None = None, limit: int | None = None) -> EntityGraph:
        """An entity among those that memories mention together with it, at most `limit` of them.

        Raises:
            NotFound: No memory of the namespace mentions it.
        """
        return self._transport.send(self._protocol.entity_graph(entity_id, namespace, limit))

    def rehearsed(self, memory_id: str, outcome: Rehearsed, *, idempotency_key: str | None = None) -> Due:
        """Says that a memory was looked at again, and whether it was remembered; the answer says when it is due next.

        Raises:
            NotFound: There is no such memory.
        """
        return self._transport.send(self._protocol.rehearsed(memory_id, outcome, idempotency_key))

    def hold(self, memory_id: str, reason: str, *, idempotency_key: str | None = None) -> Hold:
        """Puts a memory under a legal hold: nobody and nothing can hide or erase it. Needs the role `admin`.

        Raises:
            Conflict: It is held already.
        """
        return self._transport.send(self._protocol.hold(memory_id, reason, idempotency_key))

    def release(self, memory_id: str, reason: str, *, idempotency_key: str | None = None) -> Hold:
        """Ends the legal hold of a memory. Needs the role `admin`.

        Raises:
            Conflict: It is not held.
        """
        return self._transport.send(self._protocol.release(memory_id, reason, idempotency_key))

    def holds(self, memory_id: str) -> tuple[Hold, ...]:
        """Every legal hold that a memory was ever under. Needs the role `admin`."""
        return self._transport.send(self._protocol.holds(memory_id)).items

    def namespaces(
        self,
        *,
        prefix: str | None = None,
        limit: int | None = None,
        page_size: int | None = 100,
        cursor: str | None = None,
    ) -> Pager[NamespaceInfo]:
        """The namespaces that the key may see; pages are fetched while iterating.

        Args:
            prefix: Only those that begin so.
            limit: Stop after this many.
            page_size: Namespaces fetched at a time, up to 200.
            cursor: Go on from a page's `next_cursor`.
        """
        calls = self._protocol.namespaces(prefix, page_size)
        return Pager(self._transport.send, calls, limit=limit, cursor=cursor)

    def stats(self, *, namespace: str | None = None) -> Stats:
        """Counts and sizes of a namespace."""
        return self._transport.send(self._protocol.stats(namespace))

    def limits(self, *, namespace: str | None = None) -> Limits:
        """What the tenant and this key may ask for and keep, and what is used; also of a namespace, if one is named."""
        return self._transport.send(self._protocol.limits(namespace))

    def export(self, file: BinaryIO, *, namespace: str | None = None) -> int:
        """Writes a namespace into a file, as one moment saw it; see docs/exports.md. Needs the role `export`.

        Args:
            file: Open for writing; what it holds after an error is no export.
            namespace: Else the client's own.

        Returns:
            How many bytes it is.
        """
        return self._transport.download(self._protocol.export(namespace), file)

    def import_(self, file: BinaryIO, *, namespace: str | None = None) -> Imported:
        """Brings an export into a namespace without memories: all of it or nothing. Needs the role `admin`.

        Args:
            file: An export of this service, open for reading.
            namespace: Where to; else the client's own.

        Raises:
            Conflict: The namespace has memories.
            InvalidInput: It is no export of this service, or was changed.
        """
        return self._transport.send(self._protocol.import_(file, namespace))

    def version(self) -> ServerVersion:
        """What runs at the other end."""
        return self._transport.send(self._protocol.version())

    def ready(self) -> Readiness:
        """Whether the service takes work now. Not tried again: ask in a loop to wait for it.

        Raises:
            ConnectionFailed: Nothing answers at this address.
        """
        return self._transport.send(self._protocol.ready())

    def session(
        self,
        session_id: str | None = None,
        *,
        namespace: str | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        own_turns: bool = False,
        **options: Unpack[ContextOptions],
    ) -> Session:
        """A conversation: its turns are taken, what is remembered goes before them, and they are written after it.

        Args:
            session_id: The conversation; one that was there before goes on. Default: a new one.
            namespace: Where its turns go and where is looked; default the client's.
            user_id: User that the turns belong to.
            agent_id: Agent that the turns belong to.
            own_turns: Also find what was said in this conversation; left out, since the prompt has it already.
            options: Of its contexts; see `ContextOptions`.
        """
        name = session_id or str(uuid4())
        return Session(self, Scope(name, namespace, user_id, agent_id, own_turns, options))

    def close(self) -> None:
        """Closes all connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, steps: Ingest) -> BatchResult:
        try:
            call = next(steps)
            while True:
                try:
                    result = self._transport.send(call)
                except MemsvcError as error:
                    call = steps.throw(error)
                else:
                    call = steps.send(result)
        except StopIteration as end:
            answer: BatchResult = end.value
            return answer
