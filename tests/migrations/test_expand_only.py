"""Revisions only add: the release before keeps working on the new schema, and nobody waits for a lock.

A revision that takes something away comes a release after the code that does without, and says which that was
(`oldest_code`), so that older releases are refused instead of failing. The ones that landed before this rule are named.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from memsvc.db import migrate

LANDED = frozenset(f"{number:04}" for number in range(1, 20))
"""From before there was a release that anybody could have been running beside them."""
_TAKES_AWAY = frozenset({"drop_column", "drop_table", "drop_constraint", "rename_table"})
_CHECKED = frozenset({"create_foreign_key", "create_check_constraint", "create_unique_constraint"})
_SQL = {
    "takes something away": re.compile(r"\b(DROP\s+(TABLE|COLUMN|CONSTRAINT)|RENAME)\b", re.I),
    "refuses what older code writes": re.compile(r"\bSET\s+NOT\s+NULL\b|\bADD\s+CONSTRAINT\b(?!.*NOT\s+VALID)", re.I),
    "writes a table anew under its lock": re.compile(r"\bALTER\s+COLUMN\s+\w+\s+TYPE\b", re.I),
    "fills rows while everybody waits": re.compile(r"^\s*(UPDATE|DELETE)\b", re.I),
    "stops writes while it is made": re.compile(r"\bCREATE\s+(UNIQUE\s+)?INDEX\b", re.I),
}


def faults(source: str) -> list[str]:
    """What a revision does that older code, or whoever reads and writes meanwhile, would notice."""
    tree = ast.parse(source)
    upgrade = next(one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == "upgrade")
    functions = {one.name: one for one in tree.body if isinstance(one, ast.FunctionDef)}
    reached = [upgrade, *(functions[name] for name in _called(upgrade) if name in functions)]
    calls = [call for one in reached for call in ast.walk(one) if isinstance(call, ast.Call)]
    made = {_text(call.args[0]) for call in calls if _name(call) == "create_table"}
    found = [fault for call in calls for fault in _of_call(call, made)]
    if "_limit_waiting" not in _called(upgrade):
        found.append("waits for locks without end: call _limit_waiting first")
    is_declared = any(isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) == "oldest_code" for one in tree.body)
    return [one for one in found if not (is_declared and "away" in one)]


def _called(function: ast.FunctionDef) -> list[str]:
    return [_name(call) for call in ast.walk(function) if isinstance(call, ast.Call)]


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _text(node: ast.expr) -> str:
    return "".join(str(part.value) for part in ast.walk(node) if isinstance(part, ast.Constant))


def _given(call: ast.Call, name: str) -> ast.expr | None:
    return next((one.value for one in call.keywords if one.arg == name), None)


def _of_call(call: ast.Call, made: set[str]) -> Iterator[str]:
    name = _name(call)
    if name in _TAKES_AWAY:
        yield f"{name} takes something away"
    if name == "alter_column" and (_given(call, "new_column_name") or _given(call, "type_")):
        yield "alter_column takes the column away that older code knows"
    if name == "alter_column" and ast.unparse(_given(call, "nullable") or ast.Constant(True)) == "False":
        yield "alter_column refuses what older code writes"
    if name in ("add_column", "Column") and _is_demanded(call) and not _is_within_create(call, made):
        yield "a column that older code does not write has neither a default nor NULL"
    if name == "create_index" and _text(call.args[1]) not in made:
        yield "create_index stops writes while it is made: declare it in the models, and `migrate` makes it beside them"
    if name in _CHECKED and _text(call.args[1]) not in made:
        yield f"{name} reads the whole table under its lock, and refuses what older code writes"
    if name in ("execute", "exec_driver_sql") and call.args:
        for fault, pattern in _SQL.items():
            if pattern.search(_text(call.args[0])):
                yield f"SQL that {fault}"


def _is_demanded(call: ast.Call) -> bool:
    if _name(call) != "add_column":
        return False
    column = call.args[1]
    if not isinstance(column, ast.Call) or _given(column, "server_default") is not None:
        return False
    return ast.unparse(_given(column, "nullable") or ast.Constant(True)) == "False"


def _is_within_create(call: ast.Call, made: set[str]) -> bool:
    return _text(call.args[0]) in made


def _revisions() -> dict[str, Path]:
    return {script.revision: Path(script.path) for script in migrate._revisions().walk_revisions()}


@pytest.mark.parametrize("revision", sorted(set(_revisions()) - LANDED))
def test_a_revision_only_adds(revision: str) -> None:
    assert faults(_revisions()[revision].read_text()) == []


_UPGRADE = "def upgrade():\n    _limit_waiting()\n    {}\n\n\ndef downgrade():\n    op.drop_table('other')\n"


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("op.drop_column('memory', 'place')", "away"),
        ("op.drop_table('memory')", "away"),
        ("op.alter_column('memory', 'place', new_column_name='where')", "away"),
        ("op.alter_column('memory', 'place', nullable=False)", "refuses"),
        ("op.add_column('memory', sa.Column('x', sa.Integer(), nullable=False))", "neither"),
        ("op.create_index('ix', 'memory', ['place'])", "stops writes"),
        ("op.create_unique_constraint('uq', 'memory', ['place'])", "under its lock"),
        ("op.execute('ALTER TABLE memory RENAME COLUMN place TO x')", "away"),
        ("op.execute('ALTER TABLE memory ALTER COLUMN place SET NOT NULL')", "refuses"),
        ("op.execute(f'ALTER TABLE {one} ALTER COLUMN place TYPE text')", "anew"),
        ("op.execute('UPDATE memory SET x = 1')", "fills"),
        ("op.execute('CREATE INDEX ix ON memory (x)')", "stops writes"),
    ],
)
def test_what_others_would_notice_is_found(statement: str, fault: str) -> None:
    assert [fault in one for one in faults(_UPGRADE.format(statement))] == [True]


@pytest.mark.parametrize(
    "statement",
    [
        "op.add_column('memory', sa.Column('x', sa.Integer(), nullable=True))",
        "op.add_column('memory', sa.Column('x', sa.Integer(), nullable=False, server_default='0'))",
        "op.create_table('t', sa.Column('x', sa.Integer(), nullable=False)); op.create_index('ix', 't', ['x'])",
        "op.execute('ALTER TABLE a ADD CONSTRAINT c CHECK (x > 0) NOT VALID')",
        "op.execute('CREATE POLICY p ON t FOR SELECT USING (true)')",
    ],
)
def test_what_only_adds_is_let_through(statement: str) -> None:
    assert faults(_UPGRADE.format(statement)) == []


def test_waiting_is_limited_and_what_goes_says_until_when() -> None:
    dropping = _UPGRADE.format("op.drop_column('memory', 'place')")
    assert faults(dropping.replace("    _limit_waiting()\n", "")) != faults(dropping)
    assert faults("oldest_code = '0021'\n" + dropping) == []
