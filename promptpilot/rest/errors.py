"""Turns errors into answers: `{"error": {"code", "message", "details": [{path, code, message}]}}`.

Rules: the most particular class decides on the status. What is no error of the caller is masked;
the reference in the answer is in the log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import structlog
from starlette.responses import JSONResponse, Response

from promptpilot.clock import Clock
from promptpilot.errors import (
    BadCredentials,
    CallerError,
    Conflict,
    IdempotencyMismatch,
    InvalidMany,
    InvalidStatus,
    LimitExceeded,
    NotFound,
    NotUnique,
    PayloadTooLarge,
    PermissionDenied,
    PromptPilotError,
    RateLimited,
    SignatureInvalid,
    Unauthenticated,
    Unavailable,
)
from promptpilot.ids import new_reference
from promptpilot.models.database import is_transient

RETRY_AFTER_SECONDS = 1

_STATUS: Mapping[type[PromptPilotError], int] = {
    CallerError: 400,
    Unauthenticated: 401,
    BadCredentials: 401,
    SignatureInvalid: 401,
    PermissionDenied: 403,
    NotFound: 404,
    Conflict: 409,
    NotUnique: 409,
    InvalidStatus: 409,
    IdempotencyMismatch: 409,
    PayloadTooLarge: 413,
    LimitExceeded: 400,
    RateLimited: 429,
    Unavailable: 503,
}

log = structlog.get_logger(__name__)


class WorkflowInactive(InvalidStatus):
    """The workflow is switched off and takes no executions over REST."""

    code = "WORKFLOW_INACTIVE"


def answer_error(error: Exception, clock: Clock) -> Response:
    """Return the answer to a request that ended with `error`."""
    if is_transient(error):
        error = Unavailable("The database does not answer. Nothing was stored; try again.")
    status = _status(error)
    if status is None or not isinstance(error, PromptPilotError):
        return _masked(error)
    headers = _headers(error, clock.now())
    return problem(status, error.code, error.message, list(_details(error)), headers)


@contextmanager
def arguments_in_body() -> Iterator[None]:
    """Let errors name members of the body, for a body with all that a mutation's `input` has."""
    try:
        yield
    except CallerError as error:
        for each in error.errors if isinstance(error, InvalidMany) else (error,):
            each.path = each.path[1:] if each.path[:1] == ("input",) else each.path
        raise


def problem(
    status: int,
    code: str,
    message: str,
    details: list[dict[str, Any]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return an error as an answer."""
    body = {"error": {"code": code, "message": message, "details": details or []}}
    return JSONResponse(body, status, headers={"cache-control": "no-store", **(headers or {})})


def _status(error: Exception) -> int | None:
    for kind in type(error).__mro__:
        if issubclass(kind, PromptPilotError) and kind in _STATUS:
            return _STATUS[kind]
    return None


def _masked(error: Exception) -> Response:
    reference = new_reference()
    log.error("rest.failed", reference=reference, exc_info=error)
    message = f"Internal error. The operator finds it in the log under {reference}."
    return problem(500, "INTERNAL", message)


def _details(error: PromptPilotError) -> Iterator[dict[str, Any]]:
    if isinstance(error, InvalidMany):
        for each in error.errors:
            yield from _details(each)
    elif isinstance(error, CallerError) and error.path:
        yield {"path": _path(error.path), "code": error.code, "message": error.message}


def _path(path: tuple[str, ...]) -> str:
    """Return where in the body the fault is; the engine counts from a mutation's argument."""
    return ".".join(path[1:] if path[:2] in _ARGUMENTS else path)


_ARGUMENTS = {("input", name) for name in ("input", "idempotencyKey", "workflowId", "id")}


def _headers(error: PromptPilotError, now: datetime) -> dict[str, str]:
    if isinstance(error, Unauthenticated):
        return {"www-authenticate": "Bearer"}
    if isinstance(error, RateLimited):
        seconds = (error.retry_after - now).total_seconds()
        return {"retry-after": str(max(1, round(seconds)))}
    if isinstance(error, Unavailable):
        return {"retry-after": str(RETRY_AFTER_SECONDS)}
    return {}
