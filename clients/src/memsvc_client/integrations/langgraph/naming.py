"""LangGraph's namespaces, which are tuples of labels, as paths of the service."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, unquote

from langgraph.store.base import MatchCondition

# What no segment of a path may hold. "." goes as well: "." and ".." are no segments.
_RESERVED = re.compile(r"[\s/*%.\x00-\x1f\x7f]")


def to_path(root: str, labels: Iterable[str]) -> str:
    """`root`, then a segment for each label; characters that a path cannot have are percent-encoded."""
    return "/".join([root, *(_RESERVED.sub(_encoded, label) for label in labels)])


def to_labels(root: str, path: str) -> tuple[str, ...]:
    """The tuple that `to_path` made this path of; the path lies below the root."""
    return tuple(map(unquote, path.removeprefix(f"{root}/").split("/")))


def meets(labels: tuple[str, ...], conditions: Iterable[MatchCondition]) -> bool:
    """Whether a namespace begins and ends as all conditions say; `*` stands for any one label.

    Raises:
        ValueError: A condition is neither a prefix nor a suffix.
    """
    return all(_meets(labels, condition) for condition in conditions)


def _meets(labels: tuple[str, ...], condition: MatchCondition) -> bool:
    if condition.match_type not in ("prefix", "suffix"):
        raise ValueError(f"unsupported match type: {condition.match_type}")
    n = len(condition.path)
    part = labels[:n] if condition.match_type == "prefix" else labels[max(0, len(labels) - n) :]
    return len(part) == n and all(wanted in ("*", label) for wanted, label in zip(condition.path, part, strict=True))


def _encoded(found: re.Match[str]) -> str:
    return "%2E" if found[0] == "." else quote(found[0], safe="")
