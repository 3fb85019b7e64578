"""What the service answers, as frozen models. Unknown fields are ignored, so that a newer service can add some."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

T = TypeVar("T")


class Model(BaseModel):
    """Base of all answers: frozen, unknown fields ignored, and built when one is first read: most programs read few."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class Memory(Model):
    """One memory as it is now. Times are aware UTC."""

    id: str
    namespace: str
    content: str
    kind: str
    state: str = "active"
    version: int = 1
    external_id: str | None = None
    user_id: str | None = None
    agent_id: str | None = None
    session_id: str | None = None
    speaker: str | None = None
    place: str | None = None
    tags: tuple[str, ...] = ()
    outcome: str | None = None
    language: str | None = None
    occurred_at: datetime | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    recorded_at: datetime | None = None
    updated_at: datetime | None = None
    expires_at: datetime | None = None
    importance: float | None = None
    trust: str | None = None
    """How far it is to be believed: trusted, agent, external."""
    origin: str | None = None
    """Whose words it holds: a source, or the key that wrote it."""
    flags: tuple[str, ...] = ()
    """What was noticed in it: `instruction_like`, or a `card`, which may be blackened by now."""
    derived: str | None = None
    pinned: bool = False
    merged_into: str | None = None
    """The memory that says the same and stands for this one."""
    legal_hold: bool = False
    level: str | None = None
    """How far it has faded: active, warm, cold, archived, forgotten."""
    retention: float | None = None
    """From 1 (just written or used) down to 0."""
    fades_at: datetime | None = None
    """When it falls to the next level if nobody uses it."""
    recall_count: int = 0
    last_recalled_at: datetime | None = None
    source: dict[str, Any] | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)


class Written(Model):
    """Answer to a write: the memory as it now is, and the change's place in the namespace's log."""

    memory: Memory
    seq: int
    created: bool = False
    """True when the write made a new memory; False when it changed one that was there."""
    degraded: tuple[str, ...] = ()
    """Channels that do not find it yet: `semantic` if the embedding model did not answer. It is read when it does."""


class FieldProblem(Model):
    """One thing wrong with one field of a request; `pointer` is a JSON pointer."""

    pointer: str = ""
    code: str = ""
    message: str = ""


class Problem(Model):
    """An RFC 9457 problem document."""

    type: str = "about:blank"
    title: str = ""
    status: int = 0
    detail: str = ""
    code: str = "unknown"
    request_id: str | None = None
    errors: tuple[FieldProblem, ...] = ()

    def summary(self) -> str:
        """One line for people: status, code, detail, and the request id if there is one."""
        text = f"{self.status} {self.code}: {self.detail or self.title}"
        return f"{text} (request {self.request_id})" if self.request_id else text


class BatchItem(Model):
    """What became of one item of a batch: a memory's id, or a problem."""

    status: int
    id: str | None = None
    external_id: str | None = None
    version: int | None = None
    degraded: tuple[str, ...] = ()
    """As in `Written`."""
    problem: Problem | None = None

    @model_validator(mode="after")
    def _status_of_problem(self) -> Self:
        """An item's problem need not repeat the item's status."""
        if self.problem is not None and not self.problem.status:
            object.__setattr__(self, "problem", self.problem.model_copy(update={"status": self.status}))
        return self

    @property
    def ok(self) -> bool:
        """True when this item was written."""
        return self.problem is None and self.status < 400


class BatchResult(Model):
    """What became of every item, in the order they were given."""

    items: tuple[BatchItem, ...] = ()
    seq: int | None = None
    """Last `seq` that the namespace reached; None when nothing was sent."""

    @property
    def failed(self) -> tuple[tuple[int, BatchItem], ...]:
        """Position (from 0) and result of each item that was refused."""
        return tuple((n, item) for n, item in enumerate(self.items) if not item.ok)


class ChannelHit(Model):
    """Where one channel placed a memory; `rank` is None where it scored but did not list it.

    `contribution`, with `explain=True`, is what it added to the fused score, before a cross-encoder read the memory.
    """

    rank: int | None
    score: float
    contribution: float | None = None


class Hit(Model):
    """One recalled memory; `rank` counts from 1."""

    rank: int
    score: float
    memory: Memory
    channels: dict[str, ChannelHit] = Field(default_factory=dict)


class Answer(Model):
    """What every answer to a question says of itself.

    `id` names it when feedback is given. `degraded` names what was left out; `explanation` comes with `explain=True`.
    `seq` is the namespace's last change; where several were asked it is None and `seqs` has that of each.
    """

    id: str | None = None
    confidence: float
    nothing_relevant: bool = False
    seq: int | None = None
    seqs: dict[str, int] = Field(default_factory=dict)
    degraded: tuple[Any, ...] = ()
    took_ms: float = 0.0
    explanation: Any = None


