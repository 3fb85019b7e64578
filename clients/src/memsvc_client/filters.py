"""The filter grammar as Python expressions: `(where.kind == "semantic") & (where.importance >= 0.5)`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from memsvc_client.inputs import When

V = TypeVar("V")


class Condition(Mapping[str, Any]):
    """A filter, to be given wherever a filter is taken. Joined by `&` (and), `|` (or) and `~` (not)."""

    def __init__(self, grammar: Mapping[str, Any]) -> None:
        self._grammar = dict(grammar)

    def __and__(self, other: Condition) -> Condition:
        return self._joined("and", other)

    def __or__(self, other: Condition) -> Condition:
        return self._joined("or", other)

    def __invert__(self) -> Condition:
        return Condition({"not": self._grammar})

    def __bool__(self) -> bool:
        """Python's `and`, `or`, `not` and `a < b < c` would drop a part without a word.

        Raises:
            TypeError: Always.
        """
        raise TypeError("conditions are joined by & | ~, each comparison in parentheses")

    def __getitem__(self, name: str) -> Any:
        return self._grammar[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._grammar)

    def __len__(self) -> int:
        return len(self._grammar)

    def __repr__(self) -> str:
        return f"Condition({self._grammar!r})"

    def _joined(self, word: str, other: Condition) -> Condition:
        # Flat, as the service bounds how deep a filter may go.
        parts = [part for one in (self, other) for part in (one[word] if word in one else [dict(one)])]
        return Condition({word: parts})


class Field(Generic[V]):
    """What a memory is filtered by; values are of its own type."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, value: V) -> Condition:  # type: ignore[override]
        return self._compared("eq", value)

    def __ne__(self, value: V) -> Condition:  # type: ignore[override]
        return self._compared("ne", value)

    def any_of(self, values: Sequence[V]) -> Condition:
        """It is one of these."""
        return self._compared("in", list(values))

    def none_of(self, values: Sequence[V]) -> Condition:
        """It is none of these; also where there is no value."""
        return self._compared("nin", list(values))

    def exists(self) -> Condition:
        """There is a value."""
        return self._compared("exists", True)

    def is_missing(self) -> Condition:
        """There is no value."""
        return self._compared("exists", False)

    def _compared(self, operator: str, value: Any) -> Condition:
        return Condition({self.name: {operator: value}})


class Ordered(Field[V]):
    """A field with an order: times and numbers."""

    def __gt__(self, value: V) -> Condition:
        return self._compared("gt", value)

    def __ge__(self, value: V) -> Condition:
        return self._compared("gte", value)

    def __lt__(self, value: V) -> Condition:
        return self._compared("lt", value)

    def __le__(self, value: V) -> Condition:
        return self._compared("lte", value)


class Text(Field[str]):
    """A text, or a list of texts (`tags`)."""

    def contains(self, part: str) -> Condition:
        """The text has this in it; of `tags`: one of them is this."""
        return self._compared("contains", part)


class Json(Ordered[Any]):
    """A value in metadata or source; an index leads into objects: `where.metadata["project"]["name"]`."""

    def __getitem__(self, key: str) -> Json:
        escaped = key.replace("\\", "\\\\").replace(".", "\\.")
        return Json(f"{self.name}.{escaped}")

    def contains(self, value: Any) -> Condition:
        """The text has this in it, or the list has it as an element."""
        return self._compared("contains", value)


class Where:
    """The fields of a memory that filters know; see docs/filters.md."""

    kind = Field[str]("kind")
    state = Field[str]("state")
    external_id = Text("external_id")
    user_id = Text("user_id")
    agent_id = Text("agent_id")
    session_id = Text("session_id")
    speaker = Text("speaker")
    place = Text("place")
    outcome = Text("outcome")
    language = Text("language")
    derived = Text("derived")
    tags = Text("tags")
    occurred_at = Ordered[When]("occurred_at")
    valid_from = Ordered[When]("valid_from")
    valid_to = Ordered[When]("valid_to")
    recorded_at = Ordered[When]("recorded_at")
    expires_at = Ordered[When]("expires_at")
    importance = Ordered[float]("importance")
    trust = Ordered[float]("trust")
    pinned = Field[bool]("pinned")
    metadata = Json("metadata")
    source = Json("source")


where = Where()
"""Where conditions begin: `where.tags.contains("work")`."""
