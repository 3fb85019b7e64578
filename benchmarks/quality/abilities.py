"""Made-up memories with known answers, played against a real server with each profile.

    python -m benchmarks.quality abilities [--size 15] [--profile fast]

What is played is in `generated`; `chance` is what a service reaches that finds the memories but cannot tell the right
one from its look-alikes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from benchmarks import _results
from benchmarks._http import Client
from benchmarks._server import scratch, serve
from benchmarks.quality.ability import play
from benchmarks.quality.generated import MAKERS
from benchmarks.quality.run import PROFILES
from benchmarks.quality.sets import Json

COMMAND = "python -m benchmarks.quality abilities"
NAME = "quality_abilities"


def main(argv: Sequence[str] | None = None) -> None:
    """Play every ability with every profile and save."""
    options = _options(argv)
    figures: Json = {"size": options.size, "abilities": {}}
    with scratch() as folder, serve(folder / "data") as server:
        client = Client(server.url)
        for number, name in enumerate(options.ability or MAKERS):
            ability = MAKERS[name](options.size, options.seed)
            one: Json = {
                "questions": len(ability.asks),
                "memories": len(ability.memories),
                "chance": round(100 * ability.chance, 1),
                "needs": list(ability.needs),
            }
            for turn, profile in enumerate(options.profile or PROFILES):
                played = play(client, ability, f"abilities/{number}", profile=profile, write=turn == 0)
                one[profile] = {
                    "score": round(100 * played.score, 1),
                    "by_type": {of: round(100 * score, 1) for of, score in played.by_type().items()},
                    "channels": sorted(played.channels),
                }
                print(f"{name:22s} {profile:9s} {one[profile]['score']:6.1f}  {one[profile]['by_type']}", flush=True)
            figures["abilities"][name] = one
    print(f"saved {_results.save(options.name, figures, command=COMMAND, seed=options.seed)}")


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality abilities", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--ability", action="append", choices=MAKERS, help="default: all")
    parser.add_argument("--profile", action="append", choices=PROFILES, help="default: all three")
    parser.add_argument("--size", type=int, default=15, help="about so many cases of each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default=NAME, help="name of the file of figures")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
