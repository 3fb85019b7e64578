"""What an import may bring: looked through like any other write, and no more trusted than whoever brings it.

Every version is looked through, not only what a memory says now: the history of a memory can be read, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args
from uuid import UUID

from lifecycle.policy import Policy
from lifecycle.trust import Trust
from memsvc.core.errors import InvalidInput
from memsvc.core.settings import Action
from memsvc.exports.parts import VERSIONS
from memsvc.exports.plan import Plan, Text, rows
from memsvc.exports.sealing import Opened
from memsvc.memories.draft import Circumstances, Draft
from memsvc.memories.vetting import vetted_import
from memsvc.namespaces import policies
from memsvc.screening.rules import FINDERS, KEY, Rules, in_force
from memsvc.screening.screen import PARTS, screened

Notice = Callable[[str, Circumstances], tuple[str, ...]]
"""What is noticed in a text in its circumstances, see `retrieval.screening`."""


@dataclass(slots=True)
class Vetting:
    """What was found in the texts of an export, and what follows for its rows.

    Attributes:
        rules: what is looked for, and what is done about it.
        policy: of the namespace as it will be.
        credential: the most that whoever imports may give.
        redacted: texts of which something was blackened, with what they are analysed with.
        held: memories that go into quarantine.
        has_external: whether anything is of the lowest tier, as far as rows were seen.
    """

    rules: Rules
    policy: Policy
    credential: Trust
    redacted: dict[Text, Circumstances] = field(default_factory=dict)
    held: set[UUID] = field(default_factory=set)
    has_external: bool = False
    _flags: dict[Text, tuple[str, ...]] = field(default_factory=dict)
    _noticed: dict[Text, tuple[str, ...]] = field(default_factory=dict)

    def read(self, export: Opened, plan: Plan, notice: Notice) -> None:
        """Looks through every version that is taken; what is blackened is so in the plan's texts from then on.

        Raises:
            InvalidInput: one holds what is to be rejected; says which, and never what.
        """
        for row in rows(export, VERSIONS):
            text = row["memory_id"], row["version"]
            if text[0] in plan.gone:
                continue
            try:
                self._parts(row)
                draft = screened(Draft(row["content"]), self.rules)
            except InvalidInput as error:
                where = f"memory {text[0]}, version {text[1]}: {error.detail}"
                raise InvalidInput(where, errors=error.errors) from None
            if draft.content is None:
                continue
            circumstances = Circumstances.of(row)
            if draft.content != row["content"]:
                plan.texts[text] = draft.content
                self.redacted[text] = circumstances
            if draft.flags:
                self._flags[text] = draft.flags
            if noticed := notice(draft.content, circumstances):
                self._noticed[text] = noticed

    def of_memory(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The row of a memory as it is written."""
        judged = self._judged(row, row["id"])
        if judged["state"] != row["state"]:
            self.held.add(row["id"])
        if (row["id"], row["content_version"]) in self.redacted:  # how surprising it was rests on what it said
            judged |= {"surprise": None, "novelty": None, "nearest_id": None}
        if row["before_merge"] is not None:
            alone = self._parts(row["before_merge"]).fields
            judged["before_merge"] = {**row["before_merge"], **alone}
        return judged

    def of_version(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The row of a version as it is written; its text is the plan's."""
        return self._judged(row, row["memory_id"])

    def _judged(self, row: Mapping[str, Any], memory_id: UUID) -> dict[str, Any]:
        text = memory_id, row["content_version"]
        draft = self._parts(row)
        flags = sorted({*row["flags"], *draft.flags, *self._flags.get(text, ())})
        values = {**row, **draft.fields, "flags": flags}
        judged = vetted_import(values, self.credential, self._noticed.get(text, ()), self.policy)
        self.has_external |= judged["trust"] < Trust.AGENT.rank
        return judged

    def _parts(self, row: Mapping[str, Any]) -> Draft:
        return screened(Draft(None, {name: row[name] for name in PARTS if name in row}), self.rules)


def settled(brought: Mapping[str, Any], there: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a namespace after an import: those of the export, but for the screening that was set there.

    Args:
        brought: settings of the export.
        there: of the namespace, without memories as it is.
    """
    own = there.get(KEY)
    return {**brought, KEY: {**brought.get(KEY, {}), **own}} if own else dict(brought)


def looked_through(
    export: Opened, plan: Plan, settings: Mapping[str, Any], default: Rules, credential: Trust, notice: Notice
) -> Vetting:
    """Looks through an export for a namespace that will have these settings.

    Args:
        default: the rules where a namespace says nothing else.

    Raises:
        InvalidInput: it holds what is to be rejected, or its settings make no sense.
    """
    try:
        vetting = Vetting(_rules(default, settings), policies.of_settings(settings), credential)
    except (ValueError, TypeError, KeyError, AttributeError):  # whatever an export of another version may hold
        raise InvalidInput("manifest.json: these are no settings of a namespace") from None
    vetting.read(export, plan, notice)
    return vetting


def _rules(default: Rules, settings: Mapping[str, Any]) -> Rules:
    """The rules in force.

    Raises:
        ValueError: one is none.
    """
    rules = in_force(default, settings)
    if not (rules.keys() <= FINDERS.keys() and set(rules.values()) <= set(get_args(Action))):
        raise ValueError("there is no such rule")
    return rules
