"""What the Compose file and the Dockerfile promise, read without an engine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from memsvc.core.settings import CLIENT_NAMES, Settings

ROOT = Path(__file__).parents[3]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("migrate", "api", "worker", "gpu")
ONE_SHOT = ("migrate",)

_TAG = re.compile(r"[^:]+:v?\d+\.\d+(\.\d+)?(-[\w.]+)?")
_NAME = re.compile(r"\bMEMSVC_[A-Z_]+\b")


def text(path: str) -> str:
    return (ROOT / path).read_text()


def environment(name: str) -> dict[str, Any]:
    return dict(SERVICES[name].get("environment", {}))


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_hardened(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert int(service["user"].split(":")[0]) > 0
    assert any(mount.startswith("/tmp:") for mount in service["tmpfs"])  # noqa: S108
    limits = service["deploy"]["resources"]["limits"]
    assert limits.keys() == {"cpus", "memory", "pids"}


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_says_whether_it_is_well(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    if name in ONE_SHOT:
        assert check == {"disable": True}
        assert SERVICES[name]["restart"] == "no"
    else:
        assert check["test"][0] == "CMD", "no shell"
        assert {"interval", "timeout", "retries"} <= check.keys()
        assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned(name: str) -> None:
    image = SERVICES[name]["image"].replace("${VERSION:-0.1.0}", "0.1.0")
    assert _TAG.fullmatch(image), image
    assert ("build" in SERVICES[name]) == (name in OURS)


@pytest.mark.parametrize("path", ["docker-compose.yml", "Dockerfile", "deploy/proxy/nginx.conf", "docs/deploy.md"])
def test_every_setting_that_is_named_exists(path: str) -> None:
    known = {f"MEMSVC_{name.upper()}" for name in Settings.model_fields} | CLIENT_NAMES
    named = set(_NAME.findall(text(path)))
    assert named
    assert named <= known


def test_the_values_of_settings_are_ones_that_memsvc_takes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in OURS:
        for variable, value in environment(name).items():
            if value is not None:
                monkeypatch.setenv(variable, str(tmp_path) if variable == "MEMSVC_SECRETS_DIR" else value)
        Settings()
        assert all(value is None or isinstance(value, str) for value in environment(name).values()), "YAML's own types"


def test_migrations_come_before_everything_that_serves() -> None:
    for name in ("api", "worker", "gpu"):
        after = SERVICES[name]["depends_on"]
        assert after["migrate"] == {"condition": "service_completed_successfully"}
        assert after["db"] == {"condition": "service_healthy"}
    assert SERVICES["migrate"]["command"] == ["migrate"]


def test_only_the_proxy_and_the_pictures_are_published_and_on_this_machine_alone() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {
        "proxy": ["${PUBLISH:-127.0.0.1:8000}:8080"],
        "grafana": ["${PUBLISH_GRAFANA:-127.0.0.1:3000}:3000"],
    }
    assert SERVICES["db"]["networks"] == SERVICES["valkey"]["networks"] == ["data"]
    assert COMPOSE["networks"]["data"] == {"internal": True}
    assert "db" not in {name for name, service in SERVICES.items() if set(service["networks"]) - {"data"}}


def test_secrets_come_from_files_and_stand_nowhere_else() -> None:
    for name, service in SERVICES.items():
        assert set(service.get("secrets", ())) <= COMPOSE["secrets"].keys()
        for variable in environment(name):
            assert not re.search(r"(PASSWORD|SECRET|KEY|DATABASE_URL)$", variable), f"{name}: {variable}"
    for secret, source in COMPOSE["secrets"].items():
        assert source == {"file": f"./deploy/secrets/{secret}"}
    names = {"memsvc_" + name for name in Settings.model_fields}
    assert set(SERVICES["api"]["secrets"]) <= names
    assert "/deploy/secrets/" in text(".gitignore").splitlines()
    sent = [line for line in text(".dockerignore").splitlines() if line and not line.startswith("#")]
    assert sent[0] == "*"
    assert "!deploy" not in sent


def test_profiles_leave_the_plain_set_alone() -> None:
    with_profile = {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service}
    assert with_profile == {"gpu": ["gpu"], "prometheus": ["metrics"], "grafana": ["metrics"]}
    for name, service in SERVICES.items():
        if name not in with_profile:
            assert not service.get("depends_on", {}).keys() & with_profile.keys()


def test_volumes_and_networks_are_declared_and_files_are_there() -> None:
    for service in SERVICES.values():
        assert set(service["networks"]) <= COMPOSE["networks"].keys()
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            if source.startswith("."):
                assert mount.endswith(":ro")
                assert (ROOT / source).exists()
            else:
                assert source in COMPOSE["volumes"]


def test_stages_without_a_compiler_and_a_user_of_their_own() -> None:
    stages = dict(re.findall(r"^FROM \S+ AS (\S+)\n(.*?)(?=^FROM |\Z)", text("Dockerfile"), re.M | re.S))
    assert list(stages)[-1] == "cpu"
    for name in ("cpu", "gpu"):
        last_user = re.findall(r"^USER (\S+)", stages[name], re.M)[-1]
        assert last_user == SERVICES["gpu"]["user"] == SERVICES["api"]["user"]
        assert "HEALTHCHECK" in stages[name]
        assert "memsvc.health.probe" in stages[name]
    assert not re.search(r"gcc|build-essential|apt-get", stages["cpu"] + stages["runtime"])
    assert not re.search(r"^(ARG|ENV).*(PASSWORD|SECRET|TOKEN)", text("Dockerfile"), re.M)
    assert re.search(r"^ARG PYTHON_IMAGE=python:\d+\.\d+\.\d+-slim-\w+$", text("Dockerfile"), re.M)
    assert "FROM ${PYTHON_IMAGE}${PYTHON_DIGEST}" in text("Dockerfile")
