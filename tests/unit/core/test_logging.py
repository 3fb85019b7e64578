"""What logs hold, and what they never hold."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from memsvc.core.logging import configure_logging
from memsvc.core.settings import Settings

Lines = Callable[[], list[dict[str, Any]]]
SECRET = "msk_" + "A" * 43


@pytest.fixture
def lines() -> Iterator[Lines]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging(Settings(log_format="json"))
    structlog.configure(cache_logger_on_first_use=False)
    written = io.StringIO()
    (ours,) = (handler for handler in root.handlers if type(handler) is logging.StreamHandler)
    ours.setStream(written)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_content_keys_and_control_characters_stay_out(lines: Lines) -> None:
    structlog.get_logger("x").info("wrote", content="dear diary", note=f"a\nb {SECRET} \u202e", query="who?")
    (event,) = lines()
    assert event["content"] == event["query"] == "[withheld]"
    assert event["note"] == "a\\u000ab msk_[withheld] \\u202e"
    assert event["event"] == "wrote"


def test_a_stack_trace_names_places_and_types_but_no_message(lines: Lines) -> None:
    def inner() -> None:
        raise ValueError("dear diary")

    def outer() -> None:
        try:
            inner()
        except ValueError as error:
            raise RuntimeError("dear diary") from error

    try:
        outer()
    except RuntimeError:
        structlog.get_logger("x").exception("failed")
    (event,) = lines()
    assert [part["type"] for part in event["raised"]] == ["builtins.RuntimeError", "builtins.ValueError"]
    assert event["raised"][1]["at"][-1].endswith(" inner")
    assert "diary" not in json.dumps(event)


def test_libraries_log_in_the_same_form(lines: Lines) -> None:
    logging.getLogger("uvicorn.error").warning("key %s", SECRET)
    logging.getLogger("uvicorn.access").critical("GET /v1/memories?q=diary")
    (event,) = lines()
    assert event["event"] == "key msk_[withheld]"
    assert event["logger"] == "uvicorn.error"
