"""What an operator may ask of a namespace's embedding spaces: begin with another one, switch, switch back, drop it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from memsvc.audit import trail
from memsvc.core.clock import Clock
from memsvc.core.errors import Conflict, InvalidInput, NotFound
from memsvc.db.engine import Database
from memsvc.embedding import Embedders
from memsvc.index.keeper import Keeper
from memsvc.jobs.reembedding import ask, settle
from memsvc.memories.ledger import Ledger
from memsvc.memories.write import Author
from memsvc.models.tenant import Beside
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces import stats
from memsvc.namespaces.repository import NamespaceRow
from memsvc.namespaces.stats import LastRun
from memsvc.reembedding import repository
from memsvc.reembedding.repository import KIND, Progress


@dataclass(frozen=True, slots=True)
class Space:
    """An embedding space: a model and the dimension of its vectors."""

    model: str
    dim: int


@dataclass(frozen=True, slots=True)
class Standing:
    """The embedding spaces of a namespace.

    Attributes:
        active: the one that recalls search.
        beside: the one that is kept beside it, if any, with how it stands and how far it is.
        is_to_switch: whether the other one becomes the active one as soon as it is complete.
        models: those of this process.
        run: the newest one of the job.
    """

    active: Space
    beside: Space | None
    state: Beside | None
    progress: Progress | None
    is_to_switch: bool
    models: list[str]
    run: LastRun | None


class Reembedding:
    """Embedding spaces of the namespaces of all tenants. Every request is safe to repeat.

    Args:
        wake: has the job looked for now.
    """

    def __init__(
        self, database: Database, clock: Clock, embedders: Embedders, keeper: Keeper, wake: Callable[[], None]
    ) -> None:
        self._database = database
        self._clock = clock
        self._embedders = embedders
        self._keeper = keeper
        self._wake = wake

    def standing(self, tenant_id: UUID, path: str) -> Standing:
        """How a namespace stands.

        Raises:
            NotFound: there is none of that path.
        """
        with self._database.read(tenant_id) as connection:
            namespace = namespaces.find(connection, tenant_id, path)
            if namespace is None:
                raise _none()
            active = Space(*namespaces.space(connection, namespace.space_id))
            beside, state, progress = None, None, None
            if namespace.beside_id is not None and namespace.beside is not None:
                beside, state = Space(*namespaces.space(connection, namespace.beside_id)), Beside(namespace.beside)
                progress = repository.progress(connection, namespace)
            last = [run for run in stats.last_runs(connection, namespace) if run.kind == KIND]
        models = [self._embedders.of(space_id).space.model for space_id in self._embedders]
        return Standing(active, beside, state, progress, namespace.is_to_switch, models, last[0] if last else None)

    def start(self, author: Author, path: str, model: str | None, *, switches: bool) -> Standing:
        """Begins to embed a namespace for another model, or goes on with it.

        Args:
            author: who asks.
            path: the namespace.
            model: which; None for the only other one that this process has.
            switches: whether the namespace switches to it by itself once it is complete.

        Raises:
            NotFound: there is no such namespace.
            InvalidInput: this process has no such model.
            Conflict: it has no other one, or the namespace keeps a space beside that is in the way.
        """

        def change(ledger: Ledger) -> bool:
            namespace = ledger.namespace
            self._embedders.of(namespace.space_id)  # what is written meanwhile goes to both
            space_id = self._other(namespace, model)
            if namespace.beside is not None and namespace.beside_id != space_id:
                raise Conflict("the namespace keeps the vectors of a third model beside; `drop` them first")
            match namespace.beside:
                case None | Beside.GROWING:
                    repository.put_beside(ledger.connection, namespace, space_id, Beside.GROWING, is_to_switch=switches)
                case Beside.COMPLETE if switches:
                    ledger.switch(Beside.FORMER)
                case Beside.COMPLETE:
                    pass
                case Beside.FORMER:
                    raise Conflict("the namespace came from that model and has its vectors still; `back` goes there")
                case _:
                    raise Conflict("the vectors of that model are being deleted; try again when they are gone")
            return True

        return self._changed(author, path, "start", change)

    def switch(self, author: Author, path: str) -> Standing:
        """Has recalls search the space beside, which is complete; nothing happens if they do already.

        Raises:
            NotFound: there is no such namespace.
            Conflict: it keeps none beside, or one that is not complete; or this process does not have its model.
        """

        def change(ledger: Ledger) -> bool:
            match ledger.namespace.beside:
                case Beside.FORMER:
                    return False
                case Beside.COMPLETE:
                    self._swap(ledger, Beside.FORMER)
                case Beside.GROWING if not repository.with_missing(ledger.connection, ledger.namespace, 1):
                    self._swap(ledger, Beside.FORMER)
                case Beside.GROWING:
                    raise Conflict("not every text has vectors of the other model yet; see how far it is, and wait")
                case _:
                    raise Conflict("the namespace keeps no vectors of another model; `start` makes them")
            return True

        return self._changed(author, path, "switch", change)

    def back(self, author: Author, path: str) -> Standing:
        """Has recalls search the space that they searched before `switch`; nothing happens if they do already.

        Raises:
            NotFound: there is no such namespace.
            Conflict: its vectors are not there any more; or this process does not have its model.
        """

        def change(ledger: Ledger) -> bool:
            match ledger.namespace.beside:
                case Beside.FORMER:
                    self._swap(ledger, Beside.COMPLETE)
                    return True
                case Beside.COMPLETE | Beside.GROWING:
                    return False
            raise Conflict("the vectors of the model before are not there any more; `start` makes them anew")

        return self._changed(author, path, "back", change)

    def drop(self, author: Author, path: str) -> Standing:
        """Deletes the vectors of the space beside, whatever it is; nothing happens if there is none.

        Raises:
            NotFound: there is no such namespace.
        """

        def change(ledger: Ledger) -> bool:
            if ledger.namespace.beside is None:
                return False
            if ledger.namespace.beside == Beside.LEAVING:
                return True
            repository.put_beside(ledger.connection, ledger.namespace, ledger.namespace.beside_id, Beside.LEAVING)
            return True

        return self._changed(author, path, "drop", change)

    def _swap(self, ledger: Ledger, left: Beside) -> None:
        for space_id in ledger.namespace.spaces:
            self._embedders.of(space_id)
        ledger.switch(left)

    def _other(self, namespace: NamespaceRow, model: str | None) -> UUID:
        """The space of a model that is not the active one."""
        others = [space_id for space_id in self._embedders if space_id != namespace.space_id]
        if model is not None:
            named = [space_id for space_id in others if self._embedders.of(space_id).space.model == model]
            if not named:
                raise InvalidInput.field("/model", "unknown_model", "is no other model of this server")
            return named[0]
        if not others:
            raise Conflict("this server has no other model; set MEMSVC_EMBEDDER_SECOND in every process")
        return others[0]

    def _changed(self, author: Author, path: str, verb: str, change: Callable[[Ledger], bool]) -> Standing:
        """Changes a locked namespace, has the job go on with it, and makes the change known to the banks."""

        def unit(connection: Connection) -> tuple[NamespaceRow, int]:
            found = namespaces.find(connection, author.tenant_id, path)
            namespace = None if found is None else namespaces.get(connection, *found.key, lock=True)
            if namespace is None:
                raise _none()
            now = self._clock.now()
            ledger = Ledger(connection, namespace, now, author.name)
            is_changed = change(ledger)
            seq = ledger.flush()
            then = namespaces.get(connection, *namespace.key) or namespace
            if then.beside in (Beside.GROWING, Beside.LEAVING):
                rest = Ledger(connection, then, now, author.name)
                if settle(rest):
                    seq = rest.flush()
                else:
                    ask(connection, then, now, author.name)
            if is_changed:
                after = namespaces.get(connection, *namespace.key) or then
                model, _ = namespaces.space(connection, after.space_id)
                stands = None if after.beside is None else Beside(after.beside).name.lower()
                trail.append(
                    connection, author.tenant_id, f"embedding.{verb}", author.name, now, key_id=author.key_id,
                    subject=namespace.id, facts={"model": model, "beside": stands},
                )  # fmt: skip
            return namespace, seq

        namespace, seq = self._database.write(author.tenant_id, unit)
        self._wake()
        self._keeper.written(namespace.key, seq)
        return self.standing(author.tenant_id, path)


def _none() -> NotFound:
    return NotFound("there is no such namespace; it is made by the first memory that is written")
