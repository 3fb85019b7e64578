"""Where the time of a recall goes: the server's own timings beside what the client waited."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks._http import Json, Timed, spread

_OWN = ("embed_wait", "locate", "search", "fetch")
"""Not `embed`: other work goes on beside the embedding, and counts as itself."""


def recall_figures(timed: Timed) -> dict[str, Any]:
    """Latency and rate, the share of each part (means), and everything but waiting for the embedding."""
    per_call = [_parts(ms, answer) for ms, answer in zip(timed.ms, timed.answers, strict=True)]
    total = statistics.fmean(timed.ms)
    parts = {name: statistics.fmean(parts[name] for parts in per_call) for name in per_call[0]}
    return {
        **timed.figures("recalls_per_s"),
        "without_embedding": spread([ms - parts["embed_wait"] for ms, parts in zip(timed.ms, per_call, strict=True)]),
        "parts_mean_ms": {name: round(ms, 3) for name, ms in parts.items()},
        "parts_share": {name: round(ms / total, 3) for name, ms in parts.items()},
        "parts_p50_ms": {name: round(statistics.median(p[name] for p in per_call), 3) for name in parts},
    }


def _parts(ms: float, answer: Json) -> dict[str, float]:
    """The parts of one recall in milliseconds; `locate` finds the namespace and the filter, `search` runs channels."""
    told = answer["explanation"]["timings_ms"]
    own = {name: float(told.get(name, 0.0)) for name in _OWN}
    service = float(told["total"])
    return {**own, "rest_of_service": service - sum(own.values()), "http_and_json": ms - service}


def hit_rate(answers: Sequence[Json], wanted: Sequence[str]) -> float:
    """Share of the answers that hold the memory with the wanted external id."""
    found = [
        want in [hit["memory"]["external_id"] for hit in a["hits"]] for a, want in zip(answers, wanted, strict=True)
    ]
    return round(statistics.fmean(found), 4)