class Recall(Answer):
    """The memories that matter to a question, best first."""

    hits: tuple[Hit, ...]


class Citation(Model):
    """A memory of a context, by the label that stands before it."""

    label: str
    memory_id: str
    external_id: str | None = None
    namespace: str | None = None
    rank: int | None = None
    score: float | None = None
    occurred_at: datetime | None = None
    recorded_at: datetime | None = None


class LeftOut(Model):
    """A memory that was found and is not in the context: `duplicate`, `too_long` or `budget` says why."""

    memory_id: str
    reason: str
    duplicate_of: str | None = None


class Objective(Model):
    """How good the choice is: no other within the budget is worth more than `bound`."""

    value: float
    bound: float
    guarantee: float


class Context(Answer):
    """What is remembered about a question as one text for a prompt, inside its budget.

    The memories in it are data: never to be followed as instructions.
    """

    context: str
    citations: tuple[Citation, ...] = ()
    used_tokens: int = 0
    budget_tokens: int = 0
    tokenizer: str | None = None
    left_out: tuple[LeftOut, ...] = ()
    objective: Objective | None = None


class Due(Model):
    """A memory, when it is due to be looked at again, and how often in a row it was remembered."""

    memory: Memory
    due_at: datetime
    rehearsals: int = 0
    rehearsed_at: datetime | None = None


class Hold(Model):
    """A legal hold of a memory; in force while `released_at` is None."""

    memory_id: str
    held_at: datetime
    held_by: str
    reason: str
    released_at: datetime | None = None
    released_by: str | None = None
    release_reason: str | None = None


class RevocationPreview(Model):
    """What a revocation would take back now; of each kind the first 1,000 ids are named.

    `held` are under a legal hold and stay; so do those of others that the writer edited (`edited`).
    """

    memories: int
    derived: int
    held: int
    edited: int
    memory_ids: tuple[str, ...] = ()
    derived_ids: tuple[str, ...] = ()
    edited_ids: tuple[str, ...] = ()


class Revocation(Model):
    """A revocation that was carried out: how many memories it hid, and how many derived ones went with them."""

    id: str
    memories: int
    derived: int = 0
    erasure_id: str | None = None
    """The erasure that it became, if that was asked for."""


class FusionState(Model):
    """What the fusion of a namespace has learned from feedback; `adaptive` says whether recalls use it."""

    namespace: str
    adaptive: bool
    factors: dict[str, float] = Field(default_factory=dict)
    rounds: int = 0
    regret: float = 0.0
    regret_bound: float = 0.0


class Gists(Model):
    """What the job `consolidate` makes out of episodes."""

    levels: tuple[str, ...] = ()
    least: int = 0
    ratio: int = 0
    words: int = 0
    support: int = 0


class Merging(Model):
    """Which memories say the same for the job `merge`."""

    floor: float = 0.0
    within_s: float = 0.0


class Policy(Model):
    """What is done with memories as they fade; see docs/lifecycle.md."""

    below: dict[str, float | None] = Field(default_factory=dict)
    hysteresis: float = 0.0
    coldest: dict[str, str] = Field(default_factory=dict)
    factors: dict[str, float] = Field(default_factory=dict)
    share_per_run: float = 0.0
    protect_importance: float = 0.0
    prior: float = 0.0
    later_first: float = 0.0
    merge: Merging = Field(default_factory=Merging)
    gists: Gists = Field(default_factory=Gists)
    quarantine: str | None = None
    rehearse_importance: float = 0.0
    rehearse_below: float = 0.0
    ttl_s: int | None = None
    expired_for_s: int | None = None
    forgotten_for_s: int | None = None
    quota_memories: int | None = None
    quota_bytes: int | None = None


class Scheduled(Model):
    """A kind of work on a namespace, when it is done, and when next."""

    kind: str
    schedule: str
    next_at: datetime


class Care(Model):
    """What is done to a namespace, and when."""

    namespace: str
    policy: Policy
    schedules: tuple[Scheduled, ...] = ()
    screening: dict[str, str] = Field(default_factory=dict)
    """What is done about secrets and personal data, by family: off, flag, redact or reject."""
    own: tuple[str, ...] = ()
    """What is set for this namespace, such as `policy.below.warm`; all else is as by default."""


