"""Policies, schedules and runs on the wire."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from lifecycle.policy import DEFAULT, Derived
from memsvc.core.settings import Action, Family
from memsvc.http.query import QueryInt
from memsvc.http.schemas import ApiModel, Bytes, FiniteFloat, Instant
from memsvc.memories.schemas import DerivedName, KindName, NamespacePath
from memsvc.models import RunState

FallName = Literal["warm", "cold", "archived", "forgotten"]
StandName = Literal["active", "warm", "cold", "archived", "forgotten"]
QuarantineName = Literal["off", "flag", "strict"]
RunStateName = Literal["queued", "running", "succeeded", "failed", "cancelled"]
STATE_NAMES: dict[RunState, RunStateName] = {
    RunState.QUEUED: "queued",
    RunState.RUNNING: "running",
    RunState.SUCCEEDED: "succeeded",
    RunState.FAILED: "failed",
    RunState.CANCELLED: "cancelled",
}
Bound = Annotated[FiniteFloat, Field(gt=0.0, lt=1.0)]
_AGE = 100 * 366 * 86_400  # seconds
Schedule = Annotated[str, Bytes(100)]


class MergeIn(ApiModel):
    """Which memories say the same and become one; what is not named is as by default."""

    floor: FiniteFloat = Field(
        DEFAULT.merge.floor, ge=0.0, le=1.0, description="Least likeness of the vectors of what is merged."
    )
    within_s: FiniteFloat = Field(
        DEFAULT.merge.within_s, ge=0.0, le=86_400.0, description="How far tellings of one event lie apart at most."
    )


class GistsIn(ApiModel):
    """What the job `consolidate` makes out of episodes; what is not named is as by default."""

    levels: Annotated[list[DerivedName], Field(max_length=6)] = Field(
        default_factory=lambda: [level.value for level in Derived], description="What is made at all."
    )
    least: int = Field(DEFAULT.gists.least, ge=2, le=100, description="Fewer get no gist.")
    ratio: int = Field(DEFAULT.gists.ratio, ge=2, le=100, description="So many at most become one.")
    words: int = Field(DEFAULT.gists.words, ge=5, le=2000, description="Most words of a gist.")
    support: int = Field(
        DEFAULT.gists.support, ge=2, le=100, description="Sessions that must say, or have done, the same."
    )


class PolicyIn(ApiModel):
    """What is done with memories as they fade; what is not named is as by default."""

    below: dict[FallName, Bound | None] = Field(
        default_factory=dict, description="Retention below which a memory falls to a level; null: none falls to it."
    )
    hysteresis: FiniteFloat = Field(DEFAULT.hysteresis, ge=0.0, le=1.0)
    coldest: dict[KindName, StandName] = Field(default_factory=dict, description="How far memories of a kind may fall.")
    factors: dict[KindName, Annotated[FiniteFloat, Field(gt=0.0, le=1e6)]] = Field(
        default_factory=dict, description="What the stability of a kind is multiplied with."
    )
    share_per_run: FiniteFloat = Field(DEFAULT.share_per_run, gt=0.0, le=1.0)
    protect_importance: FiniteFloat = Field(DEFAULT.protect_importance, ge=0.0, le=2.0)
    prior: FiniteFloat = Field(
        DEFAULT.prior,
        ge=0.0,
        le=1.0,
        description="Standard deviations of score that a faded memory stands behind a fresh one.",
    )
    later_first: FiniteFloat = Field(
        DEFAULT.later_first,
        ge=0.0,
        le=20.0,
        description="Standard deviations of score within which what was told later of the same stands first; 0: off.",
    )
    merge: MergeIn = Field(default_factory=MergeIn)
    gists: GistsIn = Field(default_factory=GistsIn)
    rehearse_importance: FiniteFloat = Field(
        DEFAULT.rehearse_importance,
        ge=0.0,
        le=2.0,
        description="From which importance on memories are to be rehearsed.",
    )
    rehearse_below: Bound = Field(DEFAULT.rehearse_below, description="The retention at which they are due for it.")
    ttl_s: Annotated[int, Field(ge=1, le=_AGE)] | None = Field(
        None, description="Time to live of new memories that name none, in seconds; null: they live on."
    )
    expired_for_s: Annotated[int, Field(ge=0, le=_AGE)] | None = Field(
        None, description="`expire` erases a memory so long after the end of its time to live; null: never."
    )
    forgotten_for_s: Annotated[int, Field(ge=0, le=_AGE)] | None = Field(
        None, description="`expire` erases a memory so long after fading forgot it; null: never."
    )
    quota_memories: Annotated[int, Field(ge=0, le=10**12)] | None = Field(
        None, description="How many memories may be active after a run of `evict`; null: any number."
    )
    quota_bytes: Annotated[int, Field(ge=0, le=10**15)] | None = Field(
        None, description="How many bytes of the bank the active memories may take after a run of `evict`."
    )

    quarantine: QuarantineName = Field(
        DEFAULT.quarantine.value,
        description="What becomes of new memories that look like instructions or come from outside: flagged, or "
        "(`strict`) hidden until an admin releases them.",
    )

    def named(self) -> dict[str, Any]:
        """What was named, as it is stored."""
        return self.model_dump(exclude_unset=True, mode="json")


class CareIn(ApiModel):
    """What is to be done to a namespace, and when. Each of the two is set whole, or left as it is."""

    namespace: NamespacePath
    policy: PolicyIn | None = Field(None, description="What is not named in it is as by default; null: stays.")
    screening: dict[Family, Action] | None = Field(
        None,
        description="What is done about secrets and personal data in what is written here; a family that is not named "
        "is as by default; null: stays. Needs the role `admin`.",
    )
    schedules: dict[Annotated[str, Bytes(32)], Schedule | None] | None = Field(
        None,
        description="By kind of work: a cron line in UTC, or `every <seconds>s`; what is not named, or null, is on "
        "none. Without it, or null as a whole: they stay.",
    )


class CareQuery(ApiModel):
    """Whose policy."""

    namespace: NamespacePath


class GistsOut(ApiModel):
    """What the job `consolidate` makes, whole."""

    levels: list[str]
    least: int
    ratio: int
    words: int
    support: int


class PolicyOut(ApiModel):
    """A policy, whole."""

    below: dict[str, float | None]
    hysteresis: float
    coldest: dict[str, str]
    factors: dict[str, float]
    share_per_run: float
    protect_importance: float
    prior: float
    later_first: float
    merge: dict[str, float]
    gists: GistsOut
    rehearse_importance: float
    rehearse_below: float
    ttl_s: int | None
    expired_for_s: int | None
    forgotten_for_s: int | None
    quota_memories: int | None
    quota_bytes: int | None
    quarantine: QuarantineName


class ScheduledOut(ApiModel):
    """A kind of work, when it is done, and when next."""

    kind: str
    schedule: str
    next_at: Instant


class CareOut(ApiModel):
    """What is done to a namespace, and when."""

    namespace: str
    policy: PolicyOut
    schedules: list[ScheduledOut]
    screening: dict[Family, Action] = Field(description="The action for every family.")
    own: list[str] = Field(
        default_factory=list,
        description="What is set for this namespace, such as `policy.below.warm`; all else is as by default.",
    )


class RunIn(ApiModel):
    """Work that is to be done now."""

    namespace: NamespacePath
    kind: Annotated[str, Bytes(32)]
    as_of: Instant | None = Field(None, description="The moment to which `rewind` goes back; for no other kind.")
    dry_run: bool = Field(False, description="Only say what would be done; see the run's effects.")


class RunsQuery(ApiModel):
    """Whose runs."""

    namespace: NamespacePath
    limit: QueryInt = Field(50, ge=1)
    cursor: Annotated[str, Bytes(4096)] | None = None


class EffectsQuery(ApiModel):
    """Which part of what a run did."""

    limit: QueryInt = Field(50, ge=1)
    cursor: Annotated[str, Bytes(4096)] | None = None


class RunOut(ApiModel):
    """A run. `counts` has how many memories each action was done to; `skipped` had changed since the plan.

    `report` is what some kinds of work say of the whole, in numbers.
    """

    id: UUID
    namespace: str
    kind: str
    state: RunStateName
    dry_run: bool
    as_of: Instant | None
    undoes: UUID | None
    asked_by: str
    asked_at: Instant
    started_at: Instant | None
    ended_at: Instant | None
    counts: dict[str, int]
    report: dict[str, Any] | None
    problem: str | None


class RunPage(ApiModel):
    """One page of runs, the newest first."""

    items: list[RunOut]
    next_cursor: str | None


class EffectOut(ApiModel):
    """What a run did, or would do, to one memory, and the numbers that it follows from."""

    memory_id: UUID
    action: str
    before: dict[str, Any]
    after: dict[str, Any]
    why: dict[str, Any]


class EffectPage(ApiModel):
    """One page of what a run did, by memory."""

    items: list[EffectOut]
    next_cursor: str | None
