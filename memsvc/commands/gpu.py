"""`memsvc gpu`: the one process that has the device, for several that serve."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.engine import make_url

from gpu.bank.namespace import NamespaceBank
from gpu.device.found import NoDeviceError, open_device
from memsvc.core.errors import StartupRefused
from memsvc.core.logging import configure_logging
from memsvc.core.settings import Settings
from memsvc.index.keeper import Keeper
from memsvc.index.names import namespace_key
from memsvc.wiring import Container
from retrieval.embedders import packaged
from retrieval.embedders.batched_questions import BatchedQuestions
from retrieval.embedders.batching import BatchingEmbedder
from retrieval.errors import EmbedderError

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


def encoder_on_device(settings: Settings, embedder: BatchingEmbedder) -> Encode:
    """Questions to vectors on the device, where the model is a packaged one; else with the embedder itself."""
    source, _, name = settings.embedder.partition(":")
    if source != "packaged":
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


def run_gpu(settings: Settings, say: Say) -> None:
    """Answer searches at `settings.gpu_socket` until told to stop.

    Raises:
        StartupRefused: there is no socket to listen at, no device, or only SQLite, which one process owns.
    """
    configure_logging(settings)
    if settings.gpu_socket is None:
        raise StartupRefused("memsvc gpu needs MEMSVC_GPU_SOCKET, as ipc:///run/memsvc/gpu.sock")
    if make_url(settings.url).get_backend_name() == "sqlite":
        raise StartupRefused("SQLite has one owning process, which uses the device itself; this needs PostgreSQL")
    try:
        device = open_device(settings.gpu_memory_share)
    except NoDeviceError as error:
        raise StartupRefused(f"memsvc gpu needs a device, but {error}") from None
    from gpu.process.server import GpuServer

    say(f"device: {device.name}, {device.memory_bytes / 2**30:.1f} GiB for the bank")
    container = Container(settings.model_copy(update={"gpu": "off"}), say=say)
    try:
        container.start()
        server = GpuServer(
            device.bank, KeptNamespaces(container.keeper), encoder_on_device(settings, container.embedder)
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: server.stop())
        endpoint = settings.gpu_socket
        server.run(endpoint, lambda: say(f"answering at {endpoint} (stop with Ctrl+C)"))
    finally:
        container.close()
    say("stopped")
