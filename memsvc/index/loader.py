"""From database rows to the columns of the bank. Nothing is analysed or embedded here: everything was stored."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast
from uuid import UUID

import numpy as np
import structlog
from numpy.typing import NDArray
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    String,
    and_,
    bindparam,
    not_,
    select,
    tuple_,
    type_coerce,
)

from gpu.bank.coding import coded
from gpu.bank.layouts import TIERS, Tier, token_bytes
from gpu.bank.records import NEVER_US, UNKNOWN_US, RecordBatch, Relation, no_codes
from memsvc.core.errors import Damaged, Unreadable
from memsvc.models.archive import IN_ARCHIVE
from memsvc.models.conditions import VERSION_AMONG, among
from memsvc.models.embedding import MERGED_VIEW
from memsvc.models.tables import ANALYSIS, EMBEDDING, LINK, MEMORY, TOKEN_EMBEDDING, VERSION
from memsvc.namespaces.repository import NamespaceRow
from retrieval.analysis.folding import folded_text
from retrieval.analysis.mentions import spoken

log = structlog.get_logger()

_CHUNK = 400  # keys of one statement
_MOST_DAMAGED = 20  # memories of a piece that may be left out
_STREAM = 20_000  # versions loaded at a time: bounds what a large namespace needs while it loads
_OUTCOMES = {"success": 1.0, "partial": 0.5, "failure": 0.0}
_RELATIONS = {relation.name.lower(): relation.value for relation in Relation}
_RECORDED_TO = 8  # place in `_ROWS`

TIER_OF_LEVEL = np.array([TIERS.index(tier) for tier in (Tier.FP16, Tier.INT8, Tier.INT4)], np.uint8)
"""How exactly the bank keeps the vectors of a memory that is active, warm or cold (`lifecycle.policy.Level`)."""
ALL_EXACT = np.zeros_like(TIER_OF_LEVEL)
"""The same where precision does not fall with the level."""


def _us(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """An instant as the integer it is stored as."""
    return type_coerce(column, BigInteger)


# Outer joins, though nothing is ever missing: SQLite keeps no statistics here, and takes the tables in this order only
# if it must. In any other order it reads all versions of the tenant, or worse.
_VERSIONS = MEMORY.outerjoin(
    VERSION, and_(VERSION.c.tenant_id == MEMORY.c.tenant_id, VERSION.c.memory_id == MEMORY.c.id)
)

_ID = type_coerce(VERSION.c.memory_id, String)
"""The memory's id as the driver gives it (hex digits on SQLite): making a UUID of each is a third of a load."""

_ROWS: Select[Any] = select(
    _ID,
    VERSION.c.version,
    VERSION.c.kind,
    VERSION.c.state,
    _us(VERSION.c.occurred_at),
    _us(VERSION.c.valid_from),
    _us(VERSION.c.valid_to),
    _us(VERSION.c.recorded_from),
    _us(VERSION.c.recorded_to),
    _us(VERSION.c.expires_at),
    VERSION.c.importance,
    MEMORY.c.stability_s,
    VERSION.c.trust,
    _us(MEMORY.c.last_recalled_at),
    ANALYSIS.c.length,
    VERSION.c.pairs,
    ANALYSIS.c.term_ids,
    ANALYSIS.c.term_freqs,
    ANALYSIS.c.mention_ids,
    VERSION.c.sequence_id,
    VERSION.c.outcome,
    ANALYSIS.c.spans,
    ANALYSIS.c.place_ids,
    VERSION.c.content_version,
    ANALYSIS.c.speaker_id,
    VERSION.c.speaker,
    MEMORY.c.level,
).select_from(
    _VERSIONS.outerjoin(
        ANALYSIS,
        and_(
            ANALYSIS.c.tenant_id == VERSION.c.tenant_id,
            ANALYSIS.c.memory_id == VERSION.c.memory_id,
            ANALYSIS.c.version == VERSION.c.content_version,
        ),
    )
)

_ROWS_WIDTH = len(_ROWS.selected_columns)

_VIEWS: Select[Any] = select(_ID, VERSION.c.version, EMBEDDING.c.vector, EMBEDDING.c.view).select_from(
    _VERSIONS.outerjoin(
        EMBEDDING,
        and_(
            EMBEDDING.c.tenant_id == VERSION.c.tenant_id,
            EMBEDDING.c.memory_id == VERSION.c.memory_id,
            EMBEDDING.c.version == VERSION.c.content_version,
            EMBEDDING.c.space_id == bindparam("space_id"),
        ),
    )
)

