"""Makes the secrets that `docker-compose.yml` hands to its services: `python3 deploy/make_secrets.py`.

What is there is left as it is, so that it can run again after an upgrade. Needs nothing but Python.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from urllib.parse import quote

FOLDER = Path(__file__).parent / "secrets"


def make(folder: Path) -> list[str]:
    """Write what is missing; returns its names.

    The folder lets nobody else in; the files in it may be read by all, since every container has a user of its own.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    written = [
        name
        for name in ("memsvc_secret", "postgres_password", "redis_password", "grafana_password")
        if _write(folder, name)
    ]
    password = (folder / "postgres_password").read_text().strip()
    redis_password = (folder / "redis_password").read_text().strip()
    # The owner of the tables migrates; the service works as a role that owns nothing, which `memsvc migrate` makes with
    # the password that stands here.
    urls = {
        "memsvc_migrate_database_url": f"postgresql://memsvc:{quote(password, safe='')}@db:5432/memsvc",
        "memsvc_database_url": f"postgresql://memsvc_app:{secrets.token_hex(32)}@db:5432/memsvc",
        "memsvc_redis_url": f"redis://:{quote(redis_password, safe='')}@valkey:6379/0",
    }
    return written + [name for name, url in urls.items() if _write(folder, name, url)]


def _write(folder: Path, name: str, value: str | None = None) -> bool:
    """Write a file whole unless it is there; by default 256 random bits, as a URL need not quote them."""
    path = folder / name
    if path.exists():
        return False
    draft = folder / f".{name}"
    draft.write_text((value or secrets.token_hex(32)) + "\n")
    draft.chmod(0o444)
    os.replace(draft, path)
    return True


if __name__ == "__main__":
    made = make(FOLDER)
    sys.stdout.write(f"made in {FOLDER}: {', '.join(made)}\n" if made else f"nothing to make: all is in {FOLDER}\n")
