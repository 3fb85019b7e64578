"""Every metric that Prometheus and Grafana are asked for is one that memsvc has, with labels that it has."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gpu.device.residency import Residency
from gpu.process.served import Served
from memsvc.core.metrics import Metrics

DEPLOY = Path(__file__).parents[3] / "deploy"
COMPOSE = yaml.safe_load((DEPLOY.parent / "docker-compose.yml").read_text())
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana/dashboards/memsvc.json").read_text())
ALERTS = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())["groups"][0]["rules"]
SCRAPED = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]

OF_PROMETHEUS = {"up": {"job", "instance"}}
_METRIC = re.compile(r"\b(memsvc_\w+|up)\b(?:\{([^}]*)\})?")
_LABEL = re.compile(r'(\w+)=~?"')
_BY = re.compile(r"by \(([^)]*)\)")


def exported() -> dict[str, set[str]]:
    """Names of samples, and the labels that each may have."""
    metrics = Metrics()
    metrics.watch_device(lambda: Residency(*(0,) * len(Residency.__dataclass_fields__)))
    metrics.watch_server(Served())
    names: dict[str, set[str]] = {}
    for collector in metrics.registry._collector_to_names:
        labels = set(getattr(collector, "_labelnames", ()))
        for name in metrics.registry._collector_to_names[collector]:
            names[name] = labels | ({"le"} if name.endswith("_bucket") else set())
    return names


def expressions() -> list[str]:
    return [target["expr"] for panel in PANELS for target in panel["targets"]] + [rule["expr"] for rule in ALERTS]


@pytest.mark.parametrize("expression", expressions())
def test_it_asks_for_what_there_is(expression: str) -> None:
    known = exported() | OF_PROMETHEUS
    found = _METRIC.findall(expression)
    assert found
    for name, selector in found:
        assert name in known, name
        asked = set(_LABEL.findall(selector)) | {
            label.strip() for group in _BY.findall(expression) for label in group.split(",")
        }
        assert asked <= known[name] | {"instance", "job"}, expression


def test_a_rate_is_taken_of_what_only_grows() -> None:
    growing = {"memsvc_device_evicted", "memsvc_device_returned", "memsvc_device_searched_on_host"}
    growing |= {"memsvc_gpu_searches", "memsvc_gpu_launches", "memsvc_gpu_refused"}
    for expression in expressions():
        for name in re.findall(r"rate\((memsvc_\w+)", expression):
            assert name.endswith(("_total", "_bucket")) or name in growing, name


def test_panels_have_places_of_their_own_and_the_source_that_is_provisioned() -> None:
    source = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"][0]
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        assert at["x"] + at["w"] <= 24
        taken |= cells
    assert {panel["datasource"]["uid"] for panel in PANELS} == {source["uid"]}
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_targets_are_services_at_the_ports_that_they_have() -> None:
    found = {
        config["job_name"]: (of["names"], of["port"])
        for config in SCRAPED["scrape_configs"]
        for of in config["dns_sd_configs"]
    }
    metrics_port = int(COMPOSE["services"]["gpu"]["environment"]["MEMSVC_GPU_METRICS_PORT"])
    assert found == {"memsvc-api": (["api"], 8000), "memsvc-gpu": (["gpu"], metrics_port)}
    for name in ("api", "gpu", "prometheus"):
        assert "metrics" in COMPOSE["services"][name]["networks"]