# Texts and token codes come by themselves: with two more tables in the join above, a PostgreSQL without statistics
# loops over all of them for minutes.
_TEXTS: Select[Any] = select(_ID, VERSION.c.version, VERSION.c.content).select_from(_VERSIONS)
_CODES: Select[Any] = select(
    type_coerce(TOKEN_EMBEDDING.c.memory_id, String), TOKEN_EMBEDDING.c.version, TOKEN_EMBEDDING.c.codes
)

_MEMORIES_CODES = MEMORY.outerjoin(
    TOKEN_EMBEDDING,
    and_(
        TOKEN_EMBEDDING.c.tenant_id == MEMORY.c.tenant_id,
        TOKEN_EMBEDDING.c.memory_id == MEMORY.c.id,
        TOKEN_EMBEDDING.c.space_id == bindparam("space_id"),
    ),
)

_LINKS: Select[Any] = select(
    type_coerce(MEMORY.c.id, String), LINK.c.relation, type_coerce(LINK.c.to_id, String)
).select_from(MEMORY.outerjoin(LINK, and_(LINK.c.tenant_id == MEMORY.c.tenant_id, LINK.c.from_id == MEMORY.c.id)))
_BY_LINK = (LINK.c.relation, LINK.c.to_id)

_BY_ID = (VERSION.c.memory_id, VERSION.c.version)
_BY_PLACE = (MEMORY.c.recorded_at, MEMORY.c.id, VERSION.c.version)


_AMONG = (
    VERSION.c.tenant_id == bindparam("tenant"),
    VERSION.c.namespace_id == bindparam("namespace"),
    VERSION_AMONG,
)
_ROWS_AMONG = _ROWS.where(*_AMONG).order_by(*_BY_ID)
_VIEWS_AMONG = _VIEWS.where(*_AMONG).order_by(*_BY_ID, EMBEDDING.c.view)
_TEXTS_OF = select(_ID, VERSION.c.version, VERSION.c.content).where(
    VERSION.c.tenant_id == bindparam("tenant"),
    VERSION.c.memory_id.in_(bindparam("memory_ids", expanding=True)),
    VERSION.c.content.is_not(None),
)
_CODES_OF = _CODES.where(
    TOKEN_EMBEDDING.c.tenant_id == bindparam("tenant"),
    TOKEN_EMBEDDING.c.memory_id.in_(bindparam("memory_ids", expanding=True)),
    TOKEN_EMBEDDING.c.space_id == bindparam("space_id"),
)
_LINKS_AMONG = _LINKS.where(
    MEMORY.c.tenant_id == bindparam("tenant"),
    MEMORY.c.namespace_id == bindparam("namespace"),
    MEMORY.c.id.in_(bindparam("memory_ids", expanding=True)),
).order_by(MEMORY.c.id, *_BY_LINK)
_KEYS_OF = (
    select(VERSION.c.memory_id, VERSION.c.version)
    .where(
        VERSION.c.tenant_id == bindparam("tenant"),
        VERSION.c.namespace_id == bindparam("namespace"),
        VERSION.c.memory_id.in_(bindparam("memory_ids", expanding=True)),
    )
    .order_by(*_BY_ID)
)


def load_versions(
    connection: Connection,
    namespace: NamespaceRow,
    dim: int,
    keys: Sequence[tuple[UUID, int]],
    tiers: NDArray[np.uint8] = TIER_OF_LEVEL,
) -> RecordBatch:
    """Certain versions of the namespace's memories. Those that are gone, or do not open, are left out."""

    def read(damaged: frozenset[UUID]) -> RecordBatch:
        return _versions(connection, namespace, dim, [key for key in keys if key[0] not in damaged], tiers)

    return _whole(read)


