"""English given names and what they are shortened to, as the package `nicknames` has them. Pure."""

from __future__ import annotations

from functools import cache

from nicknames import NickNamer


@cache
def _nicknames() -> NickNamer:
    return NickNamer()


def short_forms(word: str) -> frozenset[str]:
    """What an English given name is shortened to, in small letters ("robert": "bob", "rob"); empty for other words."""
    return frozenset(_nicknames().nicknames_of(word))


def long_forms(word: str) -> frozenset[str]:
    """English given names that are shortened to a word; empty for other words."""
    return frozenset(_nicknames().canonicals_of(word))


def is_given_name(word: str) -> bool:
    """Whether a word is known as an English given name, in its long or a short form."""
    return bool(short_forms(word) or long_forms(word))
