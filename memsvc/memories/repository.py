"""All reading of memories. Every query names the tenant."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    exists,
    func,
    not_,
    or_,
    select,
    tuple_,
)

from gpu.bank.records import State
from memsvc.filters.rows import Asked
from memsvc.memories.draft import DESCRIBED
from memsvc.memories.ledger import Stored
from memsvc.models import Relation
from memsvc.models.archive import IN_ARCHIVE
from memsvc.models.conditions import VERSION_AMONG, among
from memsvc.models.ids import given, one_of, one_of_given
from memsvc.models.tables import JOB_EFFECT, LINK, MEMORY, TOKEN_EMBEDDING, VERSION
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow
from memsvc.sealing.rows import names

_CHUNK = 400  # bound parameters of one statement stay far below SQLite's limit
_PAGE = 1_000  # memories whose texts are read at once
_TEXT = VERSION.alias("text")  # the version that holds the text


def _stored() -> Select[Any]:
    return select(MEMORY, _TEXT.c.content.label("content")).join(
        _TEXT,
        and_(
            _TEXT.c.tenant_id == MEMORY.c.tenant_id,
            _TEXT.c.memory_id == MEMORY.c.id,
            _TEXT.c.version == MEMORY.c.content_version,
        ),
    )


def unexpired(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """Condition on memories: the time to live has not ended."""
    return or_(MEMORY.c.expires_at.is_(None), MEMORY.c.expires_at > now)


_NOW = bindparam("now", type_=MEMORY.c.expires_at.type)


# Made once: building one costs more than running it.
_BY_ID = _stored().where(MEMORY.c.tenant_id == bindparam("tenant"), MEMORY.c.id == bindparam("memory"))
_BY_IDS = _stored().where(MEMORY.c.namespace_id == bindparam("namespace"), one_of_given(MEMORY.c.id))
_MERGED = _BY_IDS.where(or_(MEMORY.c.merged_into.is_not(None), MEMORY.c.before_merge.is_not(None)))
_EXISTING = select(MEMORY.c.id).where(
    MEMORY.c.namespace_id == bindparam("namespace"),
    MEMORY.c.state == int(State.ACTIVE),
    unexpired(_NOW),
    one_of_given(MEMORY.c.id),
)


def _to_stored(row: Row[Any]) -> Stored:
    return Stored(dict(row._mapping), row.content)


def by_id(connection: Connection, tenant_id: UUID, memory_id: UUID) -> Stored | None:
    """The tenant's memory, in whatever state, or None."""
    row = connection.execute(_BY_ID, {"tenant": tenant_id, "memory": memory_id}).one_or_none()
    return None if row is None else _to_stored(row)


def by_ids(
    connection: Connection, tenant_id: UUID, namespace_id: UUID, memory_ids: Iterable[UUID]
) -> dict[UUID, Stored]:
    """The namespace's memories of those ids, in whatever state."""
    asked = {"namespace": namespace_id, **given(tenant_id, memory_ids)}
    return {row.id: _to_stored(row) for row in connection.execute(_BY_IDS, asked)}


def states(connection: Connection, tenant_id: UUID, memory_ids: Iterable[UUID]) -> dict[UUID, State]:
    """The state of each of the tenant's memories."""
    query = select(MEMORY.c.id, MEMORY.c.state).where(one_of(MEMORY.c.id, tenant_id, memory_ids))
    return {row.id: State(row.state) for row in connection.execute(query)}


def located(
    connection: Connection, tenant_id: UUID, memory_id: UUID, *, lock: bool = False
) -> tuple[Stored, NamespaceRow] | None:
    """The tenant's memory with its namespace, or None.

    Args:
        lock: take the namespace's lock first, so that the memory is as no other writer can change it any more.
    """
    found = by_id(connection, tenant_id, memory_id)
    if found is None:
        return None
    namespace = namespaces.get(connection, tenant_id, found.row["namespace_id"], lock=lock)
    again = by_id(connection, tenant_id, memory_id) if lock else found
    return None if namespace is None or again is None else (again, namespace)


