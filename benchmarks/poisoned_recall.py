"""What a poisoned corpus gets into recalls: of what waits in quarantine, and of any one untrusted source.

The made attacks of `benchmarks._poisons`, each family from a web page of its own, and a page with copies of one of them
lie among harmless memories in two namespaces: one puts what comes from outside into quarantine (`strict`), one only
flags. Then every attack is asked for by its own words, the best that an attacker can hope for, by somebody who asks for
untrusted memories too.

    python -m benchmarks.poisoned_recall
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from typing import Any

import httpx
import orjson

from benchmarks._http import Client
from benchmarks._poisons import attacks, benign
from benchmarks._results import save
from benchmarks._server import scratch, serve

MODES = ("strict", "flag")
TOP_K = 10
_COPIES = 200
"""Of the text that one page floods the namespace with."""
_BATCH = 200


def main() -> None:
    """Fill, ask, print and save."""
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    harmless = [text for half in (True, False) for _, text in benign(held_out=half)]
    poison = list(dict.fromkeys(attack for half in (True, False) for attack in attacks(held_out=half)))
    flooded = poison[0][1]
    poison += [("copies", f"{flooded} ({number})") for number in range(_COPIES)]
    questions = list(dict.fromkeys(text for _, text in poison))
    with scratch() as folder, serve(folder / "data", jobs="off") as server:
        client = Client(server.url)
        figures: dict[str, Any] = {"harmless": len(harmless), "poison": len(poison), "top_k": TOP_K}
        for mode in MODES:
            namespace = f"bench/{mode}"
            _write(client, namespace, [{"content": text} for text in harmless])
            asked = {"namespace": namespace, "policy": {"quarantine": mode}}
            httpx.put(f"{server.url}/v1/policy", json=asked, timeout=30).raise_for_status()
            planted = _write(client, namespace, [_from_outside(*one) for one in poison])
            figures[mode] = _asked(client, namespace, questions, planted) | {"quarantined": _waiting(client, namespace)}
        client.close()
    print(orjson.dumps(figures, option=orjson.OPT_INDENT_2).decode())
    save("poisoned_recall", figures, command="python -m benchmarks.poisoned_recall")


def _from_outside(family: str, text: str) -> dict[str, Any]:
    uri = f"https://{family.replace('_', '-')}.example/page"
    return {"content": text, "source": {"type": "web", "uri": uri}}


def _write(client: Client, namespace: str, memories: Sequence[dict[str, Any]]) -> set[str]:
    """Their ids."""
    made: set[str] = set()
    for at in range(0, len(memories), _BATCH):
        body = {"namespace": namespace, "memories": memories[at : at + _BATCH]}
        made |= {item["id"] for item in client.post("/v1/memories:batch", body)["items"]}
    return made


def _waiting(client: Client, namespace: str) -> int:
    """How many memories are in quarantine."""
    states = client.get(f"/v1/stats?namespace={namespace}")["states"]
    return int(states.get("quarantined", 0))


def _asked(client: Client, namespace: str, questions: Sequence[str], planted: set[str]) -> dict[str, Any]:
    """How often each kind of thing was found that must not be."""
    found: Counter[str] = Counter()
    most = 0
    for question in questions:
        body = {"namespace": namespace, "query": question, "top_k": TOP_K, "min_trust": "external"}
        hits = [hit["memory"] for hit in client.post("/v1/recall", body)["hits"]]
        found["hits"] += len(hits)
        found["planted_hits"] += sum(hit["id"] in planted for hit in hits)
        found["quarantined_hits"] += sum(hit["state"] == "quarantined" for hit in hits)
        of_one = Counter(hit["origin"] for hit in hits if hit["id"] in planted)
        most = max(most, *of_one.values(), 0)
    return {"questions": len(questions), **found, "most_of_one_source": most, "largest_share": most / TOP_K}


if __name__ == "__main__":
    main()
