"""Decides what of an error a client may see.

Rules: graphql-core's own errors and CallerErrors are shown as they stand; the database's absence is
named; everything else is a fault of ours: the client gets a reference, the log gets the traceback
under the same reference. What the client can mend is never logged as an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Any

import structlog
from graphql import GraphQLError

from promptpilot.errors import CallerError, InvalidMany, RateLimited, Unavailable
from promptpilot.ids import new_reference

log = structlog.get_logger()

_MASK = "Internal server error"


class Stage(Enum):
    """How far a request came before it was refused; decides the HTTP status."""

    PARSE = auto()
    VALIDATION = auto()


class Refused(Exception):
    """A request was refused before anything was executed; `cost` is told where it is known."""

    def __init__(
        self,
        errors: Sequence[GraphQLError],
        stage: Stage = Stage.VALIDATION,
        cost: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__("; ".join(error.message for error in errors))
        self.errors = tuple(errors)
        self.stage = stage
        self.cost = cost


def refusal(message: str, code: str) -> Refused:
    """Return a Refused with one error."""
    return Refused([GraphQLError(message, extensions={"code": code})])


def coded(error: GraphQLError, code: str) -> GraphQLError:
    """Give `error` the code, unless it has one; return it."""
    error.extensions = {"code": code, **(error.extensions or {})}
    return error


def masked(error: GraphQLError) -> GraphQLError:
    """Return what the client may see of an error of execution; log it when it is our fault."""
    cause = _cause(error)
    if cause is None:
        return coded(error, "BAD_REQUEST")
    if isinstance(cause, CallerError):
        return _located(error, cause.message, _caller_extensions(cause))
    if isinstance(cause, Unavailable):
        log.warning("graphql.unavailable", path=error.path, reason=cause.message)
        return _located(error, cause.message, {"code": cause.code})
    return _located(error, _MASK, _reported(cause, error.path))


def masked_input(error: GraphQLError) -> GraphQLError:
    """Return what the client may see of an error in its variables.

    A ValueError is how a scalar refuses a value; its message is meant for the client.
    """
    if isinstance(_cause(error), ValueError):
        return coded(GraphQLError(error.message, error.nodes), "BAD_USER_INPUT")
    return masked(coded(error, "BAD_USER_INPUT"))


def masked_exception(error: Exception) -> GraphQLError:
    """Return what the client may see of an exception that no field caught."""
    return masked(GraphQLError(str(error), original_error=error))


def _cause(error: GraphQLError) -> Exception | None:
    """Return the exception behind an error; None when it was a GraphQLError from the start."""
    cause = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    return cause


def _located(error: GraphQLError, message: str, extensions: dict[str, Any]) -> GraphQLError:
    return GraphQLError(message, error.nodes, path=error.path, extensions=extensions)


def _caller_extensions(cause: CallerError) -> dict[str, Any]:
    extensions: dict[str, Any] = {"code": cause.code}
    if cause.path:
        extensions["argumentPath"] = list(cause.path)
    if isinstance(cause, RateLimited):
        extensions["retryAfter"] = cause.retry_after.isoformat().replace("+00:00", "Z")
    if isinstance(cause, InvalidMany):
        extensions["errors"] = [
            {"message": error.message, **_caller_extensions(error)} for error in cause.errors
        ]
    return extensions


def _reported(cause: Exception, path: Sequence[str | int] | None) -> dict[str, Any]:
    reference = new_reference()
    log.error("graphql.failed", reference=reference, path=path, exc_info=cause)
    return {"code": "INTERNAL_SERVER_ERROR", "reference": reference}