def _versions(
    connection: Connection,
    namespace: NamespaceRow,
    dim: int,
    keys: Sequence[tuple[UUID, int]],
    tiers: NDArray[np.uint8],
) -> RecordBatch:
    rows: list[Any] = []
    views: list[Any] = []
    links: list[Any] = []
    texts: list[Any] = []
    codes: list[Any] = []
    for start in range(0, len(keys), _CHUNK):
        these = {
            "tenant": namespace.tenant_id,
            "namespace": namespace.id,
            "space_id": namespace.space_id,
            **among(keys[start : start + _CHUNK]),
        }
        rows += connection.execute(_ROWS_AMONG, these).all()
        views += _standing(connection.execute(_VIEWS_AMONG, these).all())
    memories = list(dict.fromkeys(memory_id for memory_id, _ in keys))
    for start in range(0, len(memories), _CHUNK):
        these = {
            "tenant": namespace.tenant_id,
            "namespace": namespace.id,
            "space_id": namespace.space_id,
            "memory_ids": memories[start : start + _CHUNK],
        }
        texts += connection.execute(_TEXTS_OF, these).all()
        codes += connection.execute(_CODES_OF, these).all()
        links += _present(connection.execute(_LINKS_AMONG, these).all())
    return to_batch(rows, views, links, _by_version(texts), _by_version(codes), dim, tiers)


def load_memories(
    connection: Connection,
    namespace: NamespaceRow,
    dim: int,
    memory_ids: Sequence[UUID],
    tiers: NDArray[np.uint8] = TIER_OF_LEVEL,
) -> RecordBatch:
    """Every version of certain memories of the namespace. Those that are gone are left out."""
    keys: list[tuple[UUID, int]] = []
    for start in range(0, len(memory_ids), _CHUNK):
        these = {"tenant": namespace.tenant_id, "namespace": namespace.id}
        found = connection.execute(_KEYS_OF, {**these, "memory_ids": memory_ids[start : start + _CHUNK]})
        keys += [(row.memory_id, row.version) for row in found]
    return load_versions(connection, namespace, dim, keys, tiers)


def load_namespace(
    connection: Connection,
    namespace: NamespaceRow,
    dim: int,
    tiers: NDArray[np.uint8] = TIER_OF_LEVEL,
    *,
    archive: bool = False,
) -> Iterator[RecordBatch]:
    """Every version of the namespace's memories, in bounded pieces, by when the memories were first recorded.

    Those of its archive (see `memsvc.models.archive`) are left out; or they are all, if that is asked for.

    The pieces are ranges in the index of the namespace's memories, so that the work grows with this namespace alone;
    the rest is looked up by its key.
    """
    place = tuple_(MEMORY.c.recorded_at, MEMORY.c.id)
    own = (
        MEMORY.c.tenant_id == namespace.tenant_id,
        MEMORY.c.namespace_id == namespace.id,
        IN_ARCHIVE if archive else not_(IN_ARCHIVE),
    )
    after: tuple[ColumnElement[bool], ...] = ()
    while True:
        # The last place of the next piece; a piece ends between memories, never inside one.
        ends = select(*place.clauses).where(*own, *after).order_by(*place.clauses).offset(_STREAM - 1).limit(1)
        end = connection.execute(ends).one_or_none()
        piece = (*own, *after) if end is None else (*own, *after, place <= tuple(end))

        def read(damaged: frozenset[UUID], piece: tuple[ColumnElement[bool], ...] = piece) -> RecordBatch:
            sound = (MEMORY.c.id.not_in(damaged),) if damaged else ()
            return _piece(connection, namespace, dim, (*piece, *sound), tiers)

        batch = _whole(read)
        if len(batch):
            yield batch
        if end is None:
            return
        after = (place > tuple(end),)


def _piece(
    connection: Connection,
    namespace: NamespaceRow,
    dim: int,
    piece: tuple[ColumnElement[bool], ...],
    tiers: NDArray[np.uint8],
) -> RecordBatch:
    """Every version of the memories for which conditions hold, by when they were first recorded."""
    space = {"space_id": namespace.space_id}
    with _collector_resting():
        rows = connection.execute(_ROWS.where(*piece).order_by(*_BY_PLACE), space).all()
        wanted = _VIEWS.where(*piece).order_by(*_BY_PLACE, EMBEDDING.c.view)
        views = _standing(connection.execute(wanted, space).all())
        linked = _LINKS.where(*piece).order_by(MEMORY.c.recorded_at, MEMORY.c.id, *_BY_LINK)
        links = _present(connection.execute(linked).all())
        texts = _by_version(connection.execute(_TEXTS.where(*piece)).all())
        coded = _CODES.select_from(_MEMORIES_CODES).where(*piece)
        codes = _by_version(connection.execute(coded, space).all())
        return to_batch(rows, views, links, texts, codes, dim, tiers)


