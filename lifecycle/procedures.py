"""What was done the same way several times: sequences of actions, and how often they worked. Pure.

An action is a memory with an outcome. Inside a session actions stand in the order of time; two are the same if their
texts are, but for capitals, spaces and numbers. A procedure is a run of 2 to 8 actions that at least `support`
sessions have, of which more than half worked; one that is part of a longer one with the same sessions is left out. It
worked in a session if its last action there did (`success` counts 1, `partial` a half, `unknown` is left out).

Frequent runs are found by growing those that are frequent (Agrawal and Srikant 1995, doi:10.1109/ICDE.1995.380415).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import regex

from lifecycle.rollup import Episode, Scope
from retrieval.analysis.folding import folded_text

SHORTEST, LONGEST = 2, 8
_WORKED = {"success": 1.0, "partial": 0.5, "failure": 0.0}
_NUMBER = regex.compile(r"\p{N}+")
_MOST_ACTIONS = 200
"""Of a session, the last."""

Stream = tuple[Scope, int]


@dataclass(frozen=True, slots=True, eq=False)
class Action:
    """Something that was done."""

    episode: Episode
    text: str
    outcome: str

    @property
    def name(self) -> str:
        """What two of the same have in common."""
        return _NUMBER.sub("#", folded_text(self.text))


@dataclass(frozen=True, slots=True, eq=False)
class Procedure:
    """A sequence that was done repeatedly.

    Attributes:
        done: its actions in each session in which it was done, the last time in each; sessions in the order of time.
        success: share of the sessions with a known outcome in which it worked.
    """

    done: tuple[tuple[Action, ...], ...]
    success: float

    @property
    def text(self) -> str:
        """A line for each step, in the words of the last time."""
        return "\n".join(f"{number}. {action.text.strip()}" for number, action in enumerate(self.done[-1], 1))


def procedures(actions: Iterable[Action], support: int) -> list[Procedure]:
    """Sequences that were done in at least so many sessions and mostly worked, in the order of their first time."""
    sessions: defaultdict[Stream, list[Action]] = defaultdict(list)
    for action in actions:
        if action.episode.session is not None:
            sessions[action.episode.scope, action.episode.session].append(action)
    by_scope: defaultdict[Scope, dict[Stream, list[Action]]] = defaultdict(dict)
    for stream, done in sessions.items():
        ordered = sorted(done, key=lambda action: (action.episode.moment, action.episode.id))
        by_scope[stream[0]][stream] = ordered[-_MOST_ACTIONS:]
    found = [one for inside in by_scope.values() for one in _frequent(inside, support)]
    return sorted(found, key=lambda one: (one.done[0][0].episode.moment, one.done[0][0].episode.id, one.text))


Places = dict[Stream, list[int]]
"""Where a run begins in each session that has it."""


def _frequent(sessions: Mapping[Stream, Sequence[Action]], support: int) -> list[Procedure]:
    names = {stream: [action.name for action in done] for stream, done in sessions.items()}
    runs: dict[tuple[str, ...], Places] = _runs(names, 1, None, support)
    kept: dict[tuple[str, ...], Places] = {}
    for length in range(2, LONGEST + 1):
        runs = _runs(names, length, runs, support)
        for run, places in runs.items():
            for part in (run[1:], run[:-1]):
                if part in kept and kept[part].keys() == places.keys():
                    del kept[part]
        kept.update(runs)
    found = (_procedure(sessions, run, places) for run, places in kept.items() if len(run) >= SHORTEST)
    return [one for one in found if one is not None]


def _runs(
    names: Mapping[Stream, Sequence[str]], length: int, shorter: Mapping[tuple[str, ...], Places] | None, support: int
) -> dict[tuple[str, ...], Places]:
    """Runs of a length that are frequent; only those whose beginning and end are."""
    found: defaultdict[tuple[str, ...], Places] = defaultdict(dict)
    for stream, done in names.items():
        for start in range(len(done) - length + 1):
            run = tuple(done[start : start + length])
            if shorter is None or (run[:-1] in shorter and run[1:] in shorter):
                found[run].setdefault(stream, []).append(start)
    return {run: places for run, places in found.items() if len(places) >= support}


def _procedure(sessions: Mapping[Stream, Sequence[Action]], run: tuple[str, ...], places: Places) -> Procedure | None:
    if len(set(run)) == 1:  # the same over and over is no sequence
        return None
    done = [tuple(sessions[stream][starts[-1] : starts[-1] + len(run)]) for stream, starts in places.items()]
    done.sort(key=lambda actions: (actions[0].episode.moment, actions[0].episode.id))
    worked = [_WORKED[actions[-1].outcome] for actions in done if actions[-1].outcome in _WORKED]
    success = sum(worked) / len(worked) if worked else 0.0
    return Procedure(tuple(done), round(success, 4)) if success > 0.5 else None
