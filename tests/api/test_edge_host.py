"""An open server answers only requests that were meant for this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures.edge import running


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000", "127.0.0.9"])
def test_a_loopback_name_needs_no_key(tmp_path: Path, host: str) -> None:
    with running(tmp_path) as edge:
        assert edge.ask("GET", "/v1/version", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "10.0.0.1", "127.0.0.1.nip.io:8000"])
def test_another_name_needs_a_key(tmp_path: Path, host: str) -> None:
    with running(tmp_path) as edge:
        assert edge.ask("GET", "/v1/version", headers={"host": host}).status_code == 401
