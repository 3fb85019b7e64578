"""What devices hold: plain numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Residency:
    """What the devices hold, and what it took to keep it there, since the start.

    Attributes:
        resident: namespaces on a device, in whole or in part.
        device_bytes: of the pages that they take there.
        evicted: how often one, or a part of one, made room for another.
        returned: how often one came back from pinned memory of the host.
        pinned: namespaces, or parts, that wait there.
        pinned_bytes: what they take of it.
        searched_on_host: searches that the devices had no room for.
        lost: devices that failed and are not used any more.
    """

    resident: int
    device_bytes: int
    evicted: int
    returned: int
    pinned: int
    pinned_bytes: int
    searched_on_host: int
    lost: int
