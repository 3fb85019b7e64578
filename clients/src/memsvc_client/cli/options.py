"""Options that several commands share, and the reading of their values."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from enum import StrEnum
from inspect import Parameter
from typing import Annotated, Any

import typer

from memsvc_client.errors import InvalidArgument


class KindChoice(StrEnum):
    """Kinds of memories."""

    episodic = "episodic"
    semantic = "semantic"
    procedural = "procedural"


class OutcomeChoice(StrEnum):
    """How something done ended."""

    success = "success"
    failure = "failure"
    partial = "partial"
    unknown = "unknown"


class OrderChoice(StrEnum):
    """Order of a list."""

    newest = "newest"
    oldest = "oldest"


class ProfileChoice(StrEnum):
    """How much work a recall may do."""

    fast = "fast"
    balanced = "balanced"
    thorough = "thorough"


class TrustChoice(StrEnum):
    """How far memories are to be believed."""

    TRUSTED = "trusted"
    AGENT = "agent"
    EXTERNAL = "external"


class BlockOrderChoice(StrEnum):
    """In which order the memories of a context stand."""

    time = "time"
    relevance = "relevance"


class TokenizerChoice(StrEnum):
    """What a token is."""

    conservative = "conservative"
    wordpiece = "wordpiece"
    characters = "characters"
    bytes = "bytes"


class RoleChoice(StrEnum):
    """What a key may do."""

    read = "read"
    write = "write"
    erase = "erase"
    export = "export"
    admin = "admin"


TIME_NOTE = "ISO 8601; without a zone it is UTC."

MemoryId = Annotated[str, typer.Argument(help="Id of the memory.", metavar="ID")]
FilterOption = Annotated[
    str | None,
    typer.Option("--filter", help='JSON filter, such as {"tags": {"contains": "tea"}}.', metavar="JSON"),
]

_TIMES = ("occurred_at", "valid_from", "valid_to")
_ASK_TIMES = ("as_of", "valid_at", "asked_at")


def _option(
    name: str, kind: Any, text: str, *flags: str, metavar: str | None = None, least: float | None = None
) -> Parameter:
    info = typer.Option(*flags, help=text, metavar=metavar, min=least)
    return Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, info])


EDIT_OPTIONS = (
    _option("kind", KindChoice, "Kind of memory."),
    _option("user_id", str, "User it belongs to."),
    _option("agent_id", str, "Agent it belongs to."),
    _option("session_id", str, "Session it belongs to."),
    _option("speaker", str, "Who said it."),
    _option("place", str, "Where it happened."),
    _option("tags", list[str], "Tag; may be repeated.", "--tag"),
    _option("outcome", OutcomeChoice, "How it ended (procedural)."),
    _option("language", str, "Language of the content, such as en."),
    _option("occurred_at", str, f"When it happened. {TIME_NOTE}", metavar="TIME"),
    _option("valid_from", str, "True from.", metavar="TIME"),
    _option("valid_to", str, "True until.", metavar="TIME"),
    _option("ttl_s", int, "Seconds until it expires."),
    _option("importance", float, "Between 0 and 1."),
    _option("pinned", bool, "Keep it from fading.", "--pinned/--not-pinned"),
    _option("metadata", str, "JSON object.", metavar="JSON"),
)
"""What an edit can change beside the content."""

WRITE_OPTIONS = (_option("external_id", str, "Your own id; writing it again is an edit."), *EDIT_OPTIONS)
"""What a memory can be given beside its content."""

ASK_OPTIONS = (
    _option("top_k", int, "Most memories to find.", "--top-k", "-k", least=1),
    _option("namespaces", list[str], "Ask this namespace; repeatable; the answer is one.", "--in", metavar="NAMESPACE"),
    _option("namespace_prefix", str, "Ask all namespaces that begin so.", "--prefix"),
    _option("kinds", list[KindChoice], "Only this kind; repeatable.", "--kind"),
    _option("filter", str, 'JSON filter, such as {"tags": {"contains": "tea"}}.', metavar="JSON"),
    _option("as_of", str, "As the service knew it then.", metavar="TIME"),
    _option("valid_at", str, "What was true then.", metavar="TIME"),
    _option("asked_at", str, 'The "now" of the question.', metavar="TIME"),
    _option("profile", ProfileChoice, "How much work to do."),
    _option("descend", bool, "Also find archived memories that the hits were made of.", "--descend"),
    _option("min_confidence", float, "Say that there is nothing unless at least so sure (0 to 1).", least=0),
    _option("min_trust", TrustChoice, "The least trusted that may be found; default agent."),
    _option("include_quarantined", bool, "Also find what is in quarantine (admins).", "--include-quarantined"),
    _option("min_seq", int, "A write that must be visible.", least=0),
    _option("deadline_ms", int, "Leave out what is not done by then.", least=1),
    _option("explain", bool, "Show how the memories were found.", "--explain"),
)
"""What a question can say."""


def ask_fields(values: dict[str, Any]) -> dict[str, Any]:
    """The options of a question as the service takes them; what was not given is left out.

    Raises:
        InvalidArgument: A time or the filter cannot be read.
    """
    fields = {name: value for name, value in values.items() if value not in (None, [])}
    for name in _ASK_TIMES:
        if name in fields:
            fields[name] = parse_time(fields[name], name)
    if "filter" in fields:
        fields["filter"] = parse_object(fields["filter"], "filter")
    if "kinds" in fields:
        fields["kinds"] = [kind.value for kind in fields["kinds"]]
    return {name: value.value if isinstance(value, StrEnum) else value for name, value in fields.items()}


def memory_fields(values: dict[str, Any]) -> dict[str, Any]:
    """The options of a write as the service takes them; what was not given is left out.

    Raises:
        InvalidArgument: A time or the metadata cannot be read.
    """
    fields = {name: value for name, value in values.items() if value not in (None, [])}
    for name in _TIMES:
        if name in fields:
            fields[name] = parse_time(fields[name], name)
    if "metadata" in fields:
        fields["metadata"] = parse_object(fields["metadata"], "metadata")
    return {name: value.value if isinstance(value, StrEnum) else value for name, value in fields.items()}


def parse_time(text: str | None, name: str) -> datetime | None:
    """An ISO 8601 time; UTC where it names no zone.

    Raises:
        InvalidArgument: It is none.
    """
    if text is None:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidArgument(f"--{name.replace('_', '-')} must be a time such as 2026-01-31T09:00:00Z") from error
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def parse_object(text: str | None, name: str) -> dict[str, Any] | None:
    """A JSON object.

    Raises:
        InvalidArgument: It is none.
    """
    if text is None:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"--{name} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise InvalidArgument(f"--{name} must be a JSON object")
    return value


def text_or_stdin(text: str) -> str:
    """The text, or what stdin holds where the text is `-`.

    Raises:
        InvalidArgument: stdin is not text.
    """
    if text != "-":
        return text
    try:
        return sys.stdin.read().rstrip("\n")
    except UnicodeDecodeError as error:
        raise InvalidArgument("stdin is not UTF-8 text") from error


def json_object(text: str, option: str) -> dict[str, Any]:
    """The JSON object that an option holds; raises `InvalidArgument` if it is none."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidArgument(f"{option} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise InvalidArgument(f"{option} is a JSON object")
    return found
