"""What the command prints: tables for people or plain JSON for programs on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import typer
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from memsvc_client.errors import (
    ApiError,
    BatchInterrupted,
    ConnectionFailed,
    InvalidArgument,
    MemsvcError,
    TimedOut,
    UnexpectedAnswer,
    describe,
)

DONE = 0
REFUSED = 1
USAGE = 2
UNREACHABLE = 3


def exit_code(error: BaseException | None) -> int:
    """The exit code for an error: 1 the service said no, 2 wrong usage, 3 no service there."""
    if isinstance(error, BatchInterrupted):
        return exit_code(error.__cause__)
    if isinstance(error, InvalidArgument):
        return USAGE
    return UNREACHABLE if isinstance(error, ConnectionFailed | TimedOut | UnexpectedAnswer) else REFUSED


def clean(value: object) -> Text:
    """A cell's text. Control characters are made visible: stored content must not drive the terminal."""
    text = "" if value is None else _when(value) if isinstance(value, datetime) else str(value)
    return Text("".join("\N{REPLACEMENT CHARACTER}" if _is_control(char) else char for char in text))


def one_line(value: str, width: int = 100) -> Text:
    """A text on one line, cut to `width` characters."""
    flat = " ".join(value.split())
    return clean(flat if len(flat) <= width else flat[: width - 1] + "…")


def grid(fields: Mapping[str, Any]) -> Table:
    """Names and values, one a line; what is empty is left out."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields.items():
        if value not in (None, "", (), [], {}):
            table.add_row(name, clean(_compact(value) if isinstance(value, dict | list | tuple) else value))
    return table


def table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Table:
    """A table whose first column is never cut, so that ids can be copied."""
    drawn = Table(header_style="bold", box=None, pad_edge=False)
    for n, column in enumerate(columns):
        drawn.add_column(column, no_wrap=n == 0, overflow="fold")
    for row in rows:
        drawn.add_row(*(cell if isinstance(cell, Text) else clean(cell) for cell in row))
    return drawn


@dataclass(frozen=True, slots=True)
class Output:
    """Prints results and errors; `as_json` is what `--json` sets."""

    as_json: bool = False

    def show(self, data: Any, human: Callable[[], RenderableType]) -> None:
        """A result: `data` as one line of JSON, or what `human` draws."""
        if self.as_json:
            typer.echo(_compact(data))
        else:
            Console(highlight=False).print(human())

    def note(self, text: str) -> None:
        """A line for people, on stderr."""
        if not self.as_json:
            errors_console().print(clean(text))

    def error(self, error: MemsvcError) -> None:
        """An error on stderr: one or a few lines, or one line of JSON."""
        if self.as_json:
            typer.echo(_compact({"error": describe(error)}), err=True)
            return
        console = errors_console()
        console.print(Text("error: ", style="bold red") + clean(error), soft_wrap=True)
        for wrong in error.problem.errors if isinstance(error, ApiError) else ():
            console.print(clean(f"  {wrong.pointer}: {wrong.message or wrong.code}"), soft_wrap=True)


def errors_console() -> Console:
    """A console on the present stderr."""
    return Console(stderr=True, highlight=False)


def _compact(data: Any) -> str:
    text = json.dumps(data, ensure_ascii=False)
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, errors="backslashreplace").decode(encoding)


def _when(value: datetime) -> str:
    return value.strftime("%Y-%m-%d %H:%M")


def _is_control(char: str) -> bool:
    return unicodedata.category(char) == "Cc" and char not in "\n\t"
