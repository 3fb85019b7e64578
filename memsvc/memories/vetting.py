"""What becomes of a memory when it is written, by who writes it, where it says it is from, and what it says.

Three columns follow, which nobody can set: `trust` and `origin` (see `lifecycle.trust`), and `flags`; and, where the
namespace's policy is strict, the state `quarantined`. An edit never raises trust, and never ends a quarantine.

Flags are of two kinds in one column. What `memsvc.screening` found (a card, a phone number) is nothing against the
memory, and is taken over; what makes a memory doubtful is judged here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gpu.bank.records import State
from lifecycle.policy import Policy, Quarantine
from lifecycle.trust import Trust, claimed, lesser, origin
from memsvc.screening.rules import FAMILIES

CAPPED = "source_capped"
"""The flag of a memory whose declared source claims more than its writer may give."""


def doubts(flags: Iterable[str]) -> list[str]:
    """Those of a memory's flags for which it should not be believed."""
    return [flag for flag in flags if flag not in FAMILIES]


def vetted(
    values: Mapping[str, Any],
    writer: str,
    credential: Trust,
    findings: Sequence[str],
    policy: Policy,
    most: float = Trust.TRUSTED.rank,
) -> dict[str, Any]:
    """The described columns of a new memory with what vetting adds to them.

    Args:
        values: as the writer said them, with the flags of screening.
        writer: its name in the history.
        credential: the most that it may give.
        findings: what was noticed in the text.
        most: rank that its trust does not exceed in any case.
    """
    return _judged(values, writer, credential, findings, policy, most)


def vetted_again(
    before: Mapping[str, Any],
    values: Mapping[str, Any],
    writer: str,
    credential: Trust,
    findings: Sequence[str] | None,
    policy: Policy,
) -> dict[str, Any]:
    """The same of an edit.

    Args:
        before: the described columns as they are.
        values: as they are to be, with the flags of screening.
        findings: in the new text; None: the text stays.
    """
    text_stays = findings is None
    if findings is None:
        standing = {**values, "flags": sorted({*values["flags"], *doubts(before["flags"])})}
        if all(standing[name] == before[name] for name in standing if name != "state"):
            return _kept(before, standing)
        findings = [flag for flag in doubts(before["flags"]) if flag != CAPPED]
    judged = _judged(values, writer, credential, findings, policy, before["trust"])
    if before["trust"] < credential.rank:  # the editor's own name would make another's words look like its own
        judged["origin"] = before["origin"]
    if text_stays and judged["trust"] == before["trust"] and set(doubts(judged["flags"])) <= set(before["flags"]):
        judged["state"] = values["state"]  # an admin may have released it as it is
    return _kept(before, judged)


def vetted_import(
    values: Mapping[str, Any], credential: Trust, findings: Sequence[str], policy: Policy
) -> dict[str, Any]:
    """The same of a memory that an import brings: it stays as it was judged, and gets no more than its bringer gives.

    Only what is held against it for the first time holds it back: an admin may have released it in spite of the rest.

    Args:
        values: the described columns as they were, with the flags of screening.
        credential: the most that whoever imports may give.
        findings: what is noticed in the text.
    """
    claim = claimed(values["source"])
    noticed = () if policy.quarantine is Quarantine.OFF else findings
    against = {*noticed, *((CAPPED,) if claim is not None and claim.rank > credential.rank else ())}
    trust = min(values["trust"], credential.rank)
    is_new = bool(against - set(values["flags"])) or trust < min(values["trust"], Trust.AGENT.rank)
    is_held = policy.quarantine is Quarantine.STRICT and is_new and values["state"] == State.ACTIVE
    return {
        **values,
        "trust": trust,
        "flags": sorted({*values["flags"], *against}),
        "state": int(State.QUARANTINED) if is_held else values["state"],
    }


def _judged(
    values: Mapping[str, Any], writer: str, credential: Trust, findings: Sequence[str], policy: Policy, most: float
) -> dict[str, Any]:
    claim = claimed(values["source"])
    given = credential if claim is None else lesser(credential, claim)
    is_capped = claim is not None and claim.rank > credential.rank
    is_screened = policy.quarantine is not Quarantine.OFF
    against = {*(findings if is_screened else ()), *((CAPPED,) if is_capped else ())}
    trust = min(given.rank, most)
    doubtful = bool(against) or trust < Trust.AGENT.rank
    is_held = policy.quarantine is Quarantine.STRICT and doubtful and values["state"] == State.ACTIVE
    return {
        **values,
        "trust": trust,
        "origin": origin(values["source"], writer, credential),
        "flags": sorted({*values["flags"], *against}),
        "state": int(State.QUARANTINED) if is_held else values["state"],
    }


def _kept(before: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A quarantine is ended by an admin alone."""
    is_held = before["state"] == State.QUARANTINED
    return {**values, "state": int(State.QUARANTINED) if is_held else values["state"]}
