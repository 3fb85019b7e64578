"""What the checks of `memsvc doctor` say."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

Level = Literal["ok", "note", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; of anything but `ok` the message says what to do."""

    check: str
    level: Level
    message: str

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return asdict(self)
