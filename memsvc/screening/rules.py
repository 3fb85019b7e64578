"""What is looked for, and what is done about it: by default, and in a namespace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast, get_args

from memsvc.core.settings import Action, Family
from memsvc.screening import personal
from memsvc.screening.credentials import credentials

FAMILIES: tuple[Family, ...] = get_args(Family)
Rules = Mapping[Family, Action]
"""The action for each family; one that is not named is off."""

FINDERS: Mapping[Family, Callable[[str], Iterator[tuple[int, int]]]] = {
    "credential": credentials,
    "card": personal.cards,
    "iban": personal.ibans,
    "email": personal.emails,
    "phone": personal.phones,
}
KEY = "screening"
"""Where a namespace's settings have what its owner set."""


def whole(rules: Rules) -> dict[Family, Action]:
    """Rules with every family named."""
    return {family: rules.get(family, "off") for family in FAMILIES}


def in_force(default: Rules, settings: Mapping[str, Any] | None) -> Rules:
    """The rules of a namespace: what its owner set over the default. One that is not there has the default."""
    own = cast(Rules, (settings or {}).get(KEY, {}))
    return {family: action for family, action in {**default, **own}.items() if action != "off"}
