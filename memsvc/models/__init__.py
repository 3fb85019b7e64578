"""The tables. One schema for SQLite and PostgreSQL; every key leads with the tenant."""

from memsvc.models.audit import Audit, AuditHead
from memsvc.models.base import Base
from memsvc.models.change import Change, ChangeOp
from memsvc.models.embedding import Embedding, EmbeddingSpaceRow, PendingEmbedding, TokenEmbedding
from memsvc.models.entity import Entity, EntityAlias
from memsvc.models.erasure import Erasure
from memsvc.models.feedback import RecallFeedback
from memsvc.models.idempotency import Idempotency
from memsvc.models.job import Job, JobEffect, JobRun, Lease, RunState
from memsvc.models.key import MemoryKey, TenantKey
from memsvc.models.memory import Analysis, LegalHold, Memory, MemoryLink, MemoryVersion, Relation, Tombstone
from memsvc.models.schema import SchemaWindow
from memsvc.models.tenant import ApiKey, Beside, Namespace, Tenant

__all__ = [
    "Analysis",
    "ApiKey",
    "Audit",
    "AuditHead",
    "Base",
    "Beside",
    "Change",
    "ChangeOp",
    "Embedding",
    "EmbeddingSpaceRow",
    "Entity",
    "EntityAlias",
    "Erasure",
    "Idempotency",
    "Job",
    "JobEffect",
    "JobRun",
    "Lease",
    "LegalHold",
    "Memory",
    "MemoryKey",
    "MemoryLink",
    "MemoryVersion",
    "Namespace",
    "PendingEmbedding",
    "RecallFeedback",
    "Relation",
    "RunState",
    "SchemaWindow",
    "Tenant",
    "TenantKey",
    "TokenEmbedding",
    "Tombstone",
]
