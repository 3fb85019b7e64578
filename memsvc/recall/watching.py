"""What operators see of recalls: metrics of each, and a line in the log for one that took long."""

from __future__ import annotations

from collections.abc import Set
from uuid import UUID

import structlog

from memsvc.core.metrics import Metrics
from memsvc.recall.question import Question
from memsvc.recall.service import Answer
from memsvc.recall.several import Gathered

log = structlog.get_logger("memsvc.recall")


class RecallWatch:
    """Counts recalls, and tells of slow ones.

    Args:
        channels: names of the channels; any other timing is that of a phase.
        slow_ms: from when on a recall is told of; 0: none is.
    """

    def __init__(self, metrics: Metrics, channels: Set[str], slow_ms: float) -> None:
        self._metrics = metrics
        self._channels = channels
        self._slow_ms = slow_ms

    def answered(self, tenant_id: UUID, recall_id: UUID, question: Question, gathered: Gathered) -> None:
        """A question was answered out of one or several namespaces."""
        for answer in gathered.answers:
            self._count(question, answer)
        if 0.0 < self._slow_ms <= gathered.timings_ms["total"]:
            self._metrics.recalls_slow.inc()
            _tell(tenant_id, recall_id, question, gathered)

    def _count(self, question: Question, answer: Answer) -> None:
        metrics, profile = self._metrics, question.profile.value
        metrics.recalls.labels(profile).inc()
        metrics.recall_seconds.labels(profile).observe(answer.timings_ms["total"] / 1e3)
        for name, ms in answer.timings_ms.items():
            seconds = metrics.recall_channel_seconds if name in self._channels else metrics.recall_phase_seconds
            seconds.labels(name).observe(ms / 1e3)
        for name in answer.degraded:
            metrics.recalls_degraded.labels(name).inc()


def _tell(tenant_id: UUID, recall_id: UUID, question: Question, gathered: Gathered) -> None:
    """Ids, sizes and timings: neither the question nor a path of a namespace, in which people put names."""
    log.warning(
        "slow_recall",
        recall_id=str(recall_id),
        tenant_id=str(tenant_id),
        namespace_ids=[str(answer.namespace_id) for answer in gathered.answers if answer.namespace_id is not None],
        profile=question.profile.value,
        top_k=question.top_k,
        query_bytes=len(question.text.encode()),
        is_filtered=question.condition is not None,
        hits=len(gathered.hits),
        eligible=gathered.eligible,
        degraded=list(gathered.degraded),
        timings_ms={name: round(ms, 3) for name, ms in gathered.timings_ms.items()},
    )
