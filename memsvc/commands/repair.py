"""`memsvc doctor --repair`: what is wrong in the rows is mended, one after the other, and only after a yes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial

from gpu.bank.bank import Bank
from memsvc.commands.jobs import writing_tools
from memsvc.commands.store import opened
from memsvc.core.clock import SystemClock
from memsvc.core.errors import ServiceError
from memsvc.core.secrets import load_secrets
from memsvc.core.settings import Settings
from memsvc.db import migrate as schema
from memsvc.filters.pairs import MADE
from memsvc.index.keeper import Keeper
from memsvc.repair.repairs import Workshop
from memsvc.repair.service import Damage, Repairs
from memsvc.sealing import keys


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one damage; `left` says of how much of it nothing did."""

    check: str
    found: str
    done: str
    left: int

    def as_dict(self) -> dict[str, str | int]:
        """For JSON."""
        return {"check": self.check, "found": self.found, "done": self.done, "left": self.left}


def repair(settings: Settings, agreed: Callable[[Damage], bool]) -> Iterator[Outcome]:
    """Look for damage and mend what may be mended, one at a time.

    Args:
        agreed: asked before each is mended.

    Raises:
        StartupRefused: the database is not of this release's schema, owned by another process, or not to be reached;
            or what is to be mended takes another model or root key than the settings name.
    """
    with _repairs(settings) as repairs:
        for damage in repairs.found():
            if not damage.can_be_mended:
                yield Outcome(damage.repair.name, damage.found, f"left: {damage.will}", damage.n)
            elif not agreed(damage):
                yield Outcome(damage.repair.name, damage.found, f"left; it would {damage.will}", damage.n)
            else:
                try:
                    done = repairs.mend(damage)
                except ServiceError as refused:  # a model that is away, say: the rest can be mended all the same
                    yield Outcome(damage.repair.name, damage.found, f"left: {refused.detail}", damage.n)
                    continue
                said = f"mended, {done} of {damage.n}: {damage.will}"
                yield Outcome(damage.repair.name, damage.found, said, max(0, damage.n - done))
        for namespace, why in repairs.unloadable():
            found = f"namespace {namespace.id}: no bank can be built of it ({why})"
            yield Outcome("bank", found, "left: restore it from an export or a backup", 1)


@contextmanager
def _repairs(settings: Settings) -> Iterator[Repairs]:
    with opened(settings) as database:
        schema.require_head(database.engine)
        keys.require(database)
        clock = SystemClock()
        tools = cache(partial(writing_tools, settings, database, clock))
        keeper = Keeper(database, Bank(repeating=MADE))
        try:
            yield Repairs(
                Workshop(
                    database,
                    clock,
                    load_secrets(settings),
                    keeper,
                    preparer=lambda: tools().preparer,
                )
            )
        finally:
            keeper.bank.close()
            if tools.cache_info().currsize:
                tools().summariser.close()
                tools().preparer.embedders.close()
