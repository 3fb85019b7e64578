"""`memsvc import`: what other memory services and chat programs export, and what this one does."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from memsvc_client.cli.bars import counting
from memsvc_client.cli.exports import bring_back
from memsvc_client.cli.importing import SHOWN_FAILURES
from memsvc_client.cli.output import REFUSED, clean, exit_code
from memsvc_client.cli.session import Session, command
from memsvc_client.errors import BatchInterrupted, InvalidArgument, MemsvcError, describe
from memsvc_client.importers import KINDS, Item, Kind
from memsvc_client.importers.tables import csv_rows

if TYPE_CHECKING:
    from memsvc_client.client import MemoryClient
    from memsvc_client.types import BatchItem

Numbered = tuple[int, Item]


@dataclass
class _Tally:
    """What became of the items so far; each goes to the report at once, only the first failures are kept."""

    report: IO[str] | None
    written: int = 0
    failed: int = 0
    next_item: int = 1
    failures: list[dict[str, Any]] = field(default_factory=list)

    def add(self, number: int, item: Item, result: BatchItem | None) -> None:
        """An item with its result; None in a dry run."""
        line: dict[str, Any] = {"item": number, "external_id": item.external_id}
        if item.memory is None:
            line |= {"status": "skipped", "detail": item.problem}
        elif result is None:
            line |= {"status": "readable"}
        elif result.ok:
            line |= {"status": "written", "id": result.id, "version": result.version}
        else:
            problem = result.problem.model_dump(mode="json", exclude_none=True) if result.problem else {}
            line |= {**problem, "status": "refused"}
        is_good = line["status"] in ("written", "readable")
        self.written += is_good
        self.failed += not is_good
        self.next_item = number + 1
        if not is_good and len(self.failures) < SHOWN_FAILURES:
            self.failures.append(line)
        if self.report is not None:
            self.report.write(json.dumps(line, ensure_ascii=False) + "\n")


def register(app: typer.Typer) -> None:
    """Adds the command to the root."""
    command(app, "import")(import_)


def import_(
    session: Session,
    file: Annotated[Path, typer.Argument(help="The export; a ZIP file of conversations is read as it is.")],
    *,
    from_: Annotated[
        Kind | None,
        typer.Option("--from", help="Where the export comes from; if not given, from `memsvc export`."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read all of it and write nothing.")] = False,
    from_item: Annotated[int, typer.Option(help="Begin at this item, to go on with an import.", min=1)] = 1,
    report: Annotated[
        Path | None, typer.Option(help="File for a line of JSON about each item; one that is there is added to.")
    ] = None,
    user_id: Annotated[str | None, typer.Option(help="User of those that name none.")] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help="FIELD=NAME: the column of a CSV file that is a field of the memories; repeatable."),
    ] = None,
    batch_items: Annotated[int, typer.Option(help="Memories in one call.", min=1, max=1000)] = 200,
) -> None:
    """Bring memories from elsewhere, or an export back.

    With --from their ids become external ids, so that it is safe to repeat. An export of this service goes into a
    namespace (-n) without memories, all of it or nothing, and takes no other option.
    """
    columns = _columns(column or [], from_)
    if from_ is None:
        if dry_run or from_item > 1 or report is not None or user_id is not None:
            raise InvalidArgument("name where the export comes from with --from")
        bring_back(session, file)
        return
    from memsvc_client.batching import Progress  # not at the top: it brings the models of answers with it

    read = partial(csv_rows, columns=columns) if from_ is Kind.CSV else KINDS[from_]
    items = islice(enumerate(read(file), start=1), from_item - 1, None)
    error: MemsvcError | None = None
    with (
        _opened(report) as lines,
        nullcontext() if dry_run else session.client() as client,
        counting(session, "Reading" if dry_run else "Importing") as on_progress,
    ):
        tally = _Tally(lines, next_item=from_item)
        try:
            for batch in _batches(items, batch_items):
                _send(client, batch, user_id, batch_items, tally)
                if on_progress is not None:
                    on_progress(Progress(tally.written + tally.failed, tally.failed, 0, None))
        except MemsvcError as stopped:
            error = stopped
    _show(session, tally, error, dry_run=dry_run)


def _columns(asked: list[str], kind: Kind | None) -> dict[str, str]:
    """The columns that were named, by their fields.

    Raises:
        InvalidArgument: One is not FIELD=NAME, or the file is no table.
    """
    if asked and kind is not Kind.CSV:
        raise InvalidArgument("--column is for --from csv")
    parted = [one.partition("=") for one in asked]
    if not all(field and name for field, _, name in parted):
        raise InvalidArgument("give --column as FIELD=NAME, such as content=Note")
    return {field.strip(): name.strip() for field, _, name in parted}


def _batches(items: Iterator[Numbered], size: int) -> Iterator[list[Numbered]]:
    while batch := list(islice(items, size)):
        yield batch


def _send(
    client: MemoryClient | None, batch: list[Numbered], user_id: str | None, batch_items: int, tally: _Tally
) -> None:
    """Writes a batch; in a dry run (no client) it is only told what was read.

    Raises:
        MemsvcError: A call failed; what the service had answered before is in the tally.
    """
    memories = [_owned(item, user_id) for _, item in batch if item.memory is not None]
    results: Iterable[BatchItem] = ()
    error: MemsvcError | None = None
    if client is not None and memories:
        try:
            results = client.remember_many(memories, batch_items=batch_items).items
        except BatchInterrupted as interrupted:
            results, error = interrupted.done.items, interrupted
    answers = iter(results)
    for number, item in batch:
        result = next(answers, None) if item.memory is not None else None
        if client is not None and item.memory is not None and result is None:
            break
        tally.add(number, item, result)
    if error is not None:
        raise error


def _owned(item: Item, user_id: str | None) -> dict[str, Any]:
    return ({} if user_id is None else {"user_id": user_id}) | dict(item.memory or {})


def _opened(report: Path | None) -> Any:
    try:
        return nullcontext() if report is None else report.open("a", encoding="utf-8")
    except OSError as error:
        raise InvalidArgument(f"cannot write the report: {error.strerror}") from error


def _show(session: Session, tally: _Tally, error: MemsvcError | None, *, dry_run: bool) -> None:
    summary: dict[str, Any] = {"dry_run": dry_run, "written": 0 if dry_run else tally.written}
    summary |= {"readable": tally.written} if dry_run else {}
    summary |= {"failed": tally.failed, "failures": tally.failures}
    stopped = {"next_item": tally.next_item, "error": describe(error)} if error else {}
    done = "could be written" if dry_run else "written"
    session.output.show(summary | stopped, lambda: clean(f"{tally.written} {done}, {tally.failed} not"))
    for failure in tally.failures:
        session.output.note(f"item {failure['item']}: {failure.get('detail') or failure.get('code', 'refused')}")
    if tally.failed > len(tally.failures):
        session.output.note(f"and {tally.failed - len(tally.failures)} more; --report keeps them all")
    if error:
        session.output.error(error)
        session.output.note(f"go on with --from-item {tally.next_item}")
        raise typer.Exit(exit_code(error))
    if tally.failed:
        raise typer.Exit(REFUSED)