def by_external_ids(
    connection: Connection, tenant_id: UUID, namespace_id: UUID, external_ids: Sequence[str]
) -> dict[str, Stored]:
    """The namespace's memories of those external ids, in whatever state."""
    found: dict[str, Stored] = {}
    for part in _chunks(names(connection, tenant_id, external_ids) if external_ids else ()):
        query = _stored().where(
            MEMORY.c.tenant_id == tenant_id, MEMORY.c.namespace_id == namespace_id, MEMORY.c.external_id.in_(part)
        )
        found.update((row.external_id, _to_stored(row)) for row in connection.execute(query))
    return found


def merged_of(connection: Connection, tenant_id: UUID, namespace_id: UUID, memory_ids: Iterable[UUID]) -> list[Stored]:
    """Those of the namespace's memories that are merged into another, or that others are merged into."""
    asked = {"namespace": namespace_id, **given(tenant_id, memory_ids)}
    return [_to_stored(row) for row in connection.execute(_MERGED, asked)]


def existing(
    connection: Connection, tenant_id: UUID, namespace_id: UUID, memory_ids: Iterable[UUID], now: datetime
) -> set[UUID]:
    """Those of the ids that are active memories of the namespace, not expired."""
    asked = {"namespace": namespace_id, "now": now, **given(tenant_id, memory_ids)}
    return set(connection.execute(_EXISTING, asked).scalars())


def last_of_session(
    connection: Connection, tenant_id: UUID, namespace_id: UUID, session_id: str, now: datetime
) -> UUID | None:
    """The memory of a session that was written last and is still there, or None."""
    query = (
        select(MEMORY.c.id)
        .where(
            MEMORY.c.tenant_id == tenant_id,
            MEMORY.c.namespace_id == namespace_id,
            MEMORY.c.session_id == session_id,
            MEMORY.c.state == int(State.ACTIVE),
            unexpired(now),
        )
        .order_by(MEMORY.c.recorded_at.desc(), MEMORY.c.id.desc())
        .limit(1)
    )
    return connection.execute(query).scalar_one_or_none()


def _stored_texts() -> Select[Any]:
    return select(MEMORY.c.id, _TEXT.c.content).outerjoin(
        _TEXT,
        and_(
            _TEXT.c.tenant_id == MEMORY.c.tenant_id,
            _TEXT.c.memory_id == MEMORY.c.id,
            _TEXT.c.version == MEMORY.c.content_version,
        ),
    )


def _last_of_sequence(*where: ColumnElement[bool]) -> Select[Any]:
    return (
        _stored_texts()
        .where(
            MEMORY.c.tenant_id == bindparam("tenant"),
            MEMORY.c.namespace_id == bindparam("namespace"),
            MEMORY.c.sequence_id == bindparam("sequence"),
            MEMORY.c.state == int(State.ACTIVE),
            unexpired(_NOW),
            *where,
        )
        .order_by(MEMORY.c.id.desc())
        .limit(1)
    )


_LAST = _last_of_sequence()
_LAST_BEFORE = _last_of_sequence(MEMORY.c.id < bindparam("before", type_=MEMORY.c.id.type))


def last_of_sequence(
    connection: Connection,
    tenant_id: UUID,
    namespace_id: UUID,
    sequence_id: int,
    before: UUID | None = None,
    *,
    now: datetime,
) -> tuple[UUID, str] | None:
    """The latest active memory of a conversation, not expired, in the order of ids: (id, text), or None.

    Args:
        sequence_id: the conversation, from `memsvc.memories.sequence`.
        before: look at memories with smaller ids alone.
        now: the service's clock.
    """
    given = {
        "tenant": tenant_id, "namespace": namespace_id, "sequence": sequence_id, "now": now,
        **({} if before is None else {"before": before}),
    }  # fmt: skip
    row = connection.execute(_LAST if before is None else _LAST_BEFORE, given).one_or_none()
    return None if row is None else (row.id, row.content)


