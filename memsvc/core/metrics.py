"""Names, labels and buckets of all metrics. No label ever holds a tenant, a namespace or content."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from gpu.bank.bank import Bank
from gpu.bank.layouts import TIERS, Tier
from gpu.device.residency import Residency
from gpu.process.served import Served

_LATENCY_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
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


class Metrics:
    """One process's metrics, in a registry of its own so that several can live in one interpreter."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "memsvc_http_requests", "Requests answered.", ["route", "method", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "memsvc_http_request_seconds",
            "Time from the first byte of a request to the last of its answer.",
            ["route", "method"],
            buckets=_LATENCY_S,
            registry=registry,
        )
        self.in_flight = Gauge("memsvc_http_in_flight", "Requests being worked on.", registry=registry)
        self.refused = Counter("memsvc_http_refused", "Requests refused unseen.", ["reason"], registry=registry)
        self.recall_phase_seconds = Histogram(
            "memsvc_recall_phase_seconds",
            "Time of each phase of a recall.",
            ["phase"],
            buckets=_LATENCY_S,
            registry=registry,
        )
        self.writes = Counter("memsvc_writes", "Memories written, by what was done.", ["op"], registry=registry)
        self.commit_group = Histogram(
            "memsvc_commit_group_writes", "Writes that shared one commit.", buckets=_SIZES, registry=registry
        )
        self.bank_bytes = Gauge("memsvc_bank_bytes", "Memory held by bank pages.", registry=registry)
        self.archive_bytes = Gauge(
            "memsvc_archive_bytes", "Memory held by archives that somebody asked for lately.", registry=registry
        )
        self.bank_memories = Gauge("memsvc_bank_memories", "Current memories in the bank.", registry=registry)
        self.bank_vector_bytes = Gauge(
            "memsvc_bank_vector_bytes",
            "Vectors in the bank, by how exactly they are kept.",
            ["tier"],
            registry=registry,
        )
        self.bank_namespaces = Gauge("memsvc_bank_namespaces", "Namespaces loaded.", registry=registry)
        self.lists = Counter(
            "memsvc_device_lists",
            "Recalls that asked a device for the lists of their channels, by whether it answered.",
            ["answered"],
            registry=registry,
        )
        self.change_lag = Gauge(
            "memsvc_change_lag", "Committed changes that the bank has not applied yet.", registry=registry
        )

        self.redis_failures = Counter(
            "memsvc_redis_failures", "Calls that Redis did not answer, by error.", ["error"], registry=registry
        )
        self.redis_foreign = Counter(
            "memsvc_redis_foreign_values", "Values in Redis that were not ours, and were deleted.", registry=registry
        )
        self.redis_lost = Gauge("memsvc_redis_lost", "Whether Redis failed and is left alone.", registry=registry)
        self.cache_looks = Counter(
            "memsvc_cache_looks",
            "Looks into the caches, by what was found where (local, redis, none).",
            ["cache", "found"],
            registry=registry,
        )
        self.limited = Counter(
            "memsvc_limited", "Requests refused by a limit or a quota.", ["limit"], registry=registry
        )
        self.bells = Counter(
            "memsvc_bells", "Changes that other processes were told of (rung) or told us of (heard).", ["way"],
            registry=registry,
        )  # fmt: skip
        self.bank_dropped = Counter(
            "memsvc_bank_dropped", "Idle namespaces that left the bank for others.", registry=registry
        )

    def count_writes(self, op: str, number: int) -> None:
        """Count memories that were created, edited, forgotten, restored, unmerged or erased."""
        if number:
            self.writes.labels(op).inc(number)

    def count_lists(self, is_answered: bool) -> None:
        """Count a question for lists; where none came, the channels scanned."""
        self.lists.labels("yes" if is_answered else "no").inc()

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
            gauge = Gauge(name, meaning, registry=self.registry)
            gauge.set_function(partial(_figure_now, residency, figure))

    def watch_server(self, served: Served) -> None:
        """Read the figures of the process of the device whenever metrics are asked for."""
        for name, meaning, attribute in (
            ("memsvc_gpu_searches", "Searches answered for other processes, so far.", "searches"),
            ("memsvc_gpu_launches", "Launches that they took, so far.", "launches"),
            ("memsvc_gpu_refused", "Searches without an answer, so far.", "refused"),
        ):
            Gauge(name, meaning, registry=self.registry).set_function(partial(getattr, served, attribute))

    def render(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        return generate_latest(self.registry)


def _tier_now(bank: Bank, tier: Tier) -> float:
    return bank.vector_bytes()[tier]


def _figure_now(residency: Callable[[], Residency], figure: Callable[[Residency], int]) -> float:
    return figure(residency())
