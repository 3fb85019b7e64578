"""The port behind which gists are worded, and the way that needs no model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lifecycle.extract import EXTRACT_VERSION, Said, gist


class SummariserError(Exception):
    """It gave no gist that can be used. Nothing was written; the next run tries again."""


class Summariser(Protocol):
    """Words gists. Thread-safe.

    Attributes:
        name: changes whenever the same sources may get another gist: all gists are made anew then.
        most_at_once: gists that it makes in some seconds.
    """

    @property
    def name(self) -> str:
        """See the class."""
        ...

    @property
    def most_at_once(self) -> int:
        """See the class."""
        ...

    def summarise(self, sources: Sequence[Said], words: int) -> str:
        """One text that says what matters of the sources, of about so many words at most; never empty.

        Raises:
            SummariserError: it cannot.
        """
        ...

    def close(self) -> None:
        """Lets go of connections."""
        ...


class Extractive:
    """Takes the best sentences; see `lifecycle.extract`."""

    name = f"extractive {EXTRACT_VERSION}"
    most_at_once = 100

    def summarise(self, sources: Sequence[Said], words: int) -> str:
        """See `Summariser`."""
        return gist(sources, words)

    def close(self) -> None:
        """See `Summariser`."""
