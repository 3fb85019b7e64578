"""How many ordinary memories screening flags, how much of a made corpus of secrets it finds, and what it costs.

    python -m benchmarks.screening --data DATA [--compare]

Ordinary: every memory of the data sets, which hold no real credentials; some of what is flagged is shown, blackened,
to be judged. Made: values in the issuers' forms, drawn anew, in sentences and lines of configuration; and
secrets without any form, which only a word in front of them gives away or nothing does. The forms are public and the
patterns follow them, so that the first figure shows that nothing is missed by its surroundings, and no more.
`--compare` does the same with the patterns of detect-secrets, if it is installed.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
import string
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import _results
from memsvc.screening.rules import FAMILIES, FINDERS

SEED = 20
EACH = 200
ALNUM = string.ascii_letters + string.digits
UPPER = string.ascii_uppercase + string.digits
HEX = string.hexdigits[:16]
FORMS: dict[str, Callable[[random.Random], str]] = {
    "aws": lambda r: "AKIA" + _some(r, 16, UPPER),
    "github": lambda r: r.choice(("ghp_", "gho_", "ghs_")) + _some(r, 36),
    "gitlab": lambda r: "glpat-" + _some(r, 20, ALNUM + "_-"),
    "slack": lambda r: f"xoxb-{_some(r, 12, string.digits)}-{_some(r, 12, string.digits)}-{_some(r, 24)}",
    "stripe": lambda r: "sk_live_" + _some(r, 24),
    "openai": lambda r: f"sk-proj-{_some(r, 74)}T3BlbkFJ{_some(r, 74)}",
    "anthropic": lambda r: "sk-ant-api03-" + _some(r, 93, ALNUM + "_-") + "AA",
    "google": lambda r: "AIza" + _some(r, 35, ALNUM + "_-"),
    "npm": lambda r: "npm_" + _some(r, 36),
    "sendgrid": lambda r: f"SG.{_some(r, 22)}.{_some(r, 43)}",
    "telegram": lambda r: f"{_some(r, 10, string.digits)}:AA{_some(r, 33)}",
    "jwt": lambda r: f"eyJ{_some(r, 33)}.eyJ{_some(r, 80)}.{_some(r, 43)}",
    "url": lambda r: f"postgres://app:{_some(r, 16)}@db.internal:5432/main",
    "private key": lambda r: f"-----BEGIN PRIVATE KEY-----\n{_some(r, 64)}\n-----END PRIVATE KEY-----",
}
FORMLESS: dict[str, Callable[[random.Random], str]] = {
    "assigned": lambda r: f"{r.choice(('password', 'api_key', 'DB_PASSWORD', 'client_secret'))}={_some(r, 14)}",
    "told": lambda r: f"the password is {_some(r, 10)}{r.randrange(10)}!",
    "a passphrase": lambda r: "the password is " + " ".join(r.choices(("correct", "horse", "battery", "staple"), k=4)),
    "in a story": lambda r: f"to open the door type {_some(r, 12)} and press enter",
}
AROUND = (
    "Remember: {}",
    "He wrote `{}` in the margin.",
    "export TOKEN={}",
    '{{"value": "{}"}}',
    "It was {}, she said.",
)


def _some(r: random.Random, length: int, of: str = ALNUM) -> str:
    return "".join(r.choices(of, k=length))


def _is_credential(text: str) -> bool:
    return next(FINDERS["credential"](text), None) is not None


def made(is_found: Callable[[str], bool]) -> dict[str, float]:
    """The share that is found of each kind of made secret."""
    r = random.Random(SEED)
    return {
        name: sum(is_found(r.choice(AROUND).format(make(r))) for _ in range(EACH)) / EACH
        for name, make in {**FORMS, **FORMLESS}.items()
    }


def contents(folder: Path) -> Iterator[str]:
    """The text of every memory of a set."""
    with gzip.open(folder / "corpus.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)["content"]


def ordinary(data: Path) -> dict[str, dict[str, object]]:
    """By set: memories, how many are flagged for each family, some of what was found (blackened), time for each MB."""
    figures: dict[str, dict[str, object]] = {}
    for folder in sorted(path for path in data.iterdir() if (path / "corpus.jsonl.gz").exists()):
        texts = list(contents(folder))
        flagged: Counter[str] = Counter()
        seconds: Counter[str] = Counter()
        shown: dict[str, list[str]] = {}
        for family in FAMILIES:
            begin = time.thread_time()
            for text in texts:
                spans = list(FINDERS[family](text))
                if spans:
                    flagged[family] += 1
                    start, end = spans[0]
                    shown.setdefault(family, []).append(
                        f"{text[max(0, start - 20) : start]}[{re.sub(r'[^ @.+-]', 'x', text[start:end][:24])}]"
                    )
            seconds[family] = time.thread_time() - begin
        megabytes = sum(len(text.encode()) for text in texts) / 1e6
        figures[folder.name] = {
            "memories": len(texts),
            "flagged": {family: flagged[family] for family in FAMILIES},
            "ms_per_mb": {family: round(seconds[family] * 1e3 / megabytes, 1) for family in FAMILIES},
            "credentials_shown": shown.get("credential", [])[:10],
        }
    return figures


def detect_secrets() -> Callable[[str], bool]:
    """Whether one of the patterns of detect-secrets, those without entropy and key words, is in a text."""
    from importlib import import_module
    from pkgutil import iter_modules

    plugins = import_module("detect_secrets.plugins")
    left = {"base", "high_entropy_strings", "keyword", "ip_public"}
    patterns = []
    for module in iter_modules(plugins.__path__):
        if module.name not in left:
            loaded = vars(import_module(f"detect_secrets.plugins.{module.name}")).values()
            patterns += [p for one in loaded for p in _denylist(one)]
    return lambda text: any(pattern.search(text) for pattern in patterns)


def _denylist(plugin: object) -> list[re.Pattern[str]]:
    found = getattr(plugin, "denylist", ())
    return [p for p in found if isinstance(p, re.Pattern)] if isinstance(found, list | tuple) else []


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--compare", action="store_true")
    options = parser.parse_args()
    figures: dict[str, object] = {"made": made(_is_credential), "ordinary": ordinary(options.data)}
    if options.compare:
        theirs = detect_secrets()
        found = {"made": made(theirs)}
        sets = sorted(path for path in options.data.iterdir() if (path / "corpus.jsonl.gz").exists())
        figures["detect_secrets"] = {**found, "ordinary": {s.name: sum(map(theirs, contents(s))) for s in sets}}
    print(json.dumps(figures, indent=1))
    _results.save("screening", figures, command="python -m benchmarks.screening --data DATA --compare", seed=SEED)


if __name__ == "__main__":
    main()
