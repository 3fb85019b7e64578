"""The parts of the benchmarks that decide what a figure means."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import orjson
import pytest

from benchmarks import report, run_all
from benchmarks._http import Timed, spread
from benchmarks._texts import facts
from benchmarks._timings import hit_rate, recall_figures
from benchmarks.filtered_recall import judge
from benchmarks.retrieval_sets import summary


def answer(*hits: tuple[int, int | None, float]) -> dict[str, object]:
    shown = [
        {"memory": {"external_id": f"m{place}"}, "channels": {"semantic": {"rank": rank, "score": score}}}
        for place, rank, score in hits
    ]
    timings = {"embed": 4.0, "embed_wait": 2.0, "locate": 1.0, "search": 3.0, "fetch": 1.5, "total": 8.0}
    return {"hits": shown, "explanation": {"timings_ms": timings}}


@pytest.mark.parametrize("name", run_all.plan(Path("folder"), Path(__file__), quick=True))
def test_every_planned_benchmark_can_be_run(name: str) -> None:
    assert callable(importlib.import_module(f"benchmarks.{name}").main)


def test_spread_takes_the_rank_of_a_percentile() -> None:
    assert spread([float(n) for n in range(100, 0, -1)]) == {"p50_ms": 50.5, "p95_ms": 96.0, "max_ms": 100.0}


def test_parts_of_a_recall_add_up_to_what_the_client_waited() -> None:
    timed = Timed()
    timed.ms, timed.answers, timed.wall_s = [10.0], [answer()], 0.01
    figures = recall_figures(timed)
    assert sum(figures["parts_mean_ms"].values()) == pytest.approx(10.0)
    assert figures["without_embedding"]["p50_ms"] == 8.0
    assert figures["parts_p50_ms"]["http_and_json"] == 2.0


def test_hit_rate_counts_answers_that_hold_the_wanted_memory() -> None:
    assert hit_rate([answer((1, 1, 0.9)), answer((2, 1, 0.9))], ["m1", "m3"]) == 0.5


def test_brute_force_finds_each_kind_of_fault() -> None:
    cosines = np.array([0.9, 0.8, 0.7, 0.1], dtype=np.float32)
    passes = np.array([True, False, True, True])
    right = judge(answer((0, 1, 0.9), (2, 2, 0.7), (3, None, 0.1)), passes, cosines)
    assert right == {"hits": 3, "not_passing": 0, "missing": 0, "with_semantic_rank": 2, "not_as_brute_force": 0}
    assert judge(answer((0, 1, 0.9), (1, 2, 0.8), (2, 3, 0.7)), passes, cosines)["not_passing"] == 1
    assert judge(answer((0, 1, 0.9)), passes, cosines)["missing"] == 2
    assert judge(answer((0, 2, 0.9), (2, 2, 0.6)), passes, cosines)["not_as_brute_force"] == 2


def test_facts_are_about_different_people_and_the_same_for_a_seed() -> None:
    made = facts(300, np.random.default_rng(1))
    assert len({fact.question for fact in made}) == 300
    assert made == facts(300, np.random.default_rng(1))


def test_sets_about_conflicts_stay_out_of_the_mean() -> None:
    one = {
        "set": "a",
        "ndcg@10": 50.0,
        "recall@10": 60.0,
        "ingest_rows_per_s": 9.0,
        "recall_p50_ms": 5.0,
        "recall_p95_ms": 7.0,
    }
    figures = summary(
        [{**one, "abstention_auroc": 0.8}, {**one, "set": "b", "ndcg@10": 0.0, "current_above_old": 42.0}]
    )
    assert (figures["mean_of"], figures["mean_ndcg@10"]) == (1, 50.0)
    assert figures["abstention_auroc"] == {"a": 0.8}
    assert figures["current_above_old"] == {"b": 42.0}


def test_report_replaces_what_stands_between_the_markers(tmp_path: Path) -> None:
    ingest = {"embedder_alone_rows_per_s": {"median": 100.0}, "ingest_1_rows_per_s": {"median": 90.0}, "ratio_1": 0.9}
    machine = {"cores": 2, "cpu": "a cpu", "load_1m": 0.1}
    shared = {"date": "2026-01-01T00:00:00+00:00", "machine": machine}
    for name, figures in (("batch_ingest", ingest), ("other", {}), ("quick_batch_ingest", ingest)):
        saved = {"benchmark": name, "figures": figures, **shared}
        (tmp_path / f"{name}.json").write_bytes(orjson.dumps(saved))
    again = {"benchmark": "other", "figures": {}, **shared}
    (tmp_path / "other_again.json").write_bytes(orjson.dumps(again))
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n", encoding="utf-8")
    report.write(readme, tmp_path)
    text = readme.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert "| batch_ingest | batch ingest, 1 client | 90.0 rows/s, 0.9 of the embedder alone |" in text
    assert "[other](results/other.json), [other_again](results/other_again.json)" in text
    assert "quick_" not in text
