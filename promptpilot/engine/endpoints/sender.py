"""Sends a delivery that was taken, once, and decides what comes of it.

Rules: only a status of 200 to 299 is success; redirects are not followed. A secret is in what is
signed and nowhere else; what is kept of an answer is scrubbed of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

import structlog

from promptpilot import __version__, ids
from promptpilot.clock import Clock
from promptpilot.engine.egress.limits import HttpLimits
from promptpilot.engine.egress.messages import HttpRequest, HttpResponse
from promptpilot.engine.endpoints.kinds import DisabledReason
from promptpilot.engine.endpoints.queue import Queue
from promptpilot.engine.endpoints.retries import PATIENCE, next_delay
from promptpilot.engine.endpoints.secrets import EndpointSecrets
from promptpilot.engine.endpoints.tries import Taken, Try, Verdict
from promptpilot.engine.http_answers import readable_text, retry_after
from promptpilot.engine.ports import HttpSender
from promptpilot.engine.scrub import Scrubber
from promptpilot.engine.signing import signed_headers
from promptpilot.engine.vault import VaultError
from promptpilot.errors import StepFailed

#: One try: 15 seconds in all.
LIMITS: Final = HttpLimits(idle_seconds=15, total_seconds=15, max_body_bytes=1024 * 1024)
#: What is kept of an answer.
MAX_KEPT_BYTES: Final = 2048

#: An answer is read so far beyond what is kept that no secret is cut in two.
_READ_CHARACTERS: Final = 2 * MAX_KEPT_BYTES

log = structlog.get_logger(__name__)


class Sender:
    """Takes what is due and sends it. Any number of tasks and processes may."""

    def __init__(
        self, queue: Queue, http: HttpSender, secrets: EndpointSecrets, clock: Clock
    ) -> None:
        self._queue = queue
        self._http = http
        self._secrets = secrets
        self._clock = clock

    async def turns(self) -> list[str]:
        """Return the endpoints, by id, for which something is due."""
        return await self._queue.turns()

    async def take(self, endpoint_id: str, limit: int) -> list[Taken]:
        """Take at most `limit` deliveries that are due for an endpoint."""
        return await self._queue.take(endpoint_id, limit)

    async def send(self, taken: Taken) -> None:
        """Send a delivery and record how it went.

        Raises what cuts off the database; then the delivery is sent again when its lease ends.
        """
        started_at, began = self._clock.now(), asyncio.get_running_loop().time()
        asked = None
        try:
            secret = self._open(taken)
            response = await self._http.send(_request(taken, secret, started_at))
            asked = retry_after(response.headers.get("retry-after"), self._clock.now())
            status, body, error = response.status, _kept(response, secret), None
        except StepFailed as failure:
            status, body, error = None, None, _document(failure)
        duration_ms = round((asyncio.get_running_loop().time() - began) * 1000)
        tried = Try(started_at, duration_ms, status, body, error)
        verdict = self._verdict(taken, tried, asked, await self._queue.now())
        if not await self._queue.record(taken, tried, verdict):
            log.warning("delivery.lease_lost", delivery_id=taken.delivery.id)
        elif verdict.disable is not None:
            log.info("endpoint.disabled", endpoint_id=taken.endpoint.id, reason=verdict.disable)

    def _open(self, taken: Taken) -> str:
        try:
            return self._secrets.open(taken.endpoint)
        except VaultError:
            message = "The signing secret of the endpoint does not open any more."
            raise StepFailed(message, "CREDENTIAL_MISSING") from None

    def _verdict(self, taken: Taken, tried: Try, asked: timedelta | None, now: datetime) -> Verdict:
        error = tried.error or _refusal(tried.status)
        if error is None:
            return Verdict()
        if tried.status == HTTPStatus.GONE:
            return Verdict(error, disable=DisabledReason.GONE)
        since = taken.endpoint.failing_since
        is_hopeless = since is not None and now - since >= PATIENCE
        delay = next_delay(taken.delivery.tries + 1, asked, ids.random_fraction())
        return Verdict(error, delay, DisabledReason.FAILING if is_hopeless else None)


def _request(taken: Taken, secret: str, now: datetime) -> HttpRequest:
    body = taken.delivery.body.encode()
    headers = [
        ("Content-Type", "application/json"),
        ("User-Agent", f"PromptPilot/{__version__}"),
        *signed_headers([secret], taken.delivery.id, now, body),
    ]
    return HttpRequest("POST", taken.endpoint.url, headers, body)


def _kept(response: HttpResponse, secret: str) -> str | None:
    """Return the first 2 KiB of an answer, as text, without the secret."""
    if not response.body:
        return None
    head = HttpResponse(response.status, response.headers, response.body[: 4 * _READ_CHARACTERS])
    # Without its prefix a secret is told as well: receivers keep it so.
    hidden = Scrubber([secret, secret.removeprefix("whsec_")])
    text = hidden.text(readable_text(head)[:_READ_CHARACTERS])
    return text.encode()[:MAX_KEPT_BYTES].decode(errors="ignore")


def _refusal(status: int | None) -> Mapping[str, Any] | None:
    """Return what an answer other than success means."""
    if status is None or HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    code, advice = "HTTP_4XX", ""
    if status < HTTPStatus.BAD_REQUEST:
        code, advice = "HTTP_REDIRECT", " Redirects are not followed; change the endpoint's url."
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        code = "HTTP_5XX"
    message = f"The endpoint answered {status}.{advice}"
    return {"code": code, "message": message, "isRetryable": True, "details": {"status": status}}


def _document(failure: StepFailed) -> Mapping[str, Any]:
    return {
        "code": failure.error_code,
        "message": failure.message,
        "isRetryable": failure.is_retryable,
        "details": failure.details,
    }
