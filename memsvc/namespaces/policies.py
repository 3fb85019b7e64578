"""Policies as they are stored with a namespace: only what its owner set, over the defaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection

from gpu.bank.records import Kind
from lifecycle.merging import MergePolicy
from lifecycle.policy import DEFAULT, Derived, Gists, Level, Policy, Quarantine
from memsvc.models.tables import NAMESPACE
from memsvc.namespaces.repository import NamespaceRow
from memsvc.screening.rules import KEY as SCREENING

_KEY = "policy"
_PLAIN = (
    "hysteresis", "share_per_run", "protect_importance", "prior", "later_first", "rehearse_importance",
    "rehearse_below", "ttl_s", "expired_for_s", "forgotten_for_s", "quota_memories", "quota_bytes",
)  # fmt: skip


def to_policy(stored: Mapping[str, Any]) -> Policy:
    """A policy from what was set.

    Raises:
        ValueError: it makes no sense.
    """
    below = {**DEFAULT.below, **{Level[name.upper()]: bound for name, bound in stored.get("below", {}).items()}}
    coldest = {
        **DEFAULT.coldest,
        **{Kind[kind.upper()]: Level[name.upper()] for kind, name in stored.get("coldest", {}).items()},
    }
    factors = {**DEFAULT.factors, **{Kind[kind.upper()]: float(by) for kind, by in stored.get("factors", {}).items()}}
    plain = {name: stored[name] for name in _PLAIN if name in stored}
    merge = MergePolicy(**stored.get("merge", {}))
    quarantine = Quarantine(stored.get("quarantine", DEFAULT.quarantine))
    gists = _gists(stored.get("gists", {}))
    return Policy(
        below=below, coldest=coldest, factors=factors, merge=merge, gists=gists, quarantine=quarantine, **plain
    )


def _gists(stored: Mapping[str, Any]) -> Gists:
    levels = frozenset(Derived(name) for name in stored.get("levels", DEFAULT.gists.levels))
    return Gists(**{**stored, "levels": levels})


def shown(policy: Policy) -> dict[str, Any]:
    """A policy as the interface shows it, whole."""
    return {
        "below": {level.name.lower(): bound for level, bound in policy.below.items()},
        "coldest": {kind.name.lower(): level.name.lower() for kind, level in policy.coldest.items()},
        "factors": {kind.name.lower(): factor for kind, factor in policy.factors.items()},
        **{name: getattr(policy, name) for name in _PLAIN},
        "merge": asdict(policy.merge),
        "quarantine": policy.quarantine.value,
        "gists": {
            "levels": [level.value for level in Derived if level in policy.gists.levels],
            **{name: getattr(policy.gists, name) for name in ("least", "ratio", "words", "support")},
        },
    }


def of(namespace: NamespaceRow) -> Policy:
    """The policy in force in a namespace."""
    return of_settings(namespace.settings)


def of_settings(settings: Mapping[str, Any]) -> Policy:
    """The policy that a namespace has with these settings."""
    stored = settings.get(_KEY)
    return to_policy(stored) if stored else DEFAULT


def own(namespace: NamespaceRow) -> tuple[str, ...]:
    """What the owner set, as dotted names such as `policy.below.warm`; all else is as by default."""
    return tuple(
        name
        for part in (_KEY, SCREENING)
        if part in namespace.settings
        for name in _dotted(part, namespace.settings[part])
    )


def _dotted(name: str, value: Any) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield name
        return
    for key, of in value.items():
        yield from _dotted(f"{name}.{key}", of)


def write(connection: Connection, namespace: NamespaceRow, **stored: Mapping[Any, Any]) -> None:
    """Puts what the owner set (`policy`, `screening`) in the place of what was set before; the namespace is locked."""
    connection.execute(
        NAMESPACE.update()
        .where(NAMESPACE.c.tenant_id == namespace.tenant_id, NAMESPACE.c.id == namespace.id)
        .values(settings={**namespace.settings, **{name: dict(given) for name, given in stored.items()}})
    )
