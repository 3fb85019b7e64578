"""LangGraph's `BaseStore` on a memsvc service."""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any, Final, Literal

from langgraph.store.base import (
    BaseStore,
    GetOp,
    Item,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    TTLConfig,
)

from memsvc_client.client import MemoryClient
from memsvc_client.errors import NotFound, raise_refused
from memsvc_client.integrations.langgraph.matching import matches, to_filter
from memsvc_client.integrations.langgraph.naming import meets, to_labels, to_path
from memsvc_client.integrations.langgraph.values import STORE, to_fields, to_text, to_value
from memsvc_client.types import Memory

_OWN: Final = {"source.store": STORE}
_HITS_MAX: Final = 200
_SEVERAL_MAX: Final = 32  # namespaces of one recall
_KEYS_MAX: Final = 1000  # values of one `in`
_REFRESH_FROM: Final = 0.95
"""An item that is read gets its whole time again once this share or less of it is left: not at every read, since
each is an edit that the service keeps."""


def _now() -> datetime:
    return datetime.now(UTC)


_Address = tuple[tuple[str, ...], str]


class MemsvcStore(BaseStore):
    """A LangGraph store whose items are memories: kept, found by meaning, words, names and times, and by filters.

    A namespace `("user", "ada")` is the service's namespace `<root>/user/ada`, so that a key can be held to it.
    Items are pinned: no job merges or fades them.

    Args:
        client: Speaks to the service; threads may share it. Its own namespace is not used. The caller closes it.
        root: Path under which all of the store's namespaces lie.
        fields: Paths of the texts in a value that items are found by where `put` names none, as in LangGraph's
            `IndexConfig`; default: all texts in it.
        ttl: LangGraph's configuration of times to live, in minutes. Nothing has to be swept: what is past its time is
            not found any more.
        on_delete: `forget` hides a deleted item and keeps its history; `erase` leaves nothing, and needs a key with the
            role `erase`.

    Raises:
        MemsvcError: From all methods: the service refused, or cannot be reached.
    """

    supports_ttl = True

    def __init__(
        self,
        client: MemoryClient,
        *,
        root: str = "langgraph",
        fields: Sequence[str] | None = None,
        ttl: TTLConfig | None = None,
        on_delete: Literal["forget", "erase"] = "forget",
    ) -> None:
        self._client = client
        self._root = root
        self._fields = fields
        self._on_delete = on_delete
        self.ttl_config = ttl

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Does operations together. Reads see what was there before; of several writes to a key the last one counts.

        Raises:
            ValueError: An operation or a filter that LangGraph does not have.
        """
        asked = list(ops)
        gets = [op for op in asked if isinstance(op, GetOp)]
        items = self._get(gets) if gets else {}
        results = [self._read(op, items) for op in asked]
        self._write({(op.namespace, op.key): op for op in asked if isinstance(op, PutOp)})
        return results

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """The same beside an event loop, in a thread of its own."""
        return await asyncio.to_thread(self.batch, list(ops))

    def _read(self, op: Op, items: Mapping[_Address, Item]) -> Result:
        if isinstance(op, GetOp):
            return items.get((op.namespace, op.key))
        if isinstance(op, SearchOp):
            return self._search(op)
        if isinstance(op, ListNamespacesOp):
            return self._namespaces(op)
        if isinstance(op, PutOp):
            return None
        raise ValueError(f"unknown operation: {type(op).__name__}")

    def _get(self, ops: Sequence[GetOp]) -> dict[_Address, Item]:
        """The items that are there, by where they lie."""
        wanted: dict[tuple[str, ...], dict[str, bool]] = defaultdict(dict)
        for op in ops:
            keys = wanted[op.namespace]
            keys[op.key] = keys.get(op.key, False) or op.refresh_ttl
        found: dict[_Address, Item] = {}
        for labels, keys in wanted.items():
            for memory in self._lying_at(labels, list(keys)):
                item = Item(**self._item(labels, memory))
                found[labels, item.key] = item
                if keys[item.key]:
                    self._refresh(memory)
        return found

    def _lying_at(self, labels: tuple[str, ...], keys: Sequence[str]) -> Iterator[Memory]:
        path = to_path(self._root, labels)
        for start in range(0, len(keys), _KEYS_MAX):
            wanted = {**_OWN, "external_id": {"in": list(keys[start : start + _KEYS_MAX])}}
            yield from self._client.list(namespace=path, filter=wanted)

    def _search(self, op: SearchOp) -> list[SearchItem]:
        said, is_all = to_filter(op.filter)
        paths = self._paths(op.namespace_prefix)
        ranked = self._ranked(op, paths, said, is_all) if op.query and op.query.strip() else []
        seen = {memory.id for _, memory in ranked}
        # As in LangGraph's own store, what no question finds follows what it finds, without a score.
        listed = (
            (None, memory)
            for path in paths
            for memory in self._client.list(namespace=path, filter={**_OWN, **said}, order="oldest")
            if memory.id not in seen
        )
        passing = (one for one in chain(ranked, listed) if is_all or matches(to_value(one[1]), op.filter))
        found: list[SearchItem] = []
        for score, memory in islice(passing, op.offset, op.offset + op.limit):
            labels = to_labels(self._root, memory.namespace)
            found.append(SearchItem(**self._item(labels, memory), score=score))
            if op.refresh_ttl:
                self._refresh(memory)
        return found

    def _ranked(
        self, op: SearchOp, paths: Sequence[str], said: Mapping[str, Any], is_all: bool
    ) -> list[tuple[float | None, Memory]]:
        wanted = {**_OWN, "source.indexed": {"ne": False}, **said}
        most = min(op.offset + op.limit, _HITS_MAX) if is_all else _HITS_MAX
        hits = [
            hit
            for start in range(0, len(paths), _SEVERAL_MAX)
            for hit in self._client.recall(
                op.query or "", namespaces=paths[start : start + _SEVERAL_MAX], filter=wanted, top_k=max(1, most)
            ).hits
        ]
        return [(hit.score, hit.memory) for hit in sorted(hits, key=lambda hit: -hit.score)]

    def _paths(self, prefix: tuple[str, ...]) -> list[str]:
        """The namespace itself, and those below it."""
        path = to_path(self._root, prefix)
        below = self._client.namespaces(prefix=path, page_size=200)
        return [i.namespace for i in below if i.memories and f"{i.namespace}/".startswith(f"{path}/")]

    def _namespaces(self, op: ListNamespacesOp) -> list[tuple[str, ...]]:
        conditions = op.match_conditions or ()
        known = {to_labels(self._root, path) for path in self._paths(()) if path != self._root}
        cut = sorted({labels[: op.max_depth] for labels in known if meets(labels, conditions)})
        return cut[op.offset : op.offset + op.limit]

    def _write(self, ops: Mapping[_Address, PutOp]) -> None:
        puts: dict[tuple[str, ...], list[PutOp]] = defaultdict(list)
        deletes: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for op in ops.values():
            if op.value is None:
                deletes[op.namespace].append(op.key)
            else:
                puts[op.namespace].append(op)
        for labels, written in puts.items():
            memories = map(self._memory, written)
            raise_refused(self._client.remember_many(memories, namespace=to_path(self._root, labels)))
        for labels, keys in deletes.items():
            for memory in list(self._lying_at(labels, keys)):
                self._delete(memory.id)

    def _memory(self, op: PutOp) -> dict[str, Any]:
        """A memory that says everything anew: it may be an edit, and there what is not named stays."""
        value = op.value or {}
        fields = self._fields if op.index is None else op.index or None
        ttl_s = None if op.ttl is None else max(1, math.ceil(60 * op.ttl))
        memory = to_fields(value, is_indexed=op.index is not False)
        if ttl_s is not None:
            memory["source"]["ttl_s"] = ttl_s
        content = to_text(value, fields) if op.index is not False else ""
        if not content.strip():
            memory["source"]["indexed"] = False
        return {
            **memory,
            "content": content if content.strip() else op.key,
            "external_id": op.key,
            "pinned": True,
            "ttl_s": ttl_s,
        }

    def _delete(self, memory_id: str) -> None:
        try:
            if self._on_delete == "erase":
                self._client.erase(memory_id)
            else:
                self._client.forget(memory_id)
        except NotFound:
            return  # somebody else was faster

    def _refresh(self, memory: Memory) -> None:
        ttl_s = (memory.source or {}).get("ttl_s")
        if ttl_s is None or memory.expires_at is None:
            return
        if (memory.expires_at - _now()).total_seconds() > _REFRESH_FROM * ttl_s:
            return
        try:
            self._client.edit(memory.id, ttl_s=ttl_s)
        except NotFound:
            return  # its time was over, or somebody deleted it

    def _item(self, labels: tuple[str, ...], memory: Memory) -> dict[str, Any]:
        return {
            "namespace": labels,
            "key": memory.external_id,
            "value": to_value(memory),
            "created_at": memory.recorded_at,
            "updated_at": memory.updated_at,
        }
