"""Every call of the API: builds the request, reads the answer. No I/O; both clients share it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO, TypeVar
from urllib.parse import quote

from memsvc_client.errors import InvalidArgument, UnexpectedAnswer, api_error
from memsvc_client.inputs import (
    AskOptions,
    Brought,
    ContextOptions,
    Erased,
    Filter,
    MemoryChanges,
    MemoryFields,
    Order,
    RecallOptions,
    Rehearsed,
    Role,
    Trust,
    When,
)
from memsvc_client.types import (
    Anchor,
    AuditEntry,
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
    Model,
    NamespaceInfo,
    NewKey,
    Page,
    Problem,
    Readiness,
    Recall,
    ReceiptVerdict,
    Revision,
    Revocation,
    RevocationPreview,
    ServerVersion,
    Stats,
    TrailVerdict,
    Written,
)
from memsvc_client.wire import Call, Reply, encode, nothing, reader, timestamp

T = TypeVar("T")

JSON = {"Content-Type": "application/json"}
TAR = "application/x-tar"


class _MaybeWritten(Model):
    """A write's answer; the answer to a repeated call has no memory when that was erased in between."""

    memory: Memory | None
    seq: int
    degraded: tuple[str, ...] = ()


class _Anchored(Model):
    """The anchor of a trail; an empty one has none."""

    anchor: Anchor | None


class _Recorded(Model):
    """The answer to feedback."""

    recorded: int


_written = reader(_MaybeWritten)
_read_memory = reader(Memory)
_read_memories = reader(Page[Memory])
_read_namespaces = reader(Page[NamespaceInfo])
_read_keys = reader(Page[Key])
_read_batch = reader(BatchResult)
_read_recall = reader(Recall)
_read_context = reader(Context)
_read_recorded = reader(_Recorded)
_read_fusion = reader(FusionState)
_read_care = reader(Care)
_read_embedding = reader(Embedding)
_read_run = reader(JobRun)
_read_runs = reader(Page[JobRun])
_read_effects = reader(Page[Effect])
_read_due = reader(Due)
_read_all_due = reader(Page[Due])
_read_hold = reader(Hold)
_read_holds = reader(Page[Hold])
_read_erasure = reader(Erasure)
_read_erasures = reader(Page[Erasure])
_read_preview = reader(ErasurePreview)
_read_revocation = reader(Revocation)
_read_revocation_preview = reader(RevocationPreview)
_read_verdict = reader(ReceiptVerdict)
_read_revisions = reader(Page[Revision])
_read_links = reader(Page[Link])
_read_change = reader(Change)
_read_changes = reader(Page[Change])
_read_entity = reader(EntityInfo)
_read_entities = reader(Page[EntityInfo])
_read_graph = reader(EntityGraph)
_read_stats = reader(Stats)
_read_imported = reader(Imported)
_read_new_key = reader(NewKey)
_read_audit = reader(Page[AuditEntry])
_read_anchor = reader(_Anchored)
_read_trail = reader(TrailVerdict)
_read_limits = reader(Limits)
_read_key_limits = reader(KeyLimits)
_read_version = reader(ServerVersion)
_read_ready = reader(Readiness)


def _read_written(reply: Reply) -> Written:
    answer: _MaybeWritten = _written(reply)
    if answer.memory is None:
        raise api_error(
            Problem(status=404, code="gone", detail="this call was done before, and its memory is gone by now")
        )
    return Written(memory=answer.memory, seq=answer.seq, created=reply.status == 201, degraded=answer.degraded)


