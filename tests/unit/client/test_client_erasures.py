"""Erasures through the client."""

from __future__ import annotations

from typing import Any

import pytest

from memsvc_client import InvalidArgument, MemoryClient
from tests.unit.client.conftest import Connect
from tests.unit.client.recorder import ERASURE_ID, ID, Recorder


def test_an_erasure_is_waited_for_and_its_receipt_checked(connect: Connect, plausible_service: Recorder) -> None:
    erasures = connect(plausible_service.url).erasures
    assert erasures.preview(user_id="bo").memories == 2
    done = erasures.create(user_id="bo")
    assert (done.is_over, done.memories) == (True, 2)
    asked = plausible_service.seen[-2]
    assert (asked.path, asked.body) == ("/v1/erasures", {"namespace": "user/ada", "user_id": "bo"})
    assert done.receipt is not None
    assert erasures.verify(done.receipt).holds
    assert plausible_service.last.body == {"receipt": {"signature": "s"}}
    assert [one.id for one in erasures.list()] == [ERASURE_ID]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"memory_ids": [ID]}, {"memory_ids": [ID]}),
        ({"user_id": "bo", "everywhere": True}, {"user_id": "bo"}),
        ({"filter": {}}, {"namespace": "user/ada", "filter": {}}),
        ({"writer": "w", "namespace": "a/b"}, {"namespace": "a/b", "writer": "w"}),
    ],
    ids=str,
)
def test_where_it_erases_is_always_said(
    connect: Connect, plausible_service: Recorder, given: dict[str, Any], sent: dict[str, Any]
) -> None:
    connect(plausible_service.url).erasures.create(wait_s=0.0, **given)
    assert plausible_service.last.body == sent


@pytest.mark.parametrize(
    "given",
    [{}, {"user_id": "a", "writer": "b"}, {"user_id": "a", "everywhere": True, "namespace": "a"}],
    ids=str,
)
def test_what_is_not_said_clearly_is_not_sent(
    connect: Connect, plausible_service: Recorder, given: dict[str, Any]
) -> None:
    erasures = connect(plausible_service.url).erasures
    for call in (erasures.create, erasures.preview):
        with pytest.raises(InvalidArgument):
            call(**given)
    with pytest.raises(InvalidArgument):
        erasures.get("")
    with pytest.raises(InvalidArgument), MemoryClient(plausible_service.url) as nowhere:
        nowhere.erasures.create(user_id="bo")
    assert plausible_service.seen == []
