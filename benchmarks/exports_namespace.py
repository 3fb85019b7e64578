"""How long a namespace takes to be exported and imported again, how large the file is, and how much memory it takes.

On SQLite, in one process, hashed embeddings (384 dimensions): the model is no part of either.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks._results import save
from memsvc.auth.keys import create_tenant_with_admin_key
from memsvc.core.settings import Settings
from memsvc.memories.draft import Draft
from memsvc.memories.write import Author
from memsvc.wiring import Container

_SEED = 1
_AT_ONCE = 500


def main() -> None:
    """Measures, and saves what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memories", type=int, default=5_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), embedder="hashing:384", reranker="none", gpu="off", jobs="off")
        container = Container(settings)
        try:
            container.start()
            figures = measure(container, given.memories)
        finally:
            container.close()
    print(figures)
    save("exports_namespace", figures, command="python -m benchmarks.exports_namespace", seed=_SEED)


def measure(container: Container, n: int) -> dict[str, float]:
    """Fills a namespace, exports it, and imports it beside."""
    record, _ = create_tenant_with_admin_key(container.database, container.secrets, container.clock, "bench")
    author = Author(record.tenant_id, "bench")
    fill(container, author, n)
    with tempfile.TemporaryFile() as file:
        begun = time.perf_counter()
        for piece in container.exporting(author, "a").pieces:
            file.write(piece)
        exported_s, size, before = time.perf_counter() - begun, file.tell(), _peak_bytes()
        begun = time.perf_counter()
        found = container.importing(author, "b", file)
        imported_s = time.perf_counter() - begun
    if found.memories != n or not all(verdict.equal for verdict in container.keeper.verify()):
        raise SystemExit("what came back is not what left: no figures")
    return {
        "memories": n,
        "export_s": round(exported_s, 2),
        "import_s": round(imported_s, 2),
        "file_bytes": size,
        "bytes_per_memory": round(size / n),
        "peak_before_import_bytes": before,
        "peak_after_import_bytes": _peak_bytes(),
    }


def fill(container: Container, author: Author, n: int) -> None:
    """Memories of twenty made-up words."""
    rng = np.random.default_rng(_SEED)
    for start in range(0, n, _AT_ONCE):
        words = rng.integers(0, 5_000, (min(_AT_ONCE, n - start), 20))
        drafts = [Draft(" ".join(f"word{word}" for word in row)) for row in words.tolist()]
        container.remember(author, "a", drafts)


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
