"""The two clients have the same methods, arguments and descriptions; the package exports what it should."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

import pytest

import memsvc_client
from memsvc_client import (
    AsyncAudit,
    AsyncErasures,
    AsyncJobs,
    AsyncKeys,
    AsyncMemoryClient,
    AsyncSession,
    Audit,
    Erasures,
    Jobs,
    Keys,
    MemoryClient,
    Session,
)

LAZY = {
    "list",
    "namespaces",
    "effects",
    "due",
    "follow_due",
    "changes",
    "follow_changes",
    "entities",
}  # they give a pager, which is awaited by iterating it
PLAIN = {"session", "turn"}  # they ask nothing
PAIRS = [
    (MemoryClient, AsyncMemoryClient),
    (Keys, AsyncKeys),
    (Jobs, AsyncJobs),
    (Erasures, AsyncErasures),
    (Audit, AsyncAudit),
    (Session, AsyncSession),
]


def methods(owner: type) -> dict[str, Any]:
    return {name: f for name, f in inspect.getmembers(owner, inspect.isfunction) if not name.startswith("_")}


def arguments(function: Any) -> list[tuple[str, Any, Any, str]]:
    return [
        (p.name, p.kind, p.default, str(p.annotation).replace("AsyncBase", "Base"))
        for p in inspect.signature(function).parameters.values()
    ]


@pytest.mark.parametrize(("blocking", "awaited"), PAIRS)
def test_same_names(blocking: type, awaited: type) -> None:
    assert methods(blocking).keys() == methods(awaited).keys()
    assert len(methods(blocking)) >= 3


@pytest.mark.parametrize(
    ("one", "other"),
    [(one, methods(b)[name]) for a, b in PAIRS for name, one in methods(a).items()]
    + [(vars(MemoryClient)["__init__"], vars(AsyncMemoryClient)["__init__"])],
    ids=lambda f: f.__qualname__,
)
def test_same_arguments_answers_and_words(one: Any, other: Any) -> None:
    assert arguments(one) == arguments(other)
    answer = inspect.signature(other).return_annotation
    assert inspect.signature(one).return_annotation == answer.replace("AsyncPager", "Pager").replace(
        "AsyncIterator", "Iterator"
    ).replace("AsyncSession", "Session")
    assert one.__doc__ == other.__doc__
    awaited = inspect.iscoroutinefunction(other)
    assert awaited == (one.__name__ not in LAZY | PLAIN | {"__init__"})


def test_all_is_sorted_complete_and_true() -> None:
    source = Path(inspect.getfile(memsvc_client)).read_text(encoding="utf-8")
    checked = next(node for node in ast.parse(source).body if isinstance(node, ast.If))  # what a type checker reads
    imported = {
        alias.name: str(node.module).removeprefix("memsvc_client.")
        for node in checked.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported == memsvc_client._HOME_OF  # type: ignore[attr-defined, unused-ignore]
    assert set(memsvc_client.__all__) == {*imported, "__version__"}
    assert len(memsvc_client.__all__) == len(set(memsvc_client.__all__))
    assert all(hasattr(memsvc_client, name) for name in memsvc_client.__all__)


def test_what_is_not_there_is_not_found_either() -> None:
    assert set(memsvc_client.__all__) <= set(dir(memsvc_client))
    with pytest.raises(AttributeError, match="no attribute 'Memries'"):
        memsvc_client.Memries  # type: ignore[attr-defined]  # noqa: B018


def test_every_error_is_exported() -> None:
    errors = {
        name
        for name, value in vars(memsvc_client.errors).items()
        if inspect.isclass(value) and issubclass(value, memsvc_client.MemsvcError) and not name.startswith("_")
    }
    assert errors <= set(memsvc_client.__all__)


def test_every_public_name_is_described() -> None:
    for name in memsvc_client.__all__:
        value = getattr(memsvc_client, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__doc__, name


def test_context_managers_close(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[bool] = []
    monkeypatch.setattr(MemoryClient, "close", lambda _: closed.append(True))
    with MemoryClient("http://127.0.0.1:1") as client:
        assert isinstance(client, MemoryClient)
    assert closed == [True]
