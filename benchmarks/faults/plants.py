"""Faults planted on purpose: lines of the service's code changed, in the memory of one process alone.

A plant names a function, a piece of its source and what stands there instead. The changed source is compiled and takes
the place of the function's code, so that whoever holds the function runs it. A piece that is not there exactly once is
an error: a plant that changes nothing would be caught by luck or never.
"""

from __future__ import annotations
import __future__

import ast
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from types import CodeType, FunctionType
from typing import Any

_PERIOD = "tests/integration/test_fade_job.py"
_ERASURES = "tests/integration/test_erasures.py"


@dataclass(frozen=True, slots=True)
class Plant:
    """A fault.

    Attributes:
        name: in a few words.
        caught_by: the row (`R-07`), or the test, that must fail with it.
        edits: (function as `module:Class.name`, piece of its source, what stands there instead).
    """

    name: str
    caught_by: str
    edits: tuple[tuple[str, str, str], ...]


def _one(name: str, caught_by: str, function: str, old: str, new: str) -> Plant:
    return Plant(name, caught_by, ((function, old, new),))


PLANTS = {
    made.name: made
    for made in (
        _one(
            "acknowledged before the commit",
            "tests/integration/test_storage_writer.py::test_nobody_is_answered_before_the_commit[sqlite]",
            "memsvc.db.writer:GroupCommitWriter._commit",
            "results = [(w, self._run_one(connection, w)) for w in group]",
            "results = [w.future.set_result(self._run_one(connection, w)) for w in group] and []",
        ),
        _one(
            "synchronous is off",
            "R-07",
            "memsvc.db.engine:_sqlite_engine",
            "cursor.execute(pragma)",
            "cursor.execute(pragma.replace('synchronous=FULL', 'synchronous=OFF'))",
        ),
        _one(
            "a database that hangs is waited for",
            "R-09",
            "memsvc.db.pulse:Pulse.check",
            "if self.is_lost:",
            "if False:",
        ),
        _one(
            "a failed fsync is forgotten",
            "R-07",
            "memsvc.db.writer:GroupCommitWriter._fail",
            "if not self._has_failed:",
            "if False:",
        ),
        _one(
            "no room for erasing on a full disk",
            "R-08",
            "memsvc.db.writer:GroupCommitWriter._not_committed",
            "if is_full(error) else []",
            "if False else []",
        ),
        _one(
            "no fsync at the commit",
            "R-07",
            "memsvc.db.engine:_sqlite_engine",
            "cursor.execute(pragma)",
            "cursor.execute(pragma.replace('synchronous=FULL', 'synchronous=NORMAL'))",
        ),
        Plant(
            "queries without the tenant",  # one alone is caught by the next one on the way
            "tests/api/test_access.py::test_out_of_reach_foreign_and_unknown_ids_look_alike",
            (
                (
                    "memsvc.memories.repository:by_id",
                    '_BY_ID, {"tenant": tenant_id, "memory": memory_id}',
                    "_stored().where(MEMORY.c.id == memory_id)",
                ),
                (
                    "memsvc.namespaces.repository:get",
                    "_BY_ID_LOCKED if lock else _BY_ID, asked",
                    "select(*COLUMNS).where(_NS.c.id == namespace_id)",
                ),
            ),
        ),
        _one(
            "idempotency keys of all tenants together",
            "tests/integration/test_storage_once.py::test_keys_of_two_tenants_do_not_meet[sqlite]",
            "memsvc.memories.once:Once._kept",
            "IDEMPOTENCY.c.tenant_id == tenant_id,",
            "",
        ),
        _one(
            "an idempotency key is not kept",
            "tests/integration/test_storage_once.py::test_a_batch_is_repeated_whole[sqlite]",
            "memsvc.memories.once:Once.write",
            "connection.execute(insert(IDEMPOTENCY), row)",
            "pass",
        ),
        _one(
            "the bank is not told of writes",
            "tests/integration/test_index_keeper.py::test_fed_equals_loaded_past_compactions[sqlite]",
            "memsvc.index.changes:apply",
            "if put := [key for key in puts if key[0] in staying]:",
            "if put := []:",
        ),
        _one(
            "the bank is not told of erasures",
            "tests/integration/test_index_keeper.py::test_fed_equals_loaded_past_compactions[sqlite]",
            "memsvc.index.changes:apply",
            "held.erase(",
            "len(",
        ),
        Plant(
            "numbers of the change log without the lock",
            "tests/integration/test_storage_ledger.py::test_a_reader_cannot_miss_a_late_commit",
            (
                ("memsvc.namespaces.repository:get", "if lock", "if False"),
                (
                    "memsvc.namespaces.repository:advance",
                    '_ADVANCED, {**it, "by": by,',
                    "_ADVANCED.values(head_seq=namespace.head_seq + by), {**it,",
                ),
            ),
        ),
        _one(
            "what the change log says is behind is not waited for",
            "R-02",
            "memsvc.index.keeper:Keeper.catch_up",
            '"""The namespace\'s bank with every change up to at least `seq` applied."""',
            "seq = 0",
        ),
        _one(
            "a damaged file is served",
            "tests/faults/test_faults_start.py::test_a_page_that_was_zeroed_is_refused",
            "memsvc.db.sqlite_file:verify",
            'if found != "ok":',
            "if False:",
        ),
        _one(
            "an empty start where the file is missing",
            "tests/faults/test_faults_start.py::test_a_missing_file_beside_its_log_is_refused",
            "memsvc.db.sqlite_file:verify",
            "if beside.exists():",
            "if False:",
        ),
        _one(
            "two runs of one period",
            f"{_PERIOD}::test_of_one_period_there_is_one_run[sqlite]",
            "memsvc.jobs.repository:ask",
            "period=period,",
            "period=str(run_id),",
        ),
        Plant(
            "a lease without a fence",
            f"{_PERIOD}::test_who_slept_past_the_lease_commits_nothing[sqlite]",
            (
                ("memsvc.jobs.runner:Runner._still_ours", "or run.fence != taken.fence:", "or False:"),
                ("memsvc.jobs.repository:keep_lease", ", LEASE.c.fence == fence)", ")"),
            ),
        ),
        _one(
            "a job moves as many as it likes",
            f"{_PERIOD}::test_a_clock_that_jumps_ahead_hides_a_share_at_most_and_that_comes_back[sqlite]",
            "memsvc.jobs.runner:Runner._carry_out_once",
            "if task.is_bounded:",
            "if False:",
        ),
        _one(
            "a job writes what it made of what has changed since",
            "tests/integration/test_consolidate_job.py::test_sources_that_changed_since_the_plan_are_left_for_the_next_run",
            "memsvc.jobs.consolidation:Consolidate.apply",
            "or not all(stand) or",
            "or",
        ),
        _one(
            "an erasure leaves what was derived",
            f"{_ERASURES}::test_deleting_one_memory_takes_what_was_derived_from_it[sqlite]",
            "memsvc.erasures.eraser:Eraser.going",
            " | lineage.derived(connection, tenant_id, memory_ids)",
            "",
        ),
        _one(
            "an erasure leaves what was done because of it",
            "tests/integration/test_merge_job.py::test_the_end_of_a_pivot_brings_its_members_back[sqlite]",
            "memsvc.memories.residue:_take_out",
            "in _DELETES:",
            "in (*_DELETES[:4], *_DELETES[5:]):",
        ),
        _one(
            "an erasure leaves its places in the log",
            "tests/api/test_erase_route.py::test_erase_leaves_no_row_that_names_the_memory",
            "memsvc.memories.residue:_take_out",
            "connection.execute(_VOID, named)",
            "named = one_of(CHANGE.c.memory_id, tenant_id, memory_ids)\n"
            "    connection.execute(CHANGE.update().where(named).values(op=int(ChangeOp.VOID)))",
        ),
        _one(
            "what a backup brings back is served",
            f"{_ERASURES}::test_what_a_restored_backup_brings_back_is_erased_before_it_is_served",
            "memsvc.wiring:Container.start",
            "again := self.erasures.reapply()",
            "again := 0",
        ),
        _one(
            "a time that has not come yet strengthens",
            "tests/unit/lifecycle/test_retention.py::test_no_clock_makes_it_leave_its_range",
            "lifecycle.retention:retention",
            "max(0.0, elapsed_s)",
            "elapsed_s",
        ),
        _one(
            "no bound to how long requests wait",
            "R-21",
            "memsvc.http.middleware:BoundRequests._refusal",
            "self._pool.wait_s > self._wait_max_s",
            "False",
        ),
        _one(
            "a foreign id is answered in another way than an unknown one",
            "tests/api/test_access.py::test_out_of_reach_foreign_and_unknown_ids_look_alike",
            "memsvc.memories.read:Reading._known",
            '"there is no such memory"',
            '"there is no such memory" if found is None else "it is not yours"',
        ),
        _one(
            "a refusal repeats the input",
            "tests/api/test_bad_inputs.py",
            "memsvc.http.validation:_field",
            'str(item["msg"])',
            "f\"{item['msg']} in {document}\"",
        ),
        _one(
            "a list goes on behind all of the same moment",
            "R-26",
            "memsvc.memories.repository:_beyond",
            "or_(beyond, and_(MEMORY.c.recorded_at == at, within))",
            "beyond",
        ),
        _one(
            "a cursor is taken unsigned",
            "R-26",
            "memsvc.http.cursor:CursorCodec.decode",
            "if not self._secrets.matches(",
            "if not len and self._secrets.matches(",
        ),
        _one(
            "If-Match is ignored",
            "tests/api/test_change_routes.py::test_if_match_lets_only_the_reader_of_the_last_version_write",
            "memsvc.memories.change:Changer._apply",
            "if if_match is not None and",
            "if False and",
        ),
        _one(
            "a key is good by its first characters",
            "tests/api/test_edge_auth.py::test_all_bad_keys_get_the_same_answer",
            "memsvc.auth.keys:KeyService._digest",
            "secret.encode()",
            "secret[:12].encode()",
        ),
        _one(
            "content in the log",
            "tests/unit/core/test_logging.py::test_content_keys_and_control_characters_stay_out",
            "memsvc.core.logging:_withhold",
            "if name in _FORBIDDEN:",
            "if False:",
        ),
        _one(
            "a held memory can be erased",
            "tests/api/test_hold_routes.py::test_what_is_held_can_be_neither_hidden_nor_erased",
            "memsvc.memories.change:_check_hold",
            'if stored.row["legal_hold"]:',
            "if False:",
        ),
        _one(
            "an expired memory is shown by its id",
            "tests/api/test_change_routes.py::test_expired_memory_is_not_there_any_more",
            "memsvc.memories.read:Reading._known",
            " or not self._is_shown(found[0], reviews=reviews)",
            "",
        ),
        _one(
            "a vector that is not finite is taken",
            "R-20",
            "retrieval.embedders._vectors:unit_rows",
            "if not np.isfinite(matrix).all():",
            "if False:",
        ),
        _one(
            "what waits for the model is never read",
            "R-20",
            "memsvc.memories.backlog:Backlog.round",
            "while not (self._is_silent or self._closing.is_set()):",
            "while False:",
        ),
        _one(
            "what has its vectors is still waited for",
            "tests/integration/test_backlog.py::test_it_is_found_by_its_words_and_then_by_its_meaning[sqlite]",
            "memsvc.memories.ledger:Ledger._delete_outdated",
            "PENDING.c.version == version",
            "PENDING.c.version == -1",
        ),
        _one(
            "a full disk is a failure of ours",
            "R-08",
            "memsvc.http.problem:from_database",
            "if is_full(error):",
            "if False:",
        ),
        _one(
            "a lost database is a failure of ours",
            "tests/api/test_edge_http.py::test_a_lost_database_is_unavailable",
            "memsvc.http.problem:from_database",
            "isinstance(error, PoolTimeout | OperationalError | InterfaceError)",
            "isinstance(error, PoolTimeout)",
        ),
        _one(
            "each request leaves a file open",
            "R-24",
            "memsvc.http.middleware:BoundRequests.__call__",
            "self._in_flight += 1",
            "self._in_flight += min(1, __import__('os').dup(2))",
        ),
    )
}


