"""When a device is asked: plain numbers."""

from __future__ import annotations

from dataclasses import dataclass

from gpu.bank.layouts import Tier

DEVICE_FROM = 5_000
"""A guess: no benchmark stands behind it yet."""
LISTS_FROM = 0
"""Never: what is left to the processor once it has a list may take longer than the scan that it saves."""


@dataclass(frozen=True, slots=True)
class CodeRules:
    """Which namespaces a device searches by codes, and scores the best of them exactly.

    Attributes:
        tier: of the codes, below fp16; what they take comes on top of the exact vectors.
        codes_from: vectors of a namespace, or of a part of one, from which it does.
    """

    tier: Tier
    codes_from: int


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
