"""Everything that should be made out of a namespace's episodes, and out of what. Pure.

Each derivation knows a digest of all that it follows from: of its sources' texts, speakers, times and marks, and of how
it is worded; of a roll-up of roll-ups, of their digests (Merkle 1987, doi:10.1007/3-540-48184-2_32). A source that is
corrected changes the digest of everything above it, and of nothing else.

Nothing is derived from sources of different tiers of trust: what is trusted less neither lends support to what is
trusted more, nor draws it down, nor gets into its gists. What is trusted more ends facts of what is trusted less, and
does nothing else there. What is derived is no more trusted than its least trusted
source, and ends with the first of its sources that ends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from gpu.bank.records import Kind
from lifecycle.policy import Derived, Gists
from lifecycle.procedures import Action, procedures
from lifecycle.repeats import Statement, repeated
from lifecycle.rollup import Episode, Node, rollup
from lifecycle.trust import Trust, tier

DIGEST_BYTES = 16
ROLLUPS = (Derived.SESSION, Derived.DAY, Derived.WEEK, Derived.MONTH)
KINDS = {Derived.FACT: Kind.SEMANTIC, Derived.PROCEDURE: Kind.PROCEDURAL}


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A memory that others can be made of, as it stands.

    Attributes:
        is_episode: whether it is rolled up, and says facts; else it only shows how something was done.
        outcome: how it went, if it was done.
    """

    episode: Episode
    text: str
    speaker: str | None
    outcome: str | None
    is_episode: bool
    occurred_at: datetime | None
    expires_at: datetime | None
    trust: float
    importance: float

    @property
    def id(self) -> UUID:
        """The memory's."""
        return self.episode.id

    @property
    def digest(self) -> bytes:
        """Of everything that what is made of it follows from."""
        times = [None if at is None else at.isoformat() for at in (self.occurred_at, self.expires_at)]
        return _digest(self.text, self.speaker, self.outcome, *times, repr(self.trust), repr(self.importance))


@dataclass(frozen=True, slots=True, eq=False)
class Derivation:
    """A memory that should be there.

    Attributes:
        level: as what.
        below: what it is made of, in the order of time.
        text: what it says; None for a gist of what is below.
        words: budget of the gist.
        speaker: who says it, of a fact.
        support: occasions that it rests on, of a fact or procedure.
        success: how often it worked, of a procedure.
        digest: `DIGEST_BYTES`.
    """

    level: Derived
    below: tuple[Source | Derivation, ...]
    text: str | None
    words: int
    speaker: str | None
    support: int | None
    success: float | None
    digest: bytes
    occurred_at: datetime | None
    expires_at: datetime | None
    trust: float
    importance: float

    @property
    def kind(self) -> Kind:
        """A roll-up tells what happened."""
        return KINDS.get(self.level, Kind.EPISODIC)

    @property
    def scope(self) -> tuple[str | None, str | None]:
        """User and agent, which all that is below has."""
        first = self.below[0]
        return first.episode.scope if isinstance(first, Source) else first.scope

    def leaves(self) -> Iterable[Source]:
        """Every source below, in order."""
        for piece in self.below:
            if isinstance(piece, Source):
                yield piece
            else:
                yield from piece.leaves()


def derivations(sources: Sequence[Source], gists: Gists, now: datetime, wording: str) -> list[Derivation]:
    """What should be there, each after what it is made of.

    Args:
        sources: of one namespace.
        gists: the policy.
        now: what is not over by then is not rolled up.
        wording: the name of what words gists.
    """
    of_tier: dict[Trust, list[Source]] = {}
    for source in sources:
        of_tier.setdefault(tier(source.trust), []).append(source)
    made: list[Derivation] = []
    above: list[Source] = []
    for each in Trust:
        alike = of_tier.get(each, [])
        made += _of_tier(alike, above, gists, now, wording)
        above += alike
    return made


def _of_tier(
    sources: Sequence[Source], above: Sequence[Source], gists: Gists, now: datetime, wording: str
) -> list[Derivation]:
    """What should be there of sources that are trusted alike, where there are others that are trusted more."""
    episodes = [source for source in sources if source.is_episode]
    by_id = {source.id: source for source in sources}
    made: list[Derivation] = []
    if Derived.FACT in gists.levels:
        for fact in repeated(_said(episodes), gists.support, _said(above)):
            below = tuple(by_id[statement.episode.id] for statement in fact.said)
            speaker = fact.said[-1].speaker
            made.append(_derived(Derived.FACT, below, "", fact.text, speaker=speaker, support=fact.support))
    if Derived.PROCEDURE in gists.levels:
        done = (Action(s.episode, s.text, s.outcome) for s in sources if s.outcome is not None)
        for one in procedures(done, gists.support):
            below = tuple(dict.fromkeys(by_id[action.episode.id] for actions in one.done for action in actions))
            made.append(_derived(Derived.PROCEDURE, below, "", one.text, support=len(one.done), success=one.success))
    nodes: dict[Node, Derivation] = {}
    for node in rollup((source.episode for source in episodes), gists, now):
        below_it = tuple(nodes[piece] if isinstance(piece, Node) else by_id[piece.id] for piece in node.below)
        nodes[node] = _derived(node.level, below_it, wording, None, words=gists.words)
    return [*made, *nodes.values()]


def _said(sources: Iterable[Source]) -> list[Statement]:
    """What episodes say."""
    return [Statement(one.episode, one.text, one.speaker) for one in sources if one.is_episode]


def _derived(
    level: Derived,
    below: tuple[Source | Derivation, ...],
    wording: str,
    text: str | None,
    *,
    words: int = 0,
    speaker: str | None = None,
    support: int | None = None,
    success: float | None = None,
) -> Derivation:
    digests = [piece.digest.hex() for piece in below]
    return Derivation(
        level=level,
        below=below,
        text=text,
        words=words,
        speaker=speaker,
        support=support,
        success=success,
        digest=_digest(level.value, wording, str(words), text, speaker, str(support), str(success), *digests),
        occurred_at=min((piece.occurred_at for piece in below if piece.occurred_at is not None), default=None),
        expires_at=min((piece.expires_at for piece in below if piece.expires_at is not None), default=None),
        trust=min(piece.trust for piece in below),
        importance=max(piece.importance for piece in below),
    )


def _digest(*parts: str | None) -> bytes:
    found = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for part in parts:
        raw = b"" if part is None else part.encode("utf-8", "surrogatepass")
        found.update(b"-" if part is None else b"%d:" % len(raw))
        found.update(raw)
    return found.digest()
