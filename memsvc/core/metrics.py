"""Names, labels and buckets of all metrics. No label ever holds a tenant, a namespace or content.

`memsvc.core.metrics_page` writes docs/metrics.md from the meanings that are given here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from gpu.bank.bank import Bank
from gpu.bank.layouts import TIERS, Tier
from gpu.device.residency import Residency
from gpu.process.served import Served

_LATENCY_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_WORK_S = (0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)

_OF_DEVICES: tuple[tuple[str, str, Callable[[Residency], int]], ...] = (
    ("memsvc_device_bytes", "Device memory held by bank pages.", lambda of: of.device_bytes),
    ("memsvc_device_namespaces", "Namespaces on a device.", lambda of: of.resident),
    (
        "memsvc_device_evicted",
        "Namespaces, or parts of them, that left a device for others, so far.",
        lambda of: of.evicted,
    ),
    ("memsvc_device_returned", "Those that came back from pinned memory, so far.", lambda of: of.returned),
    ("memsvc_device_pinned", "Namespaces, or parts of them, in pinned memory.", lambda of: of.pinned),
    ("memsvc_device_pinned_bytes", "Pinned memory that they take.", lambda of: of.pinned_bytes),
    (
        "memsvc_device_searched_on_host",
        "Searches that found no room on a device, so far.",
        lambda of: of.searched_on_host,
    ),
    ("memsvc_device_lost", "Devices that failed and are not used any more.", lambda of: of.lost),
)
_OF_SERVER = (
    ("memsvc_gpu_searches", "Of `memsvc gpu` alone: searches answered for other processes, so far.", "searches"),
    ("memsvc_gpu_launches", "Launches that they took, so far.", "launches"),
    ("memsvc_gpu_refused", "Searches without an answer, so far.", "refused"),
)


@dataclass(frozen=True, slots=True)
class Described:
    """A metric as a page shows it; `labels` says for each label what stands in it."""

    name: str
    kind: str
    meaning: str
    labels: dict[str, str]


class Metrics:
    """One process's metrics, in a registry of its own so that several can live in one interpreter.

    Attributes:
        described: every metric that this process has.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.described: list[Described] = []
        self._of_requests()
        self._of_recalls()
        self._of_storage()
        self._of_bank()
        self._of_work()
        self._of_sharing()

    def _of_requests(self) -> None:
        route = "template of the path, `-` where none answers"
        self.requests = self._counter(
            "memsvc_http_requests",
            "Requests answered.",
            route=route,
            method="of HTTP",
            status="of HTTP; 499: the client left",
        )
        self.request_seconds = self._histogram(
            "memsvc_http_request_seconds",
            "Time from the first byte of a request to the last of its answer.",
            _LATENCY_S,
            route=route,
            method="of HTTP",
        )
        self.in_flight = self._gauge("memsvc_http_in_flight", "Requests being worked on.")
        self.requests_waiting = self._gauge(
            "memsvc_http_waiting", "Calls that wait for one of the threads in which requests are worked on."
        )
        self.refused = self._counter(
            "memsvc_http_refused",
            "Requests refused unseen.",
            reason="`wait`, `in_flight`, `uri`, `headers` or `auth`",
        )

    def _of_recalls(self) -> None:
        profile = "`fast`, `balanced` or `thorough`"
        self.recalls = self._counter("memsvc_recalls", "Namespaces that were asked a question.", profile=profile)
        self.recall_seconds = self._histogram(
            "memsvc_recall_seconds", "Time of a question to one namespace.", _LATENCY_S, profile=profile
        )
        self.recall_phase_seconds = self._histogram(
            "memsvc_recall_phase_seconds",
            "Time of each phase of a recall.",
            _LATENCY_S,
            phase="`locate` (namespace, filter, bank brought up to date), `embed` (the model), `embed_wait` (waiting "
            "for it), `fuse`, `hops`, `rerank`, `fetch` (rows of the hits), `search` (all but locating, fetching and "
            "waiting for the model), `total`",
        )
        self.recall_channel_seconds = self._histogram(
            "memsvc_recall_channel_seconds", "Time of each channel in a recall.", _LATENCY_S, channel="its name"
        )
        self.recalls_degraded = self._counter(
            "memsvc_recalls_degraded",
            "Recalls that were answered without something.",
            left_out="channel that failed or was late, or `rerank`",
        )
        self.recalls_slow = self._counter(
            "memsvc_recalls_slow", "Requests for a recall that took `MEMSVC_SLOW_RECALL_MS` or longer."
        )

    def _of_storage(self) -> None:
        self.writes = self._counter(
            "memsvc_writes",
            "Memories written.",
            op="what was done: `create`, `edit`, `forget`, `restore`, `unmerge` or `erase`",
        )
        self.commit_group = self._histogram(
            "memsvc_commit_group_writes", "Writes that shared one commit, on SQLite.", _SIZES
        )
        self.database_seconds = self._histogram(
            "memsvc_database_seconds",
            "Time of a transaction, waiting for a connection or for its turn included.",
            _LATENCY_S,
            what="`read` or `write`",
        )
        self.database_connections = self._gauge(
            "memsvc_database_connections", "Connections of the pool that are in use."
        )

    def _of_bank(self) -> None:
        self.bank_bytes = self._gauge("memsvc_bank_bytes", "Memory held by bank pages.")
        self.archive_bytes = self._gauge(
            "memsvc_archive_bytes", "Memory held by archives that somebody asked for lately."
        )
        self.bank_memories = self._gauge("memsvc_bank_memories", "Current memories in the bank.")
        self.bank_vector_bytes = self._gauge(
            "memsvc_bank_vector_bytes",
            "Vectors in the bank, by how exactly they are kept.",
            tier="`fp16`, `int8` or `int4`",
        )
        self.bank_namespaces = self._gauge("memsvc_bank_namespaces", "Namespaces loaded.")
        self.change_lag = self._gauge(
            "memsvc_change_lag",
            "Committed changes that the bank of the namespace that was brought up last had not applied.",
        )

        self.lists = self._counter(
            "memsvc_device_lists",
            "Recalls that asked a device for the lists of their channels.",
            answered="`yes`, or `no`: the channels scanned",
        )

    def _of_work(self) -> None:
        self.job_runs = self._counter(
            "memsvc_job_runs",
            "Runs of jobs that ended in this process.",
            kind="of the work",
            outcome="`succeeded`, `failed`, `cancelled`, or `lost` to another process",
        )
        self.job_run_seconds = self._histogram(
            "memsvc_job_run_seconds", "Time of a run in this process.", _WORK_S, kind="of the work"
        )
        self.job_runs_waiting = self._gauge(
            "memsvc_job_runs_waiting", "Runs that waited when this process last looked, 100 at most."
        )
        self.pending_embeddings = self._gauge(
            "memsvc_pending_embeddings", "Texts that were stored without a vector, when this process last looked."
        )
        self.texts_waiting = self._gauge(
            "memsvc_embedder_waiting", "Texts that wait for the embedding model.", lane="`questions` or `documents`"
        )
        self.embedded = self._counter(
            "memsvc_embedder_texts",
            "Texts that the embedding model was given; one that was asked a moment ago is not.",
            lane="`questions` or `documents`",
        )
        self.embedder_seconds = self._histogram(
            "memsvc_embedder_seconds",
            "Time of a run of the embedding model.",
            _LATENCY_S,
            lane="`questions` or `documents`",
        )
        self.pairs_waiting = self._gauge(
            "memsvc_reranker_waiting", "Pairs of a question and a memory that wait for the cross-encoder."
        )

    def _of_sharing(self) -> None:
        self.redis_failures = self._counter(
            "memsvc_redis_failures", "Calls that Redis did not answer.", error="its class"
        )
        self.redis_foreign = self._counter(
            "memsvc_redis_foreign_values", "Values in Redis that were not ours, and were deleted."
        )
        self.redis_lost = self._gauge("memsvc_redis_lost", "Whether Redis failed and is left alone.")
        self.cache_looks = self._counter(
            "memsvc_cache_looks",
            "Looks into the caches.",
            cache="which",
            found="where it was: `local`, `redis` or `none`",
        )
        self.limited = self._counter("memsvc_limited", "Requests refused by a limit or a quota.", limit="which")
        self.bells = self._counter(
            "memsvc_bells", "Changes told between processes.", way="`rung`: to others, `heard`: from them"
        )
        self.bank_dropped = self._counter("memsvc_bank_dropped", "Idle namespaces that left the bank for others.")

    def count_writes(self, op: str, number: int) -> None:
        """Count memories that were created, edited, forgotten, restored, unmerged or erased."""
        if number:
            self.writes.labels(op).inc(number)

    def count_lists(self, is_answered: bool) -> None:
        """Count a question for lists; where none came, the channels scanned."""
        self.lists.labels("yes" if is_answered else "no").inc()

    def count_transaction(self, what: str, seconds: float) -> None:
        """Count a transaction that read or wrote."""
        self.database_seconds.labels(what).observe(seconds)

    def count_run(self, kind: str, outcome: str, seconds: float) -> None:
        """Count a run of a job that ended here."""
        self.job_runs.labels(kind, outcome).inc()
        self.job_run_seconds.labels(kind).observe(seconds)

    def count_embedded(self, lane: str, texts: int, seconds: float) -> None:
        """Count a run of the embedding model."""
        self.embedded.labels(lane).inc(texts)
        self.embedder_seconds.labels(lane).observe(seconds)

    def watch_bank(self, bank: Bank, memories: Callable[[], float]) -> None:
        """Read the bank's figures (bytes, memories, namespaces) whenever metrics are asked for."""
        self.bank_bytes.set_function(bank.memory_bytes)
        self.bank_memories.set_function(memories)
        self.bank_namespaces.set_function(lambda: len(bank.keys()))
        for tier in TIERS:
            self.bank_vector_bytes.labels(tier.value).set_function(partial(_tier_now, bank, tier))

    def watch_archives(self, archives: Bank) -> None:
        """Read how much the archives take that somebody asked for, whenever metrics are asked for."""
        self.archive_bytes.set_function(archives.memory_bytes)

    def watch_device(self, residency: Callable[[], Residency]) -> None:
        """Read the devices' figures whenever metrics are asked for; a process without a device has none of them."""
        for name, meaning, figure in _OF_DEVICES:
            self._gauge(name, meaning).set_function(partial(_figure_now, residency, figure))

    def watch_server(self, served: Served) -> None:
        """Read the figures of the process of the device whenever metrics are asked for."""
        for name, meaning, attribute in _OF_SERVER:
            self._gauge(name, meaning).set_function(partial(getattr, served, attribute))

    def render(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        return generate_latest(self.registry)

    def _counter(self, name: str, meaning: str, **labels: str) -> Counter:
        self.described.append(Described(f"{name}_total", "counter", meaning, labels))
        return Counter(name, meaning, list(labels), registry=self.registry)

    def _gauge(self, name: str, meaning: str, **labels: str) -> Gauge:
        self.described.append(Described(name, "gauge", meaning, labels))
        return Gauge(name, meaning, list(labels), registry=self.registry)

    def _histogram(self, name: str, meaning: str, buckets: Sequence[float], **labels: str) -> Histogram:
        self.described.append(Described(name, "histogram", meaning, labels))
        return Histogram(name, meaning, list(labels), buckets=buckets, registry=self.registry)


def _tier_now(bank: Bank, tier: Tier) -> float:
    return bank.vector_bytes()[tier]


def _figure_now(residency: Callable[[], Residency], figure: Callable[[Residency], int]) -> float:
    return figure(residency())
