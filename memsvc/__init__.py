"""memsvc: a long-term memory service for AI agents."""

import os

# Before onnxruntime is imported by anything below: its builds report to their maker, and nothing may leave the machine.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
