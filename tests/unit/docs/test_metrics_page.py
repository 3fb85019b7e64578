from __future__ import annotations

import re
from pathlib import Path

from memsvc.core.metrics_page import every_metric, render

DOCS = Path(__file__).parents[3] / "docs"


def test_page_is_up_to_date() -> None:
    page = (DOCS / "metrics.md").read_text()
    assert page == render(), "run: python -m memsvc.core.metrics_page > docs/metrics.md"


def test_page_has_every_metric_of_the_registry_with_a_meaning() -> None:
    metrics = every_metric()
    described = {one.name: one for one in metrics.described}
    families = {f"{f.name}_total" if f.type == "counter" else f.name for f in metrics.registry.collect()}
    assert described.keys() == families
    assert all(one.meaning.endswith(".") for one in metrics.described)
    assert all(meaning for one in metrics.described for meaning in one.labels.values())


def test_operations_speak_of_metrics_that_there_are() -> None:
    known = {one.name for one in every_metric().described}
    named = re.findall(r"\bmemsvc_\w+", (DOCS / "operations.md").read_text())
    stems = ("memsvc_client", "memsvc_app", "memsvc_url", "memsvc_secret", "memsvc_database_url")
    assert {name for name in named if not name.startswith(stems)} <= known
