"""The README is short, and its figures are those of the saved results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
TEXT = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())


def saved(name: str) -> dict[str, Any]:
    figures: dict[str, Any] = json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_bytes())["figures"]
    return figures


def claims() -> dict[str, str]:
    kills = [saved("kill_sqlite"), saved("kill_postgres")]
    profiles = saved("quality")["profiles"]
    conflict = saved("lifecycle_conflict_recall")
    latency = saved("quality_latency_avx2")
    spent = {name: f"{of['p50_ms']:.0f} ms" for name, of in latency["sets"]["locomo_dev"]["profiles"].items()}
    large = latency["large"]
    sweep = saved("lifecycle_erasure_sqlite")["sweep"]
    left = sweep["bytes after"]["database"]
    assert sum(of["acknowledged_lost"] for of in kills) == 0
    assert left == {"canaries": 0, "vectors": 0}
    ndcg = {name: f"{of['mean_ndcg@10']:.1f}" for name, of in profiles.items()}
    rates = [f"{conflict[when]['current above outdated']:.0f} %" for when in ("before", "after")]
    return {
        "kills": f"In {sum(of['kills'] for of in kills):,} runs that ended with `kill -9`",
        "writes": f"none of {sum(of['acknowledged_writes'] for of in kills):,} acknowledged writes was lost",
        "quality": f"{ndcg['fast']} without a model that reads the hits, {ndcg['balanced']} with a local one",
        "conflict": f"from {rates[0]} to {rates[1]}",
        "erasure": f"of {sweep['erased']:,} erased memories no text and no vector",
        "speed": f"With {latency['memories']:,} memories on two cores a recall takes {spent['fast']} (`fast`), "
        f"{spent['balanced']} (`balanced`, the default) or {spent['thorough']} (`thorough`) in the median; "
        f"the search alone of {large['memories']:,} memories by all channels {large['all']['p50_ms']:.0f} ms",
    }


@pytest.mark.parametrize("claim", claims().items(), ids=lambda claim: claim[0])
def test_a_figure_is_what_was_measured(claim: tuple[str, str]) -> None:
    assert claim[1] in TEXT


def test_it_is_read_in_a_few_minutes() -> None:
    assert len(TEXT.split()) < 900