def before_each(
    connection: Connection, tenant_id: UUID, memory_ids: Iterable[UUID], now: datetime, without: Collection[UUID]
) -> dict[UUID, UUID]:
    """For memories in conversations, the one before each once others are gone; those before which is none are left out.

    Args:
        now: the service's clock.
        without: memories that are passed over; what is merged into one of them stands by itself again.
    """
    later = MEMORY.alias("later")
    earlier = (
        select(MEMORY.c.id)
        .where(
            MEMORY.c.tenant_id == tenant_id,
            MEMORY.c.namespace_id == later.c.namespace_id,
            MEMORY.c.sequence_id == later.c.sequence_id,
            or_(
                MEMORY.c.state == int(State.ACTIVE),
                and_(MEMORY.c.state == int(State.MERGED), one_of(MEMORY.c.merged_into, tenant_id, without)),
            ),
            unexpired(now),
            MEMORY.c.id < later.c.id,
            not_(one_of(MEMORY.c.id, tenant_id, without)),
        )
        .order_by(MEMORY.c.id.desc())
        .limit(1)
        .correlate(later)
        .scalar_subquery()
    )
    query = select(later.c.id, earlier).where(one_of(later.c.id, tenant_id, memory_ids))
    return {one: before for one, before in connection.execute(query) if before is not None}


def texts(connection: Connection, tenant_id: UUID, memory_ids: Iterable[UUID]) -> dict[UUID, str]:
    """What memories say now, whatever their state; those that are gone are left out."""
    query = _stored_texts().where(one_of(MEMORY.c.id, tenant_id, memory_ids))
    return {row.id: row.content for row in connection.execute(query)}


# Outer joins for the order of the tables alone, see `memsvc.index.loader`.
_READ_IN_LIGHT_OF = (
    select(
        TOKEN_EMBEDDING.c.memory_id,
        TOKEN_EMBEDDING.c.version,
        TOKEN_EMBEDDING.c.context_id,
        VERSION.c.content,
        VERSION.c.namespace_id,
        (MEMORY.c.content_version == TOKEN_EMBEDDING.c.version).label("is_current"),
    )
    .outerjoin(
        VERSION,
        and_(
            VERSION.c.tenant_id == TOKEN_EMBEDDING.c.tenant_id,
            VERSION.c.memory_id == TOKEN_EMBEDDING.c.memory_id,
            VERSION.c.version == TOKEN_EMBEDDING.c.version,
        ),
    )
    .outerjoin(
        MEMORY,
        and_(
            MEMORY.c.tenant_id == TOKEN_EMBEDDING.c.tenant_id,
            MEMORY.c.id == TOKEN_EMBEDDING.c.memory_id,
        ),
    )
    .where(one_of_given(TOKEN_EMBEDDING.c.context_id))
)


def read_in_light_of(connection: Connection, tenant_id: UUID, memory_ids: Iterable[UUID]) -> list[Row[Any]]:
    """Texts that were read in the light of one of these memories, of every version, by (memory_id, version).

    Returns:
        Rows with `memory_id`, `version`, `content`, `context_id`, `namespace_id`, and `is_current`: whether this is
        its text now. One for a text, in how many embedding spaces it may have been read so.
    """
    asked = given(tenant_id, memory_ids)
    # Not in the statement: SQLite would walk all the tenant's rows in this order rather than look up a few.
    rows = {(row.memory_id, row.version): row for row in connection.execute(_READ_IN_LIGHT_OF, asked)}
    return sorted(rows.values(), key=lambda row: (row.memory_id.bytes, row.version))


