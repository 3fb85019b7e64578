"""Secrets of a deployment: made once, readable by containers and by nobody else."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import make_url

from deploy.make_secrets import make
from memsvc.core.settings import Settings


def test_what_is_made_fits_together_and_stays(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    names = {
        "grafana_password",
        "memsvc_database_url",
        "memsvc_migrate_database_url",
        "memsvc_redis_url",
        "memsvc_secret",
        "postgres_password",
        "redis_password",
    }
    assert set(make(folder)) == names
    before = {file.name: file.read_text() for file in folder.iterdir()}
    assert make(folder) == []
    assert {file.name: file.read_text() for file in folder.iterdir()} == before
    assert len(set(before.values())) == 7
    settings = Settings(secrets_dir=folder)
    assert settings.secret is not None
    owner = make_url(settings.migrate_database_url or "")
    assert (owner.username, owner.password) == ("memsvc", before["postgres_password"].strip())
    app = make_url(settings.url)
    assert app.username == "memsvc_app"
    assert app.password not in (None, owner.password)
    assert app.set(username="one", password="") == owner.set(username="one", password="")
    assert settings.redis_url is not None
    assert before["redis_password"].strip() in settings.redis_url.get_secret_value()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o444}


def test_a_password_of_ones_own_gets_into_the_url(tmp_path: Path) -> None:
    (tmp_path / "postgres_password").write_text("a b/c@d\n")
    make(tmp_path)
    assert make_url((tmp_path / "memsvc_migrate_database_url").read_text().strip()).password == "a b/c@d"