def _whole(read: Callable[[frozenset[UUID]], RecordBatch]) -> RecordBatch:
    """What can be read, without memories that are encrypted and do not open.

    Args:
        read: reads without some memories.

    Raises:
        Damaged: so many do not that it is no accident of one row: a bank that is nearly empty must not be served.
        Unreadable: see `_only_what_was_written`.
    """
    damaged: frozenset[UUID] = frozenset()
    while True:
        try:
            with _only_what_was_written():
                return read(damaged)
        except Damaged as found:
            if len(damaged) >= _MOST_DAMAGED or found.memory_id in damaged:
                raise
            log.warning("memory_unreadable", memory=str(found.memory_id))
            damaged |= {found.memory_id}


@contextmanager
def _only_what_was_written() -> Iterator[None]:
    """A column that holds something else is damage: SQLite takes any value in any column, and checks no bytes.

    Raises:
        Unreadable: it was found by what cannot be done with it.
    """
    try:
        yield
    except (TypeError, ValueError, OverflowError, KeyError, AttributeError) as error:
        log.warning("rows_unreadable", error=type(error).__name__)  # never its words: they may be a memory's
        log.debug("rows_unreadable", exc_info=True)
        raise Unreadable(f"rows of memories hold what is never written there ({type(error).__name__})") from error