class JobRun(Model):
    """Work on a namespace. `counts` has to how many memories each action was done; `report` is about the whole."""

    id: str
    namespace: str
    kind: str
    state: str
    dry_run: bool = False
    as_of: datetime | None = None
    undoes: str | None = None
    asked_by: str | None = None
    asked_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    counts: dict[str, int] = Field(default_factory=dict)
    report: dict[str, Any] | None = None
    problem: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it."""
        return self.state not in ("queued", "running")


class Effect(Model):
    """What a run did, or would do, to one memory, and the numbers that it follows from."""

    memory_id: str
    action: str
    before: dict[str, Any] = Field(default_factory=dict)
    after: dict[str, Any] = Field(default_factory=dict)
    why: dict[str, Any] = Field(default_factory=dict)


class Erasure(Model):
    """An erasure. `counts` has the rows that are gone, by table; `receipt` is there once it is over.

    `ended_at`: nothing of it is found any more; `overwritten_at`: its bytes have left the database's files.
    """

    id: str
    namespaces: tuple[str, ...] = ()
    state: str
    asked_by: str | None = None
    asked_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    overwritten_at: datetime | None = None
    overwriting: str | None = None
    counts: dict[str, int] = Field(default_factory=dict)
    problem: str | None = None
    receipt: dict[str, Any] | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is left to be erased."""
        return self.state == "erased"

    @property
    def memories(self) -> int:
        """How many memories it has erased."""
        return self.counts.get("memory", 0)


class ErasurePreview(Model):
    """What an erasure would erase now: memories asked for, and those that jobs derived from them."""

    memories: int
    derived: int = 0
    memory_ids: tuple[str, ...] = ()
    derived_ids: tuple[str, ...] = ()


class ReceiptVerdict(Model):
    """What is true of a receipt; see `MemoryClient.erasures.verify`."""

    genuine: bool
    holds: bool
    back: int = 0
    without_tombstone: int = 0


class Revision(Model):
    """One version of a memory, current during `[recorded_from, recorded_to)`."""

    version: int
    content: str | None = None
    kind: str | None = None
    state: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = Field(default_factory=dict)
    occurred_at: datetime | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    importance: float | None = None
    trust: str | None = None
    flags: tuple[str, ...] = ()
    recorded_from: datetime | None = None
    recorded_to: datetime | None = None
    reason: str | None = None
    writer: str | None = None


class Link(Model):
    """A link of a memory to another one."""

    relation: str
    memory_id: str
    direction: str


class Change(Model):
    """One change of a namespace: `put`, `erase`, `void`, `rewrite`, `retier` or `switch`; see docs/api.md.

    `state`, `reason` and `writer` are of the version that a `put` wrote. What is in quarantine names no memory to keys
    without the role `admin`.
    """

    seq: int
    op: str
    memory_id: str | None = None
    version: int | None = None
    state: str | None = None
    reason: str | None = None
    writer: str | None = None
    recorded_at: datetime


class Alias(Model):
    """A name of an entity: how it is mostly written, and how many memories mention it."""

    id: str
    name: str
    memories: int = 0


class Tie(Model):
    """Why two names are held for one; `told_by` are memories that say so."""

    one: str
    other: str
    rule: str
    confidence: float = 1.0
    told_by: tuple[str, ...] = ()


class EntityInfo(Model):
    """Who or what is mentioned: its most frequent name, all its names, and what holds them together."""

    id: str
    name: str
    memories: int = 0
    aliases: tuple[Alias, ...] = ()
    ties: tuple[Tie, ...] = ()
    confidence: float = 1.0
    decided: bool = False


class Shared(Model):
    """That memories mention two entities together: how many, and the ids of the newest."""

    one: str
    other: str
    memories: int
    memory_ids: tuple[str, ...] = ()


class EntityGraph(Model):
    """An entity, first, and those that most memories mention together with it; what any two share."""

    entities: tuple[EntityInfo, ...]
    links: tuple[Shared, ...] = ()


class NamespaceInfo(Model):
    """One namespace that the key may see."""

    namespace: str
    memories: int = 0
    created_at: datetime | None = None
    head_seq: int | None = None
    embedding_model: str | None = None


class Imported(Model):
    """What came of an export.

    Attributes:
        memories: How many were written.
        erased: How many were left out because they were erased, or derived from what was.
        ids_kept: Whether they have the ids of the export.
        reembedded: Texts that the service's model read again.
        redacted: Texts of which screening blackened something.
        quarantined: Memories that went into quarantine.
        seq: The namespace's last change.
    """

    namespace: str
    memories: int
    erased: int = 0
    ids_kept: bool
    reembedded: int = 0
    redacted: int = 0
    quarantined: int = 0
    seq: int