def page(
    connection: Connection,
    tenant_id: UUID,
    namespace_id: UUID,
    condition: Asked,
    now: datetime,
    *,
    after: tuple[datetime, UUID] | None,
    newest_first: bool,
    limit: int,
) -> list[Stored]:
    """One page of what has not expired, ordered by (recorded_at, id), strictly after a place in that order."""
    place = tuple_(MEMORY.c.recorded_at, MEMORY.c.id)
    order = [c.desc() if newest_first else c.asc() for c in place.clauses]
    query = _stored().where(
        MEMORY.c.tenant_id == tenant_id, MEMORY.c.namespace_id == namespace_id, condition.where, unexpired(now)
    )
    at_once = limit if condition.rest is None else max(limit, _PAGE)
    query = query.order_by(*order).limit(at_once)
    found: list[Stored] = []
    while True:
        here = query if after is None else _beyond(query, after, newest_first)
        rows = [_to_stored(row) for row in connection.execute(here)]
        found += [one for one in rows if condition.passes(one.row)]
        if len(found) >= limit or len(rows) < at_once:
            return found[:limit]
        after = rows[-1].row["recorded_at"], rows[-1].id


def _beyond(query: Select[Any], after: tuple[datetime, UUID], newest_first: bool) -> Select[Any]:
    at, last = after
    beyond = MEMORY.c.recorded_at < at if newest_first else MEMORY.c.recorded_at > at
    within = MEMORY.c.id < last if newest_first else MEMORY.c.id > last
    return query.where(or_(beyond, and_(MEMORY.c.recorded_at == at, within)))


def numbered_page(
    connection: Connection,
    tenant_id: UUID,
    namespace_id: UUID,
    condition: Asked,
    now: datetime,
    *,
    offset: int,
    limit: int,
) -> tuple[list[Stored], int]:
    """A page of a list by its number, the newest first, and how long the list is; the work grows with both."""
    own = (MEMORY.c.tenant_id == tenant_id, MEMORY.c.namespace_id == namespace_id, condition.where, unexpired(now))
    query = _stored().where(*own).order_by(MEMORY.c.recorded_at.desc(), MEMORY.c.id.desc())
    if condition.rest is not None:  # only an opened row can tell: all of them are read
        every = (_to_stored(row) for row in connection.execute(query))
        passing = [one for one in every if condition.passes(one.row)]
        return passing[offset : offset + limit], len(passing)
    count = connection.execute(select(func.count()).select_from(MEMORY).where(*own)).scalar_one()
    return [_to_stored(row) for row in connection.execute(query.offset(offset).limit(limit))], count


_STATEMENTS = ("id", "state", "speaker", "occurred_at", "valid_from", "valid_to", "recorded_at", "pinned", "legal_hold")


def statements(
    connection: Connection,
    tenant_id: UUID,
    namespace_id: UUID,
    states: Iterable[State],
    now: datetime,
    more: Sequence[str] = (),
) -> Iterator[Stored]:
    """What a namespace's memories in these states say now, by id; read in pages, so that few texts are held at once.

    What a job made of others is left out: it says nothing that they do not say.

    Args:
        more: further columns to be read.

    Returns:
        Of their rows id, state, speaker, the times, pinned, legal_hold, and the `reason` of the version that stands.
    """
    current = VERSION.alias("current")
    columns = [MEMORY.c[name] for name in (*_STATEMENTS, *more)]
    query = (
        select(*columns, _TEXT.c.content, current.c.reason)
        .outerjoin(
            _TEXT,
            and_(
                _TEXT.c.tenant_id == MEMORY.c.tenant_id,
                _TEXT.c.memory_id == MEMORY.c.id,
                _TEXT.c.version == MEMORY.c.content_version,
            ),
        )
        .outerjoin(
            current,
            and_(
                current.c.tenant_id == MEMORY.c.tenant_id,
                current.c.memory_id == MEMORY.c.id,
                current.c.version == MEMORY.c.version,
            ),
        )
        .where(
            MEMORY.c.tenant_id == tenant_id,
            MEMORY.c.namespace_id == namespace_id,
            MEMORY.c.state.in_([int(state) for state in states]),
            MEMORY.c.derived.is_(None),
            unexpired(now),
        )
        .order_by(MEMORY.c.id)
        .limit(_PAGE)
    )
    after: UUID | None = None
    while True:
        found: Iterable[Row[Any]] = connection.execute(query if after is None else query.where(MEMORY.c.id > after))
        rows = [_to_stored(row) for row in found]
        yield from rows
        if len(rows) < _PAGE:
            return
        after = rows[-1].id


