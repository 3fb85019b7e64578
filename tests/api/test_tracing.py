"""Traces: one for a request, through every layer, without a word of what was written."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from tests.fixtures.service import Caller
from tests.fixtures.spans import recorded

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = f"00-{TRACE}-{SPAN}-01"
SECRET = "the password of Zanzibar is rosebud"


def test_a_recall_is_traced_from_the_request_to_the_answer(ada: Caller) -> None:
    ada.remember("tea is brewed at 80 degrees")
    body = {"namespace": ada.namespace, "query": "how hot is tea", "deadline_ms": 20_000}
    for asked in (body, {key: value for key, value in body.items() if key != "deadline_ms"}):
        with recorded() as spans:
            answer = ada.ask("POST", "/v1/recall", json=asked, headers={"traceparent": GIVEN})

        request = spans.named("POST /v1/recall")
        assert request.parent == int(SPAN, 16)
        assert request.get_span_context().trace_id == int(TRACE, 16)
        assert answer.headers["traceparent"].split("-")[1] == TRACE
        assert int(answer.headers["traceparent"].split("-")[2], 16) == request.get_span_context().span_id
        assert request.attributes["http.response.status_code"] == 200
        assert request.attributes["request_id"] == answer.headers["x-request-id"]
        wanted = {"recall", "database read", "analysis", "embedding", "channel semantic", "channel keyword", "fusion"}
        assert wanted | {"rerank", "fetch"} <= spans.below(request)
        assert {span.ends for span in spans.kept} == {1}


def test_a_write_is_traced(ada: Caller) -> None:
    with recorded() as spans:
        ada.remember("tea is brewed at 80 degrees")

    assert {"embedding", "analysis", "database write", "bank.catch_up"} <= spans.below(spans.named("POST /v1/memories"))


def test_spans_hold_no_content(ada: Caller) -> None:
    with recorded() as spans:
        ada.remember(SECRET, metadata={"rosebud": "rosebud"})
        ada.found("rosebud Zanzibar")
        ada.ask("GET", "/v1/memories/rosebud")

    said = repr([(span.name, span.attributes, span.errors) for span in spans.kept])
    assert len(spans.kept) > 10
    assert "rosebud" not in said
    assert "Zanzibar" not in said
    assert ada.namespace not in said


def test_a_failure_leaves_its_type_alone(ada: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(ada.service.container, "recall", fail)
    with recorded() as spans:
        answer = ada.ask("POST", "/v1/recall", json={"namespace": ada.namespace, "query": "tea"})

    assert answer.status_code == 500
    span = spans.named("POST /v1/recall")
    assert span.is_failed
    assert not span.errors
    assert "rosebud" not in repr(span.attributes)


def test_without_a_collector_a_trace_of_the_caller_is_handed_on(ada: Caller) -> None:
    with capture_logs() as logs:
        answer = ada.ask("GET", "/v1/version", headers={"traceparent": GIVEN})

    assert answer.headers["traceparent"] == GIVEN
    assert logs
    assert "traceparent" not in ada.ask("GET", "/v1/version").headers


@pytest.mark.parametrize("wrong", ["", "garbage", f"00-{'0' * 32}-{SPAN}-01", f"ff-{TRACE}-{SPAN}-01", "é" * 4000])
def test_a_wrong_traceparent_is_none(ada: Caller, wrong: str) -> None:
    headers = {"traceparent": wrong.encode("latin-1")}
    answer = ada.ask("GET", "/v1/version", headers=headers)  # type: ignore[arg-type]

    assert answer.status_code == 200
    assert "traceparent" not in answer.headers


def test_probes_are_not_traced(ada: Caller) -> None:
    with recorded() as spans:
        ada.ask("GET", "/livez")

    assert not spans.kept
