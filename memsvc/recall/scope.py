"""Which memories a recall may find: its filters as a scan of the bank, with SQL for what a scan cannot say."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import replace
from datetime import datetime
from threading import Lock
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy import Connection

from gpu.bank.filters import NumberColumn, Range, ScanFilter
from gpu.bank.records import Kind, State
from lifecycle.trust import LEAST, Trust
from memsvc.core.clock import to_us
from memsvc.filters.ast import ONLY_ACTIVE, And, Node
from memsvc.filters.rows import asked
from memsvc.filters.scan import split
from memsvc.memories import repository
from memsvc.models import Memory, MemoryVersion
from memsvc.namespaces.repository import NamespaceRow

_KEPT = 256
_EVERY_KIND = frozenset(Kind)
_ONCE_TRUE = frozenset({State.SUPERSEDED})
_HELD = frozenset({State.QUARANTINED})


class Scopes:
    """Builds scans; remembers the SQL part of a filter for as long as its namespace does not change."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Any, ...], NDArray[np.uint8]] = OrderedDict()
        self._lock = Lock()

    def scan(
        self,
        connection: Connection,
        namespace: NamespaceRow,
        condition: Node | None,
        raw_condition: Any,
        *,
        kinds: frozenset[Kind],
        now: datetime,
        as_of: datetime | None,
        valid_at: datetime | None,
        min_trust: Trust = LEAST,
        sees_quarantined: bool = False,
    ) -> ScanFilter:
        """The scan of one recall.

        Args:
            condition: the parsed filter, or None.
            raw_condition: the same as JSON: names it in the cache.
            valid_at: what was true then is found though something newer is true by now.
            min_trust: what is trusted less is not found.
            sees_quarantined: what is in quarantine is found, unless the filter names other states.
            now: memories whose time to live ended by then are not found.
        """
        condition = condition or ONLY_ACTIVE
        scan, rest = split(condition)
        wanted = (scan.kinds or _EVERY_KIND) & (kinds or _EVERY_KIND)
        states = scan.states
        if _names_no_state(condition):
            states |= (_ONCE_TRUE if valid_at is not None else frozenset()) | (
                _HELD if sees_quarantined else frozenset()
            )
        states = states if sees_quarantined else states - _HELD
        ranges = scan.ranges
        if namespace.has_external and min_trust is not LEAST:
            ranges = (*ranges, Range(NumberColumn.TRUST, min_trust.rank, math.inf))
        scan = replace(
            scan,
            ranges=ranges,
            kinds=frozenset() if wanted == _EVERY_KIND else wanted,
            states=states,
            now_us=to_us(as_of or now),
            as_of_us=None if as_of is None else to_us(as_of),
            valid_at_us=None if valid_at is None else to_us(valid_at),
        )
        if not (wanted and states):  # the request and its filter ask for what cannot be: nothing can match
            return replace(scan, allowed=np.empty((0, 16), dtype=np.uint8))
        if rest is None:
            return scan
        return replace(scan, allowed=self._allowed(connection, namespace, rest, raw_condition, as_of))

    def _allowed(
        self,
        connection: Connection,
        namespace: NamespaceRow,
        rest: Node,
        raw_condition: Any,
        as_of: datetime | None,
    ) -> NDArray[np.uint8]:
        text = orjson.dumps(raw_condition, option=orjson.OPT_SORT_KEYS)
        key = (*namespace.key, namespace.head_seq, text, as_of)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        if as_of is None:
            told = asked(connection, namespace.tenant_id, rest, Memory)
            ids = repository.matching(connection, *namespace.key, told)
        else:
            told = asked(connection, namespace.tenant_id, rest, MemoryVersion)
            ids = repository.matching_versions(connection, *namespace.key, told, as_of)
        allowed = np.frombuffer(b"".join(i.bytes for i in ids), dtype=np.uint8).reshape(-1, 16)
        with self._lock:
            self._kept[key] = allowed
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return allowed


def _names_no_state(condition: Node) -> bool:
    """Whether it is the grammar that restricted a filter to active memories, and not whoever asks."""
    return condition is ONLY_ACTIVE or (isinstance(condition, And) and any(p is ONLY_ACTIVE for p in condition.parts))
