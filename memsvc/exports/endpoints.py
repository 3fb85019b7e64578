"""Routes that take a namespace out as one file, and bring it back."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import asdict
from typing import IO, Any, Protocol

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from memsvc.auth.authenticate import Admin, Exporter
from memsvc.auth.principal import Principal
from memsvc.core.errors import TooLarge, UnsupportedMedia
from memsvc.core.settings import Settings
from memsvc.exports.exporting import Exporting
from memsvc.exports.importing import Importing
from memsvc.http.errors import RequestTimeout
from memsvc.http.json_body import BODY_TIMEOUT_S, read_json
from memsvc.http.openapi import json_body, problems, query_parameters
from memsvc.http.query import read_query
from memsvc.http.routes import API
from memsvc.http.schemas import ApiModel
from memsvc.http.work import run_blocking
from memsvc.memories.schemas import NamespacePath
from memsvc.memories.write import Author

router = APIRouter(prefix=API)

MEDIA_TYPE = "application/x-tar"
_FILE = {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}
_EXPORT: dict[int | str, dict[str, Any]] = {
    200: {"content": _FILE, "description": "The namespace as one file (docs/exports.md)."},
    **problems(400, 401, 403, 404, 408, 413, 414, 415, 422, 431, 503, 507),
}
_PIECE = 1 << 20


class ExportIn(ApiModel):
    """What to export."""

    namespace: NamespacePath


class ImportQuery(ApiModel):
    """Where to import to: a namespace without memories, made if it is not there."""

    namespace: NamespacePath


class ImportOut(ApiModel):
    """What came of an export.

    `erased` counts what was left out because it was erased, or derived from what was. `ids_kept`: whether memories have
    the ids of the export. `reembedded`: texts that the model read again. `redacted`: texts of which screening blackened
    something. `quarantined`: memories that went into quarantine.
    """

    namespace: str
    memories: int
    erased: int
    ids_kept: bool
    reembedded: int
    redacted: int
    quarantined: int
    seq: int


class ExportsContainer(Protocol):
    """What these routes need of the assembled service."""

    settings: Settings
    exporting: Exporting
    importing: Importing


@router.post(
    "/exports",
    response_class=Response,
    responses=_EXPORT,
    openapi_extra=json_body(ExportIn),
)
async def export_namespace(request: Request, principal: Exporter) -> Response:
    """A namespace as one moment saw it: memories with all versions, links, holds, entities, policy and vectors."""
    container: ExportsContainer = request.app.state.container
    body = await read_json(request, ExportIn, container.settings)
    principal.require_namespace(body.namespace)
    export = await run_blocking(request, container.exporting, _author(principal), body.namespace)
    headers = {
        "content-length": str(export.size),
        "content-disposition": 'attachment; filename="memsvc-export.tar"',
    }
    return StreamingResponse(export.pieces, headers=headers, media_type=MEDIA_TYPE)


@router.post(
    "/imports",
    status_code=201,
    response_model=ImportOut,
    responses=problems(400, 401, 403, 408, 409, 413, 414, 415, 422, 431, 503, 507),
    openapi_extra=query_parameters(ImportQuery) | {"requestBody": {"required": True, "content": _FILE}},
)
async def import_namespace(request: Request, principal: Admin) -> ImportOut:
    """Bring an export of this server into a namespace without memories: all of it or nothing."""
    container: ExportsContainer = request.app.state.container
    query = read_query(request, ImportQuery, container.settings)
    principal.require_namespace(query.namespace)
    author = _author(principal)
    with tempfile.TemporaryFile() as file:
        await _receive(request, file, container.settings.import_max_bytes)
        found = await run_blocking(request, container.importing, author, query.namespace, file)
    return ImportOut.model_construct(namespace=query.namespace, **asdict(found))


def _author(principal: Principal) -> Author:
    return Author(principal.tenant_id, principal.name, principal.key_id, principal.trust)


async def _receive(request: Request, file: IO[bytes], limit: int) -> None:
    """The body of a request in a file; the wait for each piece is bounded, the whole by its size.

    Raises:
        UnsupportedMedia: it is declared as something else.
        TooLarge: it is longer than `limit`, declared or not.
        RequestTimeout: it stopped arriving.
    """
    if request.headers.getlist("content-type") != [MEDIA_TYPE] or request.headers.get("content-encoding"):
        raise UnsupportedMedia(f"send the export as it is, with Content-Type: {MEDIA_TYPE}")
    declared = request.headers.get("content-length", "")
    too_large = TooLarge(f"the export is larger than {limit} bytes (MEMSVC_IMPORT_MAX_BYTES)")
    if declared.isdecimal() and (len(declared) > 18 or int(declared) > limit):
        raise too_large
    size, waiting = 0, bytearray()
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                chunk = await anext(stream, None)
        except TimeoutError:
            raise RequestTimeout(f"nothing of the body arrived for {BODY_TIMEOUT_S:.0f} s") from None
        if chunk is not None:
            size += len(chunk)
            waiting += chunk
        if size > limit:
            raise too_large
        if len(waiting) >= _PIECE or chunk is None:
            await run_blocking(request, file.write, bytes(waiting))
            waiting.clear()
        if chunk is None:
            return