def _read_readiness(reply: Reply) -> Readiness:
    if reply.status == 200:
        ready: Readiness = _read_ready(reply)
        return ready
    try:
        answer: Readiness = _read_ready(reply)
    except UnexpectedAnswer:  # a proxy's page, or a problem: not ready all the same
        return Readiness(ready=False)
    return answer


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Without the fields that were left at None."""
    return {name: value for name, value in fields.items() if value is not None}


def _moment(at: When | None) -> str | None:
    return timestamp(at) if isinstance(at, datetime) else at


def _key_path(key_id: str) -> str:
    if not key_id:
        raise InvalidArgument("a key id is needed")
    return f"/v1/keys/{quote(key_id, safe='')}"


def _run_path(run_id: str) -> str:
    if not run_id:
        raise InvalidArgument("the id of a run is needed")
    return f"/v1/job-runs/{quote(run_id, safe='')}"


def _entity_path(entity_id: str) -> str:
    if not entity_id:
        raise InvalidArgument("the id of an entity is needed")
    return f"/v1/entities/{quote(entity_id, safe='')}"


def _memory_path(memory_id: str, suffix: str = "") -> str:
    if not memory_id:
        raise InvalidArgument("a memory id is needed")
    return f"/v1/memories/{quote(memory_id, safe='')}{suffix}"


@dataclass(frozen=True, slots=True)
class PageCall:
    """The calls of a paged list, one for each cursor."""

    path: str
    read: Callable[[Reply], Page[Any]]
    params: Mapping[str, str]

    def at(self, cursor: str | None) -> Call[Page[Any]]:
        """The call for the page at `cursor`; None is the first page."""
        params = dict(self.params) | ({"cursor": cursor} if cursor else {})
        return Call("GET", self.path, self.read, params)


@dataclass(frozen=True, slots=True)
class Protocol:
    """Builds calls; `namespace` is used by calls that name none."""

    namespace: str | None = None

    def resolve(self, namespace: str | None) -> str:
        """The namespace of a call.

        Raises:
            InvalidArgument: Neither the call nor the client names one.
        """
        chosen = namespace or self.namespace
        if not chosen:
            raise InvalidArgument("no namespace: give one to the call or to the client")
        return chosen

    def remember(
        self, content: str, namespace: str | None, idempotency_key: str | None, fields: MemoryFields
    ) -> Call[Written]:
        """POST /v1/memories."""
        body = {"namespace": self.resolve(namespace), "content": content} | _given(fields)
        return self._post("/v1/memories", body, _read_written, idempotency_key)

    def remember_batch(self, namespace: str, memories: Sequence[bytes]) -> Call[BatchResult]:
        """POST /v1/memories:batch with memories that are already encoded."""
        body = b'{"namespace":%b,"memories":[%b]}' % (encode(namespace), b",".join(memories))
        return Call("POST", "/v1/memories:batch", _read_batch, body=body, headers=JSON, keyed=True)

    def conversation(
        self, namespace: str, shared: Mapping[str, str | None], turns: Sequence[bytes]
    ) -> Call[BatchResult]:
        """POST /v1/conversations with turns that are already encoded."""
        head = encode(_given({"namespace": namespace, **shared}))
        body = b'%b,"turns":[%b]}' % (head[:-1], b",".join(turns))
        return Call("POST", "/v1/conversations", _read_batch, body=body, headers=JSON, keyed=True)

    def recall(self, query: str, namespace: str | None, options: RecallOptions) -> Call[Recall]:
        """POST /v1/recall."""
        return Call("POST", "/v1/recall", _read_recall, body=self._asked(query, namespace, options), headers=JSON)

    def context(self, query: str, namespace: str | None, options: ContextOptions) -> Call[Context]:
        """POST /v1/context."""
        return Call("POST", "/v1/context", _read_context, body=self._asked(query, namespace, options), headers=JSON)

    def feedback(self, recall_id: str, used: Sequence[str], useful: Sequence[str], wrong: Sequence[str]) -> Call[int]:
        """POST /v1/recall/{id}/feedback. Saying the same again changes nothing, so it may be repeated."""
        if not recall_id:
            raise InvalidArgument("the id of a recall is needed")
        groups = {"used": used, "useful": useful, "wrong": wrong}
        judged = [{"id": memory_id, "verdict": verdict} for verdict, ids in groups.items() for memory_id in ids]
        return Call(
            "POST",
            f"/v1/recall/{quote(recall_id, safe='')}/feedback",
            lambda reply: _read_recorded(reply).recorded,
            body=encode({"memories": judged}),
            headers=JSON,
        )

    def fusion(self, namespace: str | None) -> Call[FusionState]:
        """GET /v1/fusion."""
        return Call("GET", "/v1/fusion", _read_fusion, {"namespace": self.resolve(namespace)})

    def reset_fusion(self, namespace: str | None) -> Call[FusionState]:
        """POST /v1/fusion:reset. Resetting twice is resetting once, so it may be repeated."""
        body = encode({"namespace": self.resolve(namespace)})
        return Call("POST", "/v1/fusion:reset", _read_fusion, body=body, headers=JSON)

    def get(self, memory_id: str) -> Call[Memory]:
        """GET /v1/memories/{id}."""
        return Call("GET", _memory_path(memory_id), _read_memory)

    def list(
        self, namespace: str | None, filter: Filter | None, order: Order | None, page_size: int | None
    ) -> PageCall:
        """GET /v1/memories."""
        params = {"namespace": self.resolve(namespace), "order": order, "limit": page_size and str(page_size)}
        encoded = None if filter is None else encode(filter).decode()
        return PageCall("/v1/memories", _read_memories, _given(params | {"filter": encoded}))

    def edit(
        self, memory_id: str, if_version: int | None, idempotency_key: str | None, changes: MemoryChanges
    ) -> Call[Written]:
        """PATCH /v1/memories/{id} with a merge patch."""
        if not changes:
            raise InvalidArgument("nothing to change: name at least one field")
        headers = JSON | ({"If-Match": f'"{if_version}"'} if if_version is not None else {})
        return Call(
            "PATCH",
            _memory_path(memory_id),
            _read_written,
            body=encode(changes),
            headers=headers,
            keyed=True,
            idempotency_key=idempotency_key,
        )

    def forget(self, memory_id: str, idempotency_key: str | None) -> Call[Written]:
        """POST /v1/memories/{id}:forget."""
        return self._post(_memory_path(memory_id, ":forget"), None, _read_written, idempotency_key)

    def restore(self, memory_id: str, idempotency_key: str | None) -> Call[Written]:
        """POST /v1/memories/{id}:restore."""
        return self._post(_memory_path(memory_id, ":restore"), None, _read_written, idempotency_key)

    def quarantine(self, memory_id: str, reason: str, idempotency_key: str | None) -> Call[Written]:
        """POST /v1/memories/{id}:quarantine."""
        return self._post(_memory_path(memory_id, ":quarantine"), {"reason": reason}, _read_written, idempotency_key)

    def unquarantine(self, memory_id: str, reason: str, idempotency_key: str | None) -> Call[Written]:
        """POST /v1/memories/{id}:unquarantine."""
        return self._post(_memory_path(memory_id, ":unquarantine"), {"reason": reason}, _read_written, idempotency_key)

    def revocation(
        self, namespace: str | None, everywhere: bool, erase: bool, of: Brought, idempotency_key: str | None
    ) -> Call[Revocation]:
        """POST /v1/revocations."""
        body = self._brought(namespace, everywhere, of) | {"erase": erase}
        return self._post("/v1/revocations", body, _read_revocation, idempotency_key)

    def revocation_preview(self, namespace: str | None, everywhere: bool, of: Brought) -> Call[RevocationPreview]:
        """POST /v1/revocations that changes nothing, so it may be repeated."""
        body = self._brought(namespace, everywhere, of) | {"dry_run": True}
        return Call("POST", "/v1/revocations", _read_revocation_preview, body=encode(body), headers=JSON)

    def undo_revocation(self, revocation_id: str) -> Call[Revocation]:
        """POST /v1/revocations/{id}:undo."""
        path = f"/v1/revocations/{quote(revocation_id, safe='')}:undo"
        return Call("POST", path, _read_revocation, retry=False)

    def _brought(self, namespace: str | None, everywhere: bool, of: Brought) -> dict[str, Any]:
        return {"namespace": None if everywhere else self.resolve(namespace)} | _given(of)

    def unmerge(self, memory_id: str, idempotency_key: str | None) -> Call[Written]:
        """POST /v1/memories/{id}:unmerge."""
        return self._post(_memory_path(memory_id, ":unmerge"), None, _read_written, idempotency_key)

    def erase(self, memory_id: str) -> Call[None]:
        """DELETE /v1/memories/{id}."""
        return Call("DELETE", _memory_path(memory_id), nothing, keyed=True, gone_is_done=True)

    def history(self, memory_id: str) -> Call[Page[Revision]]:
        """GET /v1/memories/{id}/history."""
        return Call("GET", _memory_path(memory_id, "/history"), _read_revisions)

    def links(self, memory_id: str) -> Call[Page[Link]]:
        """GET /v1/memories/{id}/links."""
        return Call("GET", _memory_path(memory_id, "/links"), _read_links)

    def due(self, namespace: str | None, horizon_s: int | None, page_size: int | None) -> PageCall:
        """GET /v1/memories:due."""
        params = {"namespace": self.resolve(namespace)}
        params |= {name: str(value) for name, value in (("horizon_s", horizon_s), ("limit", page_size)) if value}
        return PageCall("/v1/memories:due", _read_all_due, params)

    def follow_due(self, namespace: str | None, horizon_s: int | None) -> Call[Due]:
        """GET /v1/memories:due/stream; each event is read by the call."""
        params = {"namespace": self.resolve(namespace)} | ({"horizon_s": str(horizon_s)} if horizon_s else {})
        return Call("GET", "/v1/memories:due/stream", _read_due, params=params)

    def changes(
        self, namespace: str | None, after: int | None, since: When | None, until: When | None, page_size: int | None
    ) -> PageCall:
        """GET /v1/changes."""
        params = {**self._log(namespace, after, since), "until": _moment(until)}
        return PageCall("/v1/changes", _read_changes, _given(params | {"limit": page_size and str(page_size)}))

    def follow_changes(self, namespace: str | None, since: When | None) -> Call[Change]:
        """GET /v1/changes/stream; each event is read by the call."""
        return Call("GET", "/v1/changes/stream", _read_change, params=_given(self._log(namespace, None, since)))

    def _log(self, namespace: str | None, after: int | None, since: When | None) -> dict[str, str | None]:
        return {
            "namespace": self.resolve(namespace),
            "after": None if after is None else str(after),
            "since": _moment(since),
        }

    def entities(self, namespace: str | None, page_size: int | None) -> PageCall:
        """GET /v1/entities."""
        params = {"namespace": self.resolve(namespace), "limit": page_size and str(page_size)}
        return PageCall("/v1/entities", _read_entities, _given(params))

    def entity(self, entity_id: str, namespace: str | None) -> Call[EntityInfo]:
        """GET /v1/entities/{id}."""
        return Call("GET", _entity_path(entity_id), _read_entity, {"namespace": self.resolve(namespace)})

    def entity_graph(self, entity_id: str, namespace: str | None, limit: int | None) -> Call[EntityGraph]:
        """GET /v1/entities/{id}/graph."""
        params = {"namespace": self.resolve(namespace)} | ({} if limit is None else {"limit": str(limit)})
        return Call("GET", f"{_entity_path(entity_id)}/graph", _read_graph, params)

    def rehearsed(self, memory_id: str, outcome: Rehearsed, idempotency_key: str | None) -> Call[Due]:
        """POST /v1/memories/{id}:rehearsed."""
        body = {"outcome": outcome}
        return self._post(_memory_path(memory_id, ":rehearsed"), body, _read_due, idempotency_key)

    def hold(self, memory_id: str, reason: str, idempotency_key: str | None) -> Call[Hold]:
        """POST /v1/memories/{id}:hold."""
        return self._post(_memory_path(memory_id, ":hold"), {"reason": reason}, _read_hold, idempotency_key)

    def release(self, memory_id: str, reason: str, idempotency_key: str | None) -> Call[Hold]:
        """POST /v1/memories/{id}:release."""
        return self._post(_memory_path(memory_id, ":release"), {"reason": reason}, _read_hold, idempotency_key)

    def holds(self, memory_id: str) -> Call[Page[Hold]]:
        """GET /v1/memories/{id}/holds."""
        return Call("GET", _memory_path(memory_id, "/holds"), _read_holds)

    def namespaces(self, prefix: str | None, page_size: int | None) -> PageCall:
        """GET /v1/namespaces."""
        params = _given({"prefix": prefix, "limit": page_size and str(page_size)})
        return PageCall("/v1/namespaces", _read_namespaces, params)

    def stats(self, namespace: str | None) -> Call[Stats]:
        """GET /v1/stats."""
        return Call("GET", "/v1/stats", _read_stats, {"namespace": self.resolve(namespace)})

    def export(self, namespace: str | None) -> Call[None]:
        """POST /v1/exports. Not repeated: part of an answer may be in the caller's file already."""
        body = encode({"namespace": self.resolve(namespace)})
        headers = JSON | {"Accept": TAR}
        return Call("POST", "/v1/exports", nothing, body=body, headers=headers, retry=False, patient=True)

    def import_(self, file: BinaryIO, namespace: str | None) -> Call[Imported]:
        """POST /v1/imports. Not repeated: the file is read once."""
        params = {"namespace": self.resolve(namespace)}
        headers = {"Content-Type": TAR}
        return Call(
            "POST", "/v1/imports", _read_imported, params, file=file, headers=headers, retry=False, patient=True
        )

    def create_key(
        self,
        name: str,
        roles: Sequence[Role],
        namespaces: Sequence[str],
        expires_at: When | None,
        networks: Sequence[str] | None = None,
        trust: Trust | None = None,
    ) -> Call[NewKey]:
        """POST /v1/keys. Never repeated: a lost secret cannot be shown again, and a second key would be left over."""
        body = {"name": name, "roles": [*roles], "namespaces": [*namespaces]}
        body |= _given({"expires_at": expires_at, "networks": None if networks is None else [*networks]})
        body |= _given({"trust": trust})
        return Call("POST", "/v1/keys", _read_new_key, body=encode(body), headers=JSON, retry=False)

    def rotate_key(self, key_id: str, overlap_s: int | None, expires_at: When | None) -> Call[NewKey]:
        """POST /v1/keys/{id}:rotate. Never repeated, as `create_key`."""
        body = _given({"overlap_s": overlap_s, "expires_at": expires_at})
        path = f"{_key_path(key_id)}:rotate"
        return Call("POST", path, _read_new_key, body=encode(body), headers=JSON, retry=False)

    def audit(self, kind: str | None, since: When | None, until: When | None, page_size: int | None) -> PageCall:
        """GET /v1/audit."""
        times = {name: _moment(at) for name, at in (("since", since), ("until", until))}
        params = {"kind": kind, **times, "limit": page_size and str(page_size)}
        return PageCall("/v1/audit", _read_audit, _given(params))

    def anchor(self) -> Call[Anchor | None]:
        """GET /v1/audit/anchor."""
        return Call("GET", "/v1/audit/anchor", lambda reply: _read_anchor(reply).anchor)

    def verify_audit(self, anchor: Anchor | Mapping[str, Any] | None) -> Call[TrailVerdict]:
        """POST /v1/audit:verify."""
        given = anchor.model_dump() if isinstance(anchor, Anchor) else anchor
        return Call("POST", "/v1/audit:verify", _read_trail, body=encode({"anchor": given}), headers=JSON)

    def keys(self) -> PageCall:
        """GET /v1/keys."""
        return PageCall("/v1/keys", _read_keys, {})

    def revoke_key(self, key_id: str) -> Call[None]:
        """DELETE /v1/keys/{id}."""
        return Call("DELETE", _key_path(key_id), nothing, gone_is_done=True)

    def set_key_limits(self, key_id: str, limits: Mapping[str, Any]) -> Call[KeyLimits]:
        """PUT /v1/keys/{id}/limits. Setting them twice is setting them once, so it may be repeated."""
        return Call("PUT", f"{_key_path(key_id)}/limits", _read_key_limits, body=encode({**limits}), headers=JSON)

    def limits(self, namespace: str | None) -> Call[Limits]:
        """GET /v1/limits; without a namespace, of none in particular."""
        return Call("GET", "/v1/limits", _read_limits, {} if namespace is None else {"namespace": namespace})

    def care(self, namespace: str | None) -> Call[Care]:
        """GET /v1/policy."""
        return Call("GET", "/v1/policy", _read_care, {"namespace": self.resolve(namespace)})

    def set_care(
        self,
        namespace: str | None,
        policy: Mapping[str, Any] | None,
        schedules: Mapping[str, str | None] | None,
        screening: Mapping[str, str] | None = None,
    ) -> Call[Care]:
        """PUT /v1/policy. Setting it twice is setting it once, so it may be repeated."""
        given = {"policy": policy, "schedules": schedules, "screening": screening}
        body = {"namespace": self.resolve(namespace)} | {k: {**v} for k, v in given.items() if v is not None}
        return Call("PUT", "/v1/policy", _read_care, body=encode(body), headers=JSON)

    def embedding(self, namespace: str | None) -> Call[Embedding]:
        """GET /v1/embedding."""
        return Call("GET", "/v1/embedding", _read_embedding, {"namespace": self.resolve(namespace)})

    def change_embedding(self, namespace: str | None, action: str, **given: Any) -> Call[Embedding]:
        """POST /v1/embedding. Every action is safe to repeat."""
        body = {"namespace": self.resolve(namespace), "action": action} | _given(given)
        return Call("POST", "/v1/embedding", _read_embedding, body=encode(body), headers=JSON)

    def ask_for_run(self, namespace: str | None, kind: str, dry_run: bool, as_of: datetime | None) -> Call[JobRun]:
        """POST /v1/job-runs. A second run finds nothing left to do, so it may be repeated."""
        body = {"namespace": self.resolve(namespace), "kind": kind, "dry_run": dry_run} | _given({"as_of": as_of})
        return Call("POST", "/v1/job-runs", _read_run, body=encode(body), headers=JSON)

    def run(self, run_id: str) -> Call[JobRun]:
        """GET /v1/job-runs/{id}."""
        return Call("GET", _run_path(run_id), _read_run)

    def runs(self, namespace: str | None, page_size: int | None) -> PageCall:
        """GET /v1/job-runs."""
        params = {"namespace": self.resolve(namespace), "limit": page_size and str(page_size)}
        return PageCall("/v1/job-runs", _read_runs, _given(params))

    def effects(self, run_id: str, page_size: int | None) -> PageCall:
        """GET /v1/job-runs/{id}/effects."""
        return PageCall(f"{_run_path(run_id)}/effects", _read_effects, _given({"limit": page_size and str(page_size)}))

    def undo_run(self, run_id: str) -> Call[JobRun]:
        """POST /v1/job-runs/{id}:undo. The same run answers a second time, so it may be repeated."""
        return Call("POST", f"{_run_path(run_id)}:undo", _read_run)

    def cancel_run(self, run_id: str) -> Call[JobRun]:
        """POST /v1/job-runs/{id}:cancel. What is over stays what it is, so it may be repeated."""
        return Call("POST", f"{_run_path(run_id)}:cancel", _read_run)

    def ask_for_erasure(
        self, namespace: str | None, everywhere: bool, of: Erased, idempotency_key: str | None
    ) -> Call[Erasure]:
        """POST /v1/erasures."""
        return self._post("/v1/erasures", self._erased(namespace, everywhere, of), _read_erasure, idempotency_key)

    def preview_erasure(self, namespace: str | None, everywhere: bool, of: Erased) -> Call[ErasurePreview]:
        """POST /v1/erasures that changes nothing, so it may be repeated."""
        body = self._erased(namespace, everywhere, of) | {"dry_run": True}
        return Call("POST", "/v1/erasures", _read_preview, body=encode(body), headers=JSON)

    def erasure(self, erasure_id: str) -> Call[Erasure]:
        """GET /v1/erasures/{id}."""
        if not erasure_id:
            raise InvalidArgument("the id of an erasure is needed")
        return Call("GET", f"/v1/erasures/{quote(erasure_id, safe='')}", _read_erasure)

    def erasures(self, page_size: int | None) -> PageCall:
        """GET /v1/erasures."""
        return PageCall("/v1/erasures", _read_erasures, _given({"limit": page_size and str(page_size)}))

    def verify_receipt(self, receipt: Mapping[str, Any]) -> Call[ReceiptVerdict]:
        """POST /v1/erasures:verify."""
        body = encode({"receipt": {**receipt}})
        return Call("POST", "/v1/erasures:verify", _read_verdict, body=body, headers=JSON)

    def version(self) -> Call[ServerVersion]:
        """GET /v1/version."""
        return Call("GET", "/v1/version", _read_version)

    def ready(self) -> Call[Readiness]:
        """GET /readyz; a 503 is an answer here, not an error."""
        return Call("GET", "/readyz", _read_readiness, accept=frozenset({503}), retry=False)

    def _erased(self, namespace: str | None, everywhere: bool, of: Erased) -> dict[str, Any]:
        """The body of an erasure. Ids and receipts say themselves where; all else needs a namespace or `everywhere`."""
        given = _given(of)
        if len(given) != 1:
            raise InvalidArgument(
                "say what is to be erased: one of memory_ids, filter, user_id, entity_id, writer, receipt"
            )
        if everywhere and namespace is not None:
            raise InvalidArgument("give a namespace, or everywhere, not both")
        if everywhere or (namespace is None and given.keys() & {"memory_ids", "receipt"}):
            return given
        return {"namespace": self.resolve(namespace)} | given

    def _asked(self, query: str, namespace: str | None, options: AskOptions) -> bytes:
        """The body of a question. One that names several namespaces leaves the client's own out."""
        given = _given(options)
        is_several = namespace is None and bool({"namespaces", "namespace_prefix"} & given.keys())
        return encode(({} if is_several else {"namespace": self.resolve(namespace)}) | {"query": query} | given)

    def _post(self, path: str, body: Any, read: Any, idempotency_key: str | None) -> Call[Any]:
        encoded = None if body is None else encode(body)
        headers = {} if body is None else JSON
        return Call("POST", path, read, body=encoded, headers=headers, keyed=True, idempotency_key=idempotency_key)
