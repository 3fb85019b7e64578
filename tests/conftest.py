"""What every test shares."""

from __future__ import annotations

import os

# Before numpy or a model is imported: on a busy machine more threads than cores cost up to fifty times the time.
os.environ.setdefault("OMP_NUM_THREADS", "1")

pytest_plugins = ["tests.fixtures.database"]
