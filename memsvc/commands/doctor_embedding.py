"""The part of `memsvc doctor` that looks for namespaces on their way to another embedding model. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, and_, func, select

from memsvc.commands.finding import Finding
from memsvc.db.tenancy import SERVICE_SETTING
from memsvc.models import RunState
from memsvc.models.tables import JOB_RUN, NAMESPACE
from memsvc.models.tenant import Beside
from memsvc.reembedding.repository import KIND

_SAID = {
    Beside.GROWING: "are being embedded for another model",
    Beside.COMPLETE: "are embedded for another model and wait for `memsvc embedding switch`",
    Beside.FORMER: "keep the vectors of the model that they came from; `memsvc embedding drop` deletes them",
    Beside.LEAVING: "lose the vectors of another model",
}


def examine(connection: Connection) -> Iterator[Finding]:
    """How many namespaces keep vectors of a second model, and whether anybody works on those that are half done."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.set_config(SERVICE_SETTING, "on", True)))
    open_run = and_(
        JOB_RUN.c.tenant_id == NAMESPACE.c.tenant_id,
        JOB_RUN.c.namespace_id == NAMESPACE.c.id,
        JOB_RUN.c.kind == KIND,
        JOB_RUN.c.state.in_((int(RunState.QUEUED), int(RunState.RUNNING))),
    )
    is_worked_on = select(JOB_RUN.c.id).where(open_run).correlate(NAMESPACE).exists()
    rows = connection.execute(select(NAMESPACE.c.beside, is_worked_on).where(NAMESPACE.c.beside.is_not(None))).all()
    if not rows:
        yield Finding("embedding", "ok", "every namespace has vectors of one model")
    for state, said in _SAID.items():
        if number := sum(row[0] == state for row in rows):
            yield Finding("embedding", "note", f"{number} namespaces {said}")
    half_done = (Beside.GROWING, Beside.LEAVING)
    if idle := sum(row[0] in half_done and not row[1] for row in rows):
        yield Finding(
            "embedding",
            "note",
            f"{idle} namespaces are half done, and no run is queued; `memsvc embedding start` or `drop` goes on",
        )