@contextmanager
def _collector_resting() -> Iterator[None]:
    """Keep the garbage collector from looking at all rows again and again (a quarter of a load); none is in a cycle."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _present(found: Iterable[Any]) -> list[Any]:
    """Rows of `_VIEWS` or `_LINKS` without those of memories that have no vector in the namespace's space, or no link.

    Outer joins, for the same reason as above.
    """
    return [row for row in found if row[2] is not None]


def _standing(found: Iterable[Any]) -> list[Any]:
    """Rows of `_VIEWS` that are there, in their order; where a version has a merged one, that one alone."""
    views = _present(found)
    merged = {(view[0], view[1]) for view in views if view[3] == MERGED_VIEW}
    return [view for view in views if view[3] == MERGED_VIEW or (view[0], view[1]) not in merged] if merged else views


def _by_version(found: Iterable[Any]) -> dict[tuple[Any, int], Any]:
    """Rows of `_TEXTS` or `_CODES` by memory and version, those that have something."""
    return {(row[0], row[1]): row[2] for row in found if row[2] is not None}


def to_batch(
    rows: Sequence[Any],
    views: Sequence[Any],
    links: Sequence[Any],
    texts_of: Mapping[tuple[Any, int], str],
    codes_of: Mapping[tuple[Any, int], bytes],
    dim: int,
    tiers: NDArray[np.uint8],
) -> RecordBatch:
    """Columns from rows of `_ROWS`, `_VIEWS` and `_LINKS`; views and links of one memory stand in their order.

    Texts and token codes are given by memory and the version that has them; `tiers` says how exactly the vectors of a
    memory are kept, by its level. All versions of a memory are kept alike.
    """
    n = len(rows)
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [()] * _ROWS_WIDTH
    pairs, pair_offsets = _flat(columns[15], "<u8")
    term_ids, term_offsets = _flat(columns[16], "<u4")
    term_freqs, _ = _flat(columns[17], "<u2")
    entity_ids, entity_offsets = _flat(columns[18], "<u8")
    spans, span_offsets = _flat(columns[21], "<i8", 2)
    place_ids, place_offsets = _flat(columns[22], "<u8")
    holders = list(zip(columns[0], columns[23], strict=True))
    said = [
        folded_text(spoken(texts_of.get(of, ""), who)).encode() for of, who in zip(holders, columns[25], strict=True)
    ]
    texts, text_offsets = _flat(said, "<u1")
    tokens, token_offsets = _flat([codes_of.get(of, b"") for of in holders], "<u1", token_bytes(dim))
    place = {(row[0], row[1]): i for i, row in enumerate(rows)}
    owners = np.fromiter((place.get((v[0], v[1]), -1) for v in views), dtype=np.int64, count=len(views))
    kept = owners >= 0  # a version committed between the two statements has views but no row; the change log brings it
    vectors = np.frombuffer(b"".join(v[2] for v in views), dtype="<f2").reshape(len(views), dim)
    view_offsets = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(np.bincount(owners[kept], minlength=n), out=view_offsets[1:])
    batch = RecordBatch(
        memory_ids=np.frombuffer(_id_bytes(columns[0]), dtype=np.uint8).reshape(n, 16),
        versions=np.array(columns[1], dtype=np.int32),
        kinds=np.array(columns[2], dtype=np.uint8),
        states=np.array(columns[3], dtype=np.uint8),
        occurred_us=_times(columns[4], UNKNOWN_US),
        valid_from_us=_times(columns[5], UNKNOWN_US),
        valid_to_us=_times(columns[6], NEVER_US),
        recorded_from_us=_times(columns[7], UNKNOWN_US),
        recorded_to_us=_times(columns[8], NEVER_US),
        expires_us=_times(columns[9], NEVER_US),
        importances=np.array(columns[10], dtype=np.float32),
        stabilities=np.array(columns[11], dtype=np.float32),
        trusts=np.array(columns[12], dtype=np.float32),
        last_recalled_us=_times(columns[13], UNKNOWN_US),
        lengths=np.array(columns[14], dtype=np.uint32),
        pairs=pairs.astype(np.uint64, copy=False),
        pair_offsets=pair_offsets,
        term_ids=term_ids.astype(np.uint32, copy=False),
        term_freqs=term_freqs.astype(np.uint16, copy=False),
        term_offsets=term_offsets,
        entity_ids=entity_ids.astype(np.uint64, copy=False),
        entity_offsets=entity_offsets,
        vectors=vectors[kept][np.argsort(owners[kept], kind="stable")].astype(np.float16, copy=False),
        view_offsets=view_offsets,
        sequences=np.array([s or 0 for s in columns[19]], dtype=np.int64).view(np.uint64),
        speakers=np.array([s or 0 for s in columns[24]], dtype=np.int64).view(np.uint64),
        outcomes=np.array([_OUTCOMES.get(o, np.nan) for o in columns[20]], dtype=np.float32),
        spans=spans.astype(np.int64, copy=False),
        span_offsets=span_offsets,
        place_ids=place_ids.astype(np.uint64, copy=False),
        place_offsets=place_offsets,
        **_links(rows, links),
        texts=texts,
        text_offsets=text_offsets,
        tokens=tokens,
        token_offsets=token_offsets,
        **no_codes(n),
    )
    return coded(batch, tiers[np.array(columns[26], dtype=np.intp)])


def _links(rows: Sequence[Any], links: Sequence[Any]) -> dict[str, NDArray[Any]]:
    """The link columns: a memory's links stand with its current version."""
    place = {row[0]: i for i, row in enumerate(rows) if row[_RECORDED_TO] is None} if links else {}
    kept = [link for link in links if link[0] in place]
    owners = np.fromiter((place[link[0]] for link in kept), dtype=np.int64, count=len(kept))
    order = np.argsort(owners, kind="stable")
    offsets = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum(np.bincount(owners, minlength=len(rows)), out=offsets[1:])
    targets = np.frombuffer(_id_bytes([link[2] for link in kept]), dtype=np.uint8).reshape(-1, 16)
    relations = np.fromiter((_RELATIONS[link[1]] for link in kept), dtype=np.uint8, count=len(kept))
    return {"link_targets": targets[order], "link_relations": relations[order], "link_offsets": offsets}


def _id_bytes(ids: Sequence[str | UUID]) -> bytes:
    """Ids end to end, 16 bytes each."""
    if ids and isinstance(ids[0], str):
        return bytes.fromhex("".join(cast(Sequence[str], ids)))
    return b"".join(i.bytes for i in cast(Sequence[UUID], ids))


def _flat(blobs: Sequence[bytes], dtype: str, width: int = 1) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Blobs of little-endian numbers end to end, with their offsets counted in elements of `width` numbers."""
    offsets = np.zeros(len(blobs) + 1, dtype=np.int64)
    size = np.dtype(dtype).itemsize * width
    lengths = np.fromiter(map(len, blobs), dtype=np.int64, count=len(blobs))
    np.cumsum(lengths // size, out=offsets[1:])
    values = np.frombuffer(b"".join(blobs), dtype=dtype)
    return (values if width == 1 else values.reshape(-1, width)), offsets


def _times(values: Sequence[int | None], missing: int) -> NDArray[np.int64]:
    """Instants, `missing` where there is none; most columns have one everywhere or nowhere."""
    if None not in values:
        return np.array(values, dtype=np.int64)
    return np.array([missing if v is None else v for v in values], dtype=np.int64)
