"""`memsvc memories import`: a JSONL file, one memory a line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memsvc_client.cli.bars import counting
from memsvc_client.cli.output import REFUSED, clean, exit_code
from memsvc_client.cli.session import Session, command
from memsvc_client.errors import BatchInterrupted, InvalidArgument, MemsvcError, describe

if TYPE_CHECKING:
    from memsvc_client.types import BatchResult

SHOWN_FAILURES = 20


class _Lines:
    """The memories of a file, with the line of each, and the lines that are none."""

    def __init__(self, raw: Iterable[bytes], first: int) -> None:
        self._raw, self._first = raw, first
        self.numbers: list[int] = []
        self.unreadable: list[dict[str, Any]] = []

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for number, line in enumerate(self._raw, start=1):
            if number < self._first or not line.strip():
                continue
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                value = None
            if isinstance(value, dict):
                self.numbers.append(number)
                yield value
            else:
                self.unreadable.append({"line": number, "code": "not_an_object", "detail": "not a JSON object"})

    def failures(self, result: BatchResult) -> list[dict[str, Any]]:
        refused = [
            {"line": self.numbers[n], "external_id": item.external_id}
            | (item.problem.model_dump(mode="json", exclude_none=True) if item.problem else {"status": item.status})
            for n, item in result.failed
        ]
        return sorted(refused + self.unreadable, key=lambda failure: failure["line"])


def register(app: typer.Typer) -> None:
    """Adds the command to `memories`."""
    command(app, "import")(import_)


def import_(
    session: Session,
    file: Annotated[Path, typer.Argument(help="JSONL file, one memory a line; - reads stdin.", metavar="FILE")],
    *,
    batch_items: Annotated[int, typer.Option(help="Memories in one call.", min=1, max=1000)] = 200,
    from_line: Annotated[int, typer.Option(help="Begin at this line, to go on with an import.", min=1)] = 1,
) -> None:
    """Write the memories of a JSONL file. With external ids it is safe to repeat."""
    error: MemsvcError | None = None
    total, handle = _opened(file)
    total = total and max(0, total - from_line + 1)
    with handle as raw, session.client() as client, counting(session, "Importing", total) as on_progress:
        lines = _Lines(raw, from_line)
        try:
            result = client.remember_many(lines, batch_items=batch_items, on_progress=on_progress, total=total)
        except BatchInterrupted as interrupted:
            result, error = interrupted.done, interrupted
    _report(session, result, lines, error)


def _opened(file: Path) -> tuple[int | None, Any]:
    """The number of lines, where it can be known, and the open file."""
    if str(file) == "-":
        return None, nullcontext(sys.stdin.buffer)
    try:
        with file.open("rb") as handle:
            total = sum(1 for _ in handle)
        return total, file.open("rb")
    except OSError as error:
        raise InvalidArgument(f"cannot read the file: {error.strerror}") from error


def _report(session: Session, result: BatchResult, lines: _Lines, error: MemsvcError | None) -> None:
    failures = lines.failures(result)
    written = len(result.items) - len(result.failed)
    next_line = lines.numbers[len(result.items)] if error and len(result.items) < len(lines.numbers) else None
    summary = {"written": written, "failed": len(failures), "seq": result.seq, "failures": failures}
    stopped = {"next_line": next_line, "error": describe(error)} if error else {}
    session.output.show(summary | stopped, lambda: clean(f"{written} written, {len(failures)} refused"))
    for failure in failures[:SHOWN_FAILURES]:
        session.output.note(f"line {failure['line']}: {failure.get('detail') or failure.get('code', 'refused')}")
    if len(failures) > SHOWN_FAILURES:
        session.output.note(f"and {len(failures) - SHOWN_FAILURES} more; --json lists them all")
    if error:
        session.output.error(error)
        if next_line is not None:
            session.output.note(f"go on with --from-line {next_line}")
        raise typer.Exit(exit_code(error))
    if failures:
        raise typer.Exit(REFUSED)
