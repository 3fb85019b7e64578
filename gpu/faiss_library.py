"""faiss, where it is installed. Nothing here is imported before an index is to be built."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any


def faiss() -> Any | None:
    """The module, or None where neither faiss-cpu nor faiss-gpu is installed (or it cannot be loaded)."""
    try:
        return import_module("faiss")
    except ImportError:
        return None


def is_installed() -> bool:
    """Whether there is a faiss to import; does not import it."""
    return find_spec("faiss") is not None


def graphics_cards(library: Any) -> int:
    """How many devices this build of faiss can use; 0 for a build without them."""
    return int(library.get_num_gpus()) if hasattr(library, "StandardGpuResources") else 0


@contextmanager
def one_thread(library: Any) -> Iterator[None]:
    """Hold faiss to one thread: sums keep their order, so that the same rows give the same index.

    The number belongs to the calling thread (OpenMP): other threads that use faiss do not notice.
    """
    before = library.omp_get_max_threads()
    library.omp_set_num_threads(1)
    try:
        yield
    finally:
        library.omp_set_num_threads(before)