def superseders(
    connection: Connection, tenant_id: UUID, memory_ids: Iterable[UUID], *, by_jobs: bool = False
) -> dict[UUID, set[UUID]]:
    """For memories that others supersede, which ones.

    Args:
        by_jobs: only those of which a job says so, not those that a user linked.
    """
    found: dict[UUID, set[UUID]] = {}
    of_a_job = exists().where(
        JOB_EFFECT.c.tenant_id == LINK.c.tenant_id,
        JOB_EFFECT.c.memory_id == LINK.c.to_id,
        JOB_EFFECT.c.because_of == LINK.c.from_id,
    )
    query = select(LINK.c.to_id, LINK.c.from_id).where(
        one_of(LINK.c.to_id, tenant_id, memory_ids),
        LINK.c.relation == Relation.SUPERSEDES.value,
        *((of_a_job,) if by_jobs else ()),
    )
    for older, newer in connection.execute(query):
        found.setdefault(older, set()).add(newer)
    return found


def superseded_by(connection: Connection, tenant_id: UUID, memory_ids: Iterable[UUID]) -> set[UUID]:
    """Memories that jobs say any of these supersede."""
    of_a_job = exists().where(
        JOB_EFFECT.c.tenant_id == LINK.c.tenant_id,
        JOB_EFFECT.c.memory_id == LINK.c.to_id,
        JOB_EFFECT.c.because_of == LINK.c.from_id,
    )
    query = select(LINK.c.to_id).where(
        one_of(LINK.c.from_id, tenant_id, memory_ids), LINK.c.relation == Relation.SUPERSEDES.value, of_a_job
    )
    return set(connection.execute(query).scalars())


def before_superseded(
    connection: Connection, tenant_id: UUID, memory_ids: Iterable[UUID]
) -> dict[UUID, datetime | None]:
    """Until when superseded memories were valid by the last version in which they were not."""
    query = (
        select(VERSION.c.memory_id, VERSION.c.valid_to)
        .where(
            one_of(VERSION.c.memory_id, tenant_id, memory_ids),
            VERSION.c.state != int(State.SUPERSEDED),
        )
        .order_by(VERSION.c.memory_id, VERSION.c.version)
    )
    return {memory_id: valid_to for memory_id, valid_to in connection.execute(query)}


def history(connection: Connection, tenant_id: UUID, memory_id: UUID) -> list[Row[Any]]:
    """Every version of a memory, oldest first, each with the text it had."""
    query = (
        select(VERSION, _TEXT.c.content.label("text"))
        .join(
            _TEXT,
            and_(
                _TEXT.c.tenant_id == VERSION.c.tenant_id,
                _TEXT.c.memory_id == VERSION.c.memory_id,
                _TEXT.c.version == VERSION.c.content_version,
            ),
        )
        .where(VERSION.c.tenant_id == tenant_id, VERSION.c.memory_id == memory_id)
        .order_by(VERSION.c.version)
    )
    return list(connection.execute(query))


