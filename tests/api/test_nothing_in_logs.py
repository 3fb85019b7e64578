"""No content, question, key or secret gets into logs, metrics or problems at the default level, whatever happens."""

from __future__ import annotations

import io
import json
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from memsvc.core.logging import configure_logging
from memsvc.core.settings import Settings
from tests.fixtures.service import Caller, Service, serving

CANARY = "qzkanarienvogel"
"""Nothing that anything but these tests says."""
TOKEN = "ghp_" + "Q7zKx9" * 6


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[io.StringIO]:
    """What a process with the default settings writes, in the form of `memsvc serve`."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    configure_logging(Settings(data_dir=tmp_path, log_format="json"))
    # Loggers that other tests share must not keep this form.
    structlog.configure(cache_logger_on_first_use=False)
    written = io.StringIO()
    for handler in root.handlers:
        if type(handler) is logging.StreamHandler:
            handler.setStream(written)
    try:
        yield written
    finally:
        structlog.reset_defaults()
        root.handlers[:] = before
        root.setLevel(level)


@pytest.fixture
def logged(tmp_path: Path, logs: io.StringIO) -> Iterator[Service]:
    """A service that logs."""
    with serving(tmp_path, request_threads=4) as running:
        yield running


def everything(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Does what callers do, right and wrong; returns the bodies of all refusals."""
    said = f"{CANARY} told me that the key is {TOKEN}."
    refusals: list[str] = []

    def ask(method: str, path: str, **given: Any) -> Any:
        answer = caller.ask(method, path, **given)
        if answer.status_code >= 400:
            refusals.append(answer.text)
        return answer

    here = {"namespace": caller.namespace}
    memory = caller.remember(said, user_id=CANARY, speaker=CANARY, place=CANARY, tags=[CANARY], external_id=CANARY,
                             metadata={CANARY: CANARY}, source={"of": CANARY})  # fmt: skip
    ask("POST", "/v1/memories", json={**here, "content": said, "kind": CANARY})
    ask("POST", "/v1/memories", json={**here, "content": said, "unknown": CANARY})  # a pointer names the field
    ask(
        "POST", "/v1/memories", content=f'{{"content": "{CANARY}'.encode(), headers={"content-type": "application/json"}
    )
    ask(
        "POST", "/v1/memories:batch", json={**here, "memories": [{"content": said, "ttl_s": CANARY}, {"content": said}]}
    )
    ask(
        "POST",
        "/v1/conversations",
        json={**here, "session_id": CANARY, "turns": [{"content": said, "speaker": CANARY}]},
    )
    ask("PUT", "/v1/policy", json={**here, "screening": {"credential": "reject"}})
    ask("POST", "/v1/memories", json={**here, "content": said})
    ask("PATCH", f"/v1/memories/{memory['id']}", json={"content": f"{CANARY} and no key"})
    for query in (CANARY, f'"{CANARY}', ""):
        ask("POST", "/v1/recall", json={**here, "query": query, "explain": True})
    ask("POST", "/v1/recall", json={**here, "query": CANARY, "filter": {"tags": {"like": CANARY}}})
    ask("POST", "/v1/context", json={**here, "query": CANARY})
    ask("GET", "/v1/memories", params={**here, "filter": f'{{"tags": {{"contains": "{CANARY}"}}}}'})
    ask("GET", "/v1/memories", params={**here, "cursor": CANARY})
    ask("GET", f"/v1/memories/{CANARY}")
    ask("GET", f"/{CANARY}", params={"q": CANARY})
    ask("GET", "/v1/memories", params={"api_key": f"msk_{CANARY}"})
    ask("GET", "/v1/memories", params=here, headers={"authorization": f"Bearer msk_{CANARY}"})
    ask("POST", "/v1/erasures", json={**here, "user_id": CANARY, "dry_run": True})
    ask("POST", "/v1/job-runs", json={**here, "kind": "fade"})
    ask("POST", f"/v1/memories/{memory['id']}:hold", json={"reason": CANARY})
    ask("DELETE", f"/v1/memories/{memory['id']}")
    with monkeypatch.context() as broken:

        def fail(*given: Any, **named: Any) -> Any:
            raise RuntimeError(f"{CANARY} {TOKEN} {given} {named}")

        broken.setattr(caller.service.container, "recall", fail)
        broken.setattr(caller.service.container, "remember", fail)
        ask("POST", "/v1/recall", json={**here, "query": CANARY})
        ask("POST", "/v1/memories", json={**here, "content": said})
    return refusals


def test_nothing_of_anybody_is_logged_counted_or_echoed(
    logged: Service, logs: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = logged.tenant("one")
    refusals = everything(ada, monkeypatch)
    metrics = ada.ask("GET", "/metrics").text
    logged.clock.move(hours=2)
    logged.container.trails.print_anchors()
    lines = [json.loads(line) for line in logs.getvalue().splitlines()]
    events = Counter(line["event"] for line in lines)
    assert events["request"] > 20  # it does log
    assert events["unexpected_error"] == 2
    assert events["audit_anchor"] >= 1
    assert len(refusals) > 12
    for needle in (CANARY, TOKEN, ada.secret or "", "no key"):
        assert needle not in logs.getvalue()
        assert needle not in metrics
        assert needle not in "".join(refusals)
