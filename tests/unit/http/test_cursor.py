"""Cursors against everybody who would like to change one."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memsvc.core.errors import BadCursor
from memsvc.core.secrets import Secrets
from memsvc.http.cursor import CursorCodec

ADA, BEA = UUID(int=1), UUID(int=2)


class Still:
    """A clock."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment


@pytest.fixture
def clock() -> Still:
    return Still()


@pytest.fixture
def codec(clock: Still) -> CursorCodec:
    return CursorCodec(Secrets(b"s" * 32), clock)


@given(st.lists(st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"]))))
def test_a_position_comes_back(position: list[object]) -> None:
    codec = CursorCodec(Secrets(b"s" * 32), Still())
    cursor = codec.encode(position, tenant_id=ADA, route="list", digest=b"f")
    assert codec.decode(cursor, tenant_id=ADA, route="list", digest=b"f") == position


@pytest.mark.parametrize(
    ("tenant_id", "route", "digest"),
    [(BEA, "list", b"f"), (ADA, "other", b"f"), (ADA, "list", b"g"), (ADA, "listf", b"")],
)
def test_it_is_good_for_its_own_list_alone(codec: CursorCodec, tenant_id: UUID, route: str, digest: bytes) -> None:
    cursor = codec.encode([1], tenant_id=ADA, route="list", digest=b"f")
    with pytest.raises(BadCursor):
        codec.decode(cursor, tenant_id=tenant_id, route=route, digest=digest)


def test_no_other_spelling_and_no_changed_character_is_accepted(codec: CursorCodec) -> None:
    cursor = codec.encode([12345], tenant_id=ADA, route="list")
    changed = {cursor[:i] + c + cursor[i + 1 :] for i in range(len(cursor)) for c in "A9-_/+=é" if cursor[i] != c}
    for other in changed | {cursor[:-1], cursor + "A", cursor + "=", " " + cursor, "", "A" * 10_000, "é", "\x00"}:
        with pytest.raises(BadCursor):
            codec.decode(other, tenant_id=ADA, route="list")


def test_it_ends_after_a_day(codec: CursorCodec, clock: Still) -> None:
    cursor = codec.encode([1], tenant_id=ADA, route="list")
    clock.moment += timedelta(hours=24)
    assert codec.decode(cursor, tenant_id=ADA, route="list") == [1]
    clock.moment += timedelta(microseconds=1)
    with pytest.raises(BadCursor):
        codec.decode(cursor, tenant_id=ADA, route="list")


def test_another_secret_signs_otherwise(codec: CursorCodec, clock: Still) -> None:
    forged = CursorCodec(Secrets(b"t" * 32), clock).encode([1], tenant_id=ADA, route="list")
    with pytest.raises(BadCursor):
        codec.decode(forged, tenant_id=ADA, route="list")


def test_it_is_url_safe(codec: CursorCodec) -> None:
    cursor = codec.encode(["?" * 50, "~" * 50], tenant_id=ADA, route="list")
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