# Made once: building it costs as much as running it. Only what an answer shows is read.
_SHOWN = (
    select(
        *(VERSION.c[name] for name in DESCRIBED),
        VERSION.c.memory_id,
        VERSION.c.version,
        _TEXT.c.content.label("text"),
        MEMORY.c.state.label("state_now"),
        MEMORY.c.external_id,
        MEMORY.c.recorded_at,
        MEMORY.c.updated_at,
        MEMORY.c.stability_s,
        MEMORY.c.last_recalled_at,
        MEMORY.c.recall_count,
        MEMORY.c.level,
        MEMORY.c.legal_hold,
        MEMORY.c.evicted,
        MEMORY.c.surprise,
        MEMORY.c.merged_into,
    )
    .join(
        _TEXT,
        and_(
            _TEXT.c.tenant_id == VERSION.c.tenant_id,
            _TEXT.c.memory_id == VERSION.c.memory_id,
            _TEXT.c.version == VERSION.c.content_version,
        ),
    )
    .join(MEMORY, and_(MEMORY.c.tenant_id == VERSION.c.tenant_id, MEMORY.c.id == VERSION.c.memory_id))
    .where(VERSION.c.tenant_id == bindparam("tenant"), VERSION_AMONG)
)


def versions(
    connection: Connection, tenant_id: UUID, keys: Sequence[tuple[UUID, int]]
) -> dict[tuple[UUID, int], Row[Any]]:
    """Certain versions of memories with the text they had and what the memory row alone knows."""
    found: dict[tuple[UUID, int], Row[Any]] = {}
    for part in _chunks(keys):
        rows: Iterable[Row[Any]] = connection.execute(_SHOWN, {"tenant": tenant_id, **among(part)})
        found.update(((row.memory_id, row.version), row) for row in rows)
    return found


def links(connection: Connection, tenant_id: UUID, memory_id: UUID, now: datetime) -> list[tuple[str, UUID, bool]]:
    """Links of a memory to active, unexpired ones: (relation, other memory, whether it points there).

    What is merged is the same: the memory that it stands for points to the one that stands for it.
    """
    found: list[tuple[str, UUID, bool]] = []
    for own, other, outgoing in ((LINK.c.from_id, LINK.c.to_id, True), (LINK.c.to_id, LINK.c.from_id, False)):
        query = (
            select(LINK.c.relation, other)
            .join(MEMORY, and_(MEMORY.c.tenant_id == LINK.c.tenant_id, MEMORY.c.id == other))
            .where(LINK.c.tenant_id == tenant_id, own == memory_id, MEMORY.c.state == int(State.ACTIVE), unexpired(now))
            .order_by(LINK.c.relation, other)
        )
        found += [(relation, identifier, outgoing) for relation, identifier in connection.execute(query)]
    for own, other, outgoing in ((MEMORY.c.id, MEMORY.c.merged_into, True), (MEMORY.c.merged_into, MEMORY.c.id, False)):
        query = (
            select(other).where(MEMORY.c.tenant_id == tenant_id, own == memory_id, other.is_not(None)).order_by(other)
        )
        same = [(Relation.SAME_AS.value, identifier, outgoing) for identifier in connection.execute(query).scalars()]
        found += [link for link in same if link not in found]
    return found


def members(connection: Connection, tenant_id: UUID, pivot_ids: Iterable[UUID]) -> dict[UUID, list[Stored]]:
    """What is merged into memories, by pivot, in the order of ids."""
    found: dict[UUID, list[Stored]] = {}
    query = _stored().where(one_of(MEMORY.c.merged_into, tenant_id, pivot_ids)).order_by(MEMORY.c.id)
    for row in connection.execute(query):
        found.setdefault(row.merged_into, []).append(_to_stored(row))
    return found


def orphans(connection: Connection, tenant_id: UUID, namespace_id: UUID, now: datetime) -> list[UUID]:
    """Memories that are merged into one that is gone, or whose time to live has ended before theirs; by id."""
    pivot = MEMORY.alias("pivot")
    query = (
        select(MEMORY.c.id)
        .outerjoin(pivot, and_(pivot.c.tenant_id == MEMORY.c.tenant_id, pivot.c.id == MEMORY.c.merged_into))
        .where(
            MEMORY.c.tenant_id == tenant_id,
            MEMORY.c.namespace_id == namespace_id,
            MEMORY.c.merged_into.is_not(None),
            or_(pivot.c.id.is_(None), pivot.c.expires_at <= now),
            unexpired(now),
        )
        .order_by(MEMORY.c.id)
    )
    return list(connection.execute(query).scalars())


