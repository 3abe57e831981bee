"""The HTTP responses with a single answer: their statuses, their media types, their headers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from graphql import GraphQLError
from starlette.responses import Response

from promptpilot.clock import Clock
from promptpilot.errors import (
    CallerError,
    LimitExceeded,
    PermissionDenied,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from promptpilot.front.encoding import Unwritable, dumps
from promptpilot.front.errors import Refused, Stage, masked_exception
from promptpilot.front.execution import Answer, TookTooLong, body_of, formatted
from promptpilot.front.negotiation import LEGACY, RESPONSE

Profile = Literal["2026-09", "audit"]

_PARTIAL = 294
_STATUS_OF_ERROR: tuple[tuple[type[Exception], int], ...] = (
    (Unauthenticated, 401),
    (PermissionDenied, 403),
    (RateLimited, 429),
    (LimitExceeded, 429),
    (CallerError, 400),
    (Unavailable, 503),
)


class Problem(Exception):
    """The HTTP request is answered with errors and a status of its own."""

    def __init__(self, status: int, error: GraphQLError, headers: Mapping[str, str]) -> None:
        super().__init__(error.message)
        self.status = status
        self.error = error
        self.headers = headers


def problem(
    status: int, message: str, code: str, headers: Mapping[str, str] | None = None
) -> Problem:
    """Return a Problem with one error."""
    return Problem(status, GraphQLError(message, extensions={"code": code}), headers or {})


def not_allowed(message: str, allowed: str) -> Problem:
    """Return the Problem of a wrong HTTP method."""
    return problem(405, message, "METHOD_NOT_ALLOWED", {"allow": allowed})


def not_acceptable(message: str) -> Problem:
    """Return the Problem of an Accept header that allows no answer."""
    return problem(406, message, "NOT_ACCEPTABLE")


class Answers:
    """Makes responses in one profile of status codes."""

    def __init__(self, profile: Profile, clock: Clock) -> None:
        self._is_audited = profile == "audit"
        self._clock = clock

    def whole(self, answer: Answer, media_type: str) -> Response:
        """Return the response to an operation that was executed."""
        is_telling = media_type == RESPONSE and not self._is_audited
        status = _PARTIAL if answer.errors and is_telling else 200
        return self._response(answer.body(), status, media_type)

    def refused(self, refused: Refused, media_type: str) -> Response:
        """Return the response to a request of which nothing was executed."""
        return self._response(body_of(refused), self._status(refused, media_type), media_type)

    def problem(self, problem: Problem, media_type: str) -> Response:
        """Return the response to an HTTP request that is wrong as such."""
        is_coarse = media_type == LEGACY or self._is_audited
        status = 400 if problem.status == 422 and is_coarse else problem.status  # noqa: PLR2004 -- HTTP's own number
        body = {"errors": formatted([problem.error])}
        return self._response(body, status, media_type, problem.headers)

    def failed(self, error: Exception, media_type: str) -> Response:
        """Return the response when something was raised before or after the execution."""
        status = next((status for kind, status in _STATUS_OF_ERROR if isinstance(error, kind)), 500)
        body = {"errors": formatted([masked_exception(error)])}
        return self._response(body, status, media_type, self._headers_of(error))

    def _status(self, refused: Refused, media_type: str) -> int:
        if isinstance(refused, TookTooLong):
            return 503
        if media_type == LEGACY:
            return 200
        is_coarse = refused.stage is Stage.PARSE or self._is_audited
        return 400 if is_coarse else 422

    def _headers_of(self, error: Exception) -> dict[str, str]:
        if isinstance(error, Unauthenticated):
            return {"www-authenticate": "Bearer"}
        if isinstance(error, RateLimited):
            wait = (error.retry_after - self._clock.now()).total_seconds()
            return {"retry-after": str(max(1, math.ceil(wait)))}
        return {}

    def _response(
        self, body: Any, status: int, media_type: str, headers: Mapping[str, str] | None = None
    ) -> Response:
        try:
            content = dumps(body)
        except Unwritable as error:
            return self.failed(error, media_type)
        all_headers = {
            "content-type": f"{media_type}; charset=utf-8",
            "cache-control": "no-store",
            **(headers or {}),
        }
        return Response(content, status, all_headers)
