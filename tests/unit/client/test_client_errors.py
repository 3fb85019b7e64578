"""Problem documents become typed errors; nothing else the service says can break the client."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memsvc_client import (
    ApiError,
    Conflict,
    Forbidden,
    InvalidRequest,
    MemsvcError,
    NotFound,
    PayloadTooLarge,
    PreconditionFailed,
    RateLimited,
    RetryPolicy,
    ServerError,
    ServiceUnavailable,
    Unauthorized,
)
from memsvc_client.errors import describe
from memsvc_client.wire import Reply, refusal
from tests.unit.client.conftest import Connect
from tests.unit.client.recorder import ID, Answer, Recorder, problem

ONCE = RetryPolicy(attempts=1)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequest),
        (401, Unauthorized),
        (403, Forbidden),
        (404, NotFound),
        (405, ApiError),
        (409, Conflict),
        (412, PreconditionFailed),
        (413, PayloadTooLarge),
        (422, InvalidRequest),
        (428, PreconditionFailed),
        (429, RateLimited),
        (500, ServerError),
        (502, ServiceUnavailable),
        (503, ServiceUnavailable),
        (504, ServiceUnavailable),
        (507, ServerError),
    ],
)
def test_each_status_has_its_class(connect: Connect, service: Recorder, status: int, kind: type[ApiError]) -> None:
    service.will(Answer(status, problem(status, "some_code", "do that")))
    with pytest.raises(ApiError) as caught:
        connect(service.url, retry=ONCE).get(ID)
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.code, error.detail, error.request_id) == (status, "some_code", "do that", "req-1")
    assert str(error) == f"{status} some_code: do that (request req-1)"


def test_wrong_fields_are_named(connect: Connect, service: Recorder) -> None:
    wrong = [{"pointer": "/content", "code": "text_blank", "message": "the text holds only white space"}]
    service.will(Answer(422, problem(422, "invalid_input", errors=wrong)))
    with pytest.raises(InvalidRequest) as caught:
        connect(service.url).remember(" ")
    assert [(e.pointer, e.code) for e in caught.value.problem.errors] == [("/content", "text_blank")]


@pytest.mark.parametrize(
    "body", [None, b"<h1>Bad Gateway</h1>", b"[1]", b"{", b"\xff\xfe", {"status": "x", "errors": 3}]
)
def test_an_error_page_of_a_proxy_is_still_an_api_error(connect: Connect, service: Recorder, body: Any) -> None:
    service.will(Answer(404, body))
    with pytest.raises(NotFound) as caught:
        connect(service.url).get(ID)
    assert caught.value.status == 404
    assert caught.value.code == "http_404"


@settings(max_examples=40)
@given(
    status=st.integers(300, 599),
    body=st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.text(max_size=5),
        lambda inner: st.dictionaries(
            st.sampled_from(["status", "code", "detail", "errors", "title", "type", "request_id"]), inner, max_size=4
        ),
    ).map(lambda value: json.dumps(value).encode()),
)
def test_any_refusal_can_be_read(status: int, body: bytes) -> None:
    error = refusal(Reply(status, {}, body))
    assert error.status == status
    assert str(error).startswith(str(status))
    json.dumps(describe(error))


def test_describe_gives_the_problem_or_the_kind() -> None:
    assert describe(refusal(Reply(404, {}, json.dumps(problem(404, "not_found")).encode())))["code"] == "not_found"
    assert describe(MemsvcError("why"))["detail"] == "why"
