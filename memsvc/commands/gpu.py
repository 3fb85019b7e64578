"""`memsvc gpu`: the one process that has the device, for several that serve."""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray
from prometheus_client import start_http_server
from sqlalchemy.engine import make_url

from gpu.bank.namespace import NamespaceBank
from gpu.device.found import Device, NoDeviceError
from memsvc.core.errors import StartupRefused
from memsvc.core.logging import configure_logging
from memsvc.core.metrics import Metrics
from memsvc.core.settings import Settings
from memsvc.core.telemetry import begin_tracing
from memsvc.embedding import build_embedders
from memsvc.index.keeper import Keeper
from memsvc.index.names import namespace_key
from memsvc.nearest import device_of, operations
from memsvc.wiring import Follower
from retrieval.embedders import packaged
from retrieval.embedders.batched_questions import BatchedQuestions
from retrieval.embedders.batching import BatchingEmbedder
from retrieval.errors import EmbedderError
from retrieval.pipeline import FEWEST_CANDIDATES

Say = Callable[[str], None]


class KeptNamespaces:
    """Namespaces of a keeper; see `gpu.process.server.Namespaces`."""

    def __init__(self, keeper: Keeper) -> None:
        """Those of one keeper."""
        self._keeper = keeper

    def held(self, name: bytes, seq: int) -> NamespaceBank | None:
        """See `gpu.process.server.Namespaces`."""
        try:
            bank = self._keeper.bank.namespace(namespace_key(name))
        except (KeyError, ValueError):
            return None
        return bank if bank.applied_seq >= seq else None

    def brought_up(self, name: bytes, seq: int) -> NamespaceBank:
        """See `gpu.process.server.Namespaces`."""
        return self._keeper.catch_up(namespace_key(name), seq)


Encode = Callable[[Sequence[str]], NDArray[np.float32]]


def build_encoder(settings: Settings, closing: ExitStack) -> Encode:
    """Questions to vectors: on the device where the model is a packaged one, else with the embedder of the settings.

    Raises:
        StartupRefused: the model cannot be loaded.
    """
    source, _, name = settings.embedder.partition(":")
    if source != "packaged":
        embedder, *_ = build_embedders(settings.model_copy(update={"embedder_second": None}))
        closing.callback(embedder.close)
        return encoder(embedder)
    try:
        return BatchedQuestions(packaged.locate(name), device="cuda")
    except EmbedderError as error:
        raise StartupRefused(str(error)) from error


def encoder(embedder: BatchingEmbedder) -> Encode:
    """Questions to vectors with an embedder, side by side."""

    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        coming = [embedder.submit_question(text) for text in texts]
        return np.stack([one.result().views[0] for one in coming])

    return encode


def serve_metrics(settings: Settings, metrics: Metrics, closing: ExitStack, say: Say) -> None:
    """Give the metrics over HTTP, if a port is set.

    Raises:
        StartupRefused: the port cannot be had.
    """
    if settings.gpu_metrics_port is None:
        return
    try:
        server, thread = start_http_server(settings.gpu_metrics_port, settings.host, metrics.registry)
    except OSError as error:
        raise StartupRefused(
            f"cannot give metrics at {settings.host} port {settings.gpu_metrics_port}: {error.strerror}"
        ) from None

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    closing.callback(stop)
    say(f"metrics: http://{settings.host}:{server.server_port}/metrics")


def run_gpu(settings: Settings, say: Say) -> None:
    """Answer searches at `settings.gpu_socket` until told to stop.

    Raises:
        StartupRefused: there is no socket to listen at, no device, or only SQLite, which one process owns.
    """
    # Threads keep Python's own interval of 5 ms: half a millisecond (`settle_threads`) is for recalls, which wait for
    # an embedder on the processor. Nothing shows that searches here gain by it: 10,091 a second with it, 11,276
    # without, in one run of each (docs/decisions/0015-gpu-process.md).
    configure_logging(settings)
    begin_tracing(settings, "memsvc gpu")
    if settings.gpu_socket is None:
        raise StartupRefused("memsvc gpu needs MEMSVC_GPU_SOCKET, as ipc:///run/memsvc/gpu.sock")
    if make_url(settings.url).get_backend_name() == "sqlite":
        raise StartupRefused("SQLite has one owning process, which uses the device itself; this needs PostgreSQL")
    try:
        device = device_of(settings)
    except NoDeviceError as error:
        raise StartupRefused(f"memsvc gpu needs a device, but {error}") from None
    say(f"device: {device.name}, {device.memory_bytes / 2**30:.1f} GiB for the bank; {operations(settings)}")
    with ExitStack() as closing:
        closing.callback(device.bank.close)
        _answer(settings, device, settings.gpu_socket, closing, say)
    say("stopped")


def _answer(settings: Settings, device: Device, endpoint: str, closing: ExitStack, say: Say) -> None:
    from gpu.process.server import GpuServer

    follower = Follower(settings, say=say)
    closing.callback(follower.close)
    encode = build_encoder(settings, closing)
    server = GpuServer(device.bank, KeptNamespaces(follower.keeper), encode)
    follower.metrics.watch_device(lambda: device.bank.residency)
    follower.metrics.watch_server(server.served)
    serve_metrics(settings, follower.metrics, closing, say)
    follower.start()
    say("device: compiling kernels (longer the first time)")
    keys = follower.bank.keys()
    dims = {follower.bank.namespace(key).dim for key in keys}
    dims.add(encode(["what do you remember?"]).shape[1])  # that of namespaces to come
    device.bank.warm_up(dims, [FEWEST_CANDIDATES])
    gc.freeze()  # what is here stays: a collection that looks through it all would hold up every search
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop())
    server.run(endpoint, lambda: say(f"answering at {endpoint} (stop with Ctrl+C)"))
