"""What no source may do, whatever a comment says: load code from data, run a shell, glue SQL together."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [
    path
    for folder in ("memsvc", "lifecycle", "retrieval", "gpu", "clients/src")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
MODULES = frozenset({"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "jsonpickle"})
CALLS = frozenset({"eval", "exec", "compile", "__import__"})


def breaches(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (f"imports {one.name}" for one in node.names if one.name.split(".")[0] in MODULES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            yield f"imports {node.module}"
        elif isinstance(node, ast.Call):
            yield from _of_call(node)


def _of_call(node: ast.Call) -> Iterator[str]:
    if isinstance(node.func, ast.Name) and node.func.id in CALLS:
        yield f"calls {node.func.id}"
    for keyword in node.keywords:
        value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
        if keyword.arg in ("shell", "allow_pickle", "trust_remote_code") and value is not False:
            yield f"{keyword.arg} is not False"
        if keyword.arg == "verify" and value is False:
            yield "does not verify certificates"
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name == "text" and node.args and isinstance(node.args[0], ast.JoinedStr | ast.BinOp):
        yield "glues SQL together"


@pytest.mark.parametrize(
    "source",
    ["import pickle", "from marshal import loads", "eval('1')", "run('ls', shell=True)",
     "np.load(f, allow_pickle=True)", "text(f'SELECT {x}')", "sa.text('SELECT ' + x)", "httpx.get(u, verify=False)"],
)  # fmt: skip
def test_each_breach_would_be_seen(source: str) -> None:
    assert len(list(breaches(ast.parse(source)))) == 1


def test_no_source_has_one() -> None:
    found = {
        str(path.relative_to(ROOT)): told
        for path in SOURCES
        if (told := list(breaches(ast.parse(path.read_text(encoding="utf-8")))))
    }
    assert found == {}
    assert len(SOURCES) > 200
