"""Imports: cut to size, in order, an answer for each item, nothing dropped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memsvc_client import (
    BatchInterrupted,
    InvalidArgument,
    PayloadTooLarge,
    Progress,
    Unauthorized,
    UnexpectedAnswer,
    item_error,
    progress_bar,
)
from memsvc_client.batching import BatchLimits, split
from tests.unit.client.conftest import Connect
from tests.unit.client.recorder import Answer, Recorder, Seen, plausible, problem


@given(st.lists(st.integers(0, 40).map(lambda n: b"x" * n)), st.integers(1, 7), st.integers(1, 60))
def test_split_keeps_order_and_limits(items: list[bytes], most: int, most_bytes: int) -> None:
    batches = list(split(items, BatchLimits(most, most_bytes)))
    assert [item for batch in batches for item in batch] == items
    for batch in batches:
        assert 1 <= len(batch) <= most
        assert len(b",".join(batch)) <= most_bytes or len(batch) == 1


@given(st.lists(st.just(b"x"), min_size=1, max_size=50), st.integers(1, 7))
def test_split_makes_no_more_batches_than_needed(items: list[bytes], most: int) -> None:
    assert len(list(split(items, BatchLimits(most)))) == -(-len(items) // most)


def test_a_generator_is_sent_in_batches_with_one_result_each(connect: Connect, plausible_service: Recorder) -> None:
    result = connect(plausible_service.url).remember_many(
        ({"content": f"memory {n}", "external_id": str(n)} for n in range(5)), batch_items=2
    )
    assert [len(seen.body["memories"]) for seen in plausible_service.seen] == [2, 2, 1]
    assert {seen.body["namespace"] for seen in plausible_service.seen} == {"user/ada"}
    assert len({seen.headers["idempotency-key"] for seen in plausible_service.seen}) == 3
    assert [item.external_id for item in result.items] == list("01234")
    assert (result.seq, result.failed) == (9, ())


def test_plain_texts_and_bytes_limit(connect: Connect, plausible_service: Recorder) -> None:
    connect(plausible_service.url).remember_many(["é" * 20, "b" * 20, "c" * 500], batch_bytes=200)
    assert [len(seen.body["memories"]) for seen in plausible_service.seen] == [2, 1]
    assert plausible_service.seen[0].body["memories"][0] == {"content": "é" * 20}


def test_nothing_to_write_sends_nothing(connect: Connect, service: Recorder) -> None:
    result = connect(service.url).remember_many([])
    assert (result.items, result.seq, service.seen) == ((), None, [])


def test_refused_items_are_results_not_exceptions(connect: Connect, service: Recorder) -> None:
    wrong = {"status": 422, "problem": {"code": "invalid_input", "title": "t", "detail": "d", "errors": []}}
    service.will(Answer(200, {"items": [{"status": 201, "id": "a"}, wrong], "seq": 3}))
    result = connect(service.url).remember_many(["x", " "])
    ((position, item),) = result.failed
    assert position == 1
    error = item_error(item)
    assert error is not None
    assert (error.status, error.code) == (422, "invalid_input")
    assert item_error(result.items[0]) is None


def test_what_is_too_large_is_halved_until_one_is_left(connect: Connect, service: Recorder) -> None:
    def picky(seen: Seen) -> Answer:
        too_large = any("big" in m["content"] for m in seen.body["memories"]) or len(seen.body["memories"]) > 2
        return Answer(413, problem(413, "too_large")) if too_large else plausible(seen)

    service.default = picky
    contents = ["a", "b", "big", "d", "e"]
    result = connect(service.url).remember_many([{"content": c, "external_id": c} for c in contents])
    assert [item.status for item in result.items] == [201, 201, 413, 201, 201]
    assert [item.external_id for item in result.items if item.ok] == ["a", "b", "d", "e"]
    assert isinstance(item_error(result.items[2]), PayloadTooLarge)


def test_results_so_far_survive_a_failure(connect: Connect, service: Recorder) -> None:
    first = Answer(200, {"items": [{"status": 201, "id": "a"}], "seq": 3})
    service.will(first, Answer(401, problem(401, "unauthenticated")))
    with pytest.raises(BatchInterrupted, match="1 items") as caught:
        connect(service.url).remember_many(["x", "y", "z"], batch_items=1)
    assert [item.id for item in caught.value.done.items] == ["a"]
    assert isinstance(caught.value.__cause__, Unauthorized)


def test_a_failure_at_the_start_is_itself(connect: Connect, service: Recorder) -> None:
    service.will(Answer(401, problem(401, "unauthenticated")))
    with pytest.raises(Unauthorized):
        connect(service.url).remember_many(["x", "y"])


def test_an_item_that_has_no_json_interrupts(connect: Connect, plausible_service: Recorder) -> None:
    with pytest.raises(BatchInterrupted) as caught:
        connect(plausible_service.url).remember_many(["x", {"content": object()}], batch_items=1)
    assert [item.ok for item in caught.value.done.items] == [True]
    assert isinstance(caught.value.__cause__, InvalidArgument)


def test_results_that_do_not_match_are_not_believed(connect: Connect, service: Recorder) -> None:
    service.will(Answer(200, {"items": [], "seq": 3}))
    with pytest.raises(UnexpectedAnswer):
        connect(service.url).remember_many(["x"])


def test_progress_is_told(connect: Connect, plausible_service: Recorder) -> None:
    told: list[Progress] = []
    client = connect(plausible_service.url)
    client.remember_many(["x"] * 3, batch_items=2, on_progress=told.append)
    assert [(p.done, p.total, p.failed) for p in told] == [(2, 3, 0), (3, 3, 0)]
    assert told[0].sent_bytes < told[1].sent_bytes
    told.clear()
    client.remember_many(iter(["x"]), on_progress=told.append)
    assert told[0].total is None


def test_the_bar_takes_the_progress(connect: Connect, plausible_service: Recorder, capsys: Any) -> None:
    with progress_bar("Importing") as move:
        connect(plausible_service.url).remember_many(["x"] * 3, on_progress=move)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "3/3" in captured.err


def test_conversation(connect: Connect, plausible_service: Recorder) -> None:
    turns = [{"speaker": "Ada", "content": "Tea?"}, {"role": "assistant", "content": "Yes.", "external_id": "t2"}]
    result = connect(plausible_service.url).remember_conversation(turns, session_id="s1", user_id="ada")
    assert plausible_service.last.path == "/v1/conversations"
    assert plausible_service.last.body == {
        "namespace": "user/ada",
        "session_id": "s1",
        "user_id": "ada",
        "turns": [
            {"speaker": "Ada", "content": "Tea?"},
            {"speaker": "assistant", "content": "Yes.", "external_id": "t2"},
        ],
    }
    assert len(result.items) == 2


def test_it_reads_no_further_than_it_sends(connect: Connect, service: Recorder) -> None:
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield "x"

    service.will(Answer(403, problem(403, "forbidden")))
    with pytest.raises(Exception, match="forbidden"):
        connect(service.url).remember_many(endless(), batch_items=3)
    assert taken == 3
