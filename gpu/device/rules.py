"""When a device is asked: plain numbers."""

from __future__ import annotations

from dataclasses import dataclass

DEVICE_FROM = 5_000
"""A guess: no benchmark stands behind it yet."""
LISTS_FROM = 50_000
"""A guess, too: below that a scan of words takes a few milliseconds, and the attributes room on the device."""


@dataclass(frozen=True, slots=True)
class DeviceRules:
    """When a device is asked.

    Attributes:
        device_from: eligible memories from which it is; fewer are compared here before a launch would be over.
        lists_from: eligible memories from which it makes the lists that channels go on from; 0: never.
        more: memories that the device is asked for beyond those that are wanted: sums of the two differ in their last
            digits, and what is written meanwhile takes places.
        sampled: memories from which moments are estimated.
    """

    device_from: int = DEVICE_FROM
    lists_from: int = LISTS_FROM
    more: int = 8
    sampled: int = 1_024
