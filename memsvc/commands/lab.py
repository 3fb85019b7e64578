"""`memsvc lab`: what policies would do to the memories of a life, made up or a namespace's own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gpu.bank.records import Kind
from lifecycle.lab.compare import KEPT, side_by_side
from lifecycle.lab.course import Course, Fading, lived
from lifecycle.lab.life import DAY_S, Known, Life, made_up, replayed
from lifecycle.lab.picture import MissingError, draw
from lifecycle.policy import Policy
from memsvc.core.errors import StartupRefused
from memsvc.jobs.schemas import PolicyIn
from memsvc.namespaces import policies
from memsvc_client import MemsvcError

BUILT_IN: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "fades": {"below": {"archived": 0.1, "forgotten": 0.02}},
}
_MOST = 200_000
"""Memories of a namespace that are replayed at most."""


def named_policies(given: Sequence[str]) -> dict[str, Policy]:
    """Policies from the command line: NAME=JSON, NAME=FILE, or the name of a built-in one.

    Raises:
        StartupRefused: one cannot be read or makes no sense.
    """
    found = {}
    for text in given or BUILT_IN:
        name, equals, said = text.partition("=")
        if not equals and name not in BUILT_IN:
            raise StartupRefused(f"no policy has the name {name}: give NAME=JSON, NAME=FILE, or {', '.join(BUILT_IN)}")
        try:
            stored = _read(said) if equals else BUILT_IN[name]
            found[name] = policies.to_policy(PolicyIn.model_validate(stored).named())
        except ValidationError as error:
            raise StartupRefused(f"the policy {name} cannot be used: {_first(error)}") from None
        except (OSError, ValueError) as error:
            raise StartupRefused(f"the policy {name} cannot be used: {error}") from None
    return found


def _first(error: ValidationError) -> str:
    """What is wrong with the first field that is."""
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}"


def _read(said: str) -> Any:
    text = said if said.lstrip().startswith("{") else Path(said).read_text(encoding="utf-8")
    return json.loads(text)


def known(memories: Iterable[Any]) -> list[Known]:
    """What the lab goes by, of memories as the client gives them. Nothing of their content is kept."""
    found: list[Known] = []
    for one in memories:
        if len(found) >= _MOST:
            raise StartupRefused(f"the namespace holds more than {_MOST} memories")
        last, outdated = one.last_recalled_at, one.valid_to
        found.append(
            Known(
                Kind[one.kind.upper()],
                one.recorded_at.timestamp(),
                one.importance,
                one.recall_count,
                None if last is None else last.timestamp(),
                bool(one.pinned),
                None if outdated is None else outdated.timestamp(),
            )
        )
    return found


def run_lab(
    life: Life, title: str, wanted: Mapping[str, Policy], budgets: Sequence[float], picture: Path | None
) -> dict[str, Any]:
    """Lives the life under each policy, compares them at equal bytes, and draws it.

    Returns:
        What `--json` prints.

    Raises:
        StartupRefused: the picture cannot be drawn or written.
    """
    courses = {"keep all": lived(life, Fading(KEPT)), **{n: lived(life, Fading(p)) for n, p in wanted.items()}}
    whole = courses["keep all"].mean_bytes
    compared = side_by_side(life, wanted, tuple(budgets)) if budgets else {}
    if picture is not None:
        try:
            draw(picture, title, courses, compared)
        except (MissingError, OSError) as error:
            raise StartupRefused(str(error)) from None
    return {
        "life": {"memories": len(life), "needs": len(life.needed), "days": round(life.length_s / DAY_S, 1)},
        "policies": {name: _shown(course, whole) for name, course in courses.items()},
        "at_equal_bytes": {
            name: [{"budget": p.budget, "factor": p.factor, "met": p.is_met(whole), **_shown(p.course, whole)}
                   for p in points]
            for name, points in compared.items()
        },
    }  # fmt: skip


def _shown(course: Course, whole_bytes: float) -> dict[str, Any]:
    last = course.counts[-1].tolist()
    return {
        "found": None if not len(course.needs) else round(course.found, 4),
        "found_by_kind_of_need": course.by_class,
        "mean_bytes": round(course.mean_bytes),
        "share_of_all_bytes": round(course.mean_bytes / whole_bytes, 4) if whole_bytes else None,
        "levels_at_the_end": dict(zip(("active", "warm", "cold", "archived", "forgotten"), last, strict=True)),
        "bytes_of_outdated_at_the_end": round(float(course.stale[-1]), 4),
    }


def table(found: Mapping[str, Any]) -> str:
    """The same for people."""
    life = found["life"]
    lines = [f"{life['memories']} memories, {life['needs']} needs, {life['days']:.0f} days", ""]
    lines += [f"{'policy':<14} {'found':>7} {'bytes':>7}  levels at the end", *map(_line, found["policies"].items())]
    if found["at_equal_bytes"]:
        budgets = [point["budget"] for point in next(iter(found["at_equal_bytes"].values()))]
        lines += ["", f"{'at equal bytes':<14} " + " ".join(f"{budget:>7.0%}" for budget in budgets)]
        for name, points in found["at_equal_bytes"].items():
            lines.append(f"{name:<14} " + " ".join(_cell(point) for point in points))
        if any(not point["met"] for points in found["at_equal_bytes"].values() for point in points):
            lines.append("*: takes more bytes however fast it fades")
    return "\n".join(lines)


def _line(entry: tuple[str, Mapping[str, Any]]) -> str:
    name, one = entry
    levels = ", ".join(f"{level} {count}" for level, count in one["levels_at_the_end"].items() if count)
    return f"{name:<14} {_share(one['found']):>7} {_share(one['share_of_all_bytes']):>7}  {levels}"


def _cell(point: Mapping[str, Any]) -> str:
    return f"{_share(point['found']) + ('' if point['met'] else '*'):>7}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def a_life(days: int, seed: int) -> tuple[Life, str]:
    """The made-up one, and what to write above it."""
    return made_up(days, seed), f"a made-up life of {days} days (seed {seed})"


def a_namespace(client: Any, path: str | None) -> tuple[Life, str]:
    """The one of a namespace, asked of a service.

    Raises:
        StartupRefused: it holds nothing, or the service does not answer.
    """
    states = {"state": {"in": ["active", "archived", "superseded"]}}
    try:
        listed = client.list(namespace=path, filter=states, page_size=200)
        life = replayed(known(listed), datetime.now(UTC).timestamp())
    except (MemsvcError, ValueError) as error:
        raise StartupRefused(str(error)) from None
    return life, f"{path or 'a namespace'}, {life.length_s / DAY_S:.0f} days"
