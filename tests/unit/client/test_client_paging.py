"""Lists fetch their own pages."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.unit.client.conftest import Connect
from tests.unit.client.recorder import Answer, Recorder, Seen, memory


def pages_of(total: int) -> Callable[[Seen], Answer]:
    def answer(seen: Seen) -> Answer:
        start, size = int(seen.query.get("cursor", "0")), int(seen.query.get("limit", "100"))
        items = [memory(f"m{n}") for n in range(start, min(start + size, total))]
        end = start + len(items)
        return Answer(200, {"items": items, "next_cursor": str(end) if end < total else None})

    return answer


@pytest.mark.parametrize(
    ("limit", "found", "calls"), [(None, 7, 3), (3, 3, 1), (4, 4, 2), (7, 7, 3), (99, 7, 3), (0, 0, 0)]
)
def test_all_items_come_and_no_page_too_many(
    connect: Connect, service: Recorder, limit: int | None, found: int, calls: int
) -> None:
    service.default = pages_of(7)
    items = [m.id for m in connect(service.url).list(limit=limit, page_size=3)]
    assert items == [f"m{n}" for n in range(found)]
    assert len(service.seen) == calls


def test_the_query_names_filter_and_order(connect: Connect, service: Recorder) -> None:
    service.default = pages_of(0)
    wanted = {"and": [{"kind": "semantic"}, {"metadata.city": {"in": ["Oslo", "São Paulo"]}}]}
    assert list(connect(service.url).list(filter=wanted, order="oldest", limit=5)) == []
    query = service.last.query
    assert json.loads(query.pop("filter")) == wanted
    assert query == {"namespace": "user/ada", "order": "oldest", "limit": "5"}


def test_pages_can_be_walked_and_taken_up_again(connect: Connect, service: Recorder) -> None:
    service.default = pages_of(5)
    client = connect(service.url)
    first = next(iter(client.list(page_size=2).pages()))
    assert ([m.id for m in first.items], first.next_cursor) == (["m0", "m1"], "2")
    assert [m.id for m in client.list(page_size=2, cursor=first.next_cursor)] == ["m2", "m3", "m4"]


def test_a_pager_can_be_read_twice(connect: Connect, service: Recorder) -> None:
    service.default = pages_of(3)
    pager = connect(service.url).list(page_size=2)
    assert [m.id for m in pager] == [m.id for m in pager] == ["m0", "m1", "m2"]


def test_a_cursor_that_stands_still_ends_the_walk(connect: Connect, service: Recorder) -> None:
    service.default = lambda _: Answer(200, {"items": [memory()], "next_cursor": "same"})
    assert len(list(connect(service.url).list())) == 2


def test_nothing_is_fetched_before_it_is_asked_for(connect: Connect, service: Recorder) -> None:
    connect(service.url).list()
    assert service.seen == []
