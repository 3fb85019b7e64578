"""`python -m benchmarks.quality <command>`: every command of this folder by its name."""

from __future__ import annotations

import importlib
import sys

COMMANDS = {
    "run": "quality and latency on real sets, for each profile, over HTTP",
    "ablate": "what each channel is worth: recorded lists fused without it",
    "fit": "weights of the fusion and of the final order, reported leave one set out",
    "abilities": "made-up memories with known answers, for each profile, over HTTP",
    "latency": "recall in namespaces of 10,000 and of 100,000 memories",
    "plot": "quality against latency as a picture",
    "report": "the figures as tables; refuses those on the data of a fit",
}


def main() -> None:
    """Run a command; each has its own --help."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name not in COMMANDS:
        print("usage: python -m benchmarks.quality <command> [--help]\n")
        print("\n".join(f"  {command:10s} {what}" for command, what in COMMANDS.items()))
        sys.exit(0 if name in {"-h", "--help"} else 2)
    importlib.import_module(f"benchmarks.quality.{name}").main(sys.argv[2:])


if __name__ == "__main__":
    main()
