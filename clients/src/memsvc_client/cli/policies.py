"""`memsvc policies`: what is in force in a namespace, and where each value comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import typer

from memsvc_client.cli.output import table
from memsvc_client.cli.session import Session, command

if TYPE_CHECKING:
    from memsvc_client.types import Care


def register(app: typer.Typer) -> None:
    """Adds the command to the root."""
    command(app)(policies)


def policies(session: Session) -> None:
    """Show every rule that is in force in a namespace: set for it, or by default. `memsvc jobs policy` sets them.

    Example: memsvc policies -n user/ada
    """
    with session.client() as client:
        care = client.jobs.policy()
    items = [*_rules(care)]
    session.output.show(
        {"namespace": care.namespace, "items": items},
        lambda: table(("rule", "value", "from"), ((one["rule"], _shown(one["value"]), one["from"]) for one in items)),
    )


def _rules(care: Care) -> Iterator[dict[str, Any]]:
    whole = {"policy": care.policy.model_dump(mode="json"), "screening": dict(care.screening)}
    for name, value in _dotted("", whole):
        is_own = any(name == own or name.startswith(f"{own}.") for own in care.own)
        yield {"rule": name, "value": value, "from": "namespace" if is_own else "default"}
    for one in care.schedules:
        yield {"rule": f"schedules.{one.kind}", "value": one.schedule, "from": "namespace"}


def _dotted(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        yield name, value
        return
    for key, of in value.items():
        yield from _dotted(f"{name}.{key}" if name else key, of)


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    return "none" if value is None else str(value)
