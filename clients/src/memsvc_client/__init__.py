"""Client for memsvc, a long-term memory service for AI agents.

Example:
    from memsvc_client import MemoryClient

    with MemoryClient(namespace="user/ada") as client:
        client.remember("Ada prefers tea to coffee.")
        for hit in client.recall("What does Ada drink?").hits:
            print(hit.score, hit.memory.content)
"""

from memsvc_client._version import __version__
from memsvc_client.async_client import AsyncKeys, AsyncMemoryClient
from memsvc_client.batching import OnProgress, Progress
from memsvc_client.client import Keys, MemoryClient
from memsvc_client.connection import RetryPolicy
from memsvc_client.errors import (
    ApiError,
    BatchInterrupted,
    Conflict,
    ConnectionFailed,
    Forbidden,
    InvalidArgument,
    InvalidRequest,
    MemsvcError,
    NotFound,
    PayloadTooLarge,
    PreconditionFailed,
    RateLimited,
    ServerError,
    ServiceUnavailable,
    TimedOut,
    Unauthorized,
    UnexpectedAnswer,
    item_error,
)
from memsvc_client.inputs import (
    Described,
    Filter,
    Kind,
    LinkTo,
    MemoryChanges,
    MemoryFields,
    NewMemory,
    Order,
    Outcome,
    Profile,
    RecallOptions,
    Role,
    Turn,
    When,
)
from memsvc_client.pagination import AsyncPager, Pager
from memsvc_client.progress import progress_bar
from memsvc_client.types import (
    BatchItem,
    BatchResult,
    ChannelHit,
    FieldProblem,
    Hit,
    Key,
    Link,
    Memory,
    NamespaceInfo,
    NewKey,
    Page,
    Problem,
    Readiness,
    Recall,
    Revision,
    ServerVersion,
    Stats,
    Written,
)

__all__ = [
    "ApiError",
    "AsyncKeys",
    "AsyncMemoryClient",
    "AsyncPager",
    "BatchInterrupted",
    "BatchItem",
    "BatchResult",
    "ChannelHit",
    "Conflict",
    "ConnectionFailed",
    "Described",
    "FieldProblem",
    "Filter",
    "Forbidden",
    "Hit",
    "InvalidArgument",
    "InvalidRequest",
    "Key",
    "Keys",
    "Kind",
    "Link",
    "LinkTo",
    "Memory",
    "MemoryChanges",
    "MemoryClient",
    "MemoryFields",
    "MemsvcError",
    "NamespaceInfo",
    "NewKey",
    "NewMemory",
    "NotFound",
    "OnProgress",
    "Order",
    "Outcome",
    "Page",
    "Pager",
    "PayloadTooLarge",
    "PreconditionFailed",
    "Problem",
    "Profile",
    "Progress",
    "RateLimited",
    "Readiness",
    "Recall",
    "RecallOptions",
    "RetryPolicy",
    "Revision",
    "Role",
    "ServerError",
    "ServerVersion",
    "ServiceUnavailable",
    "Stats",
    "TimedOut",
    "Turn",
    "Unauthorized",
    "UnexpectedAnswer",
    "When",
    "Written",
    "__version__",
    "item_error",
    "progress_bar",
]
