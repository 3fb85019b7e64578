"""A progress bar for imports, for the `on_progress` of the clients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from memsvc_client.batching import OnProgress, Progress


@contextmanager
def progress_bar(
    description: str = "Remembering", *, total: int | None = None, console: Console | None = None
) -> Iterator[OnProgress]:
    """A bar on stderr; yields the callback that moves it.

    Args:
        description: Text beside the bar.
        total: How many there are, to show before the first answer comes.
        console: Where to draw instead.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=console or Console(stderr=True)) as bar:
        task = bar.add_task(description, total=total, note="")

        def move(progress: Progress) -> None:
            note = f"{progress.failed} refused" if progress.failed else ""
            bar.update(task, completed=progress.done, total=progress.total, note=note)

        yield move
