"""The release before this one goes on while its database is brought to this one's schema, and what it writes counts.

Slow for a reason: two releases' servers start on one PostgreSQL.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, make_url

from deploy.processes import Api
from memsvc.db import migrate
from memsvc.db.migrate import SchemaState
from tests.fixtures.operator import let_app_work
from tests.fixtures.previous_release import ROOT, previous_release, revisions_of
from tests.fixtures.service import DIM, serving

_NAMESPACE = "user/ada"
_WINDOW = "0021"
"""The first revision whose code reads in the schema which releases it works with."""


def _ask(url: str, method: str, path: str, status: int, **body: Any) -> Any:
    answer = httpx.request(method, f"{url}{path}", json=body or None, timeout=30)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def _use(url: str, word: str) -> None:
    """Writes, asks, edits, erases."""
    kept, gone = (
        _ask(url, "POST", "/v1/memories", 201, namespace=_NAMESPACE, content=f"The {word} {thing} is green.")["memory"]
        for thing in ("teapot", "bicycle")
    )
    _ask(url, "PATCH", f"/v1/memories/{kept['id']}", 200, tags=[word])
    assert f"The {word} teapot is green." in _found(url, f"{word} teapot")
    _ask(url, "DELETE", f"/v1/memories/{gone['id']}", 204)
    assert f"The {word} bicycle is green." not in _found(url, f"{word} bicycle")


def _found(url: str, query: str) -> list[str]:
    hits = _ask(url, "POST", "/v1/recall", 200, namespace=_NAMESPACE, query=query)["hits"]
    return [hit["memory"]["content"] for hit in hits]


def _serve(name: str, code: Path, url: str, folder: Path) -> Api:
    """That release's server, not ready yet."""
    libraries = (path for path in sys.path if "site-packages" in path)
    paths = [str(code), str(code / "clients" / "src"), *libraries, str(ROOT)]
    settings = {
        "PYTHONPATH": ":".join(paths), "PYTHONSAFEPATH": "1", "MEMSVC_DATA_DIR": str(folder / name),
        "MEMSVC_DATABASE_URL": url, "MEMSVC_EMBEDDER": f"hashing:{DIM}", "MEMSVC_RERANKER": "none",
        "MEMSVC_AUTH": "open", "MEMSVC_SECRET": "of both releases, and long enough",
    }  # fmt: skip
    server = Api(name, 0, settings, folder)
    server.wait_until_ready()
    return server


@pytest.mark.slow
def test_the_release_before_works_on_the_new_schema(empty_postgres_url: str, tmp_path: Path) -> None:
    code = previous_release(tmp_path / "code")
    owner = make_url(empty_postgres_url).set(drivername="postgresql").render_as_string(hide_password=False)
    engine = create_engine(empty_postgres_url)
    running = [_serve("before", code, owner, tmp_path)]
    try:
        _use(running[0].url, "old")
        assert migrate.check(engine) is SchemaState.BEHIND  # it is that release's code that runs
        applied = migrate.upgrade(engine)
        assert set(applied).isdisjoint(revisions_of(code))
        assert migrate.check(engine) is SchemaState.AT_HEAD
        _use(running[0].url, "running")
        if _WINDOW in revisions_of(code):  # it stays ready, and starts anew
            assert httpx.get(f"{running[0].url}/readyz").status_code == 200
            running.append(_serve("again", code, owner, tmp_path))
            _use(running[1].url, "started")
            assert "The started teapot is green." in _found(running[0].url, "started teapot")
    finally:
        for server in running:
            server.stop()
    let_app_work(engine)
    engine.dispose()
    with serving(tmp_path / "now", empty_postgres_url, auth="open", secret="of both releases, and long enough") as now:
        found = now.ask("POST", "/v1/recall", json={"namespace": _NAMESPACE, "query": "teapot"}).json()["hits"]
        said = {hit["memory"]["content"] for hit in found}
        assert {"The old teapot is green.", "The running teapot is green."} <= said
        assert not any("bicycle" in one for one in said)
        assert all(verdict.equal for verdict in now.container.keeper.verify())
