"""What recalls make of facts that later facts contradict, before and after a run of the job `conflict`, over HTTP.

All facts of factconsolidation are written to a server as they stand, one namespace after the other; every question is
asked, the job runs, and every question is asked again. Of the questions that name outdated facts: in how many the
current fact stands above all outdated ones (one that is hidden stands below, a current one that is not found above
none). Of all questions: recall of the current facts. The job runs with its rules alone; labels are never sent.

Run: OMP_NUM_THREADS=1 python -m benchmarks.lifecycle_conflict_recall --data FOLDER [--profile balanced] [--limit N]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from benchmarks._http import Client
from benchmarks._results import save
from benchmarks._server import scratch, serve
from benchmarks.quality import measures
from benchmarks.quality.sets import Question, Set, read

SET = "factconsolidation"
BATCH = 100
TOP_K = 20
REQUIRED_PERCENT = 95.0
_POLL_S = 0.2
_OVER = ("succeeded", "failed", "cancelled")

Found = list[tuple[str, ...]]


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets")
    parser.add_argument("--profile", default="fast", choices=("fast", "balanced", "thorough"))
    parser.add_argument("--limit", type=int, help="about so many questions")
    options = parser.parse_args()
    figures = measured(read(options.data / SET, options.limit), options.profile)
    print(figures)
    name = "lifecycle_conflict_recall" if options.profile == "fast" else f"lifecycle_conflict_recall_{options.profile}"
    command = f"python -m benchmarks.lifecycle_conflict_recall --data FOLDER --profile {options.profile}"
    print(save(name, figures, command=command))


def measured(data: Set, profile: str) -> dict[str, Any]:
    """Figures of the set before and after the run."""
    asked = [(step.namespace, question) for step in data.steps for question in step.questions]
    with scratch() as folder, serve(folder / "data") as server:
        client = Client(server.url)
        for step in data.steps:
            for at in range(0, len(step.rows), BATCH):
                body = {"namespace": step.namespace, "memories": list(step.rows[at : at + BATCH])}
                client.post("/v1/memories:batch", body)
        before = answers(client, asked, profile)
        begun = time.perf_counter()
        counts = [run_conflict(client, server.url, path) for path in dict.fromkeys(path for path, _ in asked)]
        run_s = time.perf_counter() - begun
        after = answers(client, asked, profile)
        client.close()
    questions = [question for _, question in asked]
    return {
        "facts": sum(len(step.rows) for step in data.steps),
        "profile": profile,
        "superseded": sum(one.get("supersede", 0) for one in counts),
        "run_s": round(run_s, 1),
        "required_percent": REQUIRED_PERCENT,
        "before": judged(questions, before),
        "after": judged(questions, after),
        "recall@10 after less before": _change(questions, before, after),
    }


def answers(client: Client, asked: Sequence[tuple[str, Question]], profile: str) -> Found:
    """External ids of each question's hits, best first."""
    found = []
    for namespace, question in asked:
        answer = client.post("/v1/recall", question.body(namespace, top_k=TOP_K, profile=profile))
        found.append(tuple(hit["memory"]["external_id"] for hit in answer["hits"]))
    return found


def run_conflict(client: Client, url: str, namespace: str) -> dict[str, int]:
    """Runs the job on a whole namespace and waits for its end; returns what it did.

    Raises:
        RuntimeError: it did not succeed.
    """
    policy = {"namespace": namespace, "policy": {"share_per_run": 1.0}, "schedules": {}}
    httpx.put(f"{url}/v1/policy", json=policy, timeout=60).raise_for_status()
    run = client.post("/v1/job-runs", {"namespace": namespace, "kind": "conflict"})
    while run["state"] not in _OVER:
        time.sleep(_POLL_S)
        run = client.get(f"/v1/job-runs/{run['id']}")
    if run["state"] != "succeeded":
        raise RuntimeError(f"the run ended as {run['state']}")
    counts: dict[str, int] = run["counts"]
    return counts


def judged(questions: Sequence[Question], found: Found) -> dict[str, Any]:
    """Figures of one round of questions, in percent."""
    marked = [(q, hits) for q, hits in zip(questions, found, strict=True) if q.outdated]
    of = [measures.ranked(hits, q.gold) for q, hits in zip(questions, found, strict=True)]
    return {
        "current above outdated": measures.percent(
            [measures.current_first(hits, q.gold, q.outdated) for q, hits in marked]
        ),
        "an outdated fact among ten": measures.percent(
            [float(bool(q.outdated & set(hits[:10]))) for q, hits in marked]
        ),
        "marked questions": len(marked),
        **{f"{name} of all": measures.percent([one[name] for one in of]) for name in ("recall@10", "ndcg@10")},
        "recall@10 of marked": measures.percent([measures.ranked(hits, q.gold)["recall@10"] for q, hits in marked]),
        "questions": len(questions),
    }


def _change(questions: Sequence[Question], before: Found, after: Found) -> list[float]:
    """Mean difference in percent with its 95 % interval."""
    apart = [
        measures.ranked(new, q.gold)["recall@10"] - measures.ranked(old, q.gold)["recall@10"]
        for q, old, new in zip(questions, before, after, strict=True)
    ]
    return [measures.percent(apart), *measures.interval(apart)]


if __name__ == "__main__":
    main()
