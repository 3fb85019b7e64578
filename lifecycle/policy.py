"""What a namespace wants done with its memories as they fade: plain numbers with stated defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from gpu.bank.records import Kind
from lifecycle.merging import MergePolicy


class Level(IntEnum):
    """How far a memory has faded; stored, so codes never change. Each is colder than the one before."""

    ACTIVE = 0
    WARM = 1
    COLD = 2
    ARCHIVED = 3
    """Out of ordinary recalls; can be asked for."""
    FORGOTTEN = 4
    """Hidden; can be restored."""


class Derived(StrEnum):
    """What a memory is that was made out of others; stored."""

    SESSION = "session"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    FACT = "fact"
    """What several episodes say."""
    PROCEDURE = "procedure"
    """What was done the same way several times."""


class Quarantine(StrEnum):
    """What becomes of memories that look like instructions, or whose author nobody knows."""

    OFF = "off"
    """Nothing; they are not even flagged."""
    FLAG = "flag"
    """They are flagged, and shown as quotations."""
    STRICT = "strict"
    """They wait, hidden from recalls, until an admin releases them."""


@dataclass(frozen=True, slots=True)
class Gists:
    """What is made out of episodes.

    Attributes:
        levels: what is made at all.
        least: fewer episodes, or gists of the level below, get no gist.
        ratio: so many at most become one.
        words: budget of a gist.
        support: sessions (days, without sessions) that must say the same, or have done the same.
    """

    levels: frozenset[Derived] = frozenset(Derived)
    least: int = 3
    ratio: int = 10
    words: int = 80
    support: int = 3

    def __post_init__(self) -> None:
        """Refuses what makes no sense.

        Raises:
            ValueError: a number out of its range.
        """
        if not 2 <= self.least <= self.ratio <= 100:
            raise ValueError("a gist is made of 2 to 100 memories, and the ratio is not smaller than the least number")
        if 2 * self.least > self.ratio + 1:
            raise ValueError("the ratio is at least twice the least number less one: else some get no gist")
        if not 5 <= self.words <= 2000:
            raise ValueError("a gist has 5 to 2000 words")
        if not 2 <= self.support <= 100:
            raise ValueError("the support lies between 2 and 100")


@dataclass(frozen=True, slots=True)
class Policy:
    """What is done with memories as they fade.

    The defaults take nothing out of recalls: memories grow warm and cold, and are archived or forgotten only in a
    namespace whose owner says at which retention.

    Attributes:
        below: for each level, the retention below which a memory falls to it; None: none does.
        hysteresis: a memory climbs back once its retention is so much above the level's bound, as a part of it.
        coldest: for each kind, how far it may fall. What is held true is superseded, not faded away.
        factors: for each kind, what its stability is multiplied with.
        share_per_run: part of a namespace's memories that one run may change; one memory at least.
        protect_importance: memories of at least this importance are not moved.
        prior: standard deviations of score that a memory which has faded to nothing stands behind a fresh one, in the
            order of the hits of a recall; from 0 to 1.
        later_first: standard deviations of score by which a hit may stand ahead of one that tells of the same and was
            told later, and still give way to it (`lifecycle.telling_order`); 0: none does.
        merge: which memories say the same.
        gists: what the job `consolidate` makes.
        rehearse_importance: memories of at least this importance are due for rehearsal before they are lost.
        rehearse_below: the retention at which they are.
        ttl_s: time to live of new memories that name none; None: they live on.
        expired_for_s: how long after the end of its time to live a memory is erased; None: never.
        forgotten_for_s: how long after a memory was forgotten by fading it is erased; None: never.
        quota_memories: how many memories may be active; None: any number.
        quota_bytes: how many bytes the active memories may take in the bank; None: any number.
        quarantine: what becomes of new memories that nobody should follow.
    """

    below: Mapping[Level, float | None] = field(
        default_factory=lambda: {Level.WARM: 0.6, Level.COLD: 0.3, Level.ARCHIVED: None, Level.FORGOTTEN: None}
    )
    hysteresis: float = 0.1
    coldest: Mapping[Kind, Level] = field(
        default_factory=lambda: {
            Kind.EPISODIC: Level.FORGOTTEN,
            Kind.SEMANTIC: Level.WARM,
            Kind.PROCEDURAL: Level.COLD,
        }
    )
    factors: Mapping[Kind, float] = field(default_factory=lambda: dict.fromkeys(Kind, 1.0))
    share_per_run: float = 0.05
    protect_importance: float = 0.9
    prior: float = 0.25
    later_first: float = 3.0
    merge: MergePolicy = field(default_factory=MergePolicy)
    gists: Gists = field(default_factory=Gists)
    rehearse_importance: float = 0.7
    rehearse_below: float = 0.9
    ttl_s: int | None = None
    expired_for_s: int | None = None
    forgotten_for_s: int | None = None
    quota_memories: int | None = None
    quota_bytes: int | None = None
    quarantine: Quarantine = Quarantine.FLAG

    def __post_init__(self) -> None:
        """Refuses what makes no sense.

        Raises:
            ValueError: bounds that do not fall from level to level, or a number out of its range.
        """
        bounds = [bound for level in sorted(self.below) if (bound := self.below[level]) is not None]
        if any(not 0.0 < bound < 1.0 for bound in bounds) or bounds != sorted(bounds, reverse=True):
            raise ValueError("bounds lie between 0 and 1 and fall from level to level")
        if len(set(bounds)) < len(bounds):
            raise ValueError("no two levels have the same bound")
        if not 0.0 <= self.hysteresis <= 1.0:
            raise ValueError("the hysteresis lies between 0 and 1")
        if not 0.0 < self.share_per_run <= 1.0:
            raise ValueError("the share of a run lies above 0 and is at most 1")
        if any(not 0.0 < factor <= 1e6 for factor in self.factors.values()):
            raise ValueError("factors lie above 0 and are at most a million")
        if not (0.0 <= self.prior <= 1.0 and 0.0 <= self.later_first <= 20.0):
            raise ValueError("the prior lies between 0 and 1, what a later telling makes up for between 0 and 20")
        counts = (self.ttl_s, self.expired_for_s, self.forgotten_for_s, self.quota_memories, self.quota_bytes)
        if any(number is not None and number < 0 for number in counts):
            raise ValueError("times and quotas are not negative")
        if not 0.0 < self.rehearse_below < 1.0:
            raise ValueError("the retention below which memories are rehearsed lies between 0 and 1")
        # A memory that has just been recalled is as warm as can be.
        if any(bound * (1.0 + self.hysteresis) >= 1.0 for bound in bounds):
            raise ValueError("with so much hysteresis nothing ever climbs above a bound again")

    def most(self, memories: int) -> int:
        """How many of a namespace's memories one run may change."""
        return max(1, int(self.share_per_run * memories))


DEFAULT = Policy()
