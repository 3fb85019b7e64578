"""Limits at the edge: asked as soon as it is known who asks, before anything of the body is read."""

from __future__ import annotations

import asyncio
import math
from functools import partial

from fastapi import Request

from memsvc.auth.principal import Principal
from memsvc.http.work import look_up
from memsvc.limits.buckets import Verdict
from memsvc.limits.limiter import Limiter


async def admit(request: Request, principal: Principal) -> None:
    """Count a request, and leave for its answer what is left of the limit.

    Raises:
        RateLimited: it is one too many.
    """
    limiter: Limiter = request.app.state.container.limiter
    who = principal.tenant_id, principal.key_id
    limits = limiter.recent(*who)
    if limits is None:
        limits = await look_up(request, limiter.in_force, *who)
    takes = limiter.request(principal, limits)
    if not takes:
        return
    verdict = limiter.begin(takes)
    if limiter.needs_finish(verdict):
        finish = partial(limiter.finish, takes, verdict)
        verdict = await asyncio.get_running_loop().run_in_executor(limiter.threads, finish)
    request.scope["state"]["headers"] = rate_headers(verdict)
    limiter.check(verdict)


def rate_headers(verdict: Verdict) -> list[tuple[bytes, bytes]]:
    """The limit that is nearest and what is left of it (draft-ietf-httpapi-ratelimit-headers-10)."""
    name, bucket = verdict.bucket.name, verdict.bucket
    left, reset = math.floor(verdict.remaining), math.ceil(verdict.reset_s)
    window = max(1, math.ceil(bucket.period_s))
    return [
        (b"ratelimit-policy", b'"%b";q=%d;w=%d' % (name.encode(), bucket.capacity, window)),
        (b"ratelimit", b'"%b";r=%d;t=%d' % (name.encode(), left, reset)),
    ]