def marked(connection: Connection, tenant_id: UUID, namespace_id: UUID, reason: str) -> set[UUID]:
    """Memories of which a version since their text was last written has a certain reason."""
    query = select(MEMORY.c.id).join(
        VERSION,
        and_(
            VERSION.c.tenant_id == MEMORY.c.tenant_id,
            VERSION.c.memory_id == MEMORY.c.id,
            VERSION.c.version >= MEMORY.c.content_version,
            VERSION.c.reason == reason,
        ),
    )
    found = connection.execute(query.where(MEMORY.c.tenant_id == tenant_id, MEMORY.c.namespace_id == namespace_id))
    return set(found.scalars())


def lock(connection: Connection, tenant_id: UUID, memory_ids: Iterable[UUID]) -> None:
    """Keeps others from writing uses of memories until the transaction ends; always in the same order."""
    query = select(MEMORY.c.id).where(one_of(MEMORY.c.id, tenant_id, memory_ids))
    connection.execute(query.order_by(MEMORY.c.id).with_for_update()).all()


def matching(connection: Connection, tenant_id: UUID, namespace_id: UUID, condition: Asked) -> list[UUID]:
    """Ids of the namespace's memories for which a condition holds, ascending."""
    columns = (MEMORY.c[name] for name in condition.fields)
    query = select(MEMORY.c.id.label("memory"), *columns).where(
        MEMORY.c.tenant_id == tenant_id, MEMORY.c.namespace_id == namespace_id, condition.where
    )
    return _passing(connection, query, condition)


def matching_versions(
    connection: Connection, tenant_id: UUID, namespace_id: UUID, condition: Asked, as_of: datetime
) -> list[UUID]:
    """Ids of the namespace's memories for whose version at `as_of` a condition holds, ascending."""
    columns = ((VERSION if name in VERSION.c else MEMORY).c[name] for name in condition.fields)
    query = select(VERSION.c.memory_id.label("memory"), *columns).where(
        VERSION.c.tenant_id == tenant_id,
        VERSION.c.namespace_id == namespace_id,
        VERSION.c.recorded_from <= as_of,
        or_(VERSION.c.recorded_to.is_(None), VERSION.c.recorded_to > as_of),
        condition.where,
    )
    if any(name not in VERSION.c for name in condition.fields):
        same = and_(MEMORY.c.tenant_id == VERSION.c.tenant_id, MEMORY.c.id == VERSION.c.memory_id)
        query = query.select_from(VERSION.join(MEMORY, same))
    return _passing(connection, query, condition)


def _passing(connection: Connection, query: Select[Any], condition: Asked) -> list[UUID]:
    if condition.rest is None:
        found = set(connection.execute(query).scalars())
    else:  # texts and all: not many at once
        rows = connection.execution_options(yield_per=_PAGE).execute(query)
        found = {row.memory for row in rows if condition.passes(row._asdict())}
    return sorted(found, key=lambda i: i.bytes)


def count(connection: Connection, tenant_id: UUID, namespace_id: UUID) -> int:
    """Memories of a namespace, in whatever state."""
    query = select(func.count()).where(MEMORY.c.tenant_id == tenant_id, MEMORY.c.namespace_id == namespace_id)
    return int(connection.execute(query).scalar_one())


def has_archived(connection: Connection, tenant_id: UUID, namespace_id: UUID) -> bool:
    """Whether any memory of a namespace is archived."""
    one = select(MEMORY.c.id).where(
        MEMORY.c.tenant_id == tenant_id,
        MEMORY.c.namespace_id == namespace_id,
        MEMORY.c.state == int(State.ARCHIVED),
        IN_ARCHIVE,
    )
    return connection.execute(one.limit(1)).one_or_none() is not None


def _chunks(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (values[start : start + _CHUNK] for start in range(0, len(values), _CHUNK))
