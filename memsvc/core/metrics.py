"""Names, labels and buckets of all metrics. No label ever holds a tenant, a namespace or content."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_LATENCY_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Residency(Protocol):
    """What a device holds, see `gpu.device.bank.Residency`."""

    resident: int
    evicted: int
    searched_on_host: int


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
        self.bank_memories = Gauge("memsvc_bank_memories", "Current memories in the bank.", registry=registry)
        self.bank_namespaces = Gauge("memsvc_bank_namespaces", "Namespaces loaded.", registry=registry)
        self.change_lag = Gauge(
            "memsvc_change_lag", "Committed changes that the bank has not applied yet.", registry=registry
        )

    def count_writes(self, op: str, number: int) -> None:
        """Count memories that were created, edited, forgotten, restored or erased."""
        if number:
            self.writes.labels(op).inc(number)

    def watch_bank(
        self, allocated: Callable[[], float], memories: Callable[[], float], namespaces: Callable[[], float]
    ) -> None:
        """Read the bank's figures (bytes, memories, namespaces) whenever metrics are asked for."""
        self.bank_bytes.set_function(allocated)
        self.bank_memories.set_function(memories)
        self.bank_namespaces.set_function(namespaces)

    def watch_device(self, residency: Residency, allocated: Callable[[], float]) -> None:
        """Read the device's figures whenever metrics are asked for; a process without a device has none of them."""
        bytes_held = Gauge("memsvc_device_bytes", "Device memory held by bank pages.", registry=self.registry)
        bytes_held.set_function(allocated)
        resident = Gauge("memsvc_device_namespaces", "Namespaces on the device.", registry=self.registry)
        resident.set_function(lambda: residency.resident)
        evicted = Gauge(
            "memsvc_device_evicted", "Namespaces that left the device for others, so far.", registry=self.registry
        )
        evicted.set_function(lambda: residency.evicted)
        on_host = Gauge(
            "memsvc_device_searched_on_host",
            "Searches that found no room on the device.",
            registry=self.registry,
        )
        on_host.set_function(lambda: residency.searched_on_host)

    def render(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        return generate_latest(self.registry)
