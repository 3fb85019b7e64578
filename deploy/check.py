"""Drives a deployment through the client: what one process wrote another one finds, and a worker does the jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import uuid4

from memsvc_client import MemoryClient, MemsvcError

Say = Callable[[str], object]

_WRITTEN = "Ada drinks green tea in the morning and never coffee."
_EDITED = "Ada drinks black tea in the morning and never coffee."


class CheckFailed(AssertionError):
    """The deployment does not do what it must; the message says what."""


def check(urls: Sequence[str], say: Say) -> None:
    """Write, recall and change through different processes, and have a job run.

    Args:
        urls: of API processes over one database, two or more, whose jobs are left to a worker.
        say: told what was found.

    Raises:
        CheckFailed: something is not as it must be.
    """
    namespace = f"check/{uuid4().hex}"
    first, *others = (MemoryClient(url, namespace=namespace) for url in urls)
    try:
        for other in others:
            _check_two(first, other, say)
        _check_job(first, say)
    except MemsvcError as error:
        raise CheckFailed(f"{type(error).__name__}: {error}") from error
    finally:
        for client in (first, *others):
            client.close()


def _check_two(writer: MemoryClient, reader: MemoryClient, say: Say) -> None:
    written = writer.remember(_WRITTEN, kind="semantic")
    _expect(_found(reader, written.memory.id, written.seq) == _WRITTEN, "a memory is not found by another process")
    edited = reader.edit(written.memory.id, content=_EDITED)
    _expect(_found(writer, written.memory.id, edited.seq) == _EDITED, "an edit is not seen by another process")
    gone = writer.forget(written.memory.id)
    _expect(_found(reader, written.memory.id, gone.seq) is None, "a forgotten memory is found by another process")
    say(f"reads what another process wrote: {gone.seq} changes seen by their seq")


def _found(client: MemoryClient, memory_id: str, seq: int) -> str | None:
    """What a recall that has seen everything up to `seq` finds of a memory."""
    answer = client.recall("What does Ada drink in the morning?", top_k=5, min_seq=seq)
    _expect(answer.seq is not None and answer.seq >= seq, f"a recall answers as of {answer.seq}, asked for {seq}")
    return next((hit.memory.content for hit in answer.hits if hit.memory.id == memory_id), None)


def _check_job(client: MemoryClient, say: Say) -> None:
    client.remember(_WRITTEN, kind="semantic")
    run = client.jobs.run("fade", wait_s=60.0)
    _expect(run.is_over, "a job does not end: is there a worker?")
    _expect(run.state == "succeeded", f"a job ended as {run.state}")
    say("a job was done by the worker")


def _expect(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise CheckFailed(otherwise)
