"""The tables themselves, for statements that write and read many rows without building objects."""

from __future__ import annotations

from typing import cast

from sqlalchemy import Table

from memsvc.models.audit import Audit, AuditHead
from memsvc.models.change import Change
from memsvc.models.embedding import Embedding, EmbeddingSpaceRow, PendingEmbedding, TokenEmbedding
from memsvc.models.entity import Entity, EntityAlias
from memsvc.models.erasure import Erasure
from memsvc.models.feedback import RecallFeedback
from memsvc.models.idempotency import Idempotency
from memsvc.models.job import Job, JobEffect, JobRun, Lease
from memsvc.models.key import MemoryKey, TenantKey
from memsvc.models.memory import Analysis, LegalHold, Memory, MemoryLink, MemoryVersion, Tombstone
from memsvc.models.schema import SchemaWindow
from memsvc.models.tenant import ApiKey, Namespace, Tenant

ANALYSIS = cast(Table, Analysis.__table__)
API_KEY = cast(Table, ApiKey.__table__)
AUDIT = cast(Table, Audit.__table__)
AUDIT_HEAD = cast(Table, AuditHead.__table__)
CHANGE = cast(Table, Change.__table__)
EMBEDDING = cast(Table, Embedding.__table__)
EMBEDDING_SPACE = cast(Table, EmbeddingSpaceRow.__table__)
ENTITY = cast(Table, Entity.__table__)
ENTITY_ALIAS = cast(Table, EntityAlias.__table__)
ERASURE = cast(Table, Erasure.__table__)
FEEDBACK = cast(Table, RecallFeedback.__table__)
IDEMPOTENCY = cast(Table, Idempotency.__table__)
JOB = cast(Table, Job.__table__)
JOB_EFFECT = cast(Table, JobEffect.__table__)
JOB_RUN = cast(Table, JobRun.__table__)
LEASE = cast(Table, Lease.__table__)
LEGAL_HOLD = cast(Table, LegalHold.__table__)
LINK = cast(Table, MemoryLink.__table__)
MEMORY = cast(Table, Memory.__table__)
MEMORY_KEY = cast(Table, MemoryKey.__table__)
NAMESPACE = cast(Table, Namespace.__table__)
PENDING = cast(Table, PendingEmbedding.__table__)
SCHEMA_WINDOW = cast(Table, SchemaWindow.__table__)
TENANT = cast(Table, Tenant.__table__)
TENANT_KEY = cast(Table, TenantKey.__table__)
TOKEN_EMBEDDING = cast(Table, TokenEmbedding.__table__)
TOMBSTONE = cast(Table, Tombstone.__table__)
VERSION = cast(Table, MemoryVersion.__table__)
