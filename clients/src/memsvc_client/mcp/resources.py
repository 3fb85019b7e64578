"""The resources: which namespaces there are, and what each one holds."""

from __future__ import annotations

import json
from urllib.parse import quote, unquote

from mcp import MCPError
from mcp_types import (
    INVALID_PARAMS,
    ListResourcesResult,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextResourceContents,
)

from memsvc_client.async_client import AsyncMemoryClient
from memsvc_client.mcp.tools import page
from memsvc_client.types import NamespaceInfo, Page

ALL = "memsvc://namespaces"
_JSON = "application/json"
_URI_MAX_CHARS = 4096

TEMPLATE = ResourceTemplate(
    name="namespace",
    title="Namespace",
    uri_template=f"{ALL}/{{+path}}",
    description="What a namespace holds: its memories by kind and state, and its size.",
    mime_type=_JSON,
)
_ROOT = Resource(
    name="namespaces",
    title="Namespaces",
    uri=ALL,
    description="The first namespaces that the key reaches, by path, with the number of their memories.",
    mime_type=_JSON,
)


async def listed(client: AsyncMemoryClient, cursor: str | None) -> ListResourcesResult:
    """The list of namespaces, then each of them."""
    found: Page[NamespaceInfo] = await page(client.namespaces(cursor=cursor))
    each = [
        Resource(name=one.namespace, uri=uri_of(one.namespace), description=f"{one.memories} memories", mime_type=_JSON)
        for one in found.items
    ]
    return ListResourcesResult(resources=[_ROOT, *each] if cursor is None else each, next_cursor=found.next_cursor)


async def read(client: AsyncMemoryClient, uri: str) -> ReadResourceResult:
    """One resource.

    Raises:
        MCPError: There is none at this address.
        ApiError: The service said no; what a namespace may be called, and who may see it, it decides.
    """
    if uri == ALL:
        found = await page(client.namespaces())
        return _answer(uri, found.model_dump(mode="json"))
    stats = await client.stats(namespace=_path(uri))
    return _answer(uri, stats.model_dump(mode="json"))


def uri_of(namespace: str) -> str:
    """The address of a namespace."""
    return f"{ALL}/{quote(namespace, safe='/')}"


def _path(uri: str) -> str:
    """The namespace that an address names.

    It goes to the service as a value, never as a part of a path, so that nothing in it can lead elsewhere.
    """
    scheme, is_below, quoted = uri.partition(f"{ALL}/")
    path = unquote(quoted, errors="replace")
    if scheme or not is_below or not path or len(uri) > _URI_MAX_CHARS or "?" in quoted or "#" in quoted:
        raise MCPError(code=INVALID_PARAMS, message=f"no such resource: read {ALL} to learn which there are")
    return path


def _answer(uri: str, content: object) -> ReadResourceResult:
    text = json.dumps(content, ensure_ascii=False)
    return ReadResourceResult(contents=[TextResourceContents(uri=uri, mime_type=_JSON, text=text)])
