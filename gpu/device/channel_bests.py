"""What a pass over every channel finds."""

from __future__ import annotations

from dataclasses import dataclass

from gpu.device.best import Best
from gpu.ops.channel_pass.questions import Listed


@dataclass(frozen=True, slots=True)
class ChannelBests:
    """The lists of one query: the nearest memories if a vector was given, and each list that it asks for."""

    dense: Best | None
    lists: dict[Listed, Best]
