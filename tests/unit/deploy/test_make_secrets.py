"""Secrets of a deployment: made once, readable by containers and by nobody else."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import make_url

from deploy.make_secrets import make
from memsvc.core.settings import Settings


def test_what_is_made_fits_together_and_stays(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    assert sorted(make(folder)) == [
        "grafana_password", "memsvc_database_url", "memsvc_redis_url", "memsvc_secret", "postgres_password",
        "redis_password",
    ]  # fmt: skip
    before = {file.name: file.read_text() for file in folder.iterdir()}
    assert make(folder) == []
    assert {file.name: file.read_text() for file in folder.iterdir()} == before
    assert len(set(before.values())) == 6
    settings = Settings(secrets_dir=folder)
    assert settings.secret is not None
    assert make_url(settings.url).password == before["postgres_password"].strip()
    assert settings.redis_url is not None
    assert before["redis_password"].strip() in settings.redis_url.get_secret_value()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o444}


def test_a_password_of_ones_own_gets_into_the_url(tmp_path: Path) -> None:
    (tmp_path / "postgres_password").write_text("a b/c@d\n")
    make(tmp_path)
    assert make_url((tmp_path / "memsvc_database_url").read_text().strip()).password == "a b/c@d"
