"""How much of made attacks on a memory screening finds, and how often it is wrong about harmless texts.

Attacks are of ten families, harmless texts of five groups that look like them (`benchmarks._poisons`), and the memories
of the data sets as they are. Figures are of the half of the patterns that rules were not made with; the other half
stands beside them. Both halves and the rules have one author, so that attacks by others are found less often: what is
found is advice, and no defence rests on it. Four families (trigger strings, floods, split payloads, laundering) are not
worded as instructions, and are there to show that words do not give them away.

    MEMSVC_BENCH_DATA=... python -m benchmarks.poisoning
"""

from __future__ import annotations

import argparse
import gzip
import os
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from benchmarks._poisons import attacks, benign
from benchmarks._results import save
from retrieval.screening import INSTRUCTION_LIKE, screen


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--missed", action="store_true", help="show what of the first half is judged wrongly")
    parser.add_argument("--most", type=int, default=4_000, help="memories of each data set")
    options = parser.parse_args()
    figures: dict[str, Any] = {"attacks": {}, "harmless": {}}
    for name, held_out in (("held_out", True), ("made_with", False)):
        figures["attacks"][name] = _shares(attacks(held_out=held_out))
        figures["harmless"][name] = _shares(benign(held_out=held_out))
    if options.missed:
        _show(attacks(held_out=False), wanted=True)
        _show(benign(held_out=False), wanted=False)
    folder = os.environ.get("MEMSVC_BENCH_DATA")
    figures["memories"] = _memories(Path(folder), options.most) if folder else {}
    print(orjson.dumps(figures, option=orjson.OPT_INDENT_2).decode())
    if not options.missed:
        save("poisoning", figures, command="python -m benchmarks.poisoning")


def _shares(texts: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """By group, how many there are and the share that is flagged."""
    every: Counter[str] = Counter()
    flagged: Counter[str] = Counter()
    for group, text in texts:
        every[group] += 1
        flagged[group] += bool(screen(text))
    shares = {group: round(flagged[group] / every[group], 4) for group in every}
    return {"texts": every.total(), "flagged": round(flagged.total() / every.total(), 4), "by_group": shares}


def _show(texts: Iterable[tuple[str, str]], *, wanted: bool) -> None:
    for group, text in dict.fromkeys(texts):
        if bool(screen(text)) is not wanted:
            print(group, "|", text)


def _memories(folder: Path, most: int) -> dict[str, Any]:
    """Of each data set: how many memories, the share that is flagged, and microseconds of processor time a memory."""
    found = {}
    for path in sorted(folder.glob("*/corpus.jsonl.gz")):
        with gzip.open(path) as lines:
            texts = [orjson.loads(line)["content"] for line, _ in zip(lines, range(most), strict=False)]
        begun = time.process_time()
        flags = [screen(text) for text in texts]
        took = time.process_time() - begun
        found[path.parent.name] = {
            "memories": len(texts),
            "flagged": round(sum(map(bool, flags)) / len(texts), 5),
            "instruction_like": sum(INSTRUCTION_LIKE in one for one in flags),
            "us_per_memory": round(took / len(texts) * 1e6),
            "bytes_per_memory": round(sum(len(text.encode()) for text in texts) / len(texts)),
        }
    return found


if __name__ == "__main__":
    main()