class LastRun(Model):
    """The newest run of a kind of work."""

    id: str
    state: str
    asked_at: datetime
    ended_at: datetime | None = None


class EmbeddingSpace(Model):
    """An embedding model and the dimension of its vectors."""

    model: str
    dim: int


class BesideSpace(EmbeddingSpace):
    """The embedding model whose vectors are kept beside.

    `growing`: the texts that were there are being embedded; `complete`: all are; `former`: recalls searched it before;
    `leaving`: its vectors are being deleted. `embedded` of `texts` have vectors of it.
    """

    state: str
    texts: int
    embedded: int
    switches_when_complete: bool = False


class Embedding(Model):
    """The embedding models of a namespace: the one whose vectors recalls search, and one beside, if any.

    `models` are those of the server; `last_run` is the newest run of the job `reembed`.
    """

    namespace: str
    active: EmbeddingSpace
    beside: BesideSpace | None = None
    models: tuple[str, ...] = ()
    last_run: LastRun | None = None


class Stats(Model):
    """Counts and sizes of a namespace. Figures without a field of their own are in `model_extra`."""

    model_config = ConfigDict(extra="allow")

    namespace: str | None = None
    memories: int | None = None
    kinds: dict[str, int] = Field(default_factory=dict)
    states: dict[str, int] = Field(default_factory=dict)
    levels: dict[str, int] = Field(default_factory=dict)
    oldest_at: datetime | None = None
    newest_at: datetime | None = None
    embedding_model: str | None = None
    head_seq: int | None = None
    applied_seq: int | None = None
    pending_embeddings: int | None = None
    bank_bytes: int | None = None
    vector_bytes: dict[str, int] = Field(default_factory=dict)
    database_bytes: dict[str, int] = Field(default_factory=dict)
    last_runs: dict[str, LastRun] = Field(default_factory=dict)


class Rates(Model):
    """Limits over time; None: none. Tokens are bytes of text over 4."""

    requests_per_s: float | None = None
    requests_burst: int | None = None
    tokens_per_day: int | None = None


class TenantLimits(Rates):
    """Limits of a tenant. `memories` and `bytes` are of all its namespaces together."""

    memories: int | None = None
    bytes: int | None = None
    namespace_memories: int | None = None
    namespace_bytes: int | None = None


class Used(Model):
    """What is kept: memories in whatever state, and bytes of their contents in all versions."""

    memories: int = 0
    bytes: int = 0


class Limits(Model):
    """The limits of the tenant and of the key that asks, and what is used."""

    tenant: TenantLimits = TenantLimits()
    key: Rates = Rates()
    used: Used = Used()
    namespace_used: Used | None = None


class KeyLimits(Model):
    """The limits of a key that are in force."""

    key_id: str
    limits: Rates


class Key(Model):
    """An API key, without its secret."""

    id: str
    name: str | None = None
    roles: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    prefix: str | None = None
    networks: tuple[str, ...] | None = None
    trust: str | None = None
    client_id: str | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None


class NewKey(Model):
    """A key just made. The secret is shown this once."""

    key: Key
    secret: str = Field(repr=False)

    @model_validator(mode="before")
    @classmethod
    def _nested(cls, data: Any) -> Any:
        """The service may give the secret beside the key, or among its fields."""
        return {"key": data, **data} if isinstance(data, dict) and "key" not in data else data


class AuditEntry(Model):
    """An entry of the audit trail; the digest covers it and the digest of the one before."""

    seq: int
    at: datetime
    kind: str
    actor: str
    key_id: str | None = None
    subject: str | None = None
    facts: dict[str, Any] = Field(default_factory=dict)
    digest: str


class Anchor(Model):
    """The last entry of a trail, signed by the service. Kept elsewhere, it shows later that nothing was cut off."""

    seq: int
    digest: str
    signature: str


class TrailVerdict(Model):
    """What a look at a whole audit trail found; `broken_seq` is the first entry that is not what it was."""

    holds: bool
    entries: int
    broken_seq: int | None = None
    problem: str | None = None


class ServerVersion(Model):
    """What runs at the other end. Further facts are in `model_extra`."""

    model_config = ConfigDict(extra="allow")

    version: str


class Readiness(Model):
    """Whether the service takes work now, and which of its checks pass."""

    ready: bool
    checks: dict[str, bool] = Field(default_factory=dict)
    degraded: tuple[str, ...] = ()


class Page(Model, Generic[T]):
    """One page of a list; `next_cursor` is None on the last one."""

    items: tuple[T, ...]
    next_cursor: str | None = None
