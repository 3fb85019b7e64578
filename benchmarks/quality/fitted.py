"""Nobody reports figures on the data that they fitted on.

A command that fits parameters writes them with `write`, which records the names of the sets they were fitted on.
Whoever reports figures that rest on such a file asks `refuse` first. Figures on a set that belongs to the fit are
allowed only with parameters that were fitted without that set (leave one set out); a file may hold those beside the
shipped ones:

    {"fitted_on": ["a", "b"], "command": "...", "seed": 1,
     "parameters": {...},                            what is shipped: fitted on all of them
     "without": {"a": {...}, "b": {...}}}            fitted on all but the named set: what may be reported on it
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

Json = dict[str, Any]
ROOT = Path(__file__).parents[2]
PACKAGES = ("memsvc", "lifecycle", "retrieval", "gpu")
MARK = "fitted_on"
SETTINGS = {"fusion.json": "fusion_weights", "rerank.json": "rerank_weights", "confidence.json": "confidence_weights"}
"""Shipped files, and the setting of the server that names another one in their place."""


class SameDataError(ValueError):
    """Figures were asked for on data that the parameters were fitted on."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A file of fitted parameters.

    Attributes:
        name: of the file.
        fitted_on: names of the sets that the fit saw.
        parameters: those that are shipped.
        without: for a set, those that were fitted on the others.
    """

    name: str
    fitted_on: tuple[str, ...]
    parameters: Json
    without: Mapping[str, Json] = field(default_factory=dict)

    def for_reporting(self, on: str) -> Json:
        """Parameters with which figures on a set may be reported.

        Raises:
            SameDataError: all that there are were fitted on it.
        """
        if on in self.without:
            return self.without[on]
        if on in self.fitted_on:
            raise SameDataError(
                f"{self.name} was fitted on {on}: figures on {on} would say nothing. "
                f"Fit without it (leave one set out) and report those."
            )
        return self.parameters

    def left_out(self, on: str) -> Fitted:
        """The same as a file that may be used to report on a set; raises as `for_reporting` does."""
        parameters = self.for_reporting(on)
        if on not in self.fitted_on:
            return self
        return Fitted(f"{self.name} without {on}", tuple(name for name in self.fitted_on if name != on), parameters)


def write(
    path: Path,
    parameters: Json,
    *,
    fitted_on: Sequence[str],
    command: str,
    without: Mapping[str, Json] | None = None,
    seed: int | None = None,
) -> None:
    """Saves fitted parameters with the names of the sets that they were fitted on.

    Args:
        path: of the JSON file.
        parameters: fitted on all of `fitted_on`.
        fitted_on: names of the sets, at least one.
        command: what a reader runs to fit them again.
        without: for a set, parameters that were fitted on the others alone.
        seed: of the random numbers, if there were any.

    Raises:
        ValueError: no set is named, or `without` names one that the fit did not see.
    """
    if not fitted_on:
        raise ValueError("fitted parameters must say what they were fitted on")
    held_out = dict(without or {})
    if unknown := sorted(set(held_out) - set(fitted_on)):
        raise ValueError(f"left out, but never part of the fit: {', '.join(unknown)}")
    body = {
        MARK: sorted(set(fitted_on)),
        "command": command,
        "seed": seed,
        "parameters": parameters,
        "without": held_out,
    }
    path.write_bytes(orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n")


def read(path: Path) -> Fitted:
    """A file of fitted parameters. Numbers that were set by hand say that they were fitted on nothing: `[]`.

    Raises:
        ValueError: it does not say what it was fitted on.
    """
    body = orjson.loads(path.read_bytes())
    if not isinstance(body, dict) or not isinstance(body.get(MARK), list):
        raise ValueError(f"{path} does not say what it was fitted on: no {MARK!r} in it")  # noqa: TRY004
    return Fitted(path.name, tuple(body[MARK]), body.get("parameters", {}), body.get("without", {}))


def shipped(root: Path = ROOT) -> list[Fitted]:
    """Every file of fitted parameters inside the packages, by path."""
    paths = sorted(path for package in PACKAGES for path in (root / package).rglob("*.json"))
    return [read(path) for path in paths if f'"{MARK}"'.encode() in path.read_bytes()]


def refuse(fitted: Iterable[Fitted], reported_on: Iterable[str]) -> None:
    """Does nothing if the sets may be reported on.

    Args:
        fitted: all parameters that the figures rest on.
        reported_on: names of the sets.

    Raises:
        SameDataError: a set belongs to a fit; the message names each file with its sets.
    """
    sets = list(reported_on)
    faults = []
    for one in fitted:
        if same := sorted(set(one.fitted_on).intersection(sets)):
            faults.append(f"{one.name} was fitted on {', '.join(same)}")
    if faults:
        raise SameDataError(
            f"refused to report on the data of the fit: {'; '.join(faults)}. "
            f"Report with parameters fitted without these sets (leave one set out)."
        )