def plant(name: str) -> None:
    """Plant a fault in this process.

    Raises:
        KeyError: there is no such fault.
        ValueError: the code is not what it was when the fault was written down.
    """
    for target, old, new in PLANTS[name].edits:
        found = function(target)
        found.__code__ = changed(found, old, new)


def function(target: str) -> FunctionType:
    """The function that a plant names."""
    module, _, path = target.partition(":")
    found: Any = import_module(module)
    for part in path.split("."):
        found = inspect.getattr_static(found, part)
    found = inspect.unwrap(found)
    if not isinstance(found, FunctionType):
        raise TypeError(f"{target} is no function")
    return found


def changed(found: Callable[..., Any], old: str, new: str) -> CodeType:
    """The code of a function with one piece of its source replaced."""
    source = textwrap.dedent(inspect.getsource(found))
    wanted = textwrap.dedent(old)
    if source.count(wanted) != 1:
        raise ValueError(f"{found.__qualname__} holds {source.count(wanted)} times what is to be replaced: {old}")
    tree = ast.parse(source.replace(wanted, new))
    definition = tree.body[0]
    if not isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef):
        raise TypeError(f"{found.__qualname__} is no function of its own")
    definition.decorator_list = []
    flags = __future__.annotations.compiler_flag
    code = compile(tree, found.__code__.co_filename, "exec", flags=flags, dont_inherit=True)
    made: dict[str, Any] = {}
    exec(code, dict(found.__globals__), made)  # noqa: S102 - our own source, with our own change
    result: CodeType = made[definition.name].__code__
    if result.co_freevars != found.__code__.co_freevars:
        raise ValueError(f"{found.__qualname__} needs what surrounds it")
    return result
