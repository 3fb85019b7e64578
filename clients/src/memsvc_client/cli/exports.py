"""`memsvc export`: a namespace as one file; and how `memsvc import` brings it back."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from memsvc_client.cli.bars import reading, writing
from memsvc_client.cli.output import clean, grid
from memsvc_client.cli.session import Session, command
from memsvc_client.errors import InvalidArgument


def register(app: typer.Typer) -> None:
    """Adds the command to the root."""
    command(app, "export")(export)


def export(
    session: Session, file: Annotated[Path, typer.Argument(help="File to make; it must not be there.", metavar="FILE")]
) -> None:
    """Write a namespace into a file: memories with all versions, links, holds, entities, policy and vectors."""
    if file.exists():
        raise InvalidArgument("the file is there already; an export overwrites nothing")
    try:
        descriptor, draft = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    except OSError as error:
        raise InvalidArgument(f"cannot write the file: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as out, session.client() as client:
            with writing(session, "Exporting", out) as watched:
                size = client.export(watched)
            out.flush()
            os.fsync(out.fileno())
        os.link(draft, file)  # whole or not at all, and never over another one
    except OSError as error:
        raise InvalidArgument(f"cannot write the file: {error.strerror}") from error
    finally:
        with suppress(OSError):
            Path(draft).unlink()
    session.output.show({"file": str(file), "bytes": size}, lambda: clean(f"{size} bytes written"))


def bring_back(session: Session, file: Path) -> None:
    """Brings an export into a namespace without memories: all of it or nothing.

    Raises:
        InvalidArgument: The file cannot be read.
    """
    try:
        handle = file.open("rb")
    except OSError as error:
        raise InvalidArgument(f"cannot read the file: {error.strerror}") from error
    size = os.fstat(handle.fileno()).st_size or None  # none of a pipe
    with handle, session.client() as client, reading(session, "Importing", handle, size) as watched:
        found = client.import_(watched).model_dump(mode="json")
    session.output.show(found, lambda: grid(found))
